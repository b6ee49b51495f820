//! The daemon's keys, as `config show` lists them. The daemon itself reads and checks them.

use std::path::Path;

use super::{Env, Origin};

/// Each key of the table `[daemon]` with its variable, if it has one, and its default in words.
pub const KEYS: &[(&str, Option<&str>, Option<&str>)] = &[
    ("retention", Some("MANUSHYA_RETENTION"), Some("30d")),
    ("audit_reads", Some("MANUSHYA_AUDIT_READS"), Some("durable")),
    (
        "sweep_interval",
        Some("MANUSHYA_SWEEP_INTERVAL"),
        Some("60s"),
    ),
    (
        "snapshot_interval",
        Some("MANUSHYA_SNAPSHOT_INTERVAL"),
        Some("600s"),
    ),
    ("graph_threshold", None, Some("10000")),
    ("language", Some("MANUSHYA_LANGUAGE"), Some("english")),
    (
        "search_lexical_weight",
        Some("MANUSHYA_SEARCH_LEXICAL_WEIGHT"),
        Some("0.6"),
    ),
    (
        "search_feedback",
        Some("MANUSHYA_SEARCH_FEEDBACK"),
        Some("true"),
    ),
    ("operator_uids", None, Some("[]")),
    ("socket_gid", None, None),
    ("limits", Some("MANUSHYA_LIMITS"), Some("local")),
    ("passphrase_file", None, None),
    ("lock_memory", None, Some("true")),
    ("disk_reserve_mib", None, Some("8")),
    ("log", Some("MANUSHYA_LOG"), Some("info")),
    ("log_format", Some("MANUSHYA_LOG_FORMAT"), None),
    ("embedder", Some("MANUSHYA_EMBEDDER"), Some("static")),
    ("model", Some("MANUSHYA_MODEL"), None),
    ("embedder_url", Some("MANUSHYA_EMBEDDER_URL"), None),
    ("embedder_dims", Some("MANUSHYA_EMBEDDER_DIMS"), None),
    (
        "embedder_revision",
        Some("MANUSHYA_EMBEDDER_REVISION"),
        Some("1"),
    ),
    (
        "embedder_key_file",
        Some("MANUSHYA_EMBEDDER_KEY_FILE"),
        None,
    ),
    (
        "embedder_timeout",
        Some("MANUSHYA_EMBEDDER_TIMEOUT"),
        Some("30s"),
    ),
    (
        "embedder_batch",
        Some("MANUSHYA_EMBEDDER_BATCH"),
        Some("32"),
    ),
    ("embedder_text_prefix", None, None),
    ("embedder_question_prefix", None, None),
    ("embedder_allow_plain", None, Some("false")),
];

/// One of the daemon's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSetting {
    /// Its name with the table's, such as `daemon.embedder`.
    pub key: String,
    /// Its value as it is written, if it has one.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Every key of the daemon: what a daemon that starts here and now would read. Keys that it does not
/// know are listed as well, since it will refuse them.
pub fn settings(table: &toml::Table, path: Option<&Path>, env: &Env) -> Vec<DaemonSetting> {
    let written = |key: &str| match table.get(key)? {
        toml::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let file = || path.map_or(Origin::Default, |path| Origin::File(path.to_path_buf()));
    let known = KEYS.iter().map(|&(key, variable, default)| {
        let from_env = variable.and_then(|name| Some((env.text(name)?, Origin::Env(name))));
        let found = from_env.or_else(|| Some((written(key)?, file())));
        let (value, origin) = match found {
            Some((value, origin)) => (Some(value), origin),
            None => (default.map(str::to_owned), Origin::Default),
        };
        DaemonSetting {
            key: format!("daemon.{key}"),
            value,
            origin,
        }
    });
    let is_known = |key: &str| KEYS.iter().any(|(known, ..)| *known == key);
    let others = table.keys().filter(|key| !is_known(key));
    let others = others.map(|key| DaemonSetting {
        key: format!("daemon.{key}"),
        value: written(key),
        origin: file(),
    });
    known.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::TEMPLATE;

    #[test]
    fn variables_win_over_the_file_and_the_file_over_defaults() {
        let table: toml::Table = "embedder = \"http\"\nembedder_dims = 384\nodd = [1]"
            .parse()
            .unwrap();
        let env = Env::of(&[("MANUSHYA_EMBEDDER_DIMS", "768")]);
        let all = settings(&table, Some(Path::new("/c.toml")), &env);
        let of = |key: &str| {
            let found = all.iter().find(|setting| setting.key == key).unwrap();
            (
                found.value.clone().unwrap_or_default(),
                found.origin.to_string(),
            )
        };
        let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
        assert_eq!(of("daemon.embedder"), pair("http", "file /c.toml"));
        assert_eq!(
            of("daemon.embedder_dims"),
            pair("768", "environment MANUSHYA_EMBEDDER_DIMS")
        );
        assert_eq!(of("daemon.embedder_batch"), pair("32", "default"));
        assert_eq!(of("daemon.odd"), pair("[1]", "file /c.toml"));
    }

    #[test]
    fn template_names_every_key() {
        for (key, ..) in KEYS {
            assert!(TEMPLATE.contains(&format!("#{key} = ")), "{key}");
        }
    }
}
