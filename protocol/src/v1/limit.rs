//! Limits: how often a kind of call may be made, and how much may be kept.

use serde::{Deserialize, Serialize};

use crate::unit::UnixMillis;

/// Sets a limit in the tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitSet {
    /// Which one.
    pub name: String,
    /// For identities of this role only.
    #[serde(default)]
    pub role: Option<String>,
    /// How many; none for as many as they like.
    pub value: Option<u64>,
}

/// Takes limits that were set away, so that the table of the configuration holds again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitReset {
    /// Which one; none for all of the tenant.
    #[serde(default)]
    pub name: Option<String>,
    /// The one of this role; none for the one of all roles.
    #[serde(default)]
    pub role: Option<String>,
}

/// Asks what holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitList {
    /// For this role.
    #[serde(default)]
    pub role: Option<String>,
    /// For this identity, with what it has used.
    #[serde(default)]
    pub identity: Option<String>,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitView {
    /// Which one.
    pub name: String,
    /// What it counts, such as `calls a minute`.
    pub counts: String,
    /// The role it is for; none for all.
    pub role: Option<String>,
    /// How many; none for as many as they like.
    pub value: Option<u64>,
    /// How many there would be if it were not set.
    pub default: Option<u64>,
    /// `set`, or the table of the configuration it comes from: `local`, `shared` or `off`.
    pub origin: String,
    /// How many of them there are, where that is kept and one identity was asked for.
    #[serde(default)]
    pub used: Option<u64>,
    /// Who set it.
    #[serde(default)]
    pub set_by: Option<String>,
    /// When it was set.
    #[serde(default)]
    pub set_at: Option<UnixMillis>,
}
