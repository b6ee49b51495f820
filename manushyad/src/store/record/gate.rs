//! Invitations, what is known of the keys that sign tokens, limits and bindings, as bytes.

use manushya_core::model::{
    AuditKey, Binding, ExternalId, GateKey, GateRecord, Invitation, LimitName, LimitOverride,
    NextAuditKey, Role, TokenKey,
};
use manushya_protocol::id::{BindingId, IdentityId, InvitationId, LimitId, TenantId};
use manushya_protocol::limits;
use manushya_protocol::unit::AuditSeq;
use zeroize::Zeroizing;

use super::Malformed;
use super::bytes::{Reader, Writer};
use super::directory::{close, read_moment, read_optional_text, write_optional_text};
use crate::store::error::StoreError;
use crate::store::schema::Kind;

/// The kind of row a record is.
pub(in crate::store) fn gate_kind(key: GateKey) -> Kind {
    match key {
        GateKey::Invitation(_) => Kind::Invitation,
        GateKey::TokenKey(_) => Kind::SigningKey,
        GateKey::Limit(_) => Kind::Limit,
        GateKey::Binding(_) => Kind::Binding,
        GateKey::AuditKey(_) => Kind::AuditKey,
    }
}

pub(in crate::store) fn encode_gate(record: &GateRecord) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut out = Writer::with_capacity(1024);
    match record {
        GateRecord::Invitation(it) => {
            out.raw(&it.tag);
            out.text(it.role.as_str());
            out.option(it.external_id.as_ref(), |out, name| out.text(name.as_str()));
            write_optional_text(&mut out, it.label.as_ref());
            out.u64(it.token_ttl_seconds);
            out.raw(&it.invited_by.to_bytes());
            out.i64(it.created_at.0);
            out.i64(it.expires_at.0);
            out.option(it.revoked_at, |out, at| out.i64(at.0));
            out.option(it.accepted, |out, (at, identity)| {
                out.i64(at.0);
                out.raw(&identity.to_bytes());
            });
        }
        GateRecord::TokenKey(it) => {
            out.i64(it.created_at.0);
            out.option(it.retired_at, |out, at| out.i64(at.0));
        }
        GateRecord::Binding(it) => {
            out.raw(&it.identity.to_bytes());
            out.u32(it.uid);
            out.option(it.program, |out, hash| out.raw(&hash));
            out.i64(it.created_at.0);
        }
        GateRecord::Limit(it) => {
            out.u8(it.name.code());
            out.option(it.role.as_ref(), |out, role| out.text(role.as_str()));
            out.option(it.value, |out, value| out.u64(value));
            out.raw(&it.set_by.to_bytes());
            out.i64(it.set_at.0);
        }
        GateRecord::AuditKey(it) => {
            out.u64(it.seq.0);
            out.i64(it.created_at.0);
            out.raw(&it.from);
            out.raw(&it.next.public);
            out.raw(&it.next.signature);
        }
    }
    close("the record", out)
}

pub(in crate::store) fn decode_gate(
    kind: Kind,
    tenant: TenantId,
    id: [u8; 16],
    plaintext: &[u8],
) -> Result<GateRecord, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let record = match kind {
        Kind::SigningKey => {
            let key = u64::try_from(u128::from_be_bytes(id));
            GateRecord::TokenKey(TokenKey {
                tenant,
                key: key.map_err(|_| Malformed("a number of a key is out of bounds"))?,
                created_at: read_moment(&mut bytes)?,
                retired_at: bytes.option(read_moment)?,
            })
        }
        Kind::AuditKey => GateRecord::AuditKey(read_audit_key(tenant, id, &mut bytes)?),
        Kind::Binding => GateRecord::Binding(Binding {
            id: BindingId::from_bytes(id),
            tenant,
            identity: IdentityId::from_bytes(bytes.array()?),
            uid: bytes.u32()?,
            program: bytes.option(Reader::array)?,
            created_at: read_moment(&mut bytes)?,
        }),
        Kind::Limit => GateRecord::Limit(LimitOverride {
            id: LimitId::from_bytes(id),
            tenant,
            name: LimitName::from_code(bytes.u8()?).ok_or(Malformed("a limit is unknown"))?,
            role: bytes.option(|bytes| Ok(Role::new(bytes.text(limits::LABEL_BYTES_MAX)?)?))?,
            value: bytes.option(Reader::u64)?,
            set_by: IdentityId::from_bytes(bytes.array()?),
            set_at: read_moment(&mut bytes)?,
        }),
        _ => GateRecord::Invitation(Invitation {
            id: InvitationId::from_bytes(id),
            tenant,
            tag: bytes.array()?,
            role: Role::new(bytes.text(limits::LABEL_BYTES_MAX)?)?,
            external_id: bytes.option(|bytes| {
                let text = bytes.text(limits::EXTERNAL_ID_BYTES_MAX)?;
                Ok(ExternalId::new(text)?)
            })?,
            label: read_optional_text(&mut bytes)?,
            token_ttl_seconds: bytes.u64()?,
            invited_by: IdentityId::from_bytes(bytes.array()?),
            created_at: read_moment(&mut bytes)?,
            expires_at: read_moment(&mut bytes)?,
            revoked_at: bytes.option(read_moment)?,
            accepted: bytes.option(|bytes| {
                let at = read_moment(bytes)?;
                Ok((at, IdentityId::from_bytes(bytes.array()?)))
            })?,
        }),
    };
    bytes.finish()?;
    Ok(record)
}

fn read_audit_key(
    tenant: TenantId,
    id: [u8; 16],
    bytes: &mut Reader<'_>,
) -> Result<AuditKey, Malformed> {
    let epoch = u64::try_from(u128::from_be_bytes(id));
    Ok(AuditKey {
        tenant,
        epoch: epoch.map_err(|_| Malformed("an epoch of a key is out of bounds"))?,
        seq: AuditSeq(bytes.u64()?),
        created_at: read_moment(bytes)?,
        from: bytes.array()?,
        next: NextAuditKey {
            public: bytes.array()?,
            signature: bytes.array()?,
        },
    })
}
