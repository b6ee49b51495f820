//! SIGKILL in a loop under write load: what was acknowledged is there, and nothing is torn.
//!
//! `MANUSHYA_KILLS` says how often; the full run is 200.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::MemoryId;
use manushya_protocol::v1::memory::{
    ItemResult, MemoryAdd, MemoryAddMany, MemoryDelete, MemoryRef, MemorySearch, SearchMode,
};
use manushya_tests::random::Random;
use manushya_tests::{Daemon, Home, call};

use crate::{check_sound, programs};

/// Writers at once.
const WRITERS: usize = 3;
/// Kills of a run that says nothing.
const KILLS: usize = 20;

#[derive(Default)]
struct Acknowledged {
    kept: Vec<(String, MemoryId)>,
    erased: Vec<MemoryId>,
    /// Sent to be erased, but the answer was lost: it may be there or not.
    unsure: Vec<MemoryId>,
}

fn memory(key: &str) -> MemoryAdd {
    MemoryAdd {
        text: format!("written under {key}"),
        key: Some(key.to_owned()),
        ..Default::default()
    }
}

/// Writes until the daemon is gone, and returns what it acknowledged.
async fn write(client: Client, name: String, stop: Arc<AtomicBool>) -> Acknowledged {
    let mut done = Acknowledged::default();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let keys: Vec<String> = match n % 4 {
            0 => (0..20).map(|item| format!("{name}-{n}-{item}")).collect(),
            _ => vec![format!("{name}-{n}")],
        };
        let items = keys.iter().map(|key| memory(key)).collect();
        let Ok(added) = call!(client, memory_add_many, MemoryAddMany { items }).await else {
            break;
        };
        for (key, result) in keys.into_iter().zip(added.results) {
            let ItemResult::Ok(added) = result else {
                panic!("{key} was refused: {result:?}")
            };
            done.kept.push((key, added.id));
        }
        if n % 5 == 0
            && let Some((_, id)) = done.kept.pop()
        {
            match call!(
                client,
                memory_delete,
                MemoryDelete {
                    id,
                    hard: n % 2 == 0
                }
            )
            .await
            {
                Ok(_) => done.erased.push(id),
                Err(_) => {
                    done.unsure.push(id);
                    break;
                }
            }
        }
    }
    done
}

/// Checks one round's acknowledged writes against the daemon that came after.
async fn check(client: &Client, done: &Acknowledged) {
    for part in done.kept.chunks(256) {
        // A retry of what is there changes nothing, and answers with the same id.
        let items = part.iter().map(|(key, _)| memory(key)).collect();
        let again = call!(client, memory_add_many, MemoryAddMany { items })
            .await
            .unwrap();
        for ((key, id), result) in part.iter().zip(again.results) {
            let ItemResult::Ok(again) = result else {
                panic!("{key}: {result:?}")
            };
            assert_eq!(
                (again.outcome.as_str(), again.id),
                ("unchanged", *id),
                "{key} was lost"
            );
        }
    }
    for id in &done.erased {
        let error = call!(client, memory_get, MemoryRef { id: *id })
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{id} came back");
    }
    if let Some((key, id)) = done.kept.last() {
        let query = format!("written under {key}");
        let search = MemorySearch {
            query,
            mode: SearchMode::Lexical,
            limit: Some(50),
            ..Default::default()
        };
        let found = call!(client, memory_search, search).await.unwrap();
        assert!(
            found.items.iter().any(|hit| hit.memory.id == *id),
            "{key} is not found"
        );
    }
}

#[test]
fn acknowledged_writes_survive_every_kill() {
    let kills = std::env::var("MANUSHYA_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(KILLS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut random = Random::new(u64::from(std::process::id()));
    let home = Home::new();
    home.configure("snapshot_interval = \"1s\"");
    let mut home = Some(home);
    let mut before = Acknowledged::default();
    let (mut kept, mut erased) = (0, 0);
    for round in 0..=kills {
        let daemon = Daemon::start_in(
            &programs(),
            home.take().expect("a kill gives the home back"),
        );
        runtime.block_on(async {
            let client = daemon.client(None).await.unwrap();
            check(&client, &before).await;
        });
        if round % 5 == 0 || round == kills {
            check_sound(&daemon.operator());
        }
        if round == kills {
            break;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let client = runtime.block_on(daemon.client(None)).unwrap();
                runtime.spawn(write(client, format!("r{round}w{writer}"), stop.clone()))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(30 + random.below(300) as u64));
        home = Some(daemon.kill());
        stop.store(true, Ordering::Relaxed);
        before = Acknowledged::default();
        for writer in writers {
            let done = runtime.block_on(writer).unwrap();
            before.kept.extend(done.kept);
            before.erased.extend(done.erased);
            before.unsure.extend(done.unsure);
        }
        kept += before.kept.len();
        erased += before.erased.len();
    }
    println!("{kills} kills, {kept} acknowledged adds and {erased} deletions, none lost");
    assert!(
        kept > kills * 3,
        "too little was written to prove anything: {kept}"
    );
}
