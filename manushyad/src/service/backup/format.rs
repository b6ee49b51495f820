//! The frames of a backup, inside the age stream. `docs/formats/backup.md` has it byte by byte.

use std::io::{self, Read, Write};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use manushya_protocol::id::{BackupId, IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::store::{ErasedRow, Record};

const MAGIC: &[u8; 8] = b"MNSHBKUP";
const VERSION: u16 = 1;
/// What is signed is this, and SHA-256 of everything before the trailer.
const DOMAIN: &[u8] = b"manushya/backup/v1\n";
/// The longest frame, in bytes: the longest record and its head fit.
const FRAME_BYTES_MAX: usize = 1 << 20;

const MANIFEST: u8 = 1;
const KEYS: u8 = 2;
const HEAD: u8 = 3;
const DIRECTORY: u8 = 4;
const MEMORY: u8 = 5;
const AUDIT: u8 = 6;
const ERASED: u8 = 7;
const TRAILER: u8 = 255;

/// What a backup says of itself, before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its id.
    pub id: BackupId,
    /// The home it is of, in hexadecimal.
    pub home: String,
    /// When it was taken.
    pub created_at: UnixMillis,
    /// The release that took it.
    pub release: String,
    /// The schema of its records.
    pub schema: u32,
    /// The signed head of the audit log in it.
    pub checkpoint: String,
    /// The public key of the log.
    pub public_key: String,
}

/// How much there is of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows of the directory.
    pub directory: u64,
    /// Versions of memories, current ones included.
    pub memories: u64,
    /// Audit entries.
    pub audit: u64,
    /// Rows of the erasure ledger.
    pub erased: u64,
}

impl Counts {
    /// All together.
    pub fn total(&self) -> u64 {
        self.directory + self.memories + self.audit + self.erased
    }
}

/// One frame.
pub enum Frame {
    /// What the backup says of itself.
    Manifest(Manifest),
    /// The system's keys.
    Keys(Zeroizing<Vec<u8>>),
    /// The head row of the audit log.
    Head(Vec<u8>),
    /// A record.
    Record(Record),
    /// An audit entry.
    Audit(Vec<u8>),
    /// A row of the erasure ledger.
    Erased(ErasedRow),
    /// The end: what was counted, and a signature that was checked for its form alone.
    Trailer(Counts, Box<Signed>),
}

/// What the trailer signs, and with what.
pub struct Signed {
    hash: [u8; 32],
    stated: [u8; 32],
    signature: Signature,
}

impl Signed {
    /// Whether `key` signed everything that was read.
    pub fn is_by(&self, key: &VerifyingKey) -> bool {
        self.hash == self.stated
            && key
                .verify_strict(&signed_bytes(&self.hash), &self.signature)
                .is_ok()
    }
}

fn signed_bytes(hash: &[u8; 32]) -> Vec<u8> {
    [DOMAIN, hash].concat()
}

/// Writes frames.
pub struct FrameWriter<W: Write> {
    out: W,
    hash: Sha256,
    /// What was written so far.
    pub counts: Counts,
}

impl<W: Write> FrameWriter<W> {
    /// Starts a backup.
    pub fn new(out: W) -> io::Result<Self> {
        let mut writer = Self {
            out,
            hash: Sha256::new(),
            counts: Counts::default(),
        };
        let mut start = MAGIC.to_vec();
        start.extend_from_slice(&VERSION.to_be_bytes());
        writer.raw(&start)?;
        Ok(writer)
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }

    fn frame(&mut self, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > FRAME_BYTES_MAX {
            return Err(io::Error::other("a record is too long for a backup"));
        }
        let mut start = [kind, 0, 0, 0, 0];
        start[1..].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        self.raw(&start)?;
        parts.iter().try_for_each(|part| self.raw(part))
    }

    /// Writes what the backup says of itself.
    pub fn manifest(&mut self, manifest: &Manifest) -> io::Result<()> {
        let json = serde_json::to_vec(manifest).map_err(io::Error::other)?;
        self.frame(MANIFEST, &[&json])
    }

    /// Writes the system's keys.
    pub fn keys(&mut self, keys: &[u8]) -> io::Result<()> {
        self.frame(KEYS, &[keys])
    }

