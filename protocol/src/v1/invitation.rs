//! Invitations: a code that turns whoever shows it into an identity, once.

use serde::{Deserialize, Serialize};

use crate::id::{IdentityId, InvitationId};
use crate::secret::BearerToken;
use crate::unit::UnixMillis;
use crate::v1::common::Page;

/// Invites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invite {
    /// The role of the new identity.
    pub role: String,
    /// Its external id; without one, whoever comes chooses it.
    #[serde(default)]
    pub external_id: Option<String>,
    /// A note.
    #[serde(default)]
    pub label: Option<String>,
    /// How long the code is good, in seconds; by default 7 days.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Life of the first token, in seconds; by default 24 hours.
    #[serde(default)]
    pub token_ttl_seconds: Option<u64>,
}

/// Answers [`Invite`] and a resend; the code is shown only here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invited {
    /// The code. Absent in a dry run.
    pub code: Option<BearerToken>,
    /// The invitation's id.
    pub id: InvitationId,
    /// When the code ends.
    pub expires_at: UnixMillis,
    /// What is known of it.
    pub invitation: InvitationView,
}

/// An invitation as shown: never its code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvitationView {
    /// Its id.
    pub id: InvitationId,
    /// The role of the new identity.
    pub role: String,
    /// Its external id, if that is fixed.
    pub external_id: Option<String>,
    /// A note.
    pub label: Option<String>,
    /// `open`, `accepted`, `expired` or `revoked`.
    pub state: String,
    /// Who invited.
    pub invited_by: String,
    /// When it was made, or its code was made anew.
    pub created_at: UnixMillis,
    /// When its code ends.
    pub expires_at: UnixMillis,
    /// When it was taken back.
    pub revoked_at: Option<UnixMillis>,
    /// When it was accepted.
    pub accepted_at: Option<UnixMillis>,
    /// Who came of it.
    pub identity_id: Option<IdentityId>,
}

/// Turns a code into an identity and its first token. No other credential is needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enroll {
    /// The code; it is used up with this.
    pub code: BearerToken,
    /// The external id, where the invitation leaves it open.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Its display name.
    #[serde(default)]
    pub name: Option<String>,
}

/// Lists invitations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InvitationList {
    /// Also those that are no longer open.
    #[serde(default)]
    pub all_states: bool,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Names an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationRef {
    /// Its id.
    pub id: InvitationId,
}
