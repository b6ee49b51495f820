//! The one byte form of an audit entry. `docs/formats/audit.md` lists it byte by byte.
//!
//! Every value of [`AuditEntry`] has exactly one encoding and every accepted byte string is the
//! encoding of exactly one value, so that equal hashes mean equal entries and nothing can be hidden
//! in spare bits. Version 1 has no extensions; version 2 is version 1 with one or more behind it.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, PolicyId, RequestId, TenantId, TokenId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};

use crate::model::{
    Action, AuditActor, AuditDraft, AuditEntry, Decision, Extension, ExtensionError, Extensions,
    Hash, Outcome, PolicyStamp, Resource,
};

/// The form without extensions. The version is an entry's first byte.
pub const VERSION_1: u8 = 1;

/// The form with extensions.
pub const VERSION_2: u8 = 2;

/// The longest encoding of any version, in bytes; longer input is refused unread. Version 1 uses 79
/// to 167 bytes, version 2 up to 936.
pub const ENTRY_BYTES_MAX: usize = 1024;

/// The longest encoding of version 1, in bytes.
const VERSION_1_BYTES_MAX: usize = 167;

const HAS_TENANT: u8 = 1 << 0;
const HAS_PEER_UID: u8 = 1 << 1;
const HAS_TOKEN: u8 = 1 << 2;
const HAS_RESOURCE_ID: u8 = 1 << 3;
const HAS_POLICY: u8 = 1 << 4;
const FLAGS_KNOWN: u8 = HAS_TENANT | HAS_PEER_UID | HAS_TOKEN | HAS_RESOURCE_ID | HAS_POLICY;

const ACTOR_ANONYMOUS: u8 = 0;
const ACTOR_IDENTITY: u8 = 1;
const ACTOR_DAEMON: u8 = 2;

const OUTCOME_OK: u8 = 0;

/// Says why bytes are not the encoding of an audit entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than an entry of any version has.
    #[error("an audit entry has {actual} bytes; the limit is {ENTRY_BYTES_MAX}")]
    TooLong {
        /// How many there are.
        actual: usize,
    },
    /// The bytes end inside a field.
    #[error("an audit entry ends early, after {actual} bytes")]
    Truncated {
        /// How many there are.
        actual: usize,
    },
    /// Bytes follow the last field.
    #[error("an audit entry has {extra} bytes after its end")]
    Trailing {
        /// How many follow.
        extra: usize,
    },
    /// A version this build cannot read.
    #[error("an audit entry has format version {0}; this build reads {VERSION_1} and {VERSION_2}")]
    Version(u8),
    /// A flag without a meaning is set.
    #[error("an audit entry has unknown flags: {0:#010b}")]
    Flags(u8),
    /// A number that stands for no kind of actor.
    #[error("an audit entry has the unknown kind of actor {0}")]
    Actor(u8),
    /// A number that stands for no action.
    #[error("an audit entry has the unknown action {0}")]
    Action(u8),
    /// A number that stands for no resource.
    #[error("an audit entry has the unknown resource {0}")]
    Resource(u8),
    /// A number that stands for no decision.
    #[error("an audit entry has the unknown decision {0}")]
    Decision(u8),
    /// A number that stands for no outcome this build knows.
    #[error("an audit entry has the unknown outcome {0}")]
    Outcome(u8),
    /// The form with extensions has none.
    #[error("an audit entry of version {VERSION_2} has no extensions")]
    NoExtensions,
    /// An extension is out of order or too long.
    #[error(transparent)]
    Extension(ExtensionError),
}

/// Returns the stable number of an error code on disk; never 0, which stands for success.
pub fn error_number(code: ErrorCode) -> u8 {
    match code {
        ErrorCode::InvalidArgument => 1,
        ErrorCode::Unauthenticated => 2,
        ErrorCode::Denied => 3,
        ErrorCode::NotFound => 4,
        ErrorCode::Conflict => 5,
        ErrorCode::ResourceExhausted => 6,
        ErrorCode::AuditUnavailable => 7,
        ErrorCode::VaultLocked => 8,
        ErrorCode::Integrity => 9,
        ErrorCode::DeadlineExceeded => 10,
        ErrorCode::Unreachable => 11,
        ErrorCode::VersionMismatch => 12,
        ErrorCode::Partial => 13,
        ErrorCode::Interrupted => 14,
        ErrorCode::Internal => 15,
        ErrorCode::Unknown => 255,
    }
}

