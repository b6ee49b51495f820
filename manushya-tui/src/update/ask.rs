//! What is asked of the daemon, and when.

use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::Page;
use manushya_protocol::v1::identity::IdentityList;
use manushya_protocol::v1::live::Events;
use manushya_protocol::v1::memory::{MemoryFilter, MemoryList, MemorySearch, MemoryStatsOf};
use manushya_protocol::v1::policy::PolicyList;
use manushya_protocol::v1::purge::PurgeList;
use manushya_protocol::v1::token::TokenList;

use super::{Out, with_list};
use crate::effect::{Ask, Effect, Tag};
use crate::keymap::Screen;
use crate::model::list::{Item, List, Load};
use crate::model::{Model, Which, Work};

/// How long typing has to pause before a search is asked for, in milliseconds.
const SEARCH_MILLIS: u64 = 150;
/// How long typing a filter has to pause before the whole list is looked at, in milliseconds.
const FILTER_MILLIS: u64 = 400;
/// How many results a search asks for.
const SEARCH_LIMIT: u32 = 50;
/// How many entries of the log are asked for at once.
const EVENTS_LIMIT: u32 = 500;
/// How long the daemon may wait for the next entry, in milliseconds.
const EVENTS_WAIT_MILLIS: u64 = 20_000;

/// Asks one question.
pub fn call(model: &mut Model, ask: Ask, out: &mut Out) -> Tag {
    let tag = model.tag();
    out.push(Effect::Call(tag, Box::new(ask)));
    tag
}

/// Asks for changes; what becomes of them is told when all are answered.
pub fn change(model: &mut Model, asks: Vec<Ask>, done: impl Into<String>, out: &mut Out) {
    let tags: std::collections::BTreeSet<Tag> =
        asks.into_iter().map(|ask| call(model, ask, out)).collect();
    model.work.push(Work {
        total: tags.len(),
        tags,
        failed: Vec::new(),
        done: done.into(),
    });
}

/// Asks for a text to read.
pub fn read(model: &mut Model, title: impl Into<String>, ask: Ask, out: &mut Out) {
    let tag = call(model, ask, out);
    model.reading = Some((tag, title.into()));
}

/// Asks for what happens next.
pub fn events(model: &mut Model, out: &mut Out) {
    let after = model.audit.after;
    let ask = Ask::Events(Events {
        after,
        limit: Some(EVENTS_LIMIT),
        wait_ms: after.map_or(0, |_| EVENTS_WAIT_MILLIS),
    });
    model.audit.awaited = Some(call(model, ask, out));
}

/// The page to ask for; a walk that was at its end begins anew.
fn next_page<T: Item>(list: &mut List<T>) -> Page {
    if !list.is_walking() {
        list.walk_again();
    }
    list.page()
}

/// The filter changed: what is not loaded is looked at in a moment.
pub fn filter_soon(model: &mut Model, out: &mut Out) {
    let tag = model.tag();
    model.awaited_filter = Some(tag);
    out.push(Effect::Later(FILTER_MILLIS, tag));
}

/// Asks for what a screen shows.
pub fn load(model: &mut Model, screen: Screen, out: &mut Out) {
    match screen {
        Screen::Overview => {}
        Screen::Identities => {
            let ask = Ask::Identities(IdentityList {
                page: next_page(&mut model.identities.list),
                ..IdentityList::default()
            });
            model.identities.list.load = Load::Loading(call(model, ask, out));
        }
        Screen::Memories => memories(model, out),
        Screen::Policies => {
            let ask = Ask::Policies(PolicyList {
                page: next_page(&mut model.policies.list),
                ..PolicyList::default()
            });
            model.policies.list.load = Load::Loading(call(model, ask, out));
        }
        Screen::Audit => {
            if model.audit.awaited.is_none() {
                model.audit.refused = None;
                events(model, out);
            }
        }
        Screen::Tokens => {
            let ask = Ask::Tokens(TokenList {
                identity: model.tokens.identity.as_ref().map(|(id, _)| id.clone()),
                all_states: model.tokens.all,
                page: next_page(&mut model.tokens.list),
            });
            model.tokens.list.load = Load::Loading(call(model, ask, out));
        }
        Screen::System => {
            let ask = Ask::Plans(PurgeList {
                page: next_page(&mut model.system.plans),
            });
            model.system.plans.load = Load::Loading(call(model, ask, out));
            let is_operator = model.who.as_ref().is_none_or(|who| who.operator);
            if is_operator && matches!(model.system.keys.load, Load::Idle) {
                model.system.keys.load = Load::Loading(call(model, Ask::Keys, out));
            }
            if matches!(model.system.checks.load, Load::Idle) {
                doctor(model, out);
            }
        }
    }
}

