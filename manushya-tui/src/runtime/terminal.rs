//! The terminal: taken, given back on every way out, and lent to an editor.

use std::io::{self, Stdout, Write as _, stdout};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use data_encoding::BASE64;
use manushya_protocol::secret::BearerToken;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::effect::Subject;
use crate::model::Model;
use crate::view::view;

static PANICKED: AtomicBool = AtomicBool::new(false);
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether something panicked, in a task too.
pub fn has_panicked() -> bool {
    PANICKED.load(Ordering::Relaxed)
}

/// The terminal, while it is taken.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::Relaxed);
    enable_raw_mode()?;
    execute!(
        stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        cursor::Hide
    )
}

/// Gives the terminal back. Every step is tried, whatever became of the one before.
fn restore() {
    if !TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    let _ = execute!(stdout(), DisableMouseCapture);
    let _ = execute!(stdout(), DisableBracketedPaste);
    let _ = execute!(stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

/// A panic is told on a terminal that can be read again.
fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::Relaxed);
            restore();
            before(info);
        }));
    });
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// [`io::Error`] of the terminal.
    pub fn open() -> io::Result<Self> {
        hook();
        let terminal = match take().and_then(|()| Terminal::new(CrosstermBackend::new(stdout()))) {
            Ok(terminal) => terminal,
            Err(error) => {
                restore();
                return Err(error);
            }
        };
        Ok(Self {
            terminal,
            mouse: false,
        })
    }

    /// Its columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.terminal
            .size()
            .map_or((80, 24), |size| (size.width, size.height))
    }

    /// Draws a frame.
    ///
    /// # Errors
    ///
    /// [`io::Error`] of the terminal.
    pub fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.terminal.draw(|frame| view(model, frame)).map(drop)
    }

    /// Draws everything anew at the next frame.
    ///
    /// # Errors
    ///
    /// [`io::Error`] of the terminal.
    pub fn redraw(&mut self) -> io::Result<()> {
        // `Terminal::clear` asks the terminal where its cursor is, and not every one answers.
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(())
    }

    /// Takes the mouse, or leaves it.
    ///
    /// # Errors
    ///
    /// [`io::Error`] of the terminal.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        match on {
            true => execute!(stdout(), EnableMouseCapture),
            false => execute!(stdout(), DisableMouseCapture),
        }
    }

    /// Sends a text to the terminal's clipboard (OSC 52).
    ///
    /// # Errors
    ///
    /// [`io::Error`] of the terminal.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut out = stdout().lock();
        write!(out, "\x1b]52;c;{}\x07", BASE64.encode(text.as_bytes()))?;
        out.flush()
    }

    /// Sends a new token to the terminal's clipboard.
    ///
    /// # Errors
    ///
    /// [`io::Error`] of the terminal.
    pub fn copy_secret(&mut self, token: &BearerToken) -> io::Result<()> {
        self.copy(token.expose())
    }

    /// Gives the terminal back while something else runs, and takes it again.
    ///
    /// # Errors
    ///
    /// [`io::Error`] of the terminal.
    pub fn away<T>(&mut self, run: impl FnOnce() -> T) -> io::Result<T> {
        restore();
        let ran = run();
        take()?;
        if self.mouse {
            self.mouse(true)?;
        }
        self.redraw()?;
        Ok(ran)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Stops this process as ctrl-z does, until the shell continues it.
pub fn stop_here() {
    // If it cannot be stopped it goes on, which is no harm.
    let pid: Pid = getpid();
    let _ = kill_process(pid, Signal::TSTP);
}

/// Lets the user edit a text, and returns it if it was changed.
///
/// # Errors
///
/// [`io::Error`] if there is no editor or no room for the file.
pub fn edit(subject: &Subject, text: &str) -> io::Result<Option<String>> {
    let ending = match subject {
        Subject::Memory(..) => ".txt",
        Subject::Policy(_) => ".json",
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix("manushya-").suffix(ending);
    // What is only in RAM is better for a text that is sealed elsewhere.
    let run = std::env::var_os("XDG_RUNTIME_DIR").filter(|run| !run.is_empty());
    let mut file = match run.map(|run| builder.tempfile_in(run)) {
        Some(Ok(file)) => file,
        Some(Err(_)) | None => builder.tempfile()?,
    };
    file.write_all(text.as_bytes())?;
    file.flush()?;
    let named = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|editor| !editor.trim().is_empty())
    };
    let editor = named("VISUAL")
        .or_else(|| named("EDITOR"))
        .unwrap_or_else(|| "vi".to_owned());
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(file.path())
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("`{editor}` ended with {status}")));
    }
    let edited = std::fs::read_to_string(file.path())?;
    Ok((edited.trim_end_matches('\n') != text.trim_end_matches('\n')).then_some(edited))
}
