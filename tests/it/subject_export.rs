//! `identity export`: everything held about somebody, signed, and only for who may see it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use manushya_protocol::error::ErrorCode;
use manushya_protocol::v1::subject::SubjectExport;
use manushya_tests::{Caller, Daemon, Home, call};
use manushyad::vault::{StreamIdentity, Unlock};
use serde_json::Value;

use crate::{add, add_with, agent, identity, programs, word};

/// The lines of an export by their part.
fn parts(text: &str) -> BTreeMap<String, Vec<Value>> {
    let mut parts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        parts.entry(word(&line["part"])).or_default().push(line);
    }
    parts
}

/// The texts of memories with their states, in order.
fn memories(parts: &BTreeMap<String, Vec<Value>>) -> Vec<(String, String)> {
    let mut found: Vec<_> = parts["memories"]
        .iter()
        .map(|line| (word(&line["data"]["text"]), word(&line["state"])))
        .collect();
    found.sort();
    found
}

/// Everything there may be about one identity, named `agent-a`; returns its caller and its secrets.
fn much_about_a(daemon: &Daemon) -> (Caller, Vec<String>) {
    let operator = daemon.operator();
    let a = agent(daemon, "agent-a");
    let id = add(&a, "first");
    a.json(&["memory", "update", &id, "-m", "second"]);
    let deleted = add(&a, "thrown away");
    a.json(&["memory", "delete", &deleted, "-y"]);
    add_with(&a, "short-lived", &["--ttl", "1s"]);
    operator.json(&["identity", "update", "agent-a", "--quarantine", "on"]);
    add(&a, "held back");
    operator.json(&["identity", "update", "agent-a", "--quarantine", "off"]);
    let key = operator.json(&["api-key", "create", "--identity", "agent-a", "--name", "ci"]);
    operator.json(&["login", "--identity", "agent-a"]);
    operator.json(&["logout", "--forget"]);
    let rule = r#"{"name":"about-a","role":"agent","effect":"deny","rule":
        {"and":[{"==":[{"var":"identity.external_id"},"agent-a"]},{"==":[{"var":"action"},"export"]}]}}"#;
    operator.json(&["policy", "apply", &daemon.home().write("a.json", rule)]);
    operator.json(&["purge", "plan", "--subject", "agent-a"]);
    let hold = ["purge", "hold", "add", "--subject", "agent-a", "--reason"];
    operator.json(&[&hold[..], &["secret case 7"]].concat());
    let secrets = vec![a.bearer().unwrap().to_owned(), word(&key["key"])];
    std::thread::sleep(std::time::Duration::from_millis(1200));
    (a, secrets)
}

