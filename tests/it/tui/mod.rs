//! The dashboard in a real terminal (a pseudo-terminal), against a real daemon.

mod lists;
mod terminal;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use manushya_tests::Daemon;
use manushya_tests::daemon::signal;
use rustix::process::Signal;

use crate::{add, agent, daemon, identity, programs};
use terminal::{ENTER, ESC, PATIENCE, TAB, Tui, WRITE, command};

#[test]
fn overview_shows_the_host_and_every_screen_its_things() {
    let daemon = daemon();
    let agent = agent(&daemon, "claude-code");
    add(&agent, "Deploys go out on Tuesdays");
    let mut tui = Tui::start(&daemon, &[]);
    tui.sees("connected");
    tui.sees("READ-ONLY");
    tui.then("serving", "2");
    tui.then("claude-code", "3");
    tui.then("Deploys go out on", "4");
    tui.then("agent-own-memories", "5");
    tui.then("memory.create", "6");
    tui.then("TIME LEFT", "7");
    tui.then("keys.recovery", "q");
    assert_eq!(tui.ends(), 0);
}

#[test]
fn search_finds_while_typing_and_explains() {
    let daemon = daemon();
    let agent = agent(&daemon, "searcher");
    for text in ["Deploys go out on Tuesdays", "A fern is our plant"] {
        add(&agent, text);
    }
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "3");
    tui.then("fern", "swhen do we deploy");
    // Its score stands there when the answer has come.
    tui.sees("1.00");
    tui.sees("Deploys");
    tui.press(ENTER);
    tui.press("E");
    tui.sees("lexical");
    tui.sees("semantic");
    tui.press(ESC);
    tui.sees_no("lexical");
}

#[test]
fn denial_is_seen_live_and_told_why() {
    let daemon = daemon();
    let agent = agent(&daemon, "cursor");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "5");
    tui.sees("live");
    let _ = agent.refused(5, &["policy", "list"]);
    tui.sees("policy.read");
    tui.press("d");
    tui.sees("decision=deny");
    tui.press("g");
    tui.press(ENTER);
    tui.sees("DENY policy.read by cursor");
    tui.sees("chain");
    // The rules that were read stand below.
    tui.press("G");
    tui.sees("facts");
}

#[test]
fn identity_is_created_with_a_token_that_is_shown_once() {
    let daemon = daemon();
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "2");
    tui.then("Identities", "c");
    tui.sees("needs write mode");
    tui.press(WRITE);
    tui.then("WRITE", "c");
    tui.then("Create an identity", "agent-z");
    for _ in 0..5 {
        tui.press(ENTER);
    }
    tui.sees("This is shown once");
    tui.sees("eyJ");
    tui.press(ESC);
    tui.sees_no("eyJ");
    tui.sees("agent-z");
    let shown = daemon.operator().json(&["identity", "show", "agent-z"]);
    assert_eq!(shown["role"], "agent", "{shown}");
}

#[test]
fn token_is_revoked_after_a_question_that_stands_on_cancel() {
    let daemon = daemon();
    let agent = agent(&daemon, "short-lived");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", WRITE);
    tui.then("WRITE", "6");
    tui.then("short-lived", "K");
    tui.then("Revoke 1 token?", ENTER);
    tui.sees_no("Revoke 1 token?");
    let _ = agent.run(&["whoami"]).ok();
    tui.press("K");
    tui.then("Revoke 1 token?", TAB);
    tui.then("[ Revoke ]", ENTER);
    tui.sees("revoked: 1 token");
    let _ = agent.run(&["whoami"]).exits(4);
}

