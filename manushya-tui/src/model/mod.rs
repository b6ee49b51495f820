//! Everything the program knows. It is changed by `update` alone and drawn by `view`.

pub mod attention;
pub mod document;
pub mod extent;
mod figures;
pub mod items;
pub mod list;
pub mod overlay;
mod parts;
mod reasons;
mod rule;
pub mod traffic;
pub mod walk;

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::identity::IdentityView;
use manushya_protocol::v1::purge::PlanView;
use manushya_protocol::v1::system::{Status, WhoAmI};

use crate::effect::{Subject, Tag};
use crate::keymap::{self, Action, Screen};
use crate::text::Role;

use items::Event;
use list::Item;
use overlay::{Input, Overlay};
pub use parts::{Audit, Identities, Memories, Policies, System, Tokens, Which};
use traffic::Traffic;

/// How long write mode lasts, in seconds.
pub const WRITE_SECONDS: u64 = 600;
/// The title of the box that shows the daemon's log.
pub const LOG_TITLE: &str = "log";
/// How many entries of the log are held.
pub const FEED_ROWS: usize = 2_000;
/// The smallest terminal that is drawn on, in columns and rows.
pub const SIZE_MIN: (u16, u16) = (40, 10);

/// How the daemon can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// It was not asked yet.
    #[default]
    Connecting,
    /// It answers.
    Connected,
    /// It has not answered for a while.
    Stale,
    /// It is gone; we try again.
    Reconnecting,
    /// It has been gone for a while, or was never there; we still try.
    Offline,
}

/// The state of the connection.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// In a word.
    pub link: Link,
    /// How often connecting has failed in a row.
    pub attempt: u32,
    /// When the daemon last said something.
    pub heard: Option<UnixMillis>,
    /// Why it cannot be reached.
    pub error: Option<WireError>,
    /// When it will be tried again.
    pub retry_at: Option<UnixMillis>,
    /// Version of the daemon.
    pub daemon: String,
    /// The socket, as shown.
    pub socket: String,
}

/// How it is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The terminal's own colours.
    #[default]
    Terminal,
    /// For a dark background: bright colours.
    Dark,
    /// For a light background: dark colours.
    Light,
    /// As much contrast as there is.
    HighContrast,
    /// No colour.
    Mono,
}

impl Theme {
    /// Every theme with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("terminal", Self::Terminal),
        ("dark", Self::Dark),
        ("light", Self::Light),
        ("high-contrast", Self::HighContrast),
        ("mono", Self::Mono),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, theme)| *theme == self);
        found.map_or("terminal", |(name, _)| name)
    }

    /// The one after it.
    pub fn next(self) -> Self {
        let place = Self::ALL
            .iter()
            .position(|(_, theme)| *theme == self)
            .unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()].1
    }
}

/// How it is set up, from flags and environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tenant that was named.
    pub tenant: Option<String>,
    /// Write mode cannot be armed.
    pub read_only: bool,
    /// Only ASCII is drawn.
    pub ascii: bool,
    /// How it is drawn.
    pub theme: Theme,
    /// The zone times are shown in.
    pub zone: TimeZone,
    /// Nothing is sent to the terminal's clipboard.
    pub no_osc52: bool,
    /// Whether this is a replay, which asks nobody: what is wished for is not done.
    pub is_replay: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tenant: None,
            read_only: false,
            ascii: false,
            theme: Theme::default(),
            zone: TimeZone::UTC,
            no_osc52: false,
            is_replay: false,
        }
    }
}

/// Changes that were sent and are not answered yet.
#[derive(Clone, Debug)]
pub struct Work {
    /// What is still awaited.
    pub tags: BTreeSet<Tag>,
    /// How many there were.
    pub total: usize,
    /// What failed.
    pub failed: Vec<WireError>,
    /// What it is called when it is done.
    pub done: String,
}

/// What the user is told for a while.
#[derive(Clone, Debug)]
pub struct Toast {
    /// What it is.
    pub role: Role,
    /// What it says.
    pub text: String,
    /// Until when.
    pub until: UnixMillis,
}

