//! A disk that is really full: a small tmpfs, where the system lets one be mounted.

use std::path::{Path, PathBuf};
use std::process::Command;

use manushya_tests::{Daemon, Home};

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

#[test]
fn full_disk_ends_the_daemon_and_loses_nothing_it_acknowledged() {
    let home = Home::new();
    let Some(mounted) = Mounted::over(home.path(), "size=16m,mode=700") else {
        println!("skipped: nothing can be mounted here");
        return;
    };
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    let mut kept = Vec::new();
    let refused = loop {
        assert!(kept.len() < 2_000, "a small disk that is never full");
        let text = format!("{} {}", kept.len(), "full ".repeat(12_000));
        let out = operator.run_with(&["memory", "add", "-", "-o", "json"], text.as_bytes());
        match out.code {
            0 => kept.push(crate::word(&out.json()["id"])),
            _ => break out,
        }
    };
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
