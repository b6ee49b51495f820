//! `login`, `logout`, `session`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use manushya_tests::Daemon;
use manushya_tests::scan::{self, Needle};
use serde_json::Value;

use crate::{add, agent, daemon, programs, word};

fn file(daemon: &Daemon) -> PathBuf {
    daemon.home().path().join("state/session.json")
}

fn read(daemon: &Daemon) -> Value {
    serde_json::from_slice(&std::fs::read(file(daemon)).unwrap()).unwrap()
}

fn write(daemon: &Daemon, kept: &Value) {
    std::fs::write(file(daemon), kept.to_string()).unwrap();
}

/// Makes the next command believe that the access token has ended.
fn end_access_token(daemon: &Daemon) -> Value {
    let mut kept = read(daemon);
    kept["expires_at"] = "2020-01-01T00:00:00Z".into();
    write(daemon, &kept);
    kept
}

#[test]
fn session_renews_itself_until_it_is_ended() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let agent = agent(&daemon, "a");
    let id = add(&agent, "tabs");
    let opened = agent.json(&["login", "--label", "laptop"]);
    assert_eq!(opened["identity"], "a");
    assert!(opened["access_token"].is_null() && opened["refresh_token"].is_null());
    let mode = file(&daemon).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // From here on commands without a credential are the session's.
    let me = ctl.json(&["whoami"]);
    assert_eq!(
        (&me["external_id"], &me["via"]),
        (&"a".into(), &"session".into())
    );
    assert_eq!(ctl.json(&["memory", "get", &id])["text"], "tabs");
    ctl.refused(7, &["login", "--identity", "a"]);

    let before = end_access_token(&daemon);
    assert_eq!(ctl.json(&["whoami"])["external_id"], "a");
    let after = read(&daemon);
    assert_ne!(before["refresh_token"], after["refresh_token"]);
    assert_eq!(before["id"], after["id"]);
    let sessions = ctl.json(&["session", "list"]);
    let session = &sessions["items"][0];
    assert_eq!(
        (&session["label"], &session["current"]),
        (&"laptop".into(), &true.into())
    );
    assert!(session["peer_uid"].is_number() && session["last_used_at"].is_string());
    // An access token before a renewal is good until it ends, and not beyond the session.
    let old = ctl.token(&word(&before["access_token"]));
    old.json(&["whoami"]);
    ctl.json(&["logout"]);
    old.refused(4, &["whoami"]);
    assert!(!file(&daemon).exists());
    assert_eq!(ctl.json(&["whoami"])["external_id"], "operator");
    assert_eq!(ctl.refused(6, &["logout"])["code"], "NOT_FOUND");
    ctl.refused(2, &["login"]);
}

#[test]
fn used_up_refresh_token_ends_the_whole_session() {
    let daemon = daemon();
    let ctl = daemon.operator();
    agent(&daemon, "a").json(&["login"]);
    let copy = end_access_token(&daemon);
    ctl.json(&["whoami"]);
    let present = read(&daemon);
    let access = ctl.token(&word(&present["access_token"]));
    access.json(&["whoami"]);
    write(&daemon, &copy);
    let error = ctl.refused(4, &["whoami"]);
    assert!(word(&error["hint"]).contains("logout"), "{error}");
    // The one who has the newer token loses it, too: which of the two is honest cannot be told.
    access.refused(4, &["whoami"]);
    let mut newer = present;
    newer["expires_at"] = "2020-01-01T00:00:00Z".into();
    write(&daemon, &newer);
    ctl.refused(4, &["whoami"]);
    let out = ctl.json(&["logout"]);
    assert_eq!(out["outcome"], "had ended already");
    let log = ctl.json(&["audit", "list", "--action", "login"]);
    let alerts = log["items"].as_array().unwrap();
    assert!(
        alerts.iter().any(|it| it["alert"] == "refresh_reuse"),
        "{log}"
    );
}

#[test]
fn lost_answer_does_not_lock_the_client_out() {
    let daemon = daemon();
    let ctl = daemon.operator();
    agent(&daemon, "a").json(&["login"]);
    // What a client has on disk that was killed between the call and its answer.
    let mut cut_off = end_access_token(&daemon);
    cut_off["retry_key"] = "chosen by the client and nobody else".into();
    write(&daemon, &cut_off);
    ctl.json(&["whoami"]);
    write(&daemon, &cut_off);
    assert_eq!(ctl.json(&["whoami"])["external_id"], "a");
    // Once the next token was used, the one before is used up even with its key.
    end_access_token(&daemon);
    ctl.json(&["whoami"]);
    write(&daemon, &cut_off);
    ctl.refused(4, &["whoami"]);
}

