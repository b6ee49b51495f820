//! Frames in, frames out: the deadline is clamped before tarpc sees it.
//!
//! tarpc panics on a deadline that is years away, and while decoding one that does not fit a clock. So
//! requests are decoded into a shape of our own first, and only a bounded deadline becomes an
//! [`Instant`].
//!
//! What is in flight on a connection is bounded here, by not reading on, and nowhere above: whoever
//! stops polling the connection instead no longer writes its answers either, nor sees its end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::{Sink, Stream};
use manushya_protocol::{frame, limits};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tarpc::trace;
use tarpc::{ClientMessage, Request, Response, context};
use tokio::net::UnixStream;
use tokio::time::Sleep;
use tokio_util::bytes::Bytes;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// A connection's frames as tarpc wants them.
pub struct Transport<Req, Resp> {
    frames: Framed<UnixStream, LengthDelimitedCodec>,
    open: Open,
    kinds: PhantomData<fn() -> (Req, Resp)>,
}

impl<Req, Resp> Transport<Req, Resp> {
    /// Takes over a connection.
    pub fn new(stream: UnixStream) -> Self {
        Self {
            frames: Framed::new(stream, frame::codec()),
            open: Open::default(),
            kinds: PhantomData,
        }
    }
}

/// The requests that wait for an answer, with their deadlines and how long their frames were.
#[derive(Default)]
struct Open {
    requests: HashMap<u64, (Instant, usize)>,
    bytes: usize,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Open {
    fn insert(&mut self, id: u64, deadline: Instant, bytes: usize) {
        // An id that is open already is answered once: the second request is ignored.
        if let Entry::Vacant(entry) = self.requests.entry(id) {
            entry.insert((deadline, bytes));
            self.bytes += bytes;
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some((_, bytes)) = self.requests.remove(&id) {
            self.bytes -= bytes;
        }
    }

    fn is_full(&self) -> bool {
        self.requests.len() >= limits::IN_FLIGHT_MAX || self.bytes >= limits::IN_FLIGHT_BYTES_MAX
    }

    /// Waits until there is room: until an answer was sent, which happens in the same task, or a
    /// request has passed its deadline, to which there is no answer.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.is_full() {
            let now = Instant::now();
            let ended: Vec<u64> = (self.requests.iter())
                .filter(|(_, (deadline, _))| *deadline <= now)
                .map(|(id, _)| *id)
                .collect();
            if !ended.is_empty() {
                ended.into_iter().for_each(|id| self.remove(id));
                continue;
            }
            let next = self.requests.values().map(|(deadline, _)| *deadline).min();
            let until = next.unwrap_or(now).into();
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            timer.as_mut().reset(until);
            std::task::ready!(timer.as_mut().poll(cx));
        }
        self.timer = None;
        Poll::Ready(())
    }
}

/// Mirrors [`ClientMessage`], with the deadline as it is on the wire.
#[derive(Deserialize)]
enum WireMessage<T> {
    Request(WireRequest<T>),
    Cancel {
        #[serde(default)]
        trace_context: trace::Context,
        request_id: u64,
    },
}

#[derive(Deserialize)]
struct WireRequest<T> {
    context: WireContext,
    id: u64,
    message: T,
}

#[derive(Deserialize)]
struct WireContext {
    /// Time left, as seconds and nanoseconds.
    #[serde(default)]
    deadline: Option<WireDuration>,
    trace_context: trace::Context,
}

#[derive(Deserialize)]
struct WireDuration {
    secs: u64,
    nanos: u32,
}

impl WireDuration {
    fn clamped(&self) -> Duration {
        let secs = self.secs.min(limits::DEADLINE_SECONDS_MAX);
        Duration::new(secs, self.nanos.min(999_999_999))
    }
}

/// Decodes one frame.
///
/// # Errors
///
/// `InvalidData` if it is not a request of this service; the connection then ends.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<ClientMessage<T>> {
    let message: WireMessage<T> = serde_json::from_slice(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(match message {
        WireMessage::Cancel {
            trace_context,
            request_id,
        } => ClientMessage::Cancel {
            trace_context,
            request_id,
        },
        WireMessage::Request(request) => {
            let left = request
                .context
                .deadline
                .map_or(Duration::from_secs(10), |d| d.clamped());
            let mut context = context::current();
            context.deadline = Instant::now() + left;
            context.trace_context = request.context.trace_context;
            ClientMessage::Request(Request {
                context,
                id: request.id,
                message: request.message,
            })
        }
    })
}

/// Until when a decoded message is to be answered; none for one that is not.
pub fn deadline_of<T>(message: &ClientMessage<T>) -> Option<Instant> {
    match message {
        ClientMessage::Request(request) => Some(request.context.deadline),
        _ => None,
    }
}

