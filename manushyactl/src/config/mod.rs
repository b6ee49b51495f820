//! Settings: flags over environment over file over defaults, each with its origin.

pub mod daemon;
pub mod file;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use manushya_protocol::home::Home;

/// The environment, as read once at the start. An empty variable counts as absent.
#[derive(Clone, Debug, Default)]
pub struct Env(HashMap<OsString, OsString>);

impl Env {
    /// Reads the process's environment.
    pub fn process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// An environment of exactly these variables.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    /// A variable that is there and not empty.
    pub fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// A variable as a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    /// A variable as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        self.raw(name)
            .map(|value| value.to_string_lossy().into_owned())
    }
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// One YAML document.
    Yaml,
    /// Comma-separated values (RFC 4180, but lines end with a bare line feed).
    Csv,
    /// Ids only.
    Name,
    /// Common Event Format: for `audit export` alone.
    Cef,
}

impl Format {
    /// Every format with its name.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("table", Self::Table),
        ("json", Self::Json),
        ("jsonl", Self::Jsonl),
        ("yaml", Self::Yaml),
        ("csv", Self::Csv),
        ("name", Self::Name),
        ("cef", Self::Cef),
    ];

    /// The format of this name, whatever its case.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, format)| *format)
    }

    /// Whether errors are written as JSON too.
    pub fn is_structured(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl | Self::Yaml)
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which layer a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// An environment variable.
    Env(&'static str),
    /// The configuration file.
    File(PathBuf),
    /// Built in.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Flags {
    pub output: Option<String>,
    pub tenant: Option<String>,
    pub socket: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    pub timeout: Option<String>,
    pub purpose: Option<String>,
    pub no_input: bool,
    pub color: Option<String>,
    pub config: Option<PathBuf>,
}

/// Says what is wrong with a setting, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value that cannot be.
    #[error("`{value}` is not a value of `{key}` (from {origin}); {wanted}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What it was given.
        value: String,
        /// Where.
        origin: Origin,
        /// What it takes.
        wanted: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration file `{}`: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is not as it should be.
    #[error("the configuration file `{}` is wrong: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// One setting with its origin, as `config show` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// Everything that is set, checked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Settings {
    pub output: Setting<Format>,
    pub tenant: Setting<Option<String>>,
    pub socket: Setting<PathBuf>,
    pub token_file: Setting<Option<PathBuf>>,
    pub timeout: Setting<Duration>,
    pub purpose: Setting<Option<String>>,
    pub no_input: Setting<bool>,
    pub color: Setting<Color>,
    /// The folders.
    pub paths: Home,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// The file that was named, if one was.
    pub named_file: Option<PathBuf>,
    /// The daemon's keys.
    pub daemon: Vec<daemon::DaemonSetting>,
}

/// The layers under the flags.
struct Layers<'a> {
    env: &'a Env,
    file: &'a file::Values,
    path: Option<&'a Path>,
}

impl Layers<'_> {
    /// The first layer that says anything about a setting.
    fn text(
        &self,
        flag: Option<(&'static str, String)>,
        variable: &'static str,
        key: &str,
    ) -> Option<(String, Origin)> {
        if let Some((name, value)) = flag {
            return Some((value, Origin::Flag(name)));
        }
        if let Some(value) = self.env.text(variable) {
            return Some((value, Origin::Env(variable)));
        }
        let value = self.file.get(key)?;
        Some((value.clone(), Origin::File(self.path?.to_path_buf())))
    }
}

