//! What every command works with: the settings, the way to the user and the way to the daemon.

pub mod session;

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use manushya_protocol::client::{Client, Connect};
use manushya_protocol::error::WireError;
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::v1::common::{Call, Listed, Page};

use crate::cli::Global;
use crate::cli::args::Paging;
use crate::config::{Env, Flags, Format, Settings};
use crate::error::{Outcome, Stop};
use crate::ui::color::Paint;
use crate::ui::prompt::Prompt;
use crate::ui::render::{self, Row};
use crate::ui::{Ui, json};

/// What a client calls itself.
pub const CLIENT: &str = concat!("manushyactl/", env!("CARGO_PKG_VERSION"));

/// Makes one call: `call!(client, memory_get, request)`.
macro_rules! call {
    ($client:expr, $method:ident) => {
        $client.call(|api, context, call| async move { api.$method(context, call).await })
    };
    ($client:expr, $method:ident, $request:expr) => {{
        let request = $request;
        $client.call(|api, context, call| async move { api.$method(context, call, request).await })
    }};
}

pub(crate) use call;

/// What every command works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// What is set.
    pub settings: Settings,
    /// The way to the user.
    pub ui: Ui,
    /// How to ask.
    pub prompt: Prompt,
    /// Decide and report, but change nothing.
    pub dry_run: bool,
    env: Env,
}

/// The settings the flags and the environment come to.
///
/// # Errors
///
/// A usage error for the first setting that is wrong.
pub fn settings(global: &Global, env: &Env) -> Outcome<Settings> {
    let flags = Flags {
        output: global.output.clone(),
        tenant: global.tenant.clone(),
        socket: global.socket.clone(),
        token_file: global.token_file.clone(),
        timeout: global.timeout.clone(),
        purpose: global.purpose.clone(),
        no_input: global.no_input,
        color: global.color.clone(),
        config: global.config.clone(),
    };
    Settings::resolve(flags, env)
        .map_err(|error| Stop::usage(error.to_string()).hint("manushyactl help environment"))
}

impl Context {
    /// Resolves everything.
    ///
    /// # Errors
    ///
    /// A usage error for the first setting that is wrong.
    pub fn new(global: &Global, env: Env) -> Outcome<Self> {
        let settings = settings(global, &env)?;
        let dumb = env.text("TERM").as_deref() == Some("dumb");
        let ui = Ui {
            format: settings.output.value,
            quiet: global.quiet,
            verbose: global.verbose,
            paint: Paint::decide(settings.color.value, dumb),
        };
        let prompt = Prompt {
            yes: global.yes,
            no_input: settings.no_input.value,
        };
        Ok(Self {
            settings,
            ui,
            prompt,
            dry_run: global.dry_run,
            env,
        })
    }

    /// The access token of the caller: the variable, or else the file.
    ///
    /// # Errors
    ///
    /// A usage error if the file cannot be read or holds no token.
    pub fn token(&self) -> Outcome<Option<BearerToken>> {
        use crate::config::Origin;
        let file = &self.settings.token_file;
        let flagged = matches!(file.origin, Origin::Flag(_));
        if !flagged && let Some(text) = self.env.text("MANUSHYA_TOKEN") {
            return Ok(Some(BearerToken::new(&text)).filter(|token| !token.expose().is_empty()));
        }
        file.value.as_deref().map(read_token).transpose()
    }

    /// The token of `MANUSHYA_TOKEN` alone, for commands that read a file for another purpose.
    pub fn token_of_environment(&self) -> Option<BearerToken> {
        let token = BearerToken::new(&self.env.text("MANUSHYA_TOKEN")?);
        (!token.expose().is_empty()).then_some(token)
    }

    /// Connects as the caller: with the access token, or else that of the login session.
    ///
    /// # Errors
    ///
    /// What [`Client::connect`] fails with.
    pub async fn connect(&self) -> Outcome<Client> {
        let token = match self.token()? {
            Some(token) => Some(token),
            None => self.session_token().await?,
        };
        self.connect_with(token).await
    }

    /// The code of `MANUSHYA_ENROLMENT_CODE`.
    pub fn enrolment_code(&self) -> Option<String> {
        self.env.text("MANUSHYA_ENROLMENT_CODE")
    }

