//! The index of every tenant: built at the start, changed after each commit, tended beside.
//!
//! All vectors of one index are of one embedder. While a tenant's memories are embedded anew by a
//! slow one, it has two indexes side by side: the one that answers, and the next. When the next has
//! all vectors it takes the place of the other in one step.

mod saved;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use manushya_core::directory::Directory;
use manushya_core::model::{EmbedderTag, Memory};
use manushya_core::plan::Write;
use manushya_protocol::id::{MemoryId, TenantId};
use parking_lot::{Mutex, RwLock};

use crate::config::Config;
use crate::index::{IndexOptions, IndexStatus, Prepared, TenantIndex};
use crate::port::{AnyEmbedder, Embedder};
use crate::store::{Snapshot, Store, StoreError};
use crate::vault::Vault;

/// How many vectors one round of tending adds to a graph.
const TEND_VECTORS: usize = 2048;
/// One memory in so many may lack its vector when the next index takes over: those that the
/// embedder refuses must not hold up all others for ever.
const LACKING_ONE_IN: u64 = 100;

/// One index and what its vectors are of.
#[derive(Clone)]
struct Part {
    index: Arc<TenantIndex>,
    by: AnyEmbedder,
    tag: EmbedderTag,
    /// Whether it is of the embedder of the configuration, whose vectors are to be stored.
    is_target: bool,
    /// Whether questions are compared with its vectors.
    answers: bool,
}

impl Part {
    /// Makes `memory` ready. A vector of another embedder is never taken in: the text is embedded
    /// anew, at once or in its turn.
    fn prepare(&self, memory: &Memory) -> Option<Prepared> {
        let prepared = if memory.embedder == self.tag {
            self.index.prepare(memory)
        } else {
            let vector = match &self.by {
                AnyEmbedder::Instant(embedder) => embedder.embed(&memory.content.text),
                AnyEmbedder::Slow(_) => None,
            };
            let own = Memory {
                vector,
                embedder: self.tag,
                ..memory.clone()
            };
            let prepared = self.index.prepare(&own);
            prepared.map(|it| if self.is_target { it.pending() } else { it })
        };
        match prepared {
            Ok(prepared) => Some(prepared),
            Err(error) => {
                // Vectors are checked before they are stored, so this is a fault of the store.
                tracing::error!(memory_id = %memory.id, %error, "A memory cannot be indexed.");
                None
            }
        }
    }

    fn put(&self, memory: &Memory) {
        match self.prepare(memory) {
            Some(prepared) => self.index.upsert(&prepared),
            None => {
                self.index.remove(memory.id);
            }
        }
    }
}

/// The indexes of one tenant.
#[derive(Clone)]
struct Parts {
    serving: Part,
    next: Option<Part>,
}

impl Parts {
    fn each(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.serving).chain(&self.next)
    }

    /// The one whose vectors are to be stored.
    fn target(&self) -> &Part {
        self.next.as_ref().unwrap_or(&self.serving)
    }
}

/// The index that answers for a tenant, with what embeds questions for it.
pub struct Serving {
    /// The index.
    pub index: Arc<TenantIndex>,
    /// What its vectors are of; none if nothing can embed a question for them, or too few are made.
    pub embedder: Option<AnyEmbedder>,
}

/// How far the embedding of a tenant's memories is.
pub struct Embedded {
    /// What its questions are compared by; none if only by their words.
    pub serving: Option<AnyEmbedder>,
    /// The index of the embedder of the configuration.
    pub target: IndexStatus,
    /// Whether that one is yet to take over.
    pub is_moving: bool,
}

/// Of which embedders the stored vectors of a tenant are.
#[derive(Default)]
struct Census {
    target: u64,
    /// Of each other embedder.
    others: HashMap<EmbedderTag, u64>,
}

impl Census {
    /// The embedder that most others are of, if there are too many to go on without them.
    fn moves_from(&self) -> Option<EmbedderTag> {
        let others: u64 = self.others.values().sum();
        if others * LACKING_ONE_IN <= self.target {
            return None;
        }
        let most = self
            .others
            .iter()
            .max_by_key(|(tag, count)| (**count, tag.0));
        most.map(|(tag, _)| *tag)
    }
}

/// The index of every tenant. One tenant's memories are never in another's index.
pub struct Indexes {
    embedder: AnyEmbedder,
    /// Those that can embed a question without asking anybody.
    built_in: Vec<Arc<dyn Embedder>>,
    tag: EmbedderTag,
    options: IndexOptions,
    tenants: RwLock<HashMap<TenantId, Parts>>,
    /// What was last saved of each tenant: the graph's size and the erasures by then.
    saved: Mutex<HashMap<TenantId, (u64, u64)>>,
}

