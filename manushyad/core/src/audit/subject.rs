//! What is held about a subject, as a file: JSON lines, and last a manifest that is signed. Whoever has
//! the public key sees that no line is missing, changed or added.
//!
//! The format is written down in `docs/formats/subject-export.md`.

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use manushya_protocol::id::{IdentityId, TenantId};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::audit::HandOverView;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::checkpoint::{NoteError, Origin, VerifierKey};
use super::handover::{HandOverError, Keys};
use super::note::{self, Lines, Malformed, hex, line, parse};
use crate::model::Hash;

/// What the text of every manifest starts with.
pub const FIRST_LINE: &str = "manushya/subject-export/v1";
/// The name of the last line's part.
pub const MANIFEST: &str = "manifest";
/// The longest line of an export, in bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// The longest signed manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 64 << 10;
/// How many parts an export has at the most.
pub const PARTS_MAX: usize = 64;

/// One part of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportPart {
    /// Its name, one word.
    pub name: String,
    /// How many lines it has.
    pub lines: u64,
    /// Whether it is all that is held. Otherwise there may be more, which who exported may not see.
    pub whole: bool,
}

/// What is signed of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportManifest {
    /// The home, by its random id.
    pub home: [u8; 16],
    /// The tenant.
    pub tenant: TenantId,
    /// Who it is about.
    pub subject: IdentityId,
    /// Who exported.
    pub exported_by: IdentityId,
    /// As of when.
    pub exported_at: UnixMillis,
    /// The parts, in the order of the file.
    pub parts: Vec<ExportPart>,
    /// How many lines have something masked by a policy.
    pub redacted: u64,
    /// SHA-256 over all lines before the manifest, each with its line feed.
    pub sha256: Hash,
    /// How many entries the audit log had.
    pub audit_size: u64,
    /// The RFC 6962 root over them.
    pub audit_root: Hash,
}

/// Why a file proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The manifest, or a signature of it, is not sound.
    #[error("the manifest is not signed by the key")]
    Note(#[from] NoteError),
    /// The key is not followed to the one that signed.
    #[error("the key does not lead to the one that signed")]
    Keys(#[from] HandOverError),
    /// The manifest is not laid out as one.
    #[error("the manifest is malformed: {0}")]
    Malformed(&'static str),
    /// A line is not what an export has.
    #[error("line {0} is no line of an export")]
    Line(u64),
    /// It ends before the manifest, or goes on behind it.
    #[error("the manifest is not its last line: it was cut, or added to")]
    Cut,
    /// The lines are not those that were signed.
    #[error("its lines are not those that were signed")]
    Altered,
    /// The head of the audit log that comes with it is another one.
    #[error("the head of the audit log beside the manifest is not the one it names")]
    Head,
}

impl From<Malformed> for ExportError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error.0)
    }
}

impl ExportManifest {
    /// How many lines there are before it.
    pub fn lines(&self) -> u64 {
        self.parts.iter().map(|part| part.lines).sum()
    }

    /// Whether nothing was left out or masked.
    pub fn is_whole(&self) -> bool {
        self.redacted == 0 && self.parts.iter().all(|part| part.whole)
    }

    /// The lines that are signed.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        let out = &mut text;
        line(out, "home", HEXLOWER.encode(&self.home));
        line(out, "tenant", self.tenant);
        line(out, "subject", self.subject);
        line(out, "exported-by", self.exported_by);
        line(out, "exported-at", self.exported_at);
        for part in &self.parts {
            let whole = if part.whole { "whole" } else { "withheld" };
            line(out, "part", format!("{} {} {whole}", part.name, part.lines));
        }
        line(out, "redacted", self.redacted);
        line(out, "sha256", self.sha256);
        line(out, "audit-size", self.audit_size);
        line(out, "audit-root", self.audit_root);
        text
    }

    /// Reads what [`Self::to_text`] wrote, and nothing else.
    ///
    /// # Errors
    ///
    /// [`ExportError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ExportError> {
        let mut lines = Lines::after(FIRST_LINE, text)?;
        let manifest = Self {
            home: hex(lines.word("home")?)?,
            tenant: lines.value("tenant")?,
            subject: lines.value("subject")?,
            exported_by: lines.value("exported-by")?,
            exported_at: lines.value("exported-at")?,
            parts: parts(&mut lines)?,
            redacted: lines.value("redacted")?,
            sha256: Hash(hex(lines.word("sha256")?)?),
            audit_size: lines.value("audit-size")?,
            audit_root: Hash(hex(lines.word("audit-root")?)?),
        };
        // One manifest has one text, so that nothing is signed that is not shown.
        if manifest.to_text() != text {
            return Err(ExportError::Malformed("it is not in its one form"));
        }
        Ok(manifest)
    }

    /// Signs it in the name of the audit log.
    pub fn sign(&self, origin: &Origin, key: &SigningKey) -> String {
        note::sign(&self.to_text(), origin, key)
    }
}

