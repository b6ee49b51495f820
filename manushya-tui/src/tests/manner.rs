//! How it behaves: nothing is done by accident, and nothing is said to be done that is not.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::Listed;

use super::things::memories;
use super::world::{Daemon, NOW, World, lost, welcome};
use crate::effect::{Ask, Effect};
use crate::keymap::{self, Screen};
use crate::model::Link;
use crate::model::list::PAGE_ROWS;
use crate::model::overlay::Overlay;
use crate::msg::{Answer, Key, Msg};

fn armed(screen: Screen) -> World {
    let mut world = World::new(Daemon::Typical, (100, 30));
    world.settle();
    world.go(screen);
    world.key(Key::Ctrl('w'));
    world.calls.clear();
    world.effects.clear();
    world
}

/// Every key that destroys, with the screen and what comes before.
fn destroying() -> Vec<(Screen, Vec<Key>)> {
    let mut found = Vec::new();
    for screen in Screen::ALL {
        for binding in keymap::own(screen).filter(|binding| binding.name.ends_with('…')) {
            let mut keys = Vec::new();
            if screen == Screen::System {
                keys.push(Key::Tab);
            }
            keys.push(binding.keys[0]);
            found.push((screen, keys));
        }
    }
    assert!(found.len() >= 6);
    found
}

#[test]
fn destroying_keys_ask_first_and_stand_on_cancel() {
    for (screen, keys) in destroying() {
        let mut world = armed(screen);
        keys.iter().for_each(|key| world.key(*key));
        let Some(Overlay::Dialog(dialog)) = &world.model.overlay else {
            panic!("{screen:?} {keys:?}: {:?}", world.model.overlay);
        };
        assert!(!dialog.on_verb && !dialog.command.is_empty() && !dialog.lines.is_empty());
        world.key(Key::Enter);
        assert!(
            world.model.overlay.is_none() && world.calls.is_empty(),
            "{screen:?} {keys:?}"
        );
    }
}

#[test]
fn severe_ones_need_the_name_typed() {
    let mut severe = 0;
    for (screen, keys) in destroying() {
        let mut world = armed(screen);
        keys.iter().for_each(|key| world.key(*key));
        let Some(Overlay::Dialog(dialog)) = &world.model.overlay else {
            panic!()
        };
        let Some((wanted, _)) = dialog.confirm.clone() else {
            continue;
        };
        severe += 1;
        world.key(Key::Tab);
        world.key(Key::Enter);
        assert!(world.calls.is_empty(), "{screen:?}: an empty name is taken");
        world.keys(&wanted);
        world.key(Key::Tab);
        world.key(Key::Enter);
        assert_eq!(world.calls.len(), 1, "{screen:?}");
    }
    assert_eq!(severe, 4);
}

#[test]
fn nothing_is_said_to_be_done_before_the_daemon_said_so() {
    let mut world = armed(Screen::Tokens);
    world.keys("K");
    world.key(Key::Tab);
    world.key(Key::Enter);
    assert!(world.shows("waiting for the daemon") && !world.shows("revoked"));
    let (tag, ask) = world.calls.remove(0);
    assert!(matches!(ask, Ask::TokenRevoke(_)), "{ask:?}");
    // Keys do not close it meanwhile.
    world.key(Key::Esc);
    assert!(world.model.overlay.is_some());
    let error = WireError::new(ErrorCode::Denied, "no policy allows this");
    world.send(Msg::Answer(tag, Box::new(Err(error))));
    assert!(world.shows("no policy allows this") && !world.shows("revoked"));
}

#[test]
fn without_write_mode_nothing_changes_and_it_says_why() {
    for screen in Screen::ALL {
        for binding in keymap::own(screen).filter(|binding| binding.writes) {
            let mut world = World::new(Daemon::Typical, (100, 30));
            world.settle();
            world.go(screen);
            world.calls.clear();
            world.key(binding.keys[0]);
            assert!(
                world.calls.is_empty() && world.model.overlay.is_none(),
                "{binding:?}"
            );
            assert!(world.shows("needs write mode"), "{binding:?}");
        }
    }
}

#[test]
fn write_mode_ends_after_ten_minutes_and_never_starts_read_only() {
    let mut world = armed(Screen::Tokens);
    assert!(world.shows("WRITE 10m"));
    world.send(Msg::Tick(UnixMillis(NOW.0 + 599_000)));
    assert!(world.model.can_write());
    world.send(Msg::Tick(UnixMillis(NOW.0 + 600_000)));
    assert!(!world.model.can_write() && world.shows("READ-ONLY"));
    world.model.settings.read_only = true;
    world.key(Key::Ctrl('w'));
    assert!(!world.model.can_write());
}

#[test]
fn every_key_of_the_help_does_something() {
    for screen in Screen::ALL {
        for binding in keymap::own(screen).chain(keymap::everywhere()) {
            for key in binding.keys {
                let mut world = armed(screen);
                world.model.toasts.clear();
                let before = format!("{:?}", world.model);
                world.key(*key);
                let told = world
                    .model
                    .toasts
                    .iter()
                    .any(|toast| toast.text.contains("does nothing here"));
                let changed = before != format!("{:?}", world.model);
                let moves = matches!(
                    key,
                    Key::Char('f' | 'j' | 'k' | 'g' | 'G' | 'h' | 'l' | '1'..='7' | '-')
                        | Key::Ctrl('u' | 'd')
                        | Key::Up
                        | Key::Down
                        | Key::Left
                        | Key::Right
                        | Key::Home
                        | Key::End
                        | Key::PageUp
                        | Key::PageDown
                        | Key::Tab
                        | Key::BackTab
                );
                assert!(!told, "{screen:?} {key:?}");
                assert!(
                    changed || !world.calls.is_empty() || !world.effects.is_empty() || moves,
                    "{screen:?} {key:?}"
                );
            }
        }
    }
}

