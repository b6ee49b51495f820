//! The daemon itself: findings, purge plans, index, embedder and the signed head.

use manushya_protocol::id::PlanId;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::system::Verdict;
use ratatui::layout::Rect;

use super::pen::Pen;
use super::table::{self, Table};
use super::{overview, panes};
use crate::model::{Model, items};
use crate::text::{Role, Spans, age, bar, bytes, clean, count, line, until};

/// What the panes are called, in their order.
pub const PANES: [&str; 4] = ["Doctor", "Purge plans", "Jobs", "Keys"];
/// Four panes need so many rows.
const ROOM: u16 = 12;

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    let facts = facts(model);
    let wanted = u16::try_from(facts.len()).unwrap_or(0) + 2;
    let above = if body.height >= 16 {
        wanted.min(body.height / 3)
    } else {
        0
    };
    if above > 2 {
        let area = Rect::new(body.x, body.y, body.width, above);
        let inner = pen.frame(area, &line(Role::Title, "Daemon"), &Vec::new(), false);
        pen.document(inner, &facts, 0);
    }
    let below = Rect::new(body.x, body.y + above, body.width, body.height - above);
    let areas = quarters(model, below);
    checks(pen, model, areas[0]);
    plans(pen, model, areas[1]);
    jobs(pen, model, areas[2]);
    keys(pen, model, areas[3]);
}

/// Where the four panes are: all of them if there is room, or those of the row that has the focus.
fn quarters(model: &Model, below: Rect) -> [Rect; 4] {
    let columns = panes(model, below, &[0, below.width / 5 * 2]);
    let is_alone = model.wide || below.width < 80;
    if is_alone {
        let place = |at: usize| {
            if model.focus == at {
                below
            } else {
                Rect::default()
            }
        };
        return [place(0), place(1), place(2), place(3)];
    }
    let [left, right] = [columns[0], columns[1]];
    if below.height < ROOM {
        let nothing = Rect::default();
        return match model.focus {
            0 | 1 => [left, right, nothing, nothing],
            _ => [nothing, nothing, left, right],
        };
    }
    let half = |area: Rect, is_below: bool| {
        let above = area.height.div_ceil(2);
        let (y, height) = if is_below {
            (area.y + above, area.height - above)
        } else {
            (area.y, above)
        };
        Rect::new(area.x, y, area.width, height)
    };
    [
        half(left, false),
        half(right, false),
        half(left, true),
        half(right, true),
    ]
}

fn facts(model: &Model) -> Vec<Spans> {
    let mut lines = Vec::new();
    let Some(status) = &model.status else {
        return vec![line(Role::Dim, "asking the daemon…")];
    };
    let pid = status.pid.map_or("-".to_owned(), |pid| pid.to_string());
    lines.push(line(
        Role::Plain,
        format!(
            "{} {}, process {pid}, {}",
            status.version,
            status.state,
            clean(&model.connection.socket)
        ),
    ));
    let Some(host) = &status.host else {
        return lines;
    };
    lines.push(line(
        Role::Plain,
        format!(
            "embedder {}, lag {}; reads audited {}",
            clean(&host.embedder),
            count(overview::embedding_lag(host)),
            host.audit_reads
        ),
    ));
    for index in &host.indexes {
        let text = format!(
            "index of {}: {} memories, {} words, {} vectors in the graph and {} beside",
            clean(&index.tenant),
            count(index.memories),
            count(index.terms),
            count(index.graph),
            count(index.tail)
        );
        let saved = index.saved_at.map_or_else(
            || "; no snapshot".to_owned(),
            |then| {
                format!(
                    "; snapshot {} ago, {}",
                    age(model.now, then),
                    bytes(index.saved_bytes)
                )
            },
        );
        let text = text + &saved;
        lines.push(line(Role::Plain, text));
    }
    if let Some(head) = &model.system.head {
        lines.push(line(
            Role::Plain,
            format!(
                "head signed at {} by {}",
                count(head.size),
                clean(&head.public_key)
            ),
        ));
    }
    lines
}

