//! How long a frame takes, with as much behind it as it ever holds.

use std::time::{Duration, Instant};

use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::UnixMillis;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::things::{events_seen, memories};
use super::world::{Daemon, NOW, World};
use crate::keymap::Screen;
use crate::model::items::{Event, Hit};
use crate::model::list::{Item, List, PAGE_ROWS};
use crate::model::overlay::{Overlay, Pane};
use crate::model::{FEED_ROWS, Model, document, extent};
use crate::view::view;

/// How long a frame may take.
const FRAME: Duration = Duration::from_millis(8);
/// How many frames are drawn of each screen.
const FRAMES: usize = 101;

/// Fills a list with as many rows as a page has, in front of so many more.
fn fill<T: Item + Clone>(list: &mut List<T>) {
    let some: Vec<T> = list.items.clone();
    list.items = some.into_iter().cycle().take(PAGE_ROWS as usize).collect();
    list.total = 100_000;
    list.set_filter("");
    list.selected = list.len() / 2;
}

/// A program with a full page in every list, a full log and a namespace a memory.
fn full(screen: Screen) -> Model {
    let mut world = World::new(Daemon::Long, (200, 60));
    for screen in Screen::ALL {
        world.go(screen);
    }
    world.go(screen);
    let mut model = world.model;
    for second in 0..600 {
        let Some(host) = &mut model.status.as_mut().unwrap().host else {
            panic!()
        };
        host.activity.operations += second;
        let activity = host.activity.clone();
        model.traffic.take(
            UnixMillis(NOW.0 + i64::try_from(second).unwrap() * 2_000),
            &activity,
        );
    }
    fill(&mut model.identities.list);
    fill(&mut model.policies.list);
    fill(&mut model.tokens.list);
    fill(&mut model.system.plans);
    let mut rows = Vec::new();
    for row in 0..i64::from(PAGE_ROWS) {
        let mut memory = memories(Daemon::Long).remove(0);
        memory.id = MemoryId::from_parts(UnixMillis(row), [0; 10]);
        memory.text = memory.text.repeat(50);
        rows.push(Hit::from(memory));
    }
    model.memories.list.items = rows;
    fill(&mut model.memories.list);
    model.memories.tree = (0..100_000).map(|n| (format!("/team/{n}"), n)).collect();
    model.memories.tree_at = 50_000;
    let entries = events_seen(Daemon::Long).items;
    let rows = entries.into_iter().cycle().take(FEED_ROWS);
    model
        .audit
        .feed
        .push(rows.map(|entry| Event::Entry(Box::new(entry))), FEED_ROWS);
    model
}

#[test]
fn frame_takes_less_than_eight_milliseconds() {
    for screen in Screen::ALL {
        check(screen.name(), &full(screen));
    }
    // The longest text there is, with no place to break it.
    let mut model = full(Screen::Memories);
    model.memories.list.items[0].memory.text = "日本語".repeat((64 << 10) / 9);
    let text = document::memory(&model.memories.list.items[0].memory, &model);
    let mut pane = Pane::new("a long one", text);
    pane.scroll = extent::pane(&model, &pane);
    model.overlay = Some(Overlay::Pane(pane));
    check("long text", &model);
}

fn check(name: &str, model: &Model) {
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    let mut times: Vec<Duration> = (0..FRAMES)
        .map(|_| {
            let start = Instant::now();
            terminal.draw(|frame| view(model, frame)).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    let (median, p99) = (times[FRAMES / 2], times[FRAMES * 99 / 100]);
    println!("{name:<10} median {median:?}, p99 {p99:?}");
    // Tests run beside others and hardly optimised; what is not disturbed tells what a frame costs.
    let undisturbed = times[FRAMES / 4];
    assert!(undisturbed < FRAME, "{name}: {undisturbed:?}");
}
