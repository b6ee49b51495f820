//! Sealed rows: header and sealed bytes together, and back.

use std::sync::Arc;

use manushya_core::model::{DataKeyId, Memory, Place};
use manushya_core::plan::Write;
use manushya_protocol::id::{ApprovalId, IdentityId, PlanId, PolicyId, TenantId, TokenId};
use zeroize::Zeroizing;

use super::error::StoreError;
use super::record::{
    DirectoryHeader, MemoryAt, MemoryHeader, RECORD_VERSION, decode_approval, decode_erasure,
    decode_gate, decode_identity, decode_memory, decode_plan, decode_policy, decode_policy_draft,
    decode_policy_revision, decode_tenant, decode_token,
};
use super::schema::{Kind, part};
use crate::port::{Cipher, CipherError};

/// Puts a header before what was sealed.
fn row(header: &[u8], sealed: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(header.len() + sealed.len());
    row.extend_from_slice(header);
    row.extend_from_slice(sealed);
    row
}

/// What a failure to open means here: the row, or the keystore, is not what it was.
fn opened<T>(
    result: Result<T, CipherError>,
    name: impl FnOnce() -> String,
) -> Result<T, StoreError> {
    result.map_err(|error| match error {
        CipherError::NotAuthentic => StoreError::corrupted(format!("{} does not open", name())),
        other => other.into(),
    })
}

/// Seals a memory's plaintext into a row.
pub(super) fn seal_memory(
    cipher: &dyn Cipher,
    at: MemoryAt,
    header: &MemoryHeader,
    plaintext: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let place = at.place(header.owner, header.version);
    let sealed = cipher.seal(header.key, &place, plaintext)?;
    Ok(row(&header.to_bytes(), &sealed))
}

/// The header of a stored memory.
pub(super) fn memory_header(at: MemoryAt, row: &[u8]) -> Result<MemoryHeader, StoreError> {
    match MemoryHeader::split(row) {
        Ok((header, _)) => Ok(header),
        Err(error) => Err(error.of(&format!("memory {}", at.id))),
    }
}

/// Opens a stored memory.
pub(super) fn open_memory(
    cipher: &dyn Cipher,
    at: MemoryAt,
    row: &[u8],
) -> Result<Memory, StoreError> {
    let name = || format!("memory {}", at.id);
    let (header, sealed) = MemoryHeader::split(row).map_err(|error| error.of(&name()))?;
    let place = at.place(header.owner, header.version);
    let plaintext = opened(cipher.open(header.key, &place, sealed), name)?;
    decode_memory(at, &header, &plaintext).map_err(|error| error.of(&name()))
}

/// Opens a stored memory without reading what it says.
pub(super) fn open_memory_bytes(
    cipher: &dyn Cipher,
    at: MemoryAt,
    row: &[u8],
) -> Result<(MemoryHeader, Zeroizing<Vec<u8>>), StoreError> {
    let name = || format!("memory {}", at.id);
    let (header, sealed) = MemoryHeader::split(row).map_err(|error| error.of(&name()))?;
    let place = at.place(header.owner, header.version);
    let plaintext = opened(cipher.open(header.key, &place, sealed), name)?;
    Ok((header, plaintext))
}

/// Seals a stored memory anew under `key`.
pub(super) fn reseal_memory(
    cipher: &dyn Cipher,
    at: MemoryAt,
    row: &[u8],
    key: DataKeyId,
) -> Result<Vec<u8>, StoreError> {
    let name = || format!("memory {}", at.id);
    let (header, sealed) = MemoryHeader::split(row).map_err(|error| error.of(&name()))?;
    let place = at.place(header.owner, header.version);
    let plaintext = opened(cipher.open(header.key, &place, sealed), name)?;
    seal_memory(cipher, at, &MemoryHeader { key, ..header }, &plaintext)
}

fn directory_place(tenant: TenantId, kind: Kind, id: [u8; 16], subject: [u8; 16]) -> Place {
    Place {
        table: kind.table(),
        tenant: tenant.to_bytes(),
        subject,
        record: id,
        version: 0,
        schema: u16::from(RECORD_VERSION),
    }
}

