//! What the daemon answered, put where it belongs. Answers to questions that are out of date are
//! dropped.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::v1::audit::AuditView;
use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::live::EventsSeen;
use manushya_protocol::v1::memory::{MemoryStats, MemoryView, SearchResults};
use manushya_protocol::v1::system::Status;

use super::{Out, ask, close};
use crate::effect::Tag;
use crate::keymap::Screen;
use crate::model::items::{Event, Hit};
use crate::model::list::{Item, List, Load};
use crate::model::overlay::{Overlay, Pane};
use crate::model::{FEED_ROWS, LOG_TITLE, Model, document, extent, is_lost};
use crate::msg::Answer;
use crate::text::{Role, Spans, count, line};

/// Puts an answer where it belongs.
pub fn settle(model: &mut Model, tag: Tag, result: Result<Answer, WireError>, out: &mut Out) {
    if model.work.iter().any(|work| work.tags.contains(&tag)) {
        return worked(model, tag, result, out);
    }
    if let Some((awaited, title)) = &model.reading
        && *awaited == tag
    {
        let title = title.clone();
        return read(model, title, result);
    }
    match result {
        Ok(answer) => answered(model, tag, answer, out),
        Err(error) => refused(model, tag, error),
    }
}

fn answered(model: &mut Model, tag: Tag, answer: Answer, out: &mut Out) {
    let now = model.now;
    match answer {
        Answer::Status(status) if model.awaited_status == Some(tag) => took_status(model, status),
        Answer::Events(seen) if model.audit.awaited == Some(tag) => took_events(model, seen, out),
        Answer::Found(results) if model.memories.awaited == Some(tag) => found(model, results),
        answer => {
            let (screen, goes_on) = match answer {
                Answer::Identities(page) if model.identities.list.awaits(tag) => {
                    (Screen::Identities, model.identities.list.take(page, now))
                }
                Answer::Tokens(page) if model.tokens.list.awaits(tag) => {
                    (Screen::Tokens, model.tokens.list.take(page, now))
                }
                Answer::Policies(page) if model.policies.list.awaits(tag) => {
                    (Screen::Policies, model.policies.list.take(page, now))
                }
                Answer::Plans(page) if model.system.plans.awaits(tag) => {
                    (Screen::System, model.system.plans.take(page, now))
                }
                Answer::Memories(page) if model.memories.list.awaits(tag) => {
                    (Screen::Memories, took_memories(model, page))
                }
                answer => return filled(model, tag, answer),
            };
            if goes_on {
                ask::load(model, screen, out);
            }
        }
    }
}

fn took_memories(model: &mut Model, page: Listed<MemoryView>) -> bool {
    model.memories.note = None;
    let page = Listed {
        items: page.items.into_iter().map(Hit::from).collect(),
        next: page.next,
        total: page.total,
    };
    model.memories.list.take(page, model.now)
}

fn found(model: &mut Model, found: SearchResults) {
    model.memories.awaited = None;
    model.memories.note = Some(found.semantic).filter(|note| note != "complete");
    let page = Listed {
        items: found.items.into_iter().map(Hit::from).collect(),
        next: None,
        total: found.total,
    };
    model.memories.list.take(page, model.now);
    model.memories.list.selected = 0;
}

