//! Does what is wished for: the terminal, the socket, the clock.

mod call;
mod linear;
mod record;
mod terminal;
mod verify;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers, MouseEventKind};
use futures::StreamExt as _;
use manushya_protocol::client::Client;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::UnixMillis;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use crate::connect::Target;
use crate::effect::{Ask, Effect, Tag};
use crate::model::{Model, Settings};
use crate::msg::{Key, Msg};
use crate::update;
use record::Recorder;
use terminal::Screen;

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// What to run with.
#[derive(Debug)]
pub struct Options {
    /// Where the daemon is.
    pub target: Target,
    /// How it is set up.
    pub settings: Settings,
    /// Where to write what happens.
    pub record: Option<PathBuf>,
    /// What to show again.
    pub replay: Option<PathBuf>,
    /// Print instead of drawing.
    pub linear: bool,
    /// Panic at this key.
    pub panic_on: Option<char>,
}

/// What comes in from tasks.
pub(crate) enum In {
    /// Something happened.
    Msg(Msg),
    /// A connection that said hello.
    Client(Box<Client>),
}

pub(crate) type Inbox = UnboundedSender<In>;

/// What time it is.
fn now() -> UnixMillis {
    UnixMillis(jiff::Timestamp::now().as_millisecond())
}

/// Acts on wishes.
pub(crate) struct Hands {
    target: Target,
    client: Option<Client>,
    inbox: Inbox,
    connecting: Option<JoinHandle<()>>,
    verifying: Option<(Tag, AbortHandle)>,
    is_replay: bool,
}

impl Hands {
    fn new(target: Target, inbox: Inbox, is_replay: bool) -> Self {
        Self {
            target,
            client: None,
            inbox,
            connecting: None,
            verifying: None,
            is_replay,
        }
    }

    /// Turns what came in into what happened.
    fn take(&mut self, came: In) -> Msg {
        match came {
            In::Msg(msg) => msg,
            In::Client(client) => {
                let welcome = client.welcome().clone();
                self.client = Some(*client);
                Msg::Connected(Box::new(welcome))
            }
        }
    }

    /// Does what needs no terminal; gives back what does.
    fn act(&mut self, effect: Effect) -> Option<Effect> {
        if self.is_replay && !matches!(effect, Effect::Quit(_) | Effect::Redraw | Effect::Suspend) {
            return None;
        }
        match effect {
            Effect::Call(tag, ask) => {
                let (client, inbox, home) = (
                    self.client.clone(),
                    self.inbox.clone(),
                    self.target.home.clone(),
                );
                let is_long = matches!(*ask, Ask::Verify);
                let task = tokio::spawn(async move {
                    let answer = match client {
                        Some(client) => call::call(&client, *ask, &inbox, &home).await,
                        None => Err(WireError::new(
                            ErrorCode::Unreachable,
                            "the daemon is not connected",
                        )
                        .hint("manushyactl up")),
                    };
                    let _ = inbox.send(In::Msg(Msg::Answer(tag, Box::new(answer))));
                });
                if is_long {
                    self.verifying = Some((tag, task.abort_handle()));
                }
            }
            Effect::Cancel(tag) => {
                if let Some((_, task)) = self.verifying.take_if(|(of, _)| *of == tag) {
                    task.abort();
                }
            }
            Effect::Connect(wait_ms) => self.connect(wait_ms),
            Effect::Later(wait_ms, tag) => {
                let inbox = self.inbox.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    let _ = inbox.send(In::Msg(Msg::Timer(tag)));
                });
            }
            other => return Some(other),
        }
        None
    }

    fn connect(&mut self, wait_ms: u64) {
        if let Some(before) = self.connecting.take() {
            before.abort();
        }
        self.client = None;
        let (connect, inbox) = (self.target.connect(), self.inbox.clone());
        self.connecting = Some(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            let came = match Client::connect(connect).await {
                Ok(client) => In::Client(Box::new(client)),
                Err(error) => In::Msg(Msg::ConnectFailed(error)),
            };
            let _ = inbox.send(came);
        }));
    }
}

