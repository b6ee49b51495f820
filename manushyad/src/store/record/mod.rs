//! Records as bytes: a clear header, and behind it the sealed rest. `docs/formats/store.md` has
//! both byte by byte. Reading is strict and bounded, and never panics: what does not read back to
//! exactly what was written is malformed.

mod bytes;
mod directory;
mod erasure;
mod gate;
mod memory;
mod policies;
mod token;
mod value;

pub(super) use directory::{
    DirectoryHeader, decode_identity, decode_plan, decode_policy, decode_tenant, encode_identity,
    encode_plan, encode_policy, encode_tenant,
};
pub(super) use erasure::{decode_erasure, encode_erasure};
pub(super) use gate::{decode_gate, encode_gate, gate_kind};
pub(super) use memory::{MemoryAt, MemoryHeader, decode_memory, encode_memory};
pub(super) use policies::{
    decode_approval, decode_policy_draft, decode_policy_revision, encode_approval,
    encode_policy_draft, encode_policy_revision, revision_id,
};
pub(super) use token::{decode_token, encode_token};

use manushya_core::model::Invalid;

use super::error::StoreError;

/// The version of all encodings here. It is the first byte of every row, and authenticated.
pub(super) const RECORD_VERSION: u8 = 1;

/// The longest plaintext of a record, in bytes: every bounded field at its bound fits.
pub(super) const RECORD_BYTES_MAX: usize = 512 << 10;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

impl Malformed {
    /// Names the record it was found in.
    pub(super) fn of(self, record: &str) -> StoreError {
        StoreError::corrupted(format!("{record}: {self}"))
    }
}

impl From<Invalid> for Malformed {
    fn from(_: Invalid) -> Self {
        Self("a field is out of bounds")
    }
}

/// Refuses a plaintext that could not be read back.
fn within_bounds(what: &'static str, actual: usize) -> Result<(), StoreError> {
    if actual > RECORD_BYTES_MAX {
        return Err(StoreError::TooLarge {
            what,
            actual,
            limit: RECORD_BYTES_MAX,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
