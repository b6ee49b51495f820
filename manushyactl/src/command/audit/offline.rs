//! `audit verify --offline`: checks a proof with a public key and nothing else.

use std::io::Read as _;
use std::path::Path;

use data_encoding::BASE32_DNSSEC;
use manushya_core::audit::{BUNDLE_BYTES_MAX, Bundle, Checkpoint, Proved, VerifierKey};
use manushya_core::model::{AuditActor, AuditEntry, Hash, Outcome as Ended};
use manushya_protocol::error::ErrorCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::verify::parse_key;
use crate::context::Context;
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};

/// What was proved.
#[derive(Debug, Serialize)]
struct Told {
    proves: &'static str,
    size: u64,
    root: String,
    signed_by: String,
    /// Of the older log, if it is about growth.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_size: Option<u64>,
    /// The entry, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<Value>,
}

impl Row for Told {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] =
        &["proves", "size", "root", "signed_by", "old_size", "entry"];
    const NAME: &'static str = "root";
}

/// Verifies the bundle in a file. Neither a daemon nor a home is asked.
///
/// # Errors
///
/// Exit code 9 if the bundle does not prove what it says, 2 if it or the key cannot be read.
pub fn run(path: &Path, key: Option<&str>, context: &Context) -> Outcome {
    let Some(key) = key else {
        return Err(Stop::usage("--offline needs --key")
            .reason("a proof is checked with a key that does not come with it")
            .hint("manushyactl audit key > pub, on the machine you trust"));
    };
    let key = parse_key(key)?;
    let refuse = |error| {
        let told = Stop::from(manushya_protocol::error::WireError::new(
            ErrorCode::Integrity,
            "the proof does not hold",
        ));
        told.reason(super::verify::reasons(&error))
            .hint("do not believe what it claims; ask for a new proof, and compare the keys")
    };
    let bundle = Bundle::parse(&read(path)?).map_err(refuse)?;
    let proved = bundle.verify(&key).map_err(refuse)?;
    let keys = bundle.keys(&key).map_err(refuse)?;
    let told = tell(proved, keys.newest());
    context.ui.told(&told, || words(&told))
}

/// The file's bytes, and one more than a bundle can have, so that a longer one is refused as such.
fn read(path: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = BUNDLE_BYTES_MAX as u64 + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| Stop::unreadable(path, &error))?;
    Ok(bytes)
}

fn tell(proved: Proved, key: &VerifierKey) -> Told {
    let signed = |checkpoint: &Checkpoint| (checkpoint.size, checkpoint.root.to_string());
    match proved {
        Proved::Inclusion {
            entry,
            hash,
            checkpoint,
        } => {
            let (size, root) = signed(&checkpoint);
            Told {
                proves: "inclusion",
                size,
                root,
                signed_by: key.to_string(),
                old_size: None,
                entry: Some(readable(&entry, hash)),
            }
        }
        Proved::Consistency { old, new } => {
            let (size, root) = signed(&new);
            Told {
                proves: "consistency",
                size,
                root,
                signed_by: key.to_string(),
                old_size: Some(old.size),
                entry: None,
            }
        }
    }
}

/// The fields of an entry, as its bytes say. Names are not in them, so ids stand for everybody.
fn readable(entry: &AuditEntry, hash: Hash) -> Value {
    let draft = &entry.draft;
    let (actor, actor_id) = match draft.actor {
        AuditActor::Anonymous => ("anonymous", None),
        AuditActor::Daemon => ("daemon", None),
        AuditActor::Identity(id) => ("identity", Some(id)),
    };
    json!({
        "seq": entry.seq,
        "time": draft.time,
        "tenant": draft.tenant,
        "actor": actor,
        "actor_id": actor_id,
        "peer_uid": draft.peer_uid,
        "token": draft.token,
        "action": draft.action.as_str(),
        "resource": draft.resource.as_str(),
        "resource_id": draft.resource_id.map(|id| BASE32_DNSSEC.encode(&id)),
        "decision": draft.decision.as_str(),
        "policy": draft.policy.map(|stamp| stamp.id),
        "policy_revision": draft.policy.map(|stamp| stamp.revision),
        "request_id": draft.request_id,
        "outcome": match draft.outcome {
            Ended::Ok => "OK",
            Ended::Error(code) => code.as_str(),
        },
        "count": draft.count,
        "alert": draft.extensions.alert().map(manushya_core::model::AlertKind::as_str),
        "hash": hash.to_string(),
        "prev_hash": entry.prev_hash.to_string(),
    })
}

fn words(told: &Told) -> String {
    let Some(entry) = &told.entry else {
        let old = told.old_size.unwrap_or_default();
        return format!(
            "ok: the log of {} entries begins with the log of {old}; root {}, signed by {}\n",
            told.size, told.root, told.signed_by
        );
    };
    let word = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
    format!(
        "ok: entry {} is in the log of {} entries; root {}, signed by {}\n    {} {}.{} {} by {} {}, \
         outcome {}\n",
        entry["seq"],
        told.size,
        told.root,
        told.signed_by,
        word("time"),
        word("resource"),
        word("action"),
        word("decision"),
        word("actor"),
        word("actor_id"),
        word("outcome"),
    )
}
