//! The configuration file: the client's keys at the top, the daemon's in the table `[daemon]`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The client's keys.
pub const KEYS: &[&str] = &[
    "output",
    "tenant",
    "socket",
    "timeout",
    "color",
    "no_input",
    "token_file",
    "purpose",
];

/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the file says, as text by key.
pub type Values = BTreeMap<String, String>;

/// A file to start from.
pub const TEMPLATE: &str = r#"# Manushya. Flags and MANUSHYA_* variables win over this file.
# `manushyactl config show --origin` says where each setting comes from.

# How results are written: table, json, jsonl, yaml, csv or name.
#output = "table"
# The tenant to work in.
#tenant = "default"
# The daemon's socket.
#socket = "/run/user/1000/manushya/manushyad.sock"
# How long a call may take, at most 5m.
#timeout = "10s"
# When to colour: auto, always or never.
#color = "auto"
# Never ask a question.
#no_input = false
# A file that holds the access token; without one the kernel says who you are.
#token_file = "/run/secrets/manushya-token"
# What the work is for: the fact `request.purpose` of policies.
#purpose = "support"

# Settings of the daemon; it reads them when it starts.
[daemon]
# How long a deleted memory can be restored.
#retention = "30d"
# Whether the reply to a read waits for its audit entry (durable) or not (deferred).
#audit_reads = "durable"
# How often expired memories, and deleted ones past their retention, are erased.
#sweep_interval = "1m"
# How often the index is saved, so that a start is quick.
#snapshot_interval = "10m"
# From how many vectors on a tenant gets a graph.
#graph_threshold = 10000
# The language that words are stemmed in, of all memories; "none" finds words as they are written.
#language = "english"
# How much words count in a hybrid search, 0 to 1; vectors count the rest.
#search_lexical_weight = 0.6
# Whether the best answers have a part in the question.
#search_feedback = true
# Users who are the operator of the host, beside the daemon's own.
#operator_uids = []
# A group whose members may connect, with access tokens; by default only the daemon's own user may.
#socket_gid = 1000
# What holds where `limit set` said nothing: local (agents of this machine: only one that runs wild
# is held up), shared (many who do not know each other: 200 calls about memories a minute) or off.
#limits = "local"
# A file whose first line is the passphrase of the keys.
#passphrase_file = "/run/credentials/manushya-passphrase"
# Whether the daemon's memory is kept out of swap, where the kernel allows it.
#lock_memory = true
# How many MiB are kept for the audit log and a clean stop when the disk is full; 0 for none.
#disk_reserve_mib = 8
# Where the copy of the erasure ledger lies; by default in the state folder. Best on another disk.
#erasure_ledger = "/mnt/other/erasures.ledger"
# What is logged: error, warn, info, debug or a filter such as "info,manushyad=debug".
#log = "info"
# How it is logged: text or json; by default text on a terminal and json elsewhere.
#log_format = "json"
# What turns text into vectors: static (a table in the program), hash (words and pieces of words),
# model (a model run by the daemon) or http (a service). After a change, `memory reembed` shows how
# far the memories are embedded anew.
#embedder = "static"
# For model, the folder of a sentence-transformers model; for http, what the service calls it.
#model = "nomic-embed-text"
# For http: a service with the embeddings API of OpenAI, as Ollama, llama.cpp, TEI and vLLM have.
#embedder_url = "http://127.0.0.1:11434"
# How many numbers its vectors have.
#embedder_dims = 768
# To be changed when the model changes under the same name.
#embedder_revision = "1"
# A file, for its owner only, whose first line is the key that the service asks for.
#embedder_key_file = "/run/credentials/embedder-key"
# How long a request may take, and how many texts it may hold.
#embedder_timeout = "30s"
#embedder_batch = 32
# What the model wants before each text of a memory, and before each question.
#embedder_text_prefix = "search_document: "
#embedder_question_prefix = "search_query: "
# Whether memories may go to another host in the clear, by http.
#embedder_allow_plain = false

# Where the daemon sends the signed heads of the audit log, beside the store.
[audit]
# A file they are appended to, outside the data folder: best on another disk or machine; or "none".
# By default audit.anchor in the state folder.
#anchor_file = "/mnt/elsewhere/manushya.anchor"
# Whether the journal of systemd gets them.
#anchor_journald = false
# A program with its arguments, which gets each on its standard input.
#anchor_command = ["/usr/local/bin/send-checkpoint"]
"#;

