use ed25519_dalek::SigningKey;
use manushya_protocol::id::TenantId;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::strategy::{draft, drafts};
use super::super::{Origin, VerifierKey};
use super::*;
use crate::model::{AuditDraft, Decision};

const NAME: &str = "host.example/audit";

fn write(drafts: &[AuditDraft]) -> (Vec<Vec<u8>>, Checkpoint) {
    let mut head = Head::new();
    let log = drafts
        .iter()
        .map(|draft| head.append(draft.clone()).1)
        .collect();
    (log, head.checkpoint(Origin::new(NAME).unwrap()))
}

fn frames(log: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in log {
        push_frame(&mut out, entry).unwrap();
    }
    out
}

/// Verifies as a client does, from framed bytes and a signed checkpoint.
fn verify(bytes: &[u8], expected: &Checkpoint) -> Result<Summary, String> {
    let mut verifier = Verifier::new();
    for entry in split_frames(bytes) {
        let entry = entry.map_err(|error| error.to_string())?;
        verifier
            .push(entry)
            .map_err(|error| error.what.to_string())?;
    }
    verifier
        .finish(expected)
        .map_err(|error| error.what.to_string())
}

/// One way to falsify a log.
#[derive(Clone, Debug)]
enum Tamper {
    FlipBit(Index, Index, u8),
    Delete(Index),
    Swap(Index, Index),
    Duplicate(Index, Index),
    Insert(Index, Box<AuditDraft>),
    Truncate(Index, Index),
    RollBack(Index),
    Rewrite(Index, u8),
    DeleteAndRechain(Index),
    InsertAndRechain(Index, Box<AuditDraft>),
    SwapAndRechain(Index, Index),
    Extend(Box<AuditDraft>),
    FlipFrameBit(Index, u8),
}

fn tamper() -> impl Strategy<Value = Tamper> {
    let at = any::<Index>;
    let boxed = || draft().prop_map(Box::new);
    prop_oneof![
        (at(), at(), 0_u8..8).prop_map(|(a, b, bit)| Tamper::FlipBit(a, b, bit)),
        at().prop_map(Tamper::Delete),
        (at(), at()).prop_map(|(a, b)| Tamper::Swap(a, b)),
        (at(), at()).prop_map(|(a, b)| Tamper::Duplicate(a, b)),
        (at(), boxed()).prop_map(|(a, draft)| Tamper::Insert(a, draft)),
        (at(), at()).prop_map(|(a, b)| Tamper::Truncate(a, b)),
        at().prop_map(Tamper::RollBack),
        (at(), 0_u8..5).prop_map(|(a, field)| Tamper::Rewrite(a, field)),
        at().prop_map(Tamper::DeleteAndRechain),
        (at(), boxed()).prop_map(|(a, draft)| Tamper::InsertAndRechain(a, draft)),
        (at(), at()).prop_map(|(a, b)| Tamper::SwapAndRechain(a, b)),
        boxed().prop_map(Tamper::Extend),
        (at(), 0_u8..8).prop_map(|(a, bit)| Tamper::FlipFrameBit(a, bit)),
    ]
}

/// Changes one field so that the draft surely differs.
fn falsify(draft: &mut AuditDraft, field: u8) {
    match field {
        0 => draft.count = draft.count.wrapping_add(1),
        1 => draft.time = UnixMillis(draft.time.0.wrapping_add(1)),
        2 => {
            draft.decision = match draft.decision {
                Decision::Allow => Decision::Deny,
                Decision::Deny => Decision::Allow,
            };
        }
        3 => draft.peer_uid = Some(draft.peer_uid.map_or(0, |uid| uid.wrapping_add(1))),
        _ => {
            draft.tenant = match draft.tenant {
                Some(_) => None,
                None => Some(TenantId::from_bytes([0; 16])),
            };
        }
    }
}

