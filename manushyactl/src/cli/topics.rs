//! Help topics that belong to no single command.

use manushya_protocol::exit;

/// Names of the topics, and what each is about.
pub const NAMES: &[(&str, &str)] = &[
    ("exit-codes", "what the exit codes mean"),
    (
        "environment",
        "environment variables and where configuration comes from",
    ),
    ("output", "output formats, streams and errors"),
];

/// Variables that every command reads, and what each is for.
pub const VARIABLES: &[(&str, &str)] = &[
    (
        "MANUSHYA_HOME",
        "one folder for config, data and socket; without it the XDG folders are used",
    ),
    ("MANUSHYA_SOCKET", "socket of the daemon (--socket)"),
    ("MANUSHYA_TENANT", "tenant to work in (--tenant)"),
    ("MANUSHYA_TOKEN", "access token; empty means none"),
    (
        "MANUSHYA_TOKEN_FILE",
        "file that holds the access token (--token-file)",
    ),
    ("MANUSHYA_OUTPUT", "output format (--output)"),
    ("MANUSHYA_TIMEOUT", "time limit of a call (--timeout)"),
    ("MANUSHYA_PURPOSE", "what the work is for (--purpose)"),
    (
        "MANUSHYA_NO_INPUT",
        "1 to never ask a question (--no-input)",
    ),
    ("MANUSHYA_COLOR", "auto, always or never (--color)"),
    (
        "NO_COLOR",
        "not empty: no colour, unless --color or MANUSHYA_COLOR says otherwise",
    ),
    ("MANUSHYA_CONFIG", "configuration file (--config)"),
];

/// The text of a topic.
pub fn text(name: &str) -> Option<String> {
    match name {
        "exit-codes" => Some(exit_codes()),
        "environment" => Some(environment()),
        "output" => Some(OUTPUT.to_owned()),
        _ => None,
    }
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes\n\n");
    for row in exit::TABLE {
        text.push_str(&format!("{:>5}  {}\n", row.code, row.meaning));
    }
    text.push_str(
        "\nA command about several things exits 3 when some were done and some were not; with one\n\
         thing it exits with that thing's own code. `policy can-i` exits 0 for yes and 5 for no.\n\
         Treat a code that is not listed as failure.\n",
    );
    text
}

fn environment() -> String {
    let mut text = String::from("Environment\n\n");
    for (name, meaning) in VARIABLES {
        text.push_str(&format!("  {name:<20} {meaning}\n"));
    }
    text.push_str(
        "\nA flag wins over its variable, a variable over the configuration file, and the file\n\
         over the default; `manushyactl config show --origin` says which did. An empty variable\n\
         counts as absent. The file is $MANUSHYA_HOME/config.toml if MANUSHYA_HOME is set, else\n\
         $XDG_CONFIG_HOME/manushya/config.toml (~/.config), else /etc/manushya/config.toml.\n\
         The socket is $MANUSHYA_HOME/run/manushyad.sock if MANUSHYA_HOME is set, else\n\
         $XDG_RUNTIME_DIR/manushya/manushyad.sock, else\n\
         $XDG_STATE_HOME/manushya/run/manushyad.sock.\n\
         A token is never taken from the command line, where every user of the machine could\n\
         read it.\n",
    );
    text
}

const OUTPUT: &str = "\
Output

  table  for people; columns may change between versions
  json   one document; a list is {\"items\":[...],\"next\":cursor or null,\"total\":n}
  jsonl  one bare object a line
  yaml   the same document as json
  csv    a header and flat fields; lists are joined by `;`, objects are JSON
  name   ids only, one a line

Results go to standard output and nothing else does: progress, notes and errors go to standard
error. Times are RFC 3339 in UTC, but in tables they are ages such as `3m ago`. A text is cut
to the width of the terminal only if standard output is one. A list that was cut says so on
standard error; --all shows every item.

An error is three lines on standard error: what, why and how to fix it. With json, jsonl or
yaml it is one line of JSON: {\"code\",\"message\",\"reason\",\"hint\",\"request_id\",\"exit\"}.

Fields are added over time and never renamed or removed.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_its_text() {
        for (name, _) in NAMES {
            assert!(
                text(name).is_some_and(|text| text.lines().count() > 3),
                "{name}"
            );
        }
        assert!(text("nonsense").is_none());
    }

    #[test]
    fn every_exit_code_is_documented() {
        let text = exit_codes();
        for row in exit::TABLE {
            assert!(text.contains(&format!("{:>5}  {}", row.code, row.meaning)));
        }
    }
}
