//! The dashboard in a real terminal (a pseudo-terminal), against a real daemon.

use std::fs;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use manushya_tests::daemon::signal;
use manushya_tests::{Daemon, caller};
use pty_process::Size;
use pty_process::blocking::{Pty, open};
use rustix::process::Signal;
use rustix::termios::{LocalModes, tcgetattr};

use crate::{add, agent, daemon, identity, programs};

/// How long anything may take to be seen, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const TAB: &str = "\t";
const WRITE: &str = "\x17";

/// What the terminal shows.
struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
    ended: bool,
}

/// A dashboard in a terminal. Killed when dropped.
struct Tui {
    child: Child,
    pty: Arc<Pty>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
}

fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has cells")
}

fn parser(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(cells(rows), cells(columns), 0)
}

/// The program with its arguments, in the environment of this home.
fn command(home: &Path, arguments: &[&str]) -> Command {
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
    fn start(daemon: &Daemon, arguments: &[&str]) -> Self {
        Self::run(command(daemon.home().path(), arguments), 100, 30)
    }

    fn run(command: Command, columns: u16, rows: u16) -> Self {
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
    fn press(&self, keys: &str) {
        (&*self.pty)
            .write_all(keys.as_bytes())
            .expect("keys can be pressed");
    }

    /// Presses keys once something is seen.
    #[track_caller]
    fn then(&self, seen: &str, keys: &str) {
        self.sees(seen);
        self.press(keys);
    }

    #[track_caller]
    fn sees(&self, text: &str) {
        self.until(text, |shown| {
            shown.parser.screen().contents().contains(text)
        });
    }

    #[track_caller]
    fn sees_no(&self, text: &str) {
        self.until(&format!("no {text}"), |shown| {
            !shown.parser.screen().contents().contains(text)
        });
    }

    #[track_caller]
    fn until(&self, what: &str, is: impl Fn(&Shown) -> bool) {
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
    fn raw(&self) -> String {
        String::from_utf8_lossy(&self.lock().raw).into_owned()
    }

    fn resize(&self, columns: u16, rows: u16) {
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
    fn ends(&mut self) -> i32 {
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

#[test]
fn overview_shows_the_host_and_every_screen_its_things() {
    let daemon = daemon();
    let agent = agent(&daemon, "claude-code");
    add(&agent, "Deploys go out on Tuesdays");
    let mut tui = Tui::start(&daemon, &[]);
    tui.sees("connected");
    tui.sees("READ-ONLY");
    tui.then("serving", "2");
    tui.then("claude-code", "3");
    tui.then("Deploys go out on", "4");
    tui.then("agent-own-memories", "5");
    tui.then("memory.create", "6");
    tui.then("TIME LEFT", "7");
    tui.then("keys.recovery", "q");
    assert_eq!(tui.ends(), 0);
}

#[test]
fn search_finds_while_typing_and_explains() {
    let daemon = daemon();
    let agent = agent(&daemon, "searcher");
    for text in ["Deploys go out on Tuesdays", "A fern is our plant"] {
        add(&agent, text);
    }
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "3");
    tui.then("fern", "swhen do we deploy");
    // Its score stands there when the answer has come.
    tui.sees("1.00");
    tui.sees("Deploys");
    tui.press(ENTER);
    tui.press("E");
    tui.sees("lexical");
    tui.sees("semantic");
    tui.press(ESC);
    tui.sees_no("lexical");
}

#[test]
fn denial_is_seen_live_and_told_why() {
    let daemon = daemon();
    let agent = agent(&daemon, "cursor");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "5");
    tui.sees("live");
    let _ = agent.refused(5, &["policy", "list"]);
    tui.sees("policy.read");
    tui.press("d");
    tui.sees("decision=deny");
    tui.press("g");
    tui.press(ENTER);
    tui.sees("DENY policy.read by cursor");
    tui.sees("chain");
    // The rules that were read stand below.
    tui.press("G");
    tui.sees("facts");
}

#[test]
fn identity_is_created_with_a_token_that_is_shown_once() {
    let daemon = daemon();
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "2");
    tui.then("Identities", "c");
    tui.sees("needs write mode");
    tui.press(WRITE);
    tui.then("WRITE", "c");
    tui.then("Create an identity", "agent-z");
    for _ in 0..5 {
        tui.press(ENTER);
    }
    tui.sees("This is shown once");
    tui.sees("eyJ");
    tui.press(ESC);
    tui.sees_no("eyJ");
    tui.sees("agent-z");
    let shown = daemon.operator().json(&["identity", "show", "agent-z"]);
    assert_eq!(shown["role"], "agent", "{shown}");
}

#[test]
fn token_is_revoked_after_a_question_that_stands_on_cancel() {
    let daemon = daemon();
    let agent = agent(&daemon, "short-lived");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", WRITE);
    tui.then("WRITE", "6");
    tui.then("short-lived", "K");
    tui.then("Revoke 1 token?", ENTER);
    tui.sees_no("Revoke 1 token?");
    let _ = agent.run(&["whoami"]).ok();
    tui.press("K");
    tui.then("Revoke 1 token?", TAB);
    tui.then("[ Revoke ]", ENTER);
    tui.sees("revoked: 1 token");
    let _ = agent.run(&["whoami"]).exits(4);
}

#[test]
fn identity_is_purged_after_its_name_was_typed() {
    let daemon = daemon();
    let agent = agent(&daemon, "intern-bot");
    add(&agent, "Something to forget");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", WRITE);
    tui.then("WRITE", "7");
    tui.then("Purge plans", "n");
    tui.then("Plan a purge", "intern-bot");
    tui.press(ENTER);
    tui.press(ENTER);
    tui.then("P carries it out", ESC);
    // Escape and a key right behind it would be one key.
    tui.sees_no("P carries it out");
    tui.then("planned", "P");
    tui.sees("Type intern-bot to go on");
    // A wrong name does nothing, and enter on Cancel neither.
    tui.press("intern");
    tui.press(TAB);
    tui.then("[ Purge ]", ENTER);
    tui.then("the name is not typed", "-bot");
    tui.then("intern-bot█", TAB);
    tui.then("[ Purge ]", ENTER);
    tui.sees("data keys destroyed");
    let _ = daemon
        .operator()
        .run(&["identity", "show", "intern-bot"])
        .exits(6);
}

#[test]
fn daemon_that_is_killed_and_started_again_needs_no_key() {
    let daemon = daemon();
    let _ = agent(&daemon, "survivor");
    let mut tui = Tui::start(&daemon, &[]);
    tui.then("connected", "2");
    tui.sees("survivor");
    let home = daemon.kill();
    tui.sees("RECONNECTING");
    // What was known stays, with its age, and the command that helps.
    tui.sees("survivor");
    tui.sees("as of");
    tui.sees("manushyactl up");
    tui.sees("OFFLINE");
    let daemon = Daemon::start_in(&programs(), home);
    tui.sees("connected");
    let _ = agent(&daemon, "newcomer");
    tui.sees("newcomer");
    tui.press("q");
    assert_eq!(tui.ends(), 0);
}

#[test]
fn terminal_may_become_tiny_and_large_again() {
    let daemon = daemon();
    let mut tui = Tui::start(&daemon, &[]);
    tui.then("connected", "5");
    tui.sees("Audit");
    tui.resize(20, 5);
    tui.sees("too small");
    tui.resize(60, 15);
    tui.sees("5 Audit");
    tui.resize(140, 45);
    tui.sees("2 Identities");
    tui.sees("DECISION");
    tui.press("q");
    assert_eq!(tui.ends(), 0);
}

#[test]
fn every_way_out_gives_the_terminal_back() {
    let daemon = daemon();
    // What is written at last may be longer than the screen, as a backtrace is.
    let out = |arguments: &[&str], leave: &dyn Fn(&Tui)| {
        let mut tui = Tui::start(&daemon, arguments);
        tui.sees("connected");
        leave(&tui);
        (tui.ends(), tui.raw())
    };
    assert_eq!(out(&[], &|tui| tui.press("q")).0, 0);
    assert_eq!(out(&[], &|tui| tui.press("\x03")).0, 130);
    assert_eq!(out(&[], &|tui| signal(&tui.child, Signal::TERM)).0, 143);
    assert_eq!(out(&[], &|tui| signal(&tui.child, Signal::HUP)).0, 129);
    let (code, written) = out(&["--danger-panic-on", "~"], &|tui| tui.press("~"));
    assert_eq!(code, 101);
    assert!(written.contains("a panic was asked for"), "{written}");
}

#[test]
fn read_only_cannot_be_armed_and_its_disabled_keys_say_why() {
    let daemon = daemon();
    let tui = Tui::start(&daemon, &["--read-only"]);
    tui.then("connected", WRITE);
    tui.then("cannot be armed", "6");
    tui.then("(i issue)", "i");
    tui.sees("started with --read-only");
}

#[test]
fn policy_is_tried_switched_and_edited_with_validation() {
    let daemon = daemon();
    let operator = daemon.operator();
    let _ = agent(&daemon, "asker");
    let editor = daemon.home().join("editor");
    // The first edit breaks the rule, the second mends it and raises the priority.
    let script = "#!/bin/sh\nif [ -e mended ]; then\n sed -i -e 's/\"priority\": 0/\"priority\": 7/' \"$1\"\n\
                  else\n touch mended\n sed -i -e 's/\"==\"/\"equals\"/' \"$1\"\nfi\n";
    daemon.home().write("editor", script);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&editor, mode).unwrap();
    let mut command = command(daemon.home().path(), &[]);
    command.env("EDITOR", &editor);
    let tui = Tui::run(command, 120, 40);
    tui.then("connected", WRITE);
    tui.then("WRITE", "4");
    tui.then("agent-own-memories", "t");
    tui.then("Ask the policies", "asker");
    for _ in 0..5 {
        tui.press(ENTER);
    }
    tui.sees("ALLOW by agent-own-memories");
    tui.press(ESC);
    tui.sees_no("ALLOW by");
    tui.press("/agent-own-memories");
    tui.press(ENTER);
    tui.sees("filter: agent-own-memories");
    tui.press("e");
    tui.then("the policy was not applied", ESC);
    tui.sees_no("the policy was not applied");
    tui.press("e");
    tui.sees("applied: agent-own-memories");
    let shown = operator.json(&["policy", "show", "agent-own-memories"]);
    assert_eq!(shown["priority"], 7, "{shown}");
    tui.press("x");
    tui.then("Disable policy agent-own-memories?", TAB);
    tui.then("[ Disable ]", ENTER);
    tui.sees("disabled: agent-own-memories");
    let shown = operator.json(&["policy", "show", "agent-own-memories"]);
    assert_eq!(shown["is_active"], false, "{shown}");
}

#[test]
fn log_is_verified_and_the_palette_leads_there() {
    let daemon = daemon();
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", ":verify");
    tui.sees("same as: manushyactl audit verify");
    tui.press(ENTER);
    tui.sees("verified");
    tui.sees("chain ✓ to");
}

#[test]
fn record_holds_no_text_and_replays() {
    let daemon = daemon();
    let agent = identity(&daemon.operator(), "recorded", "agent");
    add(&agent, "Zanzibar is the codeword");
    let file = daemon.home().join("record.jsonl");
    let name = file.to_str().unwrap();
    let mut tui = Tui::start(&daemon, &["--record", name]);
    tui.then("connected", "3");
    tui.then("Zanzibar", WRITE);
    tui.then("WRITE", "6i");
    tui.then("Issue a token", "\x15recorded");
    for _ in 0..4 {
        tui.press(ENTER);
    }
    tui.then("This is shown once", ESC);
    tui.sees_no("This is shown once");
    tui.press("q");
    assert_eq!(tui.ends(), 0);
    assert!(tui.raw().contains("eyJ"));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.lines().count() > 10, "{text}");
    for secret in ["Zanzibar", "codeword", "eyJ"] {
        assert!(!text.contains(secret), "{secret} is in the record");
    }
    // It is shown again without any daemon.
    let home = daemon.stop();
    let mut tui = Tui::run(command(home.path(), &["--replay", name]), 100, 30);
    tui.sees("REPLAY");
    tui.sees("end of the replay");
    tui.sees("6 Tokens");
    tui.press("q");
    assert_eq!(tui.ends(), 0);
}

