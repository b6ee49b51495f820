//! `backup create verify restore list forget`.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use data_encoding::BASE64;
use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::unit::parse_duration_seconds;
use manushya_protocol::v1::backup::{BackupCreate, BackupRef};
use serde::Serialize;

use crate::cli::backup::{Backup, Create};
use crate::command::sink::{open, partial_name};
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::time;

/// How long one chunk may take at the least.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// A backup that was taken.
#[derive(Debug, Serialize)]
struct Taken {
    id: String,
    file: String,
    records: u64,
    bytes: u64,
    seconds: f64,
    recipients: Vec<String>,
}

impl Row for Taken {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] =
        &["id", "file", "records", "bytes", "seconds", "recipients"];
    const NAME: &'static str = "id";
}

/// Runs a verb of `backup`.
///
/// # Errors
///
/// What the daemon or the disk says.
pub async fn run(verb: Backup, context: &Context) -> Outcome {
    match verb {
        Backup::Create(arguments) => create(&arguments, context).await,
        Backup::Verify(arguments) => offline::verify(&arguments, context).await,
        Backup::Restore(arguments) => offline::restore(&arguments, context).await,
        Backup::List => {
            let client = context.connect().await?;
            let listed = call!(client, backup_list).await?;
            context.ui.list(&listed.items, None, listed.total)
        }
        Backup::Forget(arguments) => {
            let id = arguments
                .id
                .parse()
                .map_err(|error| Stop::usage(format!("{error}")))?;
            let client = context.connect().await?;
            let done = call!(client, backup_forget, BackupRef { id }).await?;
            context.note_dry_run();
            context.ui.item(&done)
        }
    }
}

fn refuse_existing(path: &Path) -> Result<(), Stop> {
    if path.exists() {
        return Err(
            Stop::new(ErrorCode::Conflict, format!("`{}` exists", path.display()))
                .reason("a backup is never written over another file")
                .hint("name a new file"),
        );
    }
    Ok(())
}

async fn create(arguments: &Create, context: &Context) -> Outcome {
    let path = &arguments.file;
    refuse_existing(path)?;
    let keep_seconds = arguments
        .keep
        .as_deref()
        .map(parse_duration_seconds)
        .transpose()
        .map_err(|error| Stop::usage("--keep is no duration").reason(error.to_string()))?;
    let client = context
        .connect()
        .await?
        .with_timeout(context.patient(PATIENCE));
    let request = BackupCreate {
        recipients: arguments.recipient.clone(),
        keep_seconds,
    };
    let started = call!(client, backup_create, request).await?;
    let mut taken = Taken {
        id: started.id.to_string(),
        file: path.display().to_string(),
        records: 0,
        bytes: 0,
        seconds: 0.0,
        recipients: started.recipients,
    };
    if context.dry_run {
        context.note_dry_run();
        return context.ui.item(&taken);
    }
    let partial = partial_name(path);
    let mut file = open(&partial)?;
    let mut progress = context.ui.progress("backup", Some(started.records));
    let read = stream(
        &client,
        BackupRef { id: started.id },
        &mut file,
        |records, bytes| {
            taken.records = records;
            taken.bytes = bytes;
            progress.at(records, || {
                format!("{} records, {} MiB", time::count(records), bytes >> 20)
            });
        },
    )
    .await;
    progress.finish();
    // What is not whole must not lie about under the name of a backup.
    let finished = read.and_then(|()| {
        file.sync_all()
            .and_then(|()| std::fs::rename(&partial, path))
            .map_err(|error| Stop::unwritable(path, &error))
    });
    if let Err(stop) = finished {
        let _ = std::fs::remove_file(&partial);
        return Err(stop);
    }
    taken.seconds = progress.seconds();
    context.ui.told(&taken, || {
        format!(
            "backup {} in {}: {}, {} KiB\nverify it: manushyactl backup verify {}\n",
            taken.id,
            taken.file,
            time::things(taken.records, "record", "records"),
            taken.bytes.div_ceil(1024),
            taken.file,
        )
    })
}

/// Reads a backup to its end; `told` hears how far it is.
async fn stream(
    client: &Client,
    backup: BackupRef,
    file: &mut File,
    mut told: impl FnMut(u64, u64),
) -> Outcome {
    let mut bytes = 0;
    loop {
        let chunk = call!(client, backup_read, backup.clone()).await?;
        let data = BASE64.decode(chunk.data.as_bytes()).map_err(|error| {
            Stop::new(ErrorCode::Internal, "the daemon sent no backup").reason(error.to_string())
        })?;
        bytes += data.len() as u64;
        file.write_all(&data).map_err(|error| {
            Stop::new(ErrorCode::Internal, "the backup cannot be written").reason(error.to_string())
        })?;
        told(chunk.records, bytes);
        if chunk.done {
            return Ok(());
        }
    }
}

