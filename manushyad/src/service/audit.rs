//! Reading the audit log.

use std::time::Duration;

use data_encoding::BASE64;
use manushya_core::audit::checkpoint::{Checkpoint, Origin, VerifierKey};
use manushya_core::audit::{Head, canonical, chain};
use manushya_core::command::Context;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::Access;
use manushya_core::directory::Directory;
use manushya_core::model::{Action, AuditActor, AuditEntry, Outcome, Resource};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{
    ApprovalId, IdentityId, MemoryId, PlanId, PolicyId, TenantId, TokenId,
};
use manushya_protocol::limits;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{
    AuditBytes, AuditHeadView, AuditList, AuditRead, AuditRef, AuditTail, AuditTailed, AuditView,
};
use manushya_protocol::v1::common::Listed;

use super::view::ReadView;
use super::{Service, page, unreadable};

mod checkpoints;
mod export;
mod extension;
mod keys;
mod prove;

pub(super) use keys::taken_over;
pub use keys::{keys as log_keys, signing_key, signs};

/// Who signs the log: the name in its checkpoints.
pub const ORIGIN: &str = "manushya/audit";

/// How many bytes of entries one read of the store takes.
const CHUNK_BYTES: usize = 256 << 10;
/// How many entries one read of the store takes.
const CHUNK_ENTRIES: usize = 4096;

