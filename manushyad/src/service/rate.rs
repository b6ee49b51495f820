//! How often calls come: a bucket for each identity and kind of call (GCRA, by the crate governor),
//! asked before anything else is done about a call.
//!
//! A call is on the account of the identity on whose authority it is, so that handing on a credential
//! gives nobody more.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use manushya_core::command::Context;
use manushya_core::decide::access::draft;
use manushya_core::decide::limit::is_free;
use manushya_core::directory::Directory;
use manushya_core::model::{Action, AuditDraft, LimitName, Outcome};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::IdentityId;
use parking_lot::Mutex;

use super::Service;

/// How often refusals of one identity are told to the audit log, for each kind of call: a flood that is
/// refused must not become a flood of entries.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// After this long without a call every bucket is full again, and nothing is lost with it.
const IDLE: Duration = Duration::from_secs(3600);
/// From how many identities on those that are idle are looked for.
const SEATS: usize = 4096;

type Bucket<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// By which limit.
    pub name: LimitName,
    /// What it is.
    pub most: u64,
    /// When there is room again.
    pub after: Duration,
}

/// The calls of one kind by one identity.
struct Meter<C: Clock> {
    most: u64,
    /// None if nothing is allowed.
    bucket: Option<Bucket<C>>,
    /// How many were refused and are yet to be told of.
    refused: u64,
    told: Option<C::Instant>,
}

struct Seat<C: Clock> {
    meters: [Option<Meter<C>>; LimitName::RATES],
    last: C::Instant,
}

/// The buckets of all who call. What they hold is gone with the daemon.
pub struct Rates<C: Clock = MonotonicClock> {
    clock: C,
    seats: Mutex<HashMap<IdentityId, Seat<C>>>,
}

impl Default for Rates {
    fn default() -> Self {
        Self::new(MonotonicClock)
    }
}

fn bucket<C: Clock>(name: LimitName, most: u64, clock: C) -> Option<Bucket<C>> {
    let most = NonZeroU32::new(u32::try_from(most).unwrap_or(u32::MAX))?;
    let quota = match name {
        LimitName::Exports => Quota::per_hour(most),
        _ => Quota::per_minute(most),
    };
    Some(RateLimiter::direct_with_clock(quota, clock))
}

impl<C: Clock + Clone> Rates<C> {
    fn new(clock: C) -> Self {
        Self {
            clock,
            seats: Mutex::default(),
        }
    }

    /// Takes a call. Returns whether it is refused, and how many refusals are to be told of by now.
    fn take(&self, who: IdentityId, name: LimitName, most: u64) -> (Result<(), Refused>, u64) {
        let now = self.clock.now();
        let since = |at: &C::Instant| Duration::from(now.duration_since(*at));
        let mut seats = self.seats.lock();
        if seats.len() >= SEATS && !seats.contains_key(&who) {
            seats.retain(|_, seat| since(&seat.last) < IDLE);
        }
        let seat = seats.entry(who).or_insert_with(|| Seat {
            meters: [const { None }; LimitName::RATES],
            last: now,
        });
        seat.last = now;
        let slot = &mut seat.meters[usize::from(name.code())];
        let meter = match slot {
            Some(meter) if meter.most == most => meter,
            _ => slot.insert(Meter {
                most,
                bucket: bucket(name, most, self.clock.clone()),
                refused: 0,
                told: None,
            }),
        };
        let taken = match meter.bucket.as_ref().map(Bucket::check) {
            Some(Ok(())) => Ok(()),
            Some(Err(until)) => Err(until.wait_time_from(now)),
            None => Err(IDLE),
        };
        meter.refused += u64::from(taken.is_err());
        let is_due = meter.told.as_ref().is_none_or(|at| since(at) >= NOTE_EVERY);
        let told = if meter.refused > 0 && is_due {
            meter.told = Some(now);
            std::mem::take(&mut meter.refused)
        } else {
            0
        };
        let refused = |after| Refused { name, most, after };
        (taken.map_err(refused), told)
    }
}

