//! `identity invite`, `enroll`, `invitation`.

use manushya_tests::scan::{self, Needle};

use crate::{add, agent, daemon, identity, word};

#[test]
fn code_makes_an_identity_once() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let invited = ctl.json(&[
        "identity", "invite", "--role", "agent", "--ttl", "7d", "--label", "ci",
    ]);
    let code = word(&invited["code"]);
    assert!(code.starts_with("me_") && code.len() == 46, "{code}");
    let id = word(&invited["id"]);
    assert_eq!(ctl.json(&["invitation", "show", &id])["state"], "open");
    let list = ctl.run(&["invitation", "list", "-o", "json"]).ok();
    assert!(
        !list.stdout.contains(&code) && list.stdout.contains(&id),
        "{list:?}"
    );

    ctl.refused(2, &["enroll", &code]);
    let made = ctl
        .run_with(
            &["enroll", "-", "--external-id", "newcomer", "-o", "json"],
            code.as_bytes(),
        )
        .ok()
        .json();
    assert_eq!(made["identity"]["role"], "agent");
    let newcomer = ctl.token(&word(&made["access_token"]));
    assert_eq!(newcomer.json(&["whoami"])["external_id"], "newcomer");
    add(&newcomer, "hello");

    let again = ["enroll", &code, "--external-id", "other"];
    assert_eq!(ctl.refused(4, &again)["code"], "UNAUTHENTICATED");
    let shown = ctl.json(&["invitation", "show", &id]);
    assert_eq!(
        (&shown["state"], &shown["identity_id"]),
        (&"accepted".into(), &made["identity"]["id"])
    );
    assert_eq!(ctl.json(&["invitation", "list"])["total"], 0);
    ctl.refused(7, &["invitation", "revoke", &id]);
    ctl.refused(7, &["invitation", "resend", &id]);
    let log = ctl.json(&["audit", "list", "--actor", "newcomer", "--action", "create"]);
    assert_eq!(log["items"][0]["resource"], "identity", "{log}");
}

#[test]
fn code_that_was_taken_back_or_replaced_is_good_for_nothing() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let invited = ctl.json(&[
        "identity",
        "invite",
        "--role",
        "agent",
        "--external-id",
        "fixed",
    ]);
    let (first, id) = (word(&invited["code"]), word(&invited["id"]));
    ctl.refused(2, &["enroll", &first, "--external-id", "another"]);
    let resent = ctl.json(&["invitation", "resend", &id]);
    let second = word(&resent["code"]);
    ctl.refused(4, &["enroll", &first]);
    let made = ctl
        .with("MANUSHYA_ENROLMENT_CODE", &second)
        .json(&["enroll"]);
    assert_eq!(made["identity"]["external_id"], "fixed");
    ctl.refused(
        7,
        &[
            "identity",
            "invite",
            "--role",
            "agent",
            "--external-id",
            "fixed",
        ],
    );

    let other = ctl.json(&["identity", "invite", "--role", "agent"]);
    ctl.json(&["invitation", "revoke", &word(&other["id"])]);
    ctl.refused(4, &["enroll", &word(&other["code"]), "--external-id", "x"]);
    for code in ["me_", "x", "me_AAAA"] {
        ctl.refused(4, &["enroll", code, "--external-id", "x"]);
    }
    // A name that is taken does not use the code up.
    let third = ctl.json(&["identity", "invite", "--role", "agent"]);
    let code = word(&third["code"]);
    ctl.refused(7, &["enroll", &code, "--external-id", "fixed"]);
    ctl.json(&["enroll", &code, "--external-id", "free"]);
}

#[test]
fn who_may_not_make_an_identity_may_not_invite_one() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let agent = agent(&daemon, "a");
    agent.refused(5, &["identity", "invite", "--role", "admin"]);
    agent.refused(5, &["invitation", "list"]);
    let invited = ctl.json(&["identity", "invite", "--role", "agent"]);
    let id = word(&invited["id"]);
    agent.refused(6, &["invitation", "show", &id]);
    agent.refused(6, &["invitation", "resend", &id]);
    let home = daemon.stop();
    let needles = [Needle::new(
        "the code",
        &word(&invited["code"]).as_bytes()[3..],
    )];
    assert_eq!(scan::find(home.path(), &needles), Vec::<String>::new());
}

#[test]
fn nobody_leaves_quarantine_by_inviting_another() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let boss = identity(&ctl, "boss", "admin");
    ctl.json(&["identity", "update", "boss", "--quarantine", "on"]);
    let invited = boss.json(&[
        "identity",
        "invite",
        "--role",
        "agent",
        "--external-id",
        "guest",
    ]);
    let code = word(&invited["code"]);
    ctl.with("MANUSHYA_ENROLMENT_CODE", &code).json(&["enroll"]);
    assert_eq!(ctl.json(&["identity", "show", "guest"])["quarantine"], true);
}
