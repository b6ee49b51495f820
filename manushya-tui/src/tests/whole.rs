//! What goes beyond one page or one row: filters over the whole list, order, several at once, and what
//! takes long.

use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::identity::IdentityView;

use super::things::identities;
use super::world::{Daemon, NOW, World};
use crate::effect::{Ask, Effect, Tag};
use crate::keymap::Screen;
use crate::model::Which;
use crate::model::overlay::Overlay;
use crate::msg::{Answer, Key, Msg};

fn on(screen: Screen) -> World {
    let mut world = World::new(Daemon::Typical, (100, 30));
    world.settle();
    world.go(screen);
    world.key(Key::Ctrl('w'));
    world.calls.clear();
    world.effects.clear();
    world
}

/// Takes the newest question for identities.
fn asked(world: &mut World) -> (Tag, manushya_protocol::v1::common::Page) {
    let place = world
        .calls
        .iter()
        .rposition(|(_, ask)| matches!(ask, Ask::Identities(_)))
        .unwrap();
    match world.calls.remove(place) {
        (tag, Ask::Identities(list)) => (tag, list.page),
        other => panic!("{other:?}"),
    }
}

fn answer(world: &mut World, tag: Tag, names: &[&str], next: Option<&str>) {
    let one = identities(Daemon::Typical).remove(0);
    let items: Vec<IdentityView> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let mut identity = one.clone();
            identity.external_id = (*name).to_owned();
            let mut id = [0; 16];
            id[0] = u8::try_from(place).unwrap();
            id[1..name.len() + 1].copy_from_slice(name.as_bytes());
            identity.id = manushya_protocol::id::IdentityId::from_bytes(id);
            identity
        })
        .collect();
    let listed = Listed {
        items,
        next: next.map(str::to_owned),
        total: 5_000,
    };
    world.send(Msg::Answer(tag, Box::new(Ok(Answer::Identities(listed)))));
}

#[test]
fn filter_looks_at_every_page_of_the_daemon() {
    let mut world = on(Screen::Identities);
    world.keys("r");
    let (tag, _) = asked(&mut world);
    answer(&mut world, tag, &["a-1", "b-1"], Some("two"));
    world.keys("/b-");
    assert!(world.calls.is_empty(), "it waits for a pause of the typing");
    world.key(Key::Enter);
    let (tag, page) = asked(&mut world);
    assert!(page.cursor.is_none() && page.limit > Some(200));
    answer(&mut world, tag, &["a-1", "b-1"], Some("two"));
    let (tag, page) = asked(&mut world);
    assert_eq!(page.cursor.as_deref(), Some("two"));
    answer(&mut world, tag, &["a-2", "b-2", "b-3"], None);
    assert!(world.shows("b-1") && world.shows("b-3") && !world.shows("a-2"));
    assert!(
        world.shows("3 of 5,000") && world.shows("filter: b- (in all)"),
        "{:#?}",
        world.drawn()
    );
    // Without a filter it is a page again.
    world.key(Key::Esc);
    let (tag, page) = asked(&mut world);
    assert!(page.cursor.is_none() && page.limit == Some(200));
    answer(&mut world, tag, &["a-1", "b-1"], Some("two"));
    assert!(world.shows("a-1") && !world.shows("filter:"));
}

#[test]
fn order_is_told_and_turned_around() {
    let mut world = on(Screen::Identities);
    world.keys(">");
    assert!(world.shows("NAME ▲"), "{:#?}", world.drawn());
    let names = |world: &World| -> Vec<String> {
        let rows = world.model.identities.list.rows();
        rows.map(|it| it.external_id.clone()).collect()
    };
    assert_eq!(
        names(&world),
        ["ana", "claude-code", "crew-research", "intern-bot"]
    );
    world.keys("<");
    assert!(world.shows("NAME ▼") && names(&world)[0] == "intern-bot");
    world.keys(">>>>");
    assert!(!world.shows("▲") && names(&world)[0] == "claude-code");
    world.go(Screen::Audit);
    world.keys(">");
    assert!(world.model.audit.feed.sort.is_none());
}

/// Marks two rows, presses a key, types what is asked for, and sends.
fn bulk(screen: Screen, key: &str, typed: &str) -> Vec<Ask> {
    let mut world = on(screen);
    world.keys("  ");
    world.keys(key);
    if let Some(Overlay::Dialog(dialog)) = &world.model.overlay {
        assert!(dialog.title.contains('2'), "{}", dialog.title);
        assert!(dialog.command.contains("for all 2"), "{}", dialog.command);
        world.keys(typed);
        world.key(Key::Tab);
        world.key(Key::Enter);
    }
    world.calls.into_iter().map(|(_, ask)| ask).collect()
}