#[test]
fn export_has_everything_and_convinces_a_stranger() {
    let daemon = crate::daemon_with("sweep_interval = \"1h\"");
    let operator = daemon.operator();
    let (_, secrets) = much_about_a(&daemon);
    add(&agent(&daemon, "agent-b"), "of somebody else");
    let elsewhere = Home::new();
    let key = crate::recovery_key(&daemon, &elsewhere);
    let recipient = std::fs::read_to_string(daemon.home().join("data/keys/recovery.recipient"));
    let file = daemon.home().join("a.age");
    let path = file.display().to_string();
    let told = operator.json(&[
        "identity",
        "export",
        "agent-a",
        &path,
        "--recipient",
        recipient.unwrap().trim(),
    ]);
    assert_eq!(told["whole"], true, "{told}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let sealed = std::fs::read(&file).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
    let opener = StreamIdentity::read(Path::new(&key), &Unlock::Host).unwrap();
    let mut text = String::new();
    let mut opened = opener.open(sealed.as_slice()).unwrap();
    let _ = opened.read_to_string(&mut text).unwrap();
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()));
    }
    assert!(!text.contains("of somebody else") && !text.contains("\"tag\""));
    let parts = parts(&text);
    let pair = |text: &str, state: &str| (text.to_owned(), state.to_owned());
    assert_eq!(
        memories(&parts),
        [
            pair("first", "earlier"),
            pair("held back", "held back"),
            pair("second", "live"),
            pair("short-lived", "expired"),
            pair("thrown away", "deleted"),
        ]
    );
    let kinds: Vec<String> = parts["tokens"]
        .iter()
        .map(|line| word(&line["data"]["kind"]))
        .collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert_eq!(parts["identity"][0]["data"]["external_id"], "agent-a");
    assert_eq!(parts["policies"][0]["data"]["name"], "about-a");
    assert_eq!(parts["holds"][0]["data"]["reason"], "secret case 7");
    assert_eq!(parts["purges"][0]["data"]["confirm"], "agent-a");
    // Entries it acted in, and those about it.
    let by_it = |line: &&Value| line["data"]["actor"] == "agent-a";
    let acted = parts["audit"].iter().filter(by_it).count();
    assert!(acted >= 4 && acted < parts["audit"].len(), "{acted}");
    // The stranger has the text and the key, and neither a home nor a daemon.
    let public = word(&operator.json(&["audit", "head"])["public_key"]);
    let elsewhere = Home::new();
    let stranger = Caller::new(&programs().ctl, elsewhere.path());
    let verify = ["identity", "export", "--verify", "-", "--key", &public];
    let lines: Vec<&str> = text.lines().collect();
    let verified = stranger
        .run_with(&[&verify[..], &["-o", "json"]].concat(), text.as_bytes())
        .ok()
        .json();
    assert_eq!(verified["lines"], told["lines"]);
    assert_eq!(verified["lines"], lines.len() as u64 - 1);
    assert_eq!(verified["parts"].as_array().unwrap().len(), 9);
    assert!(
        stranger
            .run_with(&verify, text.as_bytes())
            .ok()
            .stdout
            .contains("memories")
    );
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at);
        lines.join("\n")
    };
    let altered = [
        without(0),
        without(lines.len() / 2),
        without(lines.len() - 1),
        text.replacen("second", "Second", 1),
        format!("{text}{}\n", lines[0]),
    ];
    for altered in altered {
        let out = stranger.run_with(&verify, altered.as_bytes());
        assert_eq!(out.code, 9, "{out:?}");
    }
    stranger.refused(2, &["identity", "export", "--verify", "x.jsonl"]);
}

#[test]
fn who_may_not_see_gets_nothing_and_who_may_see_some_is_told_that_there_is_more() {
    let daemon = crate::daemon_with("sweep_interval = \"1h\"");
    let operator = daemon.operator();
    let (a, _) = much_about_a(&daemon);
    let file = daemon.home().join("stolen.jsonl");
    let path = file.display().to_string();
    let b = agent(&daemon, "agent-b");
    for caller in [&a, &b] {
        let out = caller.run(&["identity", "export", "agent-a", &path]);
        assert!([5, 6].contains(&out.code), "{out:?}");
        assert!(!file.exists() && out.stdout.is_empty());
    }
    // A clerk may export identities and live memories, and nothing else.
    let rule = r#"{"name":"clerk","role":"clerk","rule":{"and":[
        {"==":[{"var":"action"},"export"]},{"in":[{"var":"resource"},["identity","memory"]]}]}}"#;
    operator.json(&["policy", "apply", &daemon.home().write("c.json", rule)]);
    let redact = r#"{"name":"mask","role":"clerk","effect":"redact","fields":["text"],"rule":
        {"==":[{"var":"memory.type"},"secret"]}}"#;
    operator.json(&["policy", "apply", &daemon.home().write("m.json", redact)]);
    add_with(&a, "the number is 4711", &["--type", "secret"]);
    let clerk = identity(&operator, "clerk", "clerk");
    let out = clerk.run(&["identity", "export", "agent-a"]);
    assert_eq!(out.code, 3, "{out:?}");
    assert!(!out.stdout.contains("4711") && !out.stdout.contains("secret case"));
    let parts = parts(&out.stdout);
    let seen: Vec<String> = parts.keys().cloned().collect();
    assert_eq!(seen, ["identity", "manifest", "memories"]);
    let states: Vec<String> = memories(&parts).into_iter().map(|(_, it)| it).collect();
    assert_eq!(states.len(), 4, "{states:?}");
    assert!(!states.contains(&"held back".to_owned()) && !states.contains(&"expired".to_owned()));
    let note = word(&parts["manifest"][0]["note"]);
    for told in [
        "part: memories 4 withheld\n",
        "part: holds 0 withheld\n",
        "part: audit 0 withheld\n",
        "redacted: 1\n",
    ] {
        assert!(note.contains(told), "{note}");
    }
}

