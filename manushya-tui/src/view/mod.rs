//! Draws the model. It reads only, and draws the same for the same model.

mod audit;
mod boxes;
mod latency;
mod lists;
mod memories;
mod overview;
mod pen;
mod secret;
mod system;
mod table;

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::keymap::{self, Screen};
use crate::model::{Link, Model, SIZE_MIN};
use crate::text::{Role, Spans, clean, clock, line, span, width};
use pen::Pen;

/// Draws everything.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut pen = Pen::new(frame.buffer_mut(), model);
    if area.width < SIZE_MIN.0 || area.height < SIZE_MIN.1 {
        let text = format!(
            "{}x{} is too small: {}x{} or more",
            area.width, area.height, SIZE_MIN.0, SIZE_MIN.1
        );
        pen.document(area, &[line(Role::Plain, text)], 0);
        return;
    }
    header(&mut pen, model, area);
    tabs(&mut pen, model, area);
    let body = Rect::new(0, 2, area.width, area.height - 4);
    screen(&mut pen, model, body);
    if model.connection.link != Link::Connected {
        pen.fade(body);
        banner(&mut pen, model, body);
    }
    own_keys(&mut pen, model, area);
    foot(&mut pen, model, area);
    boxes::draw(&mut pen, model, body);
}

fn screen(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    match model.screen {
        Screen::Overview => overview::draw(pen, model, body),
        Screen::Identities => lists::identities(pen, model, body),
        Screen::Memories => memories::draw(pen, model, body),
        Screen::Policies => lists::policies(pen, model, body),
        Screen::Audit => audit::draw(pen, model, body),
        Screen::Tokens => lists::tokens(pen, model, body),
        Screen::System => system::draw(pen, model, body),
    }
}

/// Areas of panes side by side; a narrow terminal and `w` show the one with the focus only.
fn panes(model: &Model, body: Rect, widths: &[u16]) -> Vec<Rect> {
    if model.wide || body.width < 80 {
        let alone = |place: usize| {
            if place == model.focus {
                body
            } else {
                Rect::default()
            }
        };
        return (0..widths.len()).map(alone).collect();
    }
    let fixed: u16 = widths.iter().sum();
    let mut x = body.x;
    let mut areas = Vec::new();
    for wanted in widths {
        let cells = if *wanted == 0 {
            body.width - fixed
        } else {
            *wanted
        };
        areas.push(Rect::new(x, body.y, cells, body.height));
        x += cells;
    }
    areas
}

fn link(model: &Model, pen: &Pen<'_>) -> (Role, String) {
    let glyphs = pen.glyphs;
    match model.connection.link {
        Link::Connecting => (Role::Dim, format!("{} connecting", glyphs.ring)),
        Link::Connected => (Role::Ok, format!("{} connected", glyphs.dot)),
        Link::Stale => (Role::Warn, format!("{} STALE", glyphs.ring)),
        Link::Reconnecting => (Role::Warn, format!("{} RECONNECTING", glyphs.ring)),
        Link::Offline => (Role::Bad, format!("{} OFFLINE", glyphs.ring)),
    }
}

