//! A connected, typed client with one error type.
//!
//! ```no_run
//! # async fn example() -> Result<(), manushya_protocol::error::WireError> {
//! use std::time::Duration;
//! use manushya_protocol::client::{Client, Connect};
//! use manushya_protocol::v1::memory::MemoryAdd;
//!
//! let client = Client::connect(Connect::new("/run/user/1000/manushya/manushyad.sock")).await?;
//! let add = MemoryAdd { text: "The user prefers dark mode".into(), ..Default::default() };
//! let added = client.call(|api, context, call| async move {
//!     api.memory_add(context, call, add).await
//! }).await?;
//! # let _ = added; Ok(())
//! # }
//! ```

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tarpc::client::RpcError;
use tarpc::context;
use tokio::net::UnixStream;

use crate::error::{ErrorCode, WireError};
use crate::frame;
use crate::limits;
use crate::secret::BearerToken;
use crate::v1::common::Call;
use crate::v1::hello::{Hello, Welcome};
use crate::v1::service::{ManushyaClient, Reply};
use crate::version;

/// How to connect.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Path of the socket.
    pub socket: PathBuf,
    /// Name and version of the client program, for the daemon's log.
    pub client: String,
    /// An access token; without one the caller is who the kernel says it is.
    pub token: Option<BearerToken>,
    /// How long each call may take.
    pub timeout: Duration,
    /// What every call carries.
    pub call: Call,
}

impl Connect {
    /// Connects to `socket` without a token, ten seconds a call.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            client: concat!("manushya-protocol/", env!("CARGO_PKG_VERSION")).to_owned(),
            token: None,
            timeout: Duration::from_secs(10),
            call: Call::default(),
        }
    }
}

/// A connection that has said hello. Cheap to clone; clones share the socket.
#[derive(Clone, Debug)]
pub struct Client {
    api: ManushyaClient,
    call: Call,
    timeout: Duration,
    welcome: Welcome,
}

impl Client {
    /// Connects and says hello.
    ///
    /// # Errors
    ///
    /// `UNREACHABLE` if nothing answers at the socket, `VERSION_MISMATCH` if the daemon speaks no
    /// common version, `UNAUTHENTICATED` if the token is not good.
    pub async fn connect(connect: Connect) -> Result<Self, WireError> {
        let stream = tokio::time::timeout(connect.timeout, UnixStream::connect(&connect.socket))
            .await
            .map_err(|_| unreachable(&connect.socket, "it does not answer"))?
            .map_err(|error| unreachable(&connect.socket, &refusal(&error)))?;
        let framed = tokio_util::codec::Framed::new(stream, frame::codec());
        let transport = tarpc::serde_transport::new(framed, tokio_serde::formats::Json::default());
        let mut config = tarpc::client::Config::default();
        config.max_in_flight_requests = limits::IN_FLIGHT_MAX;
        config.pending_request_buffer = limits::IN_FLIGHT_MAX;
        let api = ManushyaClient::new(config, transport).spawn();
        let hello = Hello {
            client: connect.client,
            api_min: version::API_MIN,
            api_max: version::API,
            token: connect.token,
        };
        let welcome = settle(api.hello(context_in(connect.timeout), hello).await)?;
        Ok(Self {
            api,
            call: connect.call,
            timeout: connect.timeout,
            welcome,
        })
    }

    /// What the daemon said to hello.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The same connection with other call options.
    #[must_use]
    pub fn with_call(&self, call: Call) -> Self {
        Self {
            call,
            ..self.clone()
        }
    }

    /// The same connection with another time limit a call.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// What calls carry.
    pub fn call_options(&self) -> &Call {
        &self.call
    }

    /// Makes one call within the time limit.
    ///
    /// # Errors
    ///
    /// What the daemon answered, `DEADLINE_EXCEEDED` if it did not in time (the work may have been
    /// done all the same), or `UNREACHABLE` if the connection ended.
    pub async fn call<T, F, Fut>(&self, method: F) -> Result<T, WireError>
    where
        F: FnOnce(ManushyaClient, context::Context, Call) -> Fut,
        Fut: Future<Output = Result<Reply<T>, RpcError>>,
    {
        let context = context_in(self.timeout);
        settle(method(self.api.clone(), context, self.call.clone()).await)
    }
}

fn context_in(timeout: Duration) -> context::Context {
    let mut context = context::current();
    context.deadline =
        Instant::now() + timeout.min(Duration::from_secs(limits::DEADLINE_SECONDS_MAX));
    context
}

fn settle<T>(outcome: Result<Reply<T>, RpcError>) -> Result<T, WireError> {
    match outcome {
        Ok(reply) => reply,
        Err(RpcError::DeadlineExceeded) => Err(WireError::new(
            ErrorCode::DeadlineExceeded,
            "the daemon did not answer in time",
        )
        .reason("the deadline of the call passed; the work may have been done all the same")
        .hint("look before you repeat it, or give more time with --timeout")),
        Err(RpcError::Server(error)) => Err(WireError::new(
            ErrorCode::ResourceExhausted,
            "the daemon refused the request unread",
        )
        .reason(error.detail)),
        Err(error) => Err(WireError::new(
            ErrorCode::Unreachable,
            "the connection to the daemon ended",
        )
        .reason(error.to_string())
        .hint("manushyactl status")),
    }
}

fn refusal(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "the socket is there, but nobody listens".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not open the socket".to_owned(),
        _ => error.to_string(),
    }
}

fn unreachable(socket: &Path, reason: &str) -> WireError {
    WireError::new(
        ErrorCode::Unreachable,
        format!("no daemon answers at {}", socket.display()),
    )
    .reason(reason)
    .hint("manushyactl up")
}
