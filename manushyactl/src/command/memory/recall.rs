//! `memory recall`.

use manushya_protocol::limits;
use manushya_protocol::v1::recall::MemoryRecall;

use super::filter;
use super::query::{mode, ranking};
use crate::cli::memory as cli;
use crate::config::Format;
use crate::context::{Context, call, text_argument};
use crate::error::Outcome;
use crate::ui::{render, table, time};

/// Makes a block of text of the memories that answer a question.
pub async fn run(arguments: &cli::Recall, context: &Context) -> Outcome {
    let request = MemoryRecall {
        query: text_argument(&arguments.query, limits::QUERY_BYTES_MAX, "a question")?,
        budget: Some(arguments.budget),
        limit: Some(arguments.limit),
        around: Some(arguments.around),
        mode: mode(&arguments.mode),
        filter: filter(&arguments.filter)?,
        min_score: arguments.min_score,
        ranking: ranking(&arguments.ranking),
    };
    let client = context.connect().await?;
    let recalled = call!(client, memory_recall, request).await?;
    match context.ui.format {
        // The block itself, and nothing else: it goes into a prompt.
        Format::Table => context.ui.emit(&recalled.text)?,
        Format::Json | Format::Yaml => context.ui.document(&recalled, String::new)?,
        Format::Csv => context
            .ui
            .list(&recalled.items, None, recalled.items.len() as u64)?,
        format => context.ui.emit(&render::lines(format, &recalled.items)?)?,
    }
    if context.ui.is_table() {
        let items = time::things(recalled.items.len() as u64, "memory", "memories");
        let (tokens, budget) = (time::count(recalled.tokens), time::count(recalled.budget));
        let mut note = format!("{items}, about {tokens} of {budget} tokens");
        if recalled.omitted > 0 {
            note.push_str(&format!("; no room for {}", time::count(recalled.omitted)));
        }
        context.ui.note(&note);
    }
    if recalled.semantic != "complete" {
        let note = table::one_line(&recalled.semantic);
        context.ui.note(&format!("note: {note}"));
    }
    Ok(())
}