fn header(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let who = model
        .who
        .as_ref()
        .map_or("-", |who| who.external_id.as_str());
    let mode = match model.write_until {
        Some(until) if model.can_write() => {
            let left = u64::try_from((until.0 - model.now.0) / 1000).unwrap_or(0);
            (Role::Bad, format!("WRITE {}", span(left)))
        }
        _ if model.settings.is_replay => (Role::Warn, "REPLAY".to_owned()),
        _ => (Role::Title, "READ-ONLY".to_owned()),
    };
    let left: Spans = vec![
        (Role::Title, " Manushya  ".to_owned()),
        (Role::Plain, clean(&format!("{}@{}", who, model.tenant()))),
        (Role::Plain, "  ".to_owned()),
        mode,
    ];
    let mut right: Vec<Spans> = vec![
        vec![link(model, pen)],
        line(Role::Plain, clock(model.now, &model.settings.zone)),
    ];
    if model
        .status
        .as_ref()
        .is_some_and(|status| status.host.is_some())
    {
        let rate = model.traffic.now();
        let denied = if rate.denied > 0.0 {
            Role::Bad
        } else {
            Role::Plain
        };
        right.push(line(Role::Plain, format!("ops {:.0}/s", rate.operations)));
        right.push(vec![(denied, format!("deny {:.0}", rate.denied))]);
        let series = model.traffic.series(12, |rate| rate.operations);
        right.push(vec![(Role::Accent, pen.spark(&series))]);
    }
    let cells = |spans: &Spans| spans.iter().map(|(_, text)| width(text)).sum::<usize>();
    let room = usize::from(area.width).saturating_sub(cells(&left) + 1);
    // What does not fit is left out from the end; the connection always stays.
    while right.len() > 1 && right.iter().map(|it| cells(it) + 2).sum::<usize>() > room {
        right.pop();
    }
    let taken = right
        .iter()
        .map(|it| cells(it) + 2)
        .sum::<usize>()
        .saturating_sub(1);
    pen.spans(0, 0, area.width, &left);
    let mut x = area.width.saturating_sub(u16::try_from(taken).unwrap_or(0));
    for spans in right {
        x += pen.spans(x, 0, area.width.saturating_sub(x), &spans) + 2;
    }
}

fn tabs(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let mut x = 1;
    let whole: usize = Screen::ALL
        .iter()
        .map(|screen| screen.name().len() + 4)
        .sum();
    for (place, screen) in Screen::ALL.into_iter().enumerate() {
        let is_here = screen == model.screen;
        // In a narrow terminal the others show their keys only.
        let text = if is_here || whole < usize::from(area.width) {
            format!("{} {}", place + 1, screen.name())
        } else {
            format!("{}", place + 1)
        };
        let role = if is_here { Role::Title } else { Role::Dim };
        let used = pen.text(x, 1, area.width.saturating_sub(x), role, &text);
        if is_here {
            pen.highlight(Rect::new(x, 1, used, 1));
        }
        x += used + 2;
    }
    let crumb = crumb(model);
    let cells = u16::try_from(width(&crumb)).unwrap_or(u16::MAX);
    if cells.saturating_add(x + 1) <= area.width {
        pen.text(area.width - cells - 1, 1, cells, Role::Plain, &crumb);
    }
}

/// Where one is, in words.
fn crumb(model: &Model) -> String {
    let mut parts = vec![model.screen.name().to_owned()];
    match model.screen {
        Screen::Memories => {
            parts.extend(model.memories.namespace.as_deref().map(clean));
            parts.push(model.memories.which.word().to_owned());
            if model.memories.query.is_some() {
                parts.push("search".to_owned());
            }
        }
        Screen::Audit => parts.push(
            match (&model.audit.held, model.audit.follow) {
                (Some(_), _) => "paused",
                (None, true) => "live",
                (None, false) => "looking back",
            }
            .to_owned(),
        ),
        Screen::Tokens => parts.extend(model.tokens.identity.iter().map(|(_, name)| clean(name))),
        Screen::System => parts.push(system::PANES[model.focus.min(3)].to_owned()),
        Screen::Overview | Screen::Identities | Screen::Policies => {}
    }
    parts.retain(|part| !part.is_empty());
    if parts.len() == 1 {
        // The name stands there already.
        parts.clear();
    }
    parts.join(" > ")
}

