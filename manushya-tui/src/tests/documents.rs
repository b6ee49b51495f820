//! The documentation's table of keys is the table that is used.

use std::path::Path;

use clap::CommandFactory as _;

const START: &str = "<!-- keys: generated -->\n";
const END: &str = "<!-- end of keys -->";

#[test]
fn documented_keys_are_the_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tui.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(START).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!(
        "{before}{START}\n{}\n{END}{after}",
        crate::keys_markdown().trim_end()
    );
    if std::env::var_os("MANUSHYA_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text == wanted,
        "docs/tui.md is out of date: MANUSHYA_BLESS=1 cargo test -p manushya-tui"
    );
}

#[test]
fn command_line_is_sound() {
    crate::Cli::command().debug_assert();
}
