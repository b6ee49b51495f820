//! What happens to the program: keys, answers, time.

use manushya_protocol::error::WireError;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::audit::AuditHeadView;
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::hello::Welcome;
use manushya_protocol::v1::identity::{IdentityCreated, IdentityExport, IdentityView};
use manushya_protocol::v1::key::KeyView;
use manushya_protocol::v1::live::EventsSeen;
use manushya_protocol::v1::memory::{MemoryStats, MemoryView, SearchResults};
use manushya_protocol::v1::policy::{Explanation, PolicyApplied, PolicyView, RuleFinding};
use manushya_protocol::v1::purge::{PlanView, Purged};
use manushya_protocol::v1::review::PermissionView;
use manushya_protocol::v1::system::{Diagnosis, Status};
use manushya_protocol::v1::token::{TokenIssued, TokenView};
use serde::{Deserialize, Serialize};

use crate::effect::Tag;

/// A key, without what terminals disagree about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Key {
    /// A character as typed.
    Char(char),
    /// A character with control held.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Tab with shift held.
    BackTab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The wheel of the mouse was turned, down if positive.
    Wheel(i32),
    /// The mouse was pressed at a column and row.
    Click(u16, u16),
    /// The terminal has so many columns and rows.
    Resize(u16, u16),
    /// What time it is.
    Tick(UnixMillis),
    /// A timer went off.
    Timer(Tag),
    /// The daemon said hello.
    Connected(Box<Welcome>),
    /// It did not.
    ConnectFailed(WireError),
    /// The daemon answered.
    Answer(Tag, Box<Result<Answer, WireError>>),
    /// How far a verification is: entries done, of how many.
    Progress(u64, u64),
    /// The editor was closed; none if nothing is to be changed.
    Edited(Option<String>),
    /// The terminal could not do something.
    Failed(String),
}

/// What the daemon answered, by question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To `Status`.
    Status(Status),
    /// To `Events`.
    Events(EventsSeen),
    /// To `Doctor`.
    Doctor(Diagnosis),
    /// To `Head`.
    Head(AuditHeadView),
    /// To `Verify`.
    Verified(Verified),
    /// To `Identities`.
    Identities(Listed<IdentityView>),
    /// To `Identity`.
    Identity(IdentityExport),
    /// To `Permissions`.
    Permissions(Vec<PermissionView>),
    /// To `IdentityCreate`.
    Created(IdentityCreated),
    /// To `IdentityUpdate`.
    Updated(IdentityView),
    /// To deletions and revocations.
    Done(Done),
    /// To `Tokens`.
    Tokens(Listed<TokenView>),
    /// To `TokenIssue`.
    Issued(TokenIssued),
    /// To `Memories` and `History`.
    Memories(Listed<MemoryView>),
    /// To `Search`.
    Found(SearchResults),
    /// To `MemoryUpdate` and `MemoryRestore`.
    Memory(Box<MemoryView>),
    /// To `Stats`.
    Stats(MemoryStats),
    /// To `Policies`.
    Policies(Listed<PolicyView>),
    /// To `PolicySetActive`.
    Policy(Box<PolicyView>),
    /// To `PolicyApply`, if it was applied.
    Applied(PolicyApplied),
    /// To `PolicyApply`, if something is wrong with it.
    Findings(Vec<RuleFinding>),
    /// To `Explain`.
    Explained(Box<Explanation>),
    /// To `Keys`.
    Keys(Listed<KeyView>),
    /// To `Plans`.
    Plans(Listed<PlanView>),
    /// To `Plan`.
    Plan(PlanView),
    /// To `Purge`.
    Purged(Purged),
    /// To `Log`.
    Log(Vec<String>),
}

/// What verifying the audit log came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// Their RFC 6962 root, in hex.
    pub root: String,
    /// The key that signed it.
    pub signed_by: String,
}