    /// Writes the head row of the audit log.
    pub fn head(&mut self, head: &[u8]) -> io::Result<()> {
        self.frame(HEAD, &[head])
    }

    /// Writes a record.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Directory {
                tenant,
                kind,
                id,
                plaintext,
            } => {
                self.counts.directory += 1;
                self.frame(DIRECTORY, &[&tenant.to_bytes(), &[*kind], id, plaintext])
            }
            Record::Memory {
                tenant,
                id,
                owner,
                version,
                plaintext,
            } => {
                self.counts.memories += 1;
                let (tenant, id, owner) = (tenant.to_bytes(), id.to_bytes(), owner.to_bytes());
                self.frame(
                    MEMORY,
                    &[&tenant, &id, &owner, &version.to_be_bytes(), plaintext],
                )
            }
        }
    }

    /// Writes an audit entry.
    pub fn audit(&mut self, entry: &[u8]) -> io::Result<()> {
        self.counts.audit += 1;
        self.frame(AUDIT, &[entry])
    }

    /// Writes a row of the erasure ledger.
    pub fn erased(&mut self, row: &ErasedRow) -> io::Result<()> {
        self.counts.erased += 1;
        self.frame(ERASED, &[&row.to_bytes()])
    }

    /// Writes the end and signs it; returns what was written to.
    pub fn finish(mut self, key: &SigningKey) -> io::Result<W> {
        let counts = self.counts;
        let hash: [u8; 32] = self.hash.clone().finalize().into();
        let signature = key
            .sign(&signed_bytes(&hash_with(&hash, &counts)))
            .to_bytes();
        let numbers: Vec<u8> = [
            counts.directory,
            counts.memories,
            counts.audit,
            counts.erased,
        ]
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect();
        self.frame(TRAILER, &[&numbers, &hash, &signature])?;
        Ok(self.out)
    }
}

/// The hash that is signed: of everything before the trailer, and of its counts.
fn hash_with(hash: &[u8; 32], counts: &Counts) -> [u8; 32] {
    let mut with = Sha256::new_with_prefix(hash);
    for number in [
        counts.directory,
        counts.memories,
        counts.audit,
        counts.erased,
    ] {
        with.update(number.to_be_bytes());
    }
    with.finalize().into()
}

/// Reads frames. Nothing is to be believed before the trailer's signature is checked.
pub struct FrameReader<R: Read> {
    input: R,
    hash: Sha256,
    counts: Counts,
}

