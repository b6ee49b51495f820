//! The life of the daemon's process: two at once, stale sockets, signals.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use manushya_tests::daemon::{signal, spawn, wait};
use manushya_tests::{Daemon, Home};
use rustix::process::Signal;

use crate::{add, agent, check_sound, daemon, programs};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn second_daemon_on_a_home_says_so_and_exits_7() {
    let first = daemon();
    let mut second = spawn(&programs(), first.home());
    assert_eq!(
        wait(&mut second, PATIENCE).code(),
        Some(7),
        "{}",
        first.home().read_log()
    );
    assert_eq!(first.operator().json(&["status"])["pid"], first.pid());
    assert!(
        first.home().socket().exists(),
        "the second took the socket of the first away"
    );
}

#[test]
fn stale_socket_is_no_obstacle() {
    let home = Home::new();
    home.folder("run");
    drop(UnixListener::bind(home.socket()).unwrap());
    assert!(home.socket().exists());
    let first = Daemon::start_in(&programs(), home);
    add(&agent(&first, "a"), "x");
    let home = first.kill();
    assert!(home.socket().exists(), "a killed daemon leaves its socket");
    let second = Daemon::start_in(&programs(), home);
    assert_eq!(second.operator().json(&["memory", "list"])["total"], 1);
}

#[test]
fn sigterm_under_load_ends_with_0_and_loses_nothing() {
    let first = daemon();
    let agent = agent(&first, "a");
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let agent = agent.clone();
            std::thread::spawn(move || {
                let mut done = Vec::new();
                for n in 0.. {
                    let key = format!("{writer}-{n}");
                    let out = agent.run(&["memory", "add", &key, "--key", &key, "-o", "json"]);
                    if out.code != 0 {
                        break;
                    }
                    done.push(key);
                }
                done
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(800));
    let home = first.stop();
    let done: Vec<String> = writers
        .into_iter()
        .flat_map(|writer| writer.join().unwrap())
        .collect();
    assert!(!done.is_empty());
    let daemon = Daemon::start_in(&programs(), home);
    for key in &done {
        let again = agent.json(&["memory", "add", key, "--key", key]);
        assert_eq!(
            again["outcome"], "unchanged",
            "{key} was acknowledged and is lost"
        );
    }
    check_sound(&daemon.operator());
}

#[test]
fn interrupt_ends_it_as_well() {
    let home = Home::new();
    let mut child = spawn(&programs(), &home);
    let start = std::time::Instant::now();
    while !home.socket().exists() {
        assert!(start.elapsed() < PATIENCE, "{}", home.read_log());
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, Signal::INT);
    assert_eq!(
        wait(&mut child, PATIENCE).code(),
        Some(0),
        "{}",
        home.read_log()
    );
}

#[test]
fn damaged_store_is_refused_and_not_served() {
    let first = daemon();
    let agent = agent(&first, "a");
    for n in 0..50 {
        add(&agent, &format!("thought {n}"));
    }
    let home = first.kill();
    let store = home.join("data/store.redb");
    let mut bytes = std::fs::read(&store).unwrap();
    // Every page loses some bits, so that no luck is left.
    for at in (5000..bytes.len()).step_by(1021) {
        bytes[at] ^= 0x5a;
    }
    std::fs::write(&store, bytes).unwrap();
    let mut child = spawn(&programs(), &home);
    let status = wait(&mut child, PATIENCE);
    assert_eq!(status.code(), Some(9), "{}", home.read_log());
}

#[test]
fn emptied_data_under_an_old_keystore_is_not_taken_for_a_new_home() {
    let first = daemon();
    add(&agent(&first, "a"), "x");
    let home = first.stop();
    std::fs::remove_file(home.join("data/store.redb")).unwrap();
    let mut child = spawn(&programs(), &home);
    let status = wait(&mut child, PATIENCE);
    assert_ne!(status.code(), Some(0), "{}", home.read_log());
}
