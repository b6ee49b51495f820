//! The administrator's live dashboard of Manushya.

fn main() -> std::process::ExitCode {
    manushya_tui::main_entry()
}