impl Indexes {
    /// No index yet. All vectors will be of `embedder`; until then, those of one of the `built_in`
    /// may answer.
    pub fn new(config: &Config, embedder: AnyEmbedder, built_in: Vec<Arc<dyn Embedder>>) -> Self {
        let options = IndexOptions {
            graph_threshold: config.graph_threshold as u64,
            weights: config.search.weights,
            feedback: config.search.feedback,
            language: config.search.language,
            ..IndexOptions::default()
        };
        Self {
            tag: embedder.tag(),
            embedder,
            built_in,
            options,
            tenants: RwLock::default(),
            saved: Mutex::default(),
        }
    }

    fn part(&self, by: AnyEmbedder) -> Part {
        let tag = by.tag();
        Part {
            index: Arc::new(TenantIndex::new(by.dims(), self.options)),
            by,
            tag,
            is_target: tag == self.tag,
            answers: true,
        }
    }

    fn parts(&self, tenant: TenantId) -> Parts {
        if let Some(parts) = self.tenants.read().get(&tenant) {
            return parts.clone();
        }
        let mut tenants = self.tenants.write();
        let new = || Parts {
            serving: self.part(self.embedder.clone()),
            next: None,
        };
        tenants.entry(tenant).or_insert_with(new).clone()
    }

    /// The index that answers for a tenant, empty if it has no memories.
    pub fn of(&self, tenant: TenantId) -> Arc<TenantIndex> {
        self.parts(tenant).serving.index
    }

    /// The index that answers for a tenant, with what embeds questions for it. The two belong
    /// together: a question is compared with vectors of the embedder that embedded it.
    pub fn serving(&self, tenant: TenantId) -> Serving {
        let Part {
            index, by, answers, ..
        } = self.parts(tenant).serving;
        Serving {
            index,
            embedder: answers.then_some(by),
        }
    }

    /// Whether a question of this tenant is sent elsewhere to be embedded.
    pub fn asks_others(&self, tenant: TenantId) -> bool {
        let serving = self.parts(tenant).serving;
        serving.answers && serving.by.is_slow()
    }

    /// The index of the embedder of the configuration, whether it answers already or not.
    pub fn target(&self, tenant: TenantId) -> Arc<TenantIndex> {
        self.parts(tenant).target().index.clone()
    }

    /// How far the embedding of a tenant's memories is.
    pub fn embedded(&self, tenant: TenantId) -> Embedded {
        let parts = self.parts(tenant);
        let target = parts.target();
        Embedded {
            target: target.index.status(),
            is_moving: parts.next.is_some() || !target.answers,
            serving: parts.serving.answers.then_some(parts.serving.by),
        }
    }

