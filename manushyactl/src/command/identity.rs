//! `identity create list show update enable disable delete export`.

use manushya_protocol::client::Client;
use manushya_protocol::v1::identity::{
    IdentityBind, IdentityCreated, IdentityList, IdentityRef, IdentityUpdate, IdentityView,
};
use serde::Serialize;

use crate::cli::args::object;
use crate::cli::identity::{self as cli, Identity};
use crate::context::{Context, call};
use crate::error::Outcome;
use crate::ui::render::{self, Column, Row};

use super::token;

/// Runs a verb of `identity`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Identity, context: &Context) -> Outcome {
    // These see to their own connection, or need none.
    let client = match verb {
        Identity::Invite(arguments) => return super::invitation::invite(arguments, context).await,
        Identity::Export(arguments) => return super::subject::run(&arguments, context).await,
        _ => context.connect().await?,
    };
    match verb {
        Identity::Invite(_) | Identity::Export(_) => Ok(()),
        Identity::Bind(arguments) => {
            let bound = call!(client, identity_bind, binding(arguments)).await?;
            context.note_dry_run();
            context.ui.item(&bound)
        }
        Identity::Unbind(arguments) => {
            let done = call!(client, identity_unbind, binding(arguments)).await?;
            context.note_dry_run();
            context
                .ui
                .told(&done, || format!("{}: {}\n", done.id, done.outcome))
        }
        Identity::Create(arguments) => create(arguments, &client, context).await,
        Identity::List(arguments) => list(&arguments, &client, context).await,
        Identity::Show(name) => context.ui.item(&show(&client, name.identity).await?),
        Identity::Update(arguments) => {
            let update = IdentityUpdate {
                claims: (arguments.clear_claims || !arguments.claims.is_empty())
                    .then(|| object(&arguments.claims)),
                identity: arguments.identity,
                role: arguments.role,
                name: arguments.name,
                description: arguments.description,
                is_active: None,
                quarantine: arguments.quarantine.map(|switch| switch == "on"),
            };
            change(update, &client, context).await
        }
        Identity::Enable(name) => set_active(name.identity, true, &client, context).await,
        Identity::Disable(name) => set_active(name.identity, false, &client, context).await,
        Identity::Delete(arguments) => delete(arguments, &client, context).await,
    }
}

fn binding(arguments: crate::cli::credential::Bind) -> IdentityBind {
    IdentityBind {
        identity: arguments.identity,
        uid: arguments.uid,
        exe_sha256: arguments.exe_sha256,
    }
}

/// An identity just made, for every format.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Created<'a>(&'a IdentityCreated);

impl Row for Created<'_> {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "access_token",
        "token_type",
        "expires_at",
        "identity.id",
        "identity.tenant",
        "identity.external_id",
        "identity.role",
        "identity.name",
        "identity.description",
        "identity.claims",
        "identity.is_active",
        "identity.quarantine",
        "identity.created_at",
        "identity.updated_at",
    ];
    const NAME: &'static str = "identity.id";
}

async fn create(arguments: cli::IdentityCreate, client: &Client, context: &Context) -> Outcome {
    let request = manushya_protocol::v1::identity::IdentityCreate {
        external_id: arguments.external_id,
        role: arguments.role,
        name: arguments.name,
        description: arguments.description,
        claims: object(&arguments.claims),
        token_ttl_seconds: arguments.token_ttl,
        quarantine: arguments.quarantine,
    };
    let made = call!(client, identity_create, request).await?;
    context.note_dry_run();
    show_created(&made, context)
}

/// Shows a new identity and its first token.
///
/// # Errors
///
/// If standard output cannot be written.
pub fn show_created(made: &IdentityCreated, context: &Context) -> Outcome {
    if !context.ui.is_table() {
        return context.ui.item(&Created(made));
    }
    let mut text = render::item(context.ui.format, &made.identity, &context.ui.human())?;
    if let Some(token) = &made.access_token {
        text.push_str(token.expose());
        text.push('\n');
    }
    context.ui.emit(&text)?;
    if let (Some(_), Some(end)) = (&made.access_token, made.expires_at) {
        token::note_once(context, end);
    }
    Ok(())
}

async fn list(arguments: &cli::IdentityList, client: &Client, context: &Context) -> Outcome {
    let is_active = match (arguments.active, arguments.disabled) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    context
        .list(&arguments.paging, async |page| {
            let role = arguments.role.clone();
            call!(
                client,
                identity_list,
                IdentityList {
                    role,
                    is_active,
                    page
                }
            )
            .await
        })
        .await
}

async fn show(client: &Client, identity: String) -> Outcome<IdentityView> {
    Ok(call!(client, identity_show, IdentityRef { identity }).await?)
}

async fn set_active(
    identity: String,
    is_active: bool,
    client: &Client,
    context: &Context,
) -> Outcome {
    let update = IdentityUpdate {
        identity,
        is_active: Some(is_active),
        ..Default::default()
    };
    change(update, client, context).await
}

async fn change(update: IdentityUpdate, client: &Client, context: &Context) -> Outcome {
    let changed = call!(client, identity_update, update).await?;
    context.note_dry_run();
    context.ui.item(&changed)
}

async fn delete(arguments: cli::IdentityDelete, client: &Client, context: &Context) -> Outcome {
    if !context.dry_run {
        // The name to type is the external id, also if the id was given.
        let identity = show(client, arguments.identity.clone()).await?;
        let what = format!("identity `{}`", identity.external_id);
        let given = arguments.confirm.as_deref();
        context
            .prompt
            .confirm_name(&what, &identity.external_id, given)?;
    }
    let request = IdentityRef {
        identity: arguments.identity,
    };
    let done = call!(client, identity_delete, request).await?;
    context.note_dry_run();
    context
        .ui
        .told(&done, || format!("{}: {}\n", done.id, done.outcome))
}
