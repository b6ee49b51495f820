//! The keystore: the file that holds every key but the root, each wrapped under the root's epoch.
//!
//! Byte by byte in `docs/formats/keystore.md`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use hmac::Mac;

use super::error::VaultError;
use super::key::{KEY_BYTES, Key, SEAL_OVERHEAD};
use super::root::RootEpoch;

const MAGIC: &[u8; 8] = b"MNSHKEYS";
const VERSION: u16 = 1;
/// Magic, version, epoch: what is authenticated with every wrapped key.
const PREFIX_BYTES: usize = 18;
/// The prefix, the next id, the number of entries, the length of the recovery recipient.
const FIXED_BYTES: usize = PREFIX_BYTES + 8 + 4 + 1;
const WRAPPED_BYTES: usize = KEY_BYTES + SEAL_OVERHEAD;
const ENTRY_BYTES: usize = 1 + 8 + WRAPPED_BYTES;
const MAC_BYTES: usize = 32;

/// Keys of one keystore.
pub(super) const KEYS_MAX: usize = 1 << 22;
/// The longest keystore file.
pub(super) const FILE_BYTES_MAX: u64 =
    (FIXED_BYTES + 255 + KEYS_MAX * ENTRY_BYTES + MAC_BYTES) as u64;

const LABEL_WRAP: &str = "manushya/v1/wrap";
const LABEL_MAC: &str = "manushya/v1/keystore-mac";

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Seals the records of one data subject.
    Data,
    /// Signs audit checkpoints (seed of an Ed25519 key).
    AuditSigning,
    /// Signs access tokens (seed of an Ed25519 key).
    JwtSigning,
    /// Makes one-way tags of what may not be stored in the clear.
    Blind,
    /// Seals index snapshots; replaced at every erasure.
    Snapshot,
    /// Signed audit checkpoints until another took its place: the public half of an Ed25519 key.
    AuditPast,
}

impl Kind {
    pub(super) fn to_byte(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::AuditSigning => 2,
            Self::JwtSigning => 3,
            Self::Blind => 4,
            Self::Snapshot => 5,
            Self::AuditPast => 6,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Data,
            2 => Self::AuditSigning,
            3 => Self::JwtSigning,
            4 => Self::Blind,
            5 => Self::Snapshot,
            6 => Self::AuditPast,
            _ => return None,
        })
    }
}

/// One key, with its wrapped form, so that rewriting the file wraps only what is new.
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) key: Arc<Key>,
    wrapped: [u8; WRAPPED_BYTES],
}

/// Everything the keystore file says.
pub(super) struct Keystore {
    epoch: u64,
    wrap_key: Key,
    mac_key: Key,
    /// The id that the next key gets. Ids below it were given out and never come again.
    next_id: u64,
    /// The age recipient that the root is also encrypted to; empty if there is none.
    recovery: String,
    entries: BTreeMap<u64, Entry>,
}

impl Keystore {
    /// A keystore without keys under `root`.
    pub(super) fn empty(root: &RootEpoch, recovery: String) -> Self {
        Self {
            epoch: root.epoch,
            wrap_key: root.key.derive(LABEL_WRAP),
            mac_key: root.key.derive(LABEL_MAC),
            next_id: 1,
            recovery,
            entries: BTreeMap::new(),
        }
    }

    /// The root epoch its keys are wrapped under.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The age recipient that the root is also encrypted to; empty if there is none.
    pub(super) fn recovery(&self) -> &str {
        &self.recovery
    }

    /// Sets what [`Keystore::recovery`] returns.
    pub(super) fn set_recovery(&mut self, recipient: String) {
        self.recovery = recipient;
    }

    /// All keys by rising id.
    pub(super) fn entries(&self) -> &BTreeMap<u64, Entry> {
        &self.entries
    }