#[test]
fn commands_side_by_side_renew_once() {
    let daemon = daemon();
    let ctl = daemon.operator();
    agent(&daemon, "a").json(&["login"]);
    end_access_token(&daemon);
    let children: Vec<_> = (0..6)
        .map(|_| ctl.start(&["whoami", "-o", "name"]))
        .collect();
    for child in children {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{out:?}");
        assert_eq!(String::from_utf8_lossy(&out.stdout), "a\n");
    }
    let log = ctl.json(&["session", "list"]);
    assert_eq!(log["total"], 1);
}

#[test]
fn session_ends_with_the_credential_it_was_opened_with() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let agent = agent(&daemon, "a");
    let token = word(&agent.json(&["whoami"])["token"]);
    let opened = agent.json(&["login", "--ttl", "60d"]);
    let me = agent.json(&["whoami"]);
    assert_eq!(opened["session_ends_at"], me["expires_at"]);
    let operator = ctl.with("MANUSHYA_TOKEN", agent.bearer().unwrap());
    operator.refused(5, &["token", "revoke", "--identity", "a"]);
    agent.json(&["token", "revoke", &token]);
    ctl.refused(4, &["memory", "list"]);
}

#[test]
fn operator_opens_a_session_for_an_identity_and_agents_do_not() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let (a, _) = (agent(&daemon, "a"), agent(&daemon, "b"));
    a.refused(6, &["login", "--identity", "b"]);
    let opened = ctl.json(&["login", "--identity", "b", "--ttl", "2d"]);
    assert_eq!(ctl.json(&["whoami"])["external_id"], "b");
    // Revoked from elsewhere, it says so rather than falling back to the operator.
    let admin = crate::identity(&a_without_session(&daemon), "boss", "admin");
    admin.json(&["session", "revoke", &word(&opened["id"])]);
    ctl.refused(4, &["whoami"]);
    ctl.json(&["logout", "--forget"]);
    assert_eq!(ctl.json(&["whoami"])["external_id"], "operator");
}

/// The operator, in a state folder of its own.
fn a_without_session(daemon: &Daemon) -> manushya_tests::Caller {
    let socket = daemon.home().socket();
    let elsewhere = daemon.home().folder("elsewhere");
    manushya_tests::Caller::new(&programs().ctl, &elsewhere)
        .with("MANUSHYA_SOCKET", socket.to_str().unwrap())
}

#[test]
fn forged_refresh_tokens_are_refused_and_end_nothing() {
    let daemon = daemon();
    let ctl = daemon.operator();
    agent(&daemon, "a").json(&["login"]);
    let good = end_access_token(&daemon);
    let token = word(&good["refresh_token"]);
    let mut forged = vec![
        "mr_".to_owned(),
        token[..80].to_owned(),
        format!("{token}A"),
    ];
    for at in [5, 30, 50, 60, 90, 110] {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        forged.push(format!("{}{other}{}", &token[..at], &token[at + 1..]));
    }
    for forged in forged {
        let mut kept = good.clone();
        kept["refresh_token"] = forged.into();
        write(&daemon, &kept);
        ctl.refused(4, &["whoami"]);
    }
    write(&daemon, &good);
    assert_eq!(ctl.json(&["whoami"])["external_id"], "a");
}

#[test]
fn refresh_tokens_are_nowhere_in_the_store_or_log() {
    let daemon = daemon();
    let ctl = daemon.operator();
    agent(&daemon, "a").json(&["login"]);
    end_access_token(&daemon);
    ctl.json(&["whoami"]);
    let token = word(&read(&daemon)["refresh_token"]);
    ctl.json(&["logout"]);
    let home = daemon.stop();
    // The random part of it, as text and as bytes.
    let bytes = data_encoding::BASE64URL_NOPAD
        .decode(&token.as_bytes()[3..])
        .unwrap();
    let needles = [
        Needle::new("the text", &token.as_bytes()[60..100]),
        Needle::new("the bytes", &bytes[40..60]),
    ];
    assert_eq!(scan::find(home.path(), &needles), Vec::<String>::new());
}
