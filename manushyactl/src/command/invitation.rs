//! `identity invite`, `enroll` and `invitation list show revoke resend`.

use manushya_protocol::id::InvitationId;
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::v1::invitation::{Enroll, InvitationList, InvitationRef, Invite, Invited};
use serde::Serialize;

use super::identity;
use super::token::write_private;
use crate::cli::args::OutFile;
use crate::cli::credential::{self as cli, Invitation};
use crate::context::{Context, call, text_argument};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::time;

fn named(id: &str) -> Outcome<InvitationRef> {
    let id: InvitationId = id
        .parse()
        .map_err(|error| Stop::usage(format!("{error}")))?;
    Ok(InvitationRef { id })
}

/// Runs a verb of `invitation`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Invitation, context: &Context) -> Outcome {
    let client = context.connect().await?;
    match verb {
        Invitation::List(arguments) => {
            context
                .list(&arguments.paging, async |page| {
                    let all_states = arguments.all_states;
                    call!(client, invitation_list, InvitationList { all_states, page }).await
                })
                .await
        }
        Invitation::Show(name) => {
            let request = named(&name.id)?;
            context
                .ui
                .item(&call!(client, invitation_show, request).await?)
        }
        Invitation::Revoke(name) => {
            let request = named(&name.id)?;
            let done = call!(client, invitation_revoke, request).await?;
            context.note_dry_run();
            context
                .ui
                .told(&done, || format!("{}: {}\n", done.id, done.outcome))
        }
        Invitation::Resend(arguments) => {
            let request = named(&arguments.id)?;
            let invited = call!(client, invitation_resend, request).await?;
            show(invited, &arguments.file, context)
        }
    }
}

/// Runs `identity invite`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn invite(arguments: cli::Invite, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let request = Invite {
        role: arguments.role,
        external_id: arguments.external_id,
        label: arguments.label,
        ttl_seconds: arguments.ttl,
        token_ttl_seconds: arguments.token_ttl,
    };
    let invited = call!(client, identity_invite, request).await?;
    show(invited, &arguments.file, context)
}

/// An invitation with its code, for every format.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown<'a>(&'a Invited);

impl Row for Shown<'_> {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "code",
        "id",
        "expires_at",
        "invitation.role",
        "invitation.external_id",
        "invitation.label",
        "invitation.state",
        "invitation.invited_by",
        "invitation.created_at",
    ];
    const NAME: &'static str = "id";
}

fn show(mut invited: Invited, file: &OutFile, context: &Context) -> Outcome {
    context.note_dry_run();
    let code = invited.code.clone();
    if let (Some(path), Some(code)) = (&file.out, &code) {
        write_private(path, format!("{}\n", code.expose()).as_bytes())?;
        context
            .ui
            .note(&format!("written to {} (mode 0600)", path.display()));
        // It went to the file and nowhere else.
        invited.code = None;
    } else if let Some(code) = code.filter(|_| context.ui.is_table()) {
        context.ui.line(code.expose())?;
        let end = time::full(invited.expires_at, time::now());
        context.ui.note(&format!(
            "the code of {} is shown this once; it ends {end}",
            invited.id
        ));
        return Ok(());
    }
    context
        .ui
        .told(&Shown(&invited), || format!("{}\n", invited.id))
}

/// Runs `enroll`.
///
/// # Errors
///
/// A usage error if there is no code, or what the daemon answers with.
pub async fn enroll(arguments: cli::Enroll, context: &Context) -> Outcome {
    let code = match &arguments.code {
        Some(code) => text_argument(code, limits::TOKEN_BYTES_MAX, "an enrolment code")?,
        None => context.enrolment_code().ok_or_else(|| {
            Stop::usage("no enrolment code")
                .reason("neither an argument nor MANUSHYA_ENROLMENT_CODE holds one")
                .hint("manushyactl enroll - < FILE")
        })?,
    };
    let request = Enroll {
        code: BearerToken::new(&code),
        external_id: arguments.external_id,
        name: arguments.name,
    };
    if context.dry_run {
        return Err(Stop::usage("an enrolment cannot be tried")
            .reason("the code would be used up")
            .hint("manushyactl invitation show ID"));
    }
    // The code is the credential; whoever else one is does not matter.
    let client = context.connect_with(None).await?;
    let mut made = call!(client, enroll, request).await?;
    if let (Some(path), Some(token)) = (&arguments.file.out, &made.access_token) {
        write_private(path, format!("{}\n", token.expose()).as_bytes())?;
        context
            .ui
            .note(&format!("written to {} (mode 0600)", path.display()));
        made.access_token = None;
    }
    identity::show_created(&made, context)
}