/// The limit that holds for a method of the protocol.
fn kind_of(method: &str) -> LimitName {
    let noun = method.split('_').next().unwrap_or(method);
    match (noun, method) {
        (_, "identity_invite") => LimitName::Invitation,
        ("identity", _) => LimitName::Identity,
        ("memory", _) => LimitName::Memory,
        ("policy", _) => LimitName::Policy,
        ("token" | "api" | "key", _) => LimitName::Credential,
        ("invitation", _) => LimitName::Invitation,
        ("session", _) => LimitName::Session,
        ("audit" | "events", _) => LimitName::Audit,
        _ => LimitName::Other,
    }
}

/// Whether a method takes memories elsewhere, page by page.
fn exports(method: &str) -> bool {
    matches!(method, "memory_export" | "identity_export")
}

/// What a refused call would have done, for the audit log.
fn action_of(method: &str) -> Action {
    let verb = method.rsplit('_').next().unwrap_or(method);
    match verb {
        "search" | "recall" => Action::Search,
        "export" => Action::Export,
        "add" | "many" | "create" | "issue" | "open" | "invite" => Action::Create,
        "update" | "apply" | "active" | "review" | "resend" | "rollback" => Action::Update,
        "delete" | "revoke" => Action::Delete,
        "restore" => Action::Restore,
        "jwt" | "reembed" | "shutdown" | "run" | "forget" | "release" => Action::Manage,
        _ => Action::Read,
    }
}

fn too_often(refused: Refused) -> WireError {
    let Refused { name, most, after } = refused;
    let counts = name.counts();
    let error = WireError::new(ErrorCode::ResourceExhausted, "too many calls of this kind")
        .reason(format!("the limit `{name}` is {most} {counts}"));
    if most == 0 {
        return error.hint(format!(
            "the operator of the host can allow it: manushyactl limit set {name} N"
        ));
    }
    let error = error.retry_after(after);
    let millis = error.retry_after_ms.unwrap_or_default();
    error.hint(format!(
        "try again in {millis} ms; the operator of the host can allow more: manushyactl limit set {name} N"
    ))
}

impl Service {
    /// Takes a call into account, unless nothing limits who makes it.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED`, with when to come back.
    pub(super) fn take_call(
        &self,
        directory: &Directory,
        context: &Context,
        method: &str,
    ) -> Result<(), WireError> {
        if is_free(context) {
            return Ok(());
        }
        self.take_one(directory, context, method, kind_of(method))?;
        if exports(method) {
            self.take_one(directory, context, method, LimitName::Exports)?;
        }
        Ok(())
    }

    fn take_one(
        &self,
        directory: &Directory,
        context: &Context,
        method: &str,
        name: LimitName,
    ) -> Result<(), WireError> {
        let identity = &context.actor.identity;
        let gates = directory.gates();
        let Some(most) = gates.limit(identity.tenant, name, &identity.role, context.limit_table)
        else {
            return Ok(());
        };
        let (taken, untold) = self.rates.take(identity.id, name, most);
        if untold > 0 {
            let entry = AuditDraft {
                outcome: Outcome::Error(ErrorCode::ResourceExhausted),
                count: untold,
                ..draft(context, action_of(method), name.resource())
            };
            if let Err(error) = self.writer.observe(entry) {
                tracing::warn!(%error, untold, "Refused calls are not in the audit log.");
            }
        }
        taken.map_err(too_often)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    fn who(n: u16) -> IdentityId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        IdentityId::from_bytes(id)
    }

    proptest! {
        #[test]
        fn no_more_gets_through_than_the_limit_and_what_has_come_back(
            most in 1u64..400,
            waits in prop::collection::vec(0u64..1500, 1..600),
        ) {
            let clock = FakeRelativeClock::default();
            let rates = Rates::new(clock.clone());
            let (mut passed, mut elapsed, mut told, mut refused) = (0, 0, 0, 0);
            for wait in waits {
                clock.advance(Duration::from_millis(wait));
                elapsed += wait;
                let (taken, untold) = rates.take(who(1), LimitName::Memory, most);
                told += untold;
                match taken {
                    Ok(()) => passed += 1,
                    Err(why) => {
                        refused += 1;
                        // Who comes back when it was told to gets through.
                        prop_assert!(why.after > Duration::ZERO);
                        prop_assert!(why.after <= Duration::from_millis(60_000 / most + 1));
                    }
                }
                prop_assert!(passed <= most + elapsed * most / 60_000 + 1);
            }
            prop_assert!(told <= refused);
            prop_assert_eq!(told > 0, refused > 0, "the first refusal is told at once");
        }

        #[test]
        fn who_waits_as_told_gets_through(most in 1u64..100_000) {
            let clock = FakeRelativeClock::default();
            let rates = Rates::new(clock.clone());
            let call = || rates.take(who(1), LimitName::Memory, most).0;
            for _ in 0..most {
                prop_assert!(call().is_ok());
            }
            let refused = call().unwrap_err();
            clock.advance(refused.after);
            prop_assert!(call().is_ok());
            prop_assert!(call().is_err());
        }
    }

