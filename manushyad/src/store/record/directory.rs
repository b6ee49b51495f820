//! Tenants, identities, policies and purge plans as bytes. Their own id and tenant stand in
//! the row's key, and are authenticated by the place.

use manushya_core::model::{
    DataKeyId, Effect, ExternalId, Identity, PlanState, Policy, PolicyName, PurgePlan, PurgeScope,
    Role, Tenant, TenantName,
};
use manushya_protocol::id::{IdentityId, PlanId, PolicyId, TenantId};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use zeroize::Zeroizing;

use super::bytes::{Reader, Writer};
use super::{Malformed, RECORD_BYTES_MAX, RECORD_VERSION, value, within_bounds};
use crate::store::error::StoreError;

/// What is readable of a row of the directory without its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct DirectoryHeader {
    pub(in crate::store) key: DataKeyId,
    pub(in crate::store) subject: [u8; 16],
}

impl DirectoryHeader {
    const BYTES: usize = 25;

    pub(in crate::store) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[0] = RECORD_VERSION;
        out[1..9].copy_from_slice(&self.key.0.to_be_bytes());
        out[9..25].copy_from_slice(&self.subject);
        out
    }

    /// Splits a row into its header and its sealed part.
    pub(in crate::store) fn split(row: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let mut bytes = Reader::new(row);
        if bytes.u8()? != RECORD_VERSION {
            return Err(Malformed("its version is unknown"));
        }
        let key = DataKeyId(bytes.u64()?);
        let subject = bytes.array()?;
        Ok((Self { key, subject }, &row[Self::BYTES..]))
    }
}

pub(super) fn close(what: &'static str, out: Writer) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let plaintext = out.finish();
    within_bounds(what, plaintext.len())?;
    Ok(plaintext)
}

pub(super) fn write_optional_text(out: &mut Writer, text: Option<&String>) {
    out.option(text, |out, text| out.text(text));
}

pub(super) fn read_optional_text(bytes: &mut Reader<'_>) -> Result<Option<String>, Malformed> {
    bytes.option(|bytes| bytes.text(RECORD_BYTES_MAX).map(str::to_owned))
}

pub(super) fn read_moment(bytes: &mut Reader<'_>) -> Result<UnixMillis, Malformed> {
    bytes.i64().map(UnixMillis)
}

pub(in crate::store) fn encode_tenant(tenant: &Tenant) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut out = Writer::with_capacity(256);
    out.text(tenant.name.as_str());
    out.raw(&tenant.operator.to_bytes());
    out.i64(tenant.created_at.0);
    close("the tenant", out)
}

pub(in crate::store) fn decode_tenant(id: TenantId, plaintext: &[u8]) -> Result<Tenant, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let tenant = Tenant {
        id,
        name: TenantName::new(bytes.text(limits::LABEL_BYTES_MAX)?)?,
        operator: IdentityId::from_bytes(bytes.array()?),
        created_at: read_moment(&mut bytes)?,
    };
    bytes.finish()?;
    Ok(tenant)
}

pub(in crate::store) fn encode_identity(
    identity: &Identity,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    if !identity.claims.values().all(value::is_shallow) {
        return Err(StoreError::Refused {
            what: "the claims of the identity are nested too deeply",
        });
    }
    let texts = [&identity.name, &identity.description];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    let mut out = Writer::with_capacity(1024 + texts);
    out.text(identity.external_id.as_str());
    out.text(identity.role.as_str());
    write_optional_text(&mut out, identity.name.as_ref());
    write_optional_text(&mut out, identity.description.as_ref());
    value::write_map(&mut out, &identity.claims);
    out.flag(identity.is_active);
    out.flag(identity.quarantine);
    out.u32(identity.token_epoch);
    out.i64(identity.created_at.0);
    out.i64(identity.updated_at.0);
    close("the identity", out)
}

pub(in crate::store) fn decode_identity(
    tenant: TenantId,
    id: IdentityId,
    plaintext: &[u8],
) -> Result<Identity, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let identity = Identity {
        id,
        tenant,
        external_id: ExternalId::new(bytes.text(limits::EXTERNAL_ID_BYTES_MAX)?)?,
        role: Role::new(bytes.text(limits::LABEL_BYTES_MAX)?)?,
        name: read_optional_text(&mut bytes)?,
        description: read_optional_text(&mut bytes)?,
        claims: value::read_map(&mut bytes)?,
        is_active: bytes.flag()?,
        quarantine: bytes.flag()?,
        token_epoch: bytes.u32()?,
        created_at: read_moment(&mut bytes)?,
        updated_at: read_moment(&mut bytes)?,
    };
    bytes.finish()?;
    Ok(identity)
}

pub(in crate::store) fn encode_policy(policy: &Policy) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut out = Writer::with_capacity(2048);
    write_policy(&mut out, policy)?;
    close("the policy", out)
}