/// Seals a record of the directory into a row.
pub(super) fn seal_directory(
    cipher: &dyn Cipher,
    (tenant, kind, id): (TenantId, Kind, [u8; 16]),
    header: DirectoryHeader,
    plaintext: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let place = directory_place(tenant, kind, id, header.subject);
    let sealed = cipher.seal(header.key, &place, plaintext)?;
    Ok(row(&header.to_bytes(), &sealed))
}

/// The header of a row of the directory.
pub(super) fn directory_header(row: &[u8]) -> Result<DirectoryHeader, StoreError> {
    match DirectoryHeader::split(row) {
        Ok((header, _)) => Ok(header),
        Err(error) => Err(error.of("a record of the directory")),
    }
}

/// Opens a row of the directory without reading what it says.
pub(super) fn open_directory_bytes(
    cipher: &dyn Cipher,
    key: &[u8; 33],
    row: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let tenant = TenantId::from_bytes(part(key, 0));
    let kind = Kind::from_code(key[16])
        .ok_or_else(|| StoreError::corrupted("a record of the directory is of no known kind"))?;
    let (header, sealed) =
        DirectoryHeader::split(row).map_err(|error| error.of("a record of the directory"))?;
    let place = directory_place(tenant, kind, part(key, 17), header.subject);
    opened(cipher.open(header.key, &place, sealed), || {
        kind.table().to_owned()
    })
}

/// Opens a row of the directory, as the write that would make it.
pub(super) fn open_directory(
    cipher: &dyn Cipher,
    key: &[u8; 33],
    row: &[u8],
) -> Result<Write, StoreError> {
    let tenant = TenantId::from_bytes(part(key, 0));
    let id: [u8; 16] = part(key, 17);
    let kind = Kind::from_code(key[16])
        .ok_or_else(|| StoreError::corrupted("a record of the directory is of no known kind"))?;
    let (header, sealed) =
        DirectoryHeader::split(row).map_err(|error| error.of("a record of the directory"))?;
    let place = directory_place(tenant, kind, id, header.subject);
    let plaintext = opened(cipher.open(header.key, &place, sealed), || {
        kind.table().to_owned()
    })?;
    let write = match kind {
        Kind::Tenant => decode_tenant(tenant, &plaintext).map(|it| Write::PutTenant(Arc::new(it))),
        Kind::Identity => decode_identity(tenant, IdentityId::from_bytes(id), &plaintext)
            .map(|it| Write::PutIdentity(Arc::new(it))),
        Kind::Token => decode_token(tenant, TokenId::from_bytes(id), &plaintext)
            .map(|it| Write::PutToken(Arc::new(it))),
        Kind::Policy => decode_policy(tenant, PolicyId::from_bytes(id), &plaintext)
            .map(|it| Write::PutPolicy(Arc::new(it))),
        Kind::Plan => decode_plan(tenant, PlanId::from_bytes(id), &plaintext)
            .map(|it| Write::PutPlan(Arc::new(it))),
        Kind::Invitation | Kind::Binding | Kind::Limit | Kind::SigningKey | Kind::AuditKey => {
            decode_gate(kind, tenant, id, &plaintext).map(|it| Write::PutGate(Arc::new(it)))
        }
        Kind::PolicyRevision => decode_policy_revision(tenant, id, &plaintext)
            .map(|it| Write::PutRevision(Arc::new(it))),
        Kind::Hold | Kind::Receipt | Kind::Retention | Kind::Backup => {
            decode_erasure(kind, tenant, id, &plaintext).map(|it| Write::PutErasure(Arc::new(it)))
        }
        Kind::PolicyDraft => {
            decode_policy_draft(tenant, &plaintext).map(|it| Write::PutDraft(Arc::new(it)))
        }
        Kind::Approval => decode_approval(tenant, ApprovalId::from_bytes(id), &plaintext)
            .map(|it| Write::PutApproval(Arc::new(it))),
    };
    write.map_err(|error| error.of(kind.table()))
}
