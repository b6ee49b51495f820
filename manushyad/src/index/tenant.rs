//! The index of one tenant as others use it: one lock, held briefly.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use manushya_core::model::Memory;
use manushya_core::recall::fuse::Weights;
use manushya_core::recall::language::Language;
use manushya_core::recall::tokens::{self, Terms};
use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::UnixMillis;
use parking_lot::{Mutex, RwLock};

use super::decide;
use super::permit::{AttributeFilter, Permit, Rule, Visibility};
use super::prepared::Prepared;
use super::report::{self, Selection, Stats};
use super::search::{self, Scratch, SearchOutcome, SearchRequest};
use super::snapshot::{GraphSnapshot, Head, SnapshotError};
use super::state::{DEAD, Entry, GraphPart, State};
use super::vectors::{Graph, VectorError, VectorIndex};

/// When the index does what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexOptions {
    /// From how many vectors on a graph is kept. Below, all are compared one by one.
    pub graph_threshold: u64,
    /// Up to how many candidates are compared one by one although there is a graph.
    pub scan_max: u64,
    /// How many threads build the graph.
    pub build_threads: usize,
    /// How much words and vectors count.
    pub weights: Weights,
    /// Whether the best answers have a part in the question.
    pub feedback: bool,
    /// The language that words are stemmed in.
    pub language: Language,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            graph_threshold: 10_000,
            scan_max: 5_000,
            // Half the machine: the other half answers questions meanwhile.
            build_threads: std::thread::available_parallelism()
                .map_or(1, |threads| (threads.get() / 2).clamp(1, 8)),
            weights: Weights::default(),
            feedback: true,
            language: Language::default(),
        }
    }
}

/// What the index holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexStatus {
    /// Memories, expired ones that were not removed yet included.
    pub memories: u64,
    /// Distinct terms.
    pub terms: u64,
    /// Memories with a vector.
    pub vectors: u64,
    /// Vectors that the graph serves.
    pub graph: u64,
    /// Vectors that are compared one by one.
    pub tail: u64,
    /// Memories that are yet to be embedded.
    pub pending: u64,
    /// Whether [`TenantIndex::maintain`] has something to do.
    pub wants_upkeep: bool,
}

/// The index of one tenant. Searches run side by side; a change holds them up for microseconds.
pub struct TenantIndex {
    pub(super) dims: usize,
    pub(super) options: IndexOptions,
    pub(super) state: RwLock<State>,
    /// Held by the one thread that maintains the graph, or saves or loads it.
    pub(super) upkeep: Mutex<()>,
    pub(super) scratch: Scratch,
    erasures: AtomicU64,
}

impl TenantIndex {
    /// An empty index for vectors of `dims` numbers.
    pub fn new(dims: usize, options: IndexOptions) -> Self {
        Self {
            dims,
            options,
            state: RwLock::new(State::new(dims)),
            upkeep: Mutex::new(()),
            scratch: Scratch::default(),
            erasures: AtomicU64::new(0),
        }
    }

    /// How many numbers a vector has.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Makes a memory ready to be put in, outside of any lock.
    ///
    /// # Errors
    ///
    /// [`VectorError`] if its vector is not of [`Self::dims`] finite numbers, or all zero.
    pub fn prepare(&self, memory: &Memory) -> Result<Prepared, VectorError> {
        Prepared::from_memory(memory, self.dims, self.options.language)
    }

    /// The terms of a question, as those of memories are taken.
    pub fn terms(&self, query: &str) -> Terms {
        tokens::terms(query, self.options.language)
    }

    /// Puts a memory in, in the place of any other version of it; takes it out if it is deleted.
    /// Searches that start afterwards see it.
    pub fn upsert(&self, prepared: &Prepared) {
        self.state.write().upsert(prepared);
    }

