//! What a home remembers of an audit log that a restored backup does not continue.
//!
//! Nothing of it is deleted: it is the evidence of what the log was before. Only whoever restores may
//! set it aside, and is told; to everybody else a shorter log stays a rollback.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use manushya_core::audit::Keys;
use manushya_protocol::home::Home;

use crate::service::notary::newest_anchored;

/// What was set aside.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Up to how many entries the log was anchored before.
    pub anchored: Option<u64>,
    /// Where the files are now.
    pub files: Vec<PathBuf>,
}

/// Sets aside the anchor file, and what the clients of this user remember of the log.
pub(super) fn set_aside(
    target: &Home,
    anchor: Option<&Path>,
    keys: &Keys,
    backup: &str,
) -> io::Result<Aside> {
    let anchored = anchor.and_then(|path| newest_anchored(path, keys));
    let seen = target.state.join("seen");
    let mut files = Vec::new();
    for path in anchor.into_iter().chain([seen.as_path()]) {
        files.extend(move_away(path, backup)?);
    }
    Ok(Aside { anchored, files })
}

/// Renames a file or folder, if it is there, to a name that is free.
fn move_away(path: &Path, backup: &str) -> io::Result<Option<PathBuf>> {
    if !path.try_exists()? {
        return Ok(None);
    }
    let name = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".before-{backup}"));
        if n > 0 {
            name.push(format!("-{n}"));
        }
        PathBuf::from(name)
    };
    for n in 0..1000 {
        let to = name(n);
        if !to.try_exists()? {
            fs::rename(path, &to)?;
            return Ok(Some(to));
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_of_the_log_is_kept_under_other_names() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::under(folder.path());
        let anchor = home.audit_anchor();
        let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]).verifying_key();
        let origin = manushya_core::audit::Origin::new("a").unwrap();
        let key = Keys::from(manushya_core::audit::VerifierKey::new(origin, key));
        let none = set_aside(&home, Some(&anchor), &key, "bak").unwrap();
        assert!(none.files.is_empty());
        for round in ["one", "two"] {
            fs::create_dir_all(home.state.join("seen")).unwrap();
            fs::write(home.state.join("seen/a"), round).unwrap();
            fs::write(&anchor, round).unwrap();
            let aside = set_aside(&home, Some(&anchor), &key, "bak").unwrap();
            assert_eq!((aside.files.len(), aside.anchored), (2, None));
            assert_eq!(fs::read_to_string(&aside.files[0]).unwrap(), round);
            let seen = fs::read_to_string(aside.files[1].join("a")).unwrap();
            assert_eq!(seen, round);
            assert!(!anchor.exists());
        }
    }
}