/// Runs until the user or a signal ends it, and says what to exit with.
///
/// # Errors
///
/// [`WireError`] if there is no terminal, or a file cannot be read or written.
pub async fn run(options: Options) -> Result<u8, WireError> {
    if options.linear {
        return linear::run(options).await;
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(WireError::new(
            ErrorCode::InvalidArgument,
            "standard input and output are no terminal",
        )
        .reason("the dashboard draws on a terminal and reads keys from it")
        .hint("manushya-tui --linear, or manushyactl status"));
    }
    let recorder = options
        .record
        .as_deref()
        .map(Recorder::create)
        .transpose()?;
    let replay = options.replay.as_deref().map(record::load).transpose()?;
    let (inbox, came) = unbounded_channel();
    let mut screen = Screen::open().map_err(|error| terminal_error(&error))?;
    let size = screen.size();
    let mut model = Model::new(options.settings.clone(), now(), size);
    model.connection.socket = options.target.socket.display().to_string();
    let hands = Hands::new(options.target, inbox, replay.is_some());
    let mut looped = Loop {
        model,
        hands,
        recorder,
        panic_on: options.panic_on,
        ended: None,
    };
    if let Some(recorder) = &mut looped.recorder {
        recorder.start(size);
    }
    let ended = match replay {
        Some(messages) => looped.replay(&mut screen, messages).await,
        None => looped.live(&mut screen, came).await,
    };
    drop(screen);
    ended.map_err(|error| terminal_error(&error))
}

fn terminal_error(error: &std::io::Error) -> WireError {
    WireError::new(ErrorCode::Internal, "the terminal failed").reason(error.to_string())
}

struct Loop {
    model: Model,
    hands: Hands,
    recorder: Option<Recorder>,
    panic_on: Option<char>,
    ended: Option<u8>,
}

/// The signals that end it, with their numbers.
pub(crate) async fn ending_signal() -> u8 {
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => 143,
        () = wait(SignalKind::hangup()) => 129,
        () = wait(SignalKind::interrupt()) => 130,
    }
}

impl Loop {
    async fn live(
        &mut self,
        screen: &mut Screen,
        mut came: UnboundedReceiver<In>,
    ) -> std::io::Result<u8> {
        let mut keys = EventStream::new();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut ending = std::pin::pin!(ending_signal());
        let mut next_frame = Instant::now();
        let effects = update::start(&mut self.model);
        self.all(effects, screen, &mut keys)?;
        loop {
            if let Some(code) = self.ended {
                return Ok(code);
            }
            if self.model.is_dirty && Instant::now() >= next_frame {
                screen.draw(&self.model)?;
                self.model.is_dirty = false;
                next_frame = Instant::now() + FRAME;
            }
            let msg = tokio::select! {
                key = keys.next() => match key {
                    Some(Ok(event)) => self.read(event),
                    // The terminal is gone.
                    Some(Err(_)) | None => return Ok(129),
                },
                Some(came) = came.recv() => Some(self.hands.take(came)),
                _ = tick.tick() => Some(Msg::Tick(now())),
                code = &mut ending => return Ok(code),
                () = tokio::time::sleep_until(next_frame), if self.model.is_dirty => None,
            };
            if terminal::has_panicked() {
                return Ok(101);
            }
            if let Some(msg) = msg {
                self.happen(msg, screen, &mut keys)?;
            }
        }
    }

    fn happen(
        &mut self,
        msg: Msg,
        screen: &mut Screen,
        keys: &mut EventStream,
    ) -> std::io::Result<()> {
        if let Some(recorder) = &mut self.recorder {
            recorder.note(now(), &msg, self.model.is_typing());
        }
        let effects = update::update(&mut self.model, msg);
        self.all(effects, screen, keys)
    }

