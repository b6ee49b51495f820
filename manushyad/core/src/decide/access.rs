//! Whether the caller may: the credential, its scopes, then the policies.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::MemoryId;

pub use super::asking::{About, Asking};
use super::chain;
use super::refusal::Refusal;
use crate::command::Context;
use crate::directory::Directory;
use crate::model::{
    Action, Actor, Approval, AuditActor, AuditDraft, Decision, DelegationStep, Extensions,
    Identity, Memory, Outcome, Resource, ShadowVerdict, TokenKind, Via,
};
use crate::plan::{Plan, Write};
use crate::policy::{Mask, MemoryFacts, TargetFacts, Verdict};
use crate::view::{View, ViewError};

/// What is asked for: one action on one resource by one caller. It collects the audit entry.
pub struct Access<'a> {
    pub(super) directory: &'a Directory,
    pub(super) context: &'a Context,
    asking: Asking,
    /// The entry as far as it is known.
    pub audit: AuditDraft,
    /// Approvals that are used up when this is done.
    pub(super) used: Vec<Arc<Approval>>,
}

/// The entry of a request, before anything is decided.
pub fn draft(context: &Context, action: Action, resource: Resource) -> AuditDraft {
    let actor = match context.actor.via {
        Via::Daemon => AuditActor::Daemon,
        Via::PeerUid | Via::Token(_) => AuditActor::Identity(context.actor.bearer().id),
    };
    let token = match context.actor.via {
        Via::Token(id) => Some(id),
        Via::PeerUid | Via::Daemon => None,
    };
    AuditDraft {
        time: context.now,
        tenant: Some(context.actor.identity.tenant),
        actor,
        peer_uid: context.actor.peer_uid,
        token,
        action,
        resource,
        resource_id: None,
        decision: Decision::Deny,
        policy: None,
        request_id: context.request_id,
        outcome: Outcome::Ok,
        count: 1,
        extensions: credential_of(&context.actor),
    }
}

/// What an entry tells of the credential beside its id: what it is, and those it was made with.
fn credential_of(actor: &Actor) -> Extensions {
    let mut told = Extensions::default();
    let above: Vec<DelegationStep> = actor
        .links
        .iter()
        .skip(1)
        .rev()
        .map(|link| DelegationStep {
            token: link.token.id,
            identity: link.identity.id,
        })
        .collect();
    // No chain is longer than an entry holds.
    let fits = told.set_delegation(&above);
    debug_assert!(fits.is_ok(), "{fits:?}");
    match actor
        .links
        .first()
        .map(|link| (&link.token.kind, link.token.id))
    {
        Some((TokenKind::ApiKey(_), id)) => told.set_api_key(id.to_bytes()),
        Some((TokenKind::Session(_), id)) => told.set_session(id.to_bytes()),
        Some((TokenKind::Access, _)) | None => {}
    }
    told
}

/// Checks that the caller's identity and token are good in the state that is decided on, which may be
/// newer than the one the request was authenticated against.
pub fn check_credential(directory: &Directory, context: &Context) -> Result<(), WireError> {
    let Actor { identity, via, .. } = &context.actor;
    if *via == Via::Daemon {
        return Ok(());
    }
    let unauthenticated = |message: &str, hint: &str| {
        Err(WireError::new(ErrorCode::Unauthenticated, message).hint(hint))
    };
    let Some(current) = directory.identity(identity.tenant, identity.id) else {
        return unauthenticated(
            "the identity of this credential is gone",
            "ask for a new token",
        );
    };
    if !current.is_active {
        let hint = format!("manushyactl identity enable {}", current.external_id);
        return unauthenticated("the identity is disabled", &hint);
    }
    if let Via::Token(id) = via {
        chain::check(directory, identity.tenant, *id, context.now)?;
    }
    Ok(())
}

/// Whether an action leaves everything as it is.
fn only_looks(action: Action) -> bool {
    matches!(action, Action::Read | Action::Search | Action::Export)
}

impl<'a> Access<'a> {
    /// Starts a request: checks the credential and its scopes.
    ///
    /// # Errors
    ///
    /// A refusal with `UNAUTHENTICATED` or `DENIED`.
    pub fn begin(
        directory: &'a Directory,
        context: &'a Context,
        action: Action,
        resource: Resource,
    ) -> Result<Self, Refusal> {
        let access = Self::begin_with_own(directory, context, action, resource)?;
        let audit = &access.audit;
        if !context.actor.in_scope(action, resource) {
            let message = format!("the access token does not cover {resource}:{action}");
            let error = WireError::new(ErrorCode::Denied, message)
                .reason("a token can do no more than its scopes")
                .hint("use a token with a wider scope: manushyactl token issue --scope");
            return Err(Refusal::denied(audit, error));
        }
        if resource != Resource::Memory && !only_looks(action) && context.actor.is_narrowed() {
            let message = format!("the access token does not cover {resource}:{action}");
            let error = WireError::new(ErrorCode::Denied, message)
                .reason("a token that was delegated or limited changes memories and nothing else")
                .hint("use the credential it was made with");
            return Err(Refusal::denied(audit, error));
        }
        Ok(access)
    }