fn checks(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let table = Table {
        title: line(Role::Title, PANES[0]),
        columns: &[("VERDICT", 9), ("CHECK", 17), ("SEEN", 0)],
        empty: "nothing was checked: d",
        has_focus: model.focus == 0,
    };
    let glyphs = pen.glyphs;
    table::draw(pen, area, &model.system.checks, &table, |check| {
        let (role, sign) = match check.verdict {
            Verdict::Ok => (Role::Ok, glyphs.ok),
            Verdict::Warning => (Role::Warn, glyphs.warn),
            Verdict::Failure => (Role::Bad, glyphs.bad),
        };
        let word = items::verdict(check.verdict);
        let verdict = if sign == word {
            word.to_owned()
        } else {
            format!("{sign} {word}")
        };
        vec![
            (role, verdict),
            (Role::Plain, clean(&check.id)),
            (Role::Dim, clean(&check.evidence)),
        ]
    });
}

fn plans(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let table = Table {
        title: vec![
            (Role::Title, "Purge plans ".to_owned()),
            (Role::Plain, count(model.system.plans.total)),
        ],
        columns: &[("STATE", 8), ("MEMORIES", 8), ("LAPSES", 6), ("ERASES", 0)],
        empty: "no plan: n makes one",
        has_focus: model.focus == 1,
    };
    table::draw(pen, area, &model.system.plans, &table, |plan| {
        let is_open = plan.state == "planned";
        let what = match plan.confirm.starts_with(PlanId::PREFIX) {
            true => plan.scope.clone(),
            false => format!("{}: {}", plan.confirm, plan.scope),
        };
        vec![
            (
                if is_open { Role::Warn } else { Role::Dim },
                plan.state.clone(),
            ),
            (Role::Number, count(plan.memories)),
            (
                Role::Dim,
                if is_open {
                    until(model.now, plan.expires_at)
                } else {
                    "-".to_owned()
                },
            ),
            (Role::Plain, clean(&what)),
        ]
    });
}

fn jobs(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let table = Table {
        title: line(Role::Title, PANES[2]),
        columns: &[
            ("JOB", 10),
            ("STATE", 8),
            ("DONE", 12),
            ("ENDED", 5),
            ("OF", 0),
        ],
        empty: "the daemon tells of none",
        has_focus: model.focus == 2,
    };
    let glyphs = pen.glyphs;
    table::draw(pen, area, &model.system.jobs, &table, |job| {
        let role = match job.state.as_str() {
            "running" => Role::Accent,
            "failing" => Role::Bad,
            _ => Role::Dim,
        };
        let done = match job.total {
            Some(total) => {
                let part = job.done as f64 / total.max(1) as f64;
                let bar = bar(part, 6, glyphs.full, glyphs.empty);
                format!("{bar} {:.0} %", part * 100.0)
            }
            None if matches!(job.name.as_str(), "snapshot" | "backup") => bytes(job.done),
            None => count(job.done),
        };
        let of = job.tenant.as_deref().or(job.note.as_deref());
        vec![
            (Role::Plain, clean(&job.name)),
            (role, clean(&job.state)),
            (Role::Number, done),
            (
                Role::Dim,
                job.last_at
                    .map_or("-".to_owned(), |then| age(model.now, then)),
            ),
            (Role::Dim, clean(of.unwrap_or("the host"))),
        ]
    });
}

fn keys(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let table = Table {
        title: line(Role::Title, PANES[3]),
        columns: &[
            ("FOR", 5),
            ("STATE", 9),
            ("SINCE", 5),
            ("RETIRED", 7),
            ("KEY", 0),
        ],
        empty: "no key is known",
        has_focus: model.focus == 3,
    };
    table::draw(pen, area, &model.system.keys, &table, |key| {
        let is_used = key.state != "verifying";
        let moment = |then: Option<UnixMillis>, never: &str| {
            then.map_or_else(|| never.to_owned(), |then| age(model.now, then))
        };
        vec![
            (Role::Plain, clean(&key.kind)),
            (
                if is_used { Role::Ok } else { Role::Dim },
                clean(&key.state),
            ),
            (Role::Dim, moment(key.created_at, "-")),
            (Role::Dim, moment(key.retired_at, "-")),
            (Role::Dim, clean(&key.kid)),
        ]
    });
}
