//! How it is, all in one view.

use manushya_protocol::v1::system::{HostStatus, Status};
use ratatui::layout::Rect;

use super::latency;
use super::pen::Pen;
use crate::model::traffic::Rate;
use crate::model::{Model, attention};
use crate::text::{Role, Spans, bar, bytes, clean, count, line, micros, pad, pad_left, span};

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    let found = attention::of(model);
    let wanted = u16::try_from(found.len()).unwrap_or(u16::MAX).clamp(1, 8) + 2;
    let below = wanted.min(body.height / 2).max(3);
    let above = Rect::new(body.x, body.y, body.width, body.height - below);
    let halves = if body.width < 80 {
        let top = above.height / 2;
        [
            Rect::new(above.x, above.y, above.width, top),
            Rect::new(above.x, above.y + top, above.width, above.height - top),
        ]
    } else {
        let left = (above.width / 2).min(60);
        [
            Rect::new(above.x, above.y, left, above.height),
            Rect::new(above.x + left, above.y, above.width - left, above.height),
        ]
    };
    health(pen, model, halves[0]);
    traffic(pen, model, halves[1]);
    let area = Rect::new(body.x, body.bottom() - below, body.width, below);
    needs(pen, model, &found, area);
}

fn health(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let inner = pen.frame(area, &line(Role::Title, "Health"), &Vec::new(), false);
    let lines = match &model.status {
        None => vec![line(Role::Dim, "asking the daemon…")],
        Some(status) => health_lines(pen, model, status),
    };
    for (row, spans) in lines.iter().enumerate().take(usize::from(inner.height)) {
        pen.spans(
            inner.x,
            inner.y + u16::try_from(row).unwrap_or(0),
            inner.width,
            spans,
        );
    }
}

fn row(pen: &Pen<'_>, is_fine: bool, name: &str, text: String) -> Spans {
    let (role, sign) = if is_fine {
        (Role::Ok, pen.glyphs.ok)
    } else {
        (Role::Warn, pen.glyphs.warn)
    };
    vec![
        (
            role,
            format!("{} ", pad(sign, pen.glyphs.ok.chars().count())),
        ),
        (Role::Dim, pad(name, 11)),
        (Role::Plain, text),
    ]
}

fn health_lines(pen: &Pen<'_>, model: &Model, status: &Status) -> Vec<Spans> {
    let up = span(status.uptime_seconds);
    let mut lines = vec![row(
        pen,
        status.state == "serving",
        "daemon",
        format!("{} {}, up {up}", status.version, status.state),
    )];
    let Some(host) = &status.host else {
        lines.push(line(Role::Dim, "numbers of the host are for its operator"));
        return lines;
    };
    let activity = &host.activity;
    let free = activity.disk_free_bytes;
    lines.push(row(pen, true, "memories", count(host.memories)));
    lines.push(row(
        pen,
        true,
        "identities",
        format!(
            "{}, {} tokens, {} policies",
            count(host.identities),
            count(host.tokens),
            count(host.policies)
        ),
    ));
    let disk = free.map_or_else(String::new, |free| format!(", {} free", bytes(free)));
    lines.push(row(
        pen,
        free.is_none_or(|free| free > 1 << 30),
        "disk",
        format!("{}{disk}", bytes(host.store_bytes)),
    ));
    lines.push(row(
        pen,
        host.queue < 256,
        "queue",
        format!(
            "{} waiting, {} connected",
            count(host.queue),
            count(host.connections)
        ),
    ));
    let waiting = graph_lag(host);
    let index = format!(
        "lag {}, {} outside the graph",
        count(activity.index_lag),
        count(waiting)
    );
    lines.push(row(pen, activity.index_lag < 64, "index", index));
    let unembedded = embedding_lag(host);
    lines.push(row(
        pen,
        unembedded == 0,
        "embedding",
        format!("lag {}, {}", count(unembedded), clean(&host.embedder)),
    ));
    audit_lines(pen, model, host, &mut lines);
    lines
}

fn audit_lines(pen: &Pen<'_>, model: &Model, host: &HostStatus, lines: &mut Vec<Spans>) {
    let root = host.audit_root.get(..12).unwrap_or(&host.audit_root);
    let verified = match &model.audit.verified {
        None => "not verified yet: 5 V".to_owned(),
        Some(Ok(verified)) => format!("verified to {}", count(verified.entries)),
        Some(Err(_)) => "DOES NOT VERIFY".to_owned(),
    };
    let fine = !matches!(model.audit.verified, Some(Err(_)));
    lines.push(row(
        pen,
        fine,
        "audit",
        format!("{} entries, root {root}", count(host.audit_size)),
    ));
    lines.push(row(pen, fine, "chain", verified));
    let signed = count(host.audit_signed);
    let anchor = match (&host.audit_anchor_fault, host.audit_anchored) {
        (Some(fault), _) => format!("signed to {signed}, NOT anchored: {}", clean(fault)),
        (None, 0) => format!("signed to {signed}, none since the start"),
        (None, anchored) => format!("anchored to {}, signed to {signed}", count(anchored)),
    };
    let is_anchored = host.audit_anchor_fault.is_none();
    lines.push(row(pen, is_anchored, "anchor", anchor));
}