    /// Starts a request that works on the caller's own credential and what was made with it: scopes
    /// say what that credential may do elsewhere.
    ///
    /// # Errors
    ///
    /// A refusal with `UNAUTHENTICATED`.
    pub fn begin_with_own(
        directory: &'a Directory,
        context: &'a Context,
        action: Action,
        resource: Resource,
    ) -> Result<Self, Refusal> {
        let audit = draft(context, action, resource);
        if let Err(error) = check_credential(directory, context) {
            return Err(Refusal::denied(&audit, error));
        }
        let Some(asking) = Asking::of(directory, context) else {
            let error = WireError::new(ErrorCode::Unauthenticated, "the tenant is gone");
            return Err(Refusal::denied(&audit, error));
        };
        Ok(Self {
            directory,
            context,
            asking,
            audit,
            used: Vec::new(),
        })
    }

    fn verdict(&self, action: Action, about: &About<'_>) -> Verdict {
        let tenant = self.context.actor.identity.tenant;
        let set = self.directory.policy_set(tenant);
        self.asking.decide(&set, action, self.audit.resource, about)
    }

    /// Decides by the draft that runs beside the policies, for the entry alone. `free` says whether what
    /// no policy speaks of is allowed.
    fn overshadow(&mut self, about: &About<'_>, free: bool) {
        let tenant = self.context.actor.identity.tenant;
        let Some(draft) = self.directory.draft(tenant) else {
            return;
        };
        let Some(set) = self.directory.shadow_set(tenant) else {
            return;
        };
        let (action, resource) = (self.audit.action, self.audit.resource);
        let verdict = self.asking.decide(set, action, resource, about);
        let first = draft.policies.first().map(|policy| policy.stamp());
        let Some(policy) = verdict.stamp().or(first) else {
            return;
        };
        // A request that asks more than once is denied if any answer is.
        let said = self.audit.extensions.shadows();
        if said.iter().any(|said| said.decision == Decision::Deny) {
            return;
        }
        let decision =
            match verdict.allowed || self.by_right() || (free && verdict.policy.is_none()) {
                true => Decision::Allow,
                false => Decision::Deny,
            };
        // One verdict is always within the bounds.
        let fits = self
            .audit
            .extensions
            .set_shadows(&[ShadowVerdict { policy, decision }]);
        debug_assert!(fits.is_ok(), "{fits:?}");
    }

    /// Whether it is allowed although no policy says so. The daemon keeps its own promises, and the
    /// operator of the host, who owns the files, can always mend the policies. Both are audited like
    /// everything else, without a policy.
    fn by_right(&self) -> bool {
        let mends = matches!(self.audit.resource, Resource::Policy | Resource::System);
        self.context.actor.via == Via::Daemon || (self.context.actor.operator && mends)
    }

    /// Notes what was decided; returns whether it is allowed.
    fn settle(&mut self, verdict: &Verdict) -> bool {
        let by_right = !verdict.allowed && self.by_right();
        self.audit.policy = verdict.stamp().filter(|_| !by_right);
        let allowed = verdict.allowed || by_right;
        self.audit.decision = if allowed {
            Decision::Allow
        } else {
            Decision::Deny
        };
        allowed
    }

    /// Asks the policies about an action on no thing in particular.
    ///
    /// # Errors
    ///
    /// A refusal with `DENIED`.
    pub fn require(&mut self) -> Result<(), Refusal> {
        self.ask(&About::Nothing)
    }

    /// Asks the policies about an action on an identity.
    ///
    /// # Errors
    ///
    /// A refusal with `DENIED`.
    pub fn require_on(&mut self, target: &Identity) -> Result<(), Refusal> {
        self.audit.resource_id = Some(target.id.to_bytes());
        self.ask(&About::Target(TargetFacts::new(target)))
    }

    /// Allows an action on an identity unless a policy forbids it.
    ///
    /// # Errors
    ///
    /// A refusal with `DENIED`.
    pub fn require_not_forbidden_on(&mut self, target: &Identity) -> Result<(), Refusal> {
        self.audit.resource_id = Some(target.id.to_bytes());
        let about = About::Target(TargetFacts::new(target));
        let verdict = self.verdict(self.audit.action, &about);
        self.overshadow(&about, true);
        if verdict.policy.is_none() {
            self.audit.decision = Decision::Allow;
            return Ok(());
        }
        if self.settle(&verdict) {
            return Ok(());
        }
        let enough = |beyond: &Verdict| beyond.allowed || beyond.policy.is_none();
        self.unless_approved(&verdict, &about, enough)
    }