    /// Builds the indexes from the store, on all cores, and takes in the saved graphs. A graph that
    /// does not open or does not fit is built anew beside the first searches.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    pub fn load(
        &self,
        store: &Store,
        directory: &Directory,
        vault: &Vault,
        data: &Path,
    ) -> Result<(), StoreError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let snapshot = store.snapshot()?;
        let census = Mutex::new(HashMap::<TenantId, Census>::new());
        snapshot.for_each_memory(None, threads, |memory| {
            if memory.deleted_at.is_some() || memory.quarantined {
                return;
            }
            self.parts(memory.tenant).serving.put(&memory);
            if self.embedder.is_slow() {
                let mut census = census.lock();
                let census = census.entry(memory.tenant).or_default();
                if memory.embedder == self.tag {
                    census.target += 1;
                } else if memory.embedder != EmbedderTag::default() {
                    *census.others.entry(memory.embedder).or_default() += 1;
                }
            }
        })?;
        for (tenant, census) in census.into_inner() {
            if let Some(from) = census.moves_from() {
                self.move_beside(&snapshot, tenant, from, threads)?;
            }
        }
        for tenant in directory.tenants() {
            let path = saved::path(data, tenant.id);
            let part = self.parts(tenant.id).serving;
            match saved::load(&path, vault, &part.index, part.tag) {
                Ok(Some(vectors)) => tracing::info!(vectors, "Loaded a saved graph."),
                Ok(None) => {}
                Err(reason) => {
                    tracing::warn!(reason, "A saved graph is not used; it is built anew.");
                    let _ = std::fs::remove_file(path);
                }
            }
        }
        Ok(())
    }

    /// Lets the embedder that a tenant's vectors were of go on answering, if it is built in; if it is
    /// not, words alone answer until enough vectors are made.
    fn move_beside(
        &self,
        snapshot: &Snapshot,
        tenant: TenantId,
        from: EmbedderTag,
        threads: usize,
    ) -> Result<(), StoreError> {
        let next = self.parts(tenant).serving;
        let of_old = |it: &&Arc<dyn Embedder>| EmbedderTag::of(it.name()) == from;
        let parts = match self.built_in.iter().find(of_old) {
            Some(old) => {
                let serving = self.part(AnyEmbedder::Instant(old.clone()));
                snapshot.for_each_memory(Some(tenant), threads, |memory| {
                    if memory.deleted_at.is_none() && !memory.quarantined {
                        serving.put(&memory);
                    }
                })?;
                Parts {
                    serving,
                    next: Some(next),
                }
            }
            None => Parts {
                serving: Part {
                    answers: false,
                    ..next
                },
                next: None,
            },
        };
        let memories = parts.serving.index.len();
        tracing::info!(memories, "Embedding the memories of a tenant anew.");
        self.tenants.write().insert(tenant, parts);
        Ok(())
    }

    /// Lets the next index of a tenant answer if it has all vectors but the `failed` ones, and those
    /// are few. Whether it took over.
    pub fn cut_over(&self, tenant: TenantId, failed: u64) -> bool {
        let mut tenants = self.tenants.write();
        let Some(parts) = tenants.get_mut(&tenant) else {
            return false;
        };
        let target = parts.target();
        let status = target.index.status();
        let few = failed * LACKING_ONE_IN <= status.memories.saturating_sub(status.pending);
        if status.pending > failed || !few || (target.answers && parts.next.is_none()) {
            return false;
        }
        let old = std::mem::replace(
            parts,
            Parts {
                serving: Part {
                    answers: true,
                    ..target.clone()
                },
                next: None,
            },
        );
        self.saved.lock().remove(&tenant);
        drop(tenants);
        // Freeing a large index takes a while, which nobody has to wait for.
        drop(old);
        true
    }

    /// Brings committed writes into the indexes, in their order.
    pub fn apply(&self, writes: &[Write]) {
        let mut forgotten: HashMap<TenantId, Vec<MemoryId>> = HashMap::new();
        for write in writes {
            match write {
                Write::PutMemory { memory, .. } => {
                    self.parts(memory.tenant)
                        .each()
                        .for_each(|part| part.put(memory));
                }
                Write::EraseMemory(tenant, id) => {
                    // Taken out at once, so that what a later write of this batch puts in stays.
                    for part in self.parts(*tenant).each() {
                        part.index.remove(*id);
                    }
                    forgotten.entry(*tenant).or_default().push(*id);
                }
                Write::EraseTenant(tenant) => {
                    self.tenants.write().remove(tenant);
                    self.saved.lock().remove(tenant);
                }
                _ => {}
            }
        }
        for (tenant, ids) in forgotten {
            for part in self.parts(tenant).each() {
                part.index.forget(&ids);
            }
        }
    }

    /// Takes what is erased out of the indexes, before its keys are destroyed.
    pub fn forget(&self, writes: &[Write]) {
        let erasing =
            |write: &&Write| matches!(write, Write::EraseMemory(..) | Write::EraseTenant(_));
        let erasures: Vec<Write> = writes.iter().filter(erasing).cloned().collect();
        self.apply(&erasures);
    }

    fn all(&self) -> Vec<(TenantId, Parts)> {
        let tenants = self.tenants.read();
        tenants.iter().map(|(id, it)| (*id, it.clone())).collect()
    }

    /// Tends every index; returns whether there is more to do.
    pub fn tend(&self) -> bool {
        let mut more = false;
        for (_, parts) in self.all() {
            for part in parts.each() {
                match part.index.maintain(TEND_VECTORS) {
                    Ok(upkeep) => more |= upkeep.more,
                    Err(error) => tracing::warn!(%error, "An index could not be tended."),
                }
            }
        }
        more
    }

    /// Saves every graph that answers and has changed, sealed; returns how many bytes were written.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn save(&self, vault: &Vault, data: &Path) -> io::Result<u64> {
        let mut bytes = 0;
        for (tenant, Parts { serving, .. }) in self.all() {
            let state = (serving.index.status().graph, serving.index.erasures());
            if self.saved.lock().get(&tenant) == Some(&state) {
                continue;
            }
            let path = saved::path(data, tenant);
            bytes += saved::save(&path, vault, &serving.index, serving.tag)?;
            self.saved.lock().insert(tenant, state);
        }
        Ok(bytes)
    }

    /// The memories in a tenant's index with their versions.
    pub fn ids(&self, tenant: TenantId) -> Vec<(MemoryId, u32)> {
        self.of(tenant).ids()
    }
}
