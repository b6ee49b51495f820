//! What is kept about policies beside themselves: their revisions.

use manushya_core::model::{PolicyEvent, PolicyRevision};
use manushya_protocol::id::{IdentityId, PolicyId, TenantId};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Malformed;
use super::bytes::{Reader, Writer};
use super::directory::{close, read_policy, write_policy};
use crate::store::error::StoreError;

/// The id of a revision's row: the first 16 bytes of the SHA-256 of the policy's id and the revision.
pub(in crate::store) fn revision_id(policy: PolicyId, revision: u32) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"policy revision");
    hash.update(policy.to_bytes());
    hash.update(revision.to_be_bytes());
    let hash = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id
}

pub(in crate::store) fn encode_policy_revision(
    revision: &PolicyRevision,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut out = Writer::with_capacity(2048);
    out.raw(&revision.policy.id.to_bytes());
    match revision.event {
        PolicyEvent::Created => out.u8(1),
        PolicyEvent::Updated => out.u8(2),
        PolicyEvent::Enabled => out.u8(3),
        PolicyEvent::Disabled => out.u8(4),
        PolicyEvent::Deleted => out.u8(5),
        PolicyEvent::RolledBack(to) => {
            out.u8(6);
            out.u32(to);
        }
    }
    out.raw(&revision.by.to_bytes());
    write_policy(&mut out, &revision.policy)?;
    close("the revision of a policy", out)
}

pub(in crate::store) fn decode_policy_revision(
    tenant: TenantId,
    id: [u8; 16],
    plaintext: &[u8],
) -> Result<PolicyRevision, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let policy = PolicyId::from_bytes(bytes.array()?);
    let event = match bytes.u8()? {
        1 => PolicyEvent::Created,
        2 => PolicyEvent::Updated,
        3 => PolicyEvent::Enabled,
        4 => PolicyEvent::Disabled,
        5 => PolicyEvent::Deleted,
        6 => PolicyEvent::RolledBack(bytes.u32()?),
        _ => return Err(Malformed("what was done to a policy is unknown")),
    };
    let by = IdentityId::from_bytes(bytes.array()?);
    let policy = read_policy(&mut bytes, tenant, policy)?;
    bytes.finish()?;
    if revision_id(policy.id, policy.revision) != id {
        return Err(Malformed(
            "a revision of a policy stands in the place of another",
        ));
    }
    Ok(PolicyRevision { policy, event, by })
}
