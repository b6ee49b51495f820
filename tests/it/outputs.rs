//! Every command that shows something, in every format.

use serde_json::Value;

use crate::{add, agent, daemon, word};

/// Parses what a format wrote; returns how many things it shows, where that can be told.
#[track_caller]
fn parse(format: &str, text: &str, command: &str) -> Option<usize> {
    let items = |value: &Value| value["items"].as_array().map(Vec::len);
    match format {
        "json" => {
            let value: Value = serde_json::from_str(text)
                .unwrap_or_else(|error| panic!("{command}: no JSON: {error}: {text}"));
            items(&value)
        }
        "yaml" => {
            let value: Value = serde_saphyr::from_str(text)
                .unwrap_or_else(|error| panic!("{command}: no YAML: {error}: {text}"));
            assert!(value.is_object() || value.is_array(), "{command}: {text}");
            items(&value)
        }
        "jsonl" => {
            for line in text.lines() {
                let parsed = serde_json::from_str::<Value>(line);
                assert!(parsed.is_ok(), "{command}: no JSON line: {line}");
            }
            Some(text.lines().count())
        }
        "csv" => {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let columns = reader.headers().unwrap().len();
            assert!(columns > 1, "{command}: {text}");
            let rows: Result<Vec<_>, _> = reader.records().collect();
            let rows = rows.unwrap_or_else(|error| panic!("{command}: no CSV: {error}: {text}"));
            Some(rows.len())
        }
        "name" => {
            for line in text.lines() {
                assert!(
                    !line.is_empty() && !line.contains(' '),
                    "{command}: not a name: {line:?}"
                );
            }
            Some(text.lines().count())
        }
        _ => {
            assert!(!text.trim().is_empty(), "{command}: an empty table");
            None
        }
    }
}

#[test]
fn every_list_and_show_parses_in_every_format() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let a = agent(&daemon, "a");
    let text = "several\nlines, \"quotes\", 'more', ünïcode: yes # no - 1e3";
    let id = crate::add_with(
        &ctl,
        text,
        &["--tag", "x,y", "--metadata", "k=a,b", "--session", "null"],
    );
    add(&a, "of another");
    let new = [
        "identity",
        "create",
        "--external-id",
        "new",
        "--role",
        "agent",
        "--quarantine",
    ];
    add(
        &ctl.token(&word(&ctl.json(&new)["access_token"])),
        "held back",
    );
    crate::add_with(&ctl, "a trap", &["--canary"]);
    ctl.json(&["memory", "update", &id, "--trust", "7"]);
    ctl.json(&["purge", "plan", "--subject", "a"]);
    ctl.json(&[
        "purge", "hold", "add", "--memory", &id, "--reason", "a case",
    ]);
    agent(&daemon, "gone");
    let purged = word(&ctl.json(&["purge", "plan", "--subject", "gone"])["id"]);
    ctl.json(&["purge", "apply", &purged, "--confirm=gone"]);
    ctl.json(&["backup", "create", "b.age"]);
    let token = word(&ctl.json(&["token", "list"])["items"][0]["id"]);
    assert!(token.starts_with("tok_"));
    let draft = r#"{"name":"draft","role":"agent","rule":false}"#;
    let draft = daemon.home().write("draft.json", draft);
    ctl.json(&["api-key", "create", "--identity", "a", "--name", "ci"]);
    let invited = ctl.json(&["identity", "invite", "--role", "agent"]);
    let invited = word(&invited["id"]);
    ctl.json(&["login", "--identity", "a"]);
    ctl.json(&["logout", "--forget"]);
    let rule = r#"{"name":"ask","role":"agent","effect":"require","priority":9,"rule":
        {"and":[{"==":[{"var":"resource"},"memory"]},{"==":[{"var":"action"},"restore"]}]}}"#;
    ctl.json(&["policy", "apply", &daemon.home().write("ask.json", rule)]);
    let deleted = add(&a, "deleted");
    a.json(&["memory", "delete", &deleted, "-y"]);
    a.refused(5, &["memory", "restore", &deleted]);
    let lists: &[&[&str]] = &[
        &["tenant", "list"],
        &["identity", "list"],
        &["token", "list"],
        &["memory", "list"],
        &["memory", "history", &id],
        &["memory", "search", "several lines"],
        &["memory", "search", "several lines", "--explain"],
        &["memory", "review", "list"],
        &["memory", "canary", "list"],
        &[
            "memory",
            "search",
            "several lines",
            "--diversify",
            "--by-trust",
            "--recency",
            "1d",
        ],
        &["memory", "recall", "several lines"],
        &["policy", "list"],
        &["policy", "who-can", "read", "memory"],
        &["policy", "what-can", "a"],
        &["policy", "history"],
        &["policy", "lint"],
        &["audit", "list"],
        &["audit", "key", "--all"],
        &["purge", "list"],
        &["purge", "hold", "list"],
        &["purge", "retention", "list"],
        &["backup", "list"],
        &["purge", "verify", &purged],
        &["approval", "list"],
        &["doctor"],
        &["api-key", "list"],
        &["invitation", "list"],
        &["session", "list"],
        &["key", "list"],
        &["audit", "key", "--all"],
        &["limit", "list"],
        &["limit", "list", "--identity", "a"],
    ];
    let singles: &[&[&str]] = &[
        &["tenant", "show", "default"],
        &["identity", "show", "a"],
        &["memory", "get", &id],
        &["policy", "show", "admin-all"],
        &["audit", "show", "1"],
        &["audit", "head"],
        &["audit", "key"],
        &["audit", "prove", "1"],
        &["audit", "consistency", "1", "2"],
        &["whoami"],
        &["purge", "receipt", &purged],
        &["backup", "verify", "b.age"],
        &["memory", "add", "the same again", "--key", "k"],
        &["policy", "can-i", "read", "memory"],
        &["token", "issue", "a", "--dry-run"],
        &["api-key", "create", "--identity", "a", "--dry-run"],
        &["invitation", "show", &invited],
        &["identity", "invite", "--role", "agent", "--dry-run"],
        &["key", "rotate", "jwt"],
        &["key", "rotate", "audit"],
        &["memory", "reembed", "--status"],
        &["limit", "set", "memory", "unlimited"],
        &["seal", "--dry-run"],
        &["unseal"],
        &["identity", "export", "a", "a.jsonl"],
    ];
    for arguments in lists {
        let mut counts = Vec::new();
        for format in ["table", "json", "jsonl", "yaml", "csv", "name"] {
            // Reads are audited, so the log is a moving list: a bound makes it stand.
            let bounded: &[&str] = if arguments.starts_with(&["audit", "list"]) {
                &["--limit", "3"]
            } else {
                &[]
            };
            let out = ctl
                .run(&[arguments, bounded, &["-o", format]].concat())
                .ok();
            counts.extend(parse(format, &out.stdout, &out.command));
        }
        assert_eq!(counts.len(), 5, "{arguments:?}");
        assert!(
            counts.iter().all(|n| *n == counts[0] && *n > 0),
            "{arguments:?}: {counts:?}"
        );
    }
    for arguments in singles {
        for format in ["table", "json", "jsonl", "yaml", "csv", "name"] {
            let out = ctl.run(&[*arguments, &["-o", format]].concat()).ok();
            let count = parse(format, &out.stdout, &out.command);
            if !["table", "json", "yaml"].contains(&format) {
                assert_eq!(count, Some(1), "{arguments:?} -o {format}: {}", out.stdout);
            }
        }
    }
    for arguments in [
        ["status"].as_slice(),
        &["audit", "stats"],
        &["memory", "stats"],
        &["config", "show"],
        &["policy", "diff", "admin-all"],
        &["policy", "simulate", &draft, "--since", "7d"],
        &["policy", "simulate", &draft, "--shadow"],
        &["policy", "shadow", "status"],
    ] {
        for format in ["table", "json", "jsonl", "yaml"] {
            let out = ctl.run(&[arguments, &["-o", format]].concat()).ok();
            parse(format, &out.stdout, &out.command);
        }
    }
}