/// Asks for the findings and the signed head of the log.
pub fn doctor(model: &mut Model, out: &mut Out) {
    if model.who.as_ref().is_none_or(|who| who.operator) {
        model.system.checks.load = Load::Loading(call(model, Ask::Doctor, out));
        model.system.awaited = Some(call(model, Ask::Head, out));
    }
}

fn memories(model: &mut Model, out: &mut Out) {
    if model.memories.query.is_some() {
        return search(model, out);
    }
    let filter = MemoryFilter {
        namespace: model.memories.namespace.clone(),
        ..MemoryFilter::default()
    };
    let page = next_page(&mut model.memories.list);
    let goes_on = page.cursor.is_some();
    let ask = Ask::Memories(MemoryList {
        filter,
        deleted: model.memories.which == Which::Deleted,
        page,
        expired: model.memories.which == Which::Expired,
    });
    model.memories.list.load = Load::Loading(call(model, ask, out));
    if !goes_on {
        stats(model, out);
    }
}

/// Asks for the counts.
pub fn stats(model: &mut Model, out: &mut Out) {
    model.memories.awaited_stats = Some(call(model, Ask::Stats(MemoryStatsOf::default()), out));
}

/// The query changed: a search is due in a moment, and those before are out of date.
pub fn search_soon(model: &mut Model, out: &mut Out) {
    let tag = model.tag();
    model.memories.awaited = Some(tag);
    out.push(Effect::Later(SEARCH_MILLIS, tag));
}

/// Asks for what the query finds.
pub fn search(model: &mut Model, out: &mut Out) {
    let query = model
        .memories
        .query
        .as_ref()
        .map(|input| input.text.trim().to_owned())
        .unwrap_or_default();
    if query.is_empty() {
        model.memories.awaited = None;
        model.memories.list.reset();
        model.memories.list.load = Load::Ready;
        return;
    }
    let ask = Ask::Search(MemorySearch {
        query,
        limit: Some(SEARCH_LIMIT),
        filter: MemoryFilter {
            namespace: model.memories.namespace.clone(),
            ..MemoryFilter::default()
        },
        explain: true,
        ..MemorySearch::default()
    });
    let tag = call(model, ask, out);
    model.memories.awaited = Some(tag);
    model.memories.list.load = Load::Loading(tag);
}

/// A timer went off.
pub fn timer(model: &mut Model, tag: Tag, out: &mut Out) {
    if model.memories.awaited == Some(tag) && model.memories.query.is_some() {
        search(model, out);
    } else if model.awaited_filter == Some(tag) {
        model.awaited_filter = None;
        super::moving::filtered(model, out);
    } else {
        model.is_dirty = false;
    }
}

/// Whether what is shown changed since it came, and that is at least so long ago.
pub fn is_outdated(model: &mut Model, millis: i64) -> bool {
    let now = model.now;
    let old = |as_of: Option<UnixMillis>| as_of.is_some_and(|then| now.0 - then.0 >= millis);
    with_list!(model, list => list.outdated && list.walk.is_none() && matches!(list.load, Load::Ready) && old(list.as_of), false)
}
