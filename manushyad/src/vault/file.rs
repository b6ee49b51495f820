//! Files of the keys folder: read with a bound and a look at who else can, replaced in one step.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::VaultError;

/// What a file is called while it is being written.
const TMP_SUFFIX: &str = ".tmp";

/// Makes the folder `dir`, 0700, with the parents it lacks.
pub(super) fn make_dir(dir: &Path) -> Result<(), VaultError> {
    if let Some(parent) = dir.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(parent)
            .map_err(VaultError::io("create", parent))?;
    }
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder.create(dir).map_err(VaultError::io("create", dir))
}

/// Refuses the folder `dir` if anyone but its owner can enter it.
pub(super) fn check_dir(dir: &Path) -> Result<(), VaultError> {
    let metadata = fs::metadata(dir).map_err(VaultError::io("open the keys folder", dir))?;
    check_mode(dir, metadata.mode(), 0o700)
}

fn check_mode(path: &Path, mode: u32, wanted: u32) -> Result<(), VaultError> {
    if mode & 0o077 != 0 {
        return Err(VaultError::Permissive {
            path: path.to_owned(),
            mode: mode & 0o777,
            wanted,
        });
    }
    Ok(())
}

/// Reads the secret file `path` of at most `bytes_max` bytes; refuses one that others can read.
pub(super) fn read_secret(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let file = File::open(path).map_err(VaultError::io("open", path))?;
    // The open file is asked, not the path, which can come to name another file in between.
    let metadata = file.metadata().map_err(VaultError::io("open", path))?;
    if !metadata.is_file() {
        return Err(VaultError::format(path, "it is not a regular file"));
    }
    check_mode(path, metadata.mode(), 0o600)?;
    let too_large = |actual_bytes| VaultError::TooLarge {
        path: path.to_owned(),
        actual_bytes,
        limit_bytes: bytes_max,
    };
    if metadata.len() > bytes_max {
        return Err(too_large(metadata.len()));
    }
    let capacity = usize::try_from(metadata.len()).map_err(|_| too_large(metadata.len()))?;
    // Room for all of it, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity + 1));
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(VaultError::io("read", path))?;
    let actual_bytes = bytes.len() as u64;
    if actual_bytes > bytes_max {
        return Err(too_large(actual_bytes));
    }
    Ok(bytes)
}

/// Writes the new file `name` in `dir`, 0600 and synced.
pub(super) fn write_new(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
    let path = dir.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(VaultError::io("create", &path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(VaultError::io("write", &path))
}

/// Replaces `name` in `dir` with `bytes` in one step: after a crash the file is the old one or the
/// new one. Durable when it returns.
///
/// The bytes of the old file are overwritten where they lay, if no other name leads to them. That
/// is an effort, not a promise: flash memory and copying file systems keep the old blocks.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
    let path = dir.join(name);
    let tmp_name = format!("{name}{TMP_SUFFIX}");
    let tmp = dir.join(&tmp_name);
    remove_if_there(&tmp)?;
    let old = OpenOptions::new().write(true).open(&path).ok();
    write_new(dir, &tmp_name, bytes)?;
    fs::rename(&tmp, &path).map_err(VaultError::io("replace", &path))?;
    sync_dir(dir)?;
    if let Some(old) = old {
        // Failing here changes nothing that was promised.
        let _ = wipe(old);
    }
    Ok(())
}

/// Overwrites an unlinked file with zeros. A file that still has a name, such as a backup by hard
/// link, is left alone.
fn wipe(mut file: File) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.nlink() != 0 {
        return Ok(());
    }
    file.rewind()?;
    let zeros = [0u8; 8192];
    let mut left = metadata.len();
    while left > 0 {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all(&zeros[..step])?;
        left -= step as u64;
    }
    file.sync_all()
}

/// Removes what a crash in [`replace`] can leave of `name`.
pub(super) fn remove_tmp(dir: &Path, name: &str) -> Result<(), VaultError> {
    remove_if_there(&dir.join(format!("{name}{TMP_SUFFIX}")))
}

/// Removes a file, if it is there.
pub(super) fn remove_if_there(path: &Path) -> Result<(), VaultError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(VaultError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Makes the names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), VaultError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(VaultError::io("sync", dir))
}
