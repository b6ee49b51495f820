//! Everything held about an identity, in pages (right of access).

use serde::{Deserialize, Serialize};

use super::audit::HandOverView;
use crate::id::IdentityId;

/// Starts such an export, or goes on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectExport {
    /// About whom: id or external id.
    pub identity: String,
    /// The export to go on with, as the page before named it; none starts one.
    #[serde(default)]
    pub export: Option<String>,
}

/// Answers [`SubjectExport`]. Each page is given once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectExported {
    /// Whom it is about.
    pub subject: IdentityId,
    /// What to go on with.
    pub export: String,
    /// Lines of JSON, to be written as they are, each with a line feed behind it.
    pub lines: Vec<String>,
    /// How many lines there were so far.
    pub written: u64,
    /// What is signed of all lines; it comes with the last of them.
    #[serde(default)]
    pub manifest: Option<SubjectManifest>,
}

/// The end of an export. As JSON, with `part` before it, it is its last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectManifest {
    /// `manifest`.
    pub part: String,
    /// The signed text: who, when, how many lines of what, and SHA-256 over them.
    pub note: String,
    /// The signed head of the audit log as it was.
    pub checkpoint: String,
    /// How the key that signed both came to sign, if it was not the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hand_overs: Vec<HandOverView>,
    /// Whether nothing was left out or masked because of who exported.
    pub whole: bool,
}
