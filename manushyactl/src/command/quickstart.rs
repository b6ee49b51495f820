//! `quickstart`: the whole of it in a temporary home, each command shown as it runs.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use manushya_protocol::error::ErrorCode;
use manushya_protocol::exit;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::system::Quickstart;
use crate::context::Context;
use crate::error::{Outcome, Stop};
use crate::ui::color::{Tone, tint};
use manushya_protocol::home::SOCKET_PATH_BYTES_MAX;

/// A log of an agent's work, to search in.
pub const MEMORIES: &str = include_str!("../../assets/quickstart.jsonl");

/// Questions about [`MEMORIES`], in other words than theirs.
pub const QUESTIONS: [&str; 3] = [
    "which database did we choose for invoices and why",
    "what caused the checkout outage in March",
    "how large should a pull request be for Ines",
];

/// Shows everything once.
///
/// # Errors
///
/// What the first command fails with that was not to fail.
pub async fn run(arguments: &Quickstart, context: &Context) -> Outcome {
    if arguments.file.is_some() && arguments.queries.is_empty() {
        return Err(Stop::usage("name a question that your file can answer")
            .hint("manushyactl quickstart FILE --query \"which database did we choose\""));
    }
    if let Some(file) = &arguments.file {
        std::fs::File::open(file).map_err(|error| Stop::unreadable(file, &error))?;
    }
    let stage = Stage::new(context)?;
    let outcome = play(arguments, &stage);
    match outcome {
        Ok(()) if arguments.keep => stage.keep(),
        other => other,
    }
}

fn play(arguments: &Quickstart, stage: &Stage<'_>) -> Outcome {
    stage
        .say("A daemon in a home of its own. You are its operator: the kernel says who you are.")?;
    stage.show_line(&format!(
        "export MANUSHYA_HOME={}",
        stage.home.path().display()
    ))?;
    stage.show(&["up"], None)?;
    stage.show(&["whoami"], None)?;

    stage.say("Two agents, each with an access token.")?;
    let a = stage.agent("agent-a", "A")?;
    let b = stage.agent("agent-b", "B")?;

    stage.say("The first agent's memories.")?;
    let file = stage.memories(arguments.file.as_deref())?;
    let file = file.to_string_lossy();
    stage.show_until(
        &["memory", "import", &file],
        Some(&a),
        &[exit::OK, exit::PARTIAL],
    )?;

    stage.say("What does it remember?")?;
    let own: Vec<&str> = arguments.queries.iter().map(String::as_str).collect();
    let questions = if own.is_empty() {
        QUESTIONS.to_vec()
    } else {
        own
    };
    for question in &questions {
        stage.show(&["memory", "search", question, "--limit", "3"], Some(&a))?;
    }
    let id = stage.best(questions[0], &a)?;

    stage.say("The other agent may not even know that this memory exists.")?;
    let hidden = [exit::NOT_FOUND, exit::DENIED];
    stage.show_until(&["memory", "get", &id], Some(&b), &hidden)?;
    stage.say("Why? The operator may ask.")?;
    let why = [
        "policy", "explain", "read", "memory", "--as", "agent-b", "--memory", &id,
    ];
    stage.show(&why, None)?;

    stage.say("Erase it for good, and look for it again.")?;
    stage.show(&["memory", "delete", &id, "--hard", "-y"], None)?;
    stage.show_until(&["memory", "get", &id], Some(&a), &[exit::NOT_FOUND])?;

    stage.say("All of that stands in the audit log, and the log verifies.")?;
    stage.show(&["audit", "list", "--newest", "--limit", "8"], None)?;
    stage.show(&["audit", "verify"], None)?;
    if !arguments.keep {
        stage.show(&["down"], None)?;
    }
    Ok(())
}

/// A token and the shell variable it stands in.
struct Token {
    variable: &'static str,
    secret: String,
}

/// The temporary home, and how commands run in it.
struct Stage<'a> {
    context: &'a Context,
    kept: bool,
    home: TempDir,
    program: PathBuf,
}

