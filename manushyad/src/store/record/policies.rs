//! What is kept about policies beside themselves: their revisions, requests that wait for an
//! approval, and a draft that runs beside them.

use manushya_core::model::{
    Action, Approval, ApprovalState, PolicyDraft, PolicyEvent, PolicyRevision, PolicyStamp,
    Resource,
};
use manushya_protocol::id::{ApprovalId, IdentityId, PolicyId, TenantId};
use manushya_protocol::limits;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Malformed;
use super::bytes::{Reader, Writer};
use super::directory::{
    close, read_moment, read_optional_text, read_policy, write_optional_text, write_policy,
};
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

pub(in crate::store) fn encode_approval(
    approval: &Approval,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut out = Writer::with_capacity(512);
    out.raw(&approval.identity.to_bytes());
    out.raw(&approval.authority.to_bytes());
    out.text(&approval.method);
    out.u8(approval.action.code());
    out.u8(approval.resource.code());
    out.option(approval.resource_id, |out, id| out.raw(&id));
    out.raw(&approval.policy.id.to_bytes());
    out.u32(approval.policy.revision);
    write_optional_text(&mut out, approval.purpose.as_ref());
    out.u8(match approval.state {
        ApprovalState::Waiting => 1,
        ApprovalState::Granted(_) => 2,
        ApprovalState::Refused(_) => 3,
        ApprovalState::Used(_) => 4,
    });
    if let Some(by) = approval.state.by() {
        out.raw(&by.to_bytes());
    }
    out.i64(approval.created_at.0);
    out.i64(approval.expires_at.0);
    close("the request for an approval", out)
}

pub(in crate::store) fn decode_approval(
    tenant: TenantId,
    id: ApprovalId,
    plaintext: &[u8],
) -> Result<Approval, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let unknown = Malformed("an action or resource is unknown");
    let approval = Approval {
        id,
        tenant,
        identity: IdentityId::from_bytes(bytes.array()?),
        authority: IdentityId::from_bytes(bytes.array()?),
        method: bytes.text(limits::LABEL_BYTES_MAX)?.to_owned(),
        action: Action::from_code(bytes.u8()?).ok_or(unknown)?,
        resource: Resource::from_code(bytes.u8()?).ok_or(unknown)?,
        resource_id: bytes.option(|bytes| bytes.array())?,
        policy: PolicyStamp {
            id: PolicyId::from_bytes(bytes.array()?),
            revision: bytes.u32()?,
        },
        purpose: read_optional_text(&mut bytes)?,
        state: match bytes.u8()? {
            1 => ApprovalState::Waiting,
            2 => ApprovalState::Granted(IdentityId::from_bytes(bytes.array()?)),
            3 => ApprovalState::Refused(IdentityId::from_bytes(bytes.array()?)),
            4 => ApprovalState::Used(IdentityId::from_bytes(bytes.array()?)),
            _ => return Err(Malformed("the state of an approval is unknown")),
        },
        created_at: read_moment(&mut bytes)?,
        expires_at: read_moment(&mut bytes)?,
    };
    bytes.finish()?;
    Ok(approval)
}

pub(in crate::store) fn encode_policy_draft(
    draft: &PolicyDraft,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut out = Writer::with_capacity(4096);
    out.raw(&draft.by.to_bytes());
    out.i64(draft.at.0);
    out.count(draft.policies.len());
    for policy in &draft.policies {
        out.raw(&policy.id.to_bytes());
        write_policy(&mut out, policy)?;
    }
    close("the draft of policies", out)
}

pub(in crate::store) fn decode_policy_draft(
    tenant: TenantId,
    plaintext: &[u8],
) -> Result<PolicyDraft, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let by = IdentityId::from_bytes(bytes.array()?);
    let at = read_moment(&mut bytes)?;
    let mut policies = Vec::new();
    for _ in 0..bytes.count(limits::POLICIES_MAX)? {
        let id = PolicyId::from_bytes(bytes.array()?);
        policies.push(read_policy(&mut bytes, tenant, id)?);
    }
    bytes.finish()?;
    Ok(PolicyDraft {
        tenant,
        policies,
        by,
        at,
    })
}