/// What needs no daemon: the code of one in this program.
#[cfg(feature = "embedded")]
mod offline {
    use super::{Context, Outcome};
    use crate::cli::backup::{Restore, Verify};
    use crate::embedded::{self, Restored};
    use crate::ui::render::{Column, Row};
    use crate::ui::time;

    impl Row for Restored {
        const COLUMNS: &'static [Column] = &[];
        const FIELDS: &'static [&'static str] = &[
            "backup",
            "created_at",
            "home",
            "release",
            "directory",
            "memories",
            "audit",
            "erased",
            "ledgers",
            "erased_again",
            "signed_by",
            "key_was_known",
            "restored_to",
            "audit_before",
            "set_aside",
        ];
        const NAME: &'static str = "backup";
    }

    pub async fn verify(arguments: &Verify, context: &Context) -> Outcome {
        let job = embedded::restore_job(context, &arguments.opening);
        let restored = work(context, "verify", move |told| job.verify(told)).await?;
        context.ui.told(&restored, || words(&restored))
    }

    pub async fn restore(arguments: &Restore, context: &Context) -> Outcome {
        let mut job = embedded::restore_job(context, &arguments.opening);
        job.restore_into(arguments.into.clone());
        job.ledgers(arguments.ledger.clone());
        job.keep_tokens(arguments.keep_tokens);
        if context.dry_run {
            let restored = work(context, "verify", move |told| job.rehearse(told)).await?;
            context.note_dry_run();
            return context.ui.told(&restored, || words(&restored));
        }
        let restored = work(context, "restore", move |told| job.restore(told)).await?;
        context.ui.told(&restored, || words(&restored))
    }

    async fn work(
        context: &Context,
        what: &'static str,
        run: impl FnOnce(&mut dyn FnMut(u64)) -> Outcome<Restored> + Send + 'static,
    ) -> Outcome<Restored> {
        let mut progress = context.ui.progress(what, None);
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let job = tokio::task::spawn_blocking(move || {
            run(&mut |bytes| {
                // Nobody is there to tell once the command is done.
                let _ = sender.send(bytes);
            })
        });
        while let Some(bytes) = receiver.recv().await {
            progress.at(bytes, || format!("{} MiB", bytes >> 20));
        }
        progress.finish();
        job.await.map_err(|error| {
            crate::error::Stop::new(manushya_protocol::error::ErrorCode::Internal, "it stopped")
                .reason(error.to_string())
        })?
    }

    fn words(restored: &Restored) -> String {
        let what = &restored.0;
        let mut text = format!(
            "ok: {} of {}, {}, {} and {} of the directory\nsigned by {}{}\n",
            what.backup,
            what.created_at,
            time::things(what.memories, "memory version", "memory versions"),
            time::things(what.audit, "audit entry", "audit entries"),
            time::things(what.directory, "record", "records"),
            what.signed_by,
            if what.key_was_known {
                ""
            } else {
                " (not checked against a key known here: give --key)"
            }
        );
        if let Some(folder) = &what.restored_to {
            text.push_str(&format!(
                "restored to {folder}; {} made since were done again\n",
                time::things(what.erased_again, "erasure", "erasures")
            ));
            if what.ledgers == 0 {
                text.push_str(
                    "no erasure ledger of that home was at hand: what was erased after the backup \
                     is back. To do those erasures again, restore with --ledger FILE or \
                     --from-home DIR\n",
                );
            }
            if let Some(before) = what.audit_before.filter(|before| *before > what.audit) {
                text.push_str(&format!(
                    "the audit log goes back: it was anchored up to entry {}, and has {}\n",
                    time::count(before),
                    time::count(what.audit)
                ));
            }
            for path in &what.set_aside {
                text.push_str(&format!(
                    "what was known of the log before is kept: {path}\n"
                ));
            }
        }
        text
    }
}

#[cfg(not(feature = "embedded"))]
mod offline {
    use super::{Context, Outcome};
    use crate::cli::backup::{Restore, Verify};

    pub async fn verify(_: &Verify, _: &Context) -> Outcome {
        Err(crate::command::system::no_daemon())
    }

    pub async fn restore(_: &Restore, _: &Context) -> Outcome {
        Err(crate::command::system::no_daemon())
    }
}
