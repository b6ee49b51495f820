//! Embedding beside everything else: by an embedder that takes its time, and by another one after
//! the configuration has changed.
//!
//! What is not embedded yet is what has no vector of the configuration's embedder in its record: so
//! the queue is as durable as the memories, and nothing has to be kept in step with them. The index
//! knows which those are. Only what cannot be derived is here: whether the embedder can be had, and
//! what failed.

mod trouble;

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use manushya_core::command::{Context, StoreEmbeddings};
use manushya_core::decide;
use manushya_core::decide::access::draft;
use manushya_core::model::{Action, EmbedderTag, Embedding, Resource};
use manushya_core::recall::fuse::Mode;
use manushya_protocol::error::WireError;
use manushya_protocol::id::{MemoryId, TenantId};
use manushya_protocol::v1::embedding::{EmbedderView, MemoryReembed, ReembedView};
use manushya_protocol::v1::system::{Check, IndexStatus, Verdict};
use tokio::sync::watch;

pub use self::trouble::Trouble;
use super::indexes::Serving;
use super::{Service, unreadable};
use crate::index::TenantIndex;
use crate::port::{AnyEmbedder, EmbedError};

/// How long a question waits for its vector. Then its words alone answer.
const QUESTION_PATIENCE: Duration = Duration::from_secs(3);
/// How many texts an embedder that needs microseconds is given at once.
const INSTANT_BATCH: usize = 256;
/// How many failures one answer lists.
const FAILURES_SHOWN: usize = 100;
/// How often a stop is looked for while an embedder works.
const LOOK_FOR_STOP: Duration = Duration::from_millis(50);

/// A question, ready to be compared.
pub struct Question {
    /// Where it is to be looked up, with the vector for that index.
    pub serving: Serving,
    /// Its vector, if it has one.
    pub vector: Option<Vec<f32>>,
    /// Whether there would be a vector, but for the embedder.
    pub lexical_only: bool,
}

impl Question {
    /// What an answer says of its completeness: `behind` of the memories it could be found among
    /// have no vector yet.
    pub(super) fn completeness(&self, mode: Mode, behind: u64) -> String {
        match &self.serving.embedder {
            _ if self.lexical_only => "lexical only".to_owned(),
            // What is embedded at once is never behind: what has no vector has no meaning to it.
            Some(AnyEmbedder::Slow(_)) if mode.uses_vectors() => self::behind(behind),
            _ => self::behind(0),
        }
    }
}

/// What one step of embedding came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There may be more to do at once.
    More,
    /// There is nothing to do before this long.
    Rest(Duration),
}

/// What made vectors, as it is shown.
pub(super) fn shown(embedder: &AnyEmbedder) -> EmbedderView {
    let parts = embedder.parts();
    EmbedderView {
        provider: parts.provider,
        model: parts.model,
        dimensions: embedder.dims() as u64,
        revision: parts.revision,
    }
}

impl Service {
    /// The vector of a text with the embedder it is of: at once, or none where that takes time.
    pub(super) fn embed(&self, text: &str) -> Embedding {
        match &self.ports.embedder {
            AnyEmbedder::Instant(embedder) => Embedding {
                by: EmbedderTag::of(embedder.name()),
                vector: embedder.embed(text),
            },
            AnyEmbedder::Slow(_) => Embedding::default(),
        }
    }

    /// Embeds a question for the index that answers the tenant. It waits for a slow embedder only
    /// for a while, and not at all for one that failed just now.
    pub(super) async fn question(
        &self,
        tenant: TenantId,
        text: &str,
        uses_vectors: bool,
    ) -> Question {
        let serving = self.indexes.serving(tenant);
        let (vector, lexical_only) = match &serving.embedder {
            _ if !uses_vectors => (None, false),
            None => (None, true),
            Some(AnyEmbedder::Instant(embedder)) => (embedder.embed(text), false),
            Some(AnyEmbedder::Slow(_)) => {
                let vector = self.slow_question(&serving, text).await;
                let is_missing = vector.is_none();
                (vector, is_missing)
            }
        };
        Question {
            serving,
            vector,
            lexical_only,
        }
    }