    /// Connects with this token, or as who the kernel says the caller is.
    ///
    /// # Errors
    ///
    /// What [`Client::connect`] fails with.
    pub async fn connect_with(&self, token: Option<BearerToken>) -> Outcome<Client> {
        let started = Instant::now();
        let connect = Connect {
            client: CLIENT.to_owned(),
            token,
            timeout: self.settings.timeout.value,
            call: Call {
                tenant: self.settings.tenant.value.clone(),
                dry_run: self.dry_run,
                purpose: self.settings.purpose.value.clone(),
            },
            ..Connect::new(self.settings.socket.value.clone())
        };
        let client = Client::connect(connect).await?;
        if self.ui.verbose {
            let took = started.elapsed().as_micros();
            let socket = self.settings.socket.value.display();
            let daemon = &client.welcome().daemon_version;
            self.ui
                .note(&format!("# {socket}: daemon {daemon}, hello in {took} us"));
        }
        Ok(client)
    }

    /// The time limit of a call, at least `least`.
    pub fn patient(&self, least: Duration) -> Duration {
        self.settings.timeout.value.max(least)
    }

    /// Says that nothing was changed, if that is so.
    pub fn note_dry_run(&self) {
        if self.dry_run {
            self.ui.note("dry run: nothing was changed");
        }
    }

    /// Shows a list, page by page.
    ///
    /// # Errors
    ///
    /// What a page fails with.
    pub async fn list<T: Row>(
        &self,
        paging: &Paging,
        fetch: impl AsyncFn(Page) -> Result<Listed<T>, WireError>,
    ) -> Outcome {
        let most = if paging.all {
            u64::MAX
        } else {
            u64::from(paging.limit)
        };
        let streams = matches!(self.ui.format, Format::Jsonl | Format::Name | Format::Csv);
        let mut cursor = paging.cursor.clone();
        let mut kept: Vec<T> = Vec::new();
        let mut shown = 0u64;
        if self.ui.format == Format::Csv {
            self.ui
                .emit(&json::csv_line(T::FIELDS.iter().map(ToString::to_string)))?;
        }
        loop {
            let limit = (most - shown).min(u64::from(limits::PAGE_LIMIT_MAX));
            let limit = u32::try_from(limit).ok();
            let page = fetch(Page {
                limit,
                cursor: cursor.take(),
            })
            .await?;
            shown += page.items.len() as u64;
            let is_last = page.next.is_none() || shown >= most || page.items.is_empty();
            if streams {
                self.ui.emit(&render::lines(self.ui.format, &page.items)?)?;
                if is_last {
                    let shown = usize::try_from(shown).unwrap_or(usize::MAX);
                    self.ui.cut_short(shown, page.next.as_deref(), page.total);
                    return Ok(());
                }
            } else {
                kept.extend(page.items);
                if is_last {
                    return self.ui.list(&kept, page.next.as_deref(), page.total);
                }
            }
            cursor = page.next;
        }
    }
}

/// Reads a token from a file, or from standard input if it is `-`.
///
/// # Errors
///
/// A usage error if it cannot be read or holds no token.
pub fn read_token(path: &Path) -> Outcome<BearerToken> {
    let text = read_text(path, limits::TOKEN_BYTES_MAX + 2, "an access token")?;
    let token = BearerToken::new(&text);
    if token.expose().is_empty() {
        return Err(Stop::usage(format!("`{}` holds no token", path.display())));
    }
    Ok(token)
}

/// Reads a text of at most `most` bytes from a file, or from standard input if it is `-`.
///
/// # Errors
///
/// A usage error if it cannot be read, is longer, or is not UTF-8.
pub fn read_text(path: &Path, most: usize, what: &str) -> Outcome<String> {
    let unreadable = |error| Stop::unreadable(path, &error);
    let mut bytes = Vec::new();
    let bound = most as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(bound)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(bound)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
    }
    if bytes.len() > most {
        return Err(
            Stop::usage(format!("`{}` is too long for {what}", path.display()))
                .reason(format!("the limit is {most} bytes")),
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        Stop::usage(format!("`{}` is not UTF-8", path.display()))
            .reason(error.utf8_error().to_string())
    })
}

/// A text argument: itself, `-` for standard input, or @FILE.
///
/// # Errors
///
/// As [`read_text`].
pub fn text_argument(argument: &str, most: usize, what: &str) -> Outcome<String> {
    let path = match (argument, argument.strip_prefix('@')) {
        ("-", _) => "-",
        (_, Some(path)) if !path.is_empty() => path,
        _ => return Ok(argument.to_owned()),
    };
    let text = read_text(Path::new(path), most, what)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Ids given as arguments, or one a line on standard input if the only one is `-`.
///
/// # Errors
///
/// A usage error if there are none, or standard input cannot be read.
pub fn ids(arguments: &[String]) -> Outcome<Vec<String>> {
    if arguments != ["-"] {
        return Ok(arguments.to_vec());
    }
    let text = read_text(Path::new("-"), 64 << 20, "a list of ids")?;
    let ids: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    match ids.is_empty() {
        true => Err(Stop::usage("standard input names nothing").reason("it has no ids")),
        false => Ok(ids),
    }
}
