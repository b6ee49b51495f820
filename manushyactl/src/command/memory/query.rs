//! `memory get list search history stats`.

use manushya_protocol::limits;
use manushya_protocol::v1::memory::{
    Count, MemoryHistory, MemoryList, MemoryRef, MemorySearch, MemoryStats, MemoryStatsOf,
    SearchMode,
};
use manushya_protocol::v1::recall::{Ranking, SearchLeft};

use super::{filter, memory_id};
use crate::cli::args::Filter;
use crate::cli::memory as cli;
use crate::command::each;
use crate::config::Format;
use crate::context::{Context, call, ids, text_argument};
use crate::error::Outcome;
use crate::ui::render::Row as _;
use crate::ui::rows::Explained;
use crate::ui::{json, render, table, time};

/// Shows memories by id.
pub async fn get(arguments: &[String], context: &Context) -> Outcome {
    let ids = ids(arguments)?;
    let client = context.connect().await?;
    let many = ids.len() > 1;
    if many && context.ui.format == Format::Csv {
        let fields = manushya_protocol::v1::memory::MemoryView::FIELDS;
        context
            .ui
            .emit(&json::csv_line(fields.iter().map(ToString::to_string)))?;
    }
    let mut first = true;
    let mut kept = Vec::new();
    let outcome = each(context, &ids, async |id| {
        let memory = call!(client, memory_get, MemoryRef { id: memory_id(id)? }).await?;
        let format = context.ui.format;
        match format {
            _ if !many => context.ui.item(&memory),
            Format::Json | Format::Yaml => {
                kept.push(memory);
                Ok(())
            }
            Format::Table => {
                if !std::mem::take(&mut first) {
                    context.ui.line("")?;
                }
                context.ui.item(&memory)
            }
            _ => context.ui.emit(&render::lines(format, &[memory])?),
        }
    })
    .await;
    if many && matches!(context.ui.format, Format::Json | Format::Yaml) {
        context.ui.list(&kept, None, kept.len() as u64)?;
    }
    outcome
}

/// Lists memories.
pub async fn list(arguments: &cli::List, context: &Context) -> Outcome {
    let filter = filter(&arguments.filter)?;
    let client = context.connect().await?;
    context
        .list(&arguments.paging, async |page| {
            let (deleted, expired) = (arguments.deleted, arguments.expired);
            let filter = filter.clone();
            call!(
                client,
                memory_list,
                MemoryList {
                    filter,
                    deleted,
                    page,
                    expired
                }
            )
            .await
        })
        .await
}

/// Shows the versions of a memory.
pub async fn history(arguments: &cli::History, context: &Context) -> Outcome {
    let id = memory_id(&arguments.id)?;
    let client = context.connect().await?;
    context
        .list(&arguments.paging, async |page| {
            call!(client, memory_history, MemoryHistory { id, page }).await
        })
        .await
}

/// How to search, as clap has checked it.
pub(super) fn mode(text: &str) -> SearchMode {
    match text {
        "lexical" => SearchMode::Lexical,
        "semantic" => SearchMode::Semantic,
        _ => SearchMode::Hybrid,
    }
}

/// What the flags say shall count beside the question.
pub(super) fn ranking(arguments: &cli::Ranking) -> Ranking {
    Ranking {
        half_life_seconds: arguments.recency,
        trust: arguments.by_trust,
        importance: arguments.by_importance,
        diversify: arguments.diversify,
        collapse: arguments.collapse,
        duplicates: arguments.duplicates,
        as_of: arguments.as_of,
        superseded: arguments.superseded,
    }
}

