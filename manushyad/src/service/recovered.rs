//! What a recovery without a daemon leaves to be written to the log: that the recovery key was used.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use manushya_core::model::{
    Action, AuditActor, AuditDraft, Decision, Extensions, KeyEpoch, KeyKind, Outcome, Resource,
};
use manushya_protocol::error::WireError;
use manushya_protocol::unit::UnixMillis;

use super::Service;
use crate::vault::replace_file;

/// The file that says that the recovery key was used: a line for each time.
const MARK: &str = "recovered";
/// The longest such file that is read, in bytes.
const MARK_BYTES_MAX: u64 = 4096;

/// Notes that the recovery key is about to be used, by the user of this process. Returns what was noted
/// before.
///
/// # Errors
///
/// What the disk says.
pub fn leave_mark(data: &Path, now: UnixMillis) -> io::Result<String> {
    let before = read(data).unwrap_or_default();
    let uid = rustix::process::getuid().as_raw();
    let text = format!("{before}{uid} {}\n", now.0);
    replace_file(data, MARK, text.as_bytes()).map_err(io::Error::other)?;
    Ok(before)
}

/// Takes the last note back, where the key opened nothing.
pub fn take_back(data: &Path, before: &str) {
    let taken = match before.is_empty() {
        true => fs::remove_file(data.join(MARK)),
        false => replace_file(data, MARK, before.as_bytes()).map_err(io::Error::other),
    };
    if let Err(error) = taken {
        tracing::warn!(%error, "The note of a recovery stays.");
    }
}

/// What is noted; none if nothing is.
fn read(data: &Path) -> Option<String> {
    let file = fs::File::open(data.join(MARK)).ok()?;
    let mut bytes = Vec::new();
    // A note that cannot be read is one all the same.
    let _ = file.take(MARK_BYTES_MAX).read_to_end(&mut bytes);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

impl Service {
    /// Writes to the log that the recovery key was used while the daemon was down, if it was.
    ///
    /// # Errors
    ///
    /// What the writer said; then the next start tries again.
    pub async fn note_recovered(&self) -> Result<(), WireError> {
        let data = &self.config.home.data;
        let Some(noted) = read(data) else {
            return Ok(());
        };
        let mut lines = noted.lines();
        let first = lines.next().unwrap_or_default();
        for line in std::iter::once(first).chain(lines) {
            let mut words = line.split_whitespace();
            let uid = words.next().and_then(|word| word.parse().ok());
            let time = words.next().and_then(|word| word.parse().ok());
            tracing::warn!(
                uid,
                "The identity of this home was made anew with the recovery key."
            );
            self.audit_durably(self.recovery_entry(uid, time.map(UnixMillis)))
                .await?;
        }
        take_back(data, "");
        Ok(())
    }

    fn recovery_entry(&self, uid: Option<u32>, time: Option<UnixMillis>) -> AuditDraft {
        let now = self.ports.clock.now();
        let mut extensions = Extensions::default();
        extensions.set_key_epoch(KeyEpoch {
            kind: KeyKind::Root,
            epoch: self.vault.epoch(),
        });
        AuditDraft {
            // A clock that was ahead then does not set the log ahead.
            time: time.filter(|time| *time < now).unwrap_or(now),
            tenant: None,
            actor: AuditActor::Daemon,
            peer_uid: uid,
            token: None,
            action: Action::Restore,
            resource: Resource::System,
            resource_id: None,
            decision: Decision::Allow,
            policy: None,
            request_id: self.new_request_id(),
            outcome: Outcome::Ok,
            count: 1,
            extensions,
        }
    }
}