/// An answer that is no page of a list.
fn filled(model: &mut Model, tag: Tag, answer: Answer) {
    let now = model.now;
    match answer {
        Answer::Stats(stats) if model.memories.awaited_stats == Some(tag) => {
            model.memories.awaited_stats = None;
            model.memories.tree = tree(&stats);
            model.memories.tree_at = model
                .memories
                .tree_at
                .min(model.memories.tree.len().saturating_sub(1));
            model.memories.stats = Some(stats);
        }
        Answer::Identity(held) if model.identities.awaited == Some(tag) => {
            model.identities.awaited = None;
            model.identities.detail = Some(held);
        }
        Answer::Doctor(found) if model.system.checks.awaits(tag) => {
            let total = found.checks.len() as u64;
            let mut items = found.checks;
            items.sort_by_key(|check| match check.verdict {
                manushya_protocol::v1::system::Verdict::Failure => 0,
                manushya_protocol::v1::system::Verdict::Warning => 1,
                manushya_protocol::v1::system::Verdict::Ok => 2,
            });
            model.system.checks.take(
                Listed {
                    items,
                    next: None,
                    total,
                },
                now,
            );
        }
        Answer::Log(lines) if model.system.awaited_log == Some(tag) => {
            model.system.awaited_log = None;
            took_log(model, &lines);
        }
        Answer::Keys(listed) if model.system.keys.awaits(tag) => {
            model.system.keys.take(listed, now);
        }
        Answer::Head(head) if model.system.awaited == Some(tag) => {
            model.system.awaited = None;
            model.system.head = Some(head);
        }
        Answer::Verified(verified) if model.audit.awaited_verify == Some(tag) => {
            model.audit.awaited_verify = None;
            model.audit.progress = None;
            model.tell(
                Role::Ok,
                format!("verified {} entries", count(verified.entries)),
            );
            model.audit.verified = Some(Ok(verified));
        }
        // Out of date.
        _ => {}
    }
}

/// Puts the newest of the log into its box; who looks at its end goes on looking there.
fn took_log(model: &mut Model, lines: &[String]) {
    if !model.is_reading_log() {
        return;
    }
    let Some(Overlay::Pane(mut pane)) = model.overlay.take() else {
        return;
    };
    let follows = pane.scroll >= extent::pane(model, &pane);
    pane.lines = lines.iter().map(|text| log_line(text)).collect();
    if follows {
        pane.scroll = extent::pane(model, &pane);
    }
    model.overlay = Some(Overlay::Pane(pane));
}

fn fail<T: Item>(list: &mut List<T>, tag: Tag, error: &WireError) -> bool {
    if !list.awaits(tag) {
        return false;
    }
    // What was there stays when only the connection is gone.
    let keep = is_lost(error) && list.as_of.is_some();
    list.load = if keep {
        Load::Ready
    } else {
        Load::Failed(error.clone())
    };
    list.outdated = keep;
    true
}

fn refused(model: &mut Model, tag: Tag, error: WireError) {
    if model.awaited_status == Some(tag) {
        model.awaited_status = None;
        return;
    }
    if model.audit.awaited == Some(tag) {
        model.audit.awaited = None;
        if !is_lost(&error) {
            model.audit.refused = Some(error);
        }
        return;
    }
    if model.audit.awaited_verify == Some(tag) {
        model.audit.awaited_verify = None;
        model.audit.progress = None;
        model.tell(Role::Bad, error.message.clone());
        if error.code == ErrorCode::Integrity {
            model.audit.verified = Some(Err(error));
        }
        return;
    }
    let listed = fail(&mut model.identities.list, tag, &error)
        || fail(&mut model.tokens.list, tag, &error)
        || fail(&mut model.policies.list, tag, &error)
        || fail(&mut model.system.plans, tag, &error)
        || fail(&mut model.system.checks, tag, &error)
        || fail(&mut model.system.keys, tag, &error)
        || fail(&mut model.memories.list, tag, &error);
    let slots = [
        &mut model.memories.awaited,
        &mut model.memories.awaited_stats,
        &mut model.system.awaited,
        &mut model.identities.awaited,
        &mut model.system.awaited_log,
    ];
    let mut told = false;
    for (place, slot) in slots.into_iter().enumerate() {
        if *slot == Some(tag) {
            *slot = None;
            told = place == 3;
        }
    }
    if told && !listed && !is_lost(&error) {
        model.overlay = Some(Overlay::Pane(Pane::new("error", document::error(&error))));
    }
}

fn took_status(model: &mut Model, status: Status) {
    model.awaited_status = None;
    if let Some(host) = &status.host {
        model.traffic.take(model.now, &host.activity);
        let jobs = Listed {
            items: host.jobs.clone(),
            next: None,
            total: host.jobs.len() as u64,
        };
        model.system.jobs.take(jobs, model.now);
    }
    model.status = Some(status);
}

