//! How often calls come: a bucket for each identity and kind of call (GCRA, by the crate governor),
//! asked before anything else is done about a call.
//!
//! A call is on the account of the identity on whose authority it is, so that handing on a credential
//! gives nobody more.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use manushya_core::command::Context;
use manushya_core::decide::access::draft;
use manushya_core::decide::limit::is_free;
use manushya_core::directory::Directory;
use manushya_core::model::{Action, AuditDraft, LimitName, Outcome};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::IdentityId;
use parking_lot::Mutex;

use super::Service;

/// How often refusals of one identity are told to the audit log, for each kind of call: a flood that is
/// refused must not become a flood of entries.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// After this long without a call every bucket is full again, and nothing is lost with it.
const IDLE: Duration = Duration::from_secs(3600);
/// From how many identities on those that are idle are looked for.
const SEATS: usize = 4096;

type Bucket<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// By which limit.
    pub name: LimitName,
    /// What it is.
    pub most: u64,
    /// When there is room again.
    pub after: Duration,
}

/// The calls of one kind by one identity.
struct Meter<C: Clock> {
    most: u64,
    /// None if nothing is allowed.
    bucket: Option<Bucket<C>>,
    /// How many were refused and are yet to be told of.
    refused: u64,
    told: Option<C::Instant>,
}

struct Seat<C: Clock> {
    meters: [Option<Meter<C>>; LimitName::RATES],
    last: C::Instant,
}

/// The buckets of all who call. What they hold is gone with the daemon.
pub struct Rates<C: Clock = MonotonicClock> {
    clock: C,
    seats: Mutex<HashMap<IdentityId, Seat<C>>>,
}

impl Default for Rates {
    fn default() -> Self {
        Self::new(MonotonicClock)
    }
}

fn bucket<C: Clock>(name: LimitName, most: u64, clock: C) -> Option<Bucket<C>> {
    let most = NonZeroU32::new(u32::try_from(most).unwrap_or(u32::MAX))?;
    let quota = match name {
        LimitName::Exports => Quota::per_hour(most),
        _ => Quota::per_minute(most),
    };
    Some(RateLimiter::direct_with_clock(quota, clock))
}

impl<C: Clock + Clone> Rates<C> {
    fn new(clock: C) -> Self {
        Self {
            clock,
            seats: Mutex::default(),
        }
    }

    /// Takes a call. Returns whether it is refused, and how many refusals are to be told of by now.
    fn take(&self, who: IdentityId, name: LimitName, most: u64) -> (Result<(), Refused>, u64) {
        let now = self.clock.now();
        let since = |at: &C::Instant| Duration::from(now.duration_since(*at));
        let mut seats = self.seats.lock();
        if seats.len() >= SEATS && !seats.contains_key(&who) {
            seats.retain(|_, seat| since(&seat.last) < IDLE);
        }
        let seat = seats.entry(who).or_insert_with(|| Seat {
            meters: [const { None }; LimitName::RATES],
            last: now,
        });
        seat.last = now;
        let slot = &mut seat.meters[usize::from(name.code())];
        let meter = match slot {
            Some(meter) if meter.most == most => meter,
            _ => slot.insert(Meter {
                most,
                bucket: bucket(name, most, self.clock.clone()),
                refused: 0,
                told: None,
            }),
        };
        let taken = match meter.bucket.as_ref().map(Bucket::check) {
            Some(Ok(())) => Ok(()),
            Some(Err(until)) => Err(until.wait_time_from(now)),
            None => Err(IDLE),
        };
        meter.refused += u64::from(taken.is_err());
        let is_due = meter.told.as_ref().is_none_or(|at| since(at) >= NOTE_EVERY);
        let told = if meter.refused > 0 && is_due {
            meter.told = Some(now);
            std::mem::take(&mut meter.refused)
        } else {
            0
        };
        let refused = |after| Refused { name, most, after };
        (taken.map_err(refused), told)
    }
}

/// The limit that holds for a method of the protocol.
fn kind_of(method: &str) -> LimitName {
    let noun = method.split('_').next().unwrap_or(method);
    match (noun, method) {
        (_, "identity_invite") => LimitName::Invitation,
        ("identity", _) => LimitName::Identity,
        ("memory", _) => LimitName::Memory,
        ("policy", _) => LimitName::Policy,
        ("token" | "api" | "key", _) => LimitName::Credential,
        ("invitation", _) => LimitName::Invitation,
        ("session", _) => LimitName::Session,
        ("audit" | "events", _) => LimitName::Audit,
        _ => LimitName::Other,
    }
}

/// Whether a method takes memories elsewhere, page by page.
fn exports(method: &str) -> bool {
    matches!(method, "memory_export" | "identity_export")
}

/// What a refused call would have done, for the audit log.
fn action_of(method: &str) -> Action {
    let verb = method.rsplit('_').next().unwrap_or(method);
    match verb {
        _ if method == "purge_apply" => Action::Purge,
        "search" | "recall" => Action::Search,
        "export" => Action::Export,
        "add" | "many" | "create" | "issue" | "open" | "invite" | "bind" => Action::Create,
        "update" | "apply" | "active" | "review" | "resend" | "rollback" | "canary" => {
            Action::Update
        }
        "delete" | "revoke" | "unbind" => Action::Delete,
        "restore" => Action::Restore,
        "plan" => Action::Purge,
        "jwt" | "root" | "data" | "audit" | "passphrase" | "seal" | "unseal" | "set" | "reset"
        | "decide" | "reembed" | "shutdown" | "run" | "forget" | "release" => Action::Manage,
        _ => Action::Read,
    }
}

fn too_often(refused: Refused) -> WireError {
    let Refused { name, most, after } = refused;
    let counts = name.counts();
    let error = WireError::new(ErrorCode::ResourceExhausted, "too many calls of this kind")
        .reason(format!("the limit `{name}` is {most} {counts}"));
    if most == 0 {
        return error.hint(format!(
            "the operator of the host can allow it: manushyactl limit set {name} N"
        ));
    }
    let error = error.retry_after(after);
    let millis = error.retry_after_ms.map_or(0, NonZeroU32::get);
    error.hint(format!(
        "try again in {millis} ms; the operator of the host can allow more: manushyactl limit set {name} N"
    ))
}

impl Service {
    /// Takes a call into account, unless nothing limits who makes it.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED`, with when to come back.
    pub(super) fn take_call(
        &self,
        directory: &Directory,
        context: &Context,
        method: &str,
    ) -> Result<(), WireError> {
        if is_free(context) {
            return Ok(());
        }
        self.take_one(directory, context, method, kind_of(method))?;
        if exports(method) {
            self.take_one(directory, context, method, LimitName::Exports)?;
        }
        Ok(())
    }

    fn take_one(
        &self,
        directory: &Directory,
        context: &Context,
        method: &str,
        name: LimitName,
    ) -> Result<(), WireError> {
        let identity = &context.actor.identity;
        let gates = directory.gates();
        let Some(most) = gates.limit(identity.tenant, name, &identity.role, context.limit_table)
        else {
            return Ok(());
        };
        let (taken, untold) = self.rates.take(identity.id, name, most);
        if untold > 0 {
            let entry = AuditDraft {
                outcome: Outcome::Error(ErrorCode::ResourceExhausted),
                count: untold,
                ..draft(context, action_of(method), name.resource())
            };
            if let Err(error) = self.writer.observe(entry) {
                tracing::warn!(%error, untold, "Refused calls are not in the audit log.");
            }
        }
        taken.map_err(too_often)
    }
}

#[cfg(test)]
mod tests;