impl<'a> Stage<'a> {
    fn new(context: &'a Context) -> Outcome<Self> {
        let failed = |error: std::io::Error| {
            Stop::new(ErrorCode::Internal, "cannot make a temporary home").reason(error.to_string())
        };
        let builder = || {
            let mut builder = tempfile::Builder::new();
            builder
                .prefix("manushya-")
                .permissions(Permissions::from_mode(0o700));
            builder
        };
        let mut home = builder().tempdir().map_err(failed)?;
        let socket = home.path().join("run/manushyad.sock");
        if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            home = builder().tempdir_in("/tmp").map_err(failed)?;
        }
        let program = std::env::current_exe().map_err(failed)?;
        Ok(Self {
            context,
            kept: false,
            home,
            program,
        })
    }

    /// Leaves everything as it is and says how to go on.
    fn keep(mut self) -> Outcome {
        self.kept = true;
        self.home.disable_cleanup(true);
        let home = self.home.path().display();
        self.context.ui.emit(&format!(
            "\nThe daemon is left running. To go on:\n  export MANUSHYA_HOME={home}\n  \
             manushyactl memory list --limit 5\nTo end it:\n  manushyactl down && rm -r {home}\n"
        ))
    }

    fn command(&self, words: &[&str], token: Option<&Token>) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MANUSHYA_") {
                command.env_remove(name);
            }
        }
        command
            .env("MANUSHYA_HOME", self.home.path())
            .stdin(Stdio::null());
        if self.context.ui.paint.out {
            command.env("MANUSHYA_COLOR", "always");
        }
        if let Some(token) = token {
            command.env("MANUSHYA_TOKEN", &token.secret);
        }
        command.args(words);
        command
    }

    fn say(&self, text: &str) -> Outcome {
        let text = tint(&format!("# {text}"), Tone::Dim, self.context.ui.paint.out);
        self.context.ui.emit(&format!("\n{text}\n"))
    }

    fn show_line(&self, line: &str) -> Outcome {
        let line = tint(
            &format!("$ {line}"),
            Tone::Strong,
            self.context.ui.paint.out,
        );
        self.context.ui.line(&line)
    }

    /// Shows a command and its output; it must succeed.
    fn show(&self, words: &[&str], token: Option<&Token>) -> Outcome {
        self.show_until(words, token, &[exit::OK])
    }

    /// Shows a command, its output and its exit code; the code must be one of these.
    fn show_until(&self, words: &[&str], token: Option<&Token>, codes: &[u8]) -> Outcome {
        let prefix = token
            .map(|t| format!("MANUSHYA_TOKEN=${} ", t.variable))
            .unwrap_or_default();
        self.show_line(&format!("{prefix}manushyactl {}", spelled(words)))?;
        let status = self.command(words, token).status();
        let status = status.map_err(|error| not_run(words, &error))?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        check(words, code, codes)?;
        match code {
            Some(code) if code != exit::OK => self.context.ui.line(&format!("(exit code {code})")),
            _ => Ok(()),
        }
    }

    /// Runs a command for the JSON it answers with.
    fn json(&self, words: &[&str], token: Option<&Token>) -> Outcome<Value> {
        let run = || -> std::io::Result<Output> {
            self.command(words, token).stderr(Stdio::inherit()).output()
        };
        let output = run().map_err(|error| not_run(words, &error))?;
        let code = output
            .status
            .code()
            .and_then(|code| u8::try_from(code).ok());
        check(words, code, &[exit::OK])?;
        serde_json::from_slice(&output.stdout).map_err(|error| {
            Stop::new(
                ErrorCode::Internal,
                format!("`{}` answered no JSON", spelled(words)),
            )
            .reason(error.to_string())
        })
    }

    fn agent(&self, name: &str, variable: &'static str) -> Outcome<Token> {
        let words = [
            "identity",
            "create",
            "--external-id",
            name,
            "--role",
            "agent",
            "-o",
            "json",
        ];
        let line = spelled(&words);
        self.show_line(&format!(
            "{variable}=$(manushyactl {line} | jq -r .access_token)"
        ))?;
        let made = self.json(&words, None)?;
        let secret = made["access_token"].as_str().unwrap_or_default().to_owned();
        if secret.is_empty() {
            return Err(Stop::new(
                ErrorCode::Internal,
                "no access token came with the identity",
            ));
        }
        let id = made["identity"]["id"].as_str().unwrap_or_default();
        let end = made["expires_at"].as_str().unwrap_or_default();
        self.context
            .ui
            .line(&format!("{name}: {id}, token until {end}"))?;
        Ok(Token { variable, secret })
    }

    fn memories(&self, file: Option<&Path>) -> Outcome<PathBuf> {
        if let Some(file) = file {
            return Ok(std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf()));
        }
        let path = self.home.path().join("quickstart.jsonl");
        let write = || {
            use std::os::unix::fs::OpenOptionsExt as _;
            let mut options = std::fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(MEMORIES.as_bytes())
        };
        write().map_err(|error: std::io::Error| Stop::unwritable(&path, &error))?;
        Ok(path)
    }

    /// The id of the best answer, or of any memory if there is none.
    fn best(&self, question: &str, token: &Token) -> Outcome<String> {
        let words = ["memory", "search", question, "-k", "1", "-o", "json"];
        let id = self.json(&words, Some(token))?["items"][0]["memory"]["id"].clone();
        if let Some(id) = id.as_str() {
            return Ok(id.to_owned());
        }
        let listed = self.json(
            &["memory", "list", "--limit", "1", "-o", "json"],
            Some(token),
        )?;
        listed["items"][0]["id"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| {
                Stop::new(ErrorCode::NotFound, "nothing was imported")
                    .hint("look at the lines above")
            })
    }
}