impl Service {
    /// Lists audit entries: of the caller's tenant, or for the operator of the host those of the host
    /// too.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn audit_list(
        &self,
        context: Context,
        request: AuditList,
    ) -> Result<Listed<AuditView>, WireError> {
        let limit = page::limit(&request.page)?;
        let after = cursor(request.page.cursor.as_deref())?;
        self.read(&context, |view, context| {
            let access = begin(view, context)?;
            let filter = Filter::new(view.directory(), context, &request);
            let listed = list(view, &filter, after, limit, request.newest);
            let count = listed
                .as_ref()
                .map_or(0, |listed| listed.items.len() as u64);
            Ok(access.plan(Vec::new(), count, listed))
        })
        .await?
    }

    /// Shows an audit entry.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn audit_show(
        &self,
        context: Context,
        request: AuditRef,
    ) -> Result<AuditView, WireError> {
        self.read(&context, |view, context| {
            let access = begin(view, context)?;
            let everything = AuditList::default();
            let filter = Filter::new(view.directory(), context, &everything);
            let found = view
                .snapshot
                .audit_one(request.seq)
                .map_err(|error| unreadable(&error));
            let bytes = match found {
                Ok(bytes) => bytes,
                Err(error) => return Err(Refusal::allowed(&access.audit, error)),
            };
            let shown = bytes
                .and_then(|bytes| Some((canonical::decode(&bytes).ok()?, bytes)))
                .filter(|(entry, _)| filter.admits(entry))
                .map(|(entry, bytes)| {
                    let mut shown = show(view.directory(), &entry, &bytes);
                    shown.more.decided_by = export::decided_by(view, context, &entry);
                    shown
                });
            let Some(shown) = shown else {
                let seq = request.seq.to_string();
                return Err(access.missing("audit entry", &seq, "manushyactl audit list"));
            };
            Ok(access.plan(Vec::new(), 1, shown))
        })
        .await
    }

    /// Waits for entries after a sequence. The waiting itself makes no entries.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn audit_tail(
        &self,
        context: Context,
        request: AuditTail,
    ) -> Result<AuditTailed, WireError> {
        let limit = request
            .limit
            .unwrap_or(limits::PAGE_LIMIT_DEFAULT)
            .clamp(1, limits::PAGE_LIMIT_MAX);
        let wait = Duration::from_millis(request.wait_ms.min(limits::WAIT_MS_MAX));
        // An entry a poll would wake every follower, and each other, for ever. So a follower's polls are
        // decided each time, and audited when it starts and when they are denied.
        let starts = request.wait_ms == 0 || request.after.0 == 0;
        {
            let view = self.view()?;
            if let Err(refusal) = begin(&view, &context) {
                self.audit_durably(*refusal.audit).await?;
                return Err(refusal.error);
            }
        }
        if starts {
            self.read(&context, |view, context| {
                Ok(begin(view, context)?.plan(Vec::new(), 0, ()))
            })
            .await?;
        }
        let mut size = self.writer.audit_size();
        let after = request.after.0;
        let _ = tokio::time::timeout(wait, size.wait_for(|size| *size > after)).await;
        let view = self.view()?;
        let everything = AuditList::default();
        let filter = Filter::new(view.directory(), &context, &everything);
        let listed = list(&view, &filter, request.after, limit as usize, false)?;
        let end = AuditSeq(
            view.snapshot
                .audit_len()
                .map_err(|error| unreadable(&error))?,
        );
        let after = match &listed.next {
            Some(_) => listed.items.last().map_or(request.after, |item| item.seq),
            None => end.max(request.after),
        };
        Ok(AuditTailed {
            items: listed.items,
            after,
        })
    }

    /// Reads the bytes of audit entries, to verify them. The log is one for the whole host, so only
    /// its operator reads its bytes.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn audit_read(
        &self,
        context: Context,
        request: AuditRead,
    ) -> Result<AuditBytes, WireError> {
        let first = request.from.0 <= 1;
        let read = |view: &ReadView, context: &Context| -> Result<_, Refusal> {
            let access = begin_operator(view, context)?;
            let chunk = view
                .snapshot
                .audit(request.from, limits::PAGE_BYTES_MAX / 4 * 3, CHUNK_ENTRIES)
                .map_err(|error| Refusal::allowed(&access.audit, unreadable(&error)))?;
            let len = view
                .snapshot
                .audit_len()
                .map_err(|error| Refusal::allowed(&access.audit, unreadable(&error)))?;
            let next = chunk.last().map_or(request.from.0, |(seq, _)| seq.0 + 1);
            let mut framed = Vec::with_capacity(chunk.iter().map(|(_, b)| b.len() + 4).sum());
            for (_, bytes) in &chunk {
                framed.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
                framed.extend_from_slice(bytes);
            }
            let entries = BASE64.encode(&framed);
            let bytes = AuditBytes {
                entries,
                next: AuditSeq(next),
                end: next > len,
            };
            Ok(access.plan(Vec::new(), chunk.len() as u64, bytes))
        };
        if first {
            return self.read(&context, read).await;
        }
        // One entry tells that the log was read; the pages after the first add none, or reading a long
        // log would lengthen it.
        let view = self.view()?;
        match read(&view, &context) {
            Ok(plan) => Ok(plan.reply),
            Err(refusal) => {
                self.audit_durably(*refusal.audit).await?;
                Err(refusal.error)
            }
        }
    }

    /// Signs the head of the audit log.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn audit_head(&self, context: Context) -> Result<AuditHeadView, WireError> {
        self.read(&context, |view, context| {
            let access = begin_operator(view, context)?;
            let head = &view.published.head;
            let checkpoint = match checkpoint(head) {
                Ok(checkpoint) => checkpoint,
                Err(error) => return Err(Refusal::allowed(&access.audit, error)),
            };
            let signer = self.log_signer();
            let told = signer.and_then(|signer| Ok((signer.hand_overs()?, signer)));
            let (hand_overs, signer) = match told {
                Ok(told) => told,
                Err(error) => return Err(Refusal::allowed(&access.audit, error)),
            };
            let shown = AuditHeadView {
                size: head.size(),
                root: head.root().to_string(),
                last_hash: head.last_hash().to_string(),
                checkpoint: checkpoint.sign(&signer.key),
                public_key: signer.public.to_string(),
                hand_overs,
            };
            Ok(access.plan(Vec::new(), 1, shown))
        })
        .await
    }
}

/// What is signed of a head.
///
/// # Errors
///
/// Never in practice: the origin is a constant that is valid.
pub(super) fn checkpoint(head: &Head) -> Result<Checkpoint, WireError> {
    Ok(head.checkpoint(origin()?))
}

/// The verifier key of who signs with `key`.
pub(super) fn verifier_key(key: &ed25519_dalek::SigningKey) -> Result<VerifierKey, WireError> {
    verifier_key_of(key.verifying_key())
}

/// The verifier key of a public key.
pub(super) fn verifier_key_of(key: ed25519_dalek::VerifyingKey) -> Result<VerifierKey, WireError> {
    Ok(VerifierKey::new(origin()?, key))
}

fn origin() -> Result<Origin, WireError> {
    Origin::new(ORIGIN).map_err(|error| {
        WireError::new(ErrorCode::Internal, "the head cannot be signed").reason(error.to_string())
    })
}

