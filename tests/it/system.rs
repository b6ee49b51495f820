//! `up`, `down`, `status`, `doctor`, `config` and the life of the daemon.

use std::os::unix::fs::PermissionsExt as _;

use manushya_tests::{Caller, Home};
use serde_json::{Value, json};

use crate::{add, agent, check_sound, daemon, programs, word};

/// Runs `down` when it goes, whatever became of the test.
struct Down(Caller);

impl Drop for Down {
    fn drop(&mut self) {
        let _ = self.0.run(&["down"]);
    }
}

#[test]
fn first_up_in_an_empty_home_asks_nothing_and_down_ends_it() {
    let home = Home::new();
    let ctl = Caller::new(&programs().ctl, home.path());
    assert_eq!(ctl.run(&["status", "-o", "json"]).code, 8);
    let _down = Down(ctl.clone());
    let _ = ctl.run(&["up"]).ok();
    let status = ctl.json(&["status"]);
    assert_eq!(status["state"], "serving");
    let pid = status["pid"].clone();
    // A second one finds the first.
    let _ = ctl.run(&["up"]).ok();
    assert_eq!(ctl.json(&["status"])["pid"], pid);
    let id = word(&ctl.json(&["memory", "add", "kept over a restart"])["id"]);
    let _ = ctl.run(&["down"]).ok();
    assert_eq!(ctl.refused(8, &["status"])["code"], "UNREACHABLE");
    let _ = ctl.run(&["up"]).ok();
    assert_eq!(
        ctl.json(&["memory", "get", &id])["text"],
        "kept over a restart"
    );
    assert_ne!(ctl.json(&["status"])["pid"], pid);
    let _ = ctl.run(&["down"]).ok();
}

#[test]
fn status_tells_the_host_only_to_its_operator() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    add(&agent, "x");
    let status = daemon.operator().json(&["status"]);
    assert_eq!(status["pid"], daemon.pid());
    let host = &status["host"];
    assert_eq!(
        (&host["memories"], &host["tenants"]),
        (&json!(1), &json!(1))
    );
    assert!(host["audit_size"].as_u64().unwrap() > 0);
    assert_eq!(host["audit_reads"], "durable");
    let seen = agent.json(&["status"]);
    assert_eq!(seen["state"], "serving");
    assert!(seen["host"].is_null(), "{seen}");
}

#[test]
fn doctor_is_content_with_a_healthy_home_and_names_what_is_wrong() {
    let daemon = daemon();
    add(&agent(&daemon, "a"), "x");
    check_sound(&daemon.operator());
    let socket = daemon.home().socket();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    let doctor = daemon.operator().run(&["doctor", "-o", "json"]);
    let items = doctor.json()["items"].as_array().unwrap().clone();
    let bad: Vec<&Value> = items
        .iter()
        .filter(|check| check["verdict"] != "ok")
        .collect();
    assert!(!bad.is_empty(), "{doctor:?}");
    assert!(bad.iter().all(|check| check["fix"].is_string()), "{bad:?}");
}

#[test]
fn files_are_for_their_owner_only() {
    let daemon = daemon();
    add(&agent(&daemon, "a"), "x");
    let home = daemon.stop();
    let files: Vec<_> = manushya_tests::scan::files(&home.join("data"));
    assert!(files.len() >= 3, "{files:?}");
    for path in files {
        let mode = path.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{} is open to others", path.display());
    }
    assert_eq!(
        home.join("data").metadata().unwrap().permissions().mode() & 0o077,
        0
    );
}

#[test]
fn configuration_errors_name_the_key() {
    let home = Home::new();
    home.configure("retenton = \"7d\"");
    let mut child = manushya_tests::daemon::spawn(&programs(), &home);
    let status = manushya_tests::daemon::wait(&mut child, std::time::Duration::from_secs(30));
    assert_eq!(status.code(), Some(2));
    assert!(home.read_log().contains("retenton"), "{}", home.read_log());
    let ctl = Caller::new(&programs().ctl, home.path());
    assert_eq!(ctl.with("MANUSHYA_OUTPUT", "xml").run(&["status"]).code, 2);
}

#[test]
fn configuration_layers_win_in_order() {
    let daemon = daemon();
    let ctl = daemon.operator().with("MANUSHYA_OUTPUT", "yaml");
    let shown = ctl
        .run(&["config", "show", "--origin", "-o", "json"])
        .ok()
        .json();
    let items = shown["items"].as_array().unwrap();
    let output = items.iter().find(|item| item["key"] == "output").unwrap();
    assert_eq!(output["value"], "json");
    assert!(word(&output["origin"]).contains("flag"), "{output}");
    let text = ctl.run(&["config", "show", "--origin"]).ok().stdout;
    assert!(text.contains("MANUSHYA_OUTPUT"), "{text}");
}
