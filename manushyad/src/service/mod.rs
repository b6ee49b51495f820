//! What the product does, one file a noun. Every door (the socket, later HTTP and MCP) calls these
//! same methods with the messages of [`manushya_protocol::v1`]; nothing here knows a transport.
//!
//! A change goes to the [`writer`]; a read is decided here, on a snapshot beside the writer, and its
//! audit entry rides in the writer's next commit.

pub mod alerts;
mod api_key;
mod approval;
pub mod audit;
pub mod backup;
mod binding;
mod convert;
mod doctor;
mod duplicate;
mod embedding;
mod events;
mod gone;
mod hold;
mod identity;
pub mod indexes;
mod invitation;
mod key;
pub mod ledger;
mod limit;
mod login;
mod memory;
pub mod notary;
mod page;
mod permit;
mod policy;
mod policy_review;
mod policy_shadow;
mod policy_simulate;
mod purge;
mod ranking;
pub mod rate;
mod recall;
mod receipt;
pub mod recovered;
mod retention;
mod review;
pub mod room;
mod rotate;
mod rotate_audit;
pub mod seal;
mod search;
mod session;
#[cfg(test)]
mod sim;
pub mod subject;
mod survivors;
mod system;
pub mod tally;
mod token;
mod usage;
mod view;
pub mod work;
pub mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use manushya_core::command::Context;
use manushya_core::decide::Refusal;
use manushya_core::model::AuditDraft;
use manushya_core::plan::Plan;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{
    BindingId, IdentityId, InvitationId, LimitId, MemoryId, PlanId, PolicyId, RequestId, TenantId,
    TokenId,
};
use manushya_protocol::unit::UnixMillis;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

pub use embedding::{Step, Trouble};
pub use login::{Caller, Credential};
pub use seal::{SealSwitch, Sealed, Unsealing, is_sealed};
pub use usage::LastUses;
use view::ReadView;

use crate::auth::{Programs, TokenKeys};
use crate::config::{AuditReads, Config};
use crate::port::Ports;
use crate::store::{Store, Txn};
use crate::vault::Vault;
use indexes::Indexes;
use writer::Writer;

/// The product, without a door.
pub struct Service {
    /// Settings.
    pub config: Config,
    /// Clock, randomness, cipher and embedder.
    pub ports: Ports,
    /// The keys, for what the cipher does not cover: the audit log's and the tokens' signatures.
    pub vault: Arc<Vault>,
    /// The store, for snapshots.
    pub store: Store,
    /// Names this home for its whole life.
    pub home_id: [u8; 16],
    /// The index of every tenant.
    pub indexes: Arc<Indexes>,
    /// The one writer.
    pub writer: Writer,
    /// Signs and verifies access tokens; another takes its place when the key is rotated.
    pub tokens: ArcSwap<TokenKeys>,
    /// When the daemon started.
    pub started_at: UnixMillis,
    /// The backups that are being taken.
    pub backups: backup::Jobs,
    /// Connections open.
    pub connections: AtomicU64,
    /// Told when the daemon shall stop.
    pub stop: Arc<Notify>,
    /// User ids that are the operator of the host.
    pub operator_uids: Vec<u32>,
    /// Held while a memory is added that must not repeat what is there.
    pub duplicates: tokio::sync::Mutex<()>,
    /// When API keys and sessions were last noted as used.
    pub last_uses: LastUses,
    /// Hashes of programs that showed themselves.
    pub programs: Programs,
    /// How often calls come.
    pub rates: rate::Rates,
    /// What goes wrong with embedding.
    pub trouble: Trouble,
    /// Told when the daemon shall be sealed.
    pub sealing: SealSwitch,
    /// What proofs about the audit log need of it.
    pub proofs: Mutex<manushya_core::audit::Tree>,
    /// What it does by itself.
    pub work: work::Work,
    /// Held while another key takes over the audit log, and while a backup takes up keys and state.
    pub handing_over: tokio::sync::Mutex<()>,
    /// The exports of what is held about somebody.
    pub exports: subject::Exports,
}

/// The name that the audit log is signed under.
///
/// # Errors
///
/// Never in practice: it is a constant that is valid.
pub fn audit_origin() -> Result<manushya_core::audit::Origin, WireError> {
    receipt::origin()
}

/// Waits until the daemon shall stop.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An end of the sender is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The error for a store that cannot be read.
pub(crate) fn unreadable(error: &dyn std::error::Error) -> WireError {
    tracing::error!(error = %writer::chain(error), "The store cannot be read.");
    WireError::new(ErrorCode::Internal, "the store cannot be read").hint("manushyactl doctor")
}

macro_rules! new_ids {
    ($($(#[$doc:meta])* $method:ident -> $id:ident;)*) => {
        $($(#[$doc])* pub fn $method(&self) -> $id {
            let mut entropy = [0; 10];
            self.ports.entropy.fill(&mut entropy);
            $id::from_parts(self.ports.clock.now(), entropy)
        })*
    };
}

impl Service {
    new_ids! {
        /// A fresh id.
        new_request_id -> RequestId;
        /// A fresh id.
        new_tenant_id -> TenantId;
        /// A fresh id.
        new_identity_id -> IdentityId;
        /// A fresh id.
        new_memory_id -> MemoryId;
        /// A fresh id.
        new_policy_id -> PolicyId;
        /// A fresh id.
        new_token_id -> TokenId;
        /// A fresh id.
        new_plan_id -> PlanId;
        /// A fresh id.
        new_invitation_id -> InvitationId;
        /// A fresh id.
        new_binding_id -> BindingId;
        /// A fresh id.
        new_limit_id -> LimitId;
    }

    /// A consistent state to read.
    pub(crate) fn view(&self) -> Result<ReadView, WireError> {
        // The snapshot is taken after the directory, so that what the directory names is in it.
        let published = self.writer.published();
        let snapshot = self.store.snapshot().map_err(|error| unreadable(&error))?;
        Ok(ReadView::new(published, snapshot))
    }

    /// Decides and carries out a change.
    pub(crate) async fn change<R, F>(&self, fallback: AuditDraft, decide: F) -> Result<R, WireError>
    where
        R: Send + 'static,
        F: FnOnce(&Txn) -> Result<Plan<R>, Refusal> + Send + 'static,
    {
        let (reply, _) = self.writer.run(fallback, decide).await?;
        Ok(reply)
    }

    /// Decides and carries out a read, and sees to its audit entry.
    pub(crate) async fn read<R>(
        &self,
        context: &Context,
        decide: impl FnOnce(&ReadView, &Context) -> Result<Plan<R>, Refusal>,
    ) -> Result<R, WireError> {
        let decided = {
            let view = self.view()?;
            decide(&view, context)
        };
        match decided {
            Ok(plan) => {
                self.note_read(plan.audit).await?;
                Ok(plan.reply)
            }
            Err(refusal) => {
                self.audit_durably(*refusal.audit).await?;
                Err(refusal.error)
            }
        }
    }

    /// Writes the entry of a read that was allowed: before the reply, or soon after it.
    pub(crate) async fn note_read(&self, draft: AuditDraft) -> Result<(), WireError> {
        match self.config.audit_reads {
            AuditReads::Durable => self.audit_durably(draft).await,
            AuditReads::Deferred => self.writer.observe(draft).map(drop),
        }
    }

    /// Writes an entry and waits until it is on disk.
    pub(crate) async fn audit_durably(&self, draft: AuditDraft) -> Result<(), WireError> {
        let written = self.writer.observe(draft)?;
        self.writer.fate(written).await.map(drop)
    }
}
