//! Frames in, frames out: the deadline is clamped before tarpc sees it.
//!
//! tarpc panics on a deadline that is years away, and while decoding one that does not fit a clock. So
//! requests are decoded into a shape of our own first, and only a bounded deadline becomes an
//! [`Instant`].

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
use tokio_util::bytes::Bytes;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// A connection's frames as tarpc wants them.
pub struct Transport<Req, Resp> {
    frames: Framed<UnixStream, LengthDelimitedCodec>,
    kinds: PhantomData<fn() -> (Req, Resp)>,
}

impl<Req, Resp> Transport<Req, Resp> {
    /// Takes over a connection.
    pub fn new(stream: UnixStream) -> Self {
        Self {
            frames: Framed::new(stream, frame::codec()),
            kinds: PhantomData,
        }
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

impl<Req: DeserializeOwned, Resp> Stream for Transport<Req, Resp> {
    type Item = io::Result<ClientMessage<Req>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.frames)
            .poll_next(cx)
            .map(|frame| frame.map(|frame| frame.and_then(|bytes| decode(&bytes))))
    }
}

impl<Req, Resp: Serialize> Sink<Response<Resp>> for Transport<Req, Resp> {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Sink::<Bytes>::poll_ready(Pin::new(&mut self.frames), cx)
    }

    fn start_send(mut self: Pin<&mut Self>, response: Response<Resp>) -> io::Result<()> {
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