#[test]
fn identity_is_purged_after_its_name_was_typed() {
    let daemon = daemon();
    let agent = agent(&daemon, "intern-bot");
    add(&agent, "Something to forget");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", WRITE);
    tui.then("WRITE", "7");
    tui.then("Purge plans", "n");
    tui.then("Plan a purge", "intern-bot");
    tui.press(ENTER);
    tui.press(ENTER);
    tui.then("P carries it out", ESC);
    // Escape and a key right behind it would be one key.
    tui.sees_no("P carries it out");
    tui.then("planned", "P");
    tui.sees("Type intern-bot to go on");
    // A wrong name does nothing, and enter on Cancel neither.
    tui.press("intern");
    tui.press(TAB);
    tui.then("[ Purge ]", ENTER);
    tui.then("the name is not typed", "-bot");
    tui.then("intern-bot█", TAB);
    tui.then("[ Purge ]", ENTER);
    tui.sees("data keys destroyed");
    let _ = daemon
        .operator()
        .run(&["identity", "show", "intern-bot"])
        .exits(6);
}

#[test]
fn daemon_that_is_killed_and_started_again_needs_no_key() {
    let daemon = daemon();
    let _ = agent(&daemon, "survivor");
    let mut tui = Tui::start(&daemon, &[]);
    tui.then("connected", "2");
    tui.sees("survivor");
    let home = daemon.kill();
    tui.sees("RECONNECTING");
    // What was known stays, with its age, and the command that helps.
    tui.sees("survivor");
    tui.sees("as of");
    tui.sees("manushyactl up");
    tui.sees("OFFLINE");
    let daemon = Daemon::start_in(&programs(), home);
    tui.sees("connected");
    let _ = agent(&daemon, "newcomer");
    tui.sees("newcomer");
    tui.press("q");
    assert_eq!(tui.ends(), 0);
}

#[test]
fn terminal_may_become_tiny_and_large_again() {
    let daemon = daemon();
    let mut tui = Tui::start(&daemon, &[]);
    tui.then("connected", "5");
    tui.sees("Audit");
    tui.resize(20, 5);
    tui.sees("too small");
    tui.resize(60, 15);
    tui.sees("5 Audit");
    tui.resize(140, 45);
    tui.sees("2 Identities");
    tui.sees("DECISION");
    tui.press("q");
    assert_eq!(tui.ends(), 0);
}

#[test]
fn every_way_out_gives_the_terminal_back() {
    let daemon = daemon();
    // What is written at last may be longer than the screen, as a backtrace is.
    let out = |arguments: &[&str], leave: &dyn Fn(&Tui)| {
        let mut tui = Tui::start(&daemon, arguments);
        tui.sees("connected");
        leave(&tui);
        (tui.ends(), tui.raw())
    };
    assert_eq!(out(&[], &|tui| tui.press("q")).0, 0);
    assert_eq!(out(&[], &|tui| tui.press("\x03")).0, 130);
    assert_eq!(out(&[], &|tui| signal(&tui.child, Signal::TERM)).0, 143);
    assert_eq!(out(&[], &|tui| signal(&tui.child, Signal::HUP)).0, 129);
    let (code, written) = out(&["--danger-panic-on", "~"], &|tui| tui.press("~"));
    assert_eq!(code, 101);
    assert!(written.contains("a panic was asked for"), "{written}");
}

#[test]
fn read_only_cannot_be_armed_and_its_disabled_keys_say_why() {
    let daemon = daemon();
    let tui = Tui::start(&daemon, &["--read-only"]);
    tui.then("connected", WRITE);
    tui.then("cannot be armed", "6");
    tui.then("(i issue)", "i");
    tui.sees("started with --read-only");
}

