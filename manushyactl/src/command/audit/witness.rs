//! What a client remembers of the log, so that a log that was rolled back or rewritten is noticed
//! by whoever looks next.

use std::path::{Path, PathBuf};
use std::time::Duration;

use manushya_core::audit::bundle::{check_growth, hashes};
use manushya_core::audit::{Checkpoint, Keys, VerifierKey, entry_hash};
use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::v1::audit::{AuditGrowth, AuditHeadView};

use super::verify::broken;
use crate::command::token::write_private;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};

/// The checkpoint that was seen last, with the key it is signed by.
struct Seen {
    path: PathBuf,
    last: Option<(VerifierKey, Checkpoint)>,
}

impl Seen {
    /// Reads what is remembered of the daemon behind the socket. A file that does not read counts as
    /// none: it is a memory, and no proof of anything.
    fn load(context: &Context) -> Self {
        let socket = context.settings.socket.value.as_os_str();
        let name = entry_hash(socket.as_encoded_bytes()).to_string();
        let folder = context.settings.paths.state.join("seen");
        let path = folder.join(format!("{}.checkpoint", &name[..16]));
        let last = std::fs::read_to_string(&path).ok().and_then(|text| {
            let (key, note) = text.split_once('\n')?;
            let key: VerifierKey = key.parse().ok()?;
            let checkpoint = Checkpoint::verify(note, &key).ok()?;
            Some((key, checkpoint))
        });
        Self { path, last }
    }

    fn keep(&self, key: &VerifierKey, note: &str) {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // That it cannot be remembered is no reason to fail what was asked for.
        let _ = crate::command::system::private_folder(folder)
            .and_then(|()| write_private(&self.path, format!("{key}\n{note}").as_bytes()));
    }
}

/// How old what is remembered may get before a proof is asked for in passing.
const GLANCE_AGE: Duration = Duration::from_secs(60);

/// As [`look`], but asks for a proof at most once a minute, since each is an entry of the log. That
/// the log is shorter is noticed each time.
///
/// # Errors
///
/// As [`look`].
pub async fn glance(client: &Client, (note, key): (&str, &str), context: &Context) -> Outcome {
    if key.is_empty() {
        // A daemon that is older than this.
        return Ok(());
    }
    let seen = Seen::load(context);
    let age = std::fs::metadata(&seen.path)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| modified.elapsed().ok());
    if let Some((known, last)) = &seen.last
        && age.is_some_and(|age| age < GLANCE_AGE)
        && known.to_string() == key.trim()
        && Checkpoint::verify(note, known).is_ok_and(|head| head.size > last.size)
    {
        return Ok(());
    }
    look(client, note, key, context).await
}

/// Compares a signed head with the one that was seen last, and remembers the newer.
///
/// # Errors
///
/// Exit code 9 if the head is signed neither by the key it was signed with before nor by one that took
/// over from that, or if the log does not begin with what was seen.
pub async fn look(client: &Client, note: &str, key: &str, context: &Context) -> Outcome {
    let key: VerifierKey = key
        .trim()
        .parse()
        .map_err(|error| broken("the daemon has no sound key", &error))?;
    let head = Checkpoint::verify(note, &key)
        .map_err(|error| broken("the head of the audit log is not signed by its key", &error))?;
    let seen = Seen::load(context);
    let Some((known, last)) = &seen.last else {
        seen.keep(&key, note);
        return Ok(());
    };
    if *known != key {
        let again = call!(client, audit_head).await?;
        check_handed_over(known, &key, &again, &seen.path)?;
    }
    if head == *last {
        return Ok(());
    }
    if head.size <= last.size {
        // Somebody else may have looked a moment later, and remembered that.
        let again = call!(client, audit_head).await?;
        let again = Keys::follow_told(key, &again.hand_overs)
            .map_err(|error| broken("the hand-overs of the audit log do not verify", &error))?
            .verify(&again.checkpoint)
            .map_err(|error| {
                broken("the head of the audit log is not signed by its key", &error)
            })?;
        if again.size > last.size || again == *last {
            return Ok(());
        }
        let reason = format!(
            "it had {} entries with the root {} when it was last looked at, and has {} with the root {}",
            last.size, last.root, again.size, again.root
        );
        let message = if again.size < last.size {
            "the audit log was rolled back"
        } else {
            "the audit log was rewritten"
        };
        return Err(changed(message, reason, &seen.path));
    }
    let growth = AuditGrowth {
        old: last.size,
        new: Some(head.size),
    };
    let proof = call!(client, audit_consistency, growth).await?;
    hashes(&proof.proof)
        .and_then(|path| check_growth(last, &head, &path))
        .map_err(|error| changed("the audit log was rewritten", error.to_string(), &seen.path))?;
    seen.keep(&key, note);
    Ok(())
}

/// Refuses a key that did not take over from the one that is known.
fn check_handed_over(
    known: &VerifierKey,
    key: &VerifierKey,
    head: &AuditHeadView,
    path: &Path,
) -> Outcome {
    let message = "the audit log is signed by another key";
    let keys = Keys::follow_told(known.clone(), &head.hand_overs)
        .map_err(|error| changed(message, super::verify::reasons(&error), path))?;
    match keys.to_vec().contains(key) {
        true => Ok(()),
        false => {
            let reason = format!("it was `{known}` and is `{key}`, and no hand-over leads there");
            Err(changed(message, reason, path))
        }
    }
}

fn changed(message: &str, reason: String, path: &Path) -> Stop {
    Stop::new(ErrorCode::Integrity, message)
        .reason(reason)
        .hint(format!(
            "if a backup was restored or the home made anew, remove {}; if not, somebody tampered with \
             the log: manushyactl doctor",
            path.display()
        ))
}
