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
        Action::MemoryErase => erase_memory(model, command),
        Action::PolicyDisable | Action::PolicyDelete => policy(model, action, command),
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

fn delete_identity(model: &Model, command: String) -> Option<Dialog> {
    let identity = model.identities.list.current()?;
    let mut dialog = dialog(
        format!("Delete identity {}?", clean(&identity.external_id)),
        "Delete",
        command,
    );
    dialog.lines = vec![
        line(
            Role::Plain,
            "It and all its tokens go. This cannot be undone.",
        ),
        line(
            Role::Plain,
            "It is refused while it owns memories: purge those first.",
        ),
    ];
    dialog.confirm = Some((identity.external_id.clone(), Input::default()));
    dialog.asks = vec![Ask::IdentityDelete(identity.id.to_string())];
    dialog.done = format!("deleted: {}", identity.external_id);
    Some(dialog)
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

fn erase_memory(model: &Model, command: String) -> Option<Dialog> {
    let hit = model.memories.list.current()?;
    let mut dialog = dialog("Erase this memory for good?".to_owned(), "Erase", command);
    dialog.lines = named(std::iter::once(
        hit.memory.text.lines().next().unwrap_or_default(),
    ));
    dialog.lines.push(line(
        Role::Bad,
        "It and its versions go, and the key they are sealed under. This cannot be undone.",
    ));
    dialog.confirm = Some(("erase".to_owned(), Input::default()));
    dialog.asks = vec![delete(hit.memory.id, true)];
    dialog.done = format!("erased: {}", hit.memory.id);
    Some(dialog)
}

fn policy(model: &Model, action: Action, command: String) -> Option<Dialog> {
    let policy = model.policies.list.current()?;
    let name = policy.name.clone();
    let hits = model.hits(&name).map_or_else(String::new, |hits| {
        format!("It decided {} times since the daemon started.", count(hits))
    });
    let lines = vec![
        line(
            Role::Plain,
            format!(
                "{} rules the role {} at priority {}.",
                clean(&name),
                clean(&policy.role),
                policy.priority
            ),
        ),
        line(Role::Plain, hits),
    ];
    let mut dialog = if action == Action::PolicyDelete {
        let mut dialog = dialog(
            format!("Delete policy {}?", clean(&name)),
            "Delete",
            command,
        );
        dialog.confirm = Some((name.clone(), Input::default()));
        dialog.asks = vec![Ask::PolicyDelete(PolicyRef {
            policy: name.clone(),
            force: false,
        })];
        dialog.done = format!("deleted: {name}");
        dialog
    } else {
        let mut dialog = dialog(
            format!("Disable policy {}?", clean(&name)),
            "Disable",
            command,
        );
        dialog.asks = vec![set_policy(name.clone(), false)];
        dialog.done = format!("disabled: {name}");
        dialog
    };
    dialog.lines = lines;
    Some(dialog)
}

fn set_policy(policy: String, is_active: bool) -> Ask {
    Ask::PolicySetActive(PolicySetActive {
        policy,
        is_active,
        force: false,
    })
}

/// Enables the selected policy.
pub fn policy_enable(model: &mut Model, out: &mut Out) {
    if let Some(policy) = model.policies.list.current() {
        let name = policy.name.clone();
        ask::change(
            model,
            vec![set_policy(name.clone(), true)],
            format!("enabled: {name}"),
            out,
        );
    }
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
