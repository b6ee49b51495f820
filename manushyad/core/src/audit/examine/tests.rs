use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::strategy::{draft, drafts};
use super::super::{FrameError, Head, Origin, VerifierKey, push_frame, split_frames};
use super::*;
use crate::model::AuditDraft;

/// How many ways of tampering are tried; `MANUSHYA_TAMPERS` says another number.
const TAMPERS: usize = 100_000;

fn origin() -> Origin {
    Origin::new("host.example/audit").unwrap()
}

fn signer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn key() -> VerifierKey {
    VerifierKey::new(origin(), signer().verifying_key())
}

/// All that lies on disk of a log: rows and head in the store, checkpoints in the store, an export,
/// and the anchor file outside.
#[derive(Clone, Debug, PartialEq)]
struct Disk {
    rows: Vec<(u64, Vec<u8>)>,
    head: Vec<u8>,
    stored: Vec<(u64, String)>,
    export: Vec<u8>,
    anchor: String,
}

/// Writes a log as the daemon does, with a checkpoint every `every` entries and at the end.
fn write(drafts: &[AuditDraft], every: usize) -> Disk {
    let mut head = Head::new();
    let mut disk = Disk {
        rows: Vec::new(),
        head: Vec::new(),
        stored: Vec::new(),
        export: Vec::new(),
        anchor: String::new(),
    };
    for (place, draft) in drafts.iter().enumerate() {
        let (entry, bytes) = head.append(draft.clone());
        push_frame(&mut disk.export, &bytes).unwrap();
        disk.rows.push((entry.seq.0, bytes));
        if (place + 1) % every == 0 || place + 1 == drafts.len() {
            let note = head.checkpoint(origin()).sign(&signer());
            disk.anchor.push_str(&note);
            disk.anchor.push('\n');
            disk.stored.push((head.size(), note));
        }
    }
    disk.head = head.to_bytes();
    disk
}

/// Whether everything is as it was written, as `doctor` and an auditor look at it. The anchor is what
/// cannot be changed by who changes the rest.
fn examine(disk: &Disk, anchors: &[Checkpoint]) -> Result<(), String> {
    let told = |error: &dyn std::error::Error| error.to_string();
    let head = Head::from_bytes(&disk.head).map_err(|error| told(&error))?;
    let checkpoint = head.checkpoint(origin());
    let mut rows = Vec::new();
    for (place, (seq, bytes)) in disk.rows.iter().enumerate() {
        if *seq != place as u64 + 1 {
            return Err(format!("row {seq} is out of place"));
        }
        rows.push(bytes.as_slice());
    }
    run(anchors, &rows, &checkpoint).map_err(|error| told(&error))?;
    let last = rows.last().copied().unwrap_or_default();
    if head.last_hash() != super::super::entry_hash(last) {
        return Err("the head has another last hash".to_owned());
    }
    let export: Result<Vec<_>, FrameError> = split_frames(&disk.export).collect();
    let export = export.map_err(|error| told(&error))?;
    run(anchors, &export, &checkpoint).map_err(|error| told(&error))?;
    // Each that was anchored was stored before.
    let stored: Vec<u64> = disk.stored.iter().map(|(size, _)| *size).collect();
    if let Some(lost) = anchors.iter().find(|mark| !stored.contains(&mark.size)) {
        return Err(format!("the checkpoint of {} entries is gone", lost.size));
    }
    let mut marks = Vec::new();
    for (size, note) in &disk.stored {
        let mark = Checkpoint::verify(note, &key()).map_err(|error| told(&error))?;
        if mark.size != *size {
            return Err("a stored checkpoint is misplaced".to_owned());
        }
        marks.push(mark);
    }
    run(&marks, &rows, &checkpoint).map_err(|error| told(&error))
}

fn run(marks: &[Checkpoint], rows: &[&[u8]], head: &Checkpoint) -> Result<(), Broken> {
    let mut examiner = Examiner::new(marks.to_vec());
    for bytes in rows {
        examiner.push(bytes)?;
    }
    examiner.finish(head).map(drop)
}

/// A source of small choices.
struct Chance(TestRunner);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        let index = any::<prop::sample::Index>();
        index.new_tree(&mut self.0).unwrap().current().index(bound)
    }

    fn draft(&mut self) -> AuditDraft {
        draft().new_tree(&mut self.0).unwrap().current()
    }
}

/// Changes some of the bytes in one of the ways a disk or a clumsy hand does.
fn mangle(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(bytes.len());
    match chance.below(5) {
        0 => bytes[at] ^= 1 << chance.below(8),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, u8::try_from(chance.below(256)).unwrap()),
        3 => bytes.truncate(at),
        _ => {
            let other = chance.below(bytes.len());
            bytes.swap(at, other);
        }
    }
}

/// A log written anew by somebody who holds the signing key, and who has changed something before
/// the last anchor.
fn rewritten(drafts: &[AuditDraft], chance: &mut Chance) -> Vec<AuditDraft> {
    let mut drafts = drafts.to_vec();
    let at = chance.below(drafts.len());
    match chance.below(5) {
        0 => drafts[at].count = drafts[at].count.wrapping_add(1),
        1 => drop(drafts.remove(at)),
        2 => drafts.insert(at, chance.draft()),
        3 => {
            let other = chance.below(drafts.len());
            drafts.swap(at, other);
        }
        _ => drafts[at] = chance.draft(),
    }
    drafts
}

