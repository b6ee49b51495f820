//! Lists beyond one page, and what goes beyond one row, against a real daemon.

use crate::{add, agent, daemon, daemon_with};

use super::terminal::{ENTER, ESC, TAB, Tui, WRITE};

#[test]
fn filter_finds_what_is_on_no_loaded_page() {
    let daemon = daemon();
    let operator = daemon.operator();
    // More than a page of 200, in one batch; what is looked for is the last.
    let lines: String = (0..250)
        .map(|n| format!("{{\"text\":\"row number {n} of many\"}}\n"))
        .collect();
    daemon.home().write("many.jsonl", &lines);
    let file = daemon.home().join("many.jsonl").display().to_string();
    let _ = operator.run(&["memory", "import", &file]).ok();
    add(&operator, "needle in the hay");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "3");
    tui.sees("of 251");
    tui.sees_no("needle");
    tui.press("/needle");
    tui.press(ENTER);
    tui.sees("needle in the hay");
    tui.sees("(in all)");
    tui.press(ESC);
    tui.sees("1-200 of 251");
}

#[test]
fn marked_identities_are_disabled_with_one_question() {
    let daemon = daemon();
    let operator = daemon.operator();
    for name in ["one-a", "one-b", "two-c"] {
        let _ = agent(&daemon, name);
    }
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", WRITE);
    tui.then("WRITE", "2");
    tui.then("two-c", "/one-");
    tui.press(ENTER);
    tui.sees_no("two-c");
    tui.press("g  ");
    tui.then("2 marked", "x");
    tui.then("Disable 2 identities?", TAB);
    tui.then("[ Disable ]", ENTER);
    tui.sees("disabled: one-a, one-b");
    for (name, is_active) in [("one-a", false), ("one-b", false), ("two-c", true)] {
        let shown = operator.json(&["identity", "show", name]);
        assert_eq!(shown["is_active"], is_active, "{shown}");
    }
}

#[test]
fn expired_memories_are_shown_on_demand_and_jobs_and_keys_too() {
    let daemon = daemon_with("sweep_interval = \"1h\"");
    let agent = agent(&daemon, "forgetful");
    let _ = crate::add_with(&agent, "gone in a moment", &["--ttl", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "3");
    tui.then("there is no memory here", "d");
    tui.then("nothing is deleted", "d");
    tui.sees("gone in a moment");
    tui.sees("Memories > expired");
    tui.press("7");
    tui.sees("sweep");
    tui.sees("signing");
    tui.press("2");
    tui.then("forgetful", "/forgetful");
    tui.press(ENTER);
    tui.then("filter: forgetful", "p");
    tui.sees("what forgetful may do");
    tui.sees("memory.read");
    // What it may do to its own only has its condition.
    tui.sees("agent-own-memories");
    tui.sees("memory.owner");
}
