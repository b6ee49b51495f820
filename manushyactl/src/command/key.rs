//! `key list rotate jwks`.

use manushya_protocol::v1::key::KeyRotated;
use serde::Serialize;

use crate::cli::key::{Key, Rotatable};
use crate::context::{Context, call};
use crate::error::Outcome;
use crate::ui::json;
use crate::ui::render::{Column, Row};

/// Runs a verb of `key`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Key, context: &Context) -> Outcome {
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
        },
        Key::Jwks => {
            let set = call!(client, key_jwks).await?;
            let text = json::json(&set)?;
            context.ui.document(&set, || text.clone())
        }
    }
}

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
