//! Recall: a search whose answer is a block of text for a prompt.

use std::collections::{HashMap, HashSet};

use manushya_core::command::Context;
use manushya_core::model::{Memory, Session};
use manushya_core::recall::block::{self, Entry};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{IdentityId, MemoryId};
use manushya_protocol::limits;
use manushya_protocol::v1::recall::{MemoryRecall, Recalled, RecalledMemory};

use super::search::{Asked, Searching, Seen, check, find};
use super::{Service, page, ranking};
use crate::index::{Neighbour, Visibility};

/// A memory that may have a part in the block.
struct Candidate {
    seen: Seen,
    score: Option<f32>,
    duplicates: u64,
}

/// Which memories stand together in a block: those of one session of one owner, or one alone.
type Passage = (IdentityId, Result<Session, MemoryId>);

fn passage(memory: &Memory) -> Passage {
    let session = memory.content.session.clone();
    (memory.owner, session.ok_or(memory.id))
}

fn within(
    value: Option<u32>,
    default: u32,
    bounds: (u32, u32),
    what: &str,
) -> Result<u32, WireError> {
    let value = value.unwrap_or(default);
    if value < bounds.0 || value > bounds.1 {
        let message = format!("{what} must be {} to {}", bounds.0, bounds.1);
        return Err(WireError::new(ErrorCode::InvalidArgument, message));
    }
    Ok(value)
}

impl Service {
    /// Searches memories and makes a block of text of them, within a budget of tokens.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a question out of bounds, or what the deciding said.
    pub async fn memory_recall(
        &self,
        context: Context,
        request: MemoryRecall,
    ) -> Result<Recalled, WireError> {
        let tokens = (limits::RECALL_TOKENS_MIN, limits::RECALL_TOKENS_MAX);
        let default = limits::RECALL_TOKENS_DEFAULT;
        let budget = within(request.budget, default, tokens, "budget")?;
        let most = limits::RECALL_AROUND_MAX;
        let around = within(request.around, most, (0, most), "around")?;
        let limit = check(&request.query, request.limit, request.min_score)?;
        let ranking = ranking::ranking(&request.ranking, around as usize)?;
        let (question, mode) = self.ask(&context, &request.query, request.mode).await?;
        let asked = Asked {
            query: &request.query,
            mode,
            question: &question,
            limit,
            min_score: request.min_score,
            explain: false,
            ranking,
        };
        self.searching(&context, &request.filter, |searching| {
            let found = find(&searching, &asked)?;
            let semantic = question.completeness(mode, found.behind);
            let mut all: Vec<Candidate> = Vec::new();
            let mut beside = Vec::new();
            for (hit, seen) in found.items {
                beside.push(hit.around);
                all.push(Candidate {
                    seen,
                    score: Some(hit.score),
                    duplicates: u64::from(hit.duplicates),
                });
            }
            let all = with_neighbours(&searching, ranking.visibility, all, &beside)?;
            let recalled = self.block(&searching, all, u64::from(budget))?;
            Ok(Recalled {
                semantic,
                ..recalled
            })
        })
        .await
    }

    fn block(
        &self,
        searching: &Searching<'_>,
        all: Vec<Candidate>,
        budget: u64,
    ) -> Result<Recalled, WireError> {
        let directory = searching.view.directory();
        let places = places(&all);
        let views = all.into_iter().map(|one| RecalledMemory {
            memory: one.seen.shown(directory),
            score: one.score,
            duplicates: one.duplicates,
            cut: false,
        });
        let mut items: Vec<Option<RecalledMemory>> = views.map(Some).collect();
        let entry = |(item, &place): (&RecalledMemory, &(usize, usize))| Entry {
            id: item.memory.id.to_string(),
            time: item.memory.created_at.to_string(),
            author: item.memory.owner.clone(),
            session: item.memory.session.clone(),
            trust: item.memory.trust,
            text: item.memory.text.clone(),
            place,
            found: item.score.is_some(),
        };
        let entries: Vec<Entry> = items.iter().flatten().zip(&places).map(entry).collect();
        let fence = block::mark(&entries, || {
            let mut bytes = [0; 8];
            self.ports.entropy.fill(&mut bytes);
            u64::from_be_bytes(bytes)
        });
        let block = block::block(&entries, budget, &fence);
        let mut shown = Vec::with_capacity(block.entries.len());
        for (number, cut) in block.entries {
            let item = items[number].take();
            shown.extend(item.map(|item| RecalledMemory { cut, ..item }));
        }
        let recalled = Recalled {
            text: block.text,
            tokens: block.tokens,
            budget,
            omitted: (entries.len() - shown.len()) as u64,
            items: shown,
            fence,
            semantic: "complete".to_owned(),
        };
        if page::json_bytes(&recalled) > limits::PAGE_BYTES_MAX {
            return Err(
                WireError::new(ErrorCode::ResourceExhausted, "the block is too large")
                    .reason("its memories take more than a frame holds")
                    .hint("ask for less with --budget, or for fewer with --limit"),
            );
        }
        Ok(recalled)
    }
}

/// The candidates in the order in which they get room: each that was found, and then those next
/// to it; at the end those one further away.
fn with_neighbours(
    searching: &Searching<'_>,
    visibility: Visibility,
    found: Vec<Candidate>,
    beside: &[Vec<Neighbour>],
) -> Result<Vec<Candidate>, WireError> {
    let mut seen: HashSet<MemoryId> = found.iter().map(|one| one.seen.memory.id).collect();
    let mut all = Vec::with_capacity(found.len());
    let mut take = |all: &mut Vec<Candidate>, neighbours: &[Neighbour], distance: u8| {
        for near in neighbours {
            if near.offset.unsigned_abs() != distance || !seen.insert(near.id) {
                continue;
            }
            let seen = searching.read(near.id, near.version, visibility)?;
            all.extend(seen.map(|seen| Candidate {
                seen,
                score: None,
                duplicates: 0,
            }));
        }
        Ok(())
    };
    for (one, neighbours) in found.into_iter().zip(beside) {
        all.push(one);
        take(&mut all, neighbours, 1)?;
    }
    for neighbours in beside {
        take(&mut all, neighbours, 2)?;
    }
    Ok(all)
}

/// Where each candidate stands in the block: passages by their best memory, and within a passage the
/// oldest first.
fn places(all: &[Candidate]) -> Vec<(usize, usize)> {
    let mut passages: HashMap<Passage, usize> = HashMap::new();
    for one in all {
        let next = passages.len();
        passages.entry(passage(&one.seen.memory)).or_insert(next);
    }
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&number| {
        (
            all[number].seen.memory.created_at,
            all[number].seen.memory.id,
        )
    });
    let mut places = vec![(0, 0); all.len()];
    for (age, number) in order.into_iter().enumerate() {
        places[number] = (passages[&passage(&all[number].seen.memory)], age);
    }
    places
}