    fn all(
        &mut self,
        effects: Vec<Effect>,
        screen: &mut Screen,
        keys: &mut EventStream,
    ) -> std::io::Result<()> {
        for effect in effects {
            match self.hands.act(effect) {
                None => {}
                Some(Effect::Quit(code)) => self.ended = Some(code),
                Some(Effect::Mouse(on)) => screen.mouse(on)?,
                Some(Effect::Redraw) => screen.redraw()?,
                Some(Effect::Copy(text)) => screen.copy(&text)?,
                Some(Effect::CopySecret(token)) => screen.copy_secret(&token)?,
                Some(Effect::Suspend) => screen.away(terminal::stop_here)?,
                Some(Effect::Edit(subject, text)) => {
                    // Two readers of one terminal would share the keys.
                    drop(std::mem::replace(keys, EventStream::new()));
                    let edited = screen.away(|| terminal::edit(&subject, &text))?;
                    *keys = EventStream::new();
                    let msg = match edited {
                        Ok(text) => Msg::Edited(text),
                        Err(error) => {
                            let _ = self.hands.inbox.send(In::Msg(Msg::Edited(None)));
                            Msg::Failed(format!("the editor failed: {error}"))
                        }
                    };
                    let _ = self.hands.inbox.send(In::Msg(msg));
                }
                Some(
                    Effect::Call(..) | Effect::Cancel(_) | Effect::Connect(_) | Effect::Later(..),
                ) => {}
            }
        }
        Ok(())
    }

    fn read(&self, event: Event) -> Option<Msg> {
        let msg = translate(event)?;
        if let (Msg::Key(Key::Char(c)), Some(wanted)) = (&msg, self.panic_on) {
            assert!(*c != wanted, "a panic was asked for");
        }
        Some(msg)
    }

    /// Shows what was recorded, at its own pace but without long waits.
    async fn replay(
        &mut self,
        screen: &mut Screen,
        messages: Vec<(u64, Msg)>,
    ) -> std::io::Result<u8> {
        let mut keys = EventStream::new();
        let mut ending = std::pin::pin!(ending_signal());
        let mut messages = messages.into_iter().peekable();
        let mut at = 0;
        let mut paused = false;
        let _ = update::start(&mut self.model);
        loop {
            if self.model.is_dirty {
                screen.draw(&self.model)?;
                self.model.is_dirty = false;
            }
            let wait = messages
                .peek()
                .map(|(then, _)| Duration::from_millis(then.saturating_sub(at).min(1_000)));
            tokio::select! {
                key = keys.next() => match key {
                    Some(Ok(event)) => match translate(event) {
                        Some(Msg::Key(Key::Char('q') | Key::Esc | Key::Ctrl('c'))) => return Ok(0),
                        Some(Msg::Key(Key::Char(' '))) => paused = !paused,
                        Some(msg @ Msg::Resize(..)) => drop(update::update(&mut self.model, msg)),
                        _ => {}
                    },
                    Some(Err(_)) | None => return Ok(129),
                },
                code = &mut ending => return Ok(code),
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() && !paused => {
                    if let Some((then, msg)) = messages.next() {
                        at = then;
                        // What the recorded user ended is not the end of the replay.
                        let _ = update::update(&mut self.model, msg);
                    }
                    if messages.peek().is_none() {
                        self.model.tell(crate::text::Role::Title, "end of the replay; q ends");
                        self.model.is_dirty = true;
                    }
                }
            }
        }
    }
}

/// What an event of the terminal means.
fn translate(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            translate_key(key.code, key.modifiers).map(Msg::Key)
        }
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollDown => Some(Msg::Wheel(3)),
            MouseEventKind::ScrollUp => Some(Msg::Wheel(-3)),
            MouseEventKind::Down(_) => Some(Msg::Click(mouse.column, mouse.row)),
            _ => None,
        },
        _ => None,
    }
}

fn translate_key(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    Some(match code {
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
            Key::Ctrl(c.to_ascii_lowercase())
        }
        KeyCode::Char(c) if !modifiers.contains(KeyModifiers::ALT) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}