/// The falsified log as framed bytes. A forger who rechains makes every sequence and link right.
fn falsified(drafts: &[AuditDraft], tamper: Tamper) -> Vec<u8> {
    let (mut log, _) = write(drafts);
    let size = log.len();
    let mut drafts = drafts.to_vec();
    match tamper {
        Tamper::FlipBit(at, byte, bit) => {
            let entry = &mut log[at.index(size)];
            let byte = byte.index(entry.len());
            entry[byte] ^= 1 << bit;
        }
        Tamper::Delete(at) => drop(log.remove(at.index(size))),
        Tamper::Swap(a, b) => log.swap(a.index(size), b.index(size)),
        Tamper::Duplicate(from, to) => {
            let entry = log[from.index(size)].clone();
            log.insert(to.index(size + 1), entry);
        }
        Tamper::Insert(at, draft) => {
            let at = at.index(size + 1);
            let mut head = Head::new();
            for draft in &drafts[..at] {
                head.append(draft.clone());
            }
            log.insert(at, head.append(*draft).1);
        }
        Tamper::Truncate(at, byte) => {
            let mut bytes = frames(&log[..=at.index(size)]);
            let keep = byte.index(bytes.len());
            bytes.truncate(keep);
            return bytes;
        }
        Tamper::RollBack(at) => log.truncate(at.index(size)),
        Tamper::Rewrite(at, field) => {
            falsify(&mut drafts[at.index(size)], field);
            return frames(&write(&drafts).0);
        }
        Tamper::DeleteAndRechain(at) => {
            drafts.remove(at.index(size));
            return frames(&write(&drafts).0);
        }
        Tamper::InsertAndRechain(at, draft) => {
            drafts.insert(at.index(size + 1), *draft);
            return frames(&write(&drafts).0);
        }
        Tamper::SwapAndRechain(a, b) => {
            drafts.swap(a.index(size), b.index(size));
            return frames(&write(&drafts).0);
        }
        Tamper::Extend(draft) => {
            drafts.push(*draft);
            return frames(&write(&drafts).0);
        }
        Tamper::FlipFrameBit(at, bit) => {
            let mut bytes = frames(&log);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            return bytes;
        }
    }
    frames(&log)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn falsified_log_never_verifies(drafts in drafts(1..200), tamper in tamper()) {
        let (log, checkpoint) = write(&drafts);
        let honest = frames(&log);
        let summary = verify(&honest, &checkpoint).unwrap();
        prop_assert_eq!(summary.size, drafts.len() as u64);
        let bytes = falsified(&drafts, tamper.clone());
        if bytes == honest {
            // Only swapping an entry with itself changes nothing.
            let is_swap = matches!(tamper, Tamper::Swap(..) | Tamper::SwapAndRechain(..));
            prop_assert!(is_swap);
        } else {
            prop_assert!(verify(&bytes, &checkpoint).is_err());
        }
    }

    #[test]
    fn noise_never_panics_and_never_verifies(
        drafts in drafts(1..5),
        noise in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let (log, checkpoint) = write(&drafts);
        prop_assert!(verify(&noise, &checkpoint).is_err());
        let mut bytes = frames(&log);
        bytes.extend(&noise);
        prop_assert!(verify(&bytes, &checkpoint).is_err());
        let mut verifier = Verifier::new();
        prop_assert!(verifier.push(&noise).is_err());
    }

    #[test]
    fn frames_have_one_form(
        bytes in prop::collection::vec(prop_oneof![0_u8..3, any::<u8>()], 0..900),
    ) {
        let split: Result<Vec<_>, _> = split_frames(&bytes).collect();
        if let Ok(entries) = split {
            let entries: Vec<Vec<u8>> = entries.into_iter().map(<[u8]>::to_vec).collect();
            prop_assert_eq!(frames(&entries), bytes);
        }
    }

    #[test]
    fn clock_steps_back_are_counted_not_refused(times in prop::collection::vec(0_i64..6, 1..30)) {
        let template = any_draft();
        let drafts: Vec<_> = times
            .iter()
            .map(|&time| AuditDraft { time: UnixMillis(time), ..template.clone() })
            .collect();
        let (log, checkpoint) = write(&drafts);
        let summary = verify(&frames(&log), &checkpoint).unwrap();
        let steps = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
        prop_assert_eq!(summary.backward_clock_steps, steps as u64);
        prop_assert_eq!(summary.first_time, times.first().copied().map(UnixMillis));
        prop_assert_eq!(summary.last_time, times.last().copied().map(UnixMillis));
    }
}

fn any_draft() -> AuditDraft {
    use manushya_protocol::id::RequestId;

    use crate::model::{Action, AuditActor, Extensions, Outcome, Resource};
    AuditDraft {
        time: UnixMillis(0),
        tenant: None,
        actor: AuditActor::Daemon,
        peer_uid: None,
        token: None,
        action: Action::Purge,
        resource: Resource::System,
        resource_id: None,
        decision: Decision::Allow,
        policy: None,
        request_id: RequestId::from_bytes([9; 16]),
        outcome: Outcome::Ok,
        count: 3,
        extensions: Extensions::default(),
    }
}

