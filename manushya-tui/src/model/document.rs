//! Things as lines of text to read: rules, decisions, entries, identities, memories.

use manushya_protocol::error::WireError;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::audit::AuditView;
use manushya_protocol::v1::identity::IdentityView;
use manushya_protocol::v1::key::KeyView;
use manushya_protocol::v1::memory::MemoryView;
use manushya_protocol::v1::policy::PolicyView;
use manushya_protocol::v1::purge::PlanView;
use manushya_protocol::v1::system::{Check, JobStatus, Verdict};
use manushya_protocol::v1::token::TokenView;
use serde_json::Value;

use super::Model;
pub use super::figures::{permissions, score, stats};
use super::items::{effect, verdict};
pub use super::rule::{decided, explanation, json};
use crate::text::{Role, Spans, age, clean, count, date, head, line, until, wrap};

/// A preview shows no more of a text: it is broken into lines anew for every frame.
const PREVIEW_CHARS: usize = 4_000;

/// A heading.
pub fn title(text: impl Into<String>) -> Spans {
    line(Role::Title, text)
}

/// A name and its value.
pub fn pair(name: &str, value: impl AsRef<str>) -> Spans {
    vec![
        (Role::Dim, format!("{name:<13}")),
        (Role::Plain, clean(value.as_ref())),
    ]
}

/// An empty line.
pub fn blank() -> Spans {
    Vec::new()
}

/// An error in its three parts.
pub fn error(error: &WireError) -> Vec<Spans> {
    let mut lines = vec![vec![(
        Role::Bad,
        format!("error: {}", clean(&error.message)),
    )]];
    for (label, text) in [("why", &error.reason), ("fix", &error.hint)] {
        if let Some(text) = text {
            lines.push(vec![
                (Role::Dim, format!("  {label}: ")),
                (Role::Plain, clean(text)),
            ]);
        }
    }
    if let Some(request) = error.request_id {
        lines.push(line(Role::Dim, format!("  request {request}")));
    }
    lines
}

/// An audit entry: who, what, which rule, and its place in the chain.
pub fn entry(entry: &AuditView, model: &Model) -> Vec<Spans> {
    let (role, word) = decided(entry.decision == "allow", model.settings.ascii);
    let policy = match (&entry.policy, entry.policy_revision) {
        (Some(policy), Some(revision)) => format!("{policy}@r{revision}"),
        _ => "no policy: nothing matched, or none was asked".to_owned(),
    };
    let mut lines = vec![
        vec![
            (role, word.to_owned()),
            (
                Role::Plain,
                format!(
                    " {}.{} by {}",
                    entry.resource,
                    entry.action,
                    clean(&entry.actor)
                ),
            ),
        ],
        blank(),
        pair("rule", policy),
        pair(
            "outcome",
            format!("{} ({})", entry.outcome, count(entry.count)),
        ),
        pair("target", entry.resource_id.as_deref().unwrap_or("-")),
        pair("time", date(entry.time, &model.settings.zone)),
        pair(
            "actor id",
            entry.actor_id.map_or("-".to_owned(), |id| id.to_string()),
        ),
        pair(
            "token",
            entry
                .token
                .map_or("none: by user id".to_owned(), |id| id.to_string()),
        ),
        pair(
            "peer uid",
            entry.peer_uid.map_or("-".to_owned(), |uid| uid.to_string()),
        ),
        pair("request", entry.request_id.to_string()),
        blank(),
        title("chain"),
        pair("seq", count(entry.seq.0)),
        pair("hash", &entry.hash),
        pair("before", &entry.prev_hash),
    ];
    if let Some((link, role)) = chain_before(entry, model) {
        lines.push(vec![(Role::Dim, format!("{:<13}", "link")), (role, link)]);
    }
    let more = serde_json::to_value(&entry.more).unwrap_or_default();
    if more.as_object().is_some_and(|more| !more.is_empty()) {
        lines.push(blank());
        lines.push(title("more"));
        lines.extend(json(&more));
    }
    lines
}

fn chain_before(entry: &AuditView, model: &Model) -> Option<(String, Role)> {
    let before = model
        .audit
        .feed
        .items
        .iter()
        .find_map(|event| match event {
            super::items::Event::Entry(other) if other.seq.0 + 1 == entry.seq.0 => Some(other),
            _ => None,
        })?;
    Some(if before.hash == entry.prev_hash {
        (format!("fits entry {}", count(before.seq.0)), Role::Ok)
    } else {
        (
            format!("DOES NOT FIT entry {}", count(before.seq.0)),
            Role::Bad,
        )
    })
}

