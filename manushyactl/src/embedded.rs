//! The daemon inside this binary: the only file that names it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use manushya_protocol::secret::RecoverySecret;

use crate::cli::backup::Opening;
use crate::cli::system::DaemonRun;
use crate::config::Origin;
use crate::context::Context;
use crate::error::{Outcome, Stop};

/// Runs the daemon in this process until it is told to stop.
pub fn run(context: &Context, arguments: DaemonRun) -> ExitCode {
    let settings = &context.settings;
    manushyad::run(manushyad::RunOptions {
        home: settings.paths.home.clone(),
        config: settings.named_file.clone(),
        socket: (settings.socket.origin != Origin::Default).then(|| settings.socket.value.clone()),
        passphrase_file: arguments.passphrase_file,
        recovery_recipient: arguments.recovery_recipient,
        log_format: arguments.log_format,
    })
}

/// Makes a recovery key: its public half, and the secret one.
pub fn new_recovery_key() -> (String, RecoverySecret) {
    let key = manushyad::vault::RecoveryKey::generate();
    (key.recipient(), key.secret())
}

/// What a recovery came to.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub struct Recovered(pub manushyad::Recovered);

/// Makes a new identity for the home of this command, with its recovery key.
///
/// # Errors
///
/// What is in the way.
pub fn recover(
    context: &Context,
    (name, key): (&Path, &[u8]),
    passphrase_file: Option<PathBuf>,
) -> Outcome<Recovered> {
    let settings = &context.settings;
    let options = manushyad::RunOptions {
        home: settings.paths.home.clone(),
        config: settings.named_file.clone(),
        passphrase_file,
        ..manushyad::RunOptions::default()
    };
    Ok(manushyad::recover(&options, name, key).map(Recovered)?)
}

/// What a restore or its proof came to.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub struct Restored(pub manushyad::RestoreReport);

/// A backup to be verified or restored.
pub struct RestoreJob(manushyad::RestoreOptions);

/// Prepares work on a backup with the home of this command.
pub fn restore_job(context: &Context, opening: &Opening) -> RestoreJob {
    let settings = &context.settings;
    RestoreJob(manushyad::RestoreOptions {
        run: manushyad::RunOptions {
            home: settings.paths.home.clone(),
            config: settings.named_file.clone(),
            passphrase_file: opening.passphrase_file.clone(),
            ..manushyad::RunOptions::default()
        },
        file: opening.file.clone(),
        identity: opening.identity.clone(),
        from_home: opening.from_home.clone(),
        key: opening.key.clone(),
        ..manushyad::RestoreOptions::default()
    })
}

impl RestoreJob {
    /// Names another home to restore into.
    pub fn restore_into(&mut self, home: Option<PathBuf>) {
        self.0.into = home;
    }

    /// Names further copies of the erasure ledger.
    pub fn ledgers(&mut self, ledgers: Vec<PathBuf>) {
        self.0.ledgers = ledgers;
    }

    /// Says whether access tokens stay good.
    pub fn keep_tokens(&mut self, keep: bool) {
        self.0.keep_tokens = keep;
    }

    /// Proves that it restores.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Outcome<Restored> {
        Ok(manushyad::verify_backup(&self.0, progress).map(Restored)?)
    }

    /// Says what restoring it would come to.
    ///
    /// # Errors
    ///
    /// What is in the way.
    pub fn rehearse(&self, progress: &mut dyn FnMut(u64)) -> Outcome<Restored> {
        Ok(manushyad::rehearse_restore(&self.0, progress).map(Restored)?)
    }

    /// Restores it.
    ///
    /// # Errors
    ///
    /// What is in the way.
    pub fn restore(&self, progress: &mut dyn FnMut(u64)) -> Outcome<Restored> {
        Ok(manushyad::restore_backup(&self.0, progress).map(Restored)?)
    }
}

/// A stream that is encrypted to age recipients.
pub struct Encrypted(manushyad::vault::AgeWriter<Box<dyn Write + Send>>);

impl Encrypted {
    /// Starts the stream.
    ///
    /// # Errors
    ///
    /// A usage error for what is no recipient.
    pub fn new(recipients: &[String], out: Box<dyn Write + Send>) -> Outcome<Self> {
        let writer = manushyad::vault::AgeWriter::new(recipients, out);
        writer.map(Self).map_err(|error| {
            Stop::usage("it cannot be encrypted")
                .reason(error.to_string())
                .hint("a recipient is the public half of an age identity: age1...")
        })
    }

    /// Writes a part.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Ends the stream; without this, whoever opens it sees that it is cut.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn finish(self) -> std::io::Result<()> {
        self.0.finish()?.flush()
    }
}