fn parts(lines: &mut Lines<'_>) -> Result<Vec<ExportPart>, Malformed> {
    let mut found = Vec::new();
    while let Some(value) = lines.named("part") {
        let words: Vec<&str> = value.split(' ').collect();
        let [name, count, whole] = words[..] else {
            return Err(Malformed("a part is not told in three words"));
        };
        if found.len() == PARTS_MAX {
            return Err(Malformed("it has too many parts"));
        }
        found.push(ExportPart {
            name: name.to_owned(),
            lines: parse(count)?,
            whole: match whole {
                "whole" => true,
                "withheld" => false,
                _ => return Err(Malformed("a part is neither whole nor withheld")),
            },
        });
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Labelled {
    part: String,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    checkpoint: Option<String>,
    #[serde(default)]
    hand_overs: Vec<HandOverView>,
}

/// The last line, as it was read.
struct Last {
    note: String,
    checkpoint: String,
    hand_overs: Vec<HandOverView>,
}

/// Checks an export line by line, in constant memory.
#[derive(Default)]
pub struct ExportCheck {
    hash: Sha256,
    lines: u64,
    parts: Vec<(String, u64)>,
    last: Option<Last>,
}

impl ExportCheck {
    /// Takes the next line, without its line feed.
    ///
    /// # Errors
    ///
    /// An [`ExportError`] if no export has such a line there.
    pub fn line(&mut self, line: &[u8]) -> Result<(), ExportError> {
        let number = self.lines + 1;
        if self.last.is_some() {
            return Err(ExportError::Cut);
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(ExportError::Line(number));
        }
        let read: Labelled = serde_json::from_slice(line).map_err(|_| ExportError::Line(number))?;
        if read.part == MANIFEST {
            let (Some(note), Some(checkpoint)) = (read.note, read.checkpoint) else {
                return Err(ExportError::Line(number));
            };
            self.last = Some(Last {
                note,
                checkpoint,
                hand_overs: read.hand_overs,
            });
            return Ok(());
        }
        self.lines = number;
        self.hash.update(line);
        self.hash.update(b"\n");
        let many = self.parts.len() == PARTS_MAX;
        match self.parts.last_mut() {
            Some((name, lines)) if *name == read.part => *lines += 1,
            _ if many => return Err(ExportError::Line(number)),
            _ => self.parts.push((read.part, 1)),
        }
        Ok(())
    }

    /// Says what was signed, and by which key: the `trusted` one, or one that the hand-overs lead to from
    /// it. It must be what was read.
    ///
    /// # Errors
    ///
    /// An [`ExportError`] that says what does not hold.
    pub fn finish(
        self,
        trusted: &VerifierKey,
    ) -> Result<(ExportManifest, VerifierKey), ExportError> {
        let last = self.last.ok_or(ExportError::Cut)?;
        if last.note.len() > MANIFEST_BYTES_MAX {
            return Err(ExportError::Malformed("it is too long"));
        }
        let keys = Keys::follow_told(trusted.clone(), &last.hand_overs)?;
        let mut refused = NoteError::Malformed("there is no key to verify it with");
        let mut signed = None;
        for key in keys.to_vec() {
            match note::verified(&last.note, &key) {
                Ok(text) => signed = Some((text, key)),
                Err(error) => refused = error,
            }
        }
        let (text, key) = signed.ok_or(refused)?;
        let manifest = ExportManifest::parse(text)?;
        let told = manifest.parts.iter().filter(|part| part.lines > 0);
        let told = told.map(|part| (part.name.clone(), part.lines));
        if Hash(self.hash.finalize().into()) != manifest.sha256 || !told.eq(self.parts) {
            return Err(ExportError::Altered);
        }
        let head = keys.verify(&last.checkpoint);
        let head = head.map_err(|_| ExportError::Head)?;
        if head.size != manifest.audit_size || head.root != manifest.audit_root {
            return Err(ExportError::Head);
        }
        Ok((manifest, key))
    }
}

#[cfg(test)]
mod tests;
