//! A service with an embeddings API, real but for its model: it listens on a port of its own, and
//! can be told to fail in the ways that services do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// How many numbers its vectors have.
pub const DIMS: usize = 64;
/// The longest request it takes, in bytes.
const REQUEST_BYTES_MAX: usize = 64 << 20;
/// Words that mean the same to it, so that a question can be answered without sharing a word.
const SAME: &[(&str, &str)] = &[
    ("automobile", "car"),
    ("physician", "doctor"),
    ("feline", "cat"),
];

/// How the service behaves.
#[derive(Clone, Debug, PartialEq)]
pub enum Manner {
    /// As it should.
    Well,
    /// As it should, but only after a while.
    Slow(Duration),
    /// It answers with this status and nothing else.
    Status(u16),
    /// Its vectors have another length.
    WrongDims,
    /// One of its numbers is not a number.
    NotANumber,
    /// Its vectors are zero.
    Zero,
    /// It hangs up in the middle of an answer.
    Truncated,
    /// It answers without end.
    Huge,
    /// It answers to whom it was not asked.
    Elsewhere(String),
}

/// A request that it got.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The path.
    pub path: String,
    /// The header `authorization`.
    pub authorization: Option<String>,
    /// The body.
    pub body: Value,
}

impl Seen {
    /// The texts to embed.
    pub fn texts(&self) -> Vec<String> {
        let texts = self.body["input"].as_array().into_iter().flatten();
        texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    }
}

struct State {
    manner: Mutex<Manner>,
    /// Requests with a text that has this word are refused.
    poison: Mutex<Option<String>>,
    seen: Mutex<Vec<Seen>>,
    stop: AtomicBool,
}

/// A running service. It is gone when dropped.
pub struct Embeddings {
    address: SocketAddr,
    state: Arc<State>,
    listener: Option<JoinHandle<()>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Embeddings {
    /// Starts a service on a free port.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("it is an address"))
    }

    /// Starts a service at this address, for instance where another one was.
    ///
    /// # Panics
    ///
    /// If it is taken.
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("the port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(State {
            manner: Mutex::new(Manner::Well),
            poison: Mutex::default(),
            seen: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let shared = state.clone();
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    let shared = shared.clone();
                    std::thread::spawn(move || shared.serve(stream));
                }
            }
        });
        Self {
            address,
            state,
            listener: Some(listener),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a daemon's configuration has to say to use it.
    pub fn settings(&self, model: &str) -> String {
        format!(
            "embedder = \"http\"\nmodel = \"{model}\"\nembedder_url = \"http://{}\"\n\
             embedder_dims = {DIMS}",
            self.address
        )
    }

    /// Changes how it behaves.
    pub fn behave(&self, manner: Manner) {
        *held(&self.state.manner) = manner;
    }

    /// Refuses every request with a text that has this word.
    pub fn refuse(&self, word: Option<&str>) {
        *held(&self.state.poison) = word.map(str::to_owned);
    }

    /// What it was asked.
    pub fn seen(&self) -> Vec<Seen> {
        held(&self.state.seen).clone()
    }
}

impl Drop for Embeddings {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        // The listener looks up when somebody comes.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl State {
    fn serve(&self, stream: TcpStream) {
        // A request is awaited in short turns, so that a service that is gone hangs up.
        let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
        let Ok(mut answers) = stream.try_clone() else {
            return;
        };
        let mut reader = BufReader::new(stream);
        while let Some(seen) = self.read(&mut reader) {
            held(&self.seen).push(seen.clone());
            let goes_on = self.answer(&seen, &mut answers);
            if !goes_on {
                return;
            }
        }
    }

