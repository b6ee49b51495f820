//! `memory`: the main noun.

mod change;
mod export;
pub mod import;
mod query;
mod recall;
mod reembed;
mod review;

use manushya_protocol::id::MemoryId;
use manushya_protocol::limits;
use manushya_protocol::v1::memory::{MemoryFilter, OnConflict, OnDuplicate};
use serde_json::Value;

use crate::cli::args::Filter;
use crate::cli::memory::Memory;
use crate::context::{Context, text_argument};
use crate::error::{Outcome, Stop};

/// Runs a verb of `memory`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Memory, context: &Context) -> Outcome {
    match verb {
        Memory::Add(arguments) => change::add(*arguments, context).await,
        Memory::Import(arguments) => import::run(&arguments, context).await,
        Memory::Get(arguments) => query::get(&arguments.ids, context).await,
        Memory::List(arguments) => query::list(&arguments, context).await,
        Memory::Search(arguments) => query::search(&arguments, context).await,
        Memory::Update(arguments) => change::update(*arguments, context).await,
        Memory::History(arguments) => query::history(&arguments, context).await,
        Memory::Restore(arguments) => change::restore(&arguments.ids, context).await,
        Memory::Delete(arguments) => change::delete(&arguments, context).await,
        Memory::Export(arguments) => export::run(&arguments, context).await,
        Memory::Stats(arguments) => query::stats(&arguments.filter, context).await,
        Memory::Review(verb) => review::review(verb, context).await,
        Memory::Canary(verb) => review::canary(verb, context).await,
        Memory::Recall(arguments) => recall::run(&arguments, context).await,
        Memory::Reembed(arguments) => reembed::run(&arguments, context).await,
    }
}

/// The filter that the flags spell.
///
/// # Errors
///
/// A usage error if `--filter` is no JSON.
pub fn filter(arguments: &Filter) -> Outcome<MemoryFilter> {
    let rule = match &arguments.filter {
        None => None,
        Some(text) => {
            let text = text_argument(text, limits::RULE_BYTES_MAX, "a rule")?;
            Some(json_argument(&text, "--filter")?)
        }
    };
    Ok(MemoryFilter {
        kinds: arguments.kinds.clone(),
        tags: arguments.tags.clone(),
        owner: arguments.owner.clone(),
        namespace: arguments.namespace.clone(),
        session: arguments.session.clone(),
        since: arguments.since.filter(|_| arguments.writer.is_none()),
        until: arguments.until.filter(|_| arguments.writer.is_none()),
        rule,
        // The time at which a memory was first noted is its writer's word; this one is not.
        written_since: arguments.since.filter(|_| arguments.writer.is_some()),
        written_until: arguments.until.filter(|_| arguments.writer.is_some()),
        writer: arguments.writer.clone(),
        min_trust: arguments.min_trust,
    })
}

/// Reads JSON that was given with a flag.
///
/// # Errors
///
/// A usage error that says where the JSON breaks.
pub fn json_argument(text: &str, flag: &str) -> Outcome<Value> {
    serde_json::from_str(text)
        .map_err(|error| Stop::usage(format!("{flag} is not JSON")).reason(error.to_string()))
}

fn memory_id(text: &str) -> Outcome<MemoryId> {
    text.parse()
        .map_err(|error: manushya_protocol::id::ParseIdError| Stop::usage(error.to_string()))
}

/// What to do about a duplicate, as clap has checked it.
fn on_duplicate(text: &str) -> OnDuplicate {
    match text {
        "skip" => OnDuplicate::Skip,
        "supersede" => OnDuplicate::Supersede,
        _ => OnDuplicate::Keep,
    }
}

/// What to do on a conflict, as clap has checked it.
fn on_conflict(text: &str) -> OnConflict {
    match text {
        "update" => OnConflict::Update,
        "skip" => OnConflict::Skip,
        _ => OnConflict::Fail,
    }
}
