//! What happens, live.

use ratatui::layout::Rect;

use super::pen::{Glyphs, Pen};
use super::table::{self, Table};
use crate::model::document;
use crate::model::items::Event;
use crate::model::{Link, Model};
use crate::text::{Role, Spans, bar, clean, clock, count, line, pad_left};

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    let audit = &model.audit;
    if let Some(error) = &audit.refused {
        let inner = pen.frame(body, &line(Role::Title, "Audit"), &Vec::new(), true);
        pen.document(inner, &document::error(error), 0);
        return;
    }
    let table = Table {
        title: title(pen, model),
        columns: if body.width >= 100 {
            &[
                ("SEQ", 9),
                ("TIME", 8),
                ("ACTOR", 16),
                ("ACTION", 17),
                ("DECISION", 8),
                ("POLICY", 24),
                ("OUTCOME", 12),
                ("TARGET", 0),
            ]
        } else {
            &[
                ("SEQ", 8),
                ("TIME", 8),
                ("ACTOR", 12),
                ("ACTION", 15),
                ("DECISION", 8),
                ("POLICY", 0),
            ]
        },
        empty: "nothing has happened yet",
        has_focus: true,
    };
    let glyphs = pen.glyphs;
    let wide = body.width >= 100;
    table::draw(pen, body, &audit.feed, &table, |event| {
        cells(model, glyphs, wide, event)
    });
}

/// The cells of a row.
fn cells(model: &Model, glyphs: Glyphs, wide: bool, event: &Event) -> Vec<(Role, String)> {
    let entry = match event {
        Event::Gap { count: many, .. } => {
            return vec![
                (Role::Warn, "gap".to_owned()),
                (Role::Warn, "-".to_owned()),
                (Role::Warn, format!("{} left out", count(*many))),
            ];
        }
        Event::Entry(entry) => entry,
    };
    let decision = if entry.decision == "allow" {
        (Role::Ok, format!("{} allow", glyphs.ok))
    } else {
        (Role::Bad, format!("{} deny", glyphs.bad))
    };
    let failed = entry.outcome != "OK" && entry.decision == "allow";
    let policy = clean(entry.policy.as_deref().unwrap_or("-"));
    let mut cells = vec![
        (
            Role::Dim,
            pad_left(&count(entry.seq.0), if wide { 9 } else { 8 }),
        ),
        (Role::Plain, clock(entry.time, &model.settings.zone)),
        (Role::Plain, clean(&entry.actor)),
        (Role::Plain, format!("{}.{}", entry.resource, entry.action)),
        decision,
        (
            Role::Plain,
            if failed && !wide {
                entry.outcome.clone()
            } else {
                policy
            },
        ),
    ];
    if wide {
        cells.push((
            if entry.outcome == "OK" {
                Role::Dim
            } else {
                Role::Warn
            },
            entry.outcome.clone(),
        ));
        cells.push((
            Role::Dim,
            clean(entry.resource_id.as_deref().unwrap_or("-")),
        ));
    }
    cells
}

fn title(pen: &Pen<'_>, model: &Model) -> Spans {
    let audit = &model.audit;
    let mut title = vec![(Role::Title, "Audit ".to_owned())];
    title.push(match (&audit.held, audit.follow, model.connection.link) {
        (Some(held), ..) => (
            Role::Warn,
            format!("paused, {} held back ", count(held.len() as u64)),
        ),
        (None, _, Link::Offline | Link::Reconnecting) => {
            (Role::Warn, format!("{} not live ", pen.glyphs.ring))
        }
        (None, true, _) => (Role::Ok, format!("{} live ", pen.glyphs.dot)),
        (None, false, _) => (
            Role::Plain,
            format!("{} live, not followed ", pen.glyphs.ring),
        ),
    });
    if let Some(after) = audit.after {
        title.push((Role::Plain, format!(" seq {} ", count(after.0))));
    }
    match (&audit.progress, &audit.verified) {
        (Some((done, of)), _) => {
            let part = *done as f64 / (*of).max(1) as f64;
            title.push((
                Role::Accent,
                format!(
                    " verify {} {} of {}",
                    bar(part, 12, pen.glyphs.full, pen.glyphs.empty),
                    count(*done),
                    count(*of)
                ),
            ));
        }
        (None, Some(Ok(verified))) => title.push((
            Role::Ok,
            format!(" chain {} to {}", pen.glyphs.ok, count(verified.entries)),
        )),
        (None, Some(Err(_))) => {
            title.push((Role::Bad, format!(" chain {} BROKEN", pen.glyphs.bad)))
        }
        (None, None) => title.push((Role::Dim, " chain not verified yet".to_owned())),
    }
    title
}