#[test]
fn marked_rows_are_changed_together() {
    let both = |asks: Vec<Ask>, is: fn(&Ask) -> bool| {
        assert!(asks.len() == 2 && asks.iter().all(is), "{asks:?}");
    };
    both(bulk(Screen::Identities, "D", "delete 2"), |ask| {
        matches!(ask, Ask::IdentityDelete(_))
    });
    both(bulk(Screen::Identities, "x", ""), |ask| {
        matches!(ask, Ask::IdentityUpdate(_))
    });
    both(
        bulk(Screen::Memories, "X", "erase 2"),
        |ask| matches!(ask, Ask::MemoryDelete(it) if it.hard),
    );
    both(
        bulk(Screen::Memories, "D", ""),
        |ask| matches!(ask, Ask::MemoryDelete(it) if !it.hard),
    );
    both(
        bulk(Screen::Policies, "o", ""),
        |ask| matches!(ask, Ask::PolicySetActive(it) if it.is_active),
    );
    both(
        bulk(Screen::Policies, "x", ""),
        |ask| matches!(ask, Ask::PolicySetActive(it) if !it.is_active),
    );
    both(bulk(Screen::Policies, "D", "delete 2"), |ask| {
        matches!(ask, Ask::PolicyDelete(_))
    });
    both(bulk(Screen::Tokens, "K", ""), |ask| {
        matches!(ask, Ask::TokenRevoke(_))
    });
    // The name of one is not enough for two.
    assert!(bulk(Screen::Identities, "D", "claude-code").is_empty());
}

#[test]
fn verification_is_cancelled_and_late_progress_is_dropped() {
    for key in [Key::Char('V'), Key::Esc] {
        let mut world = on(Screen::Audit);
        world.keys("V");
        world.send(Msg::Progress(5_000, 88_213));
        assert!(world.shows("5,000 of 88,213"), "{:#?}", world.drawn());
        let tag = world.model.audit.awaited_verify.unwrap();
        world.key(key);
        assert!(matches!(world.effects.last(), Some(Effect::Cancel(of)) if *of == tag));
        assert!(world.shows("cancelled after 5,000 of 88,213"));
        world.send(Msg::Progress(6_000, 88_213));
        assert!(world.model.audit.progress.is_none() && world.model.audit.verified.is_none());
        assert_eq!(world.model.screen, Screen::Audit);
    }
}

#[test]
fn deleted_and_expired_ones_are_shown_on_demand() {
    let mut world = on(Screen::Memories);
    let asked = |world: &mut World| {
        let asked = world.calls.drain(..).rev().find_map(|(_, ask)| match ask {
            Ask::Memories(list) => Some((list.deleted, list.expired)),
            _ => None,
        });
        asked.unwrap()
    };
    world.keys("d");
    assert_eq!(asked(&mut world), (true, false));
    world.keys("d");
    assert_eq!(asked(&mut world), (false, true));
    assert_eq!(world.model.memories.which, Which::Expired);
    // What is expired cannot be had back.
    world.keys("u");
    assert!(world.calls.is_empty() && world.shows("only deleted ones can be restored"));
    world.keys("d");
    assert_eq!(asked(&mut world), (false, false));
}

#[test]
fn what_one_may_do_is_told_with_its_conditions() {
    let mut world = on(Screen::Identities);
    world.keys("p");
    world.settle();
    for text in ["ALLOW", "IF", "memory.owner", "DENY", "nothing matched"] {
        assert!(world.shows(text), "{text}: {:#?}", world.drawn());
    }
}

#[test]
fn a_text_that_was_scrolled_to_its_end_comes_back_at_once() {
    for (screen, keys) in [
        (Screen::Policies, "?"),
        (Screen::Identities, "l"),
        (Screen::Policies, "l"),
        (Screen::Memories, "l"),
    ] {
        for size in [(80, 12), (60, 12), (130, 14)] {
            let mut world = World::new(Daemon::Long, size);
            world.settle();
            world.go(screen);
            world.keys(keys);
            let first = world.drawn();
            world.keys("G");
            let last = world.drawn();
            if first == last {
                continue;
            }
            world.keys("k");
            assert_ne!(last, world.drawn(), "{screen:?} {keys} {size:?}");
            world.keys("j");
            assert_eq!(last, world.drawn(), "{screen:?} {keys} {size:?}");
            world.keys("jjj");
            assert_eq!(last, world.drawn(), "{screen:?} {keys} {size:?}");
        }
    }
}

#[test]
fn log_goes_on_while_it_is_looked_at() {
    let mut world = on(Screen::System);
    world.keys("L");
    world.settle();
    assert!(world.shows("A client was slow."));
    let mut second = 0;
    while world.model.system.awaited_log.is_none() {
        second += 1;
        assert!(second < 4);
        world.send(Msg::Tick(UnixMillis(NOW.0 + second * 1_000)));
    }
    let tag = world.model.system.awaited_log.unwrap();
    let lines: Vec<String> = (0..100).map(|n| format!("INFO line {n}")).collect();
    world.send(Msg::Answer(tag, Box::new(Ok(Answer::Log(lines)))));
    assert!(world.shows("line 99") && !world.shows("line 12"));
    world.key(Key::Esc);
    world.calls.clear();
    world.send(Msg::Tick(UnixMillis(NOW.0 + 60_000)));
    assert!(!world.calls.iter().any(|(_, ask)| matches!(ask, Ask::Log)));
}