fn log_of(size: usize) -> (Vec<Vec<u8>>, Checkpoint) {
    let draft = |n: usize| AuditDraft {
        count: n as u64,
        ..any_draft()
    };
    write(&(0..size).map(draft).collect::<Vec<_>>())
}

#[test]
fn empty_log_verifies_against_the_empty_checkpoint_only() {
    let (_, empty) = log_of(0);
    let summary = Verifier::new().finish(&empty).unwrap();
    assert_eq!((summary.size, summary.first_time), (0, None));
    let (_, one) = log_of(1);
    let broken = Verifier::new().finish(&one).unwrap_err();
    assert_eq!(broken.seq, AuditSeq(1));
    assert!(matches!(
        broken.what,
        What::Size {
            expected: 1,
            actual: 0
        }
    ));
}

#[test]
fn break_is_named_by_place_and_kind() {
    let (log, checkpoint) = log_of(5);
    let push = |order: &[usize]| {
        let mut verifier = Verifier::new();
        order
            .iter()
            .try_for_each(|&n| verifier.push(&log[n]))
            .map(|()| verifier)
    };
    let broken = push(&[0, 1, 3]).unwrap_err();
    assert_eq!(broken.seq, AuditSeq(3));
    assert!(matches!(broken.what, What::Link(LinkError::Seq { .. })));

    let mut changed = log[1].clone();
    *changed.last_mut().unwrap() ^= 1;
    let mut verifier = push(&[0]).unwrap();
    verifier.push(&changed).unwrap();
    let broken = verifier.push(&log[2]).unwrap_err();
    assert_eq!(broken.seq, AuditSeq(3));
    assert!(matches!(
        broken.what,
        What::Link(LinkError::PrevHash { .. })
    ));
    // A caller that goes on regardless does not get a broken log verified.
    assert_eq!(verifier.push(&log[2]), Err(broken));
    assert_eq!(verifier.finish(&checkpoint), Err(broken));

    let rolled_back = push(&[0, 1, 2]).unwrap().finish(&checkpoint).unwrap_err();
    assert_eq!(rolled_back.seq, AuditSeq(4));
    let (_, older) = log_of(3);
    let longer = push(&[0, 1, 2, 3]).unwrap().finish(&older).unwrap_err();
    assert_eq!(longer.seq, AuditSeq(4));
    assert!(push(&[0, 1, 2]).unwrap().check_against(&older).is_ok());
}

#[test]
fn forged_checkpoint_of_a_rewritten_log_is_refused() {
    let (_, honest) = log_of(4);
    let (_, forged) = log_of(3);
    let operator = SigningKey::from_bytes(&[1; 32]);
    let forger = SigningKey::from_bytes(&[2; 32]);
    let key = VerifierKey::new(Origin::new(NAME).unwrap(), operator.verifying_key());
    assert_eq!(
        Checkpoint::verify(&honest.sign(&operator), &key),
        Ok(honest)
    );
    assert!(Checkpoint::verify(&forged.sign(&forger), &key).is_err());
}

#[test]
fn frames_beyond_their_bounds_are_refused() {
    let mut out = vec![1];
    assert!(push_frame(&mut out, &[]).is_err());
    assert!(push_frame(&mut out, &[0; ENTRY_BYTES_MAX + 1]).is_err());
    assert_eq!(out, [1]);
    let check = |bytes: &[u8], expected| {
        let mut frames = split_frames(bytes);
        assert_eq!(frames.next(), Some(Err(expected)));
        assert_eq!(frames.next(), None);
    };
    check(&[0, 0, 0], FrameError::Truncated { offset: 0 });
    check(&[0, 0, 0, 2, 9], FrameError::Truncated { offset: 0 });
    check(
        &[0, 0, 0, 0, 9],
        FrameError::Length {
            offset: 0,
            actual: 0,
        },
    );
    check(
        &[0, 0, 4, 1],
        FrameError::Length {
            offset: 0,
            actual: 1025,
        },
    );
    let actual = u32::MAX as usize;
    check(&[0xff; 90], FrameError::Length { offset: 0, actual });
    assert_eq!(split_frames(&[]).next(), None);
}