/// How many vectors wait for the graphs, where there are some.
pub fn graph_lag(host: &HostStatus) -> u64 {
    host.indexes
        .iter()
        .filter(|index| index.graph > 0)
        .map(|index| index.tail)
        .sum()
}

/// How many memories are yet to be embedded.
pub fn embedding_lag(host: &HostStatus) -> u64 {
    host.indexes.iter().map(|index| index.pending).sum()
}

fn traffic(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let title = line(Role::Title, "Traffic");
    let inner = pen.frame(area, &title, &Vec::new(), false);
    let Some(host) = model
        .status
        .as_ref()
        .and_then(|status| status.host.as_ref())
    else {
        pen.document(inner, &[line(Role::Dim, "no numbers yet")], 0);
        return;
    };
    let cells = usize::from(inner.width).saturating_sub(27);
    let mut lines = rates(pen, model, cells);
    // What is left when times and names have their lines.
    let names = host.activity.busiest.len().min(5) + 1;
    let spare = usize::from(inner.height).saturating_sub(lines.len() + 5 + names);
    latency::charts(pen, model, cells, spare, &mut lines);
    latencies(host, &mut lines);
    busiest(pen, host, cells, &mut lines);
    for (row, spans) in lines.iter().enumerate().take(usize::from(inner.height)) {
        pen.spans(
            inner.x,
            inner.y + u16::try_from(row).unwrap_or(0),
            inner.width,
            spans,
        );
    }
}

/// Rates as heights, the newest at the right.
fn rates(pen: &Pen<'_>, model: &Model, cells: usize) -> Vec<Spans> {
    let rate = model.traffic.now();
    let chart = |name: &str, now: f64, of: fn(&Rate) -> f64, role: Role| -> Spans {
        let series = model.traffic.series(cells, of);
        vec![
            (Role::Dim, pad(name, 12)),
            (Role::Plain, pad_left(&format!("{now:.1}/s"), 10)),
            (role, format!(" {}", pen.spark(&series))),
        ]
    };
    let denied = if rate.denied > 0.0 {
        Role::Bad
    } else {
        Role::Accent
    };
    vec![
        chart(
            "operations",
            rate.operations,
            |rate| rate.operations,
            Role::Accent,
        ),
        chart("denials", rate.denied, |rate| rate.denied, denied),
    ]
}

fn latencies(host: &HostStatus, lines: &mut Vec<Spans>) {
    lines.push(line(
        Role::Dim,
        format!(
            "{} {} {} {}",
            pad("a minute", 8),
            pad_left("calls", 6),
            pad_left("p50", 9),
            pad_left("p99", 9)
        ),
    ));
    for latency in &host.activity.latencies {
        lines.push(vec![
            (Role::Dim, pad(&latency.kind, 8)),
            (
                Role::Plain,
                format!(
                    " {} {} {}",
                    pad_left(&count(latency.count), 6),
                    pad_left(&micros(latency.p50_us), 9),
                    pad_left(&micros(latency.p99_us), 9)
                ),
            ),
        ]);
    }
}

fn busiest(pen: &Pen<'_>, host: &HostStatus, cells: usize, lines: &mut Vec<Spans>) {
    lines.push(line(Role::Title, "busiest since the start"));
    let most = host
        .activity
        .busiest
        .first()
        .map_or(1, |busy| busy.count)
        .max(1);
    for busy in &host.activity.busiest {
        let part = busy.count as f64 / most as f64;
        lines.push(vec![
            (Role::Plain, pad(&clean(&busy.name), 16)),
            (Role::Number, pad_left(&count(busy.count), 9)),
            (
                Role::Ok,
                format!(" {}", bar(part, cells.min(20), pen.glyphs.full, "")),
            ),
        ]);
    }
}

fn needs(pen: &mut Pen<'_>, model: &Model, found: &[attention::Attention], area: Rect) {
    let title = line(Role::Title, format!("Needs attention {}", found.len()));
    let inner = pen.frame(area, &title, &Vec::new(), true);
    if found.is_empty() {
        let spans = vec![
            (Role::Ok, pen.glyphs.ok.to_owned()),
            (Role::Plain, " nothing".to_owned()),
        ];
        pen.spans(inner.x, inner.y, inner.width, &spans);
    }
    let visible = usize::from(inner.height).max(1);
    let selected = model.attention.min(found.len().saturating_sub(1));
    let first = selected
        .saturating_sub(visible / 2)
        .min(found.len().saturating_sub(visible));
    for (place, attention) in found.iter().enumerate().skip(first).take(visible) {
        let y = inner.y + u16::try_from(place - first).unwrap_or(0);
        let sign = if attention.role == Role::Bad {
            pen.glyphs.bad
        } else {
            pen.glyphs.warn
        };
        let here = if place == selected {
            pen.glyphs.here
        } else {
            " "
        };
        let spans = vec![
            (Role::Accent, format!("{here} ")),
            (attention.role, format!("{sign} ")),
            (Role::Plain, clean(&attention.text)),
            (Role::Dim, format!("  {}", attention.screen.name())),
        ];
        pen.spans(inner.x, y, inner.width, &spans);
    }
}