/// What is known of an identity.
pub fn identity(identity: &IdentityView, model: &Model) -> Vec<Spans> {
    let (role, state) = if identity.is_active {
        (Role::Ok, "active")
    } else {
        (Role::Bad, "disabled")
    };
    let seen = model
        .last_seen(identity)
        .map_or("not since the daemon started".to_owned(), |then| {
            format!("{} ago", age(model.now, then))
        });
    let mut lines = vec![
        title(clean(&identity.external_id)),
        vec![
            (Role::Dim, format!("{:<13}", "state")),
            (role, state.to_owned()),
        ],
        pair("role", &identity.role),
        pair("seen", seen),
        pair("created", date(identity.created_at, &model.settings.zone)),
        pair("changed", date(identity.updated_at, &model.settings.zone)),
        pair("id", identity.id.to_string()),
    ];
    for (name, value) in [
        ("name", &identity.name),
        ("description", &identity.description),
    ] {
        if let Some(value) = value {
            lines.push(pair(name, value));
        }
    }
    if !identity.claims.is_empty() {
        lines.push(title("claims"));
        lines.extend(json(&Value::Object(identity.claims.clone())));
    }
    held(identity, model, &mut lines);
    lines
}

/// What was asked for about an identity: tokens, counts, and what it may do.
fn held(identity: &IdentityView, model: &Model, lines: &mut Vec<Spans>) {
    let export = model
        .identities
        .detail
        .as_ref()
        .filter(|held| held.identity.id == identity.id);
    match export {
        None => lines.push(line(Role::Dim, "enter: tokens and counts")),
        Some(held) => {
            lines.push(pair("memories", count(held.memories)));
            lines.push(pair("tokens", count(held.tokens.len() as u64)));
            for token in &held.tokens {
                lines.push(vec![
                    (Role::Dim, format!("  {} ", token.id)),
                    (
                        Role::Plain,
                        format!("{} {}", token.state, until(model.now, token.expires_at)),
                    ),
                ]);
            }
        }
    }
}

/// What is known of a memory, without its text.
pub fn memory_facts(memory: &MemoryView, model: &Model) -> Vec<Spans> {
    let zone = &model.settings.zone;
    let mut lines = vec![
        pair("id", memory.id.to_string()),
        pair("owner", &memory.owner),
        pair("type", &memory.kind),
        pair("namespace", &memory.namespace),
        pair("version", memory.version.to_string()),
        pair("trust", memory.trust.to_string()),
        pair("created", date(memory.created_at, zone)),
        pair("changed", date(memory.updated_at, zone)),
    ];
    let mut optional = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(pair(name, value));
        }
    };
    optional(
        "expires",
        memory
            .expires_at
            .map(|then| format!("{} ({})", date(then, zone), until(model.now, then))),
    );
    optional("deleted", memory.deleted_at.map(|then| date(then, zone)));
    optional("session", memory.session.clone());
    optional("key", memory.key.clone());
    optional(
        "tags",
        Some(memory.tags.join(", ")).filter(|tags| !tags.is_empty()),
    );
    if !memory.metadata.is_empty() {
        lines.push(title("metadata"));
        lines.extend(json(&Value::Object(memory.metadata.clone())));
    }
    lines
}

/// A memory's text and facts.
pub fn memory(memory: &MemoryView, model: &Model) -> Vec<Spans> {
    let mut lines: Vec<Spans> = memory
        .text
        .split('\n')
        .map(|text| line(Role::Plain, clean(text)))
        .collect();
    lines.push(blank());
    lines.extend(memory_facts(memory, model));
    lines
}

/// A memory's text, broken into lines of so many cells, and its facts.
pub fn preview(memory: &MemoryView, cells: usize, model: &Model) -> Vec<Spans> {
    let text = head(&memory.text, PREVIEW_CHARS);
    let mut lines: Vec<Spans> = wrap(text, cells)
        .into_iter()
        .map(|text| line(Role::Plain, text))
        .collect();
    if text.len() < memory.text.len() {
        lines.push(line(Role::Dim, "… enter shows all of it"));
    }
    lines.push(blank());
    lines.extend(memory_facts(memory, model));
    lines
}

/// The versions of a memory, newest first.
pub fn history(versions: &[MemoryView], model: &Model) -> Vec<Spans> {
    let mut lines = Vec::new();
    for version in versions {
        lines.push(title(format!(
            "version {}   {}",
            version.version,
            date(version.updated_at, &model.settings.zone)
        )));
        lines.extend(
            version
                .text
                .split('\n')
                .map(|text| line(Role::Plain, clean(text))),
        );
        lines.push(blank());
    }
    lines
}