fn parsed<T>(
    key: &'static str,
    found: Option<(String, Origin)>,
    default: T,
    wanted: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Setting<T>, ConfigError> {
    match found {
        None => Ok(Setting {
            value: default,
            origin: Origin::Default,
        }),
        Some((text, origin)) => match read(&text) {
            Some(value) => Ok(Setting { value, origin }),
            None => Err(ConfigError::Value {
                key,
                value: text,
                origin,
                wanted,
            }),
        },
    }
}

impl Settings {
    /// Resolves every setting, checking it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first setting that is wrong.
    pub fn resolve(flags: Flags, env: &Env) -> Result<Self, ConfigError> {
        let paths = Home::resolve(|name| env.path(name));
        let named_file = flags.config.clone().or_else(|| env.path("MANUSHYA_CONFIG"));
        let (values, table, file) = file::load(named_file.as_deref(), &paths.config_files())?;
        let daemon = daemon::settings(&table, file.as_deref(), env);
        let layers = Layers {
            env,
            file: &values,
            path: file.as_deref(),
        };
        let given = layers.given(flags);
        Ok(Self {
            output: parsed("output", given.output, Format::Table, FORMATS, Format::of)?,
            tenant: parsed("tenant", given.tenant, None, "it takes a name", |t| {
                Some(Some(t.to_owned()))
            })?,
            socket: parsed(
                "socket",
                given.socket,
                paths.socket(),
                "it takes a path",
                |t| Some(t.into()),
            )?,
            token_file: parsed("token_file", given.token, None, "it takes a path", |t| {
                Some(Some(t.into()))
            })?,
            timeout: parsed(
                "timeout",
                given.timeout,
                Duration::from_secs(10),
                TIMEOUTS,
                read_timeout,
            )?,
            purpose: parsed("purpose", given.purpose, None, "it takes a text", |t| {
                Some(Some(t.to_owned()))
            })?,
            no_input: parsed(
                "no_input",
                given.no_input,
                false,
                "it takes true or false",
                read_bool,
            )?,
            color: parsed(
                "color",
                given.color,
                Color::Auto,
                "it takes auto, always or never",
                read_color,
            )?,
            paths,
            file,
            named_file,
            daemon,
        })
    }
}

/// Each setting as text with where it comes from, before it is checked.
struct Given {
    output: Option<(String, Origin)>,
    tenant: Option<(String, Origin)>,
    socket: Option<(String, Origin)>,
    token: Option<(String, Origin)>,
    timeout: Option<(String, Origin)>,
    purpose: Option<(String, Origin)>,
    no_input: Option<(String, Origin)>,
    color: Option<(String, Origin)>,
}

impl Layers<'_> {
    /// The layer that wins, for every setting.
    fn given(&self, flags: Flags) -> Given {
        let layers = self;
        let env = self.env;
        let path_text = |path: PathBuf| path.to_string_lossy().into_owned();
        let output = layers.text(
            flags.output.map(|v| ("--output", v)),
            "MANUSHYA_OUTPUT",
            "output",
        );
        let tenant = layers.text(
            flags.tenant.map(|v| ("--tenant", v)),
            "MANUSHYA_TENANT",
            "tenant",
        );
        let socket = flags.socket.map(|v| ("--socket", path_text(v)));
        let socket = layers.text(socket, "MANUSHYA_SOCKET", "socket");
        let token = flags.token_file.map(|v| ("--token-file", path_text(v)));
        let token = layers.text(token, "MANUSHYA_TOKEN_FILE", "token_file");
        let timeout = flags.timeout.map(|v| ("--timeout", v));
        let timeout = layers.text(timeout, "MANUSHYA_TIMEOUT", "timeout");
        let purpose = flags.purpose.map(|v| ("--purpose", v));
        let purpose = layers.text(purpose, "MANUSHYA_PURPOSE", "purpose");
        let no_input = flags.no_input.then(|| ("--no-input", "true".to_owned()));
        let no_input = layers.text(no_input, "MANUSHYA_NO_INPUT", "no_input");
        let color = layers
            .text(
                flags.color.map(|v| ("--color", v)),
                "MANUSHYA_COLOR",
                "color",
            )
            .or_else(|| {
                env.raw("NO_COLOR")
                    .map(|_| ("never".to_owned(), Origin::Env("NO_COLOR")))
            });
        Given {
            output,
            tenant,
            socket,
            token,
            timeout,
            purpose,
            no_input,
            color,
        }
    }
}

const FORMATS: &str = "it takes table, json, jsonl, yaml, csv, name, or for audit export cef";
const TIMEOUTS: &str = "it takes a time such as 500ms, 10s or 2m, at most 5m";

/// Reads a time limit, above zero and at most five minutes.
fn read_timeout(text: &str) -> Option<Duration> {
    let duration: jiff::SignedDuration = text.trim().parse().ok()?;
    let duration = Duration::try_from(duration).ok()?;
    let most = Duration::from_secs(manushya_protocol::limits::DEADLINE_SECONDS_MAX);
    (!duration.is_zero() && duration <= most).then_some(duration)
}

fn read_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

fn read_color(text: &str) -> Option<Color> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Some(Color::Auto),
        "always" => Some(Color::Always),
        "never" => Some(Color::Never),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