    fn ask(&mut self, about: &About<'_>) -> Result<(), Refusal> {
        let verdict = self.verdict(self.audit.action, about);
        self.overshadow(about, false);
        if self.settle(&verdict) {
            return Ok(());
        }
        self.unless_approved(&verdict, about, |beyond| beyond.allowed)
    }

    /// Refuses what was decided against, unless an approval is missing and was granted. `enough` says
    /// whether one is enough, of what the policies decide without those that ask for it.
    fn unless_approved(
        &mut self,
        verdict: &Verdict,
        about: &About<'_>,
        enough: impl FnOnce(&Verdict) -> bool,
    ) -> Result<(), Refusal> {
        let Some(policy) = verdict.requires() else {
            return Err(Refusal::denied(&self.audit, self.denial(verdict)));
        };
        // An approval is no permission: without it, it has to be allowed all the same.
        let set = self
            .directory
            .policy_set(self.context.actor.identity.tenant);
        let (action, resource) = (self.audit.action, self.audit.resource);
        let beyond = self.asking.decide_beyond(&set, action, resource, about);
        if enough(&beyond) {
            return self.approved(policy);
        }
        self.audit.policy = beyond.stamp();
        Err(Refusal::denied(&self.audit, self.denial(&beyond)))
    }

    /// What is said of a denial: the rule, so that an operator can look it up, but not its facts.
    fn denial(&self, verdict: &Verdict) -> WireError {
        let (action, resource) = (self.audit.action, self.audit.resource);
        let identity = self.context.actor.bearer();
        let reason = verdict.policy.as_ref().map_or_else(
            || "no policy allows it".to_owned(),
            |policy| format!("policy {} says no", policy.name),
        );
        WireError::new(
            ErrorCode::Denied,
            format!("{} may not {action} this {resource}", identity.external_id),
        )
        .reason(reason)
        .hint(format!(
            "an operator can see why: manushyactl policy explain {action} {resource} --as {}",
            identity.external_id
        ))
    }

    /// Asks the policies about an action on a memory. Who may not read it learns nothing of it: the
    /// answer is the same as for a memory that does not exist.
    ///
    /// # Errors
    ///
    /// A refusal with `NOT_FOUND` or `DENIED`, or a broken store.
    pub fn require_memory(&mut self, view: &impl View, id: MemoryId) -> Result<Memory, Refusal> {
        let memory = self.find_memory(view, id)?;
        self.ask_memory(&memory)?;
        Ok(memory)
    }

    /// Like [`Self::require_memory`], for a memory that is neither deleted nor expired: such a one is
    /// not found, whatever the caller may do to it.
    ///
    /// # Errors
    ///
    /// A refusal with `NOT_FOUND` or `DENIED`, or a broken store.
    pub fn require_live_memory(
        &mut self,
        view: &impl View,
        id: MemoryId,
    ) -> Result<Memory, Refusal> {
        let memory = self.find_memory(view, id)?;
        let asked = self.ask_memory(&memory);
        if !memory.is_live(self.context.now) {
            return Err(self.not_found(id));
        }
        asked?;
        Ok(memory)
    }