pub(super) fn begin<'a>(view: &'a ReadView, context: &'a Context) -> Result<Access<'a>, Refusal> {
    let mut access = Access::begin(view.directory(), context, Action::Read, Resource::Audit)?;
    access.require()?;
    Ok(access)
}

fn begin_operator<'a>(view: &'a ReadView, context: &'a Context) -> Result<Access<'a>, Refusal> {
    let access = begin(view, context)?;
    if context.actor.operator {
        return Ok(access);
    }
    let error = WireError::new(
        ErrorCode::Denied,
        "only the operator of the host may do this",
    )
    .reason("the log is one for all tenants, and its bytes name them all")
    .hint("read your own tenant's entries: manushyactl audit list");
    Err(Refusal::denied(&access.audit, error))
}

fn cursor(text: Option<&str>) -> Result<AuditSeq, WireError> {
    text.map_or(Ok(AuditSeq(0)), |text| {
        text.parse().map(AuditSeq).map_err(|_| page::bad_cursor())
    })
}

/// Which entries are wanted, and which the caller may see at all.
pub(super) struct Filter<'a> {
    request: &'a AuditList,
    tenant: TenantId,
    operator: bool,
    whole_host: bool,
    actor: Option<Option<AuditActor>>,
    resource_id: Option<Option<[u8; 16]>>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(directory: &Directory, context: &Context, request: &'a AuditList) -> Self {
        let tenant = context.actor.identity.tenant;
        let actor = request.actor.as_deref().map(|actor| match actor {
            "anonymous" => Some(AuditActor::Anonymous),
            "daemon" => Some(AuditActor::Daemon),
            // Who is erased can still be asked for by the id that the entries name.
            reference => reference
                .parse::<IdentityId>()
                .ok()
                .map(AuditActor::Identity)
                .or_else(|| {
                    let identity = directory.identity_by_ref(tenant, reference)?;
                    Some(AuditActor::Identity(identity.id))
                }),
        });
        let resource_id = request.resource_id.as_deref().map(|text| {
            id_bytes(text).or_else(|| {
                directory
                    .identity_by_ref(tenant, text)
                    .map(|identity| identity.id.to_bytes())
            })
        });
        Self {
            request,
            tenant,
            operator: context.actor.operator,
            whole_host: context.whole_host,
            actor,
            resource_id,
        }
    }

    pub(super) fn admits(&self, entry: &AuditEntry) -> bool {
        let draft = &entry.draft;
        let word = |wanted: &Option<String>, have: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == have)
        };
        let visible = match draft.tenant {
            Some(tenant) => self.whole_host || tenant == self.tenant,
            None => self.operator,
        };
        visible
            && self.actor.is_none_or(|actor| actor == Some(draft.actor))
            && self
                .resource_id
                .is_none_or(|id| id.is_some() && id == draft.resource_id)
            && word(&self.request.action, draft.action.as_str())
            && word(&self.request.resource, draft.resource.as_str())
            && word(&self.request.decision, draft.decision.as_str())
            && self.request.since.is_none_or(|since| draft.time >= since)
            && self.request.until.is_none_or(|until| draft.time < until)
    }
}

/// The bytes of an id of any noun.
fn id_bytes(text: &str) -> Option<[u8; 16]> {
    let memory = text.parse::<MemoryId>().map(MemoryId::to_bytes).ok();
    memory
        .or_else(|| text.parse::<IdentityId>().map(IdentityId::to_bytes).ok())
        .or_else(|| text.parse::<ApprovalId>().map(ApprovalId::to_bytes).ok())
        .or_else(|| text.parse::<PolicyId>().map(PolicyId::to_bytes).ok())
        .or_else(|| text.parse::<TokenId>().map(TokenId::to_bytes).ok())
        .or_else(|| text.parse::<PlanId>().map(PlanId::to_bytes).ok())
        .or_else(|| text.parse::<TenantId>().map(TenantId::to_bytes).ok())
}

