//! `status` and `whoami`.

use manushya_protocol::v1::system::{HostStatus, IndexStatus, Status};
use serde::Serialize;

use crate::command::audit::witness;
use crate::context::{Context, call};
use crate::error::Outcome;
use crate::ui::render::{Column, Row};
use crate::ui::{table, time};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown<'a>(&'a Status);

impl Row for Shown<'_> {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "version",
        "state",
        "uptime_seconds",
        "pid",
        "home",
        "host.tenants",
        "host.identities",
        "host.tokens",
        "host.policies",
        "host.memories",
        "host.audit_size",
        "host.audit_root",
        "host.store_bytes",
        "host.queue",
        "host.connections",
        "host.embedder",
        "host.audit_reads",
        "host.audit_signed",
        "host.audit_anchored",
        "host.audit_anchor_fault",
        "host.alerts",
        "host.last_alert_at",
        "host.embedder_down",
        "host.disk_reserve",
        "host.indexes",
    ];
    const NAME: &'static str = "state";
}

/// Says how the daemon is.
///
/// # Errors
///
/// Exit code 8 if none answers.
pub async fn run(context: &Context) -> Outcome {
    let client = context.connect().await?;
    let status = call!(client, status).await?;
    if let Some(host) = &status.host {
        let head = (host.audit_checkpoint.as_str(), host.audit_key.as_str());
        witness::glance(&client, head, context).await?;
    }
    let socket = context.settings.socket.value.display().to_string();
    context.ui.told(&Shown(&status), || words(&status, &socket))
}

/// Says who the caller is.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn whoami(context: &Context) -> Outcome {
    let client = context.connect().await?;
    context.ui.item(&call!(client, whoami).await?)
}

fn words(status: &Status, socket: &str) -> String {
    let pid = status
        .pid
        .map(|pid| format!("  pid {pid}"))
        .unwrap_or_default();
    let up = time::long_span(status.uptime_seconds);
    let mut rows = vec![(
        "daemon".to_owned(),
        format!(
            "{}  {}{pid}  up {up}  {socket}",
            status.state, status.version
        ),
    )];
    if let Some(host) = &status.host {
        let home = status.home.as_deref().unwrap_or_default();
        rows.push((
            "store".to_owned(),
            format!(
                "{}  {}  {home}",
                time::bytes(host.store_bytes),
                time::things(host.memories, "memory", "memories")
            ),
        ));
        rows.push((
            "who".to_owned(),
            format!(
                "{}  {}  {}  {}",
                time::things(host.tenants, "tenant", "tenants"),
                time::things(host.identities, "identity", "identities"),
                time::things(host.tokens, "token", "tokens"),
                time::things(host.policies, "policy", "policies"),
            ),
        ));
        for index in &host.indexes {
            rows.push((
                format!("index {}", table::one_line(&index.tenant)),
                index_words(index),
            ));
        }
        let down = host.embedder_down.as_ref();
        let down = down
            .map(|reason| format!("  down: {reason}"))
            .unwrap_or_default();
        let embedder = format!("{}{down}", host.embedder);
        rows.push(("embedder".to_owned(), table::one_line(&embedder)));
        let root = host.audit_root.get(..16).unwrap_or(&host.audit_root);
        let entries = time::things(host.audit_size, "entry", "entries");
        rows.push((
            "audit".to_owned(),
            format!(
                "{entries}  root {root}…  signed to {}  reads {}",
                time::count(host.audit_signed),
                host.audit_reads
            ),
        ));
        rows.extend(full_disk(host));
        rows.extend(alerts(host));
        rows.push((
            "load".to_owned(),
            format!(
                "{}  {} queued",
                time::things(host.connections, "connection", "connections"),
                time::count(host.queue)
            ),
        ));
    }
    table::pairs(&rows)
}

/// The row that tells that the disk is full, if it is.
fn full_disk(host: &HostStatus) -> Option<(String, String)> {
    let told = "full: nothing is added until there is room";
    (host.disk_reserve == "given").then(|| ("disk".to_owned(), told.to_owned()))
}

/// The row that tells of alerts, if there were any.
fn alerts(host: &HostStatus) -> Option<(String, String)> {
    let last = host.last_alert_at.map_or_else(String::new, |at| {
        format!("  last {}", time::ago(at, time::now()))
    });
    let alerts = time::things(host.alerts, "alert", "alerts");
    (host.alerts > 0).then(|| {
        (
            "alerts".to_owned(),
            format!("{alerts} since the start{last}"),
        )
    })
}

fn index_words(index: &IndexStatus) -> String {
    let mut text = format!(
        "{}  {}  graph {}  tail {}",
        time::things(index.memories, "memory", "memories"),
        time::things(index.terms, "word", "words"),
        time::count(index.graph),
        time::count(index.tail)
    );
    if !matches!(index.semantic.as_str(), "" | "complete") {
        text.push_str(&format!("  {}", table::one_line(&index.semantic)));
    }
    if index.pending > 0 {
        text.push_str(&format!("  {} to embed", time::count(index.pending)));
    }
    if index.failed > 0 {
        text.push_str(&format!("  {} failed", time::count(index.failed)));
    }
    if let Some(next) = &index.next {
        text.push_str(&format!(
            "  moving to {} {}",
            next.provider,
            table::one_line(&next.model)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use manushya_protocol::v1::system::HostStatus;

    use super::*;

    #[test]
    fn status_is_told_with_and_without_the_host() {
        let mut status = Status {
            version: "0.1.0".into(),
            state: "serving".into(),
            ..Status::default()
        };
        assert_eq!(words(&status, "/s"), "daemon  serving  0.1.0  up 0s  /s\n");
        status.host = Some(HostStatus {
            memories: 12_408,
            store_bytes: 43_200_000,
            indexes: vec![IndexStatus {
                tenant: "default".into(),
                ..IndexStatus::default()
            }],
            ..HostStatus::default()
        });
        let text = words(&status, "/s");
        assert!(
            text.contains("12,408 memories") && text.contains("index default"),
            "{text}"
        );
    }
}
