//! The command line under a name that integration tests of this package can find.

fn main() -> std::process::ExitCode {
    manushyactl::main_entry()
}
