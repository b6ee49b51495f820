//! The command line as a caller: one process a command.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Gives a command an environment in which nothing but the home decides.
pub fn clean(command: &mut Command, home: &Path) {
    command.env_clear();
    for name in ["PATH", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("HOME", home)
        .env("MANUSHYA_HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb");
}

/// Runs commands against one home, as one caller.
#[derive(Clone, Debug)]
pub struct Caller {
    program: PathBuf,
    home: PathBuf,
    env: Vec<(String, String)>,
}

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Out {
    /// Its exit code; 128 and the signal if a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// The command, for messages.
    pub command: String,
}

impl Caller {
    /// A caller without a token: who the kernel says it is.
    pub fn new(program: &Path, home: &Path) -> Self {
        Self {
            program: program.to_owned(),
            home: home.to_owned(),
            env: Vec::new(),
        }
    }

    /// The same caller with one more variable.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.env.push((name.to_owned(), value.to_owned()));
        other
    }

    /// The caller that this token is for.
    #[must_use]
    pub fn token(&self, token: &str) -> Self {
        self.with("MANUSHYA_TOKEN", token)
    }

    /// The token of this caller.
    pub fn bearer(&self) -> Option<&str> {
        let found = self
            .env
            .iter()
            .rev()
            .find(|(name, _)| name == "MANUSHYA_TOKEN");
        found.map(|(_, value)| value.as_str())
    }

    /// The command, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        clean(&mut command, &self.home);
        command
            .envs(self.env.iter().cloned())
            .args(arguments)
            .current_dir(&self.home);
        command
    }

    /// Starts a command and leaves it running.
    ///
    /// # Panics
    ///
    /// If the program is not there.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command line's program can be started")
    }

    /// Runs a command.
    pub fn run(&self, arguments: &[&str]) -> Out {
        self.run_with(arguments, b"")
    }

    /// Runs a command with this on its standard input.
    ///
    /// # Panics
    ///
    /// If the program is not there.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Out {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .expect("the command line's program can be started");
        let mut stdin = child.stdin.take();
        let input = input.to_vec();
        // A command that does not read its input closes it early; that is not an error.
        let writer = std::thread::spawn(move || stdin.as_mut().map(|to| to.write_all(&input)));
        let output = child
            .wait_with_output()
            .expect("the output of a child can be read");
        let _ = writer.join();
        Out::of(&output, arguments.join(" "))
    }

    /// Runs a command with `-o json`, which must succeed, and returns what it wrote.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["-o", "json"]].concat()).ok().json()
    }

    /// Runs a command with `-o json`, which must fail with this exit code, and returns the error.
    #[track_caller]
    pub fn refused(&self, code: i32, arguments: &[&str]) -> Value {
        let out = self.run(&[arguments, &["-o", "json"]].concat());
        assert_eq!(out.code, code, "{out:?}");
        let error = out.error();
        assert_eq!(error["exit"], code, "{out:?}");
        error
    }
}

impl Out {
    /// What the output of a process amounts to.
    pub fn of(output: &Output, command: String) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = || output.status.signal().map_or(-1, |signal| 128 + signal);
        Self {
            code: output.status.code().unwrap_or_else(signal),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            command,
        }
    }

    /// Checks that it succeeded.
    #[track_caller]
    #[must_use]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Checks its exit code.
    #[track_caller]
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Its standard output as one JSON document.
    ///
    /// # Panics
    ///
    /// If it is not one.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("standard output is no JSON: {error}: {self:?}"),
        }
    }

    /// Its standard output as one JSON document a line.
    ///
    /// # Panics
    ///
    /// If a line is not one.
    #[track_caller]
    pub fn jsonl(&self) -> Vec<Value> {
        let parse = |line: &str| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("a line is no JSON: {error}: {line}"),
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The error it wrote as one JSON line on standard error.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn error(&self) -> Value {
        let error = self.stderr.lines().rev().find_map(|line| {
            serde_json::from_str::<Value>(line)
                .ok()
                .filter(|value| value["code"].is_string())
        });
        match error {
            Some(error) => error,
            None => panic!("there is no JSON error on standard error: {self:?}"),
        }
    }
}