    fn find_memory(&mut self, view: &impl View, id: MemoryId) -> Result<Memory, Refusal> {
        self.audit.resource_id = Some(id.to_bytes());
        let tenant = self.context.actor.identity.tenant;
        match view.memory(tenant, id) {
            Ok(Some(memory)) => Ok(memory),
            Ok(None) => Err(self.not_found(id)),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Like [`Self::require_memory`], for a memory that is at hand.
    ///
    /// # Errors
    ///
    /// A refusal with `NOT_FOUND` or `DENIED`.
    pub fn ask_memory(&mut self, memory: &Memory) -> Result<(), Refusal> {
        if !self.may_know_of(memory) || !self.context.actor.reaches(memory) {
            return Err(self.not_found(memory.id));
        }
        let about = About::Memory(MemoryFacts::new(memory, self.context.now));
        let verdict = self.verdict(self.audit.action, &about);
        self.overshadow(&about, false);
        if self.settle(&verdict) {
            return Ok(());
        }
        let readable = self.context.actor.in_scope(Action::Read, Resource::Memory)
            && self.verdict(Action::Read, &about).allowed;
        if readable {
            return self.unless_approved(&verdict, &about, |beyond| beyond.allowed);
        }
        Err(self.not_found(memory.id))
    }

    /// What of a memory is masked in the answer to this request.
    pub fn mask(&self, memory: &Memory) -> Mask {
        let set = self
            .directory
            .policy_set(self.context.actor.identity.tenant);
        let mut mask = Mask::default();
        if !set.redacts() {
            return mask;
        }
        let facts = MemoryFacts::new(memory, self.context.now);
        for masking in self.asking.maskings(&set, self.audit.action) {
            mask.join(masking.of(&facts));
        }
        mask
    }

    /// Whether the caller may know of a memory that is held back, whatever the policies say: its owner
    /// may, and who reviews or erases.
    fn may_know_of(&self, memory: &Memory) -> bool {
        !memory.quarantined
            || memory.owner == self.context.actor.identity.id
            || self.context.actor.via == Via::Daemon
            || matches!(self.audit.action, Action::Manage | Action::Purge)
    }

    /// The refusal for one in quarantine who would change what others wrote.
    pub fn held_back(&self) -> Refusal {
        let error = WireError::new(
            ErrorCode::Denied,
            "one in quarantine may not change the memories of others",
        )
        .reason("what it writes is held back until it is reviewed, and would take theirs along")
        .hint("an administrator ends it: manushyactl identity update --quarantine off");
        Refusal::denied(&self.audit, error)
    }

    /// Asks about another action that the same request comes to, on a memory that is at hand. The
    /// entry stays about the first one, unless this one is refused.
    ///
    /// # Errors
    ///
    /// A refusal with `NOT_FOUND` or `DENIED`.
    pub fn require_also(&mut self, action: Action, memory: &Memory) -> Result<(), Refusal> {
        let resource = Resource::Memory;
        let mut also = Self::begin(self.directory, self.context, action, resource)?;
        also.audit.resource_id = Some(memory.id.to_bytes());
        also.ask_memory(memory)?;
        self.used.append(&mut also.used);
        Ok(())
    }

    /// Asks the policies about making a memory, which does not exist yet.
    ///
    /// # Errors
    ///
    /// A refusal with `DENIED`.
    pub fn require_new(&mut self, memory: &Memory) -> Result<(), Refusal> {
        self.audit.resource_id = Some(memory.id.to_bytes());
        self.require_reach(memory)?;
        self.ask(&About::Memory(MemoryFacts::new(memory, self.context.now)))
    }

    /// Checks that the caller's credential reaches a memory, which the caller knows of.
    ///
    /// # Errors
    ///
    /// A refusal with `DENIED`.
    pub fn require_reach(&self, memory: &Memory) -> Result<(), Refusal> {
        let mut links = self.context.actor.links.iter();
        let Some(link) = links.find(|link| !link.reaches(memory)) else {
            return Ok(());
        };
        let error = WireError::new(
            ErrorCode::Denied,
            "the access token does not reach this memory",
        )
        .reason(format!("it is limited to {}", link.token.limits.describe()))
        .hint("keep to that, or use the credential it was made with");
        Err(Refusal::denied(&self.audit, error))
    }

    /// The refusal for a memory that does not exist, or that the caller may not know of.
    pub fn not_found(&self, id: MemoryId) -> Refusal {
        let error = WireError::new(ErrorCode::NotFound, format!("there is no memory {id}"))
            .reason("it does not exist, or you may not see it")
            .hint("manushyactl memory list");
        let mut audit = self.audit.clone();
        if audit.decision == Decision::Allow {
            // It may be seen, but is deleted or expired: that was no policy's doing.
            audit.policy = None;
        }
        Refusal::denied(&audit, error)
    }

    /// The refusal for a thing that is named and does not exist.
    pub fn missing(&self, noun: &str, reference: &str, hint: &str) -> Refusal {
        let reference: String = reference.chars().take(80).collect();
        let error = WireError::new(
            ErrorCode::NotFound,
            format!("there is no {noun} {reference}"),
        )
        .hint(hint);
        Refusal::denied(&self.audit, error)
    }

    /// The refusal for something that stands in the way.
    pub fn conflict(&self, message: impl Into<String>, reason: &str, hint: &str) -> Refusal {
        let error = WireError::new(ErrorCode::Conflict, message)
            .reason(reason)
            .hint(hint);
        Refusal::allowed(&self.audit, error)
    }

    /// The refusal for a store that cannot be read.
    pub fn broken(&self, cause: ViewError) -> Refusal {
        Refusal::broken(&self.audit, cause)
    }

    /// The plan of an allowed command. In a dry run its writes are dropped and the entry counts none.
    pub fn plan<R>(mut self, mut writes: Vec<Write>, count: u64, reply: R) -> Plan<R> {
        self.audit.outcome = Outcome::Ok;
        self.audit.count = count;
        if self.context.dry_run {
            self.audit.count = 0;
            return Plan {
                writes: Vec::new(),
                audit: self.audit,
                reply,
            };
        }
        let used = std::mem::take(&mut self.used).into_iter();
        writes.extend(used.map(Write::PutApproval));
        Plan {
            writes,
            audit: self.audit,
            reply,
        }
    }
}
