//! The administrator's live dashboard: what happens now, why, and what the command line does.
//!
//! `update` turns what happens into changes of the model and wishes; `view` draws the model; `runtime`
//! does what is wished for.

mod connect;
mod effect;
mod keymap;
mod model;
mod msg;
mod runtime;
#[cfg(test)]
mod tests;
mod text;
mod update;
mod view;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use connect::{Flags, Target};
use manushya_protocol::error::{ErrorCode, WireError};
use model::{Settings, Theme};
use runtime::Options;

/// The live dashboard of the Manushya daemon of this machine.
///
/// It starts read-only; ctrl-w allows changes for ten minutes. `?` shows the keys.
#[derive(Debug, Parser)]
#[command(name = "manushya-tui", version, max_term_width = 100)]
struct Cli {
    /// Socket of the daemon [env: MANUSHYA_SOCKET]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// File that holds the access token; MANUSHYA_TOKEN holds the token itself [env:
    /// MANUSHYA_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Tenant to work in, by name [env: MANUSHYA_TENANT]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Configuration file to read [env: MANUSHYA_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Never allow changes, not even with ctrl-w
    #[arg(long)]
    read_only: bool,
    /// Draw with ASCII signs only
    #[arg(long)]
    ascii: bool,
    /// How to draw; NO_COLOR takes mono
    #[arg(long, value_name = "NAME", value_parser = ["terminal", "dark", "light", "high-contrast", "mono"])]
    theme: Option<String>,
    /// Print what changes line by line instead of drawing, for screen readers and logs
    #[arg(long)]
    linear: bool,
    /// Send nothing to the terminal's clipboard
    #[arg(long)]
    no_osc52: bool,
    /// Write what happens to a new file, without texts and secrets
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Show what --record wrote again; space pauses, q ends
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Panic when this key is pressed, to see the terminal restored
    #[arg(long, hide = true, value_name = "CHAR")]
    danger_panic_on: Option<char>,
}

impl Cli {
    fn settings(&self, target: &Target) -> Settings {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let named = self
            .theme
            .as_deref()
            .and_then(|name| Theme::ALL.iter().find(|(known, _)| *known == name));
        let theme = match named {
            Some((_, theme)) => *theme,
            None if no_color => Theme::Mono,
            None => Theme::Terminal,
        };
        Settings {
            tenant: target.tenant.clone(),
            read_only: self.read_only,
            ascii: self.ascii,
            theme,
            zone: jiff::tz::TimeZone::system(),
            no_osc52: self.no_osc52,
            is_replay: self.replay.is_some(),
        }
    }
}

/// Runs the dashboard of this process and says what to exit with.
pub fn main_entry() -> ExitCode {
    let cli = Cli::parse();
    let flags = Flags {
        socket: cli.socket.clone(),
        token_file: cli.token_file.clone(),
        tenant: cli.tenant.clone(),
        config: cli.config.clone(),
    };
    let ran = Target::resolve(flags).and_then(|target| {
        let settings = cli.settings(&target);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                WireError::new(ErrorCode::Internal, "cannot start").reason(error.to_string())
            })?;
        let options = Options {
            target,
            settings,
            record: cli.record,
            replay: cli.replay,
            linear: cli.linear,
            panic_on: cli.danger_panic_on,
        };
        let ended = runtime.block_on(runtime::run(options));
        runtime.shutdown_background();
        ended
    });
    match ran {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell(&error);
            ExitCode::from(error.code.exit())
        }
    }
}

/// The keys as Markdown, for the documentation.
pub fn keys_markdown() -> String {
    keymap::markdown()
}

/// Writes an error to standard error; nobody is left to tell if that fails.
fn tell(error: &WireError) {
    let mut text = format!("error: {}\n", error.message);
    for (label, part) in [("why", &error.reason), ("fix", &error.hint)] {
        if let Some(part) = part {
            text.push_str(&format!("  {label}: {part}\n"));
        }
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}