/// A policy and its rule.
pub fn policy(policy: &PolicyView, model: &Model) -> Vec<Spans> {
    let (role, state) = if policy.is_active {
        (Role::Ok, "active")
    } else {
        (Role::Bad, "disabled")
    };
    let mut lines = vec![
        vec![
            (Role::Title, clean(&policy.name)),
            (Role::Dim, format!(" r{} ", policy.revision)),
            (role, state.to_owned()),
        ],
        pair("effect", effect(policy.effect)),
        pair("role", &policy.role),
        pair("priority", policy.priority.to_string()),
        pair("changed", date(policy.updated_at, &model.settings.zone)),
    ];
    if let Some(hits) = model.hits(&policy.name) {
        lines.push(pair(
            "decided",
            format!("{} times since the start", count(hits)),
        ));
    }
    if let Some(description) = &policy.description {
        lines.push(pair("for", description));
    }
    lines.push(title("rule"));
    lines.extend(json(&policy.rule));
    lines
}

/// What is known of a token; never its secret.
pub fn token(token: &TokenView, model: &Model) -> Vec<Spans> {
    let zone = &model.settings.zone;
    let mut lines = vec![
        pair("id", token.id.to_string()),
        pair("identity", &token.identity),
        pair("state", &token.state),
        pair("label", token.label.as_deref().unwrap_or("-")),
        pair("scopes", token.scopes.join(", ")),
        pair("issued", date(token.issued_at, zone)),
        pair(
            "ends",
            format!(
                "{} ({})",
                date(token.expires_at, zone),
                until(model.now, token.expires_at)
            ),
        ),
    ];
    let mut optional = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push(pair(name, value));
        }
    };
    optional("kind", Some(token.kind.clone()));
    optional("namespace", token.namespace.clone());
    optional("types", Some(token.types.join(", ")));
    optional("uses left", token.uses_left.map(|uses| uses.to_string()));
    optional("chain", Some(token.chain.join(" > ")));
    if let Some(revoked) = token.revoked_at {
        lines.push(pair("revoked", date(revoked, zone)));
    }
    lines
}

/// A finding of doctor with its fix.
pub fn check(check: &Check) -> Vec<Spans> {
    let role = match check.verdict {
        Verdict::Ok => Role::Ok,
        Verdict::Warning => Role::Warn,
        Verdict::Failure => Role::Bad,
    };
    vec![
        vec![
            (role, verdict(check.verdict).to_owned()),
            (Role::Title, format!("  {}", clean(&check.id))),
        ],
        pair("seen", &check.evidence),
        pair("fix", check.fix.as_deref().unwrap_or("nothing to do")),
    ]
}

/// A purge plan with its counts.
pub fn plan(plan: &PlanView, model: &Model) -> Vec<Spans> {
    vec![
        pair("id", plan.id.to_string()),
        pair("erases", &plan.scope),
        pair("memories", count(plan.memories)),
        pair("versions", count(plan.versions)),
        pair("tokens", count(plan.tokens)),
        pair("identities", count(plan.identities)),
        pair("state", &plan.state),
        pair("made", date(plan.created_at, &model.settings.zone)),
        pair("lapses", until(model.now, plan.expires_at)),
        pair("confirm with", &plan.confirm),
    ]
}

/// Something the daemon does by itself.
pub fn job(job: &JobStatus, model: &Model) -> Vec<Spans> {
    let (what, counts) = match job.name.as_str() {
        "sweep" => ("erases what is due", "memories erased since the start"),
        "graph" => ("moves vectors into the graph", "vectors in the graph"),
        "snapshot" => (
            "saves graphs, so that the next start is fast",
            "bytes saved since the start",
        ),
        "embedding" => ("embeds what waits for it", "memories embedded"),
        "backup" => ("writes a backup", "bytes sent"),
        _ => ("", "done"),
    };
    let done = job.total.map_or_else(
        || count(job.done),
        |total| format!("{} of {}", count(job.done), count(total)),
    );
    let mut lines = vec![
        title(clean(&job.name)),
        line(Role::Plain, what),
        pair("state", &job.state),
        pair("done", format!("{done} {counts}")),
    ];
    let mut optional = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(pair(name, value));
        }
    };
    optional("tenant", job.tenant.clone());
    let moment = |then| {
        format!(
            "{} ({} ago)",
            date(then, &model.settings.zone),
            age(model.now, then)
        )
    };
    let name = if job.name == "backup" {
        "began"
    } else {
        "last ended"
    };
    optional(name, job.last_at.map(moment));
    optional("note", job.note.clone());
    lines
}

/// A key that signs tokens, or did.
pub fn key(key: &KeyView, model: &Model) -> Vec<Spans> {
    let zone = &model.settings.zone;
    let moment = |then: Option<UnixMillis>| then.map_or("-".to_owned(), |then| date(then, zone));
    vec![
        title(clean(&key.kid)),
        pair("for", &key.kind),
        pair("state", &key.state),
        pair("since", moment(key.created_at)),
        pair("retired", moment(key.retired_at)),
        pair("more", "manushyactl key --help"),
    ]
}
