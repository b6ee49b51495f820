//! Receipts, holds, retentions and backups as bytes.

use manushya_core::model::{
    Backup, ErasureRecord, Hold, HoldScope, Keep, Kind, PurgeReceipt, Retention, SignedReceipt,
};
use manushya_protocol::id::{BackupId, HoldId, IdentityId, MemoryId, PlanId, RequestId, TenantId};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use zeroize::Zeroizing;

use super::bytes::{Reader, Writer};
use super::{Malformed, RECORD_BYTES_MAX, within_bounds};
use crate::store::error::StoreError;
use crate::store::schema;

/// The longest audit path: a log has fewer than 2^63 entries.
const PROOF_HASHES_MAX: usize = 63;
/// To how many recipients one backup is encrypted at the most.
const RECIPIENTS_MAX: usize = 64;
/// The longest recipient, in bytes: an SSH key with RSA 4096 fits.
const RECIPIENT_BYTES_MAX: usize = 2048;

fn moment(bytes: &mut Reader<'_>) -> Result<UnixMillis, Malformed> {
    bytes.i64().map(UnixMillis)
}

fn identity(bytes: &mut Reader<'_>) -> Result<IdentityId, Malformed> {
    Ok(IdentityId::from_bytes(bytes.array()?))
}

/// The plaintext of a record.
pub(in crate::store) fn encode_erasure(
    record: &ErasureRecord,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut out = Writer::with_capacity(1024);
    match record {
        ErasureRecord::Hold(it) => write_hold(&mut out, it),
        ErasureRecord::Receipt(it) => write_receipt(&mut out, it),
        ErasureRecord::Retention(it) => {
            out.option(it.kind.as_ref(), |out, kind| out.text(kind.as_str()));
            out.option(it.keep.live, |out, seconds| out.u64(seconds));
            out.option(it.keep.deleted, |out, seconds| out.u64(seconds));
            out.raw(&it.set_by.to_bytes());
            out.i64(it.updated_at.0);
        }
        ErasureRecord::Backup(it) => {
            out.i64(it.created_at.0);
            out.option(it.keep_until, |out, at| out.i64(at.0));
            out.count(it.recipients.len());
            for recipient in &it.recipients {
                out.text(recipient);
            }
            for number in [it.audit_size, it.records, it.bytes] {
                out.u64(number);
            }
        }
    }
    let plaintext = out.finish();
    within_bounds("the record of an erasure", plaintext.len())?;
    Ok(plaintext)
}

fn write_hold(out: &mut Writer, hold: &Hold) {
    match &hold.scope {
        HoldScope::Subject(id) => {
            out.u8(1);
            out.raw(&id.to_bytes());
        }
        HoldScope::Memory(id) => {
            out.u8(2);
            out.raw(&id.to_bytes());
        }
        HoldScope::Tenant => out.u8(3),
    }
    out.text(&hold.reason);
    out.raw(&hold.set_by.to_bytes());
    out.i64(hold.created_at.0);
}

fn write_receipt(out: &mut Writer, receipt: &PurgeReceipt) {
    out.text(&receipt.scope);
    out.option(receipt.subject, |out, id| out.raw(&id.to_bytes()));
    out.option(receipt.erased, |out, id| out.raw(&id));
    out.raw(&receipt.planned_by.to_bytes());
    out.i64(receipt.planned_at.0);
    out.raw(&receipt.applied_by.to_bytes());
    out.i64(receipt.applied_at.0);
    out.raw(&receipt.request_id.to_bytes());
    for count in [
        receipt.memories,
        receipt.versions,
        receipt.tokens,
        receipt.identities,
    ] {
        out.u64(count);
    }
    out.option(receipt.signed.as_ref(), |out, signed| {
        out.text(&signed.note);
        out.count(signed.entry.len());
        out.raw(&signed.entry);
        out.text(&signed.checkpoint);
        out.count(signed.proof.len());
        for hash in &signed.proof {
            out.raw(hash);
        }
    });
}