#[test]
fn a_token_is_drawn_once_and_gone_when_closed() {
    let mut world = armed(Screen::Identities);
    world.keys("cagent-z");
    for _ in 0..5 {
        world.key(Key::Enter);
    }
    assert!(!world.shows("eyJ"));
    world.settle();
    assert!(
        world.shows("eyJhbGciOiJFZERTQSJ9.secret.part"),
        "{:#?}",
        world.drawn()
    );
    assert!(!format!("{:?}", world.model).contains("secret.part"));
    world.key(Key::Esc);
    assert!(!world.shows("eyJ"));
}

#[test]
fn a_daemon_that_goes_and_comes_needs_no_key() {
    let mut world = armed(Screen::Memories);
    world.keys("/tues");
    world.send(Msg::Answer(
        world.model.audit.awaited.unwrap(),
        Box::new(Err(lost())),
    ));
    assert_eq!(world.model.connection.link, Link::Reconnecting);
    assert!(matches!(world.effects.last(), Some(Effect::Connect(_))));
    for _ in 0..5 {
        world.send(Msg::ConnectFailed(lost()));
    }
    assert_eq!(world.model.connection.link, Link::Offline);
    assert!(world.shows("manushyactl up") && world.shows("Deploys go out"));
    world.send(Msg::Connected(Box::new(welcome())));
    assert_eq!(world.model.connection.link, Link::Connected);
    // It goes on after the last entry it has seen, and what was typed is still there.
    let after = world.calls.iter().find_map(|(_, ask)| match ask {
        Ask::Events(events) => Some(events.after),
        _ => None,
    });
    assert_eq!(after.flatten().map(|seq| seq.0), Some(88_213));
    assert_eq!(
        world
            .model
            .filtering
            .as_ref()
            .map(|input| input.text.as_str()),
        Some("tues")
    );
}

#[test]
fn a_search_is_asked_for_once_typing_pauses_and_old_answers_are_dropped() {
    let mut world = armed(Screen::Memories);
    world.keys("sdeploy");
    assert!(world.calls.is_empty());
    let timers: Vec<_> = world
        .effects
        .drain(..)
        .filter_map(|effect| match effect {
            Effect::Later(_, tag) => Some(tag),
            _ => None,
        })
        .collect();
    assert_eq!(timers.len(), 6);
    for tag in timers {
        world.send(Msg::Timer(tag));
    }
    assert_eq!(world.calls.len(), 1);
    let (old, _) = world.calls.remove(0);
    world.keys("s");
    let shown = world.model.memories.list.total;
    let found = super::things::found(Vec::new());
    world.send(Msg::Answer(old, Box::new(Ok(Answer::Found(found)))));
    assert_eq!(world.model.memories.list.total, shown);
}

#[test]
fn gaps_are_shown() {
    let mut world = armed(Screen::Audit);
    let tag = world.model.audit.awaited.unwrap();
    let seen = manushya_protocol::v1::live::EventsSeen {
        items: Vec::new(),
        after: manushya_protocol::unit::AuditSeq(99_000),
        skipped: 10_787,
    };
    world.send(Msg::Answer(tag, Box::new(Ok(Answer::Events(seen)))));
    assert!(world.shows("10,787 left out"), "{:#?}", world.drawn());
}

#[test]
fn a_list_of_a_hundred_thousand_holds_one_page() {
    let mut world = armed(Screen::Memories);
    for page in 0..50 {
        let (tag, _) = world
            .calls
            .iter()
            .rev()
            .find(|(_, ask)| matches!(ask, Ask::Memories(_)))
            .cloned()
            .unwrap_or_else(|| {
                world.keys("r");
                world
                    .calls
                    .iter()
                    .rev()
                    .find(|(_, ask)| matches!(ask, Ask::Memories(_)))
                    .cloned()
                    .unwrap()
            });
        world.calls.clear();
        let one = memories(Daemon::Typical).remove(0);
        let items = (0..PAGE_ROWS).map(|row| {
            let mut memory = one.clone();
            memory.id = manushya_protocol::id::MemoryId::from_parts(
                UnixMillis(i64::from(page * PAGE_ROWS + row)),
                [0; 10],
            );
            memory
        });
        let listed = Listed {
            items: items.collect(),
            next: Some(format!("page {page}")),
            total: 100_000,
        };
        world.send(Msg::Answer(tag, Box::new(Ok(Answer::Memories(listed)))));
        assert_eq!(world.model.memories.list.items.len(), PAGE_ROWS as usize);
        assert!(world.shows("of 100,000"));
        world.keys("GG");
    }
    assert_eq!(world.model.memories.list.first(), 50 * u64::from(PAGE_ROWS));
}

#[test]
fn the_palette_shows_the_same_for_the_command_line() {
    let mut world = armed(Screen::Identities);
    world.keys(":disable");
    assert!(
        world.shows("same as: manushyactl identity disable claude-code"),
        "{:#?}",
        world.drawn()
    );
    world.key(Key::Enter);
    assert!(matches!(world.model.overlay, Some(Overlay::Dialog(_))));
}

#[test]
fn a_second_of_rest_changes_a_few_cells_only() {
    for screen in Screen::ALL {
        let mut world = World::new(Daemon::Typical, (200, 60));
        world.settle();
        world.go(screen);
        let before = world.buffer();
        world.send(Msg::Tick(UnixMillis(NOW.0 + 1_000)));
        let after = world.buffer();
        let changed = before.diff(&after).len();
        assert!(changed > 0 && changed < 60, "{screen:?}: {changed} cells");
    }
}
