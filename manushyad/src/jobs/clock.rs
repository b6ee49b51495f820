//! Watching the machine's clock: a jump gets an audit entry, and the latest time is remembered.

use std::sync::Arc;
use std::time::Duration;

use manushya_core::model::{
    Action, AlertKind, AuditActor, AuditDraft, Decision, Extensions, Outcome, Resource,
};
use manushya_protocol::id::RequestId;
use manushya_protocol::unit::UnixMillis;
use tokio::sync::watch;

use crate::os::{Jump, SystemClock};
use crate::port::{Clock as _, Ports};
use crate::service::writer::chain;
use crate::service::{Service, stopped};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How often the time is put on disk.
const NOTE_MS: i64 = 60_000;

/// The audit entry of a jump, which is one of the daemon's own: what it counts is how far, in seconds.
pub fn alert(ports: &Ports, jump: Jump) -> AuditDraft {
    let now = ports.clock.now();
    let mut entropy = [0; 10];
    ports.entropy.fill(&mut entropy);
    let mut extensions = Extensions::default();
    extensions.set_alert(AlertKind::ClockJump);
    let way = if jump.by_ms < 0 { "back" } else { "ahead" };
    let seconds = jump.by_ms.unsigned_abs() / 1000;
    tracing::warn!(way, seconds, "The machine's clock was set.");
    AuditDraft {
        time: now,
        tenant: None,
        actor: AuditActor::Daemon,
        peer_uid: None,
        token: None,
        action: Action::Manage,
        resource: Resource::System,
        resource_id: None,
        decision: Decision::Allow,
        policy: None,
        request_id: RequestId::from_parts(now, entropy),
        outcome: Outcome::Ok,
        count: seconds,
        extensions,
    }
}

/// Looks at the clock until `stop` turns true.
pub async fn watch(
    service: Arc<Service>,
    clock: Arc<SystemClock>,
    mut stop: watch::Receiver<bool>,
) {
    let mut interval = tokio::time::interval(LOOK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut noted = None;
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = stopped(&mut stop) => return,
        }
        if let Some(jump) = clock.look()
            && let Err(error) = service.writer.observe(alert(&service.ports, jump))
        {
            tracing::error!(code = %error.code, "A jump of the clock has no audit entry.");
        }
        let now = clock.now();
        if noted.is_none_or(|noted: UnixMillis| now.0 - noted.0 >= NOTE_MS) {
            noted = Some(now);
            let (store, left) = (service.store.clone(), clock.left());
            let note = move || store.note_time(left.latest, left.trusted);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(note).await {
                // The writer meets the same disk with its next command, and stops the daemon.
                tracing::error!(error = %chain(&error), "The time cannot be put on disk.");
            }
        }
    }
}
