//! The documentation's table of keys is the table that is used, and its screens are those that are drawn.

use std::path::Path;

use clap::CommandFactory as _;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::live::{Activity, Latency};

use super::world::{Daemon, NOW, World};
use crate::keymap::Screen;
use crate::msg::Key;

const KEYS: &str = "<!-- keys: generated -->\n";
const KEYS_END: &str = "<!-- end of keys -->";
const SCREENS: &str = "<!-- screens: generated -->\n";
const SCREENS_END: &str = "<!-- end of screens -->";

/// Puts generated text between its marks.
fn put(text: &str, start: &str, end: &str, generated: &str) -> String {
    let (before, rest) = text.split_once(start).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    format!("{before}{start}\n{}\n\n{end}{after}", generated.trim_end())
}

/// A screen as it is drawn, as a block of text.
fn capture(title: &str, world: &World) -> String {
    let lines = world.drawn().join("\n");
    format!("### {title}\n\n```text\n{lines}\n```\n\n")
}

/// Every screen with the daemon of the tests, and the boxes that matter most.
fn captures() -> String {
    let open = |screen: Screen| {
        let mut world = World::new(Daemon::Typical, (100, 28));
        for second in 1..40_u32 {
            let now = UnixMillis(NOW.0 + i64::from(second) * 2_000);
            world.model.traffic.take(now, &activity(second));
        }
        world.settle();
        world.model.traffic.interrupt();
        world.go(screen);
        world
    };
    let mut text = String::new();
    for screen in Screen::ALL {
        text.push_str(&capture(screen.name(), &open(screen)));
    }
    let mut world = open(Screen::Memories);
    world.keys("sdeploys");
    world.settle();
    text.push_str(&capture("Memories, while a search is typed", &world));
    let mut world = open(Screen::Audit);
    world.keys("k");
    world.key(Key::Enter);
    world.settle();
    text.push_str(&capture("Audit, why an entry was denied", &world));
    let mut world = open(Screen::Tokens);
    world.key(Key::Ctrl('w'));
    world.keys("K");
    text.push_str(&capture("Tokens, before one is revoked", &world));
    text
}

/// Totals that rise and fall a little, so that there is something to see.
fn activity(second: u32) -> Activity {
    let latency = |kind: &str, p50_us, p99_us| Latency {
        kind: kind.into(),
        count: 40,
        p50_us,
        p99_us,
    };
    let wave = u64::from(second % 9);
    Activity {
        operations: u64::from(second) * 28 + wave * wave,
        denied: u64::from(second / 13),
        latencies: vec![
            latency("search", 2_400 + 150 * wave, 5_000 + 420 * wave),
            latency("add", 900 + 40 * wave, 1_600 + 90 * wave),
        ],
        ..Activity::default()
    }
}

#[test]
fn documented_keys_and_screens_are_what_is_drawn() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tui.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let wanted = put(&text, KEYS, KEYS_END, &crate::keys_markdown());
    let wanted = put(&wanted, SCREENS, SCREENS_END, &captures());
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
