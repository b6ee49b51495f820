//! The daemon under a name that integration tests of this package can find.

fn main() -> std::process::ExitCode {
    manushyad::main_entry()
}
