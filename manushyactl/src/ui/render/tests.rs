use manushya_protocol::id::{IdentityId, MemoryId, PolicyId, RequestId};
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditMore, AuditView};
use manushya_protocol::v1::identity::IdentityView;
use manushya_protocol::v1::memory::{MemoryView, ScoreParts, SearchHit, TermScore};
use manushya_protocol::v1::policy::{Effect, PolicyView};
use manushya_protocol::v1::purge::Purged;
use manushya_protocol::v1::system::{Check, Verdict};

use serde_json::json;

use super::*;

fn human() -> Human {
    Human {
        now: "2026-11-23T12:00:00Z".parse().unwrap(),
        width: None,
        color: false,
    }
}

fn memory(text: &str) -> MemoryView {
    MemoryView {
        redacted: Vec::new(),
        id: MemoryId::from_bytes([7; 16]),
        owner: "agent-a".into(),
        owner_id: IdentityId::from_bytes([8; 16]),
        key: Some("k,1".into()),
        text: text.into(),
        kind: "note".into(),
        tags: vec!["a".into(), "b".into()],
        metadata: serde_json::from_value(json!({"level": 3})).unwrap(),
        namespace: "/team".into(),
        session: None,
        trust: 50,
        version: 1,
        created_at: "2026-11-23T11:57:00Z".parse().unwrap(),
        updated_at: "2026-11-23T11:57:00Z".parse().unwrap(),
        expires_at: None,
        deleted_at: None,
        provenance: None,
        quarantined: false,
        superseded_by: None,
        superseded_at: None,
        supersedes: Vec::new(),
    }
}

fn hit(text: &str) -> SearchHit {
    let terms = vec![TermScore {
        term: "deploy".into(),
        score: 3.25,
    }];
    let explain = Some(ScoreParts {
        bm25: 3.25,
        lexical: 1.0,
        terms,
        ..ScoreParts::default()
    });
    SearchHit {
        score: 0.912,
        memory: memory(text),
        duplicates: 2,
        explain,
    }
}

/// Renders in every format and checks that each reads back.
fn check<T: Row>(items: &[T]) {
    let render = |format| list(format, items, Some("c_1"), 1204, &human()).unwrap();
    let page: Value = serde_json::from_str(&render(Format::Json)).unwrap();
    assert_eq!(page["total"], 1204);
    assert_eq!(page["next"], "c_1");
    assert_eq!(page["items"].as_array().unwrap().len(), items.len());
    let yaml: Value = serde_saphyr::from_str(&render(Format::Yaml)).unwrap();
    assert_eq!(yaml, page);
    for (line, item) in render(Format::Jsonl)
        .lines()
        .zip(page["items"].as_array().unwrap())
    {
        assert_eq!(&serde_json::from_str::<Value>(line).unwrap(), item);
    }
    let text = render(Format::Csv);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>(),
        T::FIELDS
    );
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), items.len());
    for (record, item) in records.iter().zip(page["items"].as_array().unwrap()) {
        for (field, path) in record.iter().zip(T::FIELDS) {
            assert_eq!(field, json::flat(json::at(item, path)), "{path}");
        }
    }
    assert_eq!(render(Format::Name).lines().count(), items.len());
    let table = render(Format::Table);
    assert_eq!(table.lines().count(), items.len() + 1, "{table}");
    for item in items {
        for format in [Format::Json, Format::Jsonl] {
            let text = super::item(format, item, &human()).unwrap();
            serde_json::from_str::<Value>(&text).unwrap();
        }
        assert_fields_are_known(&json::tree(item).unwrap(), T::FIELDS);
    }
}

/// Every field of the JSON stands in the list of fields, so that none is lost in CSV.
fn assert_fields_are_known(tree: &Value, fields: &[&str]) {
    for (key, value) in tree.as_object().unwrap() {
        let direct = fields.contains(&key.as_str());
        let within = fields
            .iter()
            .any(|field| field.starts_with(&format!("{key}.")));
        assert!(direct || within, "`{key}` is in no format but JSON");
        if within {
            let prefix = format!("{key}.");
            let inner: Vec<&str> = fields
                .iter()
                .filter_map(|f| f.strip_prefix(&prefix))
                .collect();
            assert_fields_are_known(value, &inner);
        }
    }
}

