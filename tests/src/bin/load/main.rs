//! The load driver: a daemon in a temporary home, driven through its real socket.
//!
//! ```text
//! load -- add|search|mixed|hostile|soak --memories N --clients C --in-flight K [--filter-owner] [--seconds S] [--minutes M]
//! ```
//!
//! Each phase prints one JSON object a line. It starts itself once more as the daemon, so that
//! nothing else has to be built; the daemon and its home are gone when it ends.

mod drive;
mod endure;
mod phases;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use manushya_tests::own;

const USAGE: &str = "\
usage: load add|search|mixed|hostile|soak [--memories N] [--clients C] [--in-flight K] [--filter-owner]
            [--seconds S] [--minutes M] [--queries N] [--ctl PATH] [--set key=value]... [-o json]

  add       adds N memories one by one
  search    imports N memories, then searches them
  mixed     imports N memories, then searches, adds and updates for S seconds
  hostile   imports N memories, then searches for S seconds alone, and for S seconds while others do
            their worst; fails if p99 is more than 5 times as long
  soak      imports N memories, then searches, adds and erases for M minutes; fails if the daemon grows

  --memories N     how many memories [default: 10000]
  --clients C      connections [default: 1]
  --in-flight K    requests in flight on each [default: 1]
  --filter-owner   also search with a filter that leaves one owner of a hundred, and with one that
                   leaves a session of 100 memories
  --seconds S      end each phase after this long [default: 30]
  --minutes M      of a soak [default: 30]
  --queries N      searches of a phase [default: 5000]
  --ctl PATH       also time `PATH status` as a whole process [default: it-manushyactl beside this]
  --set key=value  a key of the daemon's configuration; may be given again";

/// What is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Single adds.
    Add,
    /// Searches.
    Search,
    /// Both, and updates.
    Mixed,
    /// Searches while others do their worst.
    Hostile,
    /// Everything, for a long time.
    Soak,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is driven.
    pub op: Op,
    /// How many memories.
    pub memories: usize,
    /// Connections.
    pub clients: usize,
    /// Requests in flight on each.
    pub in_flight: usize,
    /// Also search one owner of a hundred.
    pub filter_owner: bool,
    /// The most seconds of a phase.
    pub seconds: u64,
    /// Minutes of a soak.
    pub minutes: u64,
    /// Searches of a phase.
    pub queries: usize,
    /// The command line to time.
    pub ctl: Option<PathBuf>,
    /// Lines of the daemon's configuration.
    pub settings: Vec<String>,
}

fn number(name: &str, value: Option<String>, most: usize) -> Result<usize, String> {
    let value = value.ok_or_else(|| format!("{name} wants a number"))?;
    match value.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("{name} takes 1 to {most}, not `{value}`")),
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let op = match arguments.next().as_deref() {
        Some("add") => Op::Add,
        Some("search") => Op::Search,
        Some("mixed") => Op::Mixed,
        Some("hostile") => Op::Hostile,
        Some("soak") => Op::Soak,
        other => {
            return Err(format!(
                "`{}` is none of add, search, mixed, hostile, soak",
                other.unwrap_or("")
            ));
        }
    };
    let beside = std::env::current_exe()
        .ok()
        .map(|path| path.with_file_name("it-manushyactl"));
    let mut options = Options {
        op,
        memories: 10_000,
        clients: 1,
        in_flight: 1,
        filter_owner: false,
        seconds: 30,
        minutes: 30,
        queries: 5_000,
        ctl: beside.filter(|path| path.is_file()),
        settings: Vec::new(),
    };
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--memories" => options.memories = number(&name, arguments.next(), 10_000_000)?,
            // The daemon takes 64 connections of one user; some are kept for looking on.
            "--clients" => options.clients = number(&name, arguments.next(), 60)?,
            "--in-flight" => options.in_flight = number(&name, arguments.next(), 64)?,
            "--queries" => options.queries = number(&name, arguments.next(), 10_000_000)?,
            "--seconds" => options.seconds = number(&name, arguments.next(), 3_600)? as u64,
            "--minutes" => options.minutes = number(&name, arguments.next(), 10_000)? as u64,
            "--filter-owner" => options.filter_owner = true,
            "--set" => {
                let argument = arguments.next().unwrap_or_default();
                options.settings.push(own::setting(&argument)?);
            }
            "--ctl" => options.ctl = arguments.next().map(PathBuf::from),
            "-o" | "--output" => match arguments.next().as_deref() {
                Some("json") => {}
                _ => return Err("the only output is json".to_owned()),
            },
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    if own::is_daemon() {
        return manushyad::run(manushyad::RunOptions::default());
    }
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(manushya_protocol::exit::USAGE);
        }
    };
    let programs = own::programs(options.ctl.clone().unwrap_or_default());
    own::exit(match programs {
        Ok(programs) => phases::run(&options, &programs),
        Err(error) => Err(own::failed("this program does not know where it is", error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_documented_line_is_taken() {
        let line = "search --memories 100000 --clients 2 --in-flight 64 --filter-owner -o json";
        let options = parsed(line).unwrap();
        assert_eq!((options.op, options.memories), (Op::Search, 100_000));
        assert_eq!(
            (options.clients, options.in_flight, options.filter_owner),
            (2, 64, true)
        );
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "",
            "fly",
            "add --memories 0",
            "add --clients x",
            "add --in-flight 65",
            "add --x",
            "add --set x",
            "add -o xml",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
