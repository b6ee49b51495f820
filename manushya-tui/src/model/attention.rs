//! What needs the administrator's attention, and where to look.

use std::collections::BTreeMap;

use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::system::{HostStatus, Verdict};

use super::Model;
use super::items::{Event, verdict};
use super::list::Item as _;
use crate::keymap::Screen;
use crate::text::{Role, age, bytes, count, until};

/// Denials are told for this long, in milliseconds.
const DENIAL_MILLIS: i64 = 600_000;
/// Alerts are told for this long, in milliseconds.
const ALERT_MILLIS: i64 = 3_600_000;
/// Tokens are told when they end sooner, in milliseconds.
const ENDING_MILLIS: i64 = 900_000;
/// Less free disk than this is told, in bytes.
const DISK_BYTES_MIN: u64 = 1 << 30;
/// More waiting commands than this are told.
const QUEUE_MAX: u64 = 256;
/// More vectors outside the graph than this are told.
const TAIL_MAX: u64 = 20_000;

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    /// How bad it is.
    pub role: Role,
    /// What it is.
    pub text: String,
    /// Where to look.
    pub screen: Screen,
    /// The filter to look with.
    pub filter: String,
}

fn item(role: Role, text: String, screen: Screen, filter: String) -> Attention {
    Attention {
        role,
        text,
        screen,
        filter,
    }
}

/// Everything that needs attention, worst first.
pub fn of(model: &Model) -> Vec<Attention> {
    let mut found = Vec::new();
    findings(model, &mut found);
    host(model, &mut found);
    denials(model, &mut found);
    endings(model, &mut found);
    found.sort_by_key(|attention| attention.role != Role::Bad);
    found
}

fn findings(model: &Model, found: &mut Vec<Attention>) {
    for check in &model.system.checks.items {
        let role = match check.verdict {
            Verdict::Ok => continue,
            Verdict::Warning => Role::Warn,
            Verdict::Failure => Role::Bad,
        };
        let text = format!(
            "{} {}: {}",
            verdict(check.verdict),
            check.id,
            check.evidence
        );
        found.push(item(role, text, Screen::System, String::new()));
    }
    if let Some(Err(error)) = &model.audit.verified {
        found.push(item(
            Role::Bad,
            format!("audit log: {}", error.message),
            Screen::Audit,
            String::new(),
        ));
    }
}

fn host(model: &Model, found: &mut Vec<Attention>) {
    let Some(status) = &model.status else { return };
    if status.state != "serving" {
        found.push(item(
            Role::Bad,
            format!("the daemon is {}", status.state),
            Screen::System,
            String::new(),
        ));
    }
    let Some(host) = &status.host else { return };
    if let Some(free) = host
        .activity
        .disk_free_bytes
        .filter(|free| *free < DISK_BYTES_MIN)
    {
        found.push(item(
            Role::Bad,
            format!("{} of disk left", bytes(free)),
            Screen::System,
            String::new(),
        ));
    }
    if let Some(reason) = &host.embedder_down {
        let text = format!("nothing can be embedded: {reason}");
        found.push(item(Role::Bad, text, Screen::System, String::new()));
    }
    if let Some(fault) = &host.audit_anchor_fault {
        let text = format!("the audit log's head reaches no anchor: {fault}");
        found.push(item(Role::Bad, text, Screen::System, String::new()));
    }
    for job in host.jobs.iter().filter(|job| job.state == "failing") {
        // What cannot be embedded is told below.
        if job.name != "embedding" {
            let text = format!("the daemon's job `{}` fails: 7 L shows the log", job.name);
            found.push(item(Role::Bad, text, Screen::System, String::new()));
        }
    }
    let recent = |then: &UnixMillis| model.now.0 - then.0 < ALERT_MILLIS;
    if let Some(then) = host.last_alert_at.filter(recent) {
        let noun = if host.alerts == 1 { "alert" } else { "alerts" };
        let text = format!(
            "{} {noun} in the audit log since the start, the last {} ago",
            count(host.alerts),
            age(model.now, then)
        );
        found.push(item(Role::Bad, text, Screen::Audit, "alert".to_owned()));
    }
    if host.queue > QUEUE_MAX {
        found.push(item(
            Role::Warn,
            format!("{} commands wait for the writer", count(host.queue)),
            Screen::System,
            String::new(),
        ));
    }
    indexes(host, found);
}

fn indexes(host: &HostStatus, found: &mut Vec<Attention>) {
    for index in host.indexes.iter().filter(|index| index.failed > 0) {
        let text = format!(
            "{} memories of {} failed to be embedded",
            count(index.failed),
            index.tenant
        );
        found.push(item(Role::Warn, text, Screen::System, String::new()));
    }
    for index in host.indexes.iter().filter(|index| index.tail > TAIL_MAX) {
        let text = format!(
            "{} vectors of {} wait for the graph",
            count(index.tail),
            index.tenant
        );
        found.push(item(Role::Warn, text, Screen::System, String::new()));
    }
}

fn denials(model: &Model, found: &mut Vec<Attention>) {
    let since = UnixMillis(model.now.0 - DENIAL_MILLIS);
    let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for event in model.audit.feed.items.iter().rev() {
        let Event::Entry(entry) = event else { continue };
        if entry.time < since {
            break;
        }
        if entry.decision == "deny" {
            let what = format!("{}.{}", entry.resource, entry.action);
            *counts.entry((&entry.actor, what)).or_default() += 1;
        }
    }
    for ((actor, what), times) in counts {
        let noun = if times == 1 { "denial" } else { "denials" };
        let text = format!("{} {noun} of {what} to {actor} in 10m", count(times));
        let filter = format!("actor={actor} decision=deny");
        found.push(item(Role::Warn, text, Screen::Audit, filter));
    }
}

fn endings(model: &Model, found: &mut Vec<Attention>) {
    let soon = model.now.plus_millis(ENDING_MILLIS);
    for token in &model.tokens.list.items {
        let ends =
            token.state == "active" && token.expires_at > model.now && token.expires_at < soon;
        if ends {
            let text = format!(
                "a token of {} ends in {}",
                token.identity,
                until(model.now, token.expires_at)
            );
            found.push(item(Role::Warn, text, Screen::Tokens, token.id()));
        }
    }
}
