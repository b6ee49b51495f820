//! Every screen at three sizes in seven states, one file a screen.

use std::fmt::Write as _;

use manushya_protocol::unit::UnixMillis;

use super::world::{Daemon, NOW, World, lost};
use crate::keymap::Screen;
use crate::model::Theme;
use crate::msg::{Key, Msg};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (60, 15)];
const STATES: [&str; 7] = [
    "loading", "empty", "typical", "error", "long", "stale", "offline",
];

fn world(state: &str, screen: Screen, size: (u16, u16)) -> World {
    let daemon = match state {
        "loading" => Daemon::Silent,
        "empty" => Daemon::Empty,
        "error" => Daemon::Refusing,
        "long" => Daemon::Long,
        _ => Daemon::Typical,
    };
    let mut world = World::new(daemon, size);
    world.settle();
    world.go(screen);
    match state {
        "stale" => {
            world.daemon = Daemon::Silent;
            for second in 1..=9 {
                world.send(Msg::Tick(UnixMillis(NOW.0 + second * 1_000)));
            }
        }
        "offline" => {
            for (tag, _) in std::mem::take(&mut world.calls) {
                world.send(Msg::Answer(tag, Box::new(Err(lost()))));
            }
            for second in 1..=6 {
                world.send(Msg::Tick(UnixMillis(NOW.0 + second * 1_000)));
                world.send(Msg::ConnectFailed(lost()));
            }
        }
        _ => {}
    }
    world
}

/// A frame with equal lines in a row told once.
fn compact(lines: &[String]) -> String {
    let mut text = String::new();
    let mut row = 0;
    while row < lines.len() {
        let same = lines[row..]
            .iter()
            .take_while(|line| **line == lines[row])
            .count();
        let _ = writeln!(text, "{}", lines[row]);
        if same > 1 {
            let _ = writeln!(text, "  ({} such lines)", same);
        }
        row += same;
    }
    text
}

fn check(screen: Screen) {
    let mut text = String::new();
    for state in STATES {
        for size in SIZES {
            let world = world(state, screen, size);
            let _ = writeln!(text, "=== {state} {}x{}", size.0, size.1);
            text.push_str(&compact(&world.drawn()));
        }
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(screen.name().to_lowercase(), text);
    });
}

#[test]
fn overview_in_every_state_and_size() {
    check(Screen::Overview);
}

#[test]
fn identities_in_every_state_and_size() {
    check(Screen::Identities);
}

#[test]
fn memories_in_every_state_and_size() {
    check(Screen::Memories);
}

#[test]
fn policies_in_every_state_and_size() {
    check(Screen::Policies);
}

#[test]
fn audit_in_every_state_and_size() {
    check(Screen::Audit);
}

#[test]
fn tokens_in_every_state_and_size() {
    check(Screen::Tokens);
}

#[test]
fn system_in_every_state_and_size() {
    check(Screen::System);
}

#[test]
fn boxes_over_the_screen() {
    let mut text = String::new();
    let mut shoot = |name: &str, screen: Screen, play: &dyn Fn(&mut World)| {
        let mut world = World::new(Daemon::Typical, (80, 24));
        world.settle();
        world.go(screen);
        world.key(Key::Ctrl('w'));
        play(&mut world);
        let _ = writeln!(text, "=== {name}");
        text.push_str(&compact(&world.drawn()));
    };
    shoot("help", Screen::Policies, &|world| world.keys("?"));
    shoot("palette", Screen::Tokens, &|world| world.keys(":revoke"));
    shoot("form", Screen::Identities, &|world| world.keys("c"));
    shoot("dialog", Screen::Tokens, &|world| world.keys("K"));
    shoot("severe dialog", Screen::System, &|world| {
        world.key(Key::Tab);
        world.keys("Pintern");
    });
    shoot("new token", Screen::Identities, &|world| {
        world.keys("cagent-z");
        for _ in 0..5 {
            world.key(Key::Enter);
        }
        world.settle();
    });
    shoot("why", Screen::Audit, &|world| {
        world.keys("k");
        world.key(Key::Enter);
        world.settle();
    });
    shoot("search", Screen::Memories, &|world| {
        world.keys("sdeploys");
        world.settle();
    });
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("boxes", text);
    });
}

#[test]
fn no_colour_is_drawn_in_mono_and_only_ascii_with_ascii() {
    use ratatui::style::Color;
    for screen in Screen::ALL {
        let mut world = world("typical", screen, (120, 40));
        world.model.theme = Theme::Mono;
        world.model.settings.ascii = true;
        let buffer = world.buffer();
        for cell in buffer.content() {
            assert!(
                cell.fg == Color::Reset && cell.bg == Color::Reset,
                "{screen:?}: {cell:?}"
            );
            assert!(cell.symbol().is_ascii(), "{screen:?}: {cell:?}");
        }
    }
}

#[test]
fn no_theme_paints_a_background_or_leaves_the_sixteen_colours() {
    use ratatui::style::Color;
    for (_, theme) in Theme::ALL {
        for state in ["typical", "offline"] {
            let mut world = world(state, Screen::Audit, (120, 40));
            world.model.theme = theme;
            for cell in world.buffer().content() {
                assert_eq!(cell.bg, Color::Reset);
                assert!(
                    !matches!(
                        cell.fg,
                        Color::Rgb(..) | Color::Indexed(_) | Color::DarkGray
                    ),
                    "{cell:?}"
                );
            }
        }
    }
}

#[test]
fn borders_stand_in_their_columns_whatever_is_written() {
    for screen in Screen::ALL {
        let long = world("long", screen, (120, 40)).buffer();
        for y in 2..38 {
            let last = long[(119, y)].symbol();
            assert!(
                ["│", "┐", "┘"].contains(&last),
                "{screen:?} row {y}: {last:?}"
            );
        }
    }
}
