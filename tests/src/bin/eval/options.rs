//! The command line of the evaluation driver.

use std::path::PathBuf;

use manushya_protocol::v1::memory::SearchMode;
use manushya_tests::own;

/// How it is called.
pub const USAGE: &str = "\
usage: eval --memories M.jsonl --queries Q.jsonl [--mode hybrid|lexical|semantic]
            [--embedder E] [--set key=value]... [-o json]

  --memories M     the memories, as `memory import` takes them
  --queries Q      lines of `query` and `relevant`, the keys a good search returns
  --mode M         what counts [default: hybrid]
  --embedder E     the same as --set embedder=E
  --set key=value  a key of the daemon's configuration; may be given again";

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file of the memories.
    pub memories: PathBuf,
    /// The file of the questions.
    pub queries: PathBuf,
    /// What counts.
    pub mode: SearchMode,
    /// Lines of the daemon's configuration.
    pub settings: Vec<String>,
}

/// Reads the arguments.
///
/// # Errors
///
/// What is wrong with them, in one sentence.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut memories, mut queries) = (None, None);
    let mut mode = SearchMode::Hybrid;
    let mut settings = Vec::new();
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("`{name}` is no option or wants a value"))?;
        match name.as_str() {
            "--memories" => memories = Some(PathBuf::from(value)),
            "--queries" => queries = Some(PathBuf::from(value)),
            "--mode" => mode = mode_of(&value)?,
            "--embedder" => settings.push(own::setting(&format!("embedder={value}"))?),
            "--set" => settings.push(own::setting(&value)?),
            "-o" | "--output" if value == "json" => {}
            "-o" | "--output" => return Err("the only output is json".to_owned()),
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    Ok(Options {
        memories: memories.ok_or("--memories is missing")?,
        queries: queries.ok_or("--queries is missing")?,
        mode,
        settings,
    })
}

fn mode_of(name: &str) -> Result<SearchMode, String> {
    match name {
        "hybrid" => Ok(SearchMode::Hybrid),
        "lexical" => Ok(SearchMode::Lexical),
        "semantic" => Ok(SearchMode::Semantic),
        other => Err(format!(
            "--mode is hybrid, lexical or semantic, not `{other}`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_documented_line_is_taken() {
        let line =
            "--memories m --queries q --mode lexical --embedder hash --set a=1 --set b=x -o json";
        let options = parsed(line).unwrap();
        assert_eq!(options.mode, SearchMode::Lexical);
        assert_eq!(
            options.settings,
            ["embedder = \"hash\"", "a = 1", "b = \"x\""]
        );
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "",
            "--memories m",
            "--memories m --queries",
            "--memories m --queries q --mode x",
            "--memories m --queries q --set x",
            "--memories m --queries q -o xml",
            "--memories m --queries q --x y",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
