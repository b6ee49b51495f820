//! A simulation: writer, store, index and clock run from one seed, in one thread, on a disk that
//! fails and a clock that jumps, and are held to a model.
//!
//! `MANUSHYA_SIM_SEED` runs one seed again; `MANUSHYA_SIM_RUNS` says how many are run.

mod parts;
mod world;

use parts::Trace;
use world::World;

/// Steps of one run.
const STEPS: usize = 120;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One run; what happened in it.
fn run(seed: u64) -> Trace {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.end()
}

#[test]
fn nothing_acknowledged_is_lost_whatever_fails_and_whenever() {
    let runs = number("MANUSHYA_SIM_RUNS").unwrap_or(12);
    let seeds = match number("MANUSHYA_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..runs,
    };
    let mut whole = Trace::default();
    for seed in seeds.clone() {
        let ran = std::panic::catch_unwind(|| run(seed));
        match ran {
            Ok(trace) => whole.add(&trace),
            Err(_) => panic!("it fails again with MANUSHYA_SIM_SEED={seed}"),
        }
    }
    println!("{whole:?}");
    // What did not happen proves nothing.
    if seeds.end - seeds.start >= 12 {
        assert!(whole.acknowledged > 500 && whole.refused > 50, "{whole:?}");
        assert!(
            whole.faults > 5 && whole.losses > 20 && whole.jumps > 20,
            "{whole:?}"
        );
        assert!(
            whole.swept > 5 && whole.in_doubt > 0 && whole.ended > 5,
            "{whole:?}"
        );
    }
}

#[test]
fn a_seed_is_one_run() {
    assert_eq!(run(4), run(4));
}