fn took_events(model: &mut Model, seen: EventsSeen, out: &mut Out) {
    model.audit.refused = None;
    let is_first = model.audit.after.is_none();
    model.audit.after = Some(seen.after);
    for entry in &seen.items {
        if !is_first {
            outdate(model, entry);
        }
    }
    let mut rows = Vec::with_capacity(seen.items.len() + 1);
    if seen.skipped > 0 && !is_first {
        let before = seen.items.first().map_or(seen.after.0, |entry| entry.seq.0);
        rows.push(Event::Gap {
            before,
            count: seen.skipped,
        });
    }
    rows.extend(
        seen.items
            .into_iter()
            .map(|entry| Event::Entry(Box::new(entry))),
    );
    match &mut model.audit.held {
        Some(held) => {
            held.extend(rows);
            let surplus = held.len().saturating_sub(FEED_ROWS);
            held.drain(..surplus);
        }
        None => {
            model.audit.feed.push(rows, FEED_ROWS);
            model.audit.feed.as_of = Some(model.now);
            if model.audit.follow {
                model.audit.feed.selected = model.audit.feed.len().saturating_sub(1);
            }
        }
    }
    ask::events(model, out);
}

/// Marks the lists that an entry has changed.
fn outdate(model: &mut Model, entry: &AuditView) {
    let reads = ["read", "search", "export", "login"];
    if entry.outcome != "OK" || reads.contains(&entry.action.as_str()) {
        return;
    }
    let purge = entry.action == "purge";
    match entry.resource.as_str() {
        "memory" => model.memories.list.outdated = true,
        "identity" => {
            model.identities.list.outdated = true;
            model.tokens.list.outdated = true;
        }
        "token" => model.tokens.list.outdated = true,
        "policy" => model.policies.list.outdated = true,
        "system" => model.system.plans.outdated = true,
        _ => {}
    }
    if purge {
        model.memories.list.outdated = true;
        model.identities.list.outdated = true;
    }
}

/// Namespaces and those above them, with how many memories are in them and below.
fn tree(stats: &MemoryStats) -> Vec<(String, u64)> {
    let mut sums = std::collections::BTreeMap::from([("/".to_owned(), stats.memories)]);
    for it in &stats.by_namespace {
        let mut path = String::new();
        for segment in it.name.split('/').filter(|segment| !segment.is_empty()) {
            path.push('/');
            path.push_str(segment);
            *sums.entry(path.clone()).or_default() += it.count;
        }
    }
    sums.into_iter().collect()
}

/// Shows a text that was asked for.
fn read(model: &mut Model, title: String, result: Result<Answer, WireError>) {
    model.reading = None;
    let ascii = model.settings.ascii;
    let lines = match result {
        Err(error) => document::error(&error),
        Ok(Answer::Memories(versions)) => document::history(&versions.items, model),
        Ok(Answer::Explained(found)) => document::explanation(&found, ascii),
        Ok(Answer::Permissions(found)) => {
            model.toasts.clear();
            document::permissions(&found, ascii)
        }
        Ok(Answer::Log(lines)) => lines.iter().map(|text| log_line(text)).collect(),
        Ok(_) => Vec::new(),
    };
    let asked = model.audit.asked.take();
    let lines = match asked {
        None => lines,
        Some(entry) => {
            let mut all = document::entry(&entry, model);
            all.push(Vec::new());
            all.push(line(Role::Title, "the same question, asked now"));
            all.extend(lines);
            all
        }
    };
    let scroll = if title == LOG_TITLE { lines.len() } else { 0 };
    model.overlay = Some(Overlay::Pane(Pane {
        title,
        lines,
        scroll,
    }));
}

fn log_line(text: &str) -> Spans {
    let role = match text {
        text if text.contains("ERROR") => Role::Bad,
        text if text.contains("WARN") => Role::Warn,
        _ => Role::Plain,
    };
    line(role, crate::text::clean(text))
}

