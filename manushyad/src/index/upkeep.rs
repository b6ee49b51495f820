//! What is done beside searches, by a thread of its own: vectors move from the tail into the
//! graph, a worn graph is replaced, removed slots are given back.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::{RwLockUpgradableReadGuard, RwLockWriteGuard};
use roaring::RoaringBitmap;

use super::state::{Entry, GraphPart, State};
use super::tenant::TenantIndex;
use super::vectors::{Graph, Unit, VectorError};

/// How many vectors are copied out at a time, while searches wait.
const CHUNK: usize = 512;

/// What one call of [`TenantIndex::maintain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Whether removed slots were given back.
    pub compacted: bool,
    /// How many vectors were added to a graph.
    pub added: usize,
    /// Whether there is more to do.
    pub more: bool,
}

/// Vectors on their way into a graph.
struct Batch {
    graph: Arc<Graph>,
    keys: Range<u64>,
    vectors: Vec<Unit>,
    room: usize,
}

impl Batch {
    /// Adds the vectors, shared out among `threads`.
    fn add(&self, threads: usize) -> Result<(), VectorError> {
        let share = self.vectors.len().div_ceil(threads.max(1)).max(1);
        let add = |from: u64, vectors: &[Unit]| -> Result<(), VectorError> {
            let mut keyed = (from..).zip(vectors);
            keyed.try_for_each(|(key, vector)| self.graph.add(key, vector))
        };
        let parts = || {
            (self.keys.start..)
                .step_by(share)
                .zip(self.vectors.chunks(share))
        };
        if self.vectors.len() <= share {
            return add(self.keys.start, &self.vectors);
        }
        std::thread::scope(|scope| {
            let spawn = |(from, vectors)| scope.spawn(move || add(from, vectors));
            let running: Vec<_> = parts().map(spawn).collect();
            let results = running.into_iter().map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            results.fold(Ok(()), Result::and)
        })
    }
}

impl TenantIndex {
    /// Adds up to about `budget` vectors to the graph and compacts if need be. Searches go on; one
    /// vector costs 0.1 to 0.3 ms, a compaction holds up writers for about 1 us a memory.
    ///
    /// # Errors
    ///
    /// [`VectorError::Graph`] if the graph refuses; its vectors stay in the tail, where they are
    /// found.
    pub fn maintain(&self, budget: usize) -> Result<Upkeep, VectorError> {
        let _alone = self.upkeep.lock();
        let mut upkeep = Upkeep {
            compacted: self.compact(),
            ..Upkeep::default()
        };
        while upkeep.added < budget {
            let Some(batch) = self.take_batch()? else {
                break;
            };
            batch.graph.reserve(batch.room)?;
            batch.add(self.options.build_threads)?;
            upkeep.added += batch.vectors.len();
            self.confirm(&batch);
        }
        upkeep.more = self.wants_upkeep(&self.state.read());
        Ok(upkeep)
    }

    pub(super) fn wants_upkeep(&self, state: &State) -> bool {
        let vectors = state.rows.present().len();
        let graph_due = match &state.graph {
            None => vectors >= self.options.graph_threshold,
            Some(part) => {
                vectors < self.options.graph_threshold / 2
                    || part.is_worn()
                    || state.next.is_some()
                    || !state.tail.is_empty()
            }
        };
        graph_due || is_sparse(state)
    }

    /// Gives back removed slots once they are more than a fifth. Searches go on until the end.
    fn compact(&self) -> bool {
        if !is_sparse(&self.state.read()) {
            return false;
        }
        let state = self.state.upgradable_read();
        let fresh = state.compacted();
        let mut state = RwLockUpgradableReadGuard::upgrade(state);
        let old = std::mem::replace(&mut *state, fresh);
        drop(state);
        drop(old);
        true
    }

    /// Chooses the next vectors for the graph that is to have them.
    fn take_batch(&self) -> Result<Option<Batch>, VectorError> {
        let mut state = self.state.write();
        let vectors = state.rows.present().len();
        if vectors < self.options.graph_threshold / 2 && state.graph.is_some() {
            state.next = None;
            let dropped = state.graph.take();
            state.serve(None);
            drop(state);
            drop(dropped);
            return Ok(None);
        }
        if state.graph.is_none() {
            if vectors < self.options.graph_threshold {
                return Ok(None);
            }
            let part = GraphPart::new(Arc::new(Graph::new(self.dims)?));
            state.serve(Some(part));
        }
        if state.next.is_none() && state.graph.as_ref().is_some_and(GraphPart::is_worn) {
            state.next = Some(GraphPart::new(Arc::new(Graph::new(self.dims)?)));
        }
        let mut lacking = lacking(&state);
        if lacking.is_empty() && state.next.is_some() {
            let old = swap(&mut state);
            lacking = state.tail.clone();
            if lacking.is_empty() {
                drop(state);
                drop(old);
                return Ok(None);
            }
        }
        Ok(batch_of(&mut state, &lacking))
    }

    fn confirm(&self, batch: &Batch) {
        let mut state = self.state.write();
        let is_it = |part: &&mut GraphPart| Arc::ptr_eq(&part.graph, &batch.graph);
        if let Some(part) = state.next.as_mut().filter(is_it) {
            part.confirm(batch.keys.clone());
        } else if let Some(part) = state.graph.as_mut().filter(is_it) {
            part.confirm(batch.keys.clone());
            let members = part.members.clone();
            state.tail -= &members;
        }
    }
}

fn is_sparse(state: &State) -> bool {
    state.dead() * 5 > state.slots() && state.dead() > 64
}

/// The slots whose vectors the graph that is to have them lacks.
fn lacking(state: &State) -> RoaringBitmap {
    match &state.next {
        Some(part) => state.rows.present() - &part.members,
        None => state.tail.clone(),
    }
}

/// Lets the new graph, which has everything, take the place of the worn one.
fn swap(state: &mut RwLockWriteGuard<'_, State>) -> Option<GraphPart> {
    let next = state.next.take();
    let old = state.graph.take();
    state.serve(next);
    old
}

fn batch_of(state: &mut State, lacking: &RoaringBitmap) -> Option<Batch> {
    let chosen: Vec<(u32, Unit)> = lacking
        .iter()
        .take(CHUNK)
        .filter_map(|slot| Some((slot, state.vector(slot)?)))
        .collect();
    let expected = state.rows.present().len() as usize;
    let entry = |slot: u32| Entry {
        id: state.ids[slot as usize],
        version: state.versions[slot as usize],
        slot,
    };
    let entries: Vec<Entry> = chosen.iter().map(|&(slot, _)| entry(slot)).collect();
    let part = state.next.as_mut().or(state.graph.as_mut())?;
    let from = part.entries.len() as u64;
    for entry in entries {
        part.expect(entry);
    }
    let to = part.entries.len() as u64;
    if from == to {
        return None;
    }
    // Room grows by steps, so that it is seldom made.
    let step = (expected / 4).max(1024);
    Some(Batch {
        graph: part.graph.clone(),
        keys: from..to,
        vectors: chosen.into_iter().map(|(_, vector)| vector).collect(),
        room: (to as usize).div_ceil(step) * step,
    })
}
