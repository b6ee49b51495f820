//! `config show path template`.

use serde::Serialize;

use crate::cli::system::Config;
use crate::config::{Color, Format, Origin, file};
use crate::context::Context;
use crate::error::Outcome;
use crate::ui::render::{Column, Kind, Row};
use crate::ui::{render, table};

/// Runs a verb of `config`.
///
/// # Errors
///
/// If nobody reads the answer.
pub fn run(verb: &Config, context: &Context) -> Outcome {
    match verb {
        Config::Show(arguments) => show(arguments.origin, context),
        Config::Path => path(context),
        Config::Template => context.ui.emit(file::TEMPLATE),
    }
}

#[derive(Debug, Serialize)]
struct Shown {
    key: String,
    value: Option<String>,
    origin: String,
}

impl Row for Shown {
    const COLUMNS: &'static [Column] = &[
        Column {
            title: "KEY",
            path: "key",
            kind: Kind::Text,
        },
        Column {
            title: "VALUE",
            path: "value",
            kind: Kind::Text,
        },
        Column {
            title: "ORIGIN",
            path: "origin",
            kind: Kind::Text,
        },
    ];
    const FIELDS: &'static [&'static str] = &["key", "value", "origin"];
    const NAME: &'static str = "key";
}

fn shown(context: &Context) -> Vec<Shown> {
    let set = &context.settings;
    let row = |key: &str, value: Option<String>, origin: &Origin| Shown {
        key: key.to_owned(),
        value,
        origin: origin.to_string(),
    };
    let format = Format::ALL
        .iter()
        .find(|(_, format)| *format == set.output.value);
    let color = match set.color.value {
        Color::Auto => "auto",
        Color::Always => "always",
        Color::Never => "never",
    };
    let token_file = set
        .token_file
        .value
        .as_ref()
        .map(|path| path.display().to_string());
    let mut rows = vec![
        row(
            "output",
            format.map(|(name, _)| (*name).to_owned()),
            &set.output.origin,
        ),
        row("tenant", set.tenant.value.clone(), &set.tenant.origin),
        row(
            "socket",
            Some(set.socket.value.display().to_string()),
            &set.socket.origin,
        ),
        row(
            "timeout",
            Some(format!("{:?}", set.timeout.value)),
            &set.timeout.origin,
        ),
        row("color", Some(color.to_owned()), &set.color.origin),
        row(
            "no_input",
            Some(set.no_input.value.to_string()),
            &set.no_input.origin,
        ),
        row("token_file", token_file, &set.token_file.origin),
        row("purpose", set.purpose.value.clone(), &set.purpose.origin),
    ];
    let daemon = set.daemon.iter();
    rows.extend(daemon.map(|it| row(&it.key, it.value.clone(), &it.origin)));
    rows
}

fn show(with_origin: bool, context: &Context) -> Outcome {
    let rows = shown(context);
    if with_origin || !context.ui.is_table() {
        let text = render::list(
            context.ui.format,
            &rows,
            None,
            rows.len() as u64,
            &context.ui.human(),
        );
        return context.ui.emit(&text?);
    }
    let pairs: Vec<(String, String)> = rows
        .into_iter()
        .map(|row| (row.key, row.value.unwrap_or_else(|| "-".to_owned())))
        .collect();
    context.ui.emit(&table::pairs(&pairs))
}

#[derive(Debug, Serialize)]
struct Places {
    config_file: Option<String>,
    config: String,
    data: String,
    state: String,
    socket: String,
    log: String,
    audit_key: String,
}

impl Row for Places {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "config_file",
        "config",
        "data",
        "state",
        "socket",
        "log",
        "audit_key",
    ];
    const NAME: &'static str = "config";
}

fn path(context: &Context) -> Outcome {
    let paths = &context.settings.paths;
    let text = |path: &std::path::Path| path.display().to_string();
    context.ui.item(&Places {
        config_file: context.settings.file.as_deref().map(text),
        config: text(&paths.config),
        data: text(&paths.data),
        state: text(&paths.state),
        socket: text(&context.settings.socket.value),
        log: text(&paths.log()),
        audit_key: text(&paths.audit_key()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Global;
    use crate::config::Env;

    #[test]
    fn every_key_of_the_file_is_shown_with_its_origin() {
        let env = Env::of(&[("MANUSHYA_HOME", "/nowhere"), ("MANUSHYA_TENANT", "acme")]);
        let context = Context::new(&Global::default(), env).unwrap();
        let rows = shown(&context);
        for key in file::KEYS {
            assert!(rows.iter().any(|row| row.key == *key), "{key}");
        }
        let tenant = rows.iter().find(|row| row.key == "tenant").unwrap();
        assert_eq!(tenant.origin, "environment MANUSHYA_TENANT");
        assert_eq!(tenant.value.as_deref(), Some("acme"));
    }
}
