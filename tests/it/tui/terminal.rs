//! A dashboard in a pseudo-terminal: keys go in, and what it shows is read back.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use manushya_tests::{Daemon, caller};
use pty_process::Size;
use pty_process::blocking::{Pty, open};
use rustix::termios::{LocalModes, tcgetattr};

/// How long anything may take to be seen, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub const ENTER: &str = "\r";
pub const ESC: &str = "\x1b";
pub const TAB: &str = "\t";
pub const WRITE: &str = "\x17";

/// What the terminal shows.
pub struct Shown {
    pub parser: vt100::Parser,
    raw: Vec<u8>,
    ended: bool,
}

/// A dashboard in a terminal. Killed when dropped.
pub struct Tui {
    pub child: Child,
    pty: Arc<Pty>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
}

fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has cells")
}

pub fn parser(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(cells(rows), cells(columns), 0)
}

/// The program with its arguments, in the environment of this home.
pub fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_it-manushya-tui"));
    caller::clean(&mut command, home);
    command
        .env("TERM", "xterm-256color")
        .env("TZ", "UTC")
        .args(arguments)
        .current_dir(home);
    command
}

impl Tui {
    pub fn start(daemon: &Daemon, arguments: &[&str]) -> Self {
        Self::run(command(daemon.home().path(), arguments), 100, 30)
    }

    pub fn run(command: Command, columns: u16, rows: u16) -> Self {
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(rows, columns)).expect("its size");
        let child = pty_process::blocking::Command::from(command)
            .spawn(pts)
            .expect("the dashboard's program can be started");
        let pty = Arc::new(pty);
        let shown = Arc::new((
            Mutex::new(Shown {
                parser: parser(columns, rows),
                raw: Vec::new(),
                ended: false,
            }),
            Condvar::new(),
        ));
        let (reader, into) = (pty.clone(), shown.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 16 << 10];
            loop {
                // The end of the program is an error here.
                let read = (&*reader).read(&mut bytes).unwrap_or(0);
                let mut shown = into.0.lock().unwrap_or_else(PoisonError::into_inner);
                shown.parser.process(&bytes[..read]);
                shown.raw.extend_from_slice(&bytes[..read]);
                shown.ended = read == 0;
                into.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { child, pty, shown }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        (&*self.pty)
            .write_all(keys.as_bytes())
            .expect("keys can be pressed");
    }

    /// Presses keys once something is seen.
    #[track_caller]
    pub fn then(&self, seen: &str, keys: &str) {
        self.sees(seen);
        self.press(keys);
    }

    #[track_caller]
    pub fn sees(&self, text: &str) {
        self.until(text, |shown| {
            shown.parser.screen().contents().contains(text)
        });
    }

    #[track_caller]
    pub fn sees_no(&self, text: &str) {
        self.until(&format!("no {text}"), |shown| {
            !shown.parser.screen().contents().contains(text)
        });
    }

    #[track_caller]
    pub fn until(&self, what: &str, is: impl Fn(&Shown) -> bool) {
        let start = Instant::now();
        let mut shown = self.lock();
        while !is(&shown) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let screen = || shown.parser.screen().contents();
            assert!(!left.is_zero(), "{what} is not seen:\n{}", screen());
            shown = self.shown.1.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Everything that was ever sent to the terminal.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.lock().raw).into_owned()
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        {
            let mut shown = self.lock();
            shown.parser = parser(columns, rows);
        }
        self.pty
            .resize(Size::new(rows, columns))
            .expect("a terminal can be resized");
    }

    /// Waits for its end: its exit code, and that the terminal is as it was.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        let status = manushya_tests::daemon::wait(&mut self.child, PATIENCE);
        let modes = tcgetattr(&*self.pty)
            .expect("the terminal's modes")
            .local_modes;
        assert!(
            modes.contains(LocalModes::ICANON | LocalModes::ECHO),
            "the terminal is still raw"
        );
        // What was written before the end is still to be read.
        self.until("the end of what it wrote", |shown| shown.ended);
        self.until("the main screen with a cursor", |shown| {
            let screen = shown.parser.screen();
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal))
            .unwrap_or(-1)
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
