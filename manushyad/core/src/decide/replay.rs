//! Deciding anew what the audit log tells of: once with the policies as they are, once with a draft.
//!
//! An entry holds no content, so the facts are rebuilt from what is there today: the identity, the
//! memory, the other identity. What cannot be rebuilt is open (see [`crate::policy::Open`]), and a
//! decision that depends on it is counted as not replayable, never guessed.

use std::collections::BTreeMap;

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId, TokenId};
use manushya_protocol::unit::AuditSeq;

use crate::directory::Directory;
use crate::model::{
    Action, AuditActor, AuditDraft, AuditEntry, Decision, Identity, Memory, Outcome, Resource, Role,
};
use crate::policy::{
    Answer, Certainty, Fact, Facts, IdentityFacts, MemoryFacts, Open, PolicySet, RequestFact,
    RequestFacts, TargetFacts,
};

/// How many entries are named as examples of one change.
const EXAMPLES_MAX: usize = 5;

/// Decisions that would change, alike in who, what and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Who acted.
    pub actor: IdentityId,
    /// What was done.
    pub action: Action,
    /// What it was done to.
    pub resource: Resource,
    /// What the live policies say.
    pub from: &'static str,
    /// What the draft says.
    pub to: &'static str,
}

/// How often, and where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// How many entries.
    pub count: u64,
    /// The policy of the draft that decides the first of them.
    pub policy: Option<String>,
    /// The first of them.
    pub examples: Vec<AuditSeq>,
}

/// What became of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// What would change.
    pub changed: BTreeMap<Change, Changed>,
    /// How many decisions would stay.
    pub unchanged: u64,
    /// How many cannot be decided anew, by the reason.
    pub unreplayable: BTreeMap<&'static str, u64>,
}

/// A replay of one tenant's entries.
pub struct Replay<'a> {
    directory: &'a Directory,
    tenant: TenantId,
    live: &'a PolicySet,
    draft: &'a PolicySet,
    outcomes: Outcomes,
}

/// Why an entry says nothing.
type Lost = &'static str;

const NOT_ASKED: Lost = "no policy was asked";
const ACTOR_GONE: Lost = "the identity that acted is gone";
const THING_GONE: Lost = "what it was done to is gone";
const TOKEN_GONE: Lost = "the token that was used is gone, and its scopes may have decided";
const DELEGATED: Lost = "it was delegated, and each link of the chain counts";
const NOT_IN_LOG: Lost = "it depends on facts that the log does not hold";

/// What the request was about, as far as it is known.
struct About {
    memory: Option<Memory>,
    target: Option<TargetFacts>,
    /// Facts of the memory or target may be anything.
    open: bool,
}

impl<'a> Replay<'a> {
    /// Starts.
    pub fn new(
        directory: &'a Directory,
        tenant: TenantId,
        live: &'a PolicySet,
        draft: &'a PolicySet,
    ) -> Self {
        Self {
            directory,
            tenant,
            live,
            draft,
            outcomes: Outcomes::default(),
        }
    }

    /// Decides one entry of the tenant anew. `memory` finds a memory as it is now.
    ///
    /// # Errors
    ///
    /// What `memory` fails with.
    pub fn take<E>(
        &mut self,
        entry: &AuditEntry,
        memory: impl FnOnce(MemoryId) -> Result<Option<Memory>, E>,
    ) -> Result<(), E> {
        let draft = &entry.draft;
        let lost = match self.actor(draft) {
            Err(lost) => Some(lost),
            Ok(None) => {
                // Whatever the policies say: it is the operator's right, or the token forbade it.
                self.outcomes.unchanged += 1;
                None
            }
            Ok(Some(identity)) => match self.about(draft, memory)? {
                None => Some(THING_GONE),
                Some(about) => self.compare(entry, identity, &about).err(),
            },
        };
        if let Some(lost) = lost {
            *self.outcomes.unreplayable.entry(lost).or_insert(0) += 1;
        }
        Ok(())
    }

    /// What became of it.
    pub fn finish(self) -> Outcomes {
        self.outcomes
    }

