//! Whatever happens in whatever order: no panic, and keys always go somewhere.

use manushya_protocol::unit::UnixMillis;
use proptest::prelude::*;

use super::things::reply;
use super::world::{Daemon, NOW, World, lost, welcome};
use crate::model::overlay::Overlay;
use crate::msg::{Key, Msg};

#[derive(Clone, Debug)]
enum Step {
    Key(Key),
    Answer(usize, u8),
    Timer(usize),
    Tick(i64),
    Resize(u16, u16),
    Paste(String),
    Wheel(i32),
    Click(u16, u16),
    Lost,
    Failed,
    Connected,
    Edited(Option<String>),
    Progress(u64, u64),
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        8 => prop::char::range(' ', '~').prop_map(Key::Char),
        1 => any::<char>().prop_map(Key::Char),
        2 => prop::sample::select(vec!['w', 'u', 'd', 'r', 'l', 'c', 'z', 'n', 'p']).prop_map(Key::Ctrl),
        6 => prop::sample::select(vec![
            Key::Enter, Key::Esc, Key::Tab, Key::BackTab, Key::Backspace, Key::Delete, Key::Up, Key::Down,
            Key::Left, Key::Right, Key::PageUp, Key::PageDown, Key::Home, Key::End,
        ]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => key().prop_map(Step::Key),
        12 => (any::<usize>(), 0_u8..5).prop_map(|(place, how)| Step::Answer(place, how)),
        3 => any::<usize>().prop_map(Step::Timer),
        3 => (0_i64..700_000).prop_map(Step::Tick),
        2 => (0_u16..220, 0_u16..70).prop_map(|(columns, rows)| Step::Resize(columns, rows)),
        1 => ".{0,30}".prop_map(Step::Paste),
        1 => any::<i32>().prop_map(Step::Wheel),
        1 => (0_u16..200, 0_u16..4).prop_map(|(column, row)| Step::Click(column, row)),
        1 => Just(Step::Lost),
        1 => Just(Step::Failed),
        1 => Just(Step::Connected),
        1 => prop::option::of(".{0,20}").prop_map(Step::Edited),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(done, of)| Step::Progress(done, of)),
    ]
}

fn play(world: &mut World, now: &mut i64, step: Step) {
    match step {
        Step::Key(key) => world.key(key),
        Step::Answer(place, how) if !world.calls.is_empty() => {
            let (tag, ask) = world.calls.remove(place % world.calls.len());
            let daemon = [
                Daemon::Typical,
                Daemon::Empty,
                Daemon::Refusing,
                Daemon::Long,
                Daemon::Typical,
            ][usize::from(how)];
            if let Some(answer) = reply(daemon, &ask) {
                world.send(Msg::Answer(tag, Box::new(answer)));
            }
        }
        Step::Timer(place) => {
            let timers: Vec<_> = world
                .effects
                .iter()
                .filter_map(|effect| match effect {
                    crate::effect::Effect::Later(_, tag) => Some(*tag),
                    _ => None,
                })
                .collect();
            if !timers.is_empty() {
                world.send(Msg::Timer(timers[place % timers.len()]));
            }
        }
        Step::Tick(millis) => {
            *now += millis;
            world.send(Msg::Tick(UnixMillis(*now)));
        }
        Step::Resize(columns, rows) => world.send(Msg::Resize(columns, rows)),
        Step::Paste(text) => world.send(Msg::Paste(text)),
        Step::Wheel(by) => world.send(Msg::Wheel(by)),
        Step::Click(column, row) => world.send(Msg::Click(column, row)),
        Step::Lost => {
            if let Some((tag, _)) = world.calls.pop() {
                world.send(Msg::Answer(tag, Box::new(Err(lost()))));
            }
        }
        Step::Failed => world.send(Msg::ConnectFailed(lost())),
        Step::Connected => world.send(Msg::Connected(Box::new(welcome()))),
        Step::Edited(text) => world.send(Msg::Edited(text)),
        Step::Progress(done, of) => world.send(Msg::Progress(done, of)),
        Step::Answer(..) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("MANUSHYA_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96)
    ))]

    #[test]
    fn no_sequence_panics_and_the_focus_is_somewhere(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(Daemon::Typical, (80, 24));
        let mut now = NOW.0;
        for (place, step) in steps.into_iter().enumerate() {
            play(&mut world, &mut now, step);
            prop_assert!(world.model.focus < world.model.panes());
            match &world.model.overlay {
                Some(Overlay::Form(form)) => prop_assert!(form.focus < form.fields.len()),
                Some(Overlay::Palette { found, selected, .. }) => prop_assert!(*selected == 0 || *selected < found.len()),
                _ => {}
            }
            if place % 4 == 0 {
                world.buffer();
            }
        }
        world.buffer();
    }
}