/// Finds the memories that answer a question.
pub async fn search(arguments: &cli::Search, context: &Context) -> Outcome {
    let request = MemorySearch {
        query: text_argument(&arguments.query, limits::QUERY_BYTES_MAX, "a question")?,
        mode: mode(&arguments.mode),
        limit: Some(arguments.limit),
        filter: filter(&arguments.filter)?,
        min_score: arguments.min_score,
        explain: arguments.explain,
        ranking: ranking(&arguments.ranking),
    };
    let client = context.connect().await?;
    let found = call!(client, memory_search, request).await?;
    if context.ui.is_table() {
        if found.items.is_empty() {
            context.ui.note("nothing found");
        } else if arguments.explain {
            let items: Vec<_> = found.items.iter().map(Explained).collect();
            context.ui.list(&items, None, found.total)?;
        } else {
            context.ui.list(&found.items, None, found.total)?;
        }
    } else if matches!(context.ui.format, Format::Json | Format::Yaml) {
        // The document also says whether the answer is complete.
        context.ui.document(&found, String::new)?;
    } else {
        context.ui.list(&found.items, None, found.total)?;
    }
    if context.ui.is_table() {
        let alike: u64 = found.items.iter().map(|hit| hit.duplicates).sum();
        if alike > 0 {
            let more = time::things(alike, "more result says", "more results say");
            context.ui.note(&format!(
                "{more} the same word for word: --duplicates shows them"
            ));
        }
        if let Some(left) = &found.left {
            context.ui.note(&left_note(left));
        }
    }
    if found.semantic != "complete" {
        let semantic = table::one_line(&found.semantic);
        context.ui.note(&format!(
            "note: {semantic} (manushyactl memory reembed --status)"
        ));
    }
    Ok(())
}

/// Why others are not in the answer.
fn left_note(left: &SearchLeft) -> String {
    let mut text = format!(
        "of {} searchable: {} not meant by the filter, {} unlike the question, {} below the floor, \
         {} saying the same, {} behind; {}",
        time::count(left.searchable),
        time::count(left.filter),
        time::count(left.unlike),
        time::count(left.floor),
        time::count(left.duplicate),
        time::count(left.limit),
        left.policy,
    );
    for out in &left.nearest {
        text.push_str(&format!(
            "\n  {:.3} {} left: {}",
            out.score, out.id, out.reason
        ));
        if let Some(of) = out.of {
            text.push_str(&format!(" of {of}"));
        }
    }
    text
}

/// Counts memories.
pub async fn stats(arguments: &Filter, context: &Context) -> Outcome {
    let filter = filter(arguments)?;
    let client = context.connect().await?;
    let stats = call!(client, memory_stats, MemoryStatsOf { filter }).await?;
    if context.ui.format == Format::Csv {
        return context.ui.emit(&stats_csv(&stats));
    }
    context
        .ui
        .document(&stats, || stats_table(&stats, &context.ui.human()))
}

fn groups(stats: &MemoryStats) -> [(&'static str, &[Count]); 5] {
    [
        ("type", &stats.by_type),
        ("owner", &stats.by_owner),
        ("namespace", &stats.by_namespace),
        ("tag", &stats.by_tag),
        ("age", &stats.by_age),
    ]
}

fn stats_csv(stats: &MemoryStats) -> String {
    let mut text = String::from("by,name,count\n");
    text.push_str(&format!("all,,{}\n", stats.memories));
    for (by, counts) in groups(stats) {
        for count in counts {
            let fields = [by.to_owned(), count.name.clone(), count.count.to_string()];
            text.push_str(&json::csv_line(fields));
        }
    }
    text
}

fn stats_table(stats: &MemoryStats, human: &render::Human) -> String {
    const SHOWN: usize = 10;
    let mut rows = vec![("memories".to_owned(), time::count(stats.memories))];
    for (name, moment) in [("oldest", stats.oldest), ("newest", stats.newest)] {
        if let Some(moment) = moment {
            rows.push((name.to_owned(), time::full(moment, human.now)));
        }
    }
    for (by, counts) in groups(stats) {
        let mut lines: Vec<String> = counts
            .iter()
            .take(SHOWN)
            .map(|c| format!("{:>8}  {}", time::count(c.count), table::one_line(&c.name)))
            .collect();
        if counts.len() > SHOWN {
            lines.push(format!("          and {} more", counts.len() - SHOWN));
        }
        if !lines.is_empty() {
            rows.push((format!("by {by}"), lines.join("\n")));
        }
    }
    table::pairs(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stats_are_told_in_csv_and_in_words() {
        let counts = |n: u64| Count {
            name: format!("name,{n}"),
            count: n * 1000,
        };
        let stats = MemoryStats {
            memories: 1204,
            by_type: (1..=12).map(counts).collect(),
            ..MemoryStats::default()
        };
        let text = stats_csv(&stats);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 13);
        assert_eq!(&records[1][1], "name,1");
        let words = stats_table(&stats, &render::Human::default());
        assert!(
            words.contains("1,204") && words.contains("and 2 more"),
            "{words}"
        );
    }
}