/// One of several changes was answered.
fn worked(model: &mut Model, tag: Tag, result: Result<Answer, WireError>, out: &mut Out) {
    let Some(place) = model.work.iter().position(|work| work.tags.contains(&tag)) else {
        return;
    };
    model.work[place].tags.remove(&tag);
    let mut shown = None;
    match result {
        Ok(Answer::Findings(findings)) => {
            let reasons: Vec<String> = findings
                .iter()
                .map(|it| format!("{} {}: {}", it.policy, it.path, it.reason))
                .collect();
            let error = WireError::new(ErrorCode::InvalidArgument, "the policy was not applied")
                .reason(reasons.join("; "))
                .hint("e edits it again");
            model.work[place].failed.push(error);
        }
        Ok(answer) => shown = show(model, answer),
        Err(error) => model.work[place].failed.push(error),
    }
    if !model.work[place].tags.is_empty() {
        return;
    }
    let work = model.work.remove(place);
    finish(model, &work, shown);
    ask::load(model, model.screen, out);
}

/// What is shown of a change that was done, instead of just saying so.
fn show(model: &mut Model, answer: Answer) -> Option<Overlay> {
    match answer {
        Answer::Created(created) => Some(Overlay::Secret {
            title: format!("identity {}", created.identity.external_id),
            lines: document::identity(&created.identity, model),
            token: created.access_token?,
        }),
        Answer::Issued(issued) => Some(Overlay::Secret {
            title: format!("token of {}", issued.token.identity),
            lines: document::token(&issued.token, model),
            token: issued.access_token?,
        }),
        Answer::Plan(plan) => {
            model.focus = usize::from(model.screen == Screen::System);
            Some(Overlay::Pane(Pane::new(
                "purge plan: nothing is erased yet, P carries it out",
                document::plan(&plan, model),
            )))
        }
        Answer::Purged(purged) => {
            let mut lines = vec![
                line(Role::Title, "erased"),
                line(
                    Role::Plain,
                    format!(
                        "{} memories, {} versions, {} tokens, {} identities",
                        count(purged.memories),
                        count(purged.versions),
                        count(purged.tokens),
                        count(purged.identities)
                    ),
                ),
                line(
                    Role::Plain,
                    format!(
                        "{} data keys destroyed; audit entry {}",
                        count(purged.keys_destroyed),
                        count(purged.audit_seq)
                    ),
                ),
            ];
            if let Some(receipt) = purged.receipt {
                lines.push(line(Role::Plain, format!("receipt {receipt}")));
            }
            if let Some(warning) = &purged.warning {
                lines.push(line(Role::Warn, crate::text::clean(warning)));
            }
            Some(Overlay::Pane(Pane::new("purge", lines)))
        }
        _ => None,
    }
}

fn finish(model: &mut Model, work: &crate::model::Work, shown: Option<Overlay>) {
    let waits = match &mut model.overlay {
        Some(Overlay::Dialog(dialog)) => dialog.is_busy,
        Some(Overlay::Form(form)) => form.is_busy,
        _ => false,
    };
    let Some(error) = work.failed.first() else {
        if waits || model.overlay.is_none() {
            close(model);
            model.overlay = shown;
        }
        model.identities.list.marks.clear();
        model.memories.list.marks.clear();
        model.tokens.list.marks.clear();
        model.policies.list.marks.clear();
        model.tell(Role::Ok, work.done.clone());
        return;
    };
    let mut error = error.clone();
    if work.total > 1 {
        error.message = format!(
            "{} of {} failed, the first: {}",
            work.failed.len(),
            work.total,
            error.message
        );
    }
    match &mut model.overlay {
        Some(Overlay::Dialog(dialog)) if waits => {
            dialog.is_busy = false;
            dialog.on_verb = false;
            dialog.error = Some(error);
        }
        Some(Overlay::Form(form)) if waits => {
            form.is_busy = false;
            form.error = Some(error);
        }
        Some(_) => model.tell(Role::Bad, error.message),
        None => {
            model.overlay = Some(Overlay::Pane(Pane::new(
                "not done",
                document::error(&error),
            )))
        }
    }
}
