//! Many requests at once, each timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use manushya_protocol::client::Client;
use manushya_protocol::error::WireError;
use manushya_tests::measure::Measured;

/// How much is driven and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many operations at the most.
    pub count: usize,
    /// Requests in flight on each connection.
    pub in_flight: usize,
    /// How long at the most.
    pub most: Duration,
}

/// Runs `operation` for each number below the count, on all connections at once.
///
/// # Errors
///
/// The first that an operation ends with.
pub async fn drive<F, Fut>(
    clients: &[Client],
    plan: Plan,
    operation: F,
) -> Result<Measured, WireError>
where
    F: Fn(Client, usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(), WireError>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let workers = clients
        .iter()
        .flat_map(|client| (0..plan.in_flight).map(move |_| client.clone()));
    let tasks: Vec<_> = workers
        .map(|client| {
            let (next, operation) = (next.clone(), operation.clone());
            tokio::spawn(async move {
                let mut nanos = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= plan.count || start.elapsed() >= plan.most {
                        return Ok::<_, WireError>(nanos);
                    }
                    let from = Instant::now();
                    operation(client.clone(), number).await?;
                    nanos.push(u64::try_from(from.elapsed().as_nanos()).unwrap_or(u64::MAX));
                }
            })
        })
        .collect();
    let mut measured = Measured {
        weight: 1,
        ..Measured::default()
    };
    let joined = try_join_all(tasks).await.map_err(|error| {
        WireError::new(
            manushya_protocol::error::ErrorCode::Internal,
            "a worker of the load driver failed",
        )
        .reason(error.to_string())
    })?;
    for nanos in joined {
        measured.nanos.extend(nanos?);
    }
    measured.elapsed = start.elapsed();
    Ok(measured)
}
