//! What stands behind the socket: the product, or the little that is left of it while it is sealed.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use manushya_protocol::error::WireError;
use manushya_protocol::id::RequestId;

use crate::service::seal::refusal;
use crate::service::{Sealed, Service};

/// Behind the socket.
#[derive(Clone)]
pub enum Door {
    /// Everything.
    Open(Arc<Service>),
    /// Nothing but the way to open it.
    Sealed(Arc<Sealed>),
}

impl Door {
    /// The product.
    ///
    /// # Errors
    ///
    /// `VAULT_LOCKED` while it is sealed, or about to be.
    pub fn open(&self) -> Result<&Arc<Service>, WireError> {
        match self {
            Self::Open(service) if !service.sealing.is_thrown() => Ok(service),
            Self::Open(_) | Self::Sealed(_) => Err(refusal()),
        }
    }

    /// A fresh id.
    pub fn new_request_id(&self) -> RequestId {
        match self {
            Self::Open(service) => service.new_request_id(),
            Self::Sealed(sealed) => sealed.new_request_id(),
        }
    }

    /// Connections open.
    pub fn connections(&self) -> &AtomicU64 {
        match self {
            Self::Open(service) => &service.connections,
            Self::Sealed(sealed) => &sealed.connections,
        }
    }
}
