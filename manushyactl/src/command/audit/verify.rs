//! `audit verify`: recomputes the log from nothing but its bytes and a public key.

use std::error::Error;
use std::path::Path;

use manushya_core::audit::{
    Broken, Checkpoint, Keys, Summary, Verifier, VerifierKey, split_frames,
};
use manushya_protocol::error::ErrorCode;
use manushya_protocol::v1::audit::AuditHeadView;
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, channel};

use super::pages::{PATIENCE, Pages, Window};
use crate::cli::audit::Verify;
use crate::command::token::write_private;
use crate::context::{Context, call, read_text};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::time;

/// The longest public key file, in bytes.
const KEY_BYTES_MAX: usize = 4096;

/// What was verified.
#[derive(Debug, Serialize)]
struct Verified {
    entries: u64,
    root: String,
    last_hash: String,
    signed_by: String,
    first_time: Option<manushya_protocol::unit::UnixMillis>,
    last_time: Option<manushya_protocol::unit::UnixMillis>,
    backward_clock_steps: u64,
    seconds: f64,
}

impl Row for Verified {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "entries",
        "root",
        "last_hash",
        "signed_by",
        "first_time",
        "last_time",
        "backward_clock_steps",
        "seconds",
    ];
    const NAME: &'static str = "root";
}

/// Verifies the whole log.
pub async fn run(arguments: &Verify, context: &Context) -> Outcome {
    let client = context
        .connect()
        .await?
        .with_timeout(context.patient(PATIENCE));
    let head = call!(client, audit_head).await?;
    let keys = trusted_keys(arguments.key.as_deref(), &head, context)?;
    super::witness::look(&client, &head.checkpoint, &head.public_key, context).await?;
    let checkpoint = keys
        .verify(&head.checkpoint)
        .map_err(|error| broken("the signature of the audit log does not verify", &error))?;
    let mut progress = context.ui.progress("verify", Some(checkpoint.size));
    let (sender, receiver) = channel(2);
    let expected = (checkpoint.clone(), keys.clone());
    // Hashing takes a core of its own, beside the reading.
    let hashing =
        tokio::task::spawn_blocking(move || recompute(receiver, &expected.0, &expected.1));
    let mut pages = Pages::new(client, checkpoint.size);
    let mut read = 0u64;
    let mut fault = None;
    loop {
        match pages.next().await {
            Ok(Some(window)) => {
                read += window.entries;
                if sender.send(window).await.is_err() {
                    break;
                }
                progress.at(read, || format!("{} entries", time::count(read)));
            }
            Ok(None) => break,
            Err(error) => {
                fault = Some(error);
                break;
            }
        }
    }
    drop(sender);
    let recomputed = hashing.await.map_err(|error| {
        Stop::new(ErrorCode::Internal, "the verifier stopped").reason(error.to_string())
    })?;
    progress.finish();
    if let Some(error) = fault {
        return Err(error.into());
    }
    let summary = recomputed.map_err(|error| broken(&error.to_string(), &error))?;
    let verified = Verified {
        entries: summary.size,
        root: summary.root.to_string(),
        last_hash: summary.last_hash.to_string(),
        signed_by: keys.newest().to_string(),
        first_time: summary.first_time,
        last_time: summary.last_time,
        backward_clock_steps: summary.backward_clock_steps,
        seconds: progress.seconds(),
    };
    context.ui.told(&verified, || {
        let entries = time::things(verified.entries, "entry", "entries");
        format!(
            "ok: {entries}, root {}, signed by {}\n",
            verified.root, verified.signed_by
        )
    })
}

fn recompute(
    mut windows: Receiver<Window>,
    expected: &Checkpoint,
    keys: &Keys,
) -> Result<Summary, Broken> {
    let mut verifier = Verifier::new();
    while let Some(window) = windows.blocking_recv() {
        // Frames were checked when the window was cut.
        for frame in split_frames(&window.bytes).flatten() {
            verifier.push(frame)?;
        }
    }
    verifier.check_keys(keys)?;
    verifier.finish(expected)
}

/// An error and its causes on one line.
pub fn reasons(error: &dyn Error) -> String {
    let mut reasons = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        reasons.push(cause.to_string());
        source = cause.source();
    }
    reasons.dedup();
    reasons.join(": ")
}

/// The log is not what it should be.
pub(super) fn broken(message: &str, error: &dyn Error) -> Stop {
    let reason = reasons(error);
    let reason = reason.strip_prefix(message).unwrap_or(&reason);
    Stop::new(ErrorCode::Integrity, message)
        .reason(reason.trim_start_matches(": "))
        .hint("keep a copy of the data folder before anything else, then: manushyactl doctor")
}

/// The keys that may have signed: the one given, or the one seen first on this machine, and those that
/// took over from it.
pub(super) fn trusted_keys(
    given: Option<&str>,
    head: &AuditHeadView,
    context: &Context,
) -> Outcome<Keys> {
    let told = head.public_key.trim();
    let follow = |key: VerifierKey| {
        Keys::follow_told(key, &head.hand_overs)
            .map_err(|error| broken("the hand-overs of the audit log do not verify", &error))
    };
    if let Some(given) = given {
        return follow(parse_key(given)?);
    }
    let sound = |text: &str| {
        text.parse()
            .map_err(|error: manushya_core::audit::NoteError| {
                broken("the daemon has no sound key", &error)
            })
    };
    let path = context.settings.paths.audit_key();
    let known = match std::fs::read_to_string(&path) {
        Ok(known) => known.trim().to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            remember(&path, told, context);
            told.to_owned()
        }
        Err(error) => return Err(Stop::unreadable(&path, &error)),
    };
    if known == told {
        return Ok(Keys::from(sound(told)?));
    }
    let other = |reason: String| {
        Stop::new(
            ErrorCode::Integrity,
            "the audit log is signed by another key",
        )
        .reason(reason)
        .hint(format!(
            "if the data folder was made anew, remove {}; if not, somebody replaced the log",
            path.display()
        ))
    };
    let plain = format!("it was `{known}` and is `{told}`");
    let Ok(first) = known.parse() else {
        return Err(other(plain));
    };
    let keys = follow(first)?;
    match *keys.newest() == sound(told)? {
        true => Ok(keys),
        false => Err(other(format!("{plain}, and no hand-over leads there"))),
    }
}

/// Trusts on first use. That the key cannot be remembered is told, and no reason to fail.
fn remember(path: &Path, key: &str, context: &Context) {
    let folder = path.parent().unwrap_or(path);
    let made = crate::command::system::private_folder(folder);
    match made.and_then(|()| write_private(path, format!("{key}\n").as_bytes())) {
        Ok(()) => context.ui.note(&format!(
            "first use: the public key is kept in {}",
            path.display()
        )),
        Err(_) => context.ui.note(&format!(
            "note: cannot keep the public key in {}",
            path.display()
        )),
    }
}

/// A key that is given as text or as a file.
pub fn parse_key(given: &str) -> Outcome<VerifierKey> {
    let wrong = |error: manushya_core::audit::NoteError| {
        Stop::usage("--key is no public key").reason(error.to_string())
    };
    match given.parse() {
        Ok(key) => Ok(key),
        Err(error) if !Path::new(given).exists() => Err(wrong(error)),
        Err(_) => read_text(Path::new(given), KEY_BYTES_MAX, "a public key")?
            .trim()
            .parse()
            .map_err(wrong),
    }
}
