//! The table of exit codes, code by code.

use manushya_protocol::exit;
use manushya_tests::{Caller, Home};

use crate::{agent, daemon, programs};

#[test]
fn every_exit_code_is_met() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "a");
    let silent = Home::new();
    let check = |by: &Caller, code: u8, arguments: &[&str]| {
        let out = by.run(arguments);
        assert_eq!(out.code, i32::from(code), "{out:?}");
        assert_eq!(out.stderr.is_empty(), code == 0, "{out:?}");
    };
    check(&operator, exit::OK, &["status"]);
    check(&operator, exit::USAGE, &["no-such-noun"]);
    check(&operator, exit::USAGE, &["memory", "get", "not-an-id"]);
    check(&operator.token("x.y.z"), exit::UNAUTHENTICATED, &["whoami"]);
    check(&agent, exit::DENIED, &["policy", "list"]);
    check(
        &agent,
        exit::NOT_FOUND,
        &["memory", "get", "mem_00000000000000000000000000"],
    );
    check(
        &operator,
        exit::CONFLICT,
        &[
            "identity",
            "create",
            "--external-id",
            "a",
            "--role",
            "agent",
        ],
    );
    check(
        &Caller::new(&programs().ctl, silent.path()),
        exit::UNREACHABLE,
        &["status"],
    );
    let file = daemon
        .home()
        .write("m.jsonl", "{\"text\":\"x\"}\nno json\n");
    check(&agent, exit::PARTIAL, &["memory", "import", &file]);
}

#[test]
fn daemon_that_does_not_answer_is_a_timeout() {
    let home = Home::new();
    home.folder("run");
    let _listener = std::os::unix::net::UnixListener::bind(home.socket()).unwrap();
    let ctl = Caller::new(&programs().ctl, home.path());
    let error = ctl.refused(i32::from(exit::TIMED_OUT), &["whoami", "--timeout", "1s"]);
    assert_eq!(error["code"], "DEADLINE_EXCEEDED");
}

#[test]
fn help_lists_the_table_and_errors_are_one_json_line() {
    let daemon = daemon();
    let operator = daemon.operator();
    let help = operator.run(&["help", "exit-codes"]).ok().stdout;
    for row in exit::TABLE {
        assert!(
            help.contains(row.meaning),
            "{} is not in {help}",
            row.meaning
        );
    }
    let out = operator.run(&["identity", "show", "nobody", "-o", "json"]);
    assert_eq!(
        (out.stdout.as_str(), out.stderr.lines().count()),
        ("", 1),
        "{out:?}"
    );
    let error = out.error();
    for name in ["code", "message", "reason", "hint", "request_id", "exit"] {
        assert!(error.get(name).is_some(), "no {name} in {error}");
    }
    assert!(
        error["request_id"]
            .as_str()
            .is_some_and(|id| id.starts_with("req_")),
        "{error}"
    );
}

#[test]
fn closed_pipe_is_quiet() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    for n in 0..20 {
        crate::add(&agent, &format!("{n} {}", "x".repeat(60_000)));
    }
    let mut child = agent.start(&["memory", "list", "--all", "-o", "jsonl"]);
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert!(
        out.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}
