//! What holds of every request, whoever sends it in whatever state.

use std::mem::discriminant;

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::TenantId;

use super::command::{Command, Done, Reply};
use super::credentials::contains;
use super::world::{Model, vector};
use crate::command::Context;
use crate::decide::Refusal;
use crate::model::{AuditActor, AuditDraft, Decision, Memory, Outcome, PlanState, PurgeScope, Via};
use crate::plan::Write;

/// Checks one request against the states before and after it.
pub fn check(
    before: &Model,
    after: &Model,
    context: &Context,
    command: &Command,
    result: &Result<Done, Refusal>,
) {
    is_pure(before, context, command, result);
    match result {
        Ok(done) => {
            is_audited_as_done(context, done);
            stays_in_its_tenant(context, command, &done.writes);
            leaves_its_own_rights(before, after, context);
            overwrites_nobody(before, command, &done.writes);
            widens_no_token(before, context, command, &done.writes);
            dry_run_is_like_it(before, context, command, done);
            for write in &done.writes {
                if let Write::PutMemory { memory, .. } = write {
                    counts_its_version(before, memory);
                }
            }
            erases_what_was_planned(before, after, context, command, done);
        }
        Err(refusal) => is_audited_as_refused(context, refusal),
    }
}

fn is_pure(before: &Model, context: &Context, command: &Command, result: &Result<Done, Refusal>) {
    let again = command.decide(before, context);
    assert_eq!(format!("{again:?}"), format!("{result:?}"));
}

fn is_of_the_request(context: &Context, audit: &AuditDraft) {
    let actor = &context.actor;
    assert_eq!(audit.tenant, Some(actor.identity.tenant));
    assert_eq!(audit.actor, AuditActor::Identity(actor.bearer().id));
    let token = match actor.via {
        Via::Token(id) => Some(id),
        Via::PeerUid | Via::Daemon => None,
    };
    assert_eq!(audit.token, token);
    assert_eq!(
        (audit.time, audit.request_id),
        (context.now, context.request_id)
    );
    assert_eq!(audit.peer_uid, actor.peer_uid);
}

fn is_audited_as_refused(context: &Context, refusal: &Refusal) {
    is_of_the_request(context, &refusal.audit);
    assert!(refusal.broken.is_none());
    assert_eq!(refusal.audit.outcome, Outcome::Error(refusal.error.code));
    assert_eq!(refusal.audit.count, 0);
    let expected = match refusal.error.code {
        ErrorCode::Denied | ErrorCode::Unauthenticated | ErrorCode::NotFound => Decision::Deny,
        ErrorCode::Conflict | ErrorCode::InvalidArgument => Decision::Allow,
        other => panic!("nothing here can end in {other:?}"),
    };
    assert_eq!(refusal.audit.decision, expected, "{:?}", refusal.error);
}

fn is_audited_as_done(context: &Context, done: &Done) {
    let audit = &done.audit;
    is_of_the_request(context, audit);
    assert_eq!(
        (audit.decision, audit.outcome),
        (Decision::Allow, Outcome::Ok)
    );
    if context.dry_run {
        assert!(done.writes.is_empty());
        assert_eq!(audit.count, 0);
    }
    let expected = match &done.reply {
        Reply::Tenant(it) => Some(it.id.to_bytes()),
        Reply::TenantGone(id, purged) => {
            assert_eq!(
                audit.count,
                if context.dry_run { 0 } else { purged.memories }
            );
            Some(id.to_bytes())
        }
        // A token is entered under whose it is.
        Reply::Credentials((identity, _)) | Reply::Identity(identity) => {
            Some(identity.id.to_bytes())
        }
        Reply::Added(it) => Some(it.id.to_bytes()),
        Reply::Memory(it) => Some(it.id.to_bytes()),
        Reply::MemoryGone(id) => Some(id.to_bytes()),
        Reply::Policy(it) => Some(it.id.to_bytes()),
        Reply::Policies(_) => None,
        Reply::Plan(it) => Some(match it.scope {
            PurgeScope::Subject(id) => id.to_bytes(),
            PurgeScope::Filter | PurgeScope::Expired | PurgeScope::Records => it.id.to_bytes(),
        }),
        // Those that do not say in their answer what they were about.
        Reply::Asked | Reply::Revoked(_) | Reply::Purged(_) => return,
    };
    assert_eq!(audit.resource_id, expected, "{:?}", done.reply);
}

fn tenant_of(write: &Write) -> TenantId {
    match write {
        Write::PutTenant(it) => it.id,
        Write::EraseTenant(id) => *id,
        Write::PutIdentity(it) => it.tenant,
        Write::PutToken(it) => it.tenant,
        Write::PutPolicy(it) => it.tenant,
        Write::PutPlan(it) => it.tenant,
        Write::PutRevision(it) => it.policy.tenant,
        Write::PutMemory { memory, .. } => memory.tenant,
        Write::PutGate(it) => it.tenant(),
        Write::RenewKey(of) => of.tenant,
        Write::EraseIdentity(tenant, _)
        | Write::DropGate(tenant, _)
        | Write::DropToken(tenant, _)
        | Write::DropPolicy(tenant, _)
        | Write::DropPlan(tenant, _)
        | Write::DropRevision(tenant, ..)
        | Write::EraseMemory(tenant, _)
        | Write::DropErasure(tenant, _) => *tenant,
        Write::PutErasure(it) => it.tenant(),
    }
}