fn wrong(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl<R: Read> FrameReader<R> {
    /// Starts reading.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is no backup of this version.
    pub fn new(input: R) -> io::Result<Self> {
        let mut reader = Self {
            input,
            hash: Sha256::new(),
            counts: Counts::default(),
        };
        let mut start = [0; 10];
        reader.exact(&mut start)?;
        if &start[..8] != MAGIC {
            return Err(wrong("it is no backup"));
        }
        if start[8..] != VERSION.to_be_bytes() {
            return Err(wrong(
                "it is a backup of a version that this release does not know",
            ));
        }
        Ok(reader)
    }

    fn exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.input
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => wrong("it is cut short"),
                _ => error,
            })?;
        self.hash.update(&*bytes);
        Ok(())
    }

    /// The next frame. Behind the trailer there is nothing, which is checked with it.
    ///
    /// # Errors
    ///
    /// `InvalidData` for anything that a backup does not hold.
    pub fn next_frame(&mut self) -> io::Result<Frame> {
        let before: [u8; 32] = self.hash.clone().finalize().into();
        let mut start = [0; 5];
        self.exact(&mut start)?;
        let length = u32::from_be_bytes([start[1], start[2], start[3], start[4]]) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(wrong("a frame is too long"));
        }
        let mut payload = Zeroizing::new(vec![0; length]);
        self.exact(&mut payload)?;
        if start[0] == TRAILER {
            return self.trailer(before, &payload);
        }
        self.frame(start[0], payload)
            .ok_or_else(|| wrong("a frame is malformed"))
    }

    fn frame(&mut self, kind: u8, payload: Zeroizing<Vec<u8>>) -> Option<Frame> {
        Some(match kind {
            MANIFEST => Frame::Manifest(serde_json::from_slice(&payload).ok()?),
            KEYS => Frame::Keys(payload),
            HEAD => Frame::Head(payload.to_vec()),
            DIRECTORY => {
                let (head, plaintext) = payload.split_first_chunk::<33>()?;
                self.counts.directory += 1;
                Frame::Record(Record::Directory {
                    tenant: TenantId::from_bytes(head[..16].try_into().ok()?),
                    kind: head[16],
                    id: head[17..].try_into().ok()?,
                    plaintext: Zeroizing::new(plaintext.to_vec()),
                })
            }
            MEMORY => {
                let (head, plaintext) = payload.split_first_chunk::<52>()?;
                self.counts.memories += 1;
                Frame::Record(Record::Memory {
                    tenant: TenantId::from_bytes(head[..16].try_into().ok()?),
                    id: MemoryId::from_bytes(head[16..32].try_into().ok()?),
                    owner: IdentityId::from_bytes(head[32..48].try_into().ok()?),
                    version: u32::from_be_bytes(head[48..].try_into().ok()?),
                    plaintext: Zeroizing::new(plaintext.to_vec()),
                })
            }
            AUDIT => {
                self.counts.audit += 1;
                Frame::Audit(payload.to_vec())
            }
            ERASED => {
                self.counts.erased += 1;
                let row: &[u8; ErasedRow::BYTES] = payload.as_slice().try_into().ok()?;
                Frame::Erased(ErasedRow::from_bytes(row)?)
            }
            _ => return None,
        })
    }

    fn trailer(&mut self, before: [u8; 32], payload: &[u8]) -> io::Result<Frame> {
        let mut more = [0; 1];
        if self.input.read(&mut more)? != 0 {
            return Err(wrong("it goes on behind its end"));
        }
        let trailer: &[u8; 128] = payload
            .try_into()
            .map_err(|_| wrong("its end is malformed"))?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&trailer[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        let counts = Counts {
            directory: number(0),
            memories: number(8),
            audit: number(16),
            erased: number(24),
        };
        let mut stated = [0; 32];
        stated.copy_from_slice(&trailer[32..64]);
        if counts != self.counts || stated != before {
            return Err(wrong("it is not whole: its end counts something else"));
        }
        let mut signature = [0; 64];
        signature.copy_from_slice(&trailer[64..]);
        let signed = Signed {
            hash: hash_with(&before, &self.counts),
            stated: hash_with(&stated, &counts),
            signature: Signature::from_bytes(&signature),
        };
        Ok(Frame::Trailer(counts, Box::new(signed)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(n: u8) -> Record {
        Record::Memory {
            tenant: TenantId::from_bytes([n; 16]),
            id: MemoryId::from_bytes([n; 16]),
            owner: IdentityId::from_bytes([n; 16]),
            version: u32::from(n),
            plaintext: Zeroizing::new(vec![n; usize::from(n)]),
        }
    }

    fn backup() -> Vec<u8> {
        let mut writer = FrameWriter::new(Vec::new()).unwrap();
        writer.keys(b"keys").unwrap();
        for n in 0..5 {
            writer.record(&record(n)).unwrap();
            writer.audit(&[n; 80]).unwrap();
        }
        writer.finish(&SigningKey::from_bytes(&[1; 32])).unwrap()
    }

    /// Reads to the end; whether it is whole and by the key.
    fn reads(bytes: &[u8]) -> io::Result<bool> {
        let mut reader = FrameReader::new(bytes)?;
        loop {
            if let Frame::Trailer(_, signed) = reader.next_frame()? {
                return Ok(signed.is_by(&SigningKey::from_bytes(&[1; 32]).verifying_key()));
            }
        }
    }

    #[test]
    fn backup_reads_back() {
        assert!(reads(&backup()).unwrap());
        let key = SigningKey::from_bytes(&[2; 32]);
        let other = FrameWriter::new(Vec::new()).unwrap().finish(&key).unwrap();
        assert!(!reads(&other).unwrap(), "a foreign key passes");
    }

    proptest! {
        #[test]
        fn no_altered_cut_or_lengthened_backup_passes(at in any::<usize>(), by in 1_u8.., how in 0..3) {
            let mut bytes = backup();
            let at = at % bytes.len();
            match how {
                0 => bytes[at] ^= by,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, by),
            }
            prop_assert!(!reads(&bytes).unwrap_or(false));
        }
    }
}
