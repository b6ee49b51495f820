//! What others do to a well-behaved client, and what time does to the daemon.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use manushya_protocol::client::Client;
use manushya_protocol::error::WireError;
use manushya_protocol::v1::memory::{MemoryDelete, OnConflict};
use manushya_tests::measure::{Measured, percentile};
use manushya_tests::own::failed;
use manushya_tests::text::Texts;
use manushya_tests::{Daemon, call, hostile};

use crate::Options;
use crate::drive::{Plan, drive};
use crate::phases::{Within, connect, memory, question};
use crate::report::{descriptors, print, rss_mb};

/// How much slower a well-behaved client may be served while others do their worst.
const SLOWER_MAX: f64 = 5.0;
/// Threads that do their worst at once.
const ATTACKERS: usize = 2;

/// Measures one client's searches alone, and then while the catalogue of hostile behaviours is gone
/// through again and again.
///
/// # Errors
///
/// The first that the well-behaved client meets, or that it was served more than five times slower.
pub async fn hostile(
    options: &Options,
    daemon: &Daemon,
    texts: &Arc<Texts>,
) -> Result<(), WireError> {
    // Connected before the flood, as one who works is.
    let clients = connect(daemon, 1).await?;
    let idle = searches(options, &clients, texts).await?;
    print("hostile_idle", options, &idle, daemon);
    let base = rss_mb(daemon.pid());
    let (stop, rounds) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let attackers: Vec<_> = (0..ATTACKERS)
        .map(|attacker| {
            let (stop, rounds) = (stop.clone(), rounds.clone());
            let socket = daemon.home().socket();
            std::thread::spawn(move || {
                let catalogue = hostile::catalogue();
                let from = attacker * catalogue.len() / ATTACKERS;
                for behaviour in catalogue.iter().cycle().skip(from) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    (behaviour.attack)(&socket);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let under = searches(options, &clients, texts).await;
    stop.store(true, Ordering::Relaxed);
    for attacker in attackers {
        let _ = attacker.join();
    }
    let under = under?;
    print("hostile", options, &under, daemon);
    let p99 = |measured: &Measured| {
        let mut sorted = measured.nanos.clone();
        sorted.sort_unstable();
        percentile(&sorted, 0.99)
    };
    let slower = p99(&under) / p99(&idle).max(0.1);
    let line = format!(
        "{{\"op\":\"hostile_verdict\",\"behaviours\":{},\"p99_times\":{slower:.2},\"rss_mb_more\":{:.1}}}",
        rounds.load(Ordering::Relaxed),
        rss_mb(daemon.pid()) - base
    );
    let _ = writeln!(std::io::stdout(), "{line}");
    if slower > SLOWER_MAX {
        let reason = format!("its p99 is {slower:.1} times that of an idle daemon");
        return Err(failed(
            "a well-behaved client is not served as it should be",
            reason,
        ));
    }
    Ok(())
}

async fn searches(
    options: &Options,
    clients: &[Client],
    texts: &Arc<Texts>,
) -> Result<Measured, WireError> {
    let plan = Plan {
        count: usize::MAX,
        in_flight: 1,
        most: Duration::from_secs(options.seconds),
    };
    let (texts, memories) = (texts.clone(), options.memories);
    drive(clients, plan, move |client, number| {
        let request = question(&texts, number, memories, Within::All);
        async move { call!(client, memory_search, request).await.map(drop) }
    })
    .await
}

/// How often the daemon is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Searches, adds, updates and erases for a long time, always as many memories as at first, and looks
/// whether the daemon grows.
///
/// # Errors
///
/// The first that a call ends with, or that the daemon kept more and more.
pub async fn soak(options: &Options, daemon: &Daemon, texts: &Arc<Texts>) -> Result<(), WireError> {
    let clients = connect(daemon, options.clients).await?;
    let (pid, most) = (daemon.pid(), Duration::from_secs(60 * options.minutes));
    let looking = tokio::spawn(async move {
        let start = Instant::now();
        let mut seen = Vec::new();
        while start.elapsed() + LOOK < most {
            tokio::time::sleep(LOOK).await;
            seen.push((rss_mb(pid), descriptors(pid)));
        }
        seen
    });
    let plan = Plan {
        count: usize::MAX,
        in_flight: options.in_flight,
        most,
    };
    let (texts, memories) = (texts.clone(), options.memories);
    let measured = drive(&clients, plan, move |client, number| {
        let search = question(&texts, number, memories, Within::All);
        let mut write = memory(&texts, number % memories);
        async move {
            match number % 10 {
                // What was there is erased and put back, so that nothing but the log grows.
                0 => {
                    write.on_conflict = OnConflict::Skip;
                    let id = call!(client, memory_add, write.clone()).await?.id;
                    let hard = true;
                    // Another worker may have been faster.
                    let _ = call!(client, memory_delete, MemoryDelete { id, hard }).await;
                    call!(client, memory_add, write).await.map(drop)
                }
                1 => {
                    write.on_conflict = OnConflict::Skip;
                    call!(client, memory_add, write).await.map(drop)
                }
                _ => call!(client, memory_search, search).await.map(drop),
            }
        }
    })
    .await?;
    print("soak", options, &measured, daemon);
    let seen = looking
        .await
        .map_err(|error| failed("nobody looked on", error))?;
    judge(&seen)
}

/// Compares the third quarter of what was seen with the last. The first half is for caches to fill.
fn judge(seen: &[(f64, usize)]) -> Result<(), WireError> {
    let quarter = seen.len() / 4;
    if quarter == 0 {
        return Err(failed("too short to tell", "give --minutes 2 or more"));
    }
    let mean = |part: &[(f64, usize)]| {
        let rss = part.iter().map(|(rss, _)| rss).sum::<f64>() / part.len() as f64;
        (rss, part.iter().map(|(_, open)| *open).max().unwrap_or(0))
    };
    let (third, last) = (
        mean(&seen[2 * quarter..3 * quarter]),
        mean(&seen[3 * quarter..]),
    );
    let line = format!(
        "{{\"op\":\"soak_verdict\",\"rss_mb_third\":{:.1},\"rss_mb_last\":{:.1},\"fds_third\":{},\"fds_last\":{}}}",
        third.0, last.0, third.1, last.1
    );
    let _ = writeln!(std::io::stdout(), "{line}");
    if last.0 > third.0 * 1.05 + 8.0 || last.1 > third.1 + 2 {
        let reason = format!(
            "from {:.0} to {:.0} MiB, from {} to {} descriptors",
            third.0, last.0, third.1, last.1
        );
        return Err(failed("the daemon keeps more and more", reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_from_standing() {
        let standing: Vec<_> = (0..40).map(|n| (100.0 + f64::from(n % 3), 20)).collect();
        assert!(judge(&standing).is_ok());
        let growing: Vec<_> = (0..40).map(|n| (100.0 + 5.0 * f64::from(n), 20)).collect();
        assert!(judge(&growing).is_err());
        let leaking: Vec<_> = (0..40).map(|n| (100.0, 20 + n)).collect();
        assert!(judge(&leaking).is_err());
        assert!(judge(&standing[..3]).is_err());
    }
}