fn stays_in_its_tenant(context: &Context, command: &Command, writes: &[Write]) {
    if let Command::CreateTenant(_) | Command::DeleteTenant(_) = command {
        assert!(context.actor.operator);
        let first = writes.first().map(tenant_of);
        assert!(writes.iter().all(|write| Some(tenant_of(write)) == first));
        return;
    }
    for write in writes {
        assert_eq!(tenant_of(write), context.actor.identity.tenant, "{write:?}");
        assert!(!matches!(
            write,
            Write::PutTenant(_) | Write::EraseTenant(_)
        ));
    }
}

fn leaves_its_own_rights(before: &Model, after: &Model, context: &Context) {
    let at = (context.actor.identity.tenant, context.actor.identity.id);
    let Some(new) = after.identities.get(&at) else {
        assert!(!after.tenants.contains_key(&at.0), "it erased itself");
        return;
    };
    let old = &before.identities[&at];
    assert_eq!((&new.role, &new.claims), (&old.role, &old.claims));
    assert_eq!(new.is_active, old.is_active);
}

fn overwrites_nobody(before: &Model, command: &Command, writes: &[Write]) {
    for write in writes {
        let Write::PutIdentity(new) = write else {
            continue;
        };
        let old = before.identities.get(&(new.tenant, new.id));
        let is_new = matches!(
            command,
            Command::CreateIdentity(_) | Command::CreateTenant(_)
        );
        assert_eq!(old.is_none(), is_new);
        let mut others = before.identities.values().filter(|it| it.id != new.id);
        let clash = others.find(|it| it.tenant == new.tenant && it.external_id == new.external_id);
        assert!(clash.is_none(), "{clash:?}");
        if let Some(old) = old {
            let epoch = old.token_epoch + u32::from(old.role != new.role);
            let revokes = matches!(command, Command::RevokeToken(_));
            assert_eq!(new.token_epoch, epoch + u32::from(revokes));
            assert_eq!(new.external_id, old.external_id);
        }
    }
}

fn widens_no_token(before: &Model, context: &Context, command: &Command, writes: &[Write]) {
    for write in writes {
        let Write::PutToken(token) = write else {
            continue;
        };
        if let Some(old) = before.tokens.get(&(token.tenant, token.id)) {
            assert!(matches!(command, Command::RevokeToken(_)));
            assert_eq!(
                (&token.scopes, token.expires_at),
                (&old.scopes, old.expires_at)
            );
            assert!(token.revoked_at.is_some());
        } else {
            assert!(contains(&context.actor.scopes, &token.scopes), "{token:?}");
        }
    }
}

fn dry_run_is_like_it(before: &Model, context: &Context, command: &Command, done: &Done) {
    let mut dry = context.clone();
    dry.dry_run = true;
    let dry = command
        .decide(before, &dry)
        .expect("what can be done can be tried");
    assert!(dry.writes.is_empty());
    assert_eq!(discriminant(&dry.reply), discriminant(&done.reply));
    let counted = AuditDraft {
        count: done.audit.count,
        ..dry.audit.clone()
    };
    assert_eq!((dry.audit.count, &counted), (0, &done.audit));
}

fn counts_its_version(before: &Model, new: &Memory) {
    assert_eq!(
        new.vector,
        Some(vector(&new.content.text)),
        "a stale vector"
    );
    let Some(old) = before.memories.get(&(new.tenant, new.id)) else {
        assert_eq!((new.version, new.deleted_at), (1, None));
        return;
    };
    let old = &old.memory;
    assert_eq!(
        (new.owner, &new.key, new.created_at),
        (old.owner, &old.key, old.created_at)
    );
    let is_revived = new.version > old.version && new.content == old.content;
    if new.content == old.content && !is_revived {
        assert_eq!(new.version, old.version);
        assert_ne!(new.deleted_at, old.deleted_at, "a write of nothing");
    } else {
        assert_eq!(new.version, old.version + 1);
        assert_eq!(new.deleted_at, None);
    }
}

fn erases_what_was_planned(
    before: &Model,
    after: &Model,
    context: &Context,
    command: &Command,
    done: &Done,
) {
    let Command::ApplyPurge(apply) = command else {
        return;
    };
    let tenant = context.actor.identity.tenant;
    let plan = &before.plans[&(tenant, apply.plan)];
    assert_eq!(
        (plan.state, &plan.confirm),
        (PlanState::Planned, &apply.confirm)
    );
    if context.dry_run {
        return;
    }
    let gone = before.memories.len() - after.memories.len();
    assert_eq!(gone as u64, plan.memories);
    assert!(matches!(&done.reply, Reply::Purged(it) if it.memories == plan.memories));
    if let PurgeScope::Subject(id) = plan.scope {
        assert!(after.owned(tenant, id).is_empty());
        assert!(!after.identities.contains_key(&(tenant, id)));
        assert!(after.tokens.values().all(|token| token.identity != id));
        let names =
            |it: &crate::model::PurgePlan| it.tenant == tenant && it.confirm == plan.confirm;
        assert!(after.plans.values().all(|it| !names(it)));
    }
    let own = context.actor.identity.id;
    let operator = after.tenants[&tenant].operator;
    for id in [own, operator] {
        assert!(after.identities.contains_key(&(tenant, id)));
    }
}
