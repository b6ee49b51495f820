//! The phases: fill, drive, verify, restart.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use manushya_core::audit::{Verifier, split_frames};
use manushya_protocol::client::Client;
use manushya_protocol::error::WireError;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::AuditRead;
use manushya_protocol::v1::identity::IdentityCreate;
use manushya_protocol::v1::memory::{MemoryAdd, MemoryFilter, MemorySearch, OnConflict};
use manushya_tests::measure::Measured;
use manushya_tests::own::{BATCH, add_batch, failed, settle};
use manushya_tests::random::Random;
use manushya_tests::text::Texts;
use manushya_tests::{Daemon, Programs, call, caller, own};

use crate::drive::{Plan, drive};
use crate::endure;
use crate::report::print;
use crate::{Op, Options};

/// Characters of one memory.
const CHARACTERS: usize = 200;
/// Owners, if one of a hundred is to be searched.
const OWNERS: usize = 100;

/// Memories of one session: of 100,000 one in a thousand.
const SESSION: usize = 100;

/// What a search is asked to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// All that may be seen.
    All,
    /// What one owner of a hundred has.
    Owner,
    /// One session.
    Session,
}

/// Runs all phases of what was asked for.
///
/// # Errors
///
/// The first that a call ends with.
pub fn run(options: &Options, programs: &Programs) -> Result<(), WireError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| failed("no runtime can be made", error))?;
    let daemon = own::start(programs, &options.settings);
    let texts = Arc::new(Texts::new());
    runtime.block_on(async {
        match options.op {
            Op::Add => adds(options, &daemon, &texts).await,
            Op::Search => {
                import(options, &daemon, &texts).await?;
                searches(options, &daemon, &texts).await
            }
            Op::Mixed => {
                import(options, &daemon, &texts).await?;
                mixed(options, &daemon, &texts).await
            }
            Op::Hostile => {
                import(options, &daemon, &texts).await?;
                endure::hostile(options, &daemon, &texts).await
            }
            Op::Soak => {
                import(options, &daemon, &texts).await?;
                endure::soak(options, &daemon, &texts).await
            }
        }?;
        verify(options, &daemon).await
    })?;
    statuses(options, &daemon)?;
    restart(options, programs, daemon, &runtime)
}

/// The text of one number, always the same, so that a question can be made of it.
fn text(texts: &Texts, number: usize) -> String {
    texts.text(&mut Random::new(number as u64), CHARACTERS)
}

/// The memory of one number.
pub fn memory(texts: &Texts, number: usize) -> MemoryAdd {
    MemoryAdd {
        text: text(texts, number),
        key: Some(format!("load-{number}")),
        session: Some(format!("session-{}", number / SESSION)),
        tags: vec![format!("tag-{}", number % 20)],
        ..Default::default()
    }
}

/// That many connections of the operator.
///
/// # Errors
///
/// The first that connecting ends with.
pub async fn connect(daemon: &Daemon, count: usize) -> Result<Vec<Client>, WireError> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(daemon.client(None).await?);
    }
    Ok(clients)
}

async fn adds(options: &Options, daemon: &Daemon, texts: &Arc<Texts>) -> Result<(), WireError> {
    let clients = connect(daemon, options.clients).await?;
    let plan = Plan {
        count: options.memories,
        in_flight: options.in_flight,
        most: Duration::from_secs(options.seconds),
    };
    let texts = texts.clone();
    let measured = drive(&clients, plan, move |client, number| {
        let memory = memory(&texts, number);
        async move { call!(client, memory_add, memory).await.map(drop) }
    })
    .await?;
    print("add", options, &measured, daemon);
    Ok(())
}

/// One connection for each owner in turn, since one user has only so many connections.
async fn owners(options: &Options, daemon: &Daemon) -> Result<Vec<Option<String>>, WireError> {
    if !options.filter_owner {
        return Ok(vec![None]);
    }
    let operator = daemon.client(None).await?;
    let mut tokens = Vec::with_capacity(OWNERS);
    for owner in 0..OWNERS {
        let create = IdentityCreate {
            external_id: format!("owner-{owner}"),
            role: "agent".to_owned(),
            name: None,
            description: None,
            claims: serde_json::Map::new(),
            token_ttl_seconds: None,
            quarantine: false,
        };
        let made = call!(operator, identity_create, create).await?;
        tokens.push(made.access_token.map(|token| token.expose().to_owned()));
    }
    Ok(tokens)
}

async fn import(options: &Options, daemon: &Daemon, texts: &Arc<Texts>) -> Result<(), WireError> {
    let tokens = owners(options, daemon).await?;
    let share = options.memories.div_ceil(tokens.len());
    let mut whole = Measured {
        weight: 1,
        ..Measured::default()
    };
    for (owner, token) in tokens.iter().enumerate() {
        let client = daemon.client(token.as_deref()).await?;
        let from = owner * share;
        let to = (from + share).min(options.memories);
        let starts: Vec<usize> = (from..to).step_by(BATCH).collect();
        // The texts are made beforehand, so that it is the daemon that is measured.
        let batches: Arc<Vec<Vec<MemoryAdd>>> = Arc::new(
            starts
                .iter()
                .map(|start| {
                    (*start..(start + BATCH).min(to))
                        .map(|n| memory(texts, n))
                        .collect()
                })
                .collect(),
        );
        let plan = Plan {
            count: batches.len(),
            in_flight: 4,
            most: Duration::from_secs(3600),
        };
        let measured = drive(&[client], plan, move |client, number| {
            add_batch(client, batches[number].clone())
        })
        .await?;
        whole.elapsed += measured.elapsed;
        whole.nanos.extend(measured.nanos);
    }
    // What is counted is memories, what is timed is batches.
    let memories = options.memories as u64;
    whole.weight = memories.div_ceil(whole.nanos.len().max(1) as u64);
    print("import", options, &whole, daemon);
    settle(daemon).await
}

