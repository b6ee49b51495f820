//! age: the root of the key hierarchy, the operator's passphrase, and sealed files.
//!
//! The format is age-encryption.org/v1 (<https://c2sp.org/age>), made and read by the age crate
//! alone.

use std::io::{Read, Write};
use std::path::Path;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::error::VaultError;

/// Work of deriving a key from a new passphrase, as a power of two: about 0.3 s and 128 MiB.
const SCRYPT_LOG_N: u8 = 17;
/// The most work a file may ask for when it is opened.
const SCRYPT_LOG_N_MAX: u8 = 20;

/// Encrypts `plaintext` to all `recipients`; `path` is named in errors.
pub(super) fn encrypt(
    path: &Path,
    recipients: &[&x25519::Recipient],
    plaintext: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let refuse = |source| VaultError::Encrypt {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let recipients = recipients.iter().map(|&one| one as &dyn Recipient);
    let encryptor = Encryptor::with_recipients(recipients).map_err(refuse)?;
    let mut sealed = Vec::with_capacity(plaintext.len() + 1024);
    let mut writer = encryptor
        .wrap_output(&mut sealed)
        .map_err(VaultError::io("encrypt", path))?;
    writer
        .write_all(plaintext)
        .and_then(|()| writer.finish())
        .map_err(VaultError::io("encrypt", path))?;
    Ok(sealed)
}

/// Decrypts an age file, binary or armored.
pub(super) fn decrypt(
    identity: &dyn Identity,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed))?;
    let mut reader = decryptor.decrypt(std::iter::once(identity))?;
    // Plaintext is shorter than its file, so the buffer does not grow and leave copies behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut plaintext)?;
    Ok(plaintext)
}

/// What opens a file locked by `passphrase`, refusing files that ask for too much work.
pub(super) fn passphrase_identity(passphrase: &SecretString) -> scrypt::Identity {
    let mut identity = scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(SCRYPT_LOG_N_MAX);
    identity
}

/// The text of the file that keeps `identity`: in the clear, or locked by a passphrase.
pub(super) fn write_identity(
    path: &Path,
    identity: &x25519::Identity,
    passphrase: Option<&SecretString>,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let text = identity.to_string();
    let mut line = Zeroizing::new(Vec::with_capacity(text.expose_secret().len() + 1));
    line.extend_from_slice(text.expose_secret().as_bytes());
    line.push(b'\n');
    let Some(passphrase) = passphrase else {
        return Ok(line);
    };
    let mut recipient = scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(SCRYPT_LOG_N);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn Recipient))
        .map_err(|source| VaultError::Encrypt {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
    let mut sealed = Vec::new();
    let io = |source| VaultError::io("encrypt", path)(source);
    let armor = ArmoredWriter::wrap_output(&mut sealed, Format::AsciiArmor).map_err(io)?;
    let mut writer = encryptor.wrap_output(armor).map_err(io)?;
    writer.write_all(&line).map_err(io)?;
    writer
        .finish()
        .and_then(ArmoredWriter::finish)
        .map_err(io)?;
    Ok(Zeroizing::new(sealed))
}

/// Whether the bytes of an identity's file are encrypted.
pub(super) fn is_locked(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE")
}

/// Reads the identity out of the bytes of its file, as [`write_identity`] and `age-keygen` write
/// it: one identity on a line of its own, comments behind `#`.
pub(super) fn read_identity(
    path: &Path,
    bytes: &[u8],
    passphrase: Option<&SecretString>,
) -> Result<x25519::Identity, VaultError> {
    match (is_locked(bytes), passphrase) {
        (false, None) => parse_identity(path, bytes),
        (false, Some(_)) => Err(VaultError::PassphraseUnused(path.to_owned())),
        (true, None) => Err(VaultError::PassphraseNeeded(path.to_owned())),
        (true, Some(passphrase)) => {
            let text =
                decrypt(&passphrase_identity(passphrase), bytes).map_err(|error| match error {
                    DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
                        VaultError::PassphraseWrong(path.to_owned())
                    }
                    source => VaultError::Decrypt {
                        path: path.to_owned(),
                        source: Box::new(source),
                    },
                })?;
            parse_identity(path, &text)
        }
    }
}

fn parse_identity(path: &Path, bytes: &[u8]) -> Result<x25519::Identity, VaultError> {
    let refuse = || VaultError::Identity(path.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| refuse())?;
    let mut lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or_else(refuse)?;
    if lines.next().is_some() {
        return Err(refuse());
    }
    line.parse().map_err(|_| refuse())
}
