//! The administrator's view of Manushya: connects and prints how the daemon is.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use manushya_protocol::client::{Client, Connect};
use manushya_protocol::error::WireError;
use manushya_protocol::exit;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::v1::system::Status;

/// Shows how the Manushya daemon of this machine is.
#[derive(Debug, Parser)]
#[command(name = "manushya-tui", version)]
struct Cli {
    /// Socket of the daemon
    #[arg(long, env = "MANUSHYA_SOCKET", value_name = "PATH")]
    socket: Option<PathBuf>,
    /// File that holds the access token; MANUSHYA_TOKEN holds the token itself
    #[arg(long, env = "MANUSHYA_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let token = match token(&cli) {
        Ok(token) => token,
        Err(reason) => {
            tell(&format!(
                "error: cannot read the token file\n  why: {reason}"
            ));
            return ExitCode::from(exit::USAGE);
        }
    };
    let socket = cli
        .socket
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or_else(socket);
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("error: cannot start: {error}"));
            return ExitCode::from(exit::FAILURE);
        }
    };
    match runtime.block_on(status(socket, token)) {
        Ok(status) => match std::io::stdout().write_all(words(&status).as_bytes()) {
            // Whoever reads it may stop reading.
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(exit::FAILURE),
        },
        Err(error) => {
            tell(&format!("error: {}", error.message));
            for (label, text) in [("why", &error.reason), ("fix", &error.hint)] {
                if let Some(text) = text {
                    tell(&format!("  {label}: {text}"));
                }
            }
            ExitCode::from(error.code.exit())
        }
    }
}

/// Writes to standard error; nobody is left to tell if that fails.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The default socket: under `MANUSHYA_HOME`, else where XDG puts it.
fn socket() -> PathBuf {
    let folder = variable("MANUSHYA_HOME").map(|home| home.join("run"));
    let folder = folder.or_else(|| variable("XDG_RUNTIME_DIR").map(|run| run.join("manushya")));
    let folder = folder.unwrap_or_else(|| {
        let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
        let state = variable("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state"));
        state.join("manushya/run")
    });
    folder.join("manushyad.sock")
}

fn token(cli: &Cli) -> std::io::Result<Option<BearerToken>> {
    let text = match (
        std::env::var("MANUSHYA_TOKEN").unwrap_or_default(),
        &cli.token_file,
    ) {
        (text, _) if !text.is_empty() => text,
        (_, Some(path)) if !path.as_os_str().is_empty() => std::fs::read_to_string(path)?,
        _ => return Ok(None),
    };
    Ok(Some(BearerToken::new(&text)).filter(|token| !token.is_empty()))
}

async fn status(socket: PathBuf, token: Option<BearerToken>) -> Result<Status, WireError> {
    let client = Client::connect(Connect {
        client: concat!("manushya-tui/", env!("CARGO_PKG_VERSION")).to_owned(),
        token,
        timeout: Duration::from_secs(5),
        ..Connect::new(socket)
    })
    .await?;
    client
        .call(|api, context, call| async move { api.status(context, call).await })
        .await
}

fn words(status: &Status) -> String {
    let mut text = format!(
        "daemon     {} {}, up {} s\n",
        status.state, status.version, status.uptime_seconds
    );
    if let Some(home) = &status.home {
        text.push_str(&format!("data       {home}\n"));
    }
    if let Some(host) = &status.host {
        text.push_str(&format!(
            "memories   {}\nidentities {} in {} tenants, {} tokens\npolicies   {}\n\
             audit      {} entries, root {}\nstore      {} bytes\n",
            host.memories,
            host.identities,
            host.tenants,
            host.tokens,
            host.policies,
            host.audit_size,
            host.audit_root,
            host.store_bytes
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use manushya_protocol::v1::system::HostStatus;

    use super::*;

    #[test]
    fn command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn counts_are_shown_only_if_they_are_known() {
        let mut status = Status {
            state: "serving".into(),
            ..Status::default()
        };
        assert_eq!(words(&status).lines().count(), 1);
        status.host = Some(HostStatus {
            memories: 42,
            ..HostStatus::default()
        });
        assert!(words(&status).contains("memories   42"));
    }
}
