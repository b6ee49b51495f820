//! Whether the caller may: the credential, its scopes, then the policies.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::MemoryId;

use super::refusal::Refusal;
use crate::command::Context;
use crate::directory::Directory;
use crate::model::{
    Action, Actor, AuditActor, AuditDraft, Decision, Extensions, Identity, Memory, Outcome,
    Resource, TokenState, Via,
};
use crate::plan::Plan;
use crate::policy::{Facts, IdentityFacts, MemoryFacts, RequestFacts, TargetFacts, Verdict};
use crate::view::{View, ViewError};

/// What is asked for: one action on one resource by one caller. It collects the audit entry.
pub struct Access<'a> {
    directory: &'a Directory,
    context: &'a Context,
    asking: Asking,
    /// The entry as far as it is known.
    pub audit: AuditDraft,
}

/// The entry of a request, before anything is decided.
pub fn draft(context: &Context, action: Action, resource: Resource) -> AuditDraft {
    let actor = match context.actor.via {
        Via::Daemon => AuditActor::Daemon,
        Via::PeerUid | Via::Token(_) => AuditActor::Identity(context.actor.identity.id),
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
        extensions: Extensions::default(),
    }
}

/// What policies can read of who asks and how, whatever is asked.
#[derive(Debug)]
pub struct Asking {
    identity: IdentityFacts,
    request: RequestFacts,
}

impl Asking {
    /// The caller of a request; `None` if its tenant is gone.
    pub fn of(directory: &Directory, context: &Context) -> Option<Self> {
        Self::as_if(directory, context, &context.actor.identity)
    }

    /// Another identity, as if it had sent this request.
    pub fn as_if(directory: &Directory, context: &Context, identity: &Identity) -> Option<Self> {
        // What the directory says may be newer than what the request was authenticated against.
        let identity = directory.identity(identity.tenant, identity.id)?;
        let tenant = directory.tenant(identity.tenant)?;
        let request = RequestFacts {
            time: context.now,
            transport: context.actor.transport.into(),
            peer_uid: context.actor.peer_uid,
            purpose: context.purpose.clone(),
        };
        Some(Self {
            identity: IdentityFacts::new(identity, &tenant.name),
            request,
        })
    }

    /// The facts of doing `action` to `resource`.
    pub fn to(&self, action: Action, resource: Resource) -> Facts<'_> {
        Facts::new(action, resource, &self.identity, &self.request)
    }
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
        let state = directory
            .token(identity.tenant, *id)
            .map_or(TokenState::Revoked, |token| {
                token.state(current, context.now)
            });
        if state != TokenState::Active {
            let message = format!("the access token is {}", state.as_str());
            return unauthenticated(&message, "ask for a new one: manushyactl token issue");
        }
    }
    Ok(())
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
        let audit = draft(context, action, resource);
        if let Err(error) = check_credential(directory, context) {
            return Err(Refusal::denied(&audit, error));
        }
        if !context.actor.in_scope(action, resource) {
            let message = format!("the access token does not cover {resource}:{action}");
            let error = WireError::new(ErrorCode::Denied, message)
                .reason("a token can do no more than its scopes")
                .hint("use a token with a wider scope: manushyactl token issue --scope");
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
        })
    }

    fn facts(&self) -> Facts<'_> {
        self.asking.to(self.audit.action, self.audit.resource)
    }

    fn verdict(&self, facts: &Facts<'_>) -> Verdict {
        let identity = &self.context.actor.identity;
        // A role may have changed since the request was authenticated.
        let role = self
            .directory
            .identity(identity.tenant, identity.id)
            .map_or(&identity.role, |current| &current.role);
        self.directory
            .policy_set(identity.tenant)
            .decide(role, facts)
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
        let verdict = self.verdict(&self.facts());
        self.ask(&verdict)
    }

    /// Asks the policies about an action on an identity.
    ///
    /// # Errors
    ///
    /// A refusal with `DENIED`.
    pub fn require_on(&mut self, target: &Identity) -> Result<(), Refusal> {
        self.audit.resource_id = Some(target.id.to_bytes());
        let verdict = self.verdict(&self.facts().with_target(TargetFacts::new(target)));
        self.ask(&verdict)
    }

    fn ask(&mut self, verdict: &Verdict) -> Result<(), Refusal> {
        if self.settle(verdict) {
            return Ok(());
        }
        Err(Refusal::denied(&self.audit, self.denial(verdict)))
    }

    /// What is said of a denial: the rule, so that an operator can look it up, but not its facts.
    fn denial(&self, verdict: &Verdict) -> WireError {
        let (action, resource) = (self.audit.action, self.audit.resource);
        let identity = &self.context.actor.identity;
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
        let about = MemoryFacts::new(memory, self.context.now);
        let verdict = self.verdict(&self.facts().with_memory(about.clone()));
        if self.settle(&verdict) {
            return Ok(());
        }
        let read = self.asking.to(Action::Read, Resource::Memory);
        let readable = self.context.actor.in_scope(Action::Read, Resource::Memory)
            && self.verdict(&read.with_memory(about)).allowed;
        if readable {
            return Err(Refusal::denied(&self.audit, self.denial(&verdict)));
        }
        Err(self.not_found(memory.id))
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
        also.ask_memory(memory)
    }

    /// Asks the policies about making a memory, which does not exist yet.
    ///
    /// # Errors
    ///
    /// A refusal with `DENIED`.
    pub fn require_new(&mut self, memory: &Memory) -> Result<(), Refusal> {
        self.audit.resource_id = Some(memory.id.to_bytes());
        let about = MemoryFacts::new(memory, self.context.now);
        let verdict = self.verdict(&self.facts().with_memory(about));
        self.ask(&verdict)
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
    pub fn plan<R>(mut self, writes: Vec<crate::plan::Write>, count: u64, reply: R) -> Plan<R> {
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
        Plan {
            writes,
            audit: self.audit,
            reply,
        }
    }
}