impl<Req: DeserializeOwned, Resp> Stream for Transport<Req, Resp> {
    type Item = io::Result<ClientMessage<Req>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        std::task::ready!(self.open.poll_room(cx));
        let Some(frame) = std::task::ready!(Pin::new(&mut self.frames).poll_next(cx)) else {
            return Poll::Ready(None);
        };
        let decoded = frame.and_then(|bytes| Ok((decode(&bytes)?, bytes.len())));
        Poll::Ready(Some(decoded.map(|(message, bytes)| {
            match &message {
                ClientMessage::Request(request) => {
                    self.open
                        .insert(request.id, request.context.deadline, bytes);
                }
                ClientMessage::Cancel { request_id, .. } => self.open.remove(*request_id),
                _ => {}
            }
            message
        })))
    }
}

impl<Req, Resp: Serialize> Sink<Response<Resp>> for Transport<Req, Resp> {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_ready(Pin::new(&mut self.frames), cx)
    }

    fn start_send(mut self: Pin<&mut Self>, response: Response<Resp>) -> io::Result<()> {
        self.open.remove(response.request_id);
        let bytes = serde_json::to_vec(&response)?;
        Pin::new(&mut self.frames).start_send(Bytes::from(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_flush(Pin::new(&mut self.frames), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_close(Pin::new(&mut self.frames), cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::{SinkExt as _, StreamExt as _};
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn request(deadline: &str) -> String {
        format!(
            r#"{{"Request":{{"context":{{"deadline":{deadline},"trace_context":
            {{"trace_id":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"span_id":0,"sampling_decision":"Unsampled"}}}},
            "id":1,"message":7}}}}"#
        )
    }

    #[test]
    fn far_deadlines_are_clamped_and_never_panic() {
        for secs in [0, 1, 94_608_000, u64::MAX] {
            let text = request(&format!(r#"{{"secs":{secs},"nanos":4294967295}}"#));
            let ClientMessage::Request(request) = decode::<u32>(text.as_bytes()).unwrap() else {
                panic!("not a request")
            };
            let left = request
                .context
                .deadline
                .saturating_duration_since(Instant::now());
            assert!(
                left <= Duration::from_secs(limits::DEADLINE_SECONDS_MAX + 1),
                "{secs}"
            );
        }
    }

    /// What a poll of the requests gives.
    async fn next(transport: &mut Transport<u32, u32>) -> Option<u64> {
        match futures::poll!(transport.next()) {
            Poll::Ready(Some(Ok(ClientMessage::Request(request)))) => Some(request.id),
            _ => None,
        }
    }

    async fn send(client: &mut UnixStream, text: &str) {
        let length = u32::try_from(text.len()).unwrap();
        client.write_all(&length.to_be_bytes()).await.unwrap();
        client.write_all(text.as_bytes()).await.unwrap();
    }

    fn numbered(id: u64, deadline: &str) -> String {
        let text = request(deadline);
        let (head, tail) = text.rsplit_once("\"id\":1").unwrap();
        format!("{head}\"id\":{id}{tail}")
    }

    #[tokio::test]
    async fn no_more_is_read_than_may_be_in_flight() {
        let (mut client, server) = UnixStream::pair().unwrap();
        let mut transport = Transport::<u32, u32>::new(server);
        let most = limits::IN_FLIGHT_MAX as u64;
        let writing = tokio::spawn(async move {
            for id in 0..most + 4 {
                let soon = r#"{"secs":0,"nanos":300000000}"#;
                let deadline = if id == 7 {
                    soon
                } else {
                    r#"{"secs":60,"nanos":0}"#
                };
                send(&mut client, &numbered(id, deadline)).await;
            }
            // One id twice is one request.
            send(&mut client, &numbered(0, r#"{"secs":60,"nanos":0}"#)).await;
            client
        });
        let _client = writing.await.unwrap();
        for id in 0..most {
            assert_eq!(next(&mut transport).await, Some(id));
        }
        assert_eq!(next(&mut transport).await, None);
        let answer = Response {
            request_id: 3,
            message: Ok(1),
        };
        transport.feed(answer).await.unwrap();
        assert_eq!(next(&mut transport).await, Some(most));
        assert_eq!(next(&mut transport).await, None);
        // One that is past its deadline is not waited for.
        let late = tokio::time::timeout(Duration::from_secs(20), transport.next()).await;
        assert!(
            matches!(late, Ok(Some(Ok(ClientMessage::Request(request)))) if request.id == most + 1)
        );
    }

    #[test]
    fn malformed_frames_are_errors() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"Request":1}"#,
            r#"{"Cancel":{}}"#,
            "\u{0}",
        ] {
            assert!(decode::<u32>(text.as_bytes()).is_err(), "{text:?}");
        }
        let nested = "[".repeat(100_000);
        assert!(decode::<serde_json::Value>(nested.as_bytes()).is_err());
    }
}