    fn line(&self, reader: &mut BufReader<TcpStream>) -> Option<String> {
        let mut line = Vec::new();
        loop {
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) => return String::from_utf8(line).ok(),
                Err(error) if is_pause(&error) && !self.stop.load(Ordering::SeqCst) => {}
                Err(_) => return None,
            }
        }
    }

    fn read(&self, reader: &mut BufReader<TcpStream>) -> Option<Seen> {
        let first = self.line(reader)?;
        let path = first.split(' ').nth(1)?.to_owned();
        let (mut length, mut authorization) = (0_usize, None);
        loop {
            let line = self.line(reader)?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "authorization" => authorization = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        if length > REQUEST_BYTES_MAX {
            return None;
        }
        let mut body = vec![0; length];
        let mut got = 0;
        while got < length {
            match reader.read(&mut body[got..]) {
                Ok(0) => return None,
                Ok(more) => got += more,
                Err(error) if is_pause(&error) && !self.stop.load(Ordering::SeqCst) => {}
                Err(_) => return None,
            }
        }
        Some(Seen {
            path,
            authorization,
            body: serde_json::from_slice(&body).ok()?,
        })
    }

    /// Answers; returns whether the connection goes on.
    fn answer(&self, seen: &Seen, to: &mut TcpStream) -> bool {
        let poison = held(&self.poison).clone();
        let is_poisoned = poison.is_some_and(|word| seen.texts().iter().any(|t| t.contains(&word)));
        if is_poisoned {
            return respond(to, 400, "", b"{\"error\":\"the input is too long\"}");
        }
        let manner = held(&self.manner).clone();
        let body = vectors(seen, &manner);
        match manner {
            Manner::Slow(pause) => {
                std::thread::sleep(pause);
                respond(to, 200, "", body.as_bytes())
            }
            Manner::Status(status) => respond(to, status, "retry-after: 1\r\n", b""),
            Manner::Elsewhere(place) => respond(to, 307, &format!("location: {place}\r\n"), b""),
            Manner::Truncated => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = to.write_all(head.as_bytes());
                let _ = to.write_all(&body.as_bytes()[..body.len() / 2]);
                false
            }
            Manner::Huge => {
                let _ = to.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"data\":[");
                let more = vec![b' '; 1 << 16];
                // Until who asked has had enough, or a gigabyte; whoever reads that has no bound.
                let _ = (0..1 << 14).try_for_each(|_| match self.stop.load(Ordering::SeqCst) {
                    true => Err(std::io::ErrorKind::Interrupted.into()),
                    false => to.write_all(&more),
                });
                false
            }
            Manner::Well | Manner::WrongDims | Manner::NotANumber | Manner::Zero => {
                respond(to, 200, "", body.as_bytes())
            }
        }
    }
}

fn is_pause(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

fn respond(to: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> bool {
    let head = format!(
        "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\n{headers}\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut all = head.into_bytes();
    all.extend_from_slice(body);
    to.write_all(&all).is_ok()
}

/// The answer to a request, in this manner.
fn vectors(seen: &Seen, manner: &Manner) -> String {
    let model = seen.body["model"].as_str().unwrap_or_default();
    let dims = if *manner == Manner::WrongDims {
        DIMS + 1
    } else {
        DIMS
    };
    let item = |(index, text): (usize, &String)| {
        let mut vector = embed(model, text, dims);
        if *manner == Manner::Zero {
            vector.fill(0.0);
        }
        json!({"object": "embedding", "index": index, "embedding": vector})
    };
    let mut data: Vec<Value> = seen.texts().iter().enumerate().map(item).collect();
    // They may come in any order.
    data.reverse();
    let text = json!({"object": "list", "data": data, "model": model}).to_string();
    match manner {
        Manner::NotANumber => text.replacen("0.0", "NaN", 1),
        _ => text,
    }
}

/// The vector of a text: its words in buckets, differently for each model.
pub fn embed(model: &str, text: &str, dims: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dims];
    // No text is without a vector.
    vector[0] = 0.1;
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        let same = SAME.iter().find(|(other, _)| *other == word);
        let word = same.map_or(word, |(_, word)| word);
        let bytes = model.bytes().chain([0]).chain(word.bytes());
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, step);
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        vector[(hash >> 20) as usize % dims] += sign;
    }
    vector
}