    /// Puts many memories in at once, for a start or a batch; searches wait for all of them.
    pub fn upsert_all<'a>(&self, prepared: impl IntoIterator<Item = &'a Prepared>) {
        let mut state = self.state.write();
        prepared
            .into_iter()
            .for_each(|prepared| state.upsert(prepared));
    }

    /// Takes a memory out that may come back. Whether it was there. Searches that start afterwards
    /// do not see it; its vector may stay in the bytes of the graph until that is rebuilt.
    pub fn remove(&self, id: MemoryId) -> bool {
        self.state.write().remove(id)
    }

    /// The memories that are there only to be noticed when they are read, in no order.
    pub fn canaries(&self) -> Vec<MemoryId> {
        let state = self.state.read();
        let canaries = state.attributes.canaries.iter();
        canaries.map(|slot| state.ids[slot as usize]).collect()
    }

    /// Takes memories out for good: no vector of any version of theirs stays in RAM, nor in any
    /// later snapshot. A graph that had one is dropped, and [`Self::maintain`] builds another.
    pub fn forget(&self, ids: &[MemoryId]) {
        let erased: HashSet<MemoryId> = ids.iter().copied().collect();
        let mut state = self.state.write();
        for &id in ids {
            state.remove(id);
        }
        let dropped = state.drop_graphs_of(&erased);
        self.erasures.fetch_add(1, Ordering::SeqCst);
        drop(state);
        // Freeing a large graph takes a while, which nobody has to wait for.
        drop(dropped);
    }

    /// How often [`Self::forget`] was called.
    pub fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::SeqCst)
    }

    /// How many memories there are, expired ones that were not removed yet included.
    pub fn len(&self) -> usize {
        self.state.read().by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the memory is in the index.
    pub fn contains(&self, id: MemoryId) -> bool {
        self.state.read().by_id.contains_key(&id)
    }

    /// All memories with their versions, by id, to compare with the store.
    pub fn ids(&self) -> Vec<(MemoryId, u32)> {
        let state = self.state.read();
        let version = |(&id, &slot): (&MemoryId, &u32)| (id, state.versions[slot as usize]);
        state.by_id.iter().map(version).collect()
    }

    /// How many memories are yet to be embedded.
    pub fn pending_len(&self) -> u64 {
        self.state.read().pending.len()
    }

    /// Up to `limit` memories that are yet to be embedded, with their versions, those that waited
    /// longest first, but for those to `skip`.
    pub fn pending(
        &self,
        limit: usize,
        mut skip: impl FnMut(MemoryId) -> bool,
    ) -> Vec<(MemoryId, u32)> {
        let state = self.state.read();
        let slots = state.pending.iter().map(|slot| slot as usize);
        let waiting = slots.map(|at| (state.ids[at], state.versions[at]));
        waiting.filter(|&(id, _)| !skip(id)).take(limit).collect()
    }

    /// Whether the memory is yet to be embedded.
    pub fn is_pending(&self, id: MemoryId) -> bool {
        let state = self.state.read();
        let slot = state.by_id.get(&id);
        slot.is_some_and(|&slot| state.pending.contains(slot))
    }

    /// What the index holds.
    pub fn status(&self) -> IndexStatus {
        let state = self.state.read();
        IndexStatus {
            memories: state.by_id.len() as u64,
            terms: state.postings.len() as u64,
            vectors: state.rows.len() as u64,
            graph: state.graph.as_ref().map_or(0, |part| part.members.len()),
            tail: state.tail.len(),
            pending: state.pending.len(),
            wants_upkeep: self.wants_upkeep(&state),
        }
    }

    /// Answers a question. Decisions of the request run under the index's shared lock: they must
    /// not call the index.
    ///
    /// # Errors
    ///
    /// [`VectorError`] if the question's vector is not of the index's dimensions, not finite, or
    /// zero.
    pub fn search(&self, request: SearchRequest<'_, '_, '_>) -> Result<SearchOutcome, VectorError> {
        search::search(&self.state.read(), &self.options, &self.scratch, request)
    }

    /// Counts the memories that are meant and that the caller may see at `now`.
    pub fn stats(
        &self,
        mut permit: Permit<'_>,
        filter: &AttributeFilter,
        rule: Option<&mut Rule<'_>>,
        now: UnixMillis,
    ) -> Stats {
        let state = self.state.read();
        let permitted = decide::permitted(&state, &mut permit, now.0, Visibility::All);
        let slots = search::candidates(&state, filter, rule, &permitted, now);
        report::stats(&state, slots.as_ref())
    }

    /// Lists the memories that are meant and that the caller may see at `now`: at most `limit`, by
    /// id, from the first after `after` on.
    pub fn select(
        &self,
        mut permit: Permit<'_>,
        filter: &AttributeFilter,
        rule: Option<&mut Rule<'_>>,
        now: UnixMillis,
        after: Option<MemoryId>,
        limit: usize,
    ) -> Selection {
        let state = self.state.read();
        let permitted = decide::permitted(&state, &mut permit, now.0, Visibility::All);
        let slots = search::candidates(&state, filter, rule, &permitted, now);
        report::select(&state, slots.as_ref(), after, limit)
    }

    /// The graph as bytes; `None` if there is none or it was dropped meanwhile. Searches go on.
    ///
    /// # Errors
    ///
    /// [`VectorError::Graph`] if there is no memory for it.
    pub fn graph_snapshot(&self) -> Result<Option<GraphSnapshot>, VectorError> {
        let _alone = self.upkeep.lock();
        let (head, graph, erasures) = {
            let state = self.state.read();
            let Some(part) = &state.graph else {
                return Ok(None);
            };
            (Head::of(part), part.graph.clone(), self.erasures())
        };
        let saved = graph.save()?;
        let bytes = head.encode(self.dims, &saved);
        Ok((self.erasures() == erasures).then_some(GraphSnapshot { bytes, erasures }))
    }

    /// Takes in the graph of a snapshot, once the memories are in. What the snapshot has of other
    /// versions or removed memories is not served; what it lacks stays in the tail. Answers how
    /// many vectors the graph serves.
    ///
    /// `bytes` must be authentic: usearch crashes on some that are not.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if the bytes are not a snapshot of such a graph; the index is as before.
    pub fn load_graph(&self, bytes: &[u8]) -> Result<u64, SnapshotError> {
        let _alone = self.upkeep.lock();
        let (head, graph) = Head::decode(bytes, self.dims)?;
        let graph = Graph::load(self.dims, graph)?;
        if graph.len() as u64 > head.keys {
            return Err(SnapshotError::Malformed(
                "its graph has more vectors than keys",
            ));
        }
        let mut part = GraphPart::new(Arc::new(graph));
        part.has_unknown = (head.entries.len() as u64) < head.keys;
        let mut state = self.state.write();
        let mut entries = head.entries.iter().peekable();
        for key in 0..head.keys {
            let entry = match entries.next_if(|entry| entry.0 == key) {
                Some(&(_, id, version)) => {
                    let slot = state.by_id.get(&id).copied().filter(|&slot| {
                        state.versions[slot as usize] == version
                            && state.rows.present().contains(slot)
                    });
                    let slot = slot.unwrap_or(DEAD);
                    Entry { id, version, slot }
                }
                None => Entry {
                    id: MemoryId::from_bytes([0; 16]),
                    version: 0,
                    slot: DEAD,
                },
            };
            part.expect(entry);
        }
        part.confirm(0..head.keys);
        let served = part.members.len();
        state.serve(Some(part));
        Ok(served)
    }
}
