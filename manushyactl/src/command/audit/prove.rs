//! `audit key`, `audit prove`, `audit consistency`: what a stranger needs to check the log.

use std::path::Path;

use manushya_core::audit::bundle::hashes;
use manushya_core::audit::checkpoint::NOTE_BYTES_MAX;
use manushya_core::audit::{Bundle, Keys, VerifierKey};
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditGrowth, AuditRef};
use serde::Serialize;

use super::verify::{broken, trusted_keys};
use crate::cli::audit::{Consistency, Key as KeyArgs, Prove};
use crate::config::Format;
use crate::context::{Context, call, read_text};
use crate::error::{Outcome, Stop};
use crate::ui::json;
use crate::ui::render::{Column, Kind, Row};

/// The public key of the log.
#[derive(Debug, Serialize)]
struct Key {
    public_key: String,
    name: String,
    key_id: String,
    /// The first entry it answers for; only where all keys are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<AuditSeq>,
    /// The signature of the key before; only where all keys are shown, and none for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    vouched: Option<String>,
}

impl Row for Key {
    const COLUMNS: &'static [Column] = &[
        Column {
            title: "SINCE ENTRY",
            path: "since",
            kind: Kind::Text,
        },
        Column {
            title: "KEY",
            path: "public_key",
            kind: Kind::Text,
        },
    ];
    const FIELDS: &'static [&'static str] = &["public_key", "name", "key_id", "since", "vouched"];
    const NAME: &'static str = "public_key";
}

impl Key {
    fn of(text: &str) -> Outcome<Self> {
        let key: VerifierKey = text
            .parse()
            .map_err(|error| broken("the daemon has no sound key", &error))?;
        Ok(Self {
            public_key: text.to_owned(),
            name: key.origin().to_string(),
            key_id: data_encoding::HEXLOWER.encode(&key.id()),
            since: None,
            vouched: None,
        })
    }
}

/// Shows the public key of the log, or all it had.
pub async fn key(arguments: &KeyArgs, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let head = call!(client, audit_head).await?;
    let told = head.public_key.trim();
    if !arguments.all {
        let shown = Key::of(told)?;
        return context.ui.told(&shown, || format!("{told}\n"));
    }
    // What does not follow is shown to nobody as if it did.
    let first = head.hand_overs.first().map_or(told, |one| &one.from);
    let first_key: VerifierKey = first
        .parse()
        .map_err(|error| broken("the daemon has no sound key", &error))?;
    Keys::follow_told(first_key, &head.hand_overs)
        .map_err(|error| broken("the hand-overs of the audit log do not verify", &error))?;
    let mut keys = vec![Key {
        since: Some(AuditSeq(1)),
        ..Key::of(first)?
    }];
    for one in &head.hand_overs {
        keys.push(Key {
            since: Some(one.seq),
            vouched: Some(one.signature.clone()),
            ..Key::of(&one.to)?
        });
    }
    context.ui.list(&keys, None, keys.len() as u64)
}

/// Writes the proof that an entry is in the log.
pub async fn prove(arguments: &Prove, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let request = AuditRef {
        seq: AuditSeq(arguments.seq),
    };
    let proof = call!(client, audit_prove, request).await?;
    // Whoever asks is told of a proof that proves nothing, rather than whoever gets it.
    hashes(&proof.proof).map_err(|error| broken("the daemon's proof is malformed", &error))?;
    file(&proof, context)
}

/// Writes the proof that the log only grew.
pub async fn consistency(arguments: &Consistency, context: &Context) -> Outcome {
    let (old, known) = size(&arguments.old)?;
    let (new, later) = match &arguments.new {
        Some(new) => size(new).map(|(size, note)| (Some(size), note))?,
        None => (None, None),
    };
    let client = context.connect().await?;
    let mut proof = call!(client, audit_consistency, AuditGrowth { old, new }).await?;
    // What the caller kept is what is to be proved, not what the daemon says it was.
    if let Some(note) = known {
        proof.old = note;
    }
    if let Some(note) = later {
        proof.new = note;
    }
    let head = call!(client, audit_head).await?;
    let keys = trusted_keys(arguments.key.as_deref(), &head, context)?;
    Bundle::Consistency(proof.clone())
        .verify(&keys.to_vec()[0])
        .map_err(|error| broken("the log did not only grow", &error))?;
    file(&proof, context)
}

/// A size, or a file that holds a checkpoint: its size and its text.
fn size(argument: &str) -> Outcome<(u64, Option<String>)> {
    if let Ok(size) = argument.parse() {
        return Ok((size, None));
    }
    let note = read_text(Path::new(argument), NOTE_BYTES_MAX, "a checkpoint")?;
    let size = note.lines().nth(1).and_then(|line| line.parse().ok());
    let size = size.ok_or_else(|| {
        Stop::usage(format!("`{argument}` is neither a size nor a checkpoint"))
            .hint("manushyactl audit head -o json | jq -r .checkpoint > FILE")
    })?;
    Ok((size, Some(note)))
}

/// A proof is a file of JSON, for people too.
fn file<T: Row>(proof: &T, context: &Context) -> Outcome {
    match context.ui.format {
        Format::Table => context.ui.emit(&json::json(proof)?),
        _ => context.ui.item(proof),
    }
}
