//! The daemon inside this binary: the only file that names it.

use std::process::ExitCode;

use crate::cli::system::DaemonRun;
use crate::config::Origin;
use crate::context::Context;

/// Runs the daemon in this process until it is told to stop.
pub fn run(context: &Context, arguments: DaemonRun) -> ExitCode {
    let settings = &context.settings;
    manushyad::run(manushyad::RunOptions {
        home: settings.paths.home.clone(),
        config: settings.named_file.clone(),
        socket: (settings.socket.origin != Origin::Default).then(|| settings.socket.value.clone()),
        passphrase_file: arguments.passphrase_file,
        log_format: arguments.log_format,
    })
}