    /// The ids and keys of `kind`, by rising id.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (u64, &Arc<Key>)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.kind == kind)
            .map(|(id, entry)| (*id, &entry.key))
    }

    /// Adds a new random key; returns its id.
    pub(super) fn add(&mut self, kind: Kind) -> Result<u64, VaultError> {
        if self.entries.len() >= KEYS_MAX {
            return Err(VaultError::Full {
                wanted: self.entries.len() + 1,
                limit: KEYS_MAX,
            });
        }
        let id = self.next_id;
        let key = Key::random().map_err(VaultError::Randomness)?;
        self.insert(id, kind, Arc::new(key))?;
        self.next_id = id + 1;
        Ok(id)
    }

    /// The id that the next key gets.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Lets no key get an id below `next_id`.
    pub(super) fn raise_next_id(&mut self, next_id: u64) {
        self.next_id = self.next_id.max(next_id);
    }

    /// Puts in a key that has an id already.
    pub(super) fn put(&mut self, id: u64, kind: Kind, key: Key) -> Result<(), VaultError> {
        self.insert(id, kind, Arc::new(key))?;
        self.raise_next_id(id + 1);
        Ok(())
    }

    /// Takes keys out again that are not in the file yet, or are to leave it; their ids do not come
    /// again.
    pub(super) fn remove(&mut self, ids: impl IntoIterator<Item = u64>) -> Vec<(u64, Entry)> {
        ids.into_iter()
            .filter_map(|id| Some((id, self.entries.remove(&id)?)))
            .collect()
    }

    /// Puts back what [`Keystore::remove`] took out.
    pub(super) fn put_back(&mut self, removed: Vec<(u64, Entry)>) {
        self.entries.extend(removed);
    }

    /// The keystore that stands after an erasure: under `root`, with a new snapshot key, and
    /// without the keys that `gone` names.
    pub(super) fn rewrapped(
        &self,
        root: &RootEpoch,
        gone: impl Fn(u64) -> bool,
    ) -> Result<Self, VaultError> {
        let mut next = Self::empty(root, self.recovery.clone());
        next.next_id = self.next_id;
        for (id, entry) in &self.entries {
            if entry.kind != Kind::Snapshot && !gone(*id) {
                next.insert(*id, entry.kind, Arc::clone(&entry.key))?;
            }
        }
        next.add(Kind::Snapshot)?;
        Ok(next)
    }

    fn insert(&mut self, id: u64, kind: Kind, key: Arc<Key>) -> Result<(), VaultError> {
        let wrapped = self
            .wrap_key
            .seal(&self.aad(kind, id), key.expose())
            .and_then(|bytes| {
                <[u8; WRAPPED_BYTES]>::try_from(bytes.as_slice()).map_err(io::Error::other)
            })
            .map_err(VaultError::Randomness)?;
        self.entries.insert(id, Entry { kind, key, wrapped });
        Ok(())
    }

    fn aad(&self, kind: Kind, id: u64) -> Vec<u8> {
        let mut aad = prefix(self.epoch);
        aad.push(kind.to_byte());
        aad.extend_from_slice(&id.to_be_bytes());
        aad
    }

    /// The bytes of the file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let count = u32::try_from(self.entries.len()).expect("there are at most KEYS_MAX keys");
        let recovery = self.recovery.as_bytes();
        let recovery_bytes = u8::try_from(recovery.len()).expect("a recipient is 62 bytes");
        let mut bytes = Vec::with_capacity(
            FIXED_BYTES + recovery.len() + self.entries.len() * ENTRY_BYTES + MAC_BYTES,
        );
        bytes.extend_from_slice(&prefix(self.epoch));
        bytes.extend_from_slice(&self.next_id.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes.push(recovery_bytes);
        bytes.extend_from_slice(recovery);
        for (id, entry) in &self.entries {
            bytes.push(entry.kind.to_byte());
            bytes.extend_from_slice(&id.to_be_bytes());
            bytes.extend_from_slice(&entry.wrapped);
        }
        let mac = self.mac_key.mac().chain_update(&bytes).finalize();
        bytes.extend_from_slice(&mac.into_bytes());
        bytes
    }

    /// Reads and authenticates the bytes of the file, given the roots there are.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub(super) fn decode(bytes: &[u8], roots: &[RootEpoch]) -> Result<Self, &'static str> {
        const SHORT: &str = "it is cut short";
        let body_bytes = bytes.len().checked_sub(MAC_BYTES).ok_or(SHORT)?;
        let (body, mac) = bytes.split_at(body_bytes);
        let mut reader = Reader(body);
        if reader.take(8).ok_or(SHORT)? != MAGIC {
            return Err("it is not a keystore");
        }
        if reader.take(2).ok_or(SHORT)? != VERSION.to_be_bytes() {
            return Err("its version is unknown");
        }
        let epoch = reader.u64().ok_or(SHORT)?;
        let root = roots
            .iter()
            .find(|root| root.epoch == epoch)
            .ok_or("its keys are wrapped under a root that was destroyed or is another vault's")?;
        let mut store = Self::empty(root, String::new());
        // Nothing behind this line is read before it is known to be what was written.
        store
            .mac_key
            .mac()
            .chain_update(body)
            .verify_slice(mac)
            .map_err(|_| "it is not authentic: it was altered, cut or put together")?;
        store.next_id = reader.u64().ok_or(SHORT)?;
        let count = reader.take(4).ok_or(SHORT)?;
        let count = u32::from_be_bytes(count.try_into().map_err(|_| SHORT)?);
        let recovery_bytes = usize::from(reader.take(1).ok_or(SHORT)?[0]);
        let recovery = reader.take(recovery_bytes).ok_or(SHORT)?;
        store.recovery = std::str::from_utf8(recovery)
            .map_err(|_| "its recovery recipient is no text")?
            .to_owned();
        for _ in 0..count {
            store
                .read_entry(&mut reader)
                .ok_or("an entry of it is malformed")?;
        }
        if !reader.0.is_empty() {
            return Err("it has bytes behind its end");
        }
        store.check_system_keys()?;
        Ok(store)
    }

    fn read_entry(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let kind = Kind::from_byte(*reader.take(1)?.first()?)?;
        let id = reader.u64()?;
        let rises = self
            .entries
            .last_key_value()
            .is_none_or(|(last, _)| *last < id);
        if !rises || id >= self.next_id {
            return None;
        }
        let wrapped: [u8; WRAPPED_BYTES] = reader.take(WRAPPED_BYTES)?.try_into().ok()?;
        let key = self.wrap_key.open(&self.aad(kind, id), &wrapped)?;
        let key = Arc::new(Key::from_slice(&key)?);
        self.entries.insert(id, Entry { kind, key, wrapped });
        Some(())
    }

    fn check_system_keys(&self) -> Result<(), &'static str> {
        for kind in [Kind::Blind, Kind::Snapshot] {
            if self.of_kind(kind).count() != 1 {
                return Err("it lacks one of the system's own keys");
            }
        }
        // Two while one takes the place of the other.
        if !(1..=2).contains(&self.of_kind(Kind::AuditSigning).count()) {
            return Err("it lacks the key that signs the audit log");
        }
        if self.of_kind(Kind::JwtSigning).next().is_none() {
            return Err("it lacks a key that signs access tokens");
        }
        Ok(())
    }
}

fn prefix(epoch: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + 9);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&epoch.to_be_bytes());
    bytes
}

/// Takes bytes off the front, never more than there are.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
}
