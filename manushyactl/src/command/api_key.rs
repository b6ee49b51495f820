//! `api-key create list revoke`.

use manushya_protocol::client::Client;
use manushya_protocol::id::TokenId;
use manushya_protocol::v1::api_key::{ApiKeyCreate, ApiKeyCreated, ApiKeyList, ApiKeyRef};
use serde::Serialize;

use super::token::write_private;
use crate::cli::credential::{self as cli, ApiKey};
use crate::context::{Context, call, ids};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::time;

/// Runs a verb of `api-key`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: ApiKey, context: &Context) -> Outcome {
    let client = context.connect().await?;
    match verb {
        ApiKey::Create(arguments) => create(arguments, &client, context).await,
        ApiKey::List(arguments) => {
            context
                .list(&arguments.paging, async |page| {
                    let request = ApiKeyList {
                        identity: arguments.identity.clone(),
                        all_states: arguments.all_states,
                        page,
                    };
                    call!(client, api_key_list, request).await
                })
                .await
        }
        ApiKey::Revoke(arguments) => {
            super::each(context, &ids(&arguments.ids)?, async |id| {
                let id: TokenId = id
                    .parse()
                    .map_err(|error| Stop::usage(format!("{error}")))?;
                let done = call!(client, api_key_revoke, ApiKeyRef { id }).await?;
                context.note_dry_run();
                context
                    .ui
                    .told(&done, || format!("{}: {}\n", done.id, done.outcome))
            })
            .await
        }
    }
}

/// An API key just made, for every format.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Created<'a>(&'a ApiKeyCreated);

impl Row for Created<'_> {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "key",
        "id",
        "expires_at",
        "api_key.name",
        "api_key.identity",
        "api_key.identity_id",
        "api_key.scopes",
        "api_key.namespace",
        "api_key.types",
        "api_key.created_at",
        "api_key.state",
    ];
    const NAME: &'static str = "id";
}

async fn create(arguments: cli::ApiKeyCreate, client: &Client, context: &Context) -> Outcome {
    let request = ApiKeyCreate {
        identity: arguments.identity,
        name: arguments.name,
        scopes: arguments.scopes,
        ttl_seconds: arguments.ttl,
        namespace: arguments.namespace,
        types: arguments.types,
    };
    let mut created = call!(client, api_key_create, request).await?;
    context.note_dry_run();
    let key = created.key.clone();
    let end = time::full(created.expires_at, time::now());
    if let (Some(path), Some(key)) = (&arguments.file.out, &key) {
        write_private(path, format!("{}\n", key.expose()).as_bytes())?;
        context
            .ui
            .note(&format!("written to {} (mode 0600)", path.display()));
        // It went to the file and nowhere else.
        created.key = None;
    } else if let Some(key) = key.filter(|_| context.ui.is_table()) {
        context.ui.line(key.expose())?;
        context
            .ui
            .note(&format!("the API key is shown this once; it ends {end}"));
        return Ok(());
    }
    context
        .ui
        .told(&Created(&created), || format!("{}\n", created.id))
}
