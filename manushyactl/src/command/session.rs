//! `login`, `logout` and `session list revoke`.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::TokenId;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::session::{SessionList, SessionOpen, SessionRef};
use serde::Serialize;

use crate::cli::credential::{Login, Logout, Session};
use crate::context::session::Held;
use crate::context::{Context, call, ids};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::time;

/// Runs a verb of `session`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Session, context: &Context) -> Outcome {
    let client = context.connect().await?;
    match verb {
        Session::List(arguments) => {
            context
                .list(&arguments.paging, async |page| {
                    let request = SessionList {
                        identity: arguments.identity.clone(),
                        all_states: arguments.all_states,
                        page,
                    };
                    call!(client, session_list, request).await
                })
                .await
        }
        Session::Revoke(arguments) => {
            super::each(context, &ids(&arguments.ids)?, async |id| {
                let id: TokenId = id
                    .parse()
                    .map_err(|error| Stop::usage(format!("{error}")))?;
                let done = call!(client, session_revoke, SessionRef { id: Some(id) }).await?;
                context.note_dry_run();
                context
                    .ui
                    .told(&done, || format!("{}: {}\n", done.id, done.outcome))
            })
            .await
        }
    }
}

/// A session just opened, without its secrets: those went to the file.
#[derive(Debug, Serialize)]
struct Opened {
    id: TokenId,
    identity: String,
    expires_at: UnixMillis,
    session_ends_at: UnixMillis,
}

impl Row for Opened {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &["id", "identity", "expires_at", "session_ends_at"];
    const NAME: &'static str = "id";
}

/// Logs in: opens a session with the credential at hand and keeps it.
///
/// # Errors
///
/// `CONFLICT` if there is a session already, or what the daemon answers with.
pub async fn login(arguments: Login, context: &Context) -> Outcome {
    let mut held = Held::take(context).await?;
    if let Some(kept) = &held.kept {
        let message = format!("you are logged in as {} already", kept.identity);
        return Err(Stop::new(ErrorCode::Conflict, message)
            .reason("one session is kept for a user and a home")
            .hint("manushyactl logout"));
    }
    let client = context.connect_with(context.token()?).await?;
    let request = SessionOpen {
        identity: arguments.identity,
        label: arguments.label,
        ttl_seconds: arguments.ttl,
    };
    let tokens = call!(client, session_open, request).await?;
    context.note_dry_run();
    let opened = Opened {
        id: tokens.id,
        identity: tokens.identity.clone(),
        expires_at: tokens.expires_at,
        session_ends_at: tokens.session_ends_at,
    };
    if !context.dry_run {
        held.keep(tokens, &context.settings.socket.value)?;
    }
    context.ui.told(&opened, || {
        let end = time::full(opened.session_ends_at, time::now());
        format!("logged in as {}; the session ends {end}\n", opened.identity)
    })
}

/// A session that was ended.
#[derive(Debug, Serialize)]
struct Ended {
    id: Option<TokenId>,
    outcome: &'static str,
}

impl Row for Ended {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &["id", "outcome"];
    const NAME: &'static str = "id";
}

/// Logs out: ends the session and forgets it.
///
/// # Errors
///
/// What the daemon answers with; a session that has ended already is no error.
pub async fn logout(arguments: Logout, context: &Context) -> Outcome {
    if arguments.forget && !context.dry_run {
        // Whatever the file says, it goes.
        let path = context.settings.paths.state.join("session.json");
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Stop::unwritable(&path, &error));
            }
            _ => {}
        }
        return told(context, None, "forgotten");
    }
    let mut held = Held::take(context).await?;
    let Some(id) = held.kept.as_ref().map(|kept| kept.id) else {
        return Err(Stop::new(ErrorCode::NotFound, "you are not logged in")
            .reason("there is no session file")
            .hint("manushyactl login"));
    };
    let outcome = match end(&mut held, context).await {
        Ok(()) => "logged out",
        Err(Stop::Error(error)) if is_over(&error) => "had ended already",
        Err(stop) => return Err(stop),
    };
    context.note_dry_run();
    if !context.dry_run {
        held.forget()?;
    }
    told(context, Some(id), outcome)
}

fn told(context: &Context, id: Option<TokenId>, outcome: &'static str) -> Outcome {
    let ended = Ended { id, outcome };
    context.ui.told(&ended, || format!("{outcome}\n"))
}

fn is_over(error: &WireError) -> bool {
    error.code == ErrorCode::Unauthenticated
}

async fn end(held: &mut Held, context: &Context) -> Outcome {
    let token = held.access_token(context).await?;
    let client = context.connect_with(token).await?;
    call!(client, session_revoke, SessionRef { id: None }).await?;
    Ok(())
}
