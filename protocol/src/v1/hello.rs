//! The first message of every connection.

use serde::{Deserialize, Serialize};

use crate::secret::BearerToken;
use crate::v1::system::WhoAmI;

/// Opens a connection: who speaks, which versions, and with which credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Name and version of the client program.
    pub client: String,
    /// The oldest protocol version the client speaks.
    pub api_min: u32,
    /// The newest protocol version the client speaks.
    pub api_max: u32,
    /// An access token. Without one the caller is who the kernel says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<BearerToken>,
}

/// Answers [`Hello`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Version of the daemon.
    pub daemon_version: String,
    /// The protocol version both will speak.
    pub api: u32,
    /// What this daemon can do beyond the base, by name.
    pub capabilities: Vec<String>,
    /// Who the caller is. Absent for a peer that is nobody here: it may ask for the status only.
    pub caller: Option<WhoAmI>,
}
