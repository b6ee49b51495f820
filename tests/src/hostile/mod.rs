//! A catalogue of what hostile clients do, to be tried against a live daemon.
//!
//! Each behaviour takes a socket and does its worst for a short while. What comes back, if anything,
//! does not matter: what matters is how the daemon is afterwards, and how others are served meanwhile.

mod floods;
mod frames;
mod values;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::{self, Raw, SOON};

/// How long it waits for an answer that may never come.
const PATIENCE: Duration = Duration::from_secs(2);

/// One thing that a hostile client does.
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// Its name.
    pub name: &'static str,
    /// Does it, to the daemon at this socket.
    pub attack: fn(&Path),
}

/// Every behaviour.
pub fn catalogue() -> Vec<Behaviour> {
    [frames::ALL, values::ALL, floods::ALL].concat()
}

/// A request of any method that takes one.
fn call(method: &str, request: &Value) -> Value {
    json!({method: {"call": {}, "request": request}})
}

/// A search.
fn search(request: &Value) -> Value {
    call("MemorySearch", request)
}

/// Makes one request on a connection of its own, which may be refused or closed.
fn ask(socket: &Path, message: &Value) -> Option<Value> {
    let mut raw = Raw::greeted(socket).ok()?;
    raw.patience(PATIENCE);
    raw.ask(1, message).ok()
}

/// Sends the body of one frame behind a hello, and waits for what comes of it.
fn send(socket: &Path, body: &[u8]) {
    if let Ok(mut raw) = Raw::greeted(socket) {
        raw.patience(PATIENCE);
        let _ = raw.send(body);
        let _ = raw.receive();
    }
}

/// The same before any hello.
fn send_at_once(socket: &Path, body: &[u8]) {
    if let Ok(mut raw) = Raw::connect(socket) {
        raw.patience(PATIENCE);
        let _ = raw.send(body);
        let _ = raw.receive();
    }
}

/// A request whose inner JSON is spelled out, so that it need not be JSON.
fn spelled(method: &str, request: &str) -> String {
    let marker = json!("the request");
    let honest = wire::request(1, SOON, &call(method, &marker));
    honest.replace(&marker.to_string(), request)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_at_least_thirty_and_no_name_twice() {
        let all = catalogue();
        let names: HashSet<_> = all.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.len() >= 30, "{}", all.len());
    }
}
