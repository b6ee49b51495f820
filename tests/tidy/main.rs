//! House rules that no compiler checks. Each rule has a test of its own beside the one of the tree.
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by panicking.

mod floors;
mod places;
mod size;
mod source;
mod tree;

use source::Source;

/// Fails with every finding at once.
#[track_caller]
fn check(findings: &[String]) {
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

#[test]
fn imports_go_downward_only() {
    check(&floors::findings(&Source::all()));
}

#[test]
fn heavy_crates_stay_in_their_places() {
    check(&places::crates(&Source::all()));
}

#[test]
fn secrets_are_exposed_only_where_they_are_used() {
    check(&places::exposures(&Source::all()));
}

#[test]
fn nothing_is_unsafe() {
    check(&places::unsafes(&Source::all()));
}

#[test]
fn files_and_functions_are_short() {
    let sources = Source::all();
    let mut sizes: Vec<(usize, &str)> = sources
        .iter()
        .map(|source| (size::own_lines(&source.text), source.path.as_str()))
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    println!("the ten longest files, in lines without inline tests:");
    for (lines, path) in sizes.iter().take(10) {
        println!("{lines:>5} {path}");
    }
    check(&size::findings(&sources));
}

#[test]
fn every_file_is_a_module_of_its_crate() {
    check(&tree::orphans(&Source::all()));
}

#[test]
fn no_path_of_a_machine_is_tracked() {
    check(&tree::machine_paths(&source::tracked()));
}