#[test]
fn memories_read_back_in_every_format() {
    check(&[memory("Deploys, \"on\" Tuesdays\nat nine"), memory("yes")]);
    check::<MemoryView>(&[]);
}

#[test]
fn search_hits_read_back_in_every_format() {
    check(&[hit("plain"), hit("# not: a comment")]);
}

#[test]
fn identities_policies_and_checks_read_back_in_every_format() {
    let time = "2026-01-01T00:00:00Z".parse().unwrap();
    check(&[IdentityView {
        id: IdentityId::from_bytes([1; 16]),
        tenant: "default".into(),
        external_id: "agent-a".into(),
        role: "agent".into(),
        name: None,
        description: Some("multi\nline".into()),
        claims: serde_json::Map::new(),
        is_active: true,
        quarantine: false,
        created_at: time,
        updated_at: time,
        last_seen_at: None,
        bindings: Vec::new(),
    }]);
    check(&[PolicyView {
        fields: Vec::new(),
        id: PolicyId::from_bytes([2; 16]),
        name: "p".into(),
        role: "*".into(),
        rule: json!({"==": [{"var": "action"}, "read"]}),
        effect: Effect::Deny,
        priority: -5,
        is_active: false,
        description: None,
        revision: 2,
        created_at: time,
        updated_at: time,
    }]);
    check(&[Check {
        id: "home.permissions".into(),
        verdict: Verdict::Failure,
        evidence: "0644".into(),
        fix: Some("chmod 600".into()),
    }]);
    check(&[Purged {
        memories: 1200,
        ..Purged::default()
    }]);
}

#[test]
fn audit_entries_read_back_in_every_format() {
    check(&[AuditView {
        seq: AuditSeq(42),
        time: "2026-11-23T11:57:00Z".parse().unwrap(),
        tenant: None,
        actor: "agent-b".into(),
        actor_id: None,
        peer_uid: Some(1000),
        token: None,
        action: "read".into(),
        resource: "memory".into(),
        resource_id: None,
        decision: "deny".into(),
        policy: None,
        policy_revision: None,
        request_id: RequestId::from_bytes([3; 16]),
        outcome: "NOT_FOUND".into(),
        count: 0,
        hash: "ab".into(),
        prev_hash: "cd".into(),
        more: AuditMore {
            alert: Some("canary_read".into()),
            ..AuditMore::default()
        },
    }]);
}

#[test]
fn tables_are_cut_on_a_terminal_only() {
    let items = [memory(&"word ".repeat(50))];
    let whole = list(Format::Table, &items, None, 1, &human()).unwrap();
    assert!(whole.contains(&"word ".repeat(49)));
    let narrow = Human {
        width: Some(80),
        ..human()
    };
    let cut = list(Format::Table, &items, None, 1, &narrow).unwrap();
    assert!(
        cut.contains('…') && cut.lines().all(|line| line.chars().count() <= 80),
        "{cut}"
    );
}

#[test]
fn escape_sequences_never_reach_the_terminal() {
    let items = [memory("\u{1b}[2J\u{1b}]0;title\u{7}hello\u{202e}")];
    for text in [
        list(Format::Table, &items, None, 1, &human()).unwrap(),
        item(Format::Table, &items[0], &human()).unwrap(),
    ] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
        assert!(text.contains("hello"));
    }
}

#[test]
fn times_are_ages_in_tables_and_exact_in_json() {
    let items = [memory("x")];
    assert!(
        list(Format::Table, &items, None, 1, &human())
            .unwrap()
            .contains("3m ago")
    );
    let line = list(Format::Jsonl, &items, None, 1, &human()).unwrap();
    assert!(line.contains("\"2026-11-23T11:57:00.000Z\""));
}