/// The inverse of [`encode_erasure`], for a row of this kind and id.
pub(in crate::store) fn decode_erasure(
    kind: schema::Kind,
    tenant: TenantId,
    id: [u8; 16],
    plaintext: &[u8],
) -> Result<ErasureRecord, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let bytes_mut = &mut bytes;
    let record = match kind {
        schema::Kind::Hold => ErasureRecord::Hold(read_hold(bytes_mut, tenant, id)?),
        schema::Kind::Receipt => ErasureRecord::Receipt(read_receipt(bytes_mut, tenant, id)?),
        schema::Kind::Retention => ErasureRecord::Retention(Retention {
            tenant,
            kind: bytes_mut.option(|bytes| Ok(Kind::new(bytes.text(limits::LABEL_BYTES_MAX)?)?))?,
            keep: Keep {
                live: bytes_mut.option(Reader::u64)?,
                deleted: bytes_mut.option(Reader::u64)?,
            },
            set_by: identity(bytes_mut)?,
            updated_at: moment(bytes_mut)?,
        }),
        schema::Kind::Backup => ErasureRecord::Backup(Backup {
            id: BackupId::from_bytes(id),
            tenant,
            created_at: moment(bytes_mut)?,
            keep_until: bytes_mut.option(moment)?,
            recipients: read_recipients(bytes_mut)?,
            audit_size: bytes_mut.u64()?,
            records: bytes_mut.u64()?,
            bytes: bytes_mut.u64()?,
        }),
        _ => return Err(Malformed("it is no record of an erasure")),
    };
    bytes.finish()?;
    Ok(record)
}

fn read_recipients(bytes: &mut Reader<'_>) -> Result<Vec<String>, Malformed> {
    let count = bytes.count(RECIPIENTS_MAX)?;
    (0..count)
        .map(|_| Ok(bytes.text(RECIPIENT_BYTES_MAX)?.to_owned()))
        .collect()
}

fn read_hold(bytes: &mut Reader<'_>, tenant: TenantId, id: [u8; 16]) -> Result<Hold, Malformed> {
    Ok(Hold {
        id: HoldId::from_bytes(id),
        tenant,
        scope: match bytes.u8()? {
            1 => HoldScope::Subject(identity(bytes)?),
            2 => HoldScope::Memory(MemoryId::from_bytes(bytes.array()?)),
            3 => HoldScope::Tenant,
            _ => return Err(Malformed("the scope of a hold is unknown")),
        },
        reason: bytes.text(limits::DESCRIPTION_BYTES_MAX)?.to_owned(),
        set_by: identity(bytes)?,
        created_at: moment(bytes)?,
    })
}

fn read_receipt(
    bytes: &mut Reader<'_>,
    tenant: TenantId,
    id: [u8; 16],
) -> Result<PurgeReceipt, Malformed> {
    Ok(PurgeReceipt {
        plan: PlanId::from_bytes(id),
        tenant,
        scope: bytes.text(limits::LABEL_BYTES_MAX)?.to_owned(),
        subject: bytes.option(identity)?,
        erased: bytes.option(Reader::array)?,
        planned_by: identity(bytes)?,
        planned_at: moment(bytes)?,
        applied_by: identity(bytes)?,
        applied_at: moment(bytes)?,
        request_id: RequestId::from_bytes(bytes.array()?),
        memories: bytes.u64()?,
        versions: bytes.u64()?,
        tokens: bytes.u64()?,
        identities: bytes.u64()?,
        signed: bytes.option(read_signed)?,
    })
}

fn read_signed(bytes: &mut Reader<'_>) -> Result<SignedReceipt, Malformed> {
    let note = bytes.text(RECORD_BYTES_MAX)?.to_owned();
    let length = bytes.count(RECORD_BYTES_MAX)?;
    let entry = bytes.take(length)?.to_vec();
    let checkpoint = bytes.text(RECORD_BYTES_MAX)?.to_owned();
    let hashes = bytes.count(PROOF_HASHES_MAX)?;
    let proof = (0..hashes)
        .map(|_| bytes.array())
        .collect::<Result<_, _>>()?;
    Ok(SignedReceipt {
        note,
        entry,
        checkpoint,
        proof,
    })
}
