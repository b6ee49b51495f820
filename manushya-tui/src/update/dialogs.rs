//! Questions before something is done. They stand on Cancel, and say what will go.

use manushya_protocol::v1::identity::IdentityUpdate;
use manushya_protocol::v1::memory::MemoryDelete;
use manushya_protocol::v1::policy::{PolicyRef, PolicySetActive};
use manushya_protocol::v1::purge::PurgeApply;
use manushya_protocol::v1::token::TokenRevoke;

use super::{Out, ask};
use crate::effect::Ask;
use crate::keymap::Action;
use crate::model::overlay::{Dialog, Input};
use crate::model::{Model, document};
use crate::text::{Role, Spans, clean, count, line};

/// At most so many things are named one by one.
const NAMED_MAX: usize = 6;

fn dialog(title: String, verb: &'static str, command: String) -> Dialog {
    Dialog {
        title,
        lines: Vec::new(),
        command,
        confirm: None,
        verb,
        on_verb: false,
        asks: Vec::new(),
        done: String::new(),
        is_busy: false,
        error: None,
    }
}

fn named<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Vec<Spans> {
    let total = names.len();
    let mut lines: Vec<Spans> = names
        .take(NAMED_MAX)
        .map(|name| line(Role::Accent, format!("  {}", clean(name))))
        .collect();
    if total > NAMED_MAX {
        lines.push(line(
            Role::Dim,
            format!("  and {} more", count((total - NAMED_MAX) as u64)),
        ));
    }
    lines
}

fn things(many: usize, one: &str, more: &str) -> String {
    format!(
        "{} {}",
        count(many as u64),
        if many == 1 { one } else { more }
    )
}

/// The question before an action.
pub fn of(model: &Model, action: Action) -> Option<Dialog> {
    let command = model.command(action);
    match action {
        Action::IdentityDisable => disable(model, command),
        Action::IdentityDelete => delete_identity(model, command),
        Action::MemoryDelete => delete_memories(model, command),
        Action::MemoryErase => erase_memories(model, command),
        Action::PolicyDisable | Action::PolicyDelete => policies(model, action, command),
        Action::TokenRevoke => revoke(model, command),
        Action::SystemPurge => purge(model, command),
        _ => None,
    }
}

fn disable(model: &Model, command: String) -> Option<Dialog> {
    let chosen = model.identities.list.chosen();
    let names: Vec<&str> = chosen.iter().map(|it| it.external_id.as_str()).collect();
    let what = things(names.len(), "identity", "identities");
    let mut dialog = dialog(format!("Disable {what}?"), "Disable", command);
    dialog.lines = named(names.iter().copied());
    dialog.lines.push(line(
        Role::Plain,
        "Their tokens stop working at once. They can be enabled again.",
    ));
    dialog.asks = chosen
        .iter()
        .map(|it| set_active(it.id.to_string(), false))
        .collect();
    dialog.done = format!("disabled: {}", names.join(", "));
    (!names.is_empty()).then_some(dialog)
}

fn set_active(identity: String, is_active: bool) -> Ask {
    Ask::IdentityUpdate(IdentityUpdate {
        identity,
        is_active: Some(is_active),
        ..IdentityUpdate::default()
    })
}

/// Enables the chosen identities; nothing goes, so nothing is asked.
pub fn enable(model: &mut Model, out: &mut Out) {
    let chosen = model.identities.list.chosen();
    let names: Vec<String> = chosen.iter().map(|it| it.external_id.clone()).collect();
    let asks = chosen
        .iter()
        .map(|it| set_active(it.id.to_string(), true))
        .collect();
    ask::change(model, asks, format!("enabled: {}", names.join(", ")), out);
}

/// What has to be typed: the name of one, or the verb and how many.
fn to_type(names: &[&str], verb: &str) -> Option<(String, Input)> {
    let wanted = match names {
        [name] => (*name).to_owned(),
        names => format!("{verb} {}", names.len()),
    };
    Some((wanted, Input::default()))
}

fn delete_identity(model: &Model, command: String) -> Option<Dialog> {
    let chosen = model.identities.list.chosen();
    let names: Vec<&str> = chosen.iter().map(|it| it.external_id.as_str()).collect();
    let title = match names.as_slice() {
        [name] => format!("Delete identity {}?", clean(name)),
        names => format!("Delete {}?", things(names.len(), "identity", "identities")),
    };
    let mut dialog = dialog(title, "Delete", command);
    dialog.lines = named(names.iter().copied());
    dialog.lines.extend([
        line(
            Role::Plain,
            "With all their tokens they go. This cannot be undone.",
        ),
        line(
            Role::Plain,
            "It is refused for who owns memories: purge those first.",
        ),
    ]);
    dialog.confirm = to_type(&names, "delete");
    dialog.asks = chosen
        .iter()
        .map(|it| Ask::IdentityDelete(it.id.to_string()))
        .collect();
    dialog.done = format!("deleted: {}", names.join(", "));
    (!names.is_empty()).then_some(dialog)
}

fn delete_memories(model: &Model, command: String) -> Option<Dialog> {
    let chosen = model.memories.list.chosen();
    let texts: Vec<&str> = chosen.iter().map(|hit| hit.memory.text.as_str()).collect();
    let what = things(texts.len(), "memory", "memories");
    let mut dialog = dialog(format!("Delete {what}?"), "Delete", command);
    dialog.lines = named(
        texts
            .iter()
            .map(|text| text.lines().next().unwrap_or_default()),
    );
    dialog.lines.push(line(
        Role::Plain,
        "They can be restored until the retention ends: d, then u.",
    ));
    dialog.asks = chosen
        .iter()
        .map(|hit| delete(hit.memory.id, false))
        .collect();
    dialog.done = format!("deleted: {what}");
    (!texts.is_empty()).then_some(dialog)
}

