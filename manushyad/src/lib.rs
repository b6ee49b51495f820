//! The Manushya daemon as a library: `main.rs` and `manushyactl up` are thin callers of it.

mod app;
pub mod auth;
pub mod config;
pub mod embed;
pub mod index;
pub mod jobs;
pub mod os;
pub mod port;
pub mod rpc;
pub mod service;
pub mod store;
pub mod vault;

use std::process::ExitCode;

pub use app::recover::{Recovered, recover};
pub use app::restore::{
    RestoreOptions, RestoreReport, rehearse as rehearse_restore, restore as restore_backup,
    verify as verify_backup,
};
pub use config::RunOptions;

/// Runs the daemon until it is told to stop.
pub fn run(options: RunOptions) -> ExitCode {
    app::run(&options)
}

/// The whole of the program `manushyad`: reads the command line and runs.
pub fn main_entry() -> ExitCode {
    app::flags::run()
}
