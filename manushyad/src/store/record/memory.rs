//! Memories as bytes.

use half::bf16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use manushya_core::model::{
    DELEGATION_STEPS_MAX, DataKeyId, DelegationStep, EmbedderTag, Kind, Memory, MemoryContent,
    MemoryKey, Namespace, Place, Provenance, Session, Source, Superseded, Tag, Trust, check_text,
};
use manushya_protocol::id::{IdentityId, MemoryId, RequestId, TenantId, TokenId};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use zeroize::Zeroizing;

use super::bytes::{Reader, Writer};
use super::{Malformed, RECORD_VERSION, value, within_bounds};
use crate::store::error::StoreError;

/// The most numbers a vector can have.
const DIMS_MAX: usize = 8192;

const FLAG_DUE: u8 = 1;
const FLAG_KEY: u8 = 2;
const FLAG_DELETED: u8 = 4;
const FLAG_HELD: u8 = 8;

/// What is readable of a stored memory without its key: what the indexes need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct MemoryHeader {
    pub(in crate::store) key: DataKeyId,
    pub(in crate::store) owner: IdentityId,
    pub(in crate::store) version: u32,
    pub(in crate::store) due: Option<UnixMillis>,
    /// The blind tag of the memory's key.
    pub(in crate::store) tag: Option<[u8; 16]>,
    pub(in crate::store) deleted: bool,
    /// Whether it is held back until it is reviewed.
    pub(in crate::store) held: bool,
}

impl MemoryHeader {
    /// How long a header is, in bytes.
    pub(in crate::store) const BYTES: usize = 54;
    /// How much of its end stands in the sealed part once more, and is so authenticated.
    const REPEATED: usize = 25;

    pub(in crate::store) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[0] = RECORD_VERSION;
        out[1..9].copy_from_slice(&self.key.0.to_be_bytes());
        out[9..25].copy_from_slice(&self.owner.to_bytes());
        out[25..29].copy_from_slice(&self.version.to_be_bytes());
        if let Some(due) = self.due {
            out[29] |= FLAG_DUE;
            out[30..38].copy_from_slice(&due.0.to_be_bytes());
        }
        if let Some(tag) = self.tag {
            out[29] |= FLAG_KEY;
            out[38..54].copy_from_slice(&tag);
        }
        if self.deleted {
            out[29] |= FLAG_DELETED;
        }
        if self.held {
            out[29] |= FLAG_HELD;
        }
        out
    }

    /// The header of a row with this plaintext, which repeats most of it; the data key is still to
    /// come.
    pub(in crate::store) fn of_plaintext(
        owner: IdentityId,
        version: u32,
        plaintext: &[u8],
    ) -> Result<Self, Malformed> {
        let mut row = [0; Self::BYTES];
        row[0] = RECORD_VERSION;
        row[9..25].copy_from_slice(&owner.to_bytes());
        row[25..29].copy_from_slice(&version.to_be_bytes());
        let repeated = plaintext
            .get(..Self::REPEATED)
            .ok_or(Malformed("it is cut short"))?;
        row[29..].copy_from_slice(repeated);
        Self::split(&row).map(|(header, _)| header)
    }

    /// Splits a row into its header and its sealed part.
    pub(in crate::store) fn split(row: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let mut bytes = Reader::new(row);
        if bytes.u8()? != RECORD_VERSION {
            return Err(Malformed("its version is unknown"));
        }
        let key = DataKeyId(bytes.u64()?);
        let owner = IdentityId::from_bytes(bytes.array()?);
        let version = bytes.u32()?;
        let flags = bytes.u8()?;
        let (due, tag) = (bytes.i64()?, bytes.array::<16>()?);
        if flags & !(FLAG_DUE | FLAG_KEY | FLAG_DELETED | FLAG_HELD) != 0 {
            return Err(Malformed("a flag is unknown"));
        }
        let header = Self {
            key,
            owner,
            version,
            due: (flags & FLAG_DUE != 0).then_some(UnixMillis(due)),
            tag: (flags & FLAG_KEY != 0).then_some(tag),
            deleted: flags & FLAG_DELETED != 0,
            held: flags & FLAG_HELD != 0,
        };
        if row[..Self::BYTES] != header.to_bytes() {
            return Err(Malformed("a field is set that its flag says is not"));
        }
        Ok((header, &row[Self::BYTES..]))
    }
}

/// Which memory a row belongs to: what its key in the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::store) struct MemoryAt {
    pub(in crate::store) tenant: TenantId,
    pub(in crate::store) id: MemoryId,
}