/// Why what is shown is old, and what helps.
fn banner(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    let connection = &model.connection;
    let (role, word) = link(model, pen);
    let mut spans = vec![(role, format!(" {word} "))];
    if let Some(heard) = connection.heard {
        spans.push((
            Role::Plain,
            format!("as of {}  ", clock(heard, &model.settings.zone)),
        ));
    }
    match connection.link {
        Link::Stale => spans.push((Role::Plain, "the daemon does not answer ".to_owned())),
        Link::Reconnecting | Link::Offline => {
            if connection.attempt > 0 {
                spans.push((Role::Plain, format!("attempt {}  ", connection.attempt)));
            }
            let hint = connection
                .error
                .as_ref()
                .and_then(|error| error.hint.clone());
            spans.push((Role::Plain, "try: ".to_owned()));
            spans.push((
                Role::Accent,
                clean(&hint.unwrap_or_else(|| "manushyactl up".to_owned())),
            ));
            spans.push((Role::Plain, "  ctrl-r retries now ".to_owned()));
        }
        Link::Connecting | Link::Connected => {}
    }
    let y = body.bottom() - 1;
    pen.clear(Rect::new(body.x + 1, y, body.width - 2, 1));
    pen.spans(body.x + 1, y, body.width - 2, &spans);
    let told = connection
        .error
        .as_ref()
        .filter(|_| connection.link == Link::Offline);
    if let Some(error) = told {
        let mut text = clean(&error.message);
        if let Some(reason) = &error.reason {
            text.push_str(": ");
            text.push_str(&clean(reason));
        }
        pen.clear(Rect::new(body.x + 1, y - 1, body.width - 2, 1));
        pen.text(body.x + 2, y - 1, body.width - 4, Role::Bad, &text);
    }
}

/// The keys of the screen; what cannot be done now stands in brackets.
fn own_keys(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let y = area.height - 2;
    let mut x = 1;
    for binding in keymap::own(model.screen) {
        let Some(key) = binding.keys.first() else {
            continue;
        };
        let key = keymap::written(*key);
        let off = model.why_not(binding.action).is_some();
        let name = binding.name;
        let text = if off {
            format!("({key} {name})")
        } else {
            format!("{key} {name}")
        };
        let cells = u16::try_from(width(&text)).unwrap_or(0);
        if x + cells + 1 > area.width {
            pen.text(x, y, 1, Role::Dim, "…");
            break;
        }
        if off {
            pen.text(x, y, cells, Role::Dim, &text);
        } else {
            let used = pen.text(x, y, cells, Role::Accent, &key);
            pen.text(x + used + 1, y, cells, Role::Plain, name);
        }
        x += cells + 2;
    }
}

fn foot(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let y = area.height - 1;
    let cells = area.width - 2;
    if let Some(input) = &model.filtering {
        let spans = vec![
            (Role::Accent, "/".to_owned()),
            (Role::Plain, clean(&input.text)),
            (Role::Accent, pen.glyphs.cursor.to_owned()),
            (
                Role::Dim,
                "  enter keeps, esc clears, ! inverts, field=word".to_owned(),
            ),
        ];
        pen.spans(1, y, cells, &spans);
        return;
    }
    if let Some(toast) = model.toasts.last() {
        let sign = match toast.role {
            Role::Ok => pen.glyphs.ok,
            Role::Bad => pen.glyphs.bad,
            Role::Warn => pen.glyphs.warn,
            _ => pen.glyphs.between,
        };
        pen.text(
            1,
            y,
            cells,
            toast.role,
            &format!("{sign} {}", clean(&toast.text)),
        );
        return;
    }
    let busy: usize = model.work.iter().map(|work| work.tags.len()).sum();
    let mut spans = Spans::new();
    if busy > 0 {
        spans.push((Role::Warn, format!("waiting for {busy} answers  ")));
    }
    for (key, name) in [
        ("/", "filter"),
        (":", "command"),
        ("?", "help"),
        ("y", "copy id"),
        ("esc", "back"),
        ("ctrl-w", "write mode"),
        ("q", "quit"),
    ] {
        spans.push((Role::Accent, key.to_owned()));
        spans.push((Role::Dim, format!(" {name}  ")));
    }
    if model.mouse {
        spans.push((Role::Dim, "mouse:on (shift-drag selects)".to_owned()));
    }
    pen.spans(1, y, cells, &spans);
}