fn tamper(disk: &mut Disk, drafts: &[AuditDraft], every: usize, chance: &mut Chance) {
    let row = chance.below(disk.rows.len());
    match chance.below(12) {
        0 => mangle(&mut disk.rows[row].1, chance),
        1 => drop(disk.rows.remove(row)),
        2 => {
            let other = chance.below(disk.rows.len());
            let (a, b) = (disk.rows[row].1.clone(), disk.rows[other].1.clone());
            (disk.rows[row].1, disk.rows[other].1) = (b, a);
        }
        3 => {
            let copy = disk.rows[row].clone();
            disk.rows.insert(row, copy);
        }
        4 => disk.rows.truncate(row),
        5 => mangle(&mut disk.head, chance),
        6 => mangle(&mut disk.export, chance),
        7 => {
            let note = chance.below(disk.stored.len());
            let mut bytes = disk.stored[note].1.clone().into_bytes();
            mangle(&mut bytes, chance);
            disk.stored[note].1 = String::from_utf8_lossy(&bytes).into_owned();
        }
        8 => {
            let note = chance.below(disk.stored.len());
            disk.stored.remove(note);
        }
        // Everything again, with the right key and a new history, but for the anchor.
        9 | 10 => {
            let anchor = disk.anchor.clone();
            *disk = write(&rewritten(drafts, chance), every);
            disk.anchor = anchor;
        }
        // An older copy of everything, as it truly was.
        _ => {
            let anchor = disk.anchor.clone();
            *disk = write(&drafts[..row], every);
            disk.anchor = anchor;
        }
    }
}

#[test]
fn whatever_is_done_to_a_log_is_noticed() {
    let tampers = std::env::var("MANUSHYA_TAMPERS")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(TAMPERS);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[42; 32]);
    let mut chance = Chance(TestRunner::new_with_rng(Config::default(), rng));
    let (mut noticed, mut same) = (0, 0);
    while noticed + same < tampers {
        let drafts = drafts(1..16).new_tree(&mut chance.0).unwrap().current();
        let every = 4 + chance.below(8);
        let honest = write(&drafts, every);
        let anchors = read_notes(&honest.anchor, &key().into());
        assert_eq!(anchors.bad, [0; 0]);
        examine(&honest, &anchors.good).unwrap();
        for _ in 0..200 {
            let mut disk = honest.clone();
            tamper(&mut disk, &drafts, every, &mut chance);
            if disk == honest {
                same += 1;
                continue;
            }
            let verdict = examine(&disk, &anchors.good);
            assert!(verdict.is_err(), "not noticed: {disk:?}\nwas: {honest:?}");
            noticed += 1;
        }
    }
    println!("{noticed} ways noticed, {same} changed nothing");
    assert!(
        noticed > 10 * same,
        "{noticed} noticed, {same} changed nothing"
    );
}

#[test]
fn what_is_done_to_an_anchor_is_told() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[43; 32]);
    let mut chance = Chance(TestRunner::new_with_rng(Config::default(), rng));
    let drafts = drafts(8..9).new_tree(&mut chance.0).unwrap().current();
    let honest = write(&drafts, 2);
    let all = read_notes(&honest.anchor, &key().into());
    assert_eq!((all.good.len(), all.bad.len()), (4, 0));
    for _ in 0..2000 {
        let mut bytes = honest.anchor.clone().into_bytes();
        mangle(&mut bytes, &mut chance);
        let text = String::from_utf8_lossy(&bytes);
        let notes = read_notes(&text, &key().into());
        // A line feed more or less between two notes changes nothing.
        assert!(notes.good.len() < 4 || notes == all || notes.bad.is_empty());
        assert!(notes.good.iter().all(|note| all.good.contains(note)));
    }
}

#[test]
fn logs_grow_past_their_checkpoints_and_stay_good() {
    let mut chance = Chance(TestRunner::deterministic());
    let drafts = drafts(9..10).new_tree(&mut chance.0).unwrap().current();
    let disk = write(&drafts, 4);
    let notes = read_notes(&disk.anchor, &key().into());
    let sizes: Vec<u64> = notes.good.iter().map(|note| note.size).collect();
    assert_eq!(sizes, [4, 8, 9]);
    let rows: Vec<&[u8]> = disk.rows.iter().map(|row| row.1.as_slice()).collect();
    let (marks, head) = (&notes.good[..2], &notes.good[2]);
    run(marks, &rows, head).unwrap();
    // Cut below an anchor, with a head that is signed and fits.
    let broken = run(&notes.good, &rows[..8], &notes.good[1]).unwrap_err();
    assert!(matches!(
        broken.what,
        What::Size {
            expected: 9,
            actual: 8
        }
    ));
}

proptest! {
    #[test]
    fn noise_is_no_checkpoint(noise in "[ \\n—a-z0-9/.+=]{0,300}") {
        let notes = read_notes(&noise, &key().into());
        prop_assert!(notes.good.is_empty());
        let blank = noise.chars().all(|c| c == '\n');
        prop_assert_eq!(notes.bad.is_empty(), blank);
    }
}