#[test]
fn linear_prints_changes_as_lines() {
    let daemon = daemon();
    let mut command = command(daemon.home().path(), &["--linear"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    let mut until = |wanted: &str| {
        while !seen.contains(wanted) {
            let read = std::io::BufRead::read_line(&mut out, &mut seen).unwrap();
            assert!(read > 0, "{wanted} is not printed:\n{seen}");
        }
        assert!(!seen.contains('\x1b'), "{seen}");
    };
    until("connected to daemon");
    until("0 memories");
    let agent = agent(&daemon, "spoken");
    add(&agent, "Hello");
    until("allow: spoken memory.create");
    signal(&child, Signal::TERM);
    let status = manushya_tests::daemon::wait(&mut child, PATIENCE);
    assert_eq!(status.code(), Some(143));
}

/// Ticks of processor time a process took; a hundred a second.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn idle_takes_less_than_one_percent_of_a_core() {
    let daemon = daemon();
    let agent = agent(&daemon, "idle");
    add(&agent, "Something to look at");
    let tui = Tui::start(&daemon, &[]);
    tui.then("connected", "3");
    tui.sees("Something to look at");
    let (before, start) = (ticks(tui.child.id()), Instant::now());
    // What is measured is the time itself.
    std::thread::sleep(Duration::from_secs(12));
    let taken = ticks(tui.child.id()) - before;
    let share = taken as f64 / start.elapsed().as_secs_f64();
    println!("idle: {share:.2} % of a core");
    assert!(share < 1.0, "{share} % of a core");
}
