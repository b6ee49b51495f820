//! `key list rotate jwks passphrase recovery`.

use std::time::Duration;

use manushya_protocol::client::Client;
use manushya_protocol::v1::key::{KeyDataRotated, KeyPassphrase, KeyRotateData, KeyRotated};
use manushya_protocol::{limits, secret};
use serde::Serialize;

use super::recovery;
use crate::cli::key::{Key, Passphrase, Recovery, Rotatable};
use crate::context::{Context, call, read_text};
use crate::error::Outcome;
use crate::ui::render::{Column, Row};
use crate::ui::{json, time};

/// Runs a verb of `key`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Key, context: &Context) -> Outcome {
    if let Key::Recover(arguments) = &verb {
        return recovery::recover(arguments, context);
    }
    let client = context.connect().await?;
    match verb {
        Key::List => {
            let listed = call!(client, key_list).await?;
            context.ui.list(&listed.items, None, listed.total)
        }
        Key::Rotate(arguments) => match arguments.which {
            Rotatable::Jwt => {
                let rotated = call!(client, key_rotate_jwt).await?;
                context.note_dry_run();
                context.ui.told(&Shown(&rotated), || words(&rotated))
            }
            Rotatable::Root => {
                let rotated = call!(client, key_rotate_root).await?;
                context.note_dry_run();
                context.ui.told(&Shown(&rotated), || root_words(&rotated))
            }
            Rotatable::Data => data(&client, context).await,
            Rotatable::Audit => {
                let rotated = call!(client, key_rotate_audit).await?;
                context.note_dry_run();
                context.ui.told(&Shown(&rotated), || audit_words(&rotated))
            }
        },
        Key::Jwks => {
            let set = call!(client, key_jwks).await?;
            let text = json::json(&set)?;
            context.ui.document(&set, || text.clone())
        }
        Key::Passphrase(verb) => passphrase(verb, &client, context).await,
        Key::Recovery(Recovery::New) => recovery::new(&client, context).await,
        Key::Recover(arguments) => recovery::recover(&arguments, context),
    }
}

/// Replaces all data keys, step by step. Interrupted, it leaves a part of them replaced.
async fn data(client: &Client, context: &Context) -> Outcome {
    let client = client.with_timeout(context.patient(PATIENCE));
    let mut request = KeyRotateData::default();
    let mut replaced = 0;
    let mut progress = None;
    loop {
        let mut step = call!(client, key_rotate_data, request.clone()).await?;
        replaced += step.replaced;
        request.below = Some(step.below);
        let progress = progress.get_or_insert_with(|| {
            context
                .ui
                .progress("rotate", Some(step.replaced + step.left))
        });
        progress.at(replaced, || time::things(replaced, "key", "keys"));
        if step.left > 0 && step.replaced > 0 && !context.dry_run {
            continue;
        }
        progress.finish();
        context.note_dry_run();
        step.replaced = replaced;
        return context.ui.told(&Step(step), || data_words(&step, context));
    }
}

async fn passphrase(verb: Passphrase, client: &Client, context: &Context) -> Outcome {
    let client = client.with_timeout(context.patient(PATIENCE));
    let request = KeyPassphrase {
        passphrase: match verb {
            Passphrase::Remove => None,
            Passphrase::Set(arguments) => {
                let most = limits::PASSPHRASE_BYTES_MAX;
                let text = read_text(&arguments.file, most, "a passphrase")?;
                Some(secret::Passphrase::of_text(&text))
            }
        },
    };
    let locks = request.passphrase.is_some();
    let done = call!(client, key_passphrase, request).await?;
    context.note_dry_run();
    context.ui.told(&done, || match locks {
        true => "locked: each start needs the passphrase (passphrase_file of the configuration, \
                 --passphrase-file, or the credential manushya-passphrase of systemd)\n"
            .to_owned(),
        false => "in the clear: take passphrase_file out of the configuration\n".to_owned(),
    })
}

/// A rotation of data keys, for every format.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Step(KeyDataRotated);

impl Row for Step {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &["below", "replaced", "left", "waiting"];
    const NAME: &'static str = "below";
}

fn data_words(step: &KeyDataRotated, context: &Context) -> String {
    if context.dry_run {
        let keys = time::things(step.left, "key", "keys");
        return format!("{keys} would be replaced\n");
    }
    let keys = time::things(step.replaced, "key was", "keys were");
    let mut text = format!("{keys} replaced, and all records under them sealed anew\n");
    if step.waiting > 0 {
        let waiting = time::things(step.waiting, "old key is", "old keys are");
        text.push_str(&format!(
            "{waiting} still needed by what reads an earlier state, such as a backup\n"
        ));
    }
    text
}

fn root_words(rotated: &KeyRotated) -> String {
    let retired = rotated.retired.as_deref().unwrap_or("none");
    match &rotated.kid {
        None => format!("the root of epoch {retired} would be replaced\n"),
        Some(kid) => format!(
            "all keys are wrapped under the root of epoch {kid}; that of epoch {retired} is gone\n"
        ),
    }
}

fn audit_words(rotated: &KeyRotated) -> String {
    let retired = rotated.retired.as_deref().unwrap_or("none");
    match &rotated.kid {
        None => format!("the audit log would be handed over by {retired} to a new key\n"),
        Some(kid) => format!(
            "{kid} signs the audit log from here on, and {retired} vouches for it; who holds the old key \
             can go on verifying with it\n"
        ),
    }
}

/// How long one step may take, at the least.
const PATIENCE: Duration = Duration::from_secs(120);

/// A rotation, for every format.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown<'a>(&'a KeyRotated);

impl Row for Shown<'_> {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &["kid", "retired", "removed"];
    const NAME: &'static str = "kid";
}

fn words(rotated: &KeyRotated) -> String {
    let retired = rotated.retired.as_deref().unwrap_or("none");
    match &rotated.kid {
        None => format!("{retired} would be replaced\n"),
        Some(kid) => {
            format!("{kid} signs from here on; {retired} verifies until its tokens have ended\n")
        }
    }
}
