//! `seal` and `unseal`.

use std::time::{Duration, Instant};

use manushya_protocol::error::ErrorCode;
use manushya_protocol::limits;
use manushya_protocol::secret::Passphrase;
use manushya_protocol::v1::common::Done;
use manushya_protocol::v1::seal::Unseal as Request;

use crate::cli::system::Unseal;
use crate::context::{Context, call, read_text};
use crate::error::{Outcome, Stop};

/// How long opening may take, at the least: the whole store is read in.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it may take from one state to the other, at the least.
const TURNING: Duration = Duration::from_secs(15);

/// Drops every key from the daemon's memory.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn seal(context: &Context) -> Outcome {
    let client = context.connect().await?;
    let done = match call!(client, seal).await {
        // It closes every connection, this one too, and may do so before its answer has left.
        Err(error) if error.code == ErrorCode::Unreachable => done("sealed"),
        answer => answer?,
    };
    context.note_dry_run();
    if !context.dry_run {
        drop(client);
        await_state("sealed", context).await?;
    }
    context.ui.told(&done, || match context.dry_run {
        true => "the daemon would be sealed\n".to_owned(),
        false => "sealed: no key is in memory, and nothing is served\nto open it again: \
                  manushyactl unseal\n"
            .to_owned(),
    })
}

fn done(outcome: &str) -> Done {
    Done {
        id: "daemon".to_owned(),
        outcome: outcome.to_owned(),
    }
}

/// Waits until the daemon says itself that it is there.
async fn await_state(wanted: &str, context: &Context) -> Outcome {
    let started = Instant::now();
    while started.elapsed() < context.patient(TURNING) {
        // On the way there it serves nobody for a moment.
        if let Ok(client) = context.connect_with(None).await
            && let Ok(status) = call!(client, status).await
            && status.state == wanted
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let message = format!("the daemon does not say that it is {wanted}");
    Err(Stop::new(ErrorCode::DeadlineExceeded, message)
        .reason("it may still hold keys, or have ended")
        .hint(
            "manushyactl status; a daemon that will not be sealed can be killed: it stays sealed",
        ))
}

/// Opens a sealed daemon again.
///
/// # Errors
///
/// What the daemon answers with; then it is still sealed.
pub async fn unseal(arguments: &Unseal, context: &Context) -> Outcome {
    let request = Request {
        passphrase: match &arguments.passphrase_file {
            None => None,
            Some(path) => {
                let text = read_text(path, limits::PASSPHRASE_BYTES_MAX, "a passphrase")?;
                Some(Passphrase::of_text(&text))
            }
        },
    };
    let client = context
        .connect_with(None)
        .await?
        .with_timeout(context.patient(PATIENCE));
    let done = match call!(client, unseal, request).await {
        Err(error) if error.code == ErrorCode::Unreachable => done("unsealed"),
        answer => answer?,
    };
    context.note_dry_run();
    if !context.dry_run {
        drop(client);
        await_state("serving", context).await?;
    }
    context.ui.told(&done, || format!("{}\n", done.outcome))
}
