//! From what the store holds to what is shown, and from what is asked to what is decided.

use manushya_core::command::{AddMemory, UpdateMemory};
use manushya_core::decide::chain;
use manushya_core::decide::receipt::Unplanned;
use manushya_core::directory::Directory;
use manushya_core::model::{
    Embedding, Identity, Invalid, Kind, Memory, MemoryContent, MemoryKey, Namespace, PlanState,
    Policy, PurgePlan, PurgeReceipt, Session, Source, Tag, Tenant, Token, TokenState, Trust,
};
use manushya_core::policy::Mask;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::identity::{IdentityView, TenantView};
use manushya_protocol::v1::memory::{MemoryAdd, MemoryUpdate, MemoryView};
use manushya_protocol::v1::policy::PolicyView;
use manushya_protocol::v1::provenance::ProvenanceView;
use manushya_protocol::v1::purge::PlanView;
use manushya_protocol::v1::token::TokenView;

/// The error for input that is out of bounds.
pub fn invalid(error: &Invalid) -> WireError {
    WireError::new(ErrorCode::InvalidArgument, error.to_string())
}

fn tenant_name(directory: &Directory, id: TenantId) -> String {
    directory
        .tenant(id)
        .map_or_else(|| id.to_string(), |tenant| tenant.name.to_string())
}

/// A tenant, as shown.
pub fn tenant(directory: &Directory, tenant: &Tenant) -> TenantView {
    TenantView {
        id: tenant.id,
        name: tenant.name.to_string(),
        created_at: tenant.created_at,
        identities: directory.identities(tenant.id).count() as u64,
        policies: directory.policies(tenant.id).count() as u64,
    }
}

/// An identity, as shown.
pub fn identity(directory: &Directory, identity: &Identity) -> IdentityView {
    IdentityView {
        id: identity.id,
        tenant: tenant_name(directory, identity.tenant),
        external_id: identity.external_id.to_string(),
        role: identity.role.to_string(),
        name: identity.name.clone(),
        description: identity.description.clone(),
        claims: identity.claims.clone(),
        is_active: identity.is_active,
        quarantine: identity.quarantine,
        created_at: identity.created_at,
        updated_at: identity.updated_at,
        last_seen_at: None,
        bindings: directory
            .gates()
            .bindings(identity.tenant)
            .filter(|it| it.identity == identity.id)
            .map(super::binding::show)
            .collect(),
    }
}

/// The name of an identity as shown: its external id, or its id where it is gone.
pub fn name_of(directory: &Directory, tenant: TenantId, id: IdentityId) -> String {
    directory.identity(tenant, id).map_or_else(
        || id.to_string(),
        |identity| identity.external_id.to_string(),
    )
}

/// The state of a token, as shown.
pub fn token_state(directory: &Directory, token: &Token, now: UnixMillis) -> TokenState {
    match chain::state(directory, token, now) {
        TokenState::Active if token.is_spent() => TokenState::Spent,
        state => state,
    }
}

/// A token, as shown: never its secret.
pub fn token(
    directory: &Directory,
    identity: &Identity,
    token: &Token,
    now: UnixMillis,
) -> TokenView {
    let links = chain::links(directory, token.tenant, token.id).unwrap_or_default();
    let mut chain = chain::identities(&links);
    // A token whose chain is its own says nothing of it.
    if chain.len() < 2 {
        chain.clear();
    }
    TokenView {
        id: token.id,
        identity: identity.external_id.to_string(),
        identity_id: identity.id,
        scopes: token.scopes.iter().map(ToString::to_string).collect(),
        label: token.label.clone(),
        issued_at: token.issued_at,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
        state: token_state(directory, token, now).as_str().to_owned(),
        kind: token.kind.as_str().to_owned(),
        parent: token.parent,
        chain: chain
            .into_iter()
            .map(|id| name_of(directory, token.tenant, id))
            .collect(),
        namespace: token
            .limits
            .namespace
            .as_ref()
            .map(|namespace| namespace.as_str().to_owned()),
        types: token
            .limits
            .kinds
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect(),
        uses: token.uses.map(|uses| uses.max),
        uses_left: token.uses.map(|uses| uses.left),
        purpose: token.purpose.clone(),
    }
}

/// A memory, as shown to one from whom `mask` is hidden. There is no other way to show one.
pub fn memory(directory: &Directory, memory: Memory, mask: &Mask) -> MemoryView {
    let name = |id| name_of(directory, memory.tenant, id);
    let owner = name(memory.owner);
    let from = memory.provenance;
    let provenance = ProvenanceView {
        writer: name(from.writer),
        writer_id: from.writer,
        token: from.token,
        delegation: from.chain.iter().map(|step| name(step.identity)).collect(),
        peer_uid: from.peer_uid,
        source: from.source.map(|source| source.as_str().to_owned()),
        request_id: from.request_id,
        written_at: from.written_at,
    };
    let mut content = memory.content;
    let redacted = mask.apply(&mut content.text, &mut content.metadata);
    MemoryView {
        redacted,
        id: memory.id,
        owner,
        owner_id: memory.owner,
        key: memory.key.map(|key| key.as_str().to_owned()),
        text: content.text,
        kind: content.kind.as_str().to_owned(),
        tags: content
            .tags
            .iter()
            .map(|tag| tag.as_str().to_owned())
            .collect(),
        metadata: content.metadata,
        namespace: content.namespace.as_str().to_owned(),
        session: content.session.map(|session| session.as_str().to_owned()),
        trust: content.trust.percent(),
        version: memory.version,
        created_at: memory.created_at,
        updated_at: memory.updated_at,
        expires_at: content.expires_at,
        deleted_at: memory.deleted_at,
        provenance: Some(provenance),
        quarantined: memory.quarantined,
        superseded_by: memory.superseded.map(|superseded| superseded.by),
        superseded_at: memory.superseded.map(|superseded| superseded.at),
        supersedes: memory.supersedes,
    }
}

