//! age as a stream, for files that do not fit into RAM: backups and exports.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use age::stream::StreamWriter;
use age::{Decryptor, Encryptor, Identity, Recipient, x25519};

use super::error::VaultError;
use super::{Unlock, Vault, envelope, file};

/// To how many recipients a stream is encrypted at the most.
pub const RECIPIENTS_MAX: usize = 64;

/// A stream that encrypts what is written to it. Without [`Self::finish`] it is a cut one, which
/// nobody takes for whole.
pub struct AgeWriter<W: Write>(StreamWriter<W>);

impl<W: Write> AgeWriter<W> {
    /// Starts a stream to all `recipients`, as age writes them (`age1...`).
    ///
    /// # Errors
    ///
    /// [`VaultError::Recipient`] for one that is none, and what writing meets.
    pub fn new(recipients: &[String], out: W) -> Result<Self, VaultError> {
        let path = Path::new("stream");
        let recipients = parse(recipients)?;
        let refuse = |source| VaultError::Encrypt {
            path: path.to_owned(),
            source: Box::new(source),
        };
        let each = recipients.iter().map(|one| one as &dyn Recipient);
        let encryptor = Encryptor::with_recipients(each).map_err(refuse)?;
        let writer = encryptor
            .wrap_output(out)
            .map_err(VaultError::io("encrypt", path))?;
        Ok(Self(writer))
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// What writing meets.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for AgeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn parse(recipients: &[String]) -> Result<Vec<x25519::Recipient>, VaultError> {
    if recipients.is_empty() || recipients.len() > RECIPIENTS_MAX {
        return Err(VaultError::Recipient(
            "there are none, or too many".to_owned(),
        ));
    }
    recipients
        .iter()
        .map(|text| {
            text.trim().parse().map_err(|_| {
                let shown = text.chars().take(80).collect();
                VaultError::Recipient(shown)
            })
        })
        .collect()
}

/// Checks recipients without using them.
///
/// # Errors
///
/// [`VaultError::Recipient`] for the first that is none.
pub fn check_recipients(recipients: &[String]) -> Result<(), VaultError> {
    parse(recipients).map(drop)
}

/// Whether a stream did not open because none of its recipients is the identity that was tried.
pub fn is_for_others(error: &io::Error) -> bool {
    let age = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(age, Some(age::DecryptError::NoMatchingKeys))
}

/// An age identity that was read from a file, to open streams with.
pub struct StreamIdentity(x25519::Identity);

impl StreamIdentity {
    /// Reads the file of an identity, locked by a passphrase or not. The file must be its owner's
    /// alone.
    ///
    /// # Errors
    ///
    /// As [`Vault::open`] for the identity.
    pub fn read(path: &Path, unlock: &Unlock) -> Result<Self, VaultError> {
        let bytes = file::read_secret(path, super::SMALL_FILE_BYTES_MAX)?;
        envelope::read_identity(path, &bytes, unlock.passphrase()).map(Self)
    }

    /// Whether the file of an identity is locked by a passphrase.
    ///
    /// # Errors
    ///
    /// What reading it meets.
    pub fn is_locked(path: &Path) -> Result<bool, VaultError> {
        let bytes = file::read_secret(path, super::SMALL_FILE_BYTES_MAX)?;
        Ok(envelope::is_locked(&bytes))
    }

    /// Opens a stream.
    ///
    /// # Errors
    ///
    /// An error of the kind `InvalidData` if it is no age file or for others; reading it then fails
    /// in the same way where it was altered or cut.
    pub fn open<R: Read>(&self, input: R) -> io::Result<impl Read + use<R>> {
        let wrong = |error: age::DecryptError| io::Error::new(io::ErrorKind::InvalidData, error);
        let decryptor = Decryptor::new_buffered(BufReader::new(input)).map_err(wrong)?;
        decryptor
            .decrypt(std::iter::once(&self.0 as &dyn Identity))
            .map_err(wrong)
    }

    pub(super) fn into_identity(self) -> x25519::Identity {
        self.0
    }
}

impl Vault {
    /// To whom a backup of this home is encrypted unless others are named: this host, and whoever
    /// has the recovery key, if there is one.
    pub fn own_recipients(&self) -> Vec<String> {
        let host = self.identity.to_public().to_string();
        std::iter::once(host)
            .chain(self.recovery_recipient())
            .collect()
    }
}