fn delete(id: manushya_protocol::id::MemoryId, hard: bool) -> Ask {
    Ask::MemoryDelete(MemoryDelete { id, hard })
}

fn erase_memories(model: &Model, command: String) -> Option<Dialog> {
    let chosen = model.memories.list.chosen();
    let texts: Vec<&str> = chosen.iter().map(|hit| hit.memory.text.as_str()).collect();
    let what = things(texts.len(), "memory", "memories");
    let mut dialog = dialog(format!("Erase {what} for good?"), "Erase", command);
    dialog.lines = named(
        texts
            .iter()
            .map(|text| text.lines().next().unwrap_or_default()),
    );
    dialog.lines.push(line(
        Role::Bad,
        "With their versions they go, and the keys they are sealed under. This cannot be undone.",
    ));
    dialog.confirm = match texts.len() {
        1 => Some(("erase".to_owned(), Input::default())),
        many => Some((format!("erase {many}"), Input::default())),
    };
    dialog.asks = chosen
        .iter()
        .map(|hit| delete(hit.memory.id, true))
        .collect();
    dialog.done = format!("erased: {what}");
    (!texts.is_empty()).then_some(dialog)
}

fn policies(model: &Model, action: Action, command: String) -> Option<Dialog> {
    let chosen = model.policies.list.chosen();
    let names: Vec<&str> = chosen.iter().map(|it| it.name.as_str()).collect();
    let is_delete = action == Action::PolicyDelete;
    let verb = if is_delete { "Delete" } else { "Disable" };
    let title = match names.as_slice() {
        [name] => format!("{verb} policy {}?", clean(name)),
        names => format!("{verb} {}?", things(names.len(), "policy", "policies")),
    };
    let mut dialog = dialog(title, verb, command);
    for policy in chosen.iter().take(NAMED_MAX) {
        let text = format!(
            "{} rules the role {} at priority {}.",
            clean(&policy.name),
            clean(&policy.role),
            policy.priority
        );
        dialog.lines.push(line(Role::Plain, text));
        if let Some(hits) = model.hits(&policy.name) {
            let text = format!(
                "  It decided {} times since the daemon started.",
                count(hits)
            );
            dialog.lines.push(line(Role::Plain, text));
        }
    }
    if names.len() > NAMED_MAX {
        let more = count((names.len() - NAMED_MAX) as u64);
        dialog
            .lines
            .push(line(Role::Dim, format!("And {more} more.")));
    }
    if is_delete {
        dialog.confirm = to_type(&names, "delete");
    }
    let asked = |name: &&str| match is_delete {
        true => Ask::PolicyDelete(PolicyRef {
            policy: (*name).to_owned(),
            force: false,
        }),
        false => set_policy((*name).to_owned(), false),
    };
    dialog.asks = names.iter().map(asked).collect();
    let done = if is_delete { "deleted" } else { "disabled" };
    dialog.done = format!("{done}: {}", names.join(", "));
    (!names.is_empty()).then_some(dialog)
}

fn set_policy(policy: String, is_active: bool) -> Ask {
    Ask::PolicySetActive(PolicySetActive {
        policy,
        is_active,
        force: false,
    })
}

/// Enables the chosen policies; nothing goes, so nothing is asked.
pub fn policy_enable(model: &mut Model, out: &mut Out) {
    let chosen = model.policies.list.chosen();
    let names: Vec<String> = chosen.iter().map(|it| it.name.clone()).collect();
    let asks = names
        .iter()
        .map(|name| set_policy(name.clone(), true))
        .collect();
    ask::change(model, asks, format!("enabled: {}", names.join(", ")), out);
}

fn revoke(model: &Model, command: String) -> Option<Dialog> {
    let chosen = model.tokens.list.chosen();
    let names: Vec<String> = chosen
        .iter()
        .map(|it| format!("{} of {}", it.id, it.identity))
        .collect();
    let what = things(names.len(), "token", "tokens");
    let mut dialog = dialog(format!("Revoke {what}?"), "Revoke", command);
    dialog.lines = named(names.iter().map(String::as_str));
    dialog.lines.push(line(
        Role::Plain,
        "Who uses them is refused from the next call on. This cannot be undone.",
    ));
    dialog.asks = chosen
        .iter()
        .map(|it| {
            Ask::TokenRevoke(TokenRevoke {
                id: Some(it.id),
                identity: None,
            })
        })
        .collect();
    dialog.done = format!("revoked: {what}");
    (!names.is_empty()).then_some(dialog)
}

fn purge(model: &Model, command: String) -> Option<Dialog> {
    let plan = model.system.plans.current()?;
    let mut dialog = dialog(format!("Purge {}?", clean(&plan.confirm)), "Purge", command);
    dialog.lines = document::plan(plan, model);
    dialog.lines.push(line(
        Role::Bad,
        "The keys are destroyed. This cannot be undone.",
    ));
    dialog.confirm = Some((plan.confirm.clone(), Input::default()));
    dialog.asks = vec![Ask::Purge(PurgeApply {
        plan: plan.id,
        confirm: plan.confirm.clone(),
    })];
    dialog.done = format!("purged: {}", plan.confirm);
    Some(dialog)
}
