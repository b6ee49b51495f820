//! The program `manushyad`.

use std::process::ExitCode;

fn main() -> ExitCode {
    manushyad::main_entry()
}
