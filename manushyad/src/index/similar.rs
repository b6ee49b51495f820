//! Memories whose vector is nearly that of a new text.

use std::fmt;

use manushya_core::recall::fuse::Mode;
use manushya_core::recall::tokens::Terms;
use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::UnixMillis;

use super::decide;
use super::lexical::Question;
use super::permit::{AttributeFilter, Permit, Visibility};
use super::ranking::Ranking;
use super::search::{Search, candidates};
use super::tenant::TenantIndex;
use super::top::{Scored, Top};
use super::vectors::{Unit, VectorError};

/// A memory that says nearly the same as a text.
#[derive(Clone, Copy, PartialEq)]
pub struct Alike {
    /// The memory.
    pub id: MemoryId,
    /// The version that was found.
    pub version: u32,
    /// The cosine of the two vectors.
    pub cosine: f32,
}

impl fmt::Debug for Alike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alike({} {:.3})", self.id, self.cosine)
    }
}

impl TenantIndex {
    /// The memories that may be seen, are meant and not superseded, whose vector has at least the
    /// cosine `least` to `vector`: the nearest first, at most `count`.
    ///
    /// # Errors
    ///
    /// [`VectorError`] if `vector` is none of this index.
    pub fn alike(
        &self,
        vector: &[f32],
        mut permit: Permit<'_>,
        filter: &AttributeFilter,
        now: UnixMillis,
        least: f32,
        count: usize,
    ) -> Result<Vec<Alike>, VectorError> {
        let vector = Unit::new(vector)?;
        vector.check_dims(self.dims)?;
        let state = self.state.read();
        let permitted = decide::permitted(&state, &mut permit, now.0, Visibility::Current);
        let candidates = candidates(&state, filter, None, &permitted, now);
        let search = Search {
            state: &state,
            options: &self.options,
            scratch: &self.scratch,
            question: Question::new(&state, &Terms::default(), &permitted),
            vector: None,
            asked: None,
            mode: Mode::Semantic,
            limit: count.max(1),
            min_score: 0.0,
            permitted: &permitted,
            candidates: candidates.as_ref(),
            ranking: Ranking::default(),
            now,
        };
        let near = match &state.graph {
            Some(graph) if search.count() > self.options.scan_max => {
                search.nearest(&vector, graph, search.wanted(), &search.mask())
            }
            _ => None,
        };
        let slots = near.unwrap_or_else(|| {
            let all = search.candidates.unwrap_or(&state.live);
            all.iter().collect()
        });
        let mut top = Top::new(search.limit, least);
        for slot in slots {
            let score = state.rows.cosine(&vector, slot);
            let id = state.ids[slot as usize];
            top.show(Scored { score, id, slot });
        }
        let alike = top.finish().into_iter().map(|scored| Alike {
            id: scored.id,
            version: state.versions[scored.slot as usize],
            cosine: scored.score,
        });
        Ok(alike.collect())
    }
}
