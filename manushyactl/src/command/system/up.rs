//! `up`: starts the daemon beside this process and waits until it answers.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::v1::system::WhoAmI;
use serde::Serialize;

use super::private_folder;
use crate::cli::system::Up;
use crate::command::recovery::{self, RecoveryKey};
use crate::config::Origin;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::table;
use manushya_protocol::home::SOCKET_PATH_BYTES_MAX;

/// How long a start may take, and how long with a store that must be read in first.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_BIG: Duration = Duration::from_secs(30);
/// From which size on a store is a big one, in bytes.
const BIG_BYTES: u64 = 64 << 20;

/// What there is when the daemon is up.
#[derive(Debug, Serialize)]
struct Running {
    state: &'static str,
    version: String,
    pid: Option<u32>,
    socket: String,
    home: Option<String>,
    log: String,
    you: Option<WhoAmI>,
    /// Only where the home was made by this start.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<RecoveryKey>,
}

impl Row for Running {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "state",
        "version",
        "pid",
        "socket",
        "home",
        "log",
        "you",
        "recovery.recipient",
        "recovery.secret",
    ];
    const NAME: &'static str = "socket";
}

/// Starts the daemon unless it runs.
pub async fn run(arguments: &Up, context: &Context) -> Outcome {
    if let Ok(client) = context.connect_with(None).await {
        return show("already running", &client, None, context).await;
    }
    if !cfg!(feature = "embedded") {
        return Err(super::no_daemon());
    }
    let socket = &context.settings.socket.value;
    let length = socket.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        return Err(
            Stop::usage(format!("the path of the socket has {length} bytes"))
                .reason(format!(
                    "the system takes {SOCKET_PATH_BYTES_MAX}: {}",
                    socket.display()
                ))
                .hint("name a shorter one with --socket or MANUSHYA_SOCKET"),
        );
    }
    if context.dry_run {
        context.ui.note("dry run: the daemon would be started");
        return Ok(());
    }
    let recovery = recovery::for_new_home(context);
    let recipient = recovery.as_ref().map(RecoveryKey::recipient);
    let mut daemon = spawn(arguments, recipient, context)?;
    let client = wait(&mut daemon, context).await?;
    let recovery = recovery.filter(|key| key.is_of_home(context));
    show("started", &client, recovery, context).await
}

fn spawn(arguments: &Up, recovery: Option<&str>, context: &Context) -> Outcome<Child> {
    let failed = |error: std::io::Error| {
        Stop::new(ErrorCode::Internal, "cannot start the daemon").reason(error.to_string())
    };
    let path = context.settings.paths.log();
    private_folder(&context.settings.paths.state)?;
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| Stop::unwritable(&path, &error))?;
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    if let Some(config) = &context.settings.named_file {
        command.arg("--config").arg(absolute(config));
    }
    if context.settings.socket.origin != Origin::Default {
        command
            .arg("--socket")
            .arg(absolute(&context.settings.socket.value));
    }
    command.args(["daemon", "run"]);
    if let Some(file) = &arguments.passphrase_file {
        command.arg("--passphrase-file").arg(absolute(file));
    }
    if let Some(recipient) = recovery {
        command.args(["--recovery-recipient", recipient]);
    }
    command
        // A token is the client's business.
        .env_remove("MANUSHYA_TOKEN")
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log)
        .current_dir("/")
        .process_group(0)
        .spawn()
        .map_err(failed)
}

/// The path as seen from any folder, since the daemon leaves this one.
fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

async fn wait(daemon: &mut Child, context: &Context) -> Outcome<Client> {
    let started = Instant::now();
    let big = size_of(&context.settings.paths.data) > BIG_BYTES;
    let patience = context.patient(if big { PATIENCE_BIG } else { PATIENCE });
    let mut pause = Duration::from_millis(5);
    loop {
        if let Ok(client) = context.connect_with(None).await {
            return Ok(client);
        }
        if let Ok(Some(status)) = daemon.try_wait() {
            return Err(Stop::new(ErrorCode::Internal, "the daemon did not start")
                .reason(format!("{status}\n{}", last_lines(context)))
                .hint("manushyactl doctor, or: manushyactl up --foreground"));
        }
        if started.elapsed() > patience {
            let seconds = patience.as_secs();
            return Err(Stop::new(
                ErrorCode::DeadlineExceeded,
                format!("the daemon has not answered for {seconds} s; it was left running"),
            )
            .reason(last_lines(context))
            .hint("manushyactl status"));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}

/// The end of the daemon's log.
fn last_lines(context: &Context) -> String {
    let path = context.settings.paths.log();
    let tail = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(&path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
        let mut bytes = Vec::new();
        file.take(4096).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        Ok(lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    };
    match tail() {
        Ok(lines) if !lines.is_empty() => format!("{}:\n{lines}", path.display()),
        _ => format!("{} says nothing", path.display()),
    }
}

async fn show(
    state: &'static str,
    client: &Client,
    recovery: Option<RecoveryKey>,
    context: &Context,
) -> Outcome {
    let status = call!(client, status).await?;
    // That it runs is not that it serves.
    let sealed = status.state == "sealed";
    let running = Running {
        state: if sealed { "sealed" } else { state },
        version: status.version,
        pid: status.pid,
        socket: context.settings.socket.value.display().to_string(),
        home: status.home,
        log: context.settings.paths.log().display().to_string(),
        you: client.welcome().caller.clone(),
        recovery,
    };
    context.ui.told(&running, || words(&running))
}

fn words(running: &Running) -> String {
    let pid = running
        .pid
        .map(|pid| format!("  pid {pid}"))
        .unwrap_or_default();
    let mut rows = vec![
        (
            "daemon".to_owned(),
            format!("{}  {}{pid}", running.state, running.version),
        ),
        ("socket".to_owned(), running.socket.clone()),
    ];
    if let Some(home) = &running.home {
        rows.push(("data".to_owned(), home.clone()));
    }
    if let Some(you) = &running.you {
        let operator = if you.operator { "operator, " } else { "" };
        let text = format!(
            "{} ({operator}role {}, by {})",
            you.external_id, you.role, you.via
        );
        rows.push(("you".to_owned(), text));
    }
    let next = match running.state {
        "sealed" => "manushyactl unseal",
        _ => "manushyactl memory add \"Deploys go out on Tuesdays\"",
    };
    rows.push(("next".to_owned(), next.to_owned()));
    let mut text = table::pairs(&rows);
    if let Some(key) = &running.recovery {
        text.push_str(&key.words());
    }
    text
}
