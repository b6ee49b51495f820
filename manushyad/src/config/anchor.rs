//! The table `[audit]`: where the signed checkpoints of the audit log go.

use std::path::{Path, PathBuf};

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::home::Home;
use serde::Deserialize;

/// The table `[audit]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAudit {
    anchor_file: Option<String>,
    anchor_journald: Option<bool>,
    anchor_command: Option<Vec<String>>,
}

/// Where signed checkpoints of the audit log go, beside the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// A file they are appended to.
    pub file: Option<PathBuf>,
    /// Whether the journal of systemd gets them.
    pub journald: bool,
    /// A program and its arguments, which gets each on its standard input; empty if there is none.
    pub command: Vec<String>,
}

fn wrong(key: &str, reason: &str) -> WireError {
    let message = format!("the setting audit.{key} is not valid");
    WireError::new(ErrorCode::InvalidArgument, message)
        .reason(reason)
        .hint("manushyactl config template shows every key")
}

impl Anchor {
    pub(super) fn resolve(raw: RawAudit, home: &Home) -> Result<Self, WireError> {
        let variable = std::env::var("MANUSHYA_AUDIT_ANCHOR_FILE").ok();
        let given = variable
            .filter(|value| !value.is_empty())
            .or(raw.anchor_file);
        let file = match given.as_deref() {
            Some("none") => None,
            None => Some(home.audit_anchor()),
            Some(path) => Some(PathBuf::from(path)),
        };
        if let Some(path) = &file {
            if !path.is_absolute() {
                return Err(wrong("anchor_file", "it must be an absolute path, or none"));
            }
            if path.starts_with(&home.data) {
                let reason =
                    "it must lie outside the data folder, whose old copies it must outlive";
                return Err(wrong("anchor_file", reason));
            }
        }
        let command = raw.anchor_command.unwrap_or_default();
        if command
            .first()
            .is_some_and(|program| !Path::new(program).is_absolute())
        {
            let reason = "its first word must be the absolute path of a program";
            return Err(wrong("anchor_command", reason));
        }
        Ok(Self {
            file,
            journald: raw.anchor_journald.unwrap_or_default(),
            command,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_lie_outside_and_are_named_whole() {
        let home = Home::under(Path::new("/h"));
        let resolve = |file: &str, command: &[&str]| {
            let raw = RawAudit {
                anchor_file: Some(file.to_owned()).filter(|file| !file.is_empty()),
                anchor_journald: None,
                anchor_command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            };
            Anchor::resolve(raw, &home)
        };
        let default = resolve("", &[]).unwrap();
        assert_eq!(
            default.file.as_deref(),
            Some(Path::new("/h/state/audit.anchor"))
        );
        assert_eq!(resolve("none", &[]).unwrap().file, None);
        assert!(resolve("/mnt/log", &["/bin/cat", "-"]).is_ok());
        assert!(resolve("log", &[]).is_err());
        assert!(resolve("/h/data/log", &[]).is_err());
        assert!(resolve("/mnt/log", &["cat"]).is_err());
    }
}