/// Reads the file that was named, or the first of the usual ones that exists.
///
/// # Errors
///
/// [`ConfigError`] if a file that was named is not there, or a file cannot be read or is wrong.
pub fn load(
    named: Option<&Path>,
    usual: &[PathBuf],
) -> Result<(Values, toml::Table, Option<PathBuf>), ConfigError> {
    let parsed = |text: &str, path: &Path| {
        let (values, daemon) = parse(text, path)?;
        Ok((values, daemon, Some(path.to_path_buf())))
    };
    if let Some(path) = named {
        let text = read(path).map_err(|error| unreadable(path, &error))?;
        return parsed(&text, path);
    }
    for path in usual {
        match read(path) {
            Ok(text) => return parsed(&text, path),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    Ok((Values::new(), toml::Table::new(), None))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    ConfigError::Read {
        path: path.to_path_buf(),
        reason: error.to_string(),
    }
}

fn read(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it is above {FILE_BYTES_MAX} bytes"
        )));
    }
    std::fs::read_to_string(path)
}

/// The client's values, and the daemon's table as it stands.
fn parse(text: &str, path: &Path) -> Result<(Values, toml::Table), ConfigError> {
    let wrong = |reason: String| ConfigError::File {
        path: path.to_path_buf(),
        reason,
    };
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| wrong(error.to_string().trim_end().to_owned()))?;
    let (mut values, mut daemon) = (Values::new(), toml::Table::new());
    for (key, value) in table {
        if key == "daemon" {
            let toml::Value::Table(table) = value else {
                return Err(wrong("`daemon` must be a table: write [daemon]".to_owned()));
            };
            daemon = table;
            continue;
        }
        if key == "audit" {
            // The daemon's, too.
            if !value.is_table() {
                return Err(wrong("`audit` must be a table: write [audit]".to_owned()));
            }
            continue;
        }
        if !KEYS.contains(&key.as_str()) {
            let hint = nearest(&key, KEYS)
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            return Err(wrong(format!("unknown key `{key}`{hint}")));
        }
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Boolean(flag) => flag.to_string(),
            other => {
                let kind = other.type_str();
                return Err(wrong(format!("`{key}` must be a string, not {kind}")));
            }
        };
        if text.is_empty() {
            return Err(wrong(format!("`{key}` is empty; leave it out")));
        }
        values.insert(key, text);
    }
    Ok((values, daemon))
}

/// The known name nearest to a mistyped one, if any is near.
pub fn nearest<'a>(text: &str, known: &[&'a str]) -> Option<&'a str> {
    let text: String = text.chars().take(64).collect();
    known
        .iter()
        .map(|name| (distance(&text, name), *name))
        .min()
        .filter(|(edits, name)| *edits <= 1 + name.len() / 3)
        .map(|(_, name)| name)
}

/// Edits between two texts (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> Result<Values, String> {
        let parsed = parse(text, Path::new("c.toml")).map(|(values, _)| values);
        parsed.map_err(|error| error.to_string())
    }

    #[test]
    fn daemon_table_passes_through() {
        let values = check("output = \"json\"\n[daemon]\nanything = [1, 2]\n").unwrap();
        assert_eq!(values.get("output").map(String::as_str), Some("json"));
        assert_eq!(values.len(), 1);
    }

    #[test]
    fn unknown_key_names_the_nearest() {
        assert!(
            check("tiemout = \"1s\"")
                .unwrap_err()
                .contains("did you mean `timeout`")
        );
        let far = check("quux_zz = 1").unwrap_err();
        assert!(
            far.contains("unknown key `quux_zz`") && !far.contains("did you mean"),
            "{far}"
        );
        assert!(check("daemon = 3").is_err());
        assert!(check("output = 3").unwrap_err().contains("integer"));
    }

    #[test]
    fn template_parses_and_names_every_key() {
        assert!(check(TEMPLATE).unwrap().is_empty());
        for key in KEYS {
            assert!(TEMPLATE.contains(&format!("#{key} = ")), "{key}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_files_never_panic(text in ".{0,200}") {
            let _ = check(&text);
        }

        #[test]
        fn distance_is_a_metric(a in "[a-c]{0,6}", b in "[a-c]{0,6}", c in "[a-c]{0,6}") {
            prop_assert_eq!(distance(&a, &a), 0);
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c));
        }
    }
}