/// Writes a policy behind what stands there already.
pub(super) fn write_policy(out: &mut Writer, policy: &Policy) -> Result<(), StoreError> {
    if !value::is_shallow(&policy.rule) {
        return Err(StoreError::Refused {
            what: "the rule of the policy is nested too deeply",
        });
    }
    out.text(policy.name.as_str());
    out.option(policy.role.as_ref(), |out, role| out.text(role.as_str()));
    value::write(out, &policy.rule);
    out.u8(match policy.effect {
        Effect::Allow => 1,
        Effect::Deny => 2,
        Effect::Redact => 3,
        Effect::Require => 4,
    });
    if policy.effect == Effect::Redact {
        out.count(policy.fields.len());
        for field in &policy.fields {
            out.text(&field.to_string());
        }
    }
    out.u32(policy.priority.cast_unsigned());
    out.flag(policy.is_active);
    write_optional_text(out, policy.description.as_ref());
    out.u32(policy.revision);
    out.i64(policy.created_at.0);
    out.i64(policy.updated_at.0);
    Ok(())
}

pub(in crate::store) fn decode_policy(
    tenant: TenantId,
    id: PolicyId,
    plaintext: &[u8],
) -> Result<Policy, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let policy = read_policy(&mut bytes, tenant, id)?;
    bytes.finish()?;
    Ok(policy)
}

/// Reads a policy and leaves what follows it.
pub(super) fn read_policy(
    bytes: &mut Reader<'_>,
    tenant: TenantId,
    id: PolicyId,
) -> Result<Policy, Malformed> {
    let name = PolicyName::new(bytes.text(limits::EXTERNAL_ID_BYTES_MAX)?)?;
    let role = bytes.option(|bytes| Ok(Role::new(bytes.text(limits::LABEL_BYTES_MAX)?)?))?;
    let rule = value::read(bytes)?;
    let effect = match bytes.u8()? {
        1 => Effect::Allow,
        2 => Effect::Deny,
        3 => Effect::Redact,
        4 => Effect::Require,
        _ => return Err(Malformed("an effect is unknown")),
    };
    let mut fields = Vec::new();
    if effect == Effect::Redact {
        for _ in 0..bytes.count(limits::METADATA_KEYS_MAX)? {
            fields.push(bytes.text(RECORD_BYTES_MAX)?.parse()?);
        }
    }
    Ok(Policy {
        id,
        tenant,
        name,
        role,
        rule,
        effect,
        fields,
        priority: bytes.u32()?.cast_signed(),
        is_active: bytes.flag()?,
        description: read_optional_text(bytes)?,
        revision: bytes.u32()?,
        created_at: read_moment(bytes)?,
        updated_at: read_moment(bytes)?,
    })
}

pub(in crate::store) fn encode_plan(plan: &PurgePlan) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let texts = plan.filter_json.len() + plan.confirm.len();
    let mut out = Writer::with_capacity(256 + texts);
    out.raw(&plan.planner.to_bytes());
    match &plan.scope {
        PurgeScope::Subject(identity) => {
            out.u8(1);
            out.raw(&identity.to_bytes());
        }
        PurgeScope::Filter => out.u8(2),
        PurgeScope::Expired => out.u8(3),
        PurgeScope::Records => out.u8(4),
    }
    out.text(&plan.filter_json);
    out.text(&plan.confirm);
    for count in [plan.memories, plan.versions, plan.tokens, plan.identities] {
        out.u64(count);
    }
    out.raw(&plan.fingerprint);
    out.i64(plan.created_at.0);
    out.i64(plan.expires_at.0);
    let applied = match plan.state {
        PlanState::Planned => None,
        PlanState::Applied(at) => Some(at),
    };
    out.option(applied, |out, at| out.i64(at.0));
    close("the purge plan", out)
}

pub(in crate::store) fn decode_plan(
    tenant: TenantId,
    id: PlanId,
    plaintext: &[u8],
) -> Result<PurgePlan, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let plan = PurgePlan {
        id,
        tenant,
        planner: IdentityId::from_bytes(bytes.array()?),
        scope: match bytes.u8()? {
            1 => PurgeScope::Subject(IdentityId::from_bytes(bytes.array()?)),
            2 => PurgeScope::Filter,
            3 => PurgeScope::Expired,
            4 => PurgeScope::Records,
            _ => return Err(Malformed("a scope is unknown")),
        },
        filter_json: bytes.text(RECORD_BYTES_MAX)?.to_owned(),
        confirm: bytes.text(RECORD_BYTES_MAX)?.to_owned(),
        memories: bytes.u64()?,
        versions: bytes.u64()?,
        tokens: bytes.u64()?,
        identities: bytes.u64()?,
        fingerprint: bytes.array()?,
        created_at: read_moment(&mut bytes)?,
        expires_at: read_moment(&mut bytes)?,
        state: match bytes.option(read_moment)? {
            None => PlanState::Planned,
            Some(at) => PlanState::Applied(at),
        },
    };
    bytes.finish()?;
    Ok(plan)
}
