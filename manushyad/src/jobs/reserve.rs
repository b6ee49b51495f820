//! Taking the room for a full disk again, once there is room.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::service::{Service, stopped};

/// How often the disk is looked at while the room is not kept.
const LOOK: Duration = Duration::from_secs(2);

/// Looks at the disk until `stop` turns true.
pub async fn watch(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(LOOK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = stopped(&mut stop) => return,
        }
        let reserve = service.store.reserve();
        let _ = tokio::task::spawn_blocking(move || reserve.retake()).await;
    }
}