#[test]
fn text_survives_every_format() {
    let daemon = daemon();
    let a = agent(&daemon, "a");
    let text = "tab\there, line\nthere, \"quoted\", \u{1b}[31mred\u{1b}[0m, back\\slash";
    let id = add(&a, text);
    let get = |format: &str| a.run(&["memory", "get", &id, "-o", format]).ok().stdout;
    let json: Value = serde_json::from_str(&get("json")).unwrap();
    assert_eq!(json["text"], text);
    let yaml: Value = serde_saphyr::from_str(&get("yaml")).unwrap();
    assert_eq!(yaml["text"], text);
    let csv = get("csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let place = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "text")
        .unwrap();
    assert_eq!(&reader.records().next().unwrap().unwrap()[place], text);
    // A table must not hand a terminal what a memory says.
    assert!(!get("table").contains('\u{1b}'));
    let list = a.run(&["memory", "list"]).ok().stdout;
    assert!(!list.contains('\u{1b}'), "{list:?}");
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let plain = ctl.run(&["audit", "list"]).ok().stdout;
    assert!(!plain.contains('\u{1b}'));
    let coloured = ctl.run(&["audit", "list", "--color", "always"]).ok().stdout;
    assert!(coloured.contains('\u{1b}'));
    assert!(
        !ctl.run(&["audit", "list", "--color", "always", "-o", "json"])
            .ok()
            .stdout
            .contains('\u{1b}')
    );
}

#[test]
fn completions_and_manual_pages_are_written() {
    let home = manushya_tests::Home::new();
    let ctl = manushya_tests::Caller::new(&crate::programs().ctl, home.path());
    for shell in ["bash", "zsh", "fish"] {
        let text = ctl.run(&["completions", shell]).ok().stdout;
        assert!(text.contains("memory"), "{shell}");
    }
    assert!(ctl.run(&["man"]).ok().stdout.contains(".TH"));
    assert!(
        ctl.run(&["man", "memory", "search"])
            .ok()
            .stdout
            .contains(".TH")
    );
    let help = ctl.run(&["memory", "search", "--help"]).ok().stdout;
    assert!(help.find("Examples").unwrap() < help.find("Usage").unwrap());
}