    async fn slow_question(&self, serving: &Serving, text: &str) -> Option<Vec<f32>> {
        let Some(AnyEmbedder::Slow(embedder)) = serving.embedder.clone() else {
            return None;
        };
        if !self.trouble.takes_questions(self.ports.clock.now()) {
            return None;
        }
        let text = text.to_owned();
        let trouble = self.trouble.clone();
        let clock = self.ports.clock.clone();
        let asking = async move {
            // Bounded, so that questions to a slow embedder do not take all threads there are.
            let _turn = trouble.turn().await?;
            // What is found out is noted even if nobody waits for it any more.
            let noted = trouble.clone();
            let answer = tokio::task::spawn_blocking(move || {
                match embedder.embed_question(&text, QUESTION_PATIENCE) {
                    Ok(vector) => {
                        noted.is_well();
                        Some(vector)
                    }
                    Err(error) => {
                        if noted.met_by_question(&error, clock.now()) {
                            tracing::warn!(%error, "The embedder cannot be had for questions.");
                        }
                        None
                    }
                }
            });
            answer.await.ok()?
        };
        tokio::time::timeout(QUESTION_PATIENCE, asking).await.ok()?
    }

    /// Embeds some of the memories that wait for it, and stores their vectors.
    pub fn embed_some(&self, stop: &watch::Receiver<bool>) -> Step {
        let rest = Step::Rest(Duration::from_millis(200));
        let now = self.ports.clock.now();
        if let Some(pause) = self.trouble.pause(now) {
            return Step::Rest(pause.min(Duration::from_millis(200)));
        }
        let directory = self.writer.published().directory.clone();
        let mut step = rest;
        for tenant in directory.tenants() {
            let index = self.indexes.target(tenant.id);
            if index.pending_len() == 0 {
                self.settle(tenant.id, &index);
                continue;
            }
            let chosen = self.choose(tenant.id, &index);
            if chosen.is_empty() {
                self.settle(tenant.id, &index);
                continue;
            }
            if *stop.borrow() {
                return rest;
            }
            let Some(operator) = directory.identity(tenant.id, tenant.operator) else {
                continue;
            };
            let context = self.daemon_context(operator);
            match self.embed_batch(context, &chosen, stop) {
                Ok(()) => step = Step::More,
                Err(error) => {
                    tracing::warn!(%error, "Embedded memories could not be stored.");
                    return rest;
                }
            }
        }
        step
    }

    /// Lets the next index of a tenant answer if nothing is left to wait for.
    fn settle(&self, tenant: TenantId, index: &TenantIndex) {
        let failed = self.trouble.failed(tenant, |id| index.is_pending(id));
        if self.indexes.cut_over(tenant, failed) {
            tracing::info!(
                failed,
                "The memories of a tenant are embedded; their vectors answer."
            );
        }
    }

    /// The memories to embed next: what failed before goes alone, so that it fails nobody else.
    fn choose(&self, tenant: TenantId, index: &TenantIndex) -> Vec<(MemoryId, u32)> {
        let now = self.ports.clock.now();
        let most = match &self.ports.embedder {
            AnyEmbedder::Instant(_) => INSTANT_BATCH,
            AnyEmbedder::Slow(embedder) => self.trouble.batch(embedder.batch()),
        };
        if let Some(due) = self.trouble.due(tenant, now) {
            let alone = index.pending(1, |id| id != due);
            if !alone.is_empty() {
                return alone;
            }
        }
        index.pending(most, |id| self.trouble.knows(tenant, id))
    }

