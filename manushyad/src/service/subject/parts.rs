//! The lines of each part.

use manushya_core::audit::subject::LINE_BYTES_MAX;
use manushya_core::command::Context;
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, AuditActor, AuditEntry, HoldScope, Memory, PurgeScope, TokenKind,
};
use manushya_core::policy::Mask;
use manushya_core::view::View as _;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::permit::Permission;
use super::super::view::ReadView;
use super::super::{Service, approval, audit, convert, hold, invitation, unreadable};
use super::{Export, Part};

/// How many steps one page takes: of memories one version each, of the log some entries.
pub(super) const STEPS_MAX: u32 = 2_000;
/// How many entries of the log one step looks at.
const ENTRIES: u64 = 512;

/// A memory whose earlier versions are still to come.
pub(super) struct Current {
    memory: Memory,
    mask: Mask,
    /// The next one is the last.
    earlier: Vec<u32>,
}

type Line = Map<String, Value>;

/// A line that holds this.
fn line(data: &impl Serialize) -> Result<Line, WireError> {
    let value = serde_json::to_value(data).map_err(|error| {
        WireError::new(ErrorCode::Internal, "a line cannot be written").reason(error.to_string())
    })?;
    let mut line = Map::new();
    line.insert("data".to_owned(), value);
    Ok(line)
}

