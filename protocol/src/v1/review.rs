//! Questions about policies at large, their history, and drafts of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::IdentityId;
use crate::unit::{AuditSeq, UnixMillis};
use crate::v1::common::Page;
use crate::v1::policy::{PolicySpec, PolicyView};

/// Asks who may do something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyWhoCan {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Asks what an identity may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyWhatCan {
    /// Its id or external id.
    pub identity: String,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Whether one identity may do one thing, whatever memory, target or request it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermissionView {
    /// External id of who.
    pub identity: String,
    /// Its id.
    pub identity_id: IdentityId,
    /// Its role.
    pub role: String,
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// `yes`, `conditional` or `no`.
    pub answer: String,
    /// The policy that decides; of a condition the first that it comes from.
    pub policy: Option<String>,
    /// The revision of that policy.
    pub revision: Option<u32>,
    /// JSON Logic that is true exactly where it is allowed. None for yes and no, or if it is longer
    /// than a rule.
    pub condition: Option<Value>,
    /// The policies that the condition comes from, in the order they are read.
    pub depends_on: Vec<String>,
    /// `yes` or `conditional`: the answer if everything that needs an approval is approved. None where
    /// that makes no difference.
    #[serde(default)]
    pub with_approval: Option<String>,
    /// Why, in one sentence.
    pub reason: String,
}

/// Asks for the revisions of policies, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyHistory {
    /// Id or name of one policy, also of a removed one; without it, of all.
    #[serde(default)]
    pub policy: Option<String>,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// A revision of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevisionView {
    /// Name of the policy.
    pub policy: String,
    /// Its revision.
    pub revision: u32,
    /// `created`, `updated`, `enabled`, `disabled`, `deleted` or `rolled back`.
    pub change: String,
    /// The revision that was rolled back to.
    pub rolled_back_to: Option<u32>,
    /// External id of who did it, or its id if it is gone.
    pub by: String,
    /// The id of who did it.
    pub by_id: IdentityId,
    /// When.
    pub at: UnixMillis,
    /// The policy as it was after that; before it, if it was removed.
    pub content: PolicyView,
}

/// Gives a policy the content of an earlier revision again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRollback {
    /// Its id or name, also of a removed one.
    pub policy: String,
    /// The earlier revision.
    pub revision: u32,
    /// Go on even if the caller could not change policies afterwards.
    #[serde(default)]
    pub force: bool,
}

/// Asks what is hardly meant about the policies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyLint {
    /// A draft: these in place of those of the same names, or beside them.
    #[serde(default)]
    pub policies: Vec<PolicySpec>,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Something that was found about the policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LintView {
    /// `warning` or `note`.
    pub level: String,
    /// What kind of thing.
    pub kind: String,
    /// Name of the policy; none for what concerns a role or the tenant.
    pub policy: Option<String>,
    /// Why, in one sentence.
    pub reason: String,
}

/// Asks what would have been decided in the past under a draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicySimulate {
    /// The draft: these in place of those of the same names, or beside them.
    pub policies: Vec<PolicySpec>,
    /// Entries of the audit log from here on.
    pub since: UnixMillis,
    /// And before this; without it, to the end.
    #[serde(default)]
    pub until: Option<UnixMillis>,
}

/// Answers [`PolicySimulate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulated {
    /// Whose decisions would have changed, most often first.
    pub changed: Vec<ChangedDecision>,
    /// How many decisions would have changed in all.
    pub changed_total: u64,
    /// How many would have stayed.
    pub unchanged: u64,
    /// How many entries could not be decided anew.
    pub unreplayable: u64,
    /// Why they could not.
    pub unreplayable_because: Vec<ReasonCount>,
    /// How many entries of the host before `since` on were left out, since there are too many.
    pub not_read: u64,
    /// From when on.
    pub since: UnixMillis,
    /// Until when.
    pub until: UnixMillis,
}

/// Decisions that would have changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangedDecision {
    /// External id of who acted.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub resource: String,
    /// What the live policies say, `allow`, `deny` or `require`.
    pub from: String,
    /// What the draft says.
    pub to: String,
    /// The policy of the draft that decides; none if none matches.
    pub policy: Option<String>,
    /// How often.
    pub count: u64,
    /// Some of the entries, by their sequence.
    pub examples: Vec<AuditSeq>,
}

/// How often something was the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// The reason.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// Lets a draft run beside the live policies, in place of the one before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyShadowSet {
    /// The draft: these in place of those of the same names, or beside them. None stops it.
    pub policies: Vec<PolicySpec>,
}

/// What runs beside the live policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShadowStatus {
    /// Whether a draft runs.
    pub running: bool,
    /// Its policies.
    pub policies: Vec<PolicyView>,
    /// External id of who set it.
    pub by: Option<String>,
    /// Since when.
    pub since: Option<UnixMillis>,
    /// How many requests since then it would have decided as they were decided. Looked for when the
    /// status is asked for.
    #[serde(default)]
    pub same: u64,
    /// How many it would have decided otherwise.
    #[serde(default)]
    pub different: u64,
    /// The newest entries of those.
    #[serde(default)]
    pub examples: Vec<AuditSeq>,
    /// How many entries since then were not looked at, the oldest: there were too many.
    #[serde(default)]
    pub not_read: u64,
}