/// Returns the error code with a number; the inverse of [`error_number`].
pub fn error_code(number: u8) -> Option<ErrorCode> {
    Some(match number {
        1 => ErrorCode::InvalidArgument,
        2 => ErrorCode::Unauthenticated,
        3 => ErrorCode::Denied,
        4 => ErrorCode::NotFound,
        5 => ErrorCode::Conflict,
        6 => ErrorCode::ResourceExhausted,
        7 => ErrorCode::AuditUnavailable,
        8 => ErrorCode::VaultLocked,
        9 => ErrorCode::Integrity,
        10 => ErrorCode::DeadlineExceeded,
        11 => ErrorCode::Unreachable,
        12 => ErrorCode::VersionMismatch,
        13 => ErrorCode::Partial,
        14 => ErrorCode::Interrupted,
        15 => ErrorCode::Internal,
        255 => ErrorCode::Unknown,
        _ => return None,
    })
}

/// Encodes an entry; [`decode`] is the inverse. One allocation of 167 bytes, and what extensions
/// take.
pub fn encode(entry: &AuditEntry) -> Vec<u8> {
    let draft = &entry.draft;
    let extensions = draft.extensions.encoded_len();
    let mut bytes = Vec::with_capacity(VERSION_1_BYTES_MAX + 1 + extensions);
    bytes.extend_from_slice(&[
        if draft.extensions.is_empty() {
            VERSION_1
        } else {
            VERSION_2
        },
        flags(draft),
        match draft.actor {
            AuditActor::Anonymous => ACTOR_ANONYMOUS,
            AuditActor::Identity(_) => ACTOR_IDENTITY,
            AuditActor::Daemon => ACTOR_DAEMON,
        },
        draft.action.code(),
        draft.resource.code(),
        draft.decision.code(),
        match draft.outcome {
            Outcome::Ok => OUTCOME_OK,
            Outcome::Error(code) => error_number(code),
        },
    ]);
    bytes.extend_from_slice(&entry.seq.0.to_be_bytes());
    bytes.extend_from_slice(&entry.prev_hash.0);
    bytes.extend_from_slice(&draft.time.0.to_be_bytes());
    bytes.extend_from_slice(&draft.request_id.to_bytes());
    bytes.extend_from_slice(&draft.count.to_be_bytes());
    if let AuditActor::Identity(id) = draft.actor {
        bytes.extend_from_slice(&id.to_bytes());
    }
    if let Some(tenant) = draft.tenant {
        bytes.extend_from_slice(&tenant.to_bytes());
    }
    if let Some(uid) = draft.peer_uid {
        bytes.extend_from_slice(&uid.to_be_bytes());
    }
    if let Some(token) = draft.token {
        bytes.extend_from_slice(&token.to_bytes());
    }
    if let Some(id) = draft.resource_id {
        bytes.extend_from_slice(&id);
    }
    if let Some(policy) = draft.policy {
        bytes.extend_from_slice(&policy.id.to_bytes());
        bytes.extend_from_slice(&policy.revision.to_be_bytes());
    }
    encode_extensions(&draft.extensions, &mut bytes);
    bytes
}

fn encode_extensions(extensions: &Extensions, bytes: &mut Vec<u8>) {
    if extensions.is_empty() {
        return;
    }
    // Both counts are bounded far below their types by `Extensions`.
    bytes.push(u8::try_from(extensions.iter().len()).unwrap_or(u8::MAX));
    for extension in extensions.iter() {
        let length = u16::try_from(extension.bytes.len()).unwrap_or(u16::MAX);
        bytes.push(extension.tag);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&extension.bytes);
    }
}

fn flags(draft: &AuditDraft) -> u8 {
    let flag = |present: bool, bit: u8| if present { bit } else { 0 };
    flag(draft.tenant.is_some(), HAS_TENANT)
        | flag(draft.peer_uid.is_some(), HAS_PEER_UID)
        | flag(draft.token.is_some(), HAS_TOKEN)
        | flag(draft.resource_id.is_some(), HAS_RESOURCE_ID)
        | flag(draft.policy.is_some(), HAS_POLICY)
}

