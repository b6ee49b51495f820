//! What the reducer wants done: data, which only the runtime acts on.

use manushya_protocol::secret::BearerToken;
use manushya_protocol::v1::identity::{IdentityCreate, IdentityList, IdentityUpdate};
use manushya_protocol::v1::live::Events;
use manushya_protocol::v1::memory::{
    MemoryDelete, MemoryHistory, MemoryList, MemoryRef, MemorySearch, MemoryStatsOf, MemoryUpdate,
};
use manushya_protocol::v1::policy::{
    PolicyApply, PolicyList, PolicyQuestion, PolicyRef, PolicySetActive, PolicySpec,
};
use manushya_protocol::v1::purge::{PurgeApply, PurgeList, PurgePlanCreate};
use manushya_protocol::v1::token::{TokenIssue, TokenList, TokenRevoke};
use serde::{Deserialize, Serialize};

/// Tells an answer which question it is for. Never reused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Tag(pub u64);

/// One question to the daemon.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// How it is.
    Status,
    /// What happens next.
    Events(Events),
    /// What is wrong.
    Doctor,
    /// The signed head of the audit log.
    Head,
    /// Reads and verifies the whole audit log, telling progress.
    Verify,
    /// A page of identities.
    Identities(IdentityList),
    /// Everything held about one, by id.
    Identity(String),
    /// What one may do, by id.
    Permissions(String),
    /// A new identity.
    IdentityCreate(IdentityCreate),
    /// A change to one.
    IdentityUpdate(IdentityUpdate),
    /// The end of one, by id.
    IdentityDelete(String),
    /// A page of tokens.
    Tokens(TokenList),
    /// A new token.
    TokenIssue(TokenIssue),
    /// The end of one.
    TokenRevoke(TokenRevoke),
    /// A page of memories.
    Memories(MemoryList),
    /// A search.
    Search(MemorySearch),
    /// The versions of one.
    History(MemoryHistory),
    /// A change to one.
    MemoryUpdate(MemoryUpdate),
    /// The end of one.
    MemoryDelete(MemoryDelete),
    /// The return of one.
    MemoryRestore(MemoryRef),
    /// Counts.
    Stats(MemoryStatsOf),
    /// A page of policies.
    Policies(PolicyList),
    /// Switches one.
    PolicySetActive(PolicySetActive),
    /// The end of one.
    PolicyDelete(PolicyRef),
    /// Validates, and applies if nothing is wrong.
    PolicyApply(PolicyApply),
    /// Why something would be decided.
    Explain(PolicyQuestion),
    /// The keys that sign tokens.
    Keys,
    /// A page of purge plans.
    Plans(PurgeList),
    /// A new purge plan.
    Plan(PurgePlanCreate),
    /// Carries one out.
    Purge(PurgeApply),
    /// The end of the daemon's log on this machine.
    Log,
}

/// What is edited outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// The text of a memory, at this version.
    Memory(MemoryRef, u32),
    /// A policy.
    Policy(Box<PolicySpec>),
}

/// What the runtime shall do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask the daemon.
    Call(Tag, Box<Ask>),
    /// End a question that takes long.
    Cancel(Tag),
    /// Connect after so many milliseconds.
    Connect(u64),
    /// Say [`crate::msg::Msg::Timer`] with this tag after so many milliseconds.
    Later(u64, Tag),
    /// Send text to the terminal's clipboard (OSC 52).
    Copy(String),
    /// Send a new token to the terminal's clipboard.
    CopySecret(BearerToken),
    /// Open a text in the user's editor.
    Edit(Subject, String),
    /// Take the mouse, or leave it.
    Mouse(bool),
    /// Draw everything anew.
    Redraw,
    /// Hand the terminal back until the shell continues us.
    Suspend,
    /// End with this exit code.
    Quit(u8),
}