impl MemoryAt {
    /// Reads the first 32 bytes of a key of `memories` or `history`.
    pub(in crate::store) fn of_key(key: &[u8; 32]) -> Self {
        Self {
            tenant: TenantId::from_bytes(crate::store::schema::part(key, 0)),
            id: MemoryId::from_bytes(crate::store::schema::part(key, 16)),
        }
    }

    /// The place a version is sealed for, the same whether it is current or history.
    pub(in crate::store) fn place(self, owner: IdentityId, version: u32) -> Place {
        Place {
            table: "memory",
            tenant: self.tenant.to_bytes(),
            subject: owner.to_bytes(),
            record: self.id.to_bytes(),
            version,
            schema: u16::from(RECORD_VERSION),
        }
    }
}

/// The plaintext of `memory`, whose row will have `header` (of which the data key does not matter).
///
/// # Errors
///
/// [`StoreError::TooLarge`] or [`StoreError::Refused`] for what could not be read back.
pub(in crate::store) fn encode_memory(
    memory: &Memory,
    header: &MemoryHeader,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let content = &memory.content;
    check_text(&content.text).map_err(|_| StoreError::Refused {
        what: "the text of the memory is empty or too long",
    })?;
    if content.tags.len() > limits::TAGS_MAX {
        return Err(StoreError::Refused {
            what: "the memory has too many tags",
        });
    }
    if !content.metadata.values().all(value::is_shallow) {
        return Err(StoreError::Refused {
            what: "the metadata of the memory is nested too deeply",
        });
    }
    if memory.supersedes.len() > limits::SUPERSEDES_MAX {
        return Err(StoreError::Refused {
            what: "the memory supersedes too many others",
        });
    }
    let vector = memory.vector.as_deref().map(to_bf16).transpose()?;
    let dims = vector.as_ref().map_or(0, Vec::len);
    let mut out = Writer::with_capacity(1024 + content.text.len() + 2 * dims);
    out.raw(&header.to_bytes()[MemoryHeader::BYTES - MemoryHeader::REPEATED..]);
    out.option(memory.key.as_ref(), |out, key| out.text(key.as_str()));
    out.text(&content.text);
    out.text(content.kind.as_str());
    out.count(content.tags.len());
    for tag in &content.tags {
        out.text(tag.as_str());
    }
    value::write_map(&mut out, &content.metadata);
    out.text(content.namespace.as_str());
    out.option(content.session.as_ref(), |out, session| {
        out.text(session.as_str());
    });
    out.u8(content.trust.percent());
    out.option(content.expires_at, |out, at| out.i64(at.0));
    out.i64(memory.created_at.0);
    out.i64(memory.updated_at.0);
    out.option(memory.deleted_at, |out, at| out.i64(at.0));
    out.option(memory.superseded, |out, superseded| {
        out.raw(&superseded.by.to_bytes());
        out.i64(superseded.at.0);
    });
    out.count(memory.supersedes.len());
    for id in &memory.supersedes {
        out.raw(&id.to_bytes());
    }
    out.u64(memory.embedder.0);
    out.option(vector, |out, vector| {
        out.count(vector.len());
        for number in &vector {
            out.raw(&number.to_bits().to_le_bytes());
        }
    });
    write_provenance(&mut out, &memory.provenance);
    out.flag(memory.canary);
    let plaintext = out.finish();
    within_bounds("the memory", plaintext.len())?;
    Ok(plaintext)
}

fn write_provenance(out: &mut Writer, from: &Provenance) {
    out.raw(&from.writer.to_bytes());
    out.option(from.token, |out, token| out.raw(&token.to_bytes()));
    out.count(from.chain.len());
    for step in &from.chain {
        out.raw(&step.token.to_bytes());
        out.raw(&step.identity.to_bytes());
    }
    out.option(from.peer_uid, |out, uid| out.u32(uid));
    out.option(from.source.as_ref(), |out, source| {
        out.text(source.as_str())
    });
    out.raw(&from.request_id.to_bytes());
    out.i64(from.written_at.0);
}

fn read_provenance(bytes: &mut Reader<'_>) -> Result<Provenance, Malformed> {
    let writer = IdentityId::from_bytes(bytes.array()?);
    let token = bytes.option(|bytes| Ok(TokenId::from_bytes(bytes.array()?)))?;
    let steps = bytes.count(DELEGATION_STEPS_MAX)?;
    let step = |bytes: &mut Reader<'_>| {
        Ok(DelegationStep {
            token: TokenId::from_bytes(bytes.array()?),
            identity: IdentityId::from_bytes(bytes.array()?),
        })
    };
    Ok(Provenance {
        writer,
        token,
        chain: (0..steps)
            .map(|_| step(bytes))
            .collect::<Result<_, Malformed>>()?,
        peer_uid: bytes.option(Reader::u32)?,
        source: bytes.option(|bytes| Ok(Source::new(bytes.text(limits::SOURCE_BYTES_MAX)?)?))?,
        request_id: RequestId::from_bytes(bytes.array()?),
        written_at: UnixMillis(bytes.i64()?),
    })
}