/// The entries after `after` that are wanted, with how many there are in all.
fn list(
    view: &ReadView,
    filter: &Filter<'_>,
    after: AuditSeq,
    limit: usize,
    newest: bool,
) -> Result<Listed<AuditView>, WireError> {
    let mut items = std::collections::VecDeque::new();
    let mut total = 0;
    let mut more = false;
    let all = (AuditSeq(1), AuditSeq(u64::MAX));
    let read = view.each_entry(all, |entry, bytes| {
        if !filter.admits(entry) {
            return Ok(true);
        }
        total += 1;
        if entry.seq <= after {
            return Ok(true);
        }
        if items.len() == limit {
            more = true;
            if !newest {
                return Ok(true);
            }
            items.pop_front();
        }
        items.push_back(show(view.directory(), entry, bytes));
        Ok(true)
    });
    read.map_err(|error| unreadable(&error))?;
    let items: Vec<AuditView> = items.into();
    let next = items
        .last()
        .filter(|_| more && !newest)
        .map(|item| item.seq.to_string());
    Ok(Listed { items, next, total })
}

/// An entry, as shown: names where they are known, ids where they are not.
pub(super) fn show(directory: &Directory, entry: &AuditEntry, bytes: &[u8]) -> AuditView {
    let draft = &entry.draft;
    let (actor, actor_id) = match draft.actor {
        AuditActor::Anonymous => ("anonymous".to_owned(), None),
        AuditActor::Daemon => ("daemon".to_owned(), None),
        AuditActor::Identity(id) => (identity_name(directory, draft.tenant, id), Some(id)),
    };
    let policy = draft
        .policy
        .map(|stamp| policy_name(directory, draft.tenant, stamp.id));
    AuditView {
        seq: entry.seq,
        time: draft.time,
        tenant: draft.tenant,
        actor,
        actor_id,
        peer_uid: draft.peer_uid,
        token: draft.token,
        action: draft.action.as_str().to_owned(),
        resource: draft.resource.as_str().to_owned(),
        resource_id: draft
            .resource_id
            .map(|bytes| resource_id(directory, entry, bytes)),
        decision: draft.decision.as_str().to_owned(),
        policy,
        policy_revision: draft.policy.map(|stamp| stamp.revision),
        request_id: draft.request_id,
        outcome: match draft.outcome {
            Outcome::Ok => "OK".to_owned(),
            Outcome::Error(code) => code.to_string(),
        },
        count: draft.count,
        hash: chain::entry_hash(bytes).to_string(),
        prev_hash: entry.prev_hash.to_string(),
        more: extension::show(directory, entry),
    }
}

/// The external id of an identity; its id where that is gone.
fn identity_name(directory: &Directory, tenant: Option<TenantId>, id: IdentityId) -> String {
    let identity = tenant.and_then(|tenant| directory.identity(tenant, id));
    identity.map_or_else(|| id.to_string(), |found| found.external_id.to_string())
}

/// The name of a policy; its id where that is gone.
fn policy_name(directory: &Directory, tenant: Option<TenantId>, id: PolicyId) -> String {
    let policy = tenant.and_then(|tenant| directory.policy(tenant, id));
    policy.map_or_else(|| id.to_string(), |found| found.name.to_string())
}

/// The id in the form of its noun. An entry names the resource; where the bytes are those of another
/// noun (a plan, an identity of a token), that is seen in the directory.
fn resource_id(directory: &Directory, entry: &AuditEntry, bytes: [u8; 16]) -> String {
    let identity = IdentityId::from_bytes(bytes);
    let tenant = entry.draft.tenant;
    match entry.draft.resource {
        Resource::Memory => MemoryId::from_bytes(bytes).to_string(),
        Resource::Policy => {
            let approval = ApprovalId::from_bytes(bytes);
            let known = tenant.and_then(|tenant| directory.approval(tenant, approval));
            known.map_or_else(
                || PolicyId::from_bytes(bytes).to_string(),
                |_| approval.to_string(),
            )
        }
        Resource::Token
            if tenant.is_some_and(|tenant| directory.identity(tenant, identity).is_none()) =>
        {
            TokenId::from_bytes(bytes).to_string()
        }
        Resource::Identity | Resource::Token => identity.to_string(),
        Resource::System
            if tenant.is_some_and(|tenant| {
                directory.plan(tenant, PlanId::from_bytes(bytes)).is_some()
            }) =>
        {
            PlanId::from_bytes(bytes).to_string()
        }
        Resource::System | Resource::Audit => TenantId::from_bytes(bytes).to_string(),
    }
}
