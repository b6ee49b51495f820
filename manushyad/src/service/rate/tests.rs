//! The buckets.

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
    // What changes something is never told as a read.
    for (method, action) in [
        ("purge_plan", Action::Purge),
        ("purge_apply", Action::Purge),
        ("approval_decide", Action::Manage),
        ("policy_shadow_set", Action::Manage),
        ("key_rotate_root", Action::Manage),
        ("key_rotate_audit", Action::Manage),
        ("key_recovery_set", Action::Manage),
        ("key_passphrase", Action::Manage),
        ("memory_canary", Action::Update),
        ("identity_unbind", Action::Delete),
    ] {
        assert_eq!(action_of(method), action, "{method}");
    }
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
