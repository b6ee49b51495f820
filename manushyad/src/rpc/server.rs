//! Accepting connections: who is there is known before a byte is read, and everything is bounded.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use manushya_protocol::client::{Client, Connect};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;
use parking_lot::Mutex;
use tarpc::server::{BaseChannel, Channel};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::door::Door;
use super::handler::Session;
use super::transport::Transport;
use crate::auth::PeerCred;
use crate::service::stopped;

/// How long a drain waits for requests in flight.
const DRAIN: Duration = Duration::from_secs(5);

/// Binds the socket in a folder of its own, for its owner only, or for the members of a group too. A
/// socket that nobody serves is replaced; one that answers is left alone. The caller holds the home's
/// lock.
///
/// # Errors
///
/// `CONFLICT` if a daemon answers there, `INVALID_ARGUMENT` if the place cannot be used.
pub async fn bind(socket: &Path, gid: Option<u32>) -> Result<UnixListener, WireError> {
    let unusable = |error: io::Error| {
        let message = format!("the socket {} cannot be made", socket.display());
        WireError::new(ErrorCode::InvalidArgument, message).reason(error.to_string())
    };
    if let Some(folder) = socket.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(unusable)?;
        if gid.is_some() {
            open_to_group(folder, gid, 0o710).map_err(unusable)?;
        }
    }
    if socket.exists() {
        clear(socket).await?;
    }
    let listener = UnixListener::bind(socket).map_err(unusable)?;
    let mode = if gid.is_some() { 0o660 } else { 0o600 };
    open_to_group(socket, gid, mode).map_err(unusable)?;
    Ok(listener)
}

/// Gives a path a mode, and a group if there is one.
fn open_to_group(path: &Path, gid: Option<u32>, mode: u32) -> io::Result<()> {
    if gid.is_some() {
        std::os::unix::fs::chown(path, None, gid)?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Removes a socket that nobody serves.
async fn clear(socket: &Path) -> Result<(), WireError> {
    let mut probe = Connect::new(socket);
    probe.timeout = Duration::from_secs(2);
    match Client::connect(probe).await {
        Err(error) if error.code == ErrorCode::Unreachable => {
            std::fs::remove_file(socket).map_err(|error| {
                let message = format!("the stale socket {} cannot be removed", socket.display());
                WireError::new(ErrorCode::InvalidArgument, message).reason(error.to_string())
            })
        }
        // Whatever it says: somebody is there.
        Ok(_) | Err(_) => {
            let message = format!("a daemon serves {} already", socket.display());
            Err(WireError::new(ErrorCode::Conflict, message)
                .reason("it answers at the socket")
                .hint("manushyactl status"))
        }
    }
}

/// Connections of each user, to bound them.
#[derive(Default)]
struct PerUser(Mutex<HashMap<u32, usize>>);

impl PerUser {
    fn enter(self: &Arc<Self>, uid: u32) -> Option<Seat> {
        let mut users = self.0.lock();
        let taken = users.entry(uid).or_default();
        if *taken >= limits::CONNECTIONS_PER_UID_MAX {
            return None;
        }
        let free = limits::CONNECTIONS_PER_UID_MAX - *taken;
        *taken += 1;
        Some(Seat {
            users: self.clone(),
            uid,
            reserved: free <= limits::CONNECTIONS_ADMIN_RESERVED,
        })
    }
}

/// One connection's place; given back when dropped.
struct Seat {
    users: Arc<PerUser>,
    uid: u32,
    /// It is one of those that are kept for who administers the daemon.
    reserved: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut users = self.users.0.lock();
        if let Some(taken) = users.get_mut(&self.uid) {
            *taken -= 1;
            if *taken == 0 {
                users.remove(&self.uid);
            }
        }
    }
}

/// Serves the socket until told to stop.
pub struct Server {
    door: Door,
    users: Arc<PerUser>,
}

impl Server {
    /// A server of what is behind `door`.
    pub fn new(door: Door) -> Self {
        Self {
            door,
            users: Arc::default(),
        }
    }

    /// Accepts connections until `stop` turns true, then lets what is in flight finish.
    pub async fn serve(self, listener: UnixListener, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let later = stop.clone();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.admit(stream, &mut connections, &later),
                    Err(error) => {
                        // Out of descriptors, most likely: they come back as connections end.
                        tracing::warn!(%error, "A connection could not be accepted.");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = stopped(&mut stop) => break,
            }
        }
        drop(listener);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("Some connections did not finish in time.");
        }
    }

    fn admit(
        &self,
        stream: UnixStream,
        connections: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) {
        let Ok(peer) = PeerCred::of(&stream) else {
            return;
        };
        let Some(seat) = self.users.enter(peer.uid) else {
            tracing::warn!(peer_uid = peer.uid, "A user has too many connections.");
            return;
        };
        let door = self.door.clone();
        let stop = stop.clone();
        connections.spawn(async move {
            door.connections().fetch_add(1, Ordering::Relaxed);
            // Its own task catches what a hostile frame may do to the protocol's machinery.
            let session = Session::new(door.clone(), peer, seat.reserved);
            let served = tokio::spawn(connection(session, stream, stop)).await;
            if served.is_err() {
                tracing::warn!(peer_uid = peer.uid, "A connection ended in a panic.");
            }
            door.connections().fetch_sub(1, Ordering::Relaxed);
            drop(seat);
        });
    }
}

async fn connection(session: Session, stream: UnixStream, mut stop: watch::Receiver<bool>) {
    let (patience, peer_uid) = (session.patience(), session.peer_uid());
    let greeted = session.greeted();
    let channel = BaseChannel::with_defaults(Transport::new(stream));
    let requests = channel
        .execute(manushya_protocol::v1::service::Manushya::serve(session))
        .for_each_concurrent(None, |request| async {
            // The transport reads no more than may be in flight.
            // A request that panics ends itself and not the others of its connection.
            let _ = tokio::spawn(request).await;
        });
    let silence = async {
        if tokio::time::timeout(patience, greeted.notified())
            .await
            .is_ok()
        {
            futures::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = requests => {}
        () = silence => tracing::debug!(peer_uid, "A connection never said hello."),
        () = stopped(&mut stop) => {
            // Requests in flight run in tasks of their own; their replies need a moment to leave.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
