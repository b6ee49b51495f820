//! Saving the graphs, sealed, so that the next start need not build them.

use crate::service::Service;

/// Saves the graph of every tenant that has one. A failure costs the next start some time, and
/// nothing else.
pub fn save_all(service: &Service) {
    let turns = &service.work.snapshot;
    turns.begin();
    let saved = service
        .indexes
        .save(&service.vault, &service.config.home.data);
    turns.end(service.ports.clock.now(), saved.as_ref().ok().copied());
    match saved {
        Ok(0) => {}
        Ok(bytes) => tracing::info!(bytes, "Saved the index."),
        Err(error) => tracing::warn!(%error, "The index could not be saved."),
    }
}
