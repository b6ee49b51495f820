//! Writes that were checked and encoded.

use manushya_core::model::{Approval, GateRecord, Identity, Policy, PolicyDraft, PolicyRevision};
use manushya_protocol::id::TenantId;
use zeroize::Zeroizing;

use super::apply::Stored;
use super::error::StoreError;
use super::record::{
    MemoryAt, MemoryHeader, encode_approval, encode_gate, encode_identity, encode_policy,
    encode_policy_draft, encode_policy_revision, gate_kind, revision_id,
};
use super::schema::{Kind, SegmentId};

/// A write that was checked: nothing about it can be refused any more.
pub(super) enum Prepared {
    Put(Kind, TenantId, [u8; 16], Zeroizing<Vec<u8>>),
    Drop(Kind, TenantId, [u8; 16]),
    EraseTenant(TenantId),
    Memory(MemoryAt, Stored, MemoryHeader, Zeroizing<Vec<u8>>),
    EraseMemory(MemoryAt),
    Renew(SegmentId),
}

pub(super) fn identity(it: &Identity) -> Result<Prepared, StoreError> {
    let (kind, id) = (Kind::Identity, it.id.to_bytes());
    Ok(Prepared::Put(kind, it.tenant, id, encode_identity(it)?))
}

pub(super) fn policy(it: &Policy) -> Result<Prepared, StoreError> {
    let (kind, id) = (Kind::Policy, it.id.to_bytes());
    Ok(Prepared::Put(kind, it.tenant, id, encode_policy(it)?))
}

pub(super) fn approval(it: &Approval) -> Result<Prepared, StoreError> {
    let (kind, id) = (Kind::Approval, it.id.to_bytes());
    Ok(Prepared::Put(kind, it.tenant, id, encode_approval(it)?))
}

pub(super) fn draft(it: &PolicyDraft) -> Result<Prepared, StoreError> {
    let (kind, id) = (Kind::PolicyDraft, it.tenant.to_bytes());
    Ok(Prepared::Put(kind, it.tenant, id, encode_policy_draft(it)?))
}

pub(super) fn gate(it: &GateRecord) -> Result<Prepared, StoreError> {
    let (key, sealed) = (it.key(), encode_gate(it)?);
    Ok(Prepared::Put(
        gate_kind(key),
        it.tenant(),
        key.to_bytes(),
        sealed,
    ))
}

pub(super) fn revision(it: &PolicyRevision) -> Result<Prepared, StoreError> {
    let id = revision_id(it.policy.id, it.policy.revision);
    let plaintext = encode_policy_revision(it)?;
    Ok(Prepared::Put(
        Kind::PolicyRevision,
        it.policy.tenant,
        id,
        plaintext,
    ))
}
