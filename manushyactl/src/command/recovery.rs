//! The recovery key of a home: made here, shown once, and kept by whoever it is shown to. The daemon
//! is told its public half alone.

use std::io::IsTerminal as _;

use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::secret::RecoverySecret;
use manushya_protocol::v1::key::KeyRecoverySet;
use serde::Serialize;

use crate::cli::key::Recover;
use crate::context::{Context, call, read_text};
use crate::error::{Outcome, Stop};
use crate::ui::progress::eprint_line;
use crate::ui::render::{Column, Row};

/// The longest file of a recovery key, in bytes.
const KEY_BYTES_MAX: usize = 4096;

/// A recovery key, to be shown once.
#[derive(Debug, Serialize)]
pub struct RecoveryKey {
    recipient: String,
    secret: RecoverySecret,
}

impl Row for RecoveryKey {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &["recipient", "secret"];
    const NAME: &'static str = "recipient";
}

impl RecoveryKey {
    #[cfg(feature = "embedded")]
    fn generate() -> Self {
        let (recipient, secret) = crate::embedded::new_recovery_key();
        Self { recipient, secret }
    }

    /// Its public half.
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// Whether it is the one that the home was made with: another start may have come before.
    pub fn is_of_home(&self, context: &Context) -> bool {
        let path = context.settings.paths.data.join("keys/recovery.recipient");
        let named = std::fs::read_to_string(path).unwrap_or_default();
        named.trim() == self.recipient
    }

    /// What is told to people.
    pub fn words(&self) -> String {
        format!(
            "\nThe recovery key of this home, shown this once and stored nowhere. Keep it offline:\n\n  {}\n\n\
             If keys/identity.age-key or its passphrase is lost, it alone opens the home and its backups:\n  \
             manushyactl key recover --identity-file FILE\n",
            self.secret.expose()
        )
    }
}

/// A recovery key for a home that the next start will make; none if there is a home.
pub fn for_new_home(context: &Context) -> Option<RecoveryKey> {
    let keys = context.settings.paths.data.join("keys");
    let made = std::fs::read_dir(keys).is_ok_and(|mut entries| entries.next().is_some());
    #[cfg(feature = "embedded")]
    return (!made).then(RecoveryKey::generate);
    #[cfg(not(feature = "embedded"))]
    {
        let _ = made;
        None
    }
}

/// Shows the recovery key of a home that a start in this process will make, and returns its public
/// half. Where standard error is no terminal it may be a log, and no key is made: `doctor` says so.
pub fn in_front(context: &Context) -> Option<String> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let key = for_new_home(context)?;
    eprint_line(&key.words());
    Some(key.recipient)
}

/// Makes another recovery key for the home of a daemon that runs.
///
/// # Errors
///
/// What the daemon answers with.
#[cfg(feature = "embedded")]
pub async fn new(client: &Client, context: &Context) -> Outcome {
    let key = RecoveryKey::generate();
    let request = KeyRecoverySet {
        recipient: key.recipient.clone(),
    };
    let set = call!(client, key_recovery_set, request).await;
    match set {
        Ok(_) if context.dry_run => {
            context.note_dry_run();
            context.ui.emit("another recovery key would be made\n")
        }
        Ok(_) => context.ui.told(&key, || key.words()),
        // Whether it opens the home is not known: then it had better be kept.
        Err(error)
            if matches!(
                error.code,
                ErrorCode::Unreachable | ErrorCode::DeadlineExceeded | ErrorCode::AuditUnavailable
            ) =>
        {
            context.ui.told(&key, || key.words())?;
            Err(Stop::from(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Without the daemon in it this program makes no keys.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "embedded"))]
pub async fn new(_: &Client, _: &Context) -> Outcome {
    Err(super::system::no_daemon())
}

/// Makes a new identity for a home that lost its own.
///
/// # Errors
///
/// Exit code 7 if a daemon runs, 9 if the key is of another home.
#[cfg(feature = "embedded")]
pub fn recover(arguments: &Recover, context: &Context) -> Outcome {
    let path = &arguments.identity_file;
    let text = read_text(path, KEY_BYTES_MAX, "a recovery key")?;
    let key = RecoverySecret::of_text(text);
    if context.dry_run {
        context
            .ui
            .note("dry run: the home would get a new identity and a new root");
        return Ok(());
    }
    let given = (path.as_path(), key.expose().as_bytes());
    let passphrase = arguments
        .passphrase_file
        .as_ref()
        .map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    let recovered = crate::embedded::recover(context, given, passphrase)?;
    context.ui.told(&recovered, || {
        let lock = match recovered.0.locked {
            true => "locked by the passphrase",
            false => "in the clear, for its owner only",
        };
        format!(
            "recovered: {} is a new identity, {lock}; the lost one opens this home no more\n\
             root epoch {}; the recovery key stays the one you hold\nnext: manushyactl up\n",
            recovered.0.identity, recovered.0.root_epoch
        )
    })
}

#[cfg(feature = "embedded")]
impl Row for crate::embedded::Recovered {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &["home", "identity", "locked", "root_epoch"];
    const NAME: &'static str = "identity";
}

/// Without the daemon in it this program opens no home.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "embedded"))]
pub fn recover(_: &Recover, _: &Context) -> Outcome {
    Err(super::system::no_daemon())
}