    #[test]
    fn many_threads_get_no_more_than_the_limit() {
        let rates = Rates::new(FakeRelativeClock::default());
        let passed = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..400 {
                        if rates.take(who(7), LimitName::Memory, 1000).0.is_ok() {
                            passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 1000);
    }

    #[test]
    fn each_identity_and_kind_has_its_own_and_a_changed_limit_holds_at_once() {
        let rates = Rates::new(FakeRelativeClock::default());
        let call = |n, name, most| rates.take(who(n), name, most).0.is_ok();
        assert!(call(1, LimitName::Policy, 1) && !call(1, LimitName::Policy, 1));
        assert!(call(2, LimitName::Policy, 1) && call(1, LimitName::Memory, 1));
        assert!(call(1, LimitName::Policy, 5), "raised");
        assert!(!call(1, LimitName::Policy, 0), "nothing at all");
    }

    #[test]
    fn exports_come_back_by_the_hour_and_refusals_are_told_by_the_minute() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::new(clock.clone());
        let call = || rates.take(who(1), LimitName::Exports, 2);
        assert!(call().0.is_ok() && call().0.is_ok());
        let (refused, told) = call();
        assert_eq!(refused.unwrap_err().after, Duration::from_secs(1800));
        assert_eq!(told, 1);
        for _ in 0..10 {
            assert_eq!(call().1, 0);
        }
        clock.advance(NOTE_EVERY);
        assert_eq!(call().1, 11);
    }

    #[test]
    fn idle_ones_are_forgotten_only_once_their_buckets_are_full() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::new(clock.clone());
        for n in 0..u16::try_from(SEATS).unwrap() {
            rates.take(who(n), LimitName::Memory, 1).0.unwrap();
        }
        rates.take(who(60_000), LimitName::Memory, 1).0.unwrap();
        assert!(rates.take(who(1), LimitName::Memory, 1).0.is_err());
        clock.advance(IDLE);
        rates.take(who(60_001), LimitName::Memory, 1).0.unwrap();
        assert_eq!(rates.seats.lock().len(), 1);
    }

    #[test]
    fn methods_fall_under_the_limit_of_their_noun() {
        for (method, name) in [
            ("identity_list", LimitName::Identity),
            ("identity_invite", LimitName::Invitation),
            ("memory_search", LimitName::Memory),
            ("policy_who_can", LimitName::Policy),
            ("api_key_create", LimitName::Credential),
            ("token_issue", LimitName::Credential),
            ("session_open", LimitName::Session),
            ("events", LimitName::Audit),
            ("purge_plan", LimitName::Other),
            ("whoami", LimitName::Other),
        ] {
            assert_eq!(kind_of(method), name, "{method}");
        }
        assert_eq!(action_of("memory_search"), Action::Search);
        assert_eq!(action_of("memory_add_many"), Action::Create);
        assert_eq!(action_of("policy_set_active"), Action::Update);
        assert_eq!(action_of("audit_list"), Action::Read);
    }

    #[test]
    fn a_check_costs_next_to_nothing() {
        let rates = Rates::default();
        let start = std::time::Instant::now();
        const CALLS: u32 = 200_000;
        for _ in 0..CALLS {
            rates.take(who(1), LimitName::Memory, 600_000).0.ok();
        }
        let each = start.elapsed() / CALLS;
        println!("a check takes {each:?}");
        // Some 0.1 µs; the bound leaves room for a machine that is busy with other tests.
        assert!(each < Duration::from_micros(5), "{each:?}");
    }
}
