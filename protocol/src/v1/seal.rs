//! Sealing the daemon, and opening it again.

use serde::{Deserialize, Serialize};

use crate::secret::Passphrase;

/// Opens a sealed daemon again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Unseal {
    /// The passphrase of the keys; without one the daemon looks for what its configuration names,
    /// and for an identity in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Passphrase>,
}
