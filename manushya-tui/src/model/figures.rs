//! What is counted or weighed, as lines of text: permissions, scores, and counts as bars.

use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::memory::{Count, MemoryStats, ScoreParts};
use manushya_protocol::v1::review::PermissionView;

use super::document::{blank, pair, title};
use super::rule::{decided, json};
use crate::text::{Role, Spans, age, bar, clean, count, line, pad, pad_left};

/// What one may do, and by which policy; a condition with the rule that it is.
pub fn permissions(found: &[PermissionView], ascii: bool) -> Vec<Spans> {
    let mut lines = Vec::new();
    for it in found {
        let (role, word) = match it.answer.as_str() {
            "yes" => decided(true, ascii),
            "no" => decided(false, ascii),
            _ => (Role::Warn, if ascii { "~ IF" } else { "≈ IF" }),
        };
        let what = format!("{}.{}", it.resource, it.action);
        lines.push(vec![
            (role, pad(word, 9)),
            (Role::Plain, pad(&what, 18)),
            (
                Role::Dim,
                clean(it.policy.as_deref().unwrap_or("nothing matched")),
            ),
        ]);
        let condition = it.condition.as_ref().map(json).unwrap_or_default();
        for line in condition {
            let mut spans = vec![(Role::Plain, " ".repeat(9))];
            spans.extend(line);
            lines.push(spans);
        }
    }
    lines
}

/// How a score came about.
pub fn score(score: f32, parts: &ScoreParts) -> Vec<Spans> {
    let share = |name: &str, value: f32, weight: f32| {
        vec![
            (Role::Dim, format!("{name:<13}")),
            (
                Role::Number,
                format!("{value:.3} x {weight:.2} = {:.3} ", value * weight),
            ),
            (Role::Ok, bar(f64::from(value * weight), 20, "#", ".")),
        ]
    };
    let mut lines = vec![
        vec![
            (Role::Title, format!("score {score:.3} ")),
            (Role::Ok, bar(f64::from(score), 20, "#", ".")),
        ],
        blank(),
        share("lexical", parts.lexical, parts.lexical_weight),
        pair("  bm25", format!("{:.3}", parts.bm25)),
    ];
    for term in &parts.terms {
        lines.push(pair(
            "  word",
            format!("{:<16} {:.3}", clean(&term.term), term.score),
        ));
    }
    for (place, window) in parts.windows.iter().enumerate() {
        lines.push(pair(
            "  window",
            format!("{} turns a side: {window:.3}", place + 1),
        ));
    }
    lines.push(share("semantic", parts.semantic, parts.semantic_weight));
    lines.push(pair("  cosine", format!("{:.3}", parts.cosine)));
    lines.push(pair("  lent", format!("{:.3}", parts.lent)));
    lines
}

/// Counts as bars.
pub fn stats(stats: &MemoryStats, now: UnixMillis) -> Vec<Spans> {
    let mut lines = vec![pair("memories", count(stats.memories))];
    if let (Some(oldest), Some(newest)) = (stats.oldest, stats.newest) {
        lines.push(pair(
            "age",
            format!("oldest {}, newest {}", age(now, oldest), age(now, newest)),
        ));
    }
    for (name, counts) in [
        ("by type", &stats.by_type),
        ("by owner", &stats.by_owner),
        ("by age", &stats.by_age),
        ("by namespace", &stats.by_namespace),
        ("by tag", &stats.by_tag),
    ] {
        lines.push(blank());
        lines.push(title(name));
        lines.extend(bars(counts, 12));
    }
    lines
}

/// The first counts as bars.
pub fn bars(counts: &[Count], rows: usize) -> Vec<Spans> {
    let most = counts.iter().map(|it| it.count).max().unwrap_or(1).max(1);
    let row = |it: &Count| {
        let part = it.count as f64 / most as f64;
        vec![
            (Role::Plain, pad(&clean(&it.name), 18)),
            (Role::Number, pad_left(&count(it.count), 10)),
            (Role::Ok, format!(" {}", bar(part, 24, "#", ""))),
        ]
    };
    let mut lines: Vec<Spans> = counts.iter().take(rows).map(row).collect();
    if counts.len() > rows {
        lines.push(line(
            Role::Dim,
            format!("and {} more", count((counts.len() - rows) as u64)),
        ));
    }
    lines
}
