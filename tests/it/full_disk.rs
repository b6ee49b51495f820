//! A disk that is really full: a small tmpfs, where the system lets one be mounted.

use std::path::{Path, PathBuf};
use std::process::Command;

use manushya_tests::{Caller, Daemon, Home, Out};

use crate::{check_sound, programs};

/// A file system in RAM over a folder, gone when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn over(folder: &Path, options: &str) -> Option<Self> {
        let mounted = Self(folder.to_owned());
        mounted
            .mount(&["-t", "tmpfs", "-o", options, "tmpfs"])
            .then_some(mounted)
    }

    fn mount(&self, arguments: &[&str]) -> bool {
        let done = Command::new("mount").args(arguments).arg(&self.0).output();
        done.is_ok_and(|done| done.status.success())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Adds memories until one is refused; returns those that were not, and the refusal.
fn fill(by: &Caller) -> (Vec<String>, Out) {
    let mut kept = Vec::new();
    loop {
        assert!(kept.len() < 2_000, "a small disk that is never full");
        let text = format!("{} {}", kept.len(), "full ".repeat(12_000));
        let out = by.run_with(&["memory", "add", "-", "-o", "json"], text.as_bytes());
        match out.code {
            0 => kept.push(crate::word(&out.json()["id"])),
            _ => return (kept, out),
        }
    }
}

fn reserve(by: &Caller) -> String {
    crate::word(&by.json(&["status"])["host"]["disk_reserve"])
}

#[test]
fn kept_room_holds_the_last_entries_and_a_clean_stop() {
    let home = Home::new();
    let Some(mounted) = Mounted::over(home.path(), "size=24m,mode=700") else {
        println!("skipped: nothing can be mounted here");
        return;
    };
    home.configure("disk_reserve_mib = 4");
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    let a = crate::agent(&daemon, "a");
    let of_a = crate::add(&a, "before");
    assert_eq!(reserve(&operator), "held");
    let b = crate::agent(&daemon, "b");
    let (kept, refused) = fill(&b);
    assert_eq!(refused.error()["code"], "RESOURCE_EXHAUSTED", "{refused:?}");
    assert!(refused.stderr.contains("nothing was done"), "{refused:?}");
    assert_eq!(reserve(&operator), "given");
    let doctor = operator.run(&["doctor", "-o", "json"]).exits(9).json();
    let checks = doctor["items"].as_array().unwrap();
    let failed = checks.iter().filter(|it| it["verdict"] == "failure");
    let failed: Vec<String> = failed.map(|it| crate::word(&it["id"])).collect();
    // The other is of the command line, which looks at the disk itself.
    assert_eq!(failed, ["disk", "disk.reserve"]);
    // What is refused and what is read has its entry; nothing else changes.
    for _ in 0..20 {
        let out = a.run(&["memory", "add", "after", "-o", "json"]);
        assert_eq!(out.error()["code"], "RESOURCE_EXHAUSTED", "{out:?}");
        assert_eq!(a.json(&["memory", "get", &of_a])["text"], "before");
        a.refused(5, &["audit", "list"]);
    }
    let log = |action: &str, outcome: &str| {
        let listed = operator
            .run(&["audit", "export", "--actor", "a"])
            .ok()
            .jsonl();
        let mine = listed.iter().filter(|it| it["action"] == action);
        mine.filter(|it| it["outcome"] == outcome).count()
    };
    assert_eq!(log("create", "RESOURCE_EXHAUSTED"), 20);
    assert!(log("read", "DENIED") >= 20 && log("read", "OK") >= 20);
    assert_eq!(a.json(&["memory", "list"])["total"], 1);
    for id in &kept {
        let _ = b.run(&["memory", "get", id, "-o", "name"]).ok();
    }
    // What erases goes on, and makes room in the store.
    let plan = crate::word(&operator.json(&["purge", "plan", "--subject", "b"])["id"]);
    let purged = operator.json(&["purge", "apply", &plan, "--confirm=b"]);
    assert_eq!(purged["memories"], kept.len(), "{purged}");
    operator.json(&["purge", "verify", &plan]);
    crate::add(&a, "fits again");
    // It stops cleanly, and starts with what there is.
    let home = daemon.stop();
    assert!(!home.read_log().contains("panicked"));
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    assert!(!daemon.home().read_log().contains("not stopped cleanly"));
    assert_ne!(reserve(&operator), "given");
    // With room on the disk it is kept again.
    assert!(mounted.mount(&["-o", "remount,size=256m"]));
    let start = std::time::Instant::now();
    while reserve(&operator) != "held" {
        assert!(start.elapsed().as_secs() < 30, "it is not kept again");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert_eq!(
        daemon.home().join("data/reserve").metadata().unwrap().len(),
        4 << 20
    );
    assert_eq!(operator.json(&["memory", "get", &of_a])["text"], "before");
    check_sound(&operator);
    drop(daemon.stop());
    drop(mounted);
}

#[test]
fn full_disk_ends_the_daemon_and_loses_nothing_it_acknowledged() {
    let home = Home::new();
    let Some(mounted) = Mounted::over(home.path(), "size=16m,mode=700") else {
        println!("skipped: nothing can be mounted here");
        return;
    };
    home.configure("disk_reserve_mib = 0");
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    let (kept, refused) = fill(&operator);
    let code = refused.error()["code"].clone();
    assert!(
        ["RESOURCE_EXHAUSTED", "AUDIT_UNAVAILABLE", "UNREACHABLE"]
            .contains(&code.as_str().unwrap_or("")),
        "{refused:?}"
    );
    let (status, home) = daemon.ended();
    assert_eq!(status.code(), Some(75), "{}", home.read_log());
    // Room is made, and it starts again.
    assert!(mounted.mount(&["-o", "remount,size=256m"]));
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    for id in &kept {
        let _ = operator.run(&["memory", "get", id, "-o", "name"]).ok();
    }
    let total = operator.json(&["memory", "list"])["total"]
        .as_u64()
        .unwrap_or(0);
    assert!(
        (kept.len() as u64..=kept.len() as u64 + 1).contains(&total),
        "{total}"
    );
    check_sound(&operator);
    assert!(!daemon.home().read_log().contains("panicked"));
    // The daemon goes before what its home lies on.
    drop(daemon.stop());
    drop(mounted);
}
