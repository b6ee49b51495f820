//! The harness of the end-to-end tests and of the drivers of load and of evaluation.
//!
//! A [`Daemon`] is a real process with a [`Home`] of its own; a [`Caller`] runs the real command
//! line against it. Everything here panics with what it saw when something is not as it must be:
//! that is what a test wants. Whatever is started is stopped when it is dropped.

pub mod caller;
pub mod corpus;
pub mod daemon;
pub mod embeddings;
pub mod fuzz;
pub mod home;
pub mod hostile;
pub mod measure;
pub mod own;
pub mod random;
pub mod scan;
pub mod text;
pub mod wire;

pub use caller::{Caller, Out};
pub use daemon::{Daemon, Programs};
pub use home::Home;

/// Makes one call of a typed client: `call!(client, memory_get, request).await`.
#[macro_export]
macro_rules! call {
    ($client:expr, $method:ident) => {
        $client.call(|api, context, call| async move { api.$method(context, call).await })
    };
    ($client:expr, $method:ident, $request:expr) => {{
        let request = $request;
        $client.call(|api, context, call| async move { api.$method(context, call, request).await })
    }};
}
