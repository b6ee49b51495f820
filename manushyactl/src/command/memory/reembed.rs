//! `memory reembed`: how far the embedding of memories is, and trying again what failed.

use std::time::Duration;

use manushya_protocol::client::Client;
use manushya_protocol::exit;
use manushya_protocol::v1::embedding::{EmbedderView, MemoryReembed, ReembedView};

use crate::cli::memory as cli;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::{table, time};

/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(250);
/// How many failures a table shows.
const FAILURES_TOLD: usize = 10;

impl Row for ReembedView {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "state", "embedder", "serving", "memories", "embedded", "pending", "failed", "reason",
        "retry_at", "failures",
    ];
    const NAME: &'static str = "state";
}

/// Has what failed tried again, and shows how far it is until all is embedded or has failed.
pub async fn run(arguments: &cli::Reembed, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let request = MemoryReembed {
        retry: !arguments.status,
        follow: false,
    };
    let mut view = call!(client, memory_reembed, request).await?;
    if !arguments.status && !context.dry_run {
        view = follow(view, &client, context).await?;
    }
    context.note_dry_run();
    context.ui.told(&view, || words(&view, context))?;
    match view.failed {
        0 => Ok(()),
        _ => Err(Stop::Exit(exit::PARTIAL)),
    }
}

async fn follow(mut view: ReembedView, client: &Client, context: &Context) -> Outcome<ReembedView> {
    let mut progress = context.ui.progress("embed", Some(view.memories));
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let before = view.embedded;
    while !matches!(view.state.as_str(), "complete" | "failing") {
        let made = view.embedded.saturating_sub(before);
        let rate = (made as f64 / progress.seconds().max(0.001)) as u64;
        progress.at(view.embedded, || told(&view, rate));
        tokio::select! {
            _ = &mut interrupt => {
                progress.finish();
                context.ui.note("the daemon goes on; run it again to see how far it is");
                return Err(Stop::Exit(exit::INTERRUPTED));
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        let request = MemoryReembed {
            retry: false,
            follow: true,
        };
        view = call!(client, memory_reembed, request).await?;
    }
    progress.finish();
    Ok(view)
}

fn told(view: &ReembedView, rate: u64) -> String {
    let so_far = format!(
        "{} of {}",
        time::count(view.embedded),
        time::things(view.memories, "memory", "memories")
    );
    match &view.reason {
        Some(reason) => format!("{so_far}, waiting: {}", table::one_line(reason)),
        None => format!("{so_far}, {}/s", time::count(rate)),
    }
}

/// An embedder on one line.
fn embedder(view: &EmbedderView) -> String {
    let text = format!(
        "{} {} {} dimensions, revision {}",
        view.provider, view.model, view.dimensions, view.revision
    );
    table::one_line(&text)
}

fn words(view: &ReembedView, context: &Context) -> String {
    let serving = match &view.serving {
        Some(serving) => embedder(serving),
        None => "words only, until enough vectors are made".to_owned(),
    };
    let mut rows = vec![
        ("state".to_owned(), view.state.clone()),
        ("embedder".to_owned(), embedder(&view.embedder)),
        ("questions by".to_owned(), serving),
        ("embedded".to_owned(), told_count(view)),
    ];
    if let Some(reason) = &view.reason {
        rows.push(("waiting".to_owned(), table::one_line(reason)));
    }
    let now = context.ui.human().now;
    let mut lines: Vec<String> = view
        .failures
        .iter()
        .take(FAILURES_TOLD)
        .map(|failure| {
            format!(
                "{}  {} tries, again {}: {}",
                failure.id,
                failure.attempts,
                time::ago(failure.retry_at, now),
                table::one_line(&failure.reason)
            )
        })
        .collect();
    let more = view.failed.saturating_sub(lines.len() as u64);
    if more > 0 && !lines.is_empty() {
        lines.push(format!("and {} more", time::count(more)));
    }
    if !lines.is_empty() {
        rows.push(("failed".to_owned(), lines.join("\n")));
    }
    table::pairs(&rows)
}

fn told_count(view: &ReembedView) -> String {
    let memories = time::things(view.memories, "memory", "memories");
    let mut text = format!("{} of {memories}", time::count(view.embedded));
    if view.failed > 0 {
        text.push_str(&format!(", {} failed", time::count(view.failed)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_why_it_waits() {
        let mut view = ReembedView {
            memories: 2000,
            embedded: 1204,
            pending: 796,
            ..ReembedView::default()
        };
        assert_eq!(told(&view, 90), "1,204 of 2,000 memories, 90/s");
        view.reason = Some("it is\u{1b}[31m down".to_owned());
        let told = told(&view, 0);
        assert!(
            told.contains("waiting: it is") && !told.contains('\u{1b}'),
            "{told:?}"
        );
        view.failed = 3;
        assert_eq!(told_count(&view), "1,204 of 2,000 memories, 3 failed");
    }
}
