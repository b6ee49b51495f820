//! What the daemon of the tests is and does: plans, findings, jobs, keys, and why it decides.

use manushya_protocol::id::{IdentityId, PlanId};
use manushya_protocol::v1::key::KeyView;
use manushya_protocol::v1::policy::{DecisionView, Explanation};
use manushya_protocol::v1::purge::PlanView;
use manushya_protocol::v1::review::PermissionView;
use manushya_protocol::v1::system::{Check, JobStatus, Verdict};
use serde_json::json;

use super::things::{LONG, ago, made};
use super::world::Daemon;

pub fn plans(daemon: Daemon) -> Vec<PlanView> {
    vec![made(json!({
        "id": PlanId::from_bytes([16; 16]),
        "confirm": "intern-bot",
        "scope": if daemon == Daemon::Long {
            LONG
        } else {
            "everything of intern-bot"
        },
        "memories": 312,
        "versions": 20,
        "tokens": 4,
        "identities": 1,
        "created_at": ago(60),
        "expires_at": ago(-3_540),
        "state": "planned",
        "applied_at": null,
    }))]
}

pub fn checks(daemon: Daemon) -> Vec<Check> {
    let make = |id: &str, verdict, evidence: &str, fix: Option<&str>| Check {
        id: id.into(),
        verdict,
        evidence: evidence.into(),
        fix: fix.map(str::to_owned),
    };
    if daemon == Daemon::Empty {
        return Vec::new();
    }
    vec![
        make(
            "store.integrity",
            Verdict::Ok,
            "41.2 MiB, all rows open",
            None,
        ),
        make(
            "keys.recovery",
            Verdict::Warning,
            "the recovery key lies on this machine",
            Some("move keys/recovery.age-key to a safe place offline"),
        ),
    ]
}

pub fn explanation() -> Explanation {
    Explanation {
        decision: DecisionView {
            allowed: false,
            policy: None,
            revision: None,
            reason: "nothing matched".into(),
        },
        steps: Vec::new(),
        facts: json!({"action": "read", "resource": "memory"}),
    }
}

pub fn jobs(daemon: Daemon) -> Vec<JobStatus> {
    let job = |name: &str, state: &str, done, total| JobStatus {
        name: name.into(),
        state: state.into(),
        done,
        total,
        last_at: Some(ago(42)),
        ..JobStatus::default()
    };
    if daemon == Daemon::Empty {
        return vec![job("sweep", "idle", 0, None)];
    }
    vec![
        job("sweep", "idle", 17, None),
        job("snapshot", "idle", 12_400_000, None),
        JobStatus {
            tenant: Some(
                if daemon == Daemon::Long {
                    LONG
                } else {
                    "default"
                }
                .into(),
            ),
            ..job("embedding", "running", 9_000, Some(12_408))
        },
    ]
}

pub fn keys() -> Vec<KeyView> {
    let key = |kid: &str, kind: &str, state: &str, created: Option<i64>, retired: Option<i64>| {
        made(json!({
            "kid": kid,
            "kind": kind,
            "state": state,
            "created_at": created.map(ago),
            "retired_at": retired.map(ago),
        }))
    };
    vec![
        key("000000000000000a", "jwt", "verifying", None, Some(86_400)),
        key("0000000000000017", "jwt", "signing", Some(86_400), None),
        key("3", "root", "wrapping", None, None),
    ]
}

pub fn permissions() -> Vec<PermissionView> {
    let one = |action: &str, answer: &str, policy: Option<&str>| PermissionView {
        with_approval: None,
        identity: "claude-code".into(),
        identity_id: IdentityId::from_bytes([2; 16]),
        role: "agent".into(),
        action: action.into(),
        resource: "memory".into(),
        answer: answer.into(),
        policy: policy.map(str::to_owned),
        revision: policy.map(|_| 3),
        condition: (answer == "conditional")
            .then(|| json!({"==": [{"var": "memory.owner"}, {"var": "identity.id"}]})),
        depends_on: Vec::new(),
        reason: "it matched".into(),
    };
    vec![
        one("create", "yes", Some("agent-own-memories")),
        one("read", "conditional", Some("agent-own-memories")),
        one("purge", "no", None),
    ]
}