/// Whether a rule has one of these words as a value anywhere.
fn names(rule: &Value, words: &[&str]) -> bool {
    match rule {
        Value::String(text) => words.contains(&text.as_str()),
        Value::Array(items) => items.iter().any(|item| names(item, words)),
        Value::Object(fields) => fields.values().any(|field| names(field, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What is to be said of a memory that is at its last version.
fn state(memory: &Memory, now: UnixMillis) -> &'static str {
    if memory.deleted_at.is_some() {
        "deleted"
    } else if memory.is_expired(now) {
        "expired"
    } else if memory.quarantined {
        "held back"
    } else if memory.superseded.is_some() {
        "superseded"
    } else {
        "live"
    }
}

impl Export {
    /// Makes some lines of a part; returns whether those were the last.
    pub(super) fn step(
        &mut self,
        part: Part,
        service: &Service,
        now: &ReadView,
        context: &Context,
    ) -> Result<bool, WireError> {
        let lines = match part {
            Part::Memories => return self.memory(now.directory(), context),
            Part::Audit => return self.entries(),
            Part::Identity => {
                let seen = service.seen(self.view.directory(), self.subject.tenant);
                vec![line(&seen.show(&self.subject))?]
            }
            Part::Invitations => self.invitations()?,
            Part::Tokens => self.tokens()?,
            Part::Approvals => self.approvals()?,
            Part::Policies => self.policies()?,
            Part::Holds => self.holds()?,
            Part::Purges => self.purges(service)?,
        };
        lines.into_iter().for_each(|line| self.add(line));
        Ok(true)
    }

    fn invitations(&self) -> Result<Vec<Line>, WireError> {
        let (directory, id) = (self.view.directory(), self.subject.id);
        let all = directory.gates().invitations(self.subject.tenant);
        all.filter(|it| it.invited_by == id || it.accepted.is_some_and(|(_, who)| who == id))
            .map(|it| line(&invitation::show(directory, it, self.at)))
            .collect()
    }

    /// Access tokens, API keys and sessions. What is kept of their secrets is not shown to anybody.
    fn tokens(&self) -> Result<Vec<Line>, WireError> {
        let directory = self.view.directory();
        let all = directory.tokens(self.subject.tenant);
        all.filter(|token| token.identity == self.subject.id)
            .map(|token| {
                let shown = convert::token(directory, &self.subject, token, self.at);
                let mut line = line(&shown)?;
                let (last_used_at, peer_uid) = match &token.kind {
                    TokenKind::ApiKey(key) => (key.last_used_at, None),
                    TokenKind::Session(session) => (session.last_used_at, session.peer_uid),
                    TokenKind::Access => (None, None),
                };
                if let Some(Value::Object(data)) = line.get_mut("data") {
                    let at = last_used_at.map(|at| at.to_string());
                    data.insert("last_used_at".to_owned(), at.into());
                    data.insert("peer_uid".to_owned(), peer_uid.into());
                }
                Ok(line)
            })
            .collect()
    }

    fn approvals(&self) -> Result<Vec<Line>, WireError> {
        let (directory, id) = (self.view.directory(), self.subject.id);
        let all = directory.approvals(self.subject.tenant);
        all.filter(|it| {
            let of_it = it.resource_id.is_some_and(|of| self.things.contains(&of));
            [it.identity, it.authority].contains(&id) || it.state.by() == Some(id) || of_it
        })
        .map(|it| line(&approval::shown(directory, it, self.at)))
        .collect()
    }

    /// Policies whose rule names it. Those that rule by its role alone say nothing about it.
    fn policies(&self) -> Result<Vec<Line>, WireError> {
        let id = self.subject.id.to_string();
        let words = [id.as_str(), self.subject.external_id.as_str()];
        let all = self.view.directory().policies(self.subject.tenant);
        all.filter(|policy| names(&policy.rule, &words))
            .map(|policy| line(&convert::policy(policy)))
            .collect()
    }

    fn holds(&self) -> Result<Vec<Line>, WireError> {
        let (directory, id) = (self.view.directory(), self.subject.id);
        let all = directory.erasures().holds(self.subject.tenant);
        all.filter(|it| match &it.scope {
            HoldScope::Subject(of) => *of == id,
            HoldScope::Memory(memory) => self.things.contains(&memory.to_bytes()),
            HoldScope::Tenant => true,
        })
        .map(|it| line(&hold::view(directory, it)))
        .collect()
    }

    /// Plans to erase it, and what it planned or erased itself, with the receipts.
    fn purges(&self, service: &Service) -> Result<Vec<Line>, WireError> {
        let (directory, id, tenant) = (self.view.directory(), self.subject.id, self.subject.tenant);
        let plans = directory.plans(tenant);
        let plans = plans.filter(|it| it.scope == PurgeScope::Subject(id) || it.planner == id);
        let mut lines: Vec<Line> = plans
            .map(|it| line(&convert::plan(it, self.at)))
            .collect::<Result<_, _>>()?;
        let receipts = directory.erasures().receipts(tenant);
        for it in receipts
            .filter(|it| it.subject == Some(id) || it.planned_by == id || it.applied_by == id)
        {
            // One that a crash left unsigned is signed when it is asked for.
            if it.signed.is_some() {
                lines.push(line(&service.receipt_view(it)?)?);
            }
        }
        Ok(lines)
    }

    /// The next version of the next memory.
    fn memory(&mut self, now: &Directory, context: &Context) -> Result<bool, WireError> {
        if let Some(mut current) = self.current.take() {
            let Some(version) = current.earlier.pop() else {
                return Ok(false);
            };
            let snapshot = &self.view.snapshot;
            let (tenant, id) = (self.subject.tenant, current.memory.id);
            let found = snapshot.memory_version(tenant, id, version);
            if let Some(memory) = found.map_err(|error| unreadable(&error))? {
                let permission = Permission::new(now, context, Action::Export);
                // What is masked now is masked in what it was, and the other way round.
                let mut mask = permission.mask(&memory, self.at);
                mask.join(current.mask.clone());
                match context.actor.reaches(&memory) {
                    true => self.show(memory, &mask, "earlier")?,
                    false => self.withhold(),
                }
            }
            self.current = Some(current);
            return Ok(false);
        }
        let Some((id, _)) = self.memories.next() else {
            return Ok(true);
        };
        let found = self.view.memory(self.subject.tenant, id);
        let Some(memory) = found.map_err(|error| unreadable(&error))? else {
            return Ok(false);
        };
        let may = |action| Permission::new(now, context, action).admits(&memory, self.at);
        // What is held back is for those who review; what is expired, for those who may erase it.
        let admitted = match (memory.quarantined, memory.is_expired(self.at)) {
            (true, _) => may(Action::Manage),
            (false, true) => may(Action::Export) && may(Action::Purge),
            (false, false) => may(Action::Export),
        };
        if !admitted {
            self.withhold();
            return Ok(false);
        }
        self.canaries.extend(memory.canary.then_some(id));
        let versions = self.view.snapshot.versions(self.subject.tenant, id);
        let mut earlier = versions.map_err(|error| unreadable(&error))?;
        earlier.retain(|version| *version != memory.version);
        earlier.reverse();
        let mask = Permission::new(now, context, Action::Export).mask(&memory, self.at);
        self.show(memory.clone(), &mask, state(&memory, self.at))?;
        self.current = Some(Current {
            memory,
            mask,
            earlier,
        });
        Ok(false)
    }

    fn show(&mut self, memory: Memory, mask: &Mask, state: &str) -> Result<(), WireError> {
        let shown = convert::memory(self.view.directory(), memory, mask);
        self.redacted += u64::from(!shown.redacted.is_empty());
        let mut line = line(&shown)?;
        line.insert("state".to_owned(), state.into());
        self.add(line);
        Ok(())
    }

    /// Looks at the next entries of the log.
    fn entries(&mut self) -> Result<bool, WireError> {
        let size = self.view.published.head.size();
        let from = AuditSeq(self.audited.0 + 1);
        let to = AuditSeq(self.audited.0.saturating_add(ENTRIES).min(size));
        let mut lines = Vec::new();
        let directory = self.view.directory();
        let read = self.view.each_entry((from, to), |entry, bytes| {
            if self.concerns(entry) {
                lines.push(line(&audit::show(directory, entry, bytes)));
            }
            Ok(true)
        });
        read.map_err(|error| unreadable(&error))?;
        for line in lines {
            self.add(line?);
        }
        self.audited = to;
        Ok(to.0 >= size)
    }

    /// Whether the subject stands in an entry: as who acted, on whose behalf, or with what was acted on.
    fn concerns(&self, entry: &AuditEntry) -> bool {
        let draft = &entry.draft;
        let id = self.subject.id;
        let of_it = |id: [u8; 16]| self.things.contains(&id);
        let handed_on = || {
            draft
                .extensions
                .delegation()
                .iter()
                .any(|it| it.identity == id)
        };
        draft.tenant == Some(self.subject.tenant)
            && (draft.actor == AuditActor::Identity(id)
                || draft.resource_id.is_some_and(of_it)
                || draft.token.is_some_and(|token| of_it(token.to_bytes()))
                || handed_on())
    }
}

// A memory with everything at its limit, escaped, is a line that verifiers take.
const _: () = assert!(
    6 * (manushya_protocol::limits::TEXT_BYTES_MAX + manushya_protocol::limits::METADATA_BYTES_MAX)
        < LINE_BYTES_MAX
);