/// Everything.
#[derive(Debug)]
pub struct Model {
    /// Flags and environment.
    pub settings: Settings,
    /// What time it is.
    pub now: UnixMillis,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Whether something changed since it was drawn.
    pub is_dirty: bool,
    /// The connection.
    pub connection: Connection,
    /// Who the daemon takes us for.
    pub who: Option<WhoAmI>,
    /// How it is.
    pub status: Option<Status>,
    /// The question for it.
    pub awaited_status: Option<Tag>,
    /// When it was last asked for.
    pub asked_status: UnixMillis,
    /// What it said over time.
    pub traffic: Traffic,
    /// The screen that is shown.
    pub screen: Screen,
    /// The one before.
    pub previous: Screen,
    /// The pane that keys go to.
    pub focus: usize,
    /// How many lines the side pane is scrolled by.
    pub scroll: usize,
    /// Whether the list has all the width.
    pub wide: bool,
    /// How it is drawn.
    pub theme: Theme,
    /// Whether the mouse is taken.
    pub mouse: bool,
    /// Until when changes are allowed.
    pub write_until: Option<UnixMillis>,
    /// The box over the screen.
    pub overlay: Option<Overlay>,
    /// The filter, while it is typed.
    pub filtering: Option<Input>,
    /// Whether the query of a search is typed.
    pub querying: bool,
    /// The timer after which the whole list is filtered.
    pub awaited_filter: Option<Tag>,
    /// What the user is told.
    pub toasts: Vec<Toast>,
    /// Changes under way.
    pub work: Vec<Work>,
    /// A text that is awaited, with its title.
    pub reading: Option<(Tag, String)>,
    /// What is open in the editor.
    pub editing: Option<Subject>,
    /// What needs attention, as drawn.
    pub attention: usize,
    /// Identities.
    pub identities: Identities,
    /// Memories.
    pub memories: Memories,
    /// Policies.
    pub policies: Policies,
    /// The audit log.
    pub audit: Audit,
    /// Tokens.
    pub tokens: Tokens,
    /// The daemon itself.
    pub system: System,
    next_tag: u64,
}

impl Model {
    /// A program that knows nothing yet.
    pub fn new(settings: Settings, now: UnixMillis, size: (u16, u16)) -> Self {
        let theme = settings.theme;
        Self {
            settings,
            now,
            size,
            is_dirty: true,
            connection: Connection::default(),
            who: None,
            status: None,
            awaited_status: None,
            asked_status: UnixMillis(0),
            traffic: Traffic::default(),
            screen: Screen::Overview,
            previous: Screen::Overview,
            focus: 0,
            scroll: 0,
            wide: false,
            theme,
            mouse: false,
            write_until: None,
            overlay: None,
            filtering: None,
            querying: false,
            awaited_filter: None,
            toasts: Vec::new(),
            work: Vec::new(),
            reading: None,
            editing: None,
            attention: 0,
            identities: Identities::default(),
            memories: Memories::default(),
            policies: Policies::default(),
            audit: Audit {
                follow: true,
                ..Audit::default()
            },
            tokens: Tokens::default(),
            system: System::default(),
            next_tag: 0,
        }
    }

    /// A fresh tag.
    pub fn tag(&mut self) -> Tag {
        self.next_tag += 1;
        Tag(self.next_tag)
    }

    /// How many panes a screen has.
    pub fn panes(&self) -> usize {
        match self.screen {
            Screen::Overview | Screen::Audit | Screen::Tokens => 1,
            Screen::Identities | Screen::Policies => 2,
            Screen::Memories => 3,
            Screen::System => 4,
        }
    }

    /// Whether the daemon answers.
    pub fn is_connected(&self) -> bool {
        matches!(self.connection.link, Link::Connected | Link::Stale)
    }

    /// Whether changes are allowed now.
    pub fn can_write(&self) -> bool {
        self.write_until.is_some_and(|until| self.now < until)
    }

    /// Whether keys are text now.
    pub fn is_typing(&self) -> bool {
        let boxed = match &self.overlay {
            Some(Overlay::Palette { .. } | Overlay::Form(_)) => true,
            Some(Overlay::Dialog(dialog)) => dialog.confirm.is_some(),
            _ => false,
        };
        boxed || self.filtering.is_some() || self.querying
    }

    /// Whether the daemon's log is open.
    pub fn is_reading_log(&self) -> bool {
        matches!(&self.overlay, Some(Overlay::Pane(pane)) if pane.title == LOG_TITLE)
    }

    /// Tells the user something for a while.
    pub fn tell(&mut self, role: Role, text: impl Into<String>) {
        self.toasts.push(Toast {
            role,
            text: text.into(),
            until: self
                .now
                .plus_seconds(if role == Role::Bad { 12 } else { 6 }),
        });
        if self.toasts.len() > 3 {
            self.toasts.remove(0);
        }
    }