/// Rounds a vector to bf16, refusing what would not be a finite number there.
fn to_bf16(vector: &[f32]) -> Result<Vec<bf16>, StoreError> {
    if vector.len() > DIMS_MAX {
        return Err(StoreError::TooLarge {
            what: "the vector of the memory",
            actual: 2 * vector.len(),
            limit: 2 * DIMS_MAX,
        });
    }
    let mut rounded = vec![bf16::ZERO; vector.len()];
    rounded.convert_from_f32_slice(vector);
    if rounded.iter().all(|number| number.is_finite()) {
        return Ok(rounded);
    }
    Err(StoreError::Refused {
        what: "the vector of the memory has numbers that are not finite",
    })
}

/// The inverse of [`encode_memory`].
pub(in crate::store) fn decode_memory(
    at: MemoryAt,
    header: &MemoryHeader,
    plaintext: &[u8],
) -> Result<Memory, Malformed> {
    let mut bytes = Reader::new(plaintext);
    let repeated = bytes.take(MemoryHeader::REPEATED)?;
    if repeated != &header.to_bytes()[MemoryHeader::BYTES - MemoryHeader::REPEATED..] {
        return Err(Malformed("its header was altered"));
    }
    let key = bytes.option(|bytes| Ok(MemoryKey::new(bytes.text(limits::KEY_BYTES_MAX)?)?))?;
    let text = bytes.text(limits::TEXT_BYTES_MAX)?;
    check_text(text)?;
    let content = MemoryContent {
        text: text.to_owned(),
        kind: Kind::new(bytes.text(limits::LABEL_BYTES_MAX)?)?,
        tags: read_tags(&mut bytes)?,
        metadata: value::read_map(&mut bytes)?,
        namespace: Namespace::new(bytes.text(limits::NAMESPACE_BYTES_MAX)?)?,
        session: bytes.option(|bytes| Ok(Session::new(bytes.text(limits::KEY_BYTES_MAX)?)?))?,
        trust: Trust::new(bytes.u8()?)?,
        expires_at: bytes.option(|bytes| bytes.i64().map(UnixMillis))?,
    };
    let memory = Memory {
        id: at.id,
        tenant: at.tenant,
        owner: header.owner,
        key,
        content,
        version: header.version,
        created_at: UnixMillis(bytes.i64()?),
        updated_at: UnixMillis(bytes.i64()?),
        deleted_at: bytes.option(|bytes| bytes.i64().map(UnixMillis))?,
        superseded: bytes.option(read_superseded)?,
        supersedes: read_supersedes(&mut bytes)?,
        // The embedder stands before its vector.
        embedder: EmbedderTag(bytes.u64()?),
        vector: bytes.option(read_vector)?,
        provenance: read_provenance(&mut bytes)?,
        quarantined: header.held,
        canary: bytes.flag()?,
    };
    bytes.finish()?;
    if memory.deleted_at.is_some() != header.deleted || memory.key.is_some() != header.tag.is_some()
    {
        return Err(Malformed("its header and content contradict each other"));
    }
    Ok(memory)
}

fn read_superseded(bytes: &mut Reader<'_>) -> Result<Superseded, Malformed> {
    Ok(Superseded {
        by: MemoryId::from_bytes(bytes.array()?),
        at: UnixMillis(bytes.i64()?),
    })
}

fn read_supersedes(bytes: &mut Reader<'_>) -> Result<Vec<MemoryId>, Malformed> {
    let count = bytes.count(limits::SUPERSEDES_MAX)?;
    (0..count)
        .map(|_| Ok(MemoryId::from_bytes(bytes.array()?)))
        .collect()
}

fn read_tags(bytes: &mut Reader<'_>) -> Result<Vec<Tag>, Malformed> {
    let count = bytes.count(limits::TAGS_MAX)?;
    (0..count)
        .map(|_| Ok(Tag::new(bytes.text(limits::LABEL_BYTES_MAX)?)?))
        .collect()
}

fn read_vector(bytes: &mut Reader<'_>) -> Result<Vec<f32>, Malformed> {
    let dims = bytes.count(DIMS_MAX)?;
    let bits: Vec<u16> = bytes
        .take(2 * dims)?
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let numbers: &[bf16] = bits.reinterpret_cast();
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(Malformed("a number of the vector is not finite"));
    }
    let mut vector = vec![0.0; dims];
    numbers.convert_to_f32_slice(&mut vector);
    Ok(vector)
}
