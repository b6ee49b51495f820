//! The help and the palette: the table of keys, as this screen sees it.

use super::{Out, act};
use crate::keymap::{self, Action, BINDINGS, Binding};
use crate::model::Model;
use crate::model::overlay::{Command, Pane};
use crate::text::{Role, Spans, fuzzy, line};

/// The keys of this screen, its own first.
pub fn help(model: &Model) -> Pane {
    let mut lines = vec![line(Role::Title, model.screen.name())];
    let row = |binding: &Binding| -> Spans {
        let mut spans = vec![
            (Role::Accent, format!("  {:<14}", keymap::keys(binding))),
            (Role::Plain, binding.help.to_owned()),
        ];
        if let Some(reason) = model.why_not(binding.action) {
            spans.push((Role::Warn, format!("  ({reason})")));
        }
        spans
    };
    lines.extend(keymap::own(model.screen).map(row));
    lines.push(Vec::new());
    lines.push(line(Role::Title, "Everywhere"));
    lines.extend(keymap::everywhere().map(row));
    lines.push(Vec::new());
    lines.push(line(Role::Title, "In boxes"));
    for (place, keys) in keymap::BOXES {
        lines.push(vec![
            (Role::Accent, format!("  {place:<14}")),
            (Role::Plain, (*keys).to_owned()),
        ]);
    }
    Pane::new("keys", lines)
}

/// What the palette finds, best first: those of this screen before others.
pub fn commands(model: &Model, query: &str) -> Vec<Command> {
    let mut found: Vec<(i32, usize, Command)> = Vec::new();
    for (place, binding) in BINDINGS.iter().enumerate() {
        let here = binding.on.is_none_or(|on| on == model.screen);
        let title = match binding.on {
            Some(screen) => format!(
                "{}: {} - {}",
                screen.name(),
                binding.name.trim_end_matches('…'),
                binding.help
            ),
            None => format!("{} - {}", binding.name, binding.help),
        };
        let Some(score) = fuzzy(query, &title) else {
            continue;
        };
        let command = if here {
            model.command(binding.action)
        } else {
            binding.command.replace("{}", "ID")
        };
        let command = Command {
            action: binding.action,
            title,
            key: keymap::keys(binding),
            command,
            why_not: if here {
                model.why_not(binding.action)
            } else {
                None
            },
        };
        let own = binding.on == Some(model.screen);
        found.push((score + if own { 5 } else { 0 }, place, command));
    }
    found.sort_by_key(|(score, place, _)| (std::cmp::Reverse(*score), *place));
    found.into_iter().map(|(_, _, command)| command).collect()
}

/// Runs a command of the palette, on its own screen.
pub fn command(model: &mut Model, action: Action, out: &mut Out) {
    let on = BINDINGS
        .iter()
        .filter(|binding| binding.action == action)
        .filter_map(|binding| binding.on)
        .next();
    if let Some(screen) = on
        && action != Action::Open
    {
        act::go(model, screen, out);
    }
    act::perform(model, action, out);
}