    /// The id of what is selected, as the daemon takes it, with its name for people.
    pub fn selected(&self) -> Option<(String, String)> {
        match self.screen {
            Screen::Overview => None,
            Screen::Identities => {
                let identity = self.identities.list.current()?;
                Some((identity.id.to_string(), identity.external_id.clone()))
            }
            Screen::Memories if self.focus == 0 => {
                let (path, _) = self.memories.tree.get(self.memories.tree_at)?;
                Some((path.clone(), path.clone()))
            }
            Screen::Memories => twice(self.memories.list.current()?.id()),
            Screen::Policies => twice(self.policies.list.current()?.id()),
            Screen::Audit => twice(self.audit.feed.current()?.id()),
            Screen::Tokens => twice(self.tokens.list.current()?.id()),
            Screen::System if self.focus == 0 => twice(self.system.checks.current()?.id()),
            Screen::System if self.focus == 1 => twice(self.system.plans.current()?.id()),
            Screen::System if self.focus == 2 => twice(self.system.jobs.current()?.id()),
            Screen::System => twice(self.system.keys.current()?.id()),
        }
    }

    /// Why an action cannot be done now; none if it can.
    pub fn why_not(&self, action: Action) -> Option<String> {
        let binding = keymap::of(self.screen, action)?;
        if binding.writes {
            if self.settings.read_only {
                return Some("started with --read-only".to_owned());
            }
            if !self.can_write() {
                return Some("needs write mode: ctrl-w".to_owned());
            }
            if !self.is_connected() {
                return Some("the daemon does not answer".to_owned());
            }
        }
        reasons::lacks(self, action).map(str::to_owned)
    }

    /// The command that does the same as an action, for what is selected.
    pub fn command(&self, action: Action) -> String {
        let Some(binding) = keymap::of(self.screen, action) else {
            return String::new();
        };
        if let Action::Go(screen) = action {
            return screen.command().to_owned();
        }
        if !binding.command.contains("{}") {
            return binding.command.to_owned();
        }
        let of_plan = |plan: &PlanView| {
            binding
                .command
                .replace("{}", &plan.id.to_string())
                .replace("NAME", &plan.confirm)
        };
        if action == Action::SystemPurge {
            return self
                .system
                .plans
                .current()
                .map_or_else(|| binding.command.replace("{}", "PLAN"), of_plan);
        }
        let name = self
            .selected()
            .map_or_else(|| "ID".to_owned(), |(_, name)| name);
        let command = binding.command.replace("{}", &quoted(&name));
        match self.marked() {
            0 | 1 => command,
            many => format!("{command}, and so on for all {many}"),
        }
    }

    /// How many rows are marked in the list that is shown.
    pub fn marked(&self) -> usize {
        match self.screen {
            Screen::Identities => self.identities.list.marks.len(),
            Screen::Memories => self.memories.list.marks.len(),
            Screen::Policies => self.policies.list.marks.len(),
            Screen::Tokens => self.tokens.list.marks.len(),
            Screen::Overview | Screen::Audit | Screen::System => 0,
        }
    }

    /// When an identity last did something, as far as the daemon knows or it was seen here.
    pub fn last_seen(&self, identity: &IdentityView) -> Option<UnixMillis> {
        let seen = self
            .audit
            .feed
            .items
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Entry(entry) if entry.actor_id == Some(identity.id) => Some(entry.time),
                _ => None,
            });
        seen.max(identity.last_seen_at)
    }

    /// How often a policy of the caller's tenant decided since the daemon started.
    pub fn hits(&self, policy: &str) -> Option<u64> {
        let activity = &self.status.as_ref()?.host.as_ref()?.activity;
        let tenant = self.tenant();
        let found = activity
            .policies
            .iter()
            .find(|busy| busy.name == policy && busy.tenant == tenant);
        Some(found.map_or(0, |busy| busy.count))
    }

    /// The tenant we work in.
    pub fn tenant(&self) -> String {
        let own = self.who.as_ref().map(|who| who.tenant.clone());
        self.settings
            .tenant
            .clone()
            .or(own)
            .unwrap_or_else(|| "-".to_owned())
    }
}

fn twice(id: String) -> Option<(String, String)> {
    Some((id.clone(), id))
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Whether an error means that the connection is gone.
pub fn is_lost(error: &WireError) -> bool {
    error.code == ErrorCode::Unreachable
}
