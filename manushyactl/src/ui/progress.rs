//! Progress on standard error: a bar on a terminal, a plain line every ten seconds elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a plain line is written.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a long piece of work is.
pub struct Progress {
    kind: Kind,
    started: Instant,
    told: Instant,
}

enum Kind {
    Silent,
    Bar(ProgressBar),
    Plain(&'static str),
}

impl Progress {
    /// Starts showing; `total` is in the same unit as [`Self::at`]. `bar` says whether a bar is
    /// welcome, `quiet` that nothing is.
    pub fn start(what: &'static str, total: Option<u64>, quiet: bool, bar: bool) -> Self {
        let kind = match (quiet, bar && std::io::stderr().is_terminal()) {
            (true, _) => Kind::Silent,
            (false, true) => Kind::Bar(drawn(what, total)),
            (false, false) => Kind::Plain(what),
        };
        let started = Instant::now();
        Self {
            kind,
            started,
            told: started,
        }
    }

    /// Says how far it is: a position and words for it.
    pub fn at(&mut self, position: u64, words: impl FnOnce() -> String) {
        match &self.kind {
            Kind::Silent => {}
            Kind::Bar(bar) => {
                bar.set_position(position);
                bar.set_message(words());
            }
            Kind::Plain(what) => {
                if self.told.elapsed() >= PLAIN_EVERY {
                    self.told = Instant::now();
                    eprint_line(&format!("{what}: {}", words()));
                }
            }
        }
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

fn drawn(what: &'static str, total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "{prefix} [{bar:30}] {percent:>3}% {msg} {eta}",
        None => "{prefix} {spinner} {msg}",
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar.set_prefix(what);
    bar
}

/// Writes a line to standard error; nobody is left to tell if that fails.
pub fn eprint_line(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