#[test]
fn policy_is_tried_switched_and_edited_with_validation() {
    let daemon = daemon();
    let operator = daemon.operator();
    let _ = agent(&daemon, "asker");
    let editor = daemon.home().join("editor");
    // The first edit breaks the rule, the second mends it and raises the priority.
    let script = "#!/bin/sh\nif [ -e mended ]; then\n sed -i -e 's/\"priority\": 0/\"priority\": 7/' \"$1\"\n\
                  else\n touch mended\n sed -i -e 's/\"==\"/\"equals\"/' \"$1\"\nfi\n";
    daemon.home().write("editor", script);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&editor, mode).unwrap();
    let mut command = command(daemon.home().path(), &[]);
    command.env("EDITOR", &editor);
    let tui = Tui::run(command, 120, 40);
    tui.then("connected", WRITE);
    tui.then("WRITE", "4");
    tui.then("agent-own-memories", "t");
    tui.then("Ask the policies", "asker");
    for _ in 0..5 {
        tui.press(ENTER);
    }
    tui.sees("ALLOW by agent-own-memories");
    tui.press(ESC);
    tui.sees_no("ALLOW by");
    tui.press("/agent-own-memories");
    tui.press(ENTER);
    tui.sees("filter: agent-own-memories");
    tui.press("e");
    tui.then("the policy was not applied", ESC);
    tui.sees_no("the policy was not applied");
    tui.press("e");
    tui.sees("applied: agent-own-memories");
    let shown = operator.json(&["policy", "show", "agent-own-memories"]);
    assert_eq!(shown["priority"], 7, "{shown}");
    tui.press("x");
    tui.then("Disable policy agent-own-memories?", TAB);
    tui.then("[ Disable ]", ENTER);
    tui.sees("disabled: agent-own-memories");
    let shown = operator.json(&["policy", "show", "agent-own-memories"]);
    assert_eq!(shown["is_active"], false, "{shown}");
}

#[test]
fn log_is_verified_and_the_palette_leads_there() {
    let daemon = daemon();
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", ":verify");
    tui.sees("same as: manushyactl audit verify");
    tui.press(ENTER);
    tui.sees("verified");
    tui.sees("chain ✓ to");
}

#[test]
fn record_holds_no_text_and_replays() {
    let daemon = daemon();
    let agent = identity(&daemon.operator(), "recorded", "agent");
    add(&agent, "Zanzibar is the codeword");
    let file = daemon.home().join("record.jsonl");
    let name = file.to_str().unwrap();
    let mut tui = Tui::start(&daemon, &["--record", name]);
    tui.then("connected", "3");
    tui.then("Zanzibar", WRITE);
    tui.then("WRITE", "6i");
    tui.then("Issue a token", "\x15recorded");
    for _ in 0..4 {
        tui.press(ENTER);
    }
    tui.then("This is shown once", ESC);
    tui.sees_no("This is shown once");
    tui.press("q");
    assert_eq!(tui.ends(), 0);
    assert!(tui.raw().contains("eyJ"));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.lines().count() > 10, "{text}");
    for secret in ["Zanzibar", "codeword", "eyJ"] {
        assert!(!text.contains(secret), "{secret} is in the record");
    }
    // It is shown again without any daemon.
    let home = daemon.stop();
    let mut tui = Tui::run(command(home.path(), &["--replay", name]), 100, 30);
    tui.sees("REPLAY");
    tui.sees("end of the replay");
    tui.sees("6 Tokens");
    tui.press("q");
    assert_eq!(tui.ends(), 0);
}

#[test]
fn linear_prints_changes_as_lines() {
    let daemon = daemon();
    let mut command = command(daemon.home().path(), &["--linear"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    let mut until = |wanted: &str| {
        while !seen.contains(wanted) {
            let read = std::io::BufRead::read_line(&mut out, &mut seen).unwrap();
            assert!(read > 0, "{wanted} is not printed:\n{seen}");
        }
        assert!(!seen.contains('\x1b'), "{seen}");
    };
    until("connected to daemon");
    until("0 memories");
    let agent = agent(&daemon, "spoken");
    add(&agent, "Hello");
    until("allow: spoken memory.create");
    signal(&child, Signal::TERM);
    let status = manushya_tests::daemon::wait(&mut child, PATIENCE);
    assert_eq!(status.code(), Some(143));
}

/// Ticks of processor time a process took; a hundred a second.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn idle_takes_less_than_one_percent_of_a_core() {
    let daemon = daemon();
    let agent = agent(&daemon, "idle");
    add(&agent, "Something to look at");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "3");
    tui.sees("Something to look at");
    let (before, start) = (ticks(tui.child.id()), Instant::now());
    // What is measured is the time itself.
    std::thread::sleep(Duration::from_secs(12));
    let taken = ticks(tui.child.id()) - before;
    let share = taken as f64 / start.elapsed().as_secs_f64();
    println!("idle: {share:.2} % of a core");
    assert!(share < 1.0, "{share} % of a core");
}
