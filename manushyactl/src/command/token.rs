//! `token issue list inspect revoke`.

use manushya_protocol::client::Client;
use manushya_protocol::id::TokenId;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::token::{TokenInspect, TokenIssue, TokenIssued, TokenList, TokenRevoke};
use serde::Serialize;

use crate::cli::identity::{self as cli, Token};
pub use crate::context::session::write_private;
use crate::context::{Context, call, ids, read_token};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::time;

/// Runs a verb of `token`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Token, context: &Context) -> Outcome {
    match verb {
        Token::Issue(arguments) => issue(arguments, &context.connect().await?, context).await,
        Token::List(arguments) => {
            let client = context.connect().await?;
            context
                .list(&arguments.paging, async |page| {
                    let identity = arguments.identity.clone();
                    let all_states = arguments.all_states;
                    call!(
                        client,
                        token_list,
                        TokenList {
                            identity,
                            all_states,
                            page
                        }
                    )
                    .await
                })
                .await
        }
        Token::Inspect(arguments) => inspect(&arguments, context).await,
        Token::Revoke(arguments) => revoke(&arguments, &context.connect().await?, context).await,
    }
}

/// A token just issued, for every format.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Issued<'a>(&'a TokenIssued);

impl Row for Issued<'_> {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "access_token",
        "token_type",
        "expires_at",
        "id",
        "token.id",
        "token.identity",
        "token.identity_id",
        "token.scopes",
        "token.label",
        "token.issued_at",
        "token.expires_at",
        "token.revoked_at",
        "token.state",
        "token.parent",
        "token.chain",
        "token.namespace",
        "token.types",
        "token.uses",
        "token.uses_left",
        "token.purpose",
    ];
    const NAME: &'static str = "id";
}

async fn issue(arguments: cli::TokenIssue, client: &Client, context: &Context) -> Outcome {
    let delegate = arguments.delegate_to.is_some();
    let identity = arguments.delegate_to.or(arguments.identity);
    let request = TokenIssue {
        identity: identity.unwrap_or_default(),
        ttl_seconds: arguments.ttl,
        scopes: arguments.scopes,
        label: arguments.label,
        delegate,
        namespace: arguments.namespace,
        types: arguments.types,
        uses: arguments.uses,
    };
    let mut issued = call!(client, token_issue, request).await?;
    context.note_dry_run();
    let secret = issued.access_token.clone();
    if let (Some(path), Some(secret)) = (&arguments.file.out, &secret) {
        write_private(path, format!("{}\n", secret.expose()).as_bytes())?;
        context
            .ui
            .note(&format!("written to {} (mode 0600)", path.display()));
        // It went to the file and nowhere else.
        issued.access_token = None;
        return context
            .ui
            .told(&Issued(&issued), || format!("{}\n", issued.token.id));
    }
    match &secret {
        Some(secret) if context.ui.is_table() => {
            context.ui.line(secret.expose())?;
            note_once(context, issued.expires_at);
            Ok(())
        }
        _ => context
            .ui
            .told(&Issued(&issued), || format!("{}\n", issued.token.id)),
    }
}

/// Says that a token is shown once, and when it ends.
pub fn note_once(context: &Context, end: UnixMillis) {
    let end = time::full(end, time::now());
    context.ui.note(&format!(
        "the access token is shown this once; it ends {end}"
    ));
}

async fn inspect(arguments: &cli::TokenInspect, context: &Context) -> Outcome {
    let (token, client) = match (&arguments.file, &context.settings.token_file.value) {
        (Some(path), _) => (read_token(path)?, context.connect().await?),
        // The file holds what is asked about; the caller is known in another way.
        (None, Some(path)) => {
            let caller = context.token_of_environment();
            (read_token(path)?, context.connect_with(caller).await?)
        }
        (None, None) => {
            return Err(Stop::usage("no token to inspect")
                .reason("a token is never taken from the command line")
                .hint("manushyactl token inspect - < FILE"));
        }
    };
    let view = call!(client, token_inspect, TokenInspect { token }).await?;
    context.ui.item(&view)
}

async fn revoke(arguments: &cli::TokenRevoke, client: &Client, context: &Context) -> Outcome {
    if let Some(identity) = &arguments.identity {
        let request = TokenRevoke {
            id: None,
            identity: Some(identity.clone()),
        };
        return revoked(request, client, context).await;
    }
    super::each(context, &ids(&arguments.ids)?, async |id| {
        let id: TokenId = id
            .parse()
            .map_err(|error| Stop::usage(format!("{error}")))?;
        revoked(
            TokenRevoke {
                id: Some(id),
                identity: None,
            },
            client,
            context,
        )
        .await
    })
    .await
}

async fn revoked(request: TokenRevoke, client: &Client, context: &Context) -> Outcome {
    let done = call!(client, token_revoke, request).await?;
    context.note_dry_run();
    context
        .ui
        .told(&done, || format!("{}: {}\n", done.id, done.outcome))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn private_files_are_private_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.token");
        write_private(&path, b"secret\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"secret\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_private(&folder.path().join("no/where"), b"x").is_err());
    }
}
