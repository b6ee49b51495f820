//! Identities, policies and tokens.

use manushya_protocol::v1::policy::Effect;
use manushya_protocol::v1::token::TokenView;
use ratatui::layout::Rect;

use super::panes;
use super::pen::{Glyphs, Pen};
use super::table::{self, Table};
use crate::model::{Model, document, extent};
use crate::text::{Role, Spans, age, bar, clean, count, height, line, until};

/// A text beside a list.
pub fn side(
    pen: &mut Pen<'_>,
    area: Rect,
    title: &str,
    lines: &[Spans],
    has_focus: bool,
    scroll: usize,
) {
    let inner = pen.frame(
        area,
        &line(Role::Title, clean(title)),
        &Vec::new(),
        has_focus,
    );
    let total = height(lines, usize::from(inner.width));
    let last = total.saturating_sub(usize::from(inner.height));
    pen.document(inner, lines, if has_focus { scroll.min(last) } else { 0 });
}

/// Draws the identities.
pub fn identities(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    let areas = panes(model, body, &[0, extent::detail_cells(body.width)]);
    let list = &model.identities.list;
    let table = Table {
        title: vec![
            (Role::Title, "Identities ".to_owned()),
            (Role::Plain, count(list.total)),
        ],
        columns: &[("NAME", 0), ("ROLE", 8), ("STATE", 10), ("SEEN", 5)],
        empty: "there is no identity: c creates one",
        has_focus: model.focus == 0,
    };
    let glyphs = pen.glyphs;
    table::draw(pen, areas[0], list, &table, |identity| {
        let state = if identity.is_active {
            (Role::Ok, format!("{} active", glyphs.ok))
        } else {
            (Role::Bad, format!("{} disabled", glyphs.bad))
        };
        let seen = model
            .last_seen(identity)
            .map_or("-".to_owned(), |then| age(model.now, then));
        vec![
            (Role::Plain, clean(&identity.external_id)),
            (Role::Plain, clean(&identity.role)),
            state,
            (Role::Dim, seen),
        ]
    });
    if let Some(identity) = list.current() {
        let lines = document::identity(identity, model);
        side(
            pen,
            areas[1],
            "detail",
            &lines,
            model.focus == 1,
            model.scroll,
        );
    } else {
        side(pen, areas[1], "detail", &[], model.focus == 1, 0);
    }
}

/// Draws the policies.
pub fn policies(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    let areas = panes(model, body, &[0, extent::detail_cells(body.width)]);
    let list = &model.policies.list;
    let is_narrow = areas[0].width < 60;
    let table = Table {
        title: vec![
            (Role::Title, "Policies ".to_owned()),
            (Role::Plain, count(list.total)),
        ],
        columns: if is_narrow {
            &[("PRIO", 4), ("EFFECT", 7), ("NAME", 0), ("HITS", 6)]
        } else {
            &[
                ("PRIO", 5),
                ("EFFECT", 8),
                ("NAME", 0),
                ("HITS", 8),
                ("ROLE", 10),
            ]
        },
        empty: "there is no policy, so everything is denied",
        has_focus: model.focus == 0,
    };
    let glyphs = pen.glyphs;
    table::draw(pen, areas[0], list, &table, |policy| {
        let effect = match (policy.is_active, policy.effect) {
            (false, _) => (Role::Dim, "off".to_owned()),
            (true, Effect::Allow) => (Role::Ok, format!("{} allow", glyphs.ok)),
            (true, Effect::Deny) => (Role::Bad, format!("{} deny", glyphs.bad)),
            (true, Effect::Redact) => (Role::Warn, "redact".to_owned()),
            (true, Effect::Require) => (Role::Warn, "require".to_owned()),
        };
        vec![
            (Role::Number, policy.priority.to_string()),
            effect,
            (
                if policy.is_active {
                    Role::Plain
                } else {
                    Role::Dim
                },
                clean(&policy.name),
            ),
            (
                Role::Dim,
                model.hits(&policy.name).map_or("-".to_owned(), count),
            ),
            (Role::Plain, clean(&policy.role)),
        ]
    });
    let lines = list
        .current()
        .map(|policy| document::policy(policy, model))
        .unwrap_or_default();
    side(
        pen,
        areas[1],
        "rule",
        &lines,
        model.focus == 1,
        model.scroll,
    );
}

/// Draws the tokens.
pub fn tokens(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    let list = &model.tokens.list;
    let mut title = vec![
        (Role::Title, "Tokens ".to_owned()),
        (Role::Plain, count(list.total)),
    ];
    if let Some((_, name)) = &model.tokens.identity {
        title.push((Role::Warn, format!(" of {}", clean(name))));
    }
    if model.tokens.all {
        title.push((Role::Plain, " ended ones too".to_owned()));
    }
    let table = Table {
        title,
        columns: if body.width < 110 {
            &[
                ("IDENTITY", 16),
                ("STATE", 8),
                ("TIME LEFT", 16),
                ("SCOPES", 0),
                ("LABEL", 12),
            ]
        } else {
            &[
                ("IDENTITY", 16),
                ("STATE", 8),
                ("TIME LEFT", 16),
                ("SCOPES", 0),
                ("LABEL", 14),
                ("ID", 30),
            ]
        },
        empty: "there is no token: i issues one",
        has_focus: true,
    };
    let glyphs = pen.glyphs;
    table::draw(pen, body, list, &table, |token| {
        token_row(model, token, glyphs)
    });
}

fn token_row(model: &Model, token: &TokenView, glyphs: Glyphs) -> Vec<(Role, String)> {
    let life = (token.expires_at.0 - token.issued_at.0).max(1);
    let left = (token.expires_at.0 - model.now.0).max(0);
    let is_active = token.state == "active";
    let part = if is_active {
        left as f64 / life as f64
    } else {
        0.0
    };
    let left = if is_active {
        until(model.now, token.expires_at)
    } else {
        "-".to_owned()
    };
    let role = match part {
        _ if !is_active => Role::Dim,
        part if part < 0.1 => Role::Bad,
        part if part < 0.3 => Role::Warn,
        _ => Role::Ok,
    };
    vec![
        (Role::Plain, clean(&token.identity)),
        (
            if is_active { Role::Ok } else { Role::Dim },
            token.state.clone(),
        ),
        (
            role,
            format!("{} {left}", bar(part, 10, glyphs.full, glyphs.empty)),
        ),
        (Role::Plain, clean(&token.scopes.join(","))),
        (Role::Dim, clean(token.label.as_deref().unwrap_or("-"))),
        (Role::Dim, token.id.to_string()),
    ]
}