/// A policy, as shown.
pub fn policy(policy: &Policy) -> PolicyView {
    PolicyView {
        id: policy.id,
        name: policy.name.to_string(),
        role: policy
            .role
            .as_ref()
            .map_or_else(|| "*".to_owned(), ToString::to_string),
        rule: policy.rule.clone(),
        effect: policy.effect,
        priority: policy.priority,
        is_active: policy.is_active,
        fields: policy.fields.iter().map(ToString::to_string).collect(),
        description: policy.description.clone(),
        revision: policy.revision,
        created_at: policy.created_at,
        updated_at: policy.updated_at,
    }
}

/// A purge plan, as shown.
pub fn plan(plan: &PurgePlan, now: UnixMillis) -> PlanView {
    let (state, applied_at) = match plan.state {
        PlanState::Applied(at) => ("applied", Some(at)),
        PlanState::Planned if plan.expires_at <= now => ("lapsed", None),
        PlanState::Planned => ("planned", None),
    };
    PlanView {
        id: plan.id,
        confirm: plan.confirm.clone(),
        scope: plan.scope.describe().to_owned(),
        memories: plan.memories,
        versions: plan.versions,
        tokens: plan.tokens,
        identities: plan.identities,
        created_at: plan.created_at,
        expires_at: plan.expires_at,
        state: state.to_owned(),
        applied_at,
    }
}

/// An erasure without a plan, as an applied plan is shown; none for one that has its plan.
pub fn unplanned(receipt: &PurgeReceipt) -> Option<PlanView> {
    let scope = Unplanned::describe(&receipt.scope)?;
    Some(PlanView {
        id: receipt.plan,
        confirm: receipt.plan.to_string(),
        scope: scope.to_owned(),
        memories: receipt.memories,
        versions: receipt.versions,
        tokens: receipt.tokens,
        identities: receipt.identities,
        created_at: receipt.applied_at,
        expires_at: receipt.applied_at,
        state: "applied".to_owned(),
        applied_at: Some(receipt.applied_at),
    })
}

fn tags(tags: Vec<String>) -> Result<Vec<Tag>, Invalid> {
    tags.into_iter().map(Tag::new).collect()
}

/// A memory to add. Its vector is made elsewhere.
///
/// # Errors
///
/// [`Invalid`] for the first field that is out of bounds.
pub fn add_memory(add: MemoryAdd, id: MemoryId, now: UnixMillis) -> Result<AddMemory, Invalid> {
    if add.expires_at.is_some() && add.ttl_seconds.is_some() {
        return Err(Invalid::new("ttl", "and expires_at cannot both be given"));
    }
    if add.ttl_seconds == Some(0) {
        return Err(Invalid::new("ttl", "must be at least one second"));
    }
    let ttl = add.ttl_seconds.map(|seconds| now.plus_seconds(seconds));
    let content = MemoryContent {
        text: add.text,
        kind: add.kind.map_or_else(|| Ok(Kind::default()), Kind::new)?,
        tags: tags(add.tags)?,
        metadata: add.metadata,
        namespace: add
            .namespace
            .map_or_else(|| Ok(Namespace::default()), Namespace::new)?,
        session: add.session.map(Session::new).transpose()?,
        trust: add.trust.map_or_else(|| Ok(Trust::default()), Trust::new)?,
        expires_at: add.expires_at.or(ttl),
    };
    Ok(AddMemory {
        id,
        key: add.key.map(MemoryKey::new).transpose()?,
        content: content.check()?,
        embedding: Embedding::default(),
        created_at: add.created_at,
        on_conflict: add.on_conflict,
        source: add.source.map(Source::new).transpose()?,
        canary: add.canary,
        on_duplicate: add.on_duplicate,
        alike: Vec::new(),
    })
}

/// A change of a memory. The vector of a new text is made elsewhere.
///
/// # Errors
///
/// [`Invalid`] for the first field that is out of bounds.
pub fn update_memory(update: MemoryUpdate, now: UnixMillis) -> Result<UpdateMemory, Invalid> {
    if let Some(text) = &update.text {
        manushya_core::model::check_text(text)?;
    }
    let session = update.session.map(|text| {
        if text.is_empty() {
            Ok(None)
        } else {
            Session::new(text).map(Some)
        }
    });
    Ok(UpdateMemory {
        id: update.id,
        if_version: update.if_version,
        text: update.text.map(|text| (text, Embedding::default())),
        kind: update.kind.map(Kind::new).transpose()?,
        tags: update.tags.map(tags).transpose()?,
        metadata: update.metadata,
        namespace: update.namespace.map(Namespace::new).transpose()?,
        session: session.transpose()?,
        trust: update.trust.map(Trust::new).transpose()?,
        expires_at: update
            .ttl_seconds
            .map(|seconds| (seconds > 0).then(|| now.plus_seconds(seconds))),
        source: update.source.map(Source::new).transpose()?,
    })
}
