//! The socket door: tarpc over a unix socket. It translates and decides nothing.

mod door;
mod handler;
mod server;
mod transport;

pub use door::Door;
pub use server::{Server, bind};
pub use transport::{deadline_of, decode};