    /// Who acted, if policies were asked about it; none if no policy would make a difference.
    fn actor(&self, draft: &AuditDraft) -> Result<Option<&'a Identity>, Lost> {
        let AuditActor::Identity(id) = draft.actor else {
            return Err(NOT_ASKED);
        };
        let unauthenticated = Outcome::Error(ErrorCode::Unauthenticated);
        if draft.action == Action::Login || draft.outcome == unauthenticated {
            return Err(NOT_ASKED);
        }
        if !draft.extensions.delegation().is_empty() {
            return Err(DELEGATED);
        }
        let identity = self.directory.identity(self.tenant, id).ok_or(ACTOR_GONE)?;
        let operator = self.directory.tenant(self.tenant);
        let is_operator = operator.is_some_and(|tenant| tenant.operator == id);
        let mends = matches!(draft.resource, Resource::Policy | Resource::System);
        match draft.token {
            None if is_operator && mends => return Ok(None),
            None => {}
            Some(token) => match self.directory.token(self.tenant, token) {
                Some(token) => {
                    let covers =
                        |scope: &crate::model::Scope| scope.covers(draft.action, draft.resource);
                    if !token.scopes.iter().any(covers) {
                        return Ok(None);
                    }
                }
                None if draft.decision == Decision::Deny && draft.policy.is_none() => {
                    return Err(TOKEN_GONE);
                }
                None => {}
            },
        }
        Ok(Some(identity))
    }

    /// What it was about; none if that is gone.
    fn about<E>(
        &self,
        draft: &AuditDraft,
        memory: impl FnOnce(MemoryId) -> Result<Option<Memory>, E>,
    ) -> Result<Option<About>, E> {
        let mut about = About {
            memory: None,
            target: None,
            open: false,
        };
        let target = |id: [u8; 16]| {
            let token = self.directory.token(self.tenant, TokenId::from_bytes(id));
            let id = token.map_or(IdentityId::from_bytes(id), |token| token.identity);
            self.directory.identity(self.tenant, id)
        };
        match (draft.resource, draft.resource_id) {
            (Resource::Memory, Some(id)) => match memory(MemoryId::from_bytes(id))? {
                Some(found) => about.memory = Some(found),
                None => return Ok(None),
            },
            (Resource::Identity | Resource::Token, Some(id)) => match target(id) {
                Some(identity) => about.target = Some(TargetFacts::new(identity)),
                None => return Ok(None),
            },
            (Resource::Memory | Resource::Identity | Resource::Token, None) => about.open = true,
            (Resource::Policy | Resource::Audit | Resource::System, _) => {}
        }
        Ok(Some(about))
    }

    fn compare(
        &mut self,
        entry: &AuditEntry,
        identity: &Identity,
        about: &About,
    ) -> Result<(), Lost> {
        let draft = &entry.draft;
        let tenant = self.directory.tenant(self.tenant).ok_or(ACTOR_GONE)?;
        let who = IdentityFacts::new(identity, &tenant.name);
        let request = RequestFacts {
            time: draft.time,
            transport: "unix".into(),
            peer_uid: draft.peer_uid,
            purpose: None,
        };
        let mut facts = Facts::new(draft.action, draft.resource, &who, &request);
        if let Some(memory) = &about.memory {
            facts = facts.with_memory(MemoryFacts::new(memory, draft.time));
        }
        if let Some(target) = &about.target {
            facts = facts.with_target(target.clone());
        }
        let open = |fact: &Fact| match fact {
            Fact::Memory(_) | Fact::Target(_) => about.open,
            Fact::Request(fact) => {
                matches!(fact, RequestFact::Purpose | RequestFact::Transport)
            }
            Fact::Action | Fact::Resource | Fact::Identity(_) => false,
        };
        let live = self.live.ask(&identity.role, &facts, &open);
        let drafted = self.draft.ask(&identity.role, &facts, &open);
        let memory = about.memory.as_ref();
        let memory = memory.map(|it| MemoryFacts::new(it, draft.time));
        let read = Facts::new(Action::Read, Resource::Memory, &who, &request);
        let asked = Asked {
            role: &identity.role,
            facts: &facts,
            read: &read,
            memory: memory.as_ref(),
            open: &open,
        };
        let from = asked.word(self.live, &live);
        let to = asked.word(self.draft, &drafted);
        match (from, to) {
            (Some(from), Some(to)) if from != to => {
                let change = Change {
                    actor: identity.id,
                    action: draft.action,
                    resource: draft.resource,
                    from,
                    to,
                };
                let changed = self.outcomes.changed.entry(change).or_default();
                if changed.count == 0 {
                    changed.policy = drafted.policy.map(|policy| policy.name.to_string());
                }
                changed.count += 1;
                if changed.examples.len() < EXAMPLES_MAX {
                    changed.examples.push(entry.seq);
                }
            }
            (Some(_), Some(_)) => self.outcomes.unchanged += 1,
            // The same condition is the same decision, whatever the facts were.
            (None, None) if live.condition.is_some() && live.condition == drafted.condition => {
                self.outcomes.unchanged += 1;
            }
            _ => return Err(NOT_IN_LOG),
        }
        Ok(())
    }
}

/// What was asked, to name the answers.
struct Asked<'a> {
    role: &'a Role,
    facts: &'a Facts<'a>,
    /// The same of reading: what is masked then is masked in every answer.
    read: &'a Facts<'a>,
    memory: Option<&'a MemoryFacts<'a>>,
    open: Open<'a>,
}

impl Asked<'_> {
    /// The decision as a word; none if it depends on what is open.
    fn word(&self, set: &PolicySet, answer: &Answer) -> Option<&'static str> {
        match answer.certainty {
            Certainty::Yes if self.masks(set) => Some("redact"),
            Certainty::Yes => Some("allow"),
            Certainty::No if self.waits(set, answer) => Some("require"),
            Certainty::No => Some("deny"),
            Certainty::Conditional => None,
        }
    }

    /// Whether it would be allowed with an approval.
    fn waits(&self, set: &PolicySet, answer: &Answer) -> bool {
        answer.otherwise.requires().is_some()
            && set.ask_beyond(self.role, self.facts, self.open).certainty != Certainty::No
    }

    /// Whether parts of a memory are masked in the answer.
    fn masks(&self, set: &PolicySet) -> bool {
        let shown = matches!(
            self.facts.action(),
            Action::Read | Action::Search | Action::Export | Action::Update | Action::Restore
        );
        let Some(memory) = self.memory.filter(|_| shown && set.redacts()) else {
            return false;
        };
        let masks = |facts: &Facts<'_>| !set.masking(self.role, facts).of(memory).is_empty();
        masks(self.facts) || masks(self.read)
    }
}
