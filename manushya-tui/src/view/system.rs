//! The daemon itself: findings, purge plans, index, embedder and the signed head.

use manushya_protocol::id::PlanId;
use manushya_protocol::v1::system::Verdict;
use ratatui::layout::Rect;

use super::pen::Pen;
use super::table::{self, Table};
use super::{overview, panes};
use crate::model::{Model, items};
use crate::text::{Role, Spans, clean, count, line, until};

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
    let areas = panes(model, below, &[0, body.width / 5 * 2]);
    checks(pen, model, areas[0]);
    plans(pen, model, areas[1]);
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
        title: line(Role::Title, "Doctor"),
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