/// Decodes an entry strictly: what [`encode`] would not write is refused. Allocates for extensions
/// only. Of those the form is checked, not the meaning, so that every verifier accepts the same
/// entries whatever tags it knows.
///
/// # Errors
///
/// A [`DecodeError`] that names the first field that is wrong.
pub fn decode(bytes: &[u8]) -> Result<AuditEntry, DecodeError> {
    let actual = bytes.len();
    if actual > ENTRY_BYTES_MAX {
        return Err(DecodeError::TooLong { actual });
    }
    let mut reader = Reader {
        rest: bytes,
        actual,
    };
    // The version stands alone, so that a newer form is told from a damaged one at any length.
    let [version] = reader.take()?;
    if version != VERSION_1 && version != VERSION_2 {
        return Err(DecodeError::Version(version));
    }
    let [flags, actor, action, resource, decision, outcome] = reader.take()?;
    if flags & !FLAGS_KNOWN != 0 {
        return Err(DecodeError::Flags(flags));
    }
    let action = Action::from_code(action).ok_or(DecodeError::Action(action))?;
    let resource = Resource::from_code(resource).ok_or(DecodeError::Resource(resource))?;
    let decision = Decision::from_code(decision).ok_or(DecodeError::Decision(decision))?;
    let outcome = decode_outcome(outcome)?;
    let seq = AuditSeq(u64::from_be_bytes(reader.take()?));
    let prev_hash = Hash(reader.take()?);
    let time = UnixMillis(i64::from_be_bytes(reader.take()?));
    let request_id = RequestId::from_bytes(reader.take()?);
    let count = u64::from_be_bytes(reader.take()?);
    let mut draft = AuditDraft {
        time,
        actor: match actor {
            ACTOR_ANONYMOUS => AuditActor::Anonymous,
            ACTOR_IDENTITY => AuditActor::Identity(IdentityId::from_bytes(reader.take()?)),
            ACTOR_DAEMON => AuditActor::Daemon,
            other => return Err(DecodeError::Actor(other)),
        },
        tenant: reader
            .take_if(flags & HAS_TENANT)?
            .map(TenantId::from_bytes),
        peer_uid: reader
            .take_if(flags & HAS_PEER_UID)?
            .map(u32::from_be_bytes),
        token: reader.take_if(flags & HAS_TOKEN)?.map(TokenId::from_bytes),
        action,
        resource,
        resource_id: reader.take_if(flags & HAS_RESOURCE_ID)?,
        decision,
        policy: match reader.take_if(flags & HAS_POLICY)? {
            Some(id) => Some(PolicyStamp {
                id: PolicyId::from_bytes(id),
                revision: u32::from_be_bytes(reader.take()?),
            }),
            None => None,
        },
        request_id,
        outcome,
        count,
        extensions: Extensions::default(),
    };
    if version == VERSION_2 {
        draft.extensions = decode_extensions(&mut reader)?;
    }
    match reader.rest.len() {
        0 => Ok(AuditEntry {
            seq,
            prev_hash,
            draft,
        }),
        extra => Err(DecodeError::Trailing { extra }),
    }
}

fn decode_extensions(reader: &mut Reader<'_>) -> Result<Extensions, DecodeError> {
    let mut extensions = Extensions::default();
    let [count] = reader.take()?;
    if count == 0 {
        return Err(DecodeError::NoExtensions);
    }
    for _ in 0..count {
        let [tag, high, low] = reader.take()?;
        let length = u16::from_be_bytes([high, low]);
        let bytes = reader.take_slice(usize::from(length))?.to_vec();
        extensions
            .push(Extension { tag, bytes })
            .map_err(DecodeError::Extension)?;
    }
    Ok(extensions)
}

fn decode_outcome(number: u8) -> Result<Outcome, DecodeError> {
    match number {
        OUTCOME_OK => Ok(Outcome::Ok),
        other => error_code(other)
            .map(Outcome::Error)
            .ok_or(DecodeError::Outcome(other)),
    }
}

/// Takes fields off the front of an entry.
struct Reader<'a> {
    rest: &'a [u8],
    actual: usize,
}

impl<'a> Reader<'a> {
    fn take_slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let cut = DecodeError::Truncated {
            actual: self.actual,
        };
        let (field, rest) = self.rest.split_at_checked(length).ok_or(cut)?;
        self.rest = rest;
        Ok(field)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (field, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated {
                actual: self.actual,
            })?;
        self.rest = rest;
        Ok(*field)
    }

    fn take_if<const N: usize>(&mut self, flag: u8) -> Result<Option<[u8; N]>, DecodeError> {
        if flag == 0 {
            return Ok(None);
        }
        self.take().map(Some)
    }
}

#[cfg(test)]
mod tests;
