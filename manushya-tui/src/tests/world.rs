//! A program in a known state, and a daemon that answers as told.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::IdentityId;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::hello::Welcome;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use serde_json::json;

use super::things::reply;
use crate::effect::{Ask, Effect, Tag};
use crate::keymap::Screen;
use crate::model::{Model, Settings};
use crate::msg::{Key, Msg};
use crate::update::{start, update};
use crate::view::view;

/// When the tests play.
pub const NOW: UnixMillis = UnixMillis(1_764_072_271_000);

/// How the daemon answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// It does not answer.
    Silent,
    /// There is nothing.
    Empty,
    /// There are a few things.
    Typical,
    /// It refuses.
    Refusing,
    /// Everything is long, wide, or runs from right to left.
    Long,
}

/// A program and what it wished for.
pub struct World {
    pub model: Model,
    pub calls: Vec<(Tag, Ask)>,
    pub effects: Vec<Effect>,
    pub daemon: Daemon,
}

impl World {
    /// A program that has just been connected.
    pub fn new(daemon: Daemon, size: (u16, u16)) -> Self {
        let mut model = Model::new(Settings::default(), NOW, size);
        model.connection.socket = "/run/user/1000/manushya/manushyad.sock".into();
        let effects = start(&mut model);
        let mut world = Self {
            model,
            calls: Vec::new(),
            effects: Vec::new(),
            daemon,
        };
        world.wish(effects);
        world.send(Msg::Connected(Box::new(welcome())));
        world
    }

    fn wish(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call(tag, ask) => self.calls.push((tag, *ask)),
                Effect::Later(_, tag) => {
                    self.effects.push(Effect::Later(0, tag));
                }
                other => self.effects.push(other),
            }
        }
    }

    /// Something happens.
    pub fn send(&mut self, msg: Msg) {
        let effects = update(&mut self.model, msg);
        self.wish(effects);
    }

    /// Keys are pressed: letters as they are.
    pub fn keys(&mut self, keys: &str) {
        for c in keys.chars() {
            self.send(Msg::Key(Key::Char(c)));
        }
    }

    /// A key is pressed.
    pub fn key(&mut self, key: Key) {
        self.send(Msg::Key(key));
    }

    /// The daemon answers all that was asked, but the wait for what comes next.
    pub fn settle(&mut self) {
        for _ in 0..10 {
            let timers: Vec<Tag> = self
                .effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::Later(_, tag) => Some(*tag),
                    _ => None,
                })
                .collect();
            self.effects
                .retain(|effect| !matches!(effect, Effect::Later(..)));
            for tag in timers {
                self.send(Msg::Timer(tag));
            }
            for (tag, ask) in std::mem::take(&mut self.calls) {
                match reply(self.daemon, &ask) {
                    Some(answer) => self.send(Msg::Answer(tag, Box::new(answer))),
                    None => self.calls.push((tag, ask)),
                }
            }
        }
    }

    /// Goes to a screen and lets it load.
    pub fn go(&mut self, screen: Screen) {
        let place = Screen::ALL.iter().position(|it| *it == screen).unwrap();
        self.keys(&(place + 1).to_string());
        self.settle();
    }

    /// Draws a frame.
    pub fn buffer(&self) -> Buffer {
        let (columns, rows) = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| view(&self.model, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// Draws a frame as text, without spaces at the ends of lines.
    pub fn drawn(&self) -> Vec<String> {
        let buffer = self.buffer();
        let row = |y: u16| {
            let mut text = String::new();
            let mut x = 0;
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                text.push_str(symbol);
                x += u16::try_from(crate::text::width(symbol)).unwrap().max(1);
            }
            text.trim_end().to_owned()
        };
        (0..buffer.area.height).map(row).collect()
    }

    /// Whether a text is drawn.
    pub fn shows(&self, text: &str) -> bool {
        self.drawn().iter().any(|line| line.contains(text))
    }
}

pub fn welcome() -> Welcome {
    let welcome = json!({
        "daemon_version": "0.1.0",
        "api": 1,
        "capabilities": ["events"],
        "caller": {
            "id": IdentityId::from_bytes([1; 16]),
            "external_id": "operator",
            "role": "admin",
            "tenant": "default",
            "via": "peer uid",
            "peer_uid": 1000,
            "operator": true,
            "scopes": ["*"],
            "acts_for": [],
        },
    });
    serde_json::from_value(welcome).unwrap()
}

pub fn lost() -> WireError {
    WireError::new(
        ErrorCode::Unreachable,
        "no daemon answers at /run/user/1000/manushya/manushyad.sock",
    )
    .reason("there is no socket")
    .hint("manushyactl up")
}

pub fn denied() -> WireError {
    WireError::new(ErrorCode::Denied, "no policy allows this")
        .reason("nothing matched for the role agent")
        .hint("manushyactl policy explain read memory")
}
