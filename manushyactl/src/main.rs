//! The operator's command line of Manushya.

fn main() -> std::process::ExitCode {
    manushyactl::main_entry()
}
