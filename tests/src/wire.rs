//! Raw frames, well formed and not, as a hostile client sends them.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// A connection that says whatever it likes.
#[derive(Debug)]
pub struct Raw(UnixStream);

/// A request as tarpc writes it, its deadline as JSON.
pub fn request(id: u64, deadline: &str, message: &Value) -> String {
    let zeros = [0_u8; 16];
    let trace = json!({"trace_id": zeros, "span_id": 0, "sampling_decision": "Unsampled"});
    format!(
        r#"{{"Request":{{"context":{{"deadline":{deadline},"trace_context":{trace}}},"id":{id},"message":{message}}}}}"#
    )
}

/// Ten seconds, as a deadline.
pub const SOON: &str = r#"{"secs":10,"nanos":0}"#;

/// The message `hello`.
pub fn hello() -> Value {
    json!({"Hello": {"request": {"client": "raw", "api_min": 1, "api_max": 1}}})
}

impl Raw {
    /// Connects, with half a minute's patience for everything that follows.
    ///
    /// # Errors
    ///
    /// If nobody listens.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self(stream))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// If the daemon has closed the connection.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// If the daemon has closed the connection.
    pub fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.send_bytes(&[&length.to_be_bytes()[..], body].concat())
    }

    /// Receives a frame.
    ///
    /// # Errors
    ///
    /// If the connection ends or stays silent, or the frame is no JSON.
    pub fn receive(&mut self) -> io::Result<Value> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > 8 << 20 {
            return Err(io::Error::other(format!("a frame of {length} bytes")));
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        serde_json::from_slice(&body).map_err(io::Error::other)
    }

    /// Sends a request and receives the answer.
    ///
    /// # Errors
    ///
    /// As [`Self::send`] and [`Self::receive`].
    pub fn ask(&mut self, id: u64, message: &Value) -> io::Result<Value> {
        self.send(request(id, SOON, message).as_bytes())?;
        self.receive()
    }

    /// Connects and says hello as it should be.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub fn greeted(socket: &Path) -> io::Result<Self> {
        let mut raw = Self::connect(socket)?;
        raw.ask(0, &hello())?;
        Ok(raw)
    }

    /// How long each send and receive may take from here on.
    pub fn patience(&mut self, most: Duration) {
        // A socket takes any timeout but zero.
        let _ = self.0.set_write_timeout(Some(most));
        let _ = self.0.set_read_timeout(Some(most));
    }

    /// The same connection as the output of another process.
    ///
    /// # Errors
    ///
    /// If the system is out of descriptors.
    pub fn input(&self) -> io::Result<std::process::Stdio> {
        Ok(std::os::fd::OwnedFd::from(self.0.try_clone()?).into())
    }

    /// Whether the daemon closes the connection, rather than answer.
    pub fn is_closed(&mut self) -> bool {
        self.receive()
            .is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
    }
}
