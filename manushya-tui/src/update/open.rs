//! What is opened to be read: details, the reason of a decision, what one may do.

use manushya_protocol::v1::policy::PolicyQuestion;

use super::{Out, act, ask, moving, with_list};
use crate::effect::Ask;
use crate::keymap::Screen;
use crate::model::items::Event;
use crate::model::list::Item as _;
use crate::model::overlay::{Overlay, Pane};
use crate::model::{Model, attention, document};
use crate::text::{Role, Spans};

/// Opens what is selected.
pub fn open(model: &mut Model, out: &mut Out) {
    match model.screen {
        Screen::Overview => {
            let Some(attention) = attention::of(model).into_iter().nth(model.attention) else {
                return model.tell(Role::Plain, "nothing needs attention");
            };
            act::go(model, attention.screen, out);
            with_list!(model, list => list.set_filter(&attention.filter), ());
            moving::filtered(model, out);
        }
        Screen::Identities => {
            if let Some((id, _)) = model.selected() {
                model.identities.awaited = Some(ask::call(model, Ask::Identity(id), out));
            }
        }
        Screen::Memories if model.focus == 0 => {
            let path = model
                .memories
                .tree
                .get(model.memories.tree_at)
                .map(|(path, _)| path.clone());
            model.memories.namespace = path.filter(|path| path != "/");
            model.memories.list.reset();
            model.focus = 1;
            ask::load(model, Screen::Memories, out);
        }
        Screen::Memories => {
            let found = model
                .memories
                .list
                .current()
                .map(|hit| (hit.id(), document::memory(&hit.memory, model)));
            show(model, found);
        }
        Screen::Policies => {
            let found = model
                .policies
                .list
                .current()
                .map(|it| (format!("policy {}", it.name), document::policy(it, model)));
            show(model, found);
        }
        Screen::Audit => why(model, out),
        Screen::Tokens => {
            let found = model
                .tokens
                .list
                .current()
                .map(|it| (it.id(), document::token(it, model)));
            show(model, found);
        }
        Screen::System => system(model),
    }
}

/// Shows what is selected of the daemon itself.
fn system(model: &mut Model) {
    let system = &model.system;
    let found = match model.focus {
        0 => system
            .checks
            .current()
            .map(|it| (it.id(), document::check(it))),
        1 => system
            .plans
            .current()
            .map(|it| (format!("purge plan {}", it.id), document::plan(it, model))),
        2 => system
            .jobs
            .current()
            .map(|it| (format!("job {}", it.name), document::job(it, model))),
        _ => system
            .keys
            .current()
            .map(|it| (format!("key {}", it.kid), document::key(it, model))),
    };
    show(model, found);
}

fn show(model: &mut Model, found: Option<(String, Vec<Spans>)>) {
    match found {
        Some((title, lines)) => model.overlay = Some(Overlay::Pane(Pane::new(title, lines))),
        None => model.tell(Role::Warn, "nothing is selected"),
    }
}

/// Shows an entry at once, and asks the same question anew for its rules and facts.
fn why(model: &mut Model, out: &mut Out) {
    let entry = match model.audit.feed.current() {
        Some(Event::Entry(entry)) => entry.clone(),
        Some(Event::Gap { count, before }) => {
            let text = format!(
                "{} entries before {} were left out; read them with: manushyactl audit list",
                crate::text::count(*count),
                crate::text::count(*before)
            );
            return model.tell(Role::Plain, text);
        }
        None => return model.tell(Role::Warn, "nothing is selected"),
    };
    let title = format!("why entry {}", entry.seq);
    let lines = document::entry(&entry, model);
    model.overlay = Some(Overlay::Pane(Pane::new(title.clone(), lines)));
    let Some(actor) = entry.actor_id else { return };
    let is_target = matches!(entry.resource.as_str(), "identity" | "token");
    let question = PolicyQuestion {
        action: entry.action.clone(),
        resource: entry.resource.clone(),
        identity: Some(actor.to_string()),
        memory: entry.resource_id.as_deref().and_then(|id| id.parse().ok()),
        target: entry
            .resource_id
            .clone()
            .filter(|id| is_target && id.starts_with("idn_")),
        ..PolicyQuestion::default()
    };
    if entry.action != "login" {
        model.audit.asked = Some(entry);
        ask::read(model, title, Ask::Explain(question), out);
    }
}

/// Asks what the selected identity may do.
pub fn permissions(model: &mut Model, out: &mut Out) {
    if let Some((id, name)) = model.selected() {
        model.tell(Role::Plain, format!("asking what {name} may do…"));
        ask::read(
            model,
            format!("what {name} may do"),
            Ask::Permissions(id),
            out,
        );
    }
}
