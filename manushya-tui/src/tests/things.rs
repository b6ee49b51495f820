//! What the daemon of the tests has.

use manushya_protocol::error::WireError;
use manushya_protocol::id::{IdentityId, MemoryId, PolicyId, RequestId, TokenId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use manushya_protocol::v1::audit::AuditHeadView;
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::identity::IdentityView;
use manushya_protocol::v1::live::{Activity, Busy, EventsSeen, Latency};
use manushya_protocol::v1::memory::{
    Count, MemoryStats, MemoryView, ScoreParts, SearchHit, SearchResults,
};
use manushya_protocol::v1::policy::{Effect as Rule, PolicyView};
use manushya_protocol::v1::purge::Purged;
use manushya_protocol::v1::system::{Diagnosis, HostStatus, IndexStatus, Status};
use manushya_protocol::v1::token::TokenView;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::host::{checks, explanation, jobs, keys, permissions, plans};
use super::world::{Daemon, NOW, denied};
use crate::effect::Ask;
use crate::msg::{Answer, Verified};

/// A view from its JSON, so that fields which are added do not matter here.
pub fn made<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The answer to a search.
pub fn found(items: Vec<SearchHit>) -> SearchResults {
    made(json!({ "total": items.len(), "items": items, "semantic": "complete" }))
}

pub fn ago(seconds: i64) -> UnixMillis {
    UnixMillis(NOW.0 - seconds * 1000)
}

pub fn listed<T>(items: Vec<T>, daemon: Daemon) -> Listed<T> {
    let items = if daemon == Daemon::Empty {
        Vec::new()
    } else {
        items
    };
    Listed {
        total: items.len() as u64,
        next: None,
        items,
    }
}

pub const LONG: &str = "日本語の長いテキスト 👨‍👩‍👧 שלום עולם مرحبا بالعالم 🇮🇳 e\u{301}e\u{301} \u{202e}evil\u{202c} \u{1b}[31mred and a very long tail that does not fit on any line of any terminal that people use at work or at home";

/// What the daemon answers.
pub fn reply(daemon: Daemon, ask: &Ask) -> Option<Result<Answer, WireError>> {
    if daemon == Daemon::Silent {
        return None;
    }
    if let Ask::Status = ask {
        return Some(Ok(Answer::Status(status(daemon))));
    }
    if let Ask::Events(events) = ask {
        if events.after.is_some() {
            return None;
        }
        return Some(if daemon == Daemon::Refusing {
            Err(denied())
        } else {
            Ok(Answer::Events(events_seen(daemon)))
        });
    }
    if daemon == Daemon::Refusing {
        return Some(Err(denied()));
    }
    Some(Ok(answer(daemon, ask)?))
}

pub fn answer(daemon: Daemon, ask: &Ask) -> Option<Answer> {
    Some(match ask {
        Ask::Status | Ask::Events(_) => return None,
        Ask::Doctor => Answer::Doctor(Diagnosis {
            checks: checks(daemon),
        }),
        Ask::Head => Answer::Head(AuditHeadView {
            size: 88_213,
            root: "ab".repeat(32),
            last_hash: "cd".repeat(32),
            checkpoint: String::new(),
            public_key: "manushya/audit+5e1f+AQ".into(),
            hand_overs: Vec::new(),
        }),
        Ask::Verify => Answer::Verified(Verified {
            entries: 88_213,
            root: "ab".repeat(32),
            signed_by: "key".into(),
        }),
        Ask::Identities(_) => Answer::Identities(listed(identities(daemon), daemon)),
        Ask::Identity(_) => Answer::Identity(made(json!({
            "identity": identities(daemon).remove(0),
            "tokens": tokens(daemon),
            "memories": 812,
        }))),
        Ask::Permissions(_) => Answer::Permissions(permissions()),
        Ask::IdentityCreate(_) => Answer::Created(made(json!({
            "access_token": "eyJhbGciOiJFZERTQSJ9.secret.part",
            "token_type": "bearer",
            "expires_at": ago(-3600),
            "identity": identities(daemon).remove(0),
        }))),
        Ask::IdentityUpdate(_) => Answer::Updated(identities(daemon).remove(0)),
        Ask::IdentityDelete(_)
        | Ask::TokenRevoke(_)
        | Ask::MemoryDelete(_)
        | Ask::PolicyDelete(_) => Answer::Done(Done {
            id: "x".into(),
            outcome: "done".into(),
        }),
        other => return more(daemon, other),
    })
}

/// The rest of the answers.
pub fn more(daemon: Daemon, ask: &Ask) -> Option<Answer> {
    let hits = || {
        memories(daemon)
            .into_iter()
            .enumerate()
            .map(|(place, memory)| {
                let parts = ScoreParts {
                    bm25: 2.5,
                    lexical: 0.9,
                    cosine: 0.4,
                    semantic: 0.8,
                    lexical_weight: 0.5,
                    semantic_weight: 0.5,
                    ..ScoreParts::default()
                };
                let score = 1.0 / (place as f32 + 1.0);
                let hit: SearchHit =
                    made(json!({ "score": score, "memory": memory, "explain": parts }));
                hit
            })
    };
    Some(match ask {
        Ask::Tokens(_) => Answer::Tokens(listed(tokens(daemon), daemon)),
        Ask::TokenIssue(_) => Answer::Issued(made(json!({
            "access_token": "eyJhbGciOiJFZERTQSJ9.secret.part",
            "token_type": "bearer",
            "expires_at": ago(-3600),
            "token": tokens(daemon).remove(0),
            "id": tokens(daemon).remove(0).id,
        }))),
        Ask::Memories(_) | Ask::History(_) => Answer::Memories(listed(memories(daemon), daemon)),
        Ask::Search(_) => Answer::Found(found(match daemon {
            Daemon::Empty => Vec::new(),
            _ => hits().collect(),
        })),
        Ask::MemoryUpdate(_) | Ask::MemoryRestore(_) => {
            Answer::Memory(Box::new(memories(daemon).remove(0)))
        }
        Ask::Stats(_) => Answer::Stats(stats(daemon)),
        Ask::Policies(_) => Answer::Policies(listed(policies(daemon), daemon)),
        Ask::PolicySetActive(_) => Answer::Policy(Box::new(policies(daemon).remove(0))),
        Ask::PolicyApply(_) => Answer::Findings(Vec::new()),
        Ask::Explain(_) => Answer::Explained(Box::new(explanation())),
        Ask::Keys => Answer::Keys(listed(keys(), daemon)),
        Ask::Plans(_) => Answer::Plans(listed(plans(daemon), daemon)),
        Ask::Plan(_) => Answer::Plan(plans(daemon).remove(0)),
        Ask::Purge(_) => Answer::Purged(Purged {
            memories: 312,
            keys_destroyed: 3,
            audit_seq: 88_260,
            ..Purged::default()
        }),
        Ask::Log => Answer::Log(vec![
            "INFO The daemon serves.".into(),
            "WARN A client was slow.".into(),
        ]),
        _ => return None,
    })
}

pub fn status(daemon: Daemon) -> Status {
    let many = if daemon == Daemon::Empty { 0 } else { 12_408 };
    let kind = |kind: &str, count, p50_us, p99_us| Latency {
        kind: kind.into(),
        count,
        p50_us,
        p99_us,
    };
    let busy = |name: &str, count| Busy {
        tenant: "default".into(),
        name: name.into(),
        count,
    };
    Status {
        version: "0.1.0".into(),
        state: "serving".into(),
        uptime_seconds: 273_600,
        pid: Some(4127),
        home: Some("/data".into()),
        host: Some(HostStatus {
            tenants: 1,
            identities: 4,
            tokens: 5,
            policies: 6,
            memories: many,
            audit_size: 88_213,
            audit_root: "ab".repeat(32),
            store_bytes: 43_200_000,
            queue: 0,
            connections: 3,
            embedder: "static-minilm/256@1".into(),
            indexes: vec![IndexStatus {
                tenant: "default".into(),
                memories: many,
                terms: 9_001,
                graph: 0,
                tail: many,
                saved_at: (many > 0).then(|| ago(180)),
                saved_bytes: 12_400_000,
                ..IndexStatus::default()
            }],
            audit_reads: "durable".into(),
            audit_signed: 88_210,
            audit_anchored: 88_210,
            jobs: jobs(daemon),
            activity: Activity {
                operations: 88_213,
                denied: 3,
                latencies: vec![
                    kind("search", 42, 3_584, 8_192),
                    kind("add", 10, 1_024, 2_048),
                    kind("read", 0, 0, 0),
                    kind("change", 1, 640, 640),
                ],
                busiest: if many == 0 {
                    Vec::new()
                } else {
                    vec![busy("claude-code", 812), busy("crew-research", 301)]
                },
                policies: vec![busy("agent-own-memories", 1_812), busy("no-night-work", 3)],
                index_lag: 0,
                disk_free_bytes: Some(64 << 30),
            },
            ..HostStatus::default()
        }),
    }
}

pub fn events_seen(daemon: Daemon) -> EventsSeen {
    if daemon == Daemon::Empty {
        return EventsSeen::default();
    }
    let entry = |seq: u64, actor: &str, action: &str, decision: &str, policy: Option<&str>| {
        made(json!({
            "seq": AuditSeq(seq),
            "time": ago(i64::try_from(88_213 - seq).unwrap()),
            "tenant": null,
            "actor": actor,
            "actor_id": Some(IdentityId::from_bytes([2; 16])),
            "peer_uid": Some(1000),
            "token": null,
            "action": action,
            "resource": "memory",
            "resource_id": Some(MemoryId::from_bytes([3; 16]).to_string()),
            "decision": decision,
            "policy": policy.map(str::to_owned),
            "policy_revision": policy.map(|_| 2),
            "request_id": RequestId::from_bytes([4; 16]),
            "outcome": if decision == "deny" { "DENIED" } else { "OK" },
            "count": 1,
            "hash": format!("{seq:064x}"),
            "prev_hash": format!("{:064x}", seq - 1),
        }))
    };
    let actor = if daemon == Daemon::Long {
        LONG
    } else {
        "claude-code"
    };
    EventsSeen {
        items: vec![
            entry(
                88_210,
                "crew-research",
                "search",
                "allow",
                Some("agent-own-memories"),
            ),
            entry(88_211, "cursor", "read", "deny", None),
            entry(88_213, actor, "create", "allow", Some("agent-own-memories")),
        ],
        after: AuditSeq(88_213),
        skipped: 0,
    }
}

pub fn identities(daemon: Daemon) -> Vec<IdentityView> {
    let make = |byte: u8, name: &str, role: &str, is_active: bool| {
        made(json!({
            "id": IdentityId::from_bytes([byte; 16]),
            "tenant": "default",
            "external_id": name,
            "role": role,
            "name": null,
            "description": Some(if daemon == Daemon::Long {
                LONG
            } else {
                "Reviews pull requests"
            }),
            "claims": Map::from_iter([
                ("team".to_owned(), json!("web")),
                ("level".to_owned(), json!(2)),
            ]),
            "is_active": is_active,
            "created_at": ago(86_400 * 12),
            "updated_at": ago(3_600),
            "last_seen_at": (byte == 7).then(|| ago(86_400 * 3)),
        }))
    };
    let first = if daemon == Daemon::Long {
        LONG
    } else {
        "claude-code"
    };
    vec![
        make(2, first, "agent", true),
        make(5, "crew-research", "agent", true),
        make(6, "intern-bot", "agent", false),
        make(7, "ana", "user", true),
    ]
}

pub fn tokens(daemon: Daemon) -> Vec<TokenView> {
    let make = |byte: u8, state: &str, left: i64| {
        made(json!({
            "id": TokenId::from_bytes([byte; 16]),
            "identity": if daemon == Daemon::Long {
                LONG
            } else {
                "claude-code"
            },
            "identity_id": IdentityId::from_bytes([2; 16]),
            "scopes": vec!["memory:read", "memory:search"],
            "label": Some("ci"),
            "issued_at": ago(3_600),
            "expires_at": ago(-left),
            "revoked_at": null,
            "state": state,
            "kind": "access",
            "chain": [],
            "types": [],
        }))
    };
    vec![
        make(8, "active", 82_800),
        make(9, "active", 720),
        make(10, "active", 3_600),
    ]
}

pub fn memories(daemon: Daemon) -> Vec<MemoryView> {
    let make = |byte: u8, text: &str, kind: &str| {
        made(json!({
            "id": MemoryId::from_bytes([byte; 16]),
            "owner": "claude-code",
            "owner_id": IdentityId::from_bytes([2; 16]),
            "key": Some("deploy-day"),
            "text": text,
            "type": kind,
            "tags": vec!["deploy"],
            "metadata": Map::from_iter([("ticket".to_owned(), json!("WEB-12"))]),
            "namespace": "/team/web",
            "session": null,
            "trust": 60,
            "version": 2,
            "created_at": ago(7_200),
            "updated_at": ago(120),
            "expires_at": null,
            "deleted_at": null,
        }))
    };
    let first = if daemon == Daemon::Long {
        LONG
    } else {
        "Deploys go out on Tuesdays"
    };
    vec![
        make(3, first, "decision"),
        make(
            11,
            "Migrated CI to the new runners\nand threw the old ones away",
            "episode",
        ),
        make(12, "Prefers TOML", "preference"),
    ]
}

pub fn stats(daemon: Daemon) -> MemoryStats {
    if daemon == Daemon::Empty {
        return MemoryStats::default();
    }
    let count = |name: &str, count| Count {
        name: name.into(),
        count,
    };
    MemoryStats {
        memories: 12_408,
        by_type: vec![count("note", 9_000), count("decision", 3_408)],
        by_owner: vec![count("claude-code", 12_000), count("ana", 408)],
        by_namespace: vec![
            count("/team/web", 12_000),
            count("/team/ops", 400),
            count("/", 8),
        ],
        by_tag: vec![count("deploy", 4)],
        oldest: Some(ago(86_400 * 40)),
        newest: Some(ago(3)),
        by_age: vec![count("today", 8), count("month", 12_400)],
    }
}

pub fn policies(daemon: Daemon) -> Vec<PolicyView> {
    let make = |byte: u8, name: &str, effect, priority, is_active| {
        made(json!({
            "id": PolicyId::from_bytes([byte; 16]),
            "name": name,
            "role": "agent",
            "rule": json!({"and": [{"==": [{"var": "resource"}, "memory"]}, {"==": [{"var": "memory.owner"}, {"var": "identity.id"}]}]}),
            "effect": effect,
            "priority": priority,
            "is_active": is_active,
            "description": Some(if daemon == Daemon::Long {
                LONG
            } else {
                "Agents work on their own memories."
            }),
            "revision": 3,
            "created_at": ago(90_000),
            "updated_at": ago(80_000),
        }))
    };
    vec![
        make(13, "no-night-work", Rule::Deny, 50, true),
        make(14, "agent-own-memories", Rule::Allow, 0, true),
        make(15, "old-rule", Rule::Allow, -5, false),
    ]
}