impl Drop for Stage<'_> {
    /// Stops the daemon, however it ended; its home goes with it.
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let socket = self.home.path().join("run/manushyad.sock");
        if super::system::somebody_listens(&socket) {
            let quiet = self
                .command(&["down", "-q"], None)
                .stdout(Stdio::null())
                .status();
            // Nothing more can be done; the home is removed under it.
            let _ = quiet;
        }
    }
}

fn not_run(words: &[&str], error: &std::io::Error) -> Stop {
    Stop::new(
        ErrorCode::Internal,
        format!("cannot run `manushyactl {}`", spelled(words)),
    )
    .reason(error.to_string())
}

fn check(words: &[&str], code: Option<u8>, wanted: &[u8]) -> Outcome {
    match code {
        Some(code) if wanted.contains(&code) => Ok(()),
        Some(exit::INTERRUPTED) | None => Err(Stop::interrupted()),
        Some(code) => {
            let message = format!(
                "`manushyactl {}` ended with exit code {code}",
                spelled(words)
            );
            Err(Stop::new(ErrorCode::Internal, message)
                .reason(format!("it was to end with {wanted:?}")))
        }
    }
}

/// The words as a shell takes them.
fn spelled(words: &[&str]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
    words
        .iter()
        .map(|word| match !word.is_empty() && word.chars().all(plain) {
            true => (*word).to_owned(),
            false if !word.contains(['"', '$', '`', '\\', '!']) => format!("\"{word}\""),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn bundled_memories_are_many_sound_and_different() {
        let (mut keys, mut sessions, mut texts) = (HashSet::new(), HashSet::new(), HashSet::new());
        for line in MEMORIES.lines() {
            let memory: Value = serde_json::from_str(line).unwrap();
            assert!(
                keys.insert(memory["key"].as_str().unwrap().to_owned()),
                "{line}"
            );
            assert!(
                texts.insert(memory["text"].as_str().unwrap().to_owned()),
                "{line}"
            );
            sessions.insert(memory["session"].as_str().unwrap().to_owned());
            assert!(
                memory["created_at"].as_str().unwrap().starts_with("2026-"),
                "{line}"
            );
        }
        assert!(keys.len() >= 110, "{}", keys.len());
        assert!(sessions.len() >= 8, "{sessions:?}");
    }

    #[test]
    fn words_are_spelled_so_that_a_shell_takes_them() {
        assert_eq!(
            spelled(&["memory", "search", "what now"]),
            "memory search \"what now\""
        );
        assert_eq!(spelled(&["a$b", "it's $1"]), r"'a$b' 'it'\''s $1'");
        assert_eq!(spelled(&[""]), "\"\"");
    }
}
