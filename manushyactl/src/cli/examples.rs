//! The examples that lead every command's help. A test parses each of them.

mod audit;
mod authority;
mod host;
mod memory;

/// The path of a command, and its examples.
pub type Example = (&'static str, &'static [&'static str]);

/// Every command that has examples.
pub fn all() -> impl Iterator<Item = &'static Example> {
    [host::ALL, authority::ALL, memory::ALL, audit::ALL]
        .into_iter()
        .flatten()
}

/// The examples of the command at `path`, such as `memory add`.
pub fn of(path: &str) -> Option<&'static [&'static str]> {
    all()
        .find(|(name, _)| *name == path)
        .map(|(_, lines)| *lines)
}

/// Examples as they stand in help.
pub fn block(lines: &[&str]) -> String {
    let mut text = String::from("Examples:");
    for line in lines {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}
