//! The program `manushya-tui`, built where the end-to-end tests can name it.

fn main() -> std::process::ExitCode {
    manushya_tui::main_entry()
}