#[test]
fn every_page_is_audited_and_the_export_is_of_one_moment() {
    let daemon = crate::daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "agent-a");
    let long = "word ".repeat(12_000);
    for n in 0..12 {
        add(&a, &format!("{n} {long}"));
    }
    let file = daemon.home().join("a.jsonl");
    let path = file.display().to_string();
    operator.json(&["identity", "export", "agent-a", &path]);
    let log = operator.json(&[
        "audit",
        "list",
        "--action",
        "export",
        "--resource",
        "identity",
    ]);
    let pages = log["items"].as_array().unwrap();
    assert!(pages.len() >= 3, "{log}");
    let lines: u64 = pages.iter().map(|it| it["count"].as_u64().unwrap()).sum();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(lines, text.lines().count() as u64 - 1);
    // The export does not stand in itself.
    let parts = parts(&text);
    let exports = |line: &&Value| line["data"]["action"] == "export";
    assert_eq!(parts["audit"].iter().filter(exports).count(), 0);
    let public = word(&operator.json(&["audit", "head"])["public_key"]);
    operator.json(&["identity", "export", "--verify", &path, "--key", &public]);
    operator.refused(2, &["identity", "export", "agent-a", "-o", "yaml"]);
    operator.refused(6, &["identity", "export", "nobody"]);
}

#[test]
fn what_another_key_signed_verifies_with_the_first() {
    let daemon = crate::daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    add(&a, "signed by the key that took over");
    let first = operator.run(&["audit", "key"]).ok().stdout;
    let first = daemon.home().write("first.pub", &first);
    operator.json(&["key", "rotate", "audit"]);
    let text = operator.run(&["identity", "export", "a"]).ok().stdout;
    let path = daemon.home().write("a.jsonl", &text);
    let verify = ["identity", "export", "--verify", &path, "--key", &first];
    let newest = operator.run(&["audit", "key"]).ok().stdout;
    assert_eq!(operator.json(&verify)["signed_by"], newest.trim());
    // Without the word of the first key, the one that signed is nobody.
    let (lines, last) = text.trim_end().rsplit_once('\n').unwrap();
    let mut last: Value = serde_json::from_str(last).unwrap();
    assert!(last.as_object_mut().unwrap().remove("hand_overs").is_some());
    daemon
        .home()
        .write("a.jsonl", &format!("{lines}\n{last}\n"));
    operator.refused(9, &verify);
}

#[test]
fn export_ends_where_a_right_is_lost_on_the_way() {
    let daemon = crate::daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "agent-a");
    let long = "word ".repeat(12_000);
    for n in 0..12 {
        add(&a, &format!("{n} {long}"));
    }
    let may = |name: &str, action: &str, resources: &str| {
        let rule = format!(
            r#"{{"name":"{name}","role":"clerk","rule":{{"and":[
            {{"==":[{{"var":"action"}},"{action}"]}},{{"in":[{{"var":"resource"}},{resources}]}}]}}}}"#
        );
        let file = daemon.home().write("rule.json", &rule);
        operator.json(&["policy", "apply", &file]);
    };
    may("exports", "export", r#"["identity","memory"]"#);
    may("reads", "read", r#"["token"]"#);
    let clerk = identity(&operator, "clerk", "clerk");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |export: Option<String>| {
        runtime.block_on(async {
            let client = daemon.client(clerk.bearer()).await.unwrap();
            let identity = "agent-a".to_owned();
            call!(client, subject_export, SubjectExport { identity, export }).await
        })
    };
    let first = ask(None).unwrap();
    assert!(first.manifest.is_none());
    operator.json(&["policy", "disable", "reads"]);
    let error = ask(Some(first.export)).unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error:?}");
}
