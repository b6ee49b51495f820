//! Verifies the audit log from nothing but its bytes and a public key, and tells how far it is.

use data_encoding::BASE64;
use manushya_core::audit::{Keys, Verifier, VerifierKey, split_frames};
use manushya_protocol::client::Client;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::home::Home;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditHeadView, AuditRead};

use super::call::make;
use super::{In, Inbox};
use crate::msg::{Msg, Verified};

fn broken(message: &str, reason: impl std::fmt::Display) -> WireError {
    WireError::new(ErrorCode::Integrity, message)
        .reason(reason.to_string())
        .hint("keep a copy of the data folder before anything else, then: manushyactl doctor")
}

/// The keys that may have signed: the one `manushyactl audit verify` remembers and those that took over
/// from it, or else the daemon's.
fn trusted(head: &AuditHeadView, home: &Home) -> Result<Keys, WireError> {
    let told = head.public_key.trim();
    let sound = |text: &str| {
        text.parse::<VerifierKey>()
            .map_err(|error| broken("the daemon has no sound key", error))
    };
    let newest = sound(told)?;
    let known = std::fs::read_to_string(home.audit_key()).ok();
    let known = known.as_deref().map_or(told, str::trim);
    let other = |reason: String| broken("the audit log is signed by another key", reason);
    let keys = sound(known)
        .ok()
        .map(|first| Keys::follow_told(first, &head.hand_overs));
    match keys {
        Some(Ok(keys)) if *keys.newest() == newest => Ok(keys),
        Some(Err(error)) => Err(other(error.to_string())),
        _ => Err(other(format!("it was `{known}` and is `{told}`"))),
    }
}

/// Reads and verifies the whole log.
///
/// # Errors
///
/// `INTEGRITY` if the log is not what was signed, or what a call failed with.
pub async fn verify(client: &Client, inbox: &Inbox, home: &Home) -> Result<Verified, WireError> {
    let head = make!(client, audit_head)?;
    let keys = trusted(&head, home)?;
    let signed = keys
        .verify(&head.checkpoint)
        .map_err(|error| broken("the signature of the audit log does not verify", error))?;
    let mut verifier = Verifier::new();
    while verifier.size() < signed.size {
        let from = AuditSeq(verifier.size() + 1);
        let page = make!(client, audit_read, AuditRead { from })?;
        let bytes = BASE64
            .decode(page.entries.as_bytes())
            .map_err(|error| broken("the daemon's audit bytes are not base64", error))?;
        let wanted = signed.size;
        // Hashing a page takes a while; the screen goes on meanwhile.
        let (back, done) = tokio::task::spawn_blocking(move || push(verifier, &bytes, wanted))
            .await
            .map_err(|error| broken("the verifier stopped", error))??;
        verifier = back;
        if !done {
            return Err(broken(
                "the audit log ends early",
                "it sent no more entries, though it signed for more",
            ));
        }
        let _ = inbox.send(In::Msg(Msg::Progress(verifier.size(), signed.size)));
    }
    let summary = verifier
        .check_keys(&keys)
        .and_then(|()| verifier.finish(&signed))
        .map_err(|error| broken("the audit log is broken", error))?;
    Ok(Verified {
        entries: summary.size,
        root: summary.root.to_string(),
        signed_by: keys.newest().to_string(),
    })
}

/// Takes entries in up to the signed size; says whether there were any.
fn push(mut verifier: Verifier, bytes: &[u8], wanted: u64) -> Result<(Verifier, bool), WireError> {
    let before = verifier.size();
    for frame in split_frames(bytes) {
        if verifier.size() == wanted {
            break;
        }
        let frame = frame.map_err(|error| broken("the daemon's audit bytes are cut", error))?;
        verifier
            .push(frame)
            .map_err(|error| broken("the audit log is broken", error))?;
    }
    let grew = verifier.size() > before;
    Ok((verifier, grew))
}