    fn embed_batch(
        &self,
        context: Context,
        chosen: &[(MemoryId, u32)],
        stop: &watch::Receiver<bool>,
    ) -> Result<(), WireError> {
        let tenant = context.actor.identity.tenant;
        let (mut ids, mut texts) = (Vec::new(), Vec::new());
        {
            let snapshot = self.store.snapshot().map_err(|error| unreadable(&error))?;
            for &(id, version) in chosen {
                let found = snapshot.memory(tenant, id);
                let found = found.map_err(|error| unreadable(&error))?;
                // What has changed since is in the index again, or soon gone from it.
                if let Some(memory) = found.filter(|memory| memory.version == version) {
                    ids.push((id, version));
                    texts.push(memory.content.text);
                }
            }
        }
        if texts.is_empty() {
            std::thread::sleep(Duration::from_millis(10));
            return Ok(());
        }
        let vectors = match self.vectors_of(texts, stop) {
            Some(Ok(vectors)) => vectors,
            Some(Err(error)) => {
                self.failed(tenant, &ids, &error);
                return Ok(());
            }
            None => return Ok(()),
        };
        self.trouble.served(tenant, &ids);
        let by = self.ports.embedder.tag();
        let items = ids.into_iter().zip(vectors);
        let items = items.map(|((id, version), vector)| (id, version, Embedding { by, vector }));
        let command = StoreEmbeddings {
            items: items.collect(),
        };
        let fallback = draft(&context, Action::Manage, Resource::Memory);
        let fate = self.writer.submit(fallback, move |txn| {
            decide::embedding::store(txn, &context, command)
        })?;
        // The index has them by the time of the answer; without one the daemon stops.
        match fate.blocking_recv() {
            Ok(fate) => fate.map(drop),
            Err(_) => Ok(()),
        }
    }

