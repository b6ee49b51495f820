//! Who asks, and about what: the facts that policies read, and what they decide about them.

use crate::command::Context;
use crate::directory::Directory;
use crate::model::{Action, Identity, Resource, Role};
use crate::policy::{
    Facts, IdentityFacts, Masking, MemoryFacts, PolicySet, RequestFacts, TargetFacts, Verdict,
};

/// What policies can read of who asks and how, whatever is asked.
///
/// A request is decided on the authority of one identity. If another acts for it, that one and all in
/// between can only be forbidden it: what no policy says of them takes nothing away.
#[derive(Debug)]
pub struct Asking {
    role: Role,
    identity: IdentityFacts,
    delegates: Vec<(Role, IdentityFacts)>,
    request: RequestFacts,
}

impl Asking {
    /// The caller of a request; `None` if its tenant is gone, or one of those who act.
    pub fn of(directory: &Directory, context: &Context) -> Option<Self> {
        let mut asking = Self::as_if(directory, context, &context.actor.identity)?;
        let tenant = directory.tenant(context.actor.identity.tenant)?;
        for delegate in context.actor.delegates() {
            let delegate = directory.identity(delegate.tenant, delegate.id)?;
            let facts = IdentityFacts::new(delegate, &tenant.name);
            asking.delegates.push((delegate.role.clone(), facts));
        }
        Some(asking)
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
            role: identity.role.clone(),
            identity: IdentityFacts::new(identity, &tenant.name),
            delegates: Vec::new(),
            request,
        })
    }

    /// The role of the one on whose authority it is.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Those who act for it: each one's role, and the facts of it doing `action` to `resource`.
    pub fn delegates(
        &self,
        action: Action,
        resource: Resource,
    ) -> impl Iterator<Item = (&Role, Facts<'_>)> {
        self.delegates.iter().map(move |(role, identity)| {
            (role, Facts::new(action, resource, identity, &self.request))
        })
    }

    /// Decides: the authority has to be there, and no policy may forbid it to who acts on it.
    pub fn decide<'a>(
        &'a self,
        set: &PolicySet,
        action: Action,
        resource: Resource,
        about: &About<'a>,
    ) -> Verdict {
        let decide = |role: &Role, facts: &Facts<'_>| set.decide(role, facts);
        self.decide_by(action, resource, about, decide)
    }

    /// Decides as if no policy asked for an approval.
    pub fn decide_beyond<'a>(
        &'a self,
        set: &PolicySet,
        action: Action,
        resource: Resource,
        about: &About<'a>,
    ) -> Verdict {
        let decide = |role: &Role, facts: &Facts<'_>| set.decide_beyond(role, facts);
        self.decide_by(action, resource, about, decide)
    }

    fn decide_by<'a>(
        &'a self,
        action: Action,
        resource: Resource,
        about: &About<'a>,
        decide: impl Fn(&Role, &Facts<'_>) -> Verdict,
    ) -> Verdict {
        let verdict = decide(&self.role, &about.complete(self.to(action, resource)));
        if !verdict.allowed {
            return verdict;
        }
        self.delegates(action, resource)
            .map(|(role, facts)| decide(role, &about.complete(facts)))
            .find(|verdict| !verdict.allowed && verdict.policy.is_some())
            .unwrap_or(verdict)
    }

    /// What masks memories: when they are read, and when `action` is done to them, for the authority
    /// and for all who act on it. What is masked for reading is masked in every answer.
    pub fn maskings<'a>(&'a self, set: &'a PolicySet, action: Action) -> Vec<Masking<'a>> {
        let mut all = Vec::new();
        let also = Some(action).filter(|action| *action != Action::Read);
        for action in [Action::Read].into_iter().chain(also) {
            all.push(set.masking(&self.role, &self.to(action, Resource::Memory)));
            let delegates = self.delegates(action, Resource::Memory);
            all.extend(delegates.map(|(role, facts)| set.masking(role, &facts)));
        }
        all.retain(|masking| !masking.is_idle());
        all
    }

    /// The facts of doing `action` to `resource`.
    pub fn to(&self, action: Action, resource: Resource) -> Facts<'_> {
        Facts::new(action, resource, &self.identity, &self.request)
    }
}

/// What is acted on.
#[derive(Clone, Debug)]
pub enum About<'a> {
    /// Nothing in particular.
    Nothing,
    /// A memory.
    Memory(MemoryFacts<'a>),
    /// Another identity.
    Target(TargetFacts),
}

impl<'a> About<'a> {
    pub(super) fn complete(&self, facts: Facts<'a>) -> Facts<'a> {
        match self {
            Self::Nothing => facts,
            Self::Memory(memory) => facts.with_memory(memory.clone()),
            Self::Target(target) => facts.with_target(target.clone()),
        }
    }
}