async fn searches(options: &Options, daemon: &Daemon, texts: &Arc<Texts>) -> Result<(), WireError> {
    let filters: &[(&str, Within)] = match options.filter_owner {
        true => &[
            ("search", Within::All),
            ("search_filtered", Within::Owner),
            ("search_session", Within::Session),
        ],
        false => &[("search", Within::All)],
    };
    for (name, within) in filters {
        let clients = connect(daemon, options.clients).await?;
        let plan = Plan {
            count: options.queries,
            in_flight: options.in_flight,
            most: Duration::from_secs(options.seconds),
        };
        let (texts, memories, within) = (texts.clone(), options.memories, *within);
        let measured = drive(&clients, plan, move |client, number| {
            let request = question(&texts, number, memories, within);
            async move { call!(client, memory_search, request).await.map(drop) }
        })
        .await?;
        print(name, options, &measured, daemon);
    }
    Ok(())
}

/// A question about one of that many memories.
pub fn question(texts: &Texts, number: usize, memories: usize, within: Within) -> MemorySearch {
    let mut random = Random::new(0xbeef ^ number as u64);
    let about = random.below(memories);
    let query = texts.question(&mut random, &text(texts, about));
    let owner = (within == Within::Owner).then(|| format!("owner-{}", random.below(OWNERS)));
    let session = (within == Within::Session).then(|| format!("session-{}", about / SESSION));
    MemorySearch {
        query,
        limit: Some(10),
        filter: MemoryFilter {
            owner,
            session,
            ..Default::default()
        },
        ..Default::default()
    }
}

/// Four searches of five, else adds and updates by key.
async fn mixed(options: &Options, daemon: &Daemon, texts: &Arc<Texts>) -> Result<(), WireError> {
    let clients = connect(daemon, options.clients).await?;
    let plan = Plan {
        count: usize::MAX,
        in_flight: options.in_flight,
        most: Duration::from_secs(options.seconds),
    };
    let (texts, memories) = (texts.clone(), options.memories);
    let measured = drive(&clients, plan, move |client, number| {
        let (search, mut write) = (
            question(&texts, number, memories, Within::All),
            memory(&texts, memories + number),
        );
        async move {
            match number % 10 {
                0 => call!(client, memory_add, write).await.map(drop),
                1 => {
                    write.key = Some(format!("load-{}", number % memories));
                    write.on_conflict = OnConflict::Update;
                    call!(client, memory_add, write).await.map(drop)
                }
                _ => call!(client, memory_search, search).await.map(drop),
            }
        }
    })
    .await?;
    print("mixed", options, &measured, daemon);
    Ok(())
}

/// Reads and recomputes the whole audit log, as `audit verify` does.
async fn verify(options: &Options, daemon: &Daemon) -> Result<(), WireError> {
    let client = daemon.client(None).await?;
    let mut verifier = Verifier::new();
    let mut measured = Measured::default();
    let start = Instant::now();
    let mut from = AuditSeq(1);
    loop {
        let page = Instant::now();
        let read = call!(client, audit_read, AuditRead { from }).await?;
        let bytes = BASE64
            .decode(read.entries.as_bytes())
            .map_err(|error| failed("the audit log is no base64", error))?;
        for entry in split_frames(&bytes) {
            let entry =
                entry.map_err(|error| failed("the audit log is no row of entries", error))?;
            verifier
                .push(entry)
                .map_err(|error| failed("the audit log does not verify", error))?;
        }
        measured
            .nanos
            .push(u64::try_from(page.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if read.end || read.next <= from {
            break;
        }
        from = read.next;
    }
    measured.elapsed = start.elapsed();
    measured.weight = verifier.size() / measured.nanos.len().max(1) as u64;
    print("verify", options, &measured, daemon);
    Ok(())
}

/// Times `status` as a whole process.
fn statuses(options: &Options, daemon: &Daemon) -> Result<(), WireError> {
    let Some(ctl) = &options.ctl else {
        return Ok(());
    };
    let mut measured = Measured {
        weight: 1,
        ..Measured::default()
    };
    let start = Instant::now();
    for _ in 0..50 {
        let from = Instant::now();
        let mut command = Command::new(ctl);
        caller::clean(&mut command, daemon.home().path());
        let status = command
            .args(["status", "-o", "json"])
            .stdout(Stdio::null())
            .status();
        match status {
            Ok(status) if status.success() => {}
            other => return Err(failed("the command line fails", format!("{other:?}"))),
        }
        measured
            .nanos
            .push(u64::try_from(from.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    measured.elapsed = start.elapsed();
    print("status", options, &measured, daemon);
    Ok(())
}

/// Stops the daemon, starts it again, and times how long the first answered search takes.
fn restart(
    options: &Options,
    programs: &Programs,
    daemon: Daemon,
    runtime: &tokio::runtime::Runtime,
) -> Result<(), WireError> {
    let home = daemon.stop();
    let start = Instant::now();
    let daemon = Daemon::start_in(programs, home);
    runtime.block_on(async {
        let client = daemon.client(None).await?;
        let request = MemorySearch {
            query: "the plan".to_owned(),
            ..Default::default()
        };
        call!(client, memory_search, request).await.map(drop)
    })?;
    let elapsed = start.elapsed();
    let nanos = vec![u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)];
    print(
        "start",
        options,
        &Measured {
            nanos,
            weight: 1,
            elapsed,
        },
        &daemon,
    );
    drop(daemon.stop());
    Ok(())
}