    /// The vectors of `texts`; `None` if the daemon stops meanwhile.
    fn vectors_of(
        &self,
        texts: Vec<String>,
        stop: &watch::Receiver<bool>,
    ) -> Option<Result<Vec<Option<Vec<f32>>>, EmbedError>> {
        let embedder = match &self.ports.embedder {
            AnyEmbedder::Instant(embedder) => {
                return Some(Ok(texts.iter().map(|text| embedder.embed(text)).collect()));
            }
            AnyEmbedder::Slow(embedder) => embedder.clone(),
        };
        // On a thread of its own that holds nothing of the service, so that a stop need not wait for
        // an embedder.
        let (sender, receiver) = channel();
        let work = move || {
            let _ = sender.send(embedder.embed_texts(&texts));
        };
        let spawned = std::thread::Builder::new()
            .name("embedding".to_owned())
            .spawn(work);
        if let Err(error) = spawned {
            let reason = format!("no thread can be started: {error}");
            return Some(Err(EmbedError::Unavailable {
                reason,
                retry_after: None,
            }));
        }
        loop {
            match receiver.recv_timeout(LOOK_FOR_STOP) {
                Ok(result) => {
                    let some = |vectors: Vec<Vec<f32>>| vectors.into_iter().map(Some).collect();
                    return Some(result.map(some));
                }
                Err(RecvTimeoutError::Timeout) if *stop.borrow() => return None,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // It panicked, which the log tells of; these texts may be why.
                    return Some(Err(EmbedError::Refused {
                        reason: "the embedder failed at this text".to_owned(),
                    }));
                }
            }
        }
    }

    fn failed(&self, tenant: TenantId, ids: &[(MemoryId, u32)], error: &EmbedError) {
        let now = self.ports.clock.now();
        match (error, ids) {
            (EmbedError::Refused { reason }, [(id, _)]) => {
                let attempts = self.trouble.refused(tenant, *id, reason, now);
                tracing::warn!(memory_id = %id, attempts, reason, "A memory was not embedded.");
            }
            (EmbedError::Refused { reason }, _) => {
                tracing::debug!(reason, "Embedding a smaller batch, to find what fails.");
                self.trouble.halve(ids.len());
            }
            (EmbedError::Unavailable { reason, .. }, _) => {
                if self.trouble.met(error, now) {
                    tracing::warn!(reason, "The embedder cannot be had; it is tried again.");
                }
            }
        }
    }

    /// Fills in how far the embedding of a tenant's memories is.
    pub(super) fn embedding_status(&self, tenant: TenantId, status: &mut IndexStatus) {
        let embedded = self.indexes.embedded(tenant);
        let target = self.indexes.target(tenant);
        status.pending = embedded.target.pending;
        status.failed = self.trouble.failed(tenant, |id| target.is_pending(id));
        status.embedder = embedded.serving.as_ref().map(shown);
        status.next = embedded.is_moving.then(|| shown(&self.ports.embedder));
        status.semantic = match &embedded.serving {
            None => "lexical only".to_owned(),
            Some(AnyEmbedder::Slow(_)) if self.trouble.reason().is_some() => {
                "lexical only".to_owned()
            }
            Some(AnyEmbedder::Slow(_)) => behind(status.pending),
            Some(AnyEmbedder::Instant(_)) => behind(0),
        };
    }

    /// Whether the memories of each tenant are embedded.
    pub(super) fn check_embedding(&self) -> Vec<Check> {
        let directory = self.writer.published().directory.clone();
        let one = |tenant: &manushya_core::model::Tenant| {
            let view = self.reembed_view(tenant.id);
            let reason = view.reason.clone().or_else(|| self.trouble.reason());
            let evidence = match (&reason, view.failures.first()) {
                (Some(reason), _) => format!("{} wait: {reason}", view.pending),
                (None, Some(first)) => format!(
                    "{} were not embedded; {}: {}",
                    view.failed, first.id, first.reason
                ),
                (None, None) => format!("{} of {} embedded", view.embedded, view.memories),
            };
            let is_well = reason.is_none() && view.failed == 0;
            Check {
                id: format!("embedding.{}", tenant.name),
                verdict: if is_well {
                    Verdict::Ok
                } else {
                    Verdict::Warning
                },
                evidence,
                fix: (!is_well)
                    .then(|| "look at the embedder, then: manushyactl memory reembed".to_owned()),
            }
        };
        directory.tenants().map(|tenant| one(tenant)).collect()
    }

    /// Says how far the embedding of the tenant's memories is; tries again what failed, if told to.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn memory_reembed(
        &self,
        context: Context,
        request: MemoryReembed,
    ) -> Result<ReembedView, WireError> {
        let decided = {
            let view = self.view()?;
            decide::embedding::oversee(&view, &context, request.retry)
        };
        match decided {
            Ok(plan) if request.retry || !request.follow => self.note_read(plan.audit).await?,
            Ok(_) => {}
            Err(refusal) => {
                self.audit_durably(*refusal.audit).await?;
                return Err(refusal.error);
            }
        }
        let tenant = context.actor.identity.tenant;
        if request.retry && !context.dry_run {
            self.trouble.forgive(tenant);
        }
        Ok(self.reembed_view(tenant))
    }

    fn reembed_view(&self, tenant: TenantId) -> ReembedView {
        let embedded = self.indexes.embedded(tenant);
        let index = self.indexes.target(tenant);
        let failed = self.trouble.failed(tenant, |id| index.is_pending(id));
        let (memories, pending) = (embedded.target.memories, embedded.target.pending);
        let outage = self.trouble.outage();
        let state = match &outage {
            _ if pending == 0 && !embedded.is_moving => "complete",
            Some(_) => "waiting",
            None if pending > 0 && pending <= failed => "failing",
            None => "embedding",
        };
        ReembedView {
            state: state.to_owned(),
            embedder: shown(&self.ports.embedder),
            serving: embedded.serving.as_ref().map(shown),
            memories,
            embedded: memories.saturating_sub(pending),
            pending,
            failed,
            reason: outage.as_ref().map(|(reason, _)| reason.clone()),
            retry_at: outage.map(|(_, at)| at),
            failures: self.trouble.failures(tenant, FAILURES_SHOWN),
        }
    }
}

/// How an answer says that so many memories have no vector yet.
pub(super) fn behind(memories: u64) -> String {
    match memories {
        0 => "complete".to_owned(),
        _ => format!("behind by {memories}"),
    }
}
