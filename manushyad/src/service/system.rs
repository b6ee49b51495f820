//! The daemon itself: who am I, status, shutdown.

use std::sync::atomic::Ordering;

use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::access::draft;
use manushya_core::decide::chain;
use manushya_core::model::{Action, Decision, Resource, TokenState, Via};
use manushya_protocol::error::WireError;
use manushya_protocol::id::TenantId;
use manushya_protocol::v1::common::Done;
use manushya_protocol::v1::system::{HostStatus, IndexStatus, Status, WhoAmI};

use super::indexes::Indexes;
use super::{Service, convert};

impl Service {
    /// Says who the caller is. A caller may always know this, so it is not audited.
    pub fn whoami(&self, context: &Context) -> WhoAmI {
        let actor = &context.actor;
        let identity = actor.bearer();
        let directory = &self.writer.published().directory;
        let tenant = directory.tenant(identity.tenant);
        let token = match actor.via {
            Via::Token(id) => Some(id),
            Via::PeerUid | Via::Daemon => None,
        };
        let record = token.and_then(|id| directory.token(identity.tenant, id));
        WhoAmI {
            id: identity.id,
            external_id: identity.external_id.to_string(),
            role: identity.role.to_string(),
            tenant: tenant.map_or_else(String::new, |tenant| tenant.name.to_string()),
            via: record
                .map_or("peer uid", |record| record.kind.as_str())
                .to_owned(),
            peer_uid: actor.peer_uid.unwrap_or_default(),
            operator: actor.operator,
            token,
            scopes: actor.scopes.iter().map(ToString::to_string).collect(),
            expires_at: record.map(|token| token.expires_at),
            acts_for: chain::identities(&actor.links)
                .into_iter()
                .filter(|id| *id != identity.id)
                .map(|id| convert::name_of(directory, identity.tenant, id))
                .collect(),
        }
    }

    /// Says how the daemon is. Everyone may know that it serves; counts of the whole host are for its
    /// operator. It tells nothing of any memory, so it is not audited.
    pub fn status(&self, context: Option<&Context>) -> Status {
        let now = self.ports.clock.now();
        let mut status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: if self.writer.has_failed() {
                "failed"
            } else if self.sealing.is_thrown() {
                "sealing"
            } else {
                "serving"
            }
            .to_owned(),
            uptime_seconds: now.0.saturating_sub(self.started_at.0).unsigned_abs() / 1000,
            ..Status::default()
        };
        if let Some(context) = context {
            status.pid = Some(std::process::id());
            if context.actor.operator {
                status.home = Some(self.config.home.data.display().to_string());
                status.host = Some(self.host_status(context));
            }
        }
        status
    }

    fn host_status(&self, context: &Context) -> HostStatus {
        let published = self.writer.published();
        let directory = &published.directory;
        let (alerts, last_alert_at) = self.writer.alerts().told();
        let (audit_checkpoint, audit_key) = self.sign_head(&published.head).unwrap_or_default();
        let mut host = HostStatus {
            alerts,
            last_alert_at,
            identities: directory.identity_count() as u64,
            audit_size: published.head.size(),
            audit_root: published.head.root().to_string(),
            store_bytes: self.store.file_bytes().unwrap_or_default(),
            queue: self.writer.queued(),
            connections: self.connections.load(Ordering::Relaxed),
            embedder: self.ports.embedder.name().to_owned(),
            audit_reads: self.config.audit_reads.as_str().to_owned(),
            audit_checkpoint,
            audit_key,
            audit_signed: self.writer.witnessed().signed(),
            audit_anchored: self.writer.witnessed().anchored(),
            audit_anchor_fault: self
                .writer
                .witnessed()
                .fault()
                .map(|fault| fault.to_string()),
            embedder_down: self.trouble.reason(),
            disk_reserve: self.store.reserve().room().as_str().to_owned(),
            ..HostStatus::default()
        };
        let tally = self.writer.tally();
        host.activity = tally.activity(directory, self.writer.commits());
        host.activity.disk_free_bytes = fs4::available_space(&self.config.home.data).ok();
        for tenant in directory.tenants() {
            host.tenants += 1;
            host.policies += directory.policies(tenant.id).count() as u64;
            let active = directory.tokens(tenant.id).filter(|token| {
                directory
                    .identity(tenant.id, token.identity)
                    .is_some_and(|owner| token.state(owner, context.now) == TokenState::Active)
            });
            host.tokens += active.count() as u64;
            let index = self.index_status(tenant.id, tenant.name.as_str());
            host.memories += index.memories;
            host.indexes.push(index);
        }
        host.jobs = self.job_status(&host);
        host
    }

    /// The state of a tenant's index.
    fn index_status(&self, tenant: TenantId, name: &str) -> IndexStatus {
        let index = self.indexes.of(tenant).status();
        let mut status = IndexStatus {
            tenant: name.to_owned(),
            memories: index.memories,
            terms: index.terms,
            graph: index.graph,
            tail: index.tail,
            ..IndexStatus::default()
        };
        self.embedding_status(tenant, &mut status);
        if let Some((saved_at, bytes)) = Indexes::saved_file(&self.config.home.data, tenant) {
            status.saved_at = Some(saved_at);
            status.saved_bytes = bytes;
        }
        status
    }

    /// Stops the daemon, after the reply has left.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn shutdown(&self, context: Context) -> Result<Done, WireError> {
        let dry_run = context.dry_run;
        let fallback = draft(&context, Action::Manage, Resource::System);
        self.change(fallback, move |txn| {
            let mut access = decide::tenant::require_operator(txn, &context, Action::Manage)?;
            access.audit.decision = Decision::Allow;
            Ok(access.plan(Vec::new(), 1, ()))
        })
        .await?;
        if !dry_run {
            self.stop.notify_one();
        }
        Ok(Done {
            id: std::process::id().to_string(),
            outcome: "stopping".to_owned(),
        })
    }
}
