//! What counts beside the question: checked, and what became of the versions of a memory.

use manushya_core::model::Memory;
use manushya_core::recall::rank::Boost;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::memory::ScoreParts;
use manushya_protocol::v1::memory::TermScore;
use manushya_protocol::v1::recall::{LeftOut, Ranking as Wanted, SearchLeft};

use super::unreadable;
use super::view::ReadView;
use crate::index::{Collapse, Left, Parts, Ranking, Reason, Visibility};

/// Checks and takes what shall count.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for what is out of bounds or contradicts itself.
pub fn ranking(wanted: &Wanted, around: usize) -> Result<Ranking, WireError> {
    let invalid = |message: &str| Err(WireError::new(ErrorCode::InvalidArgument, message));
    if wanted.half_life_seconds == Some(0) {
        return invalid("the half-life must be at least one second");
    }
    if wanted
        .diversify
        .is_some_and(|share| !(0.0..=1.0).contains(&share))
    {
        return invalid("diversify must be 0 to 1");
    }
    if wanted
        .collapse
        .is_some_and(|least| !(least > 0.0 && least <= 1.0))
    {
        return invalid("collapse must be above 0, to 1");
    }
    if wanted.collapse.is_some() && wanted.duplicates {
        return invalid("collapse and duplicates contradict each other");
    }
    if wanted.as_of.is_some() && wanted.superseded {
        return invalid("as_of and superseded contradict each other");
    }
    Ok(Ranking {
        boost: Boost {
            half_life_seconds: wanted.half_life_seconds,
            trust: wanted.trust,
            importance: wanted.importance,
        },
        diversify: wanted.diversify,
        collapse: match wanted.collapse {
            Some(least) => Collapse::Cosine(least),
            None if wanted.duplicates => Collapse::None,
            None => Collapse::Words,
        },
        visibility: match wanted.as_of {
            Some(at) => Visibility::AsOf(at),
            None if wanted.superseded => Visibility::All,
            None => Visibility::Current,
        },
        around,
    })
}

/// Whether `memory` is part of what is searched.
pub fn holds(memory: &Memory, visibility: Visibility) -> bool {
    match visibility {
        Visibility::Current => memory.superseded.is_none(),
        Visibility::All => true,
        Visibility::AsOf(at) => {
            memory.created_at <= at && memory.superseded.is_none_or(|past| past.at > at)
        }
    }
}

/// The version of `memory` that was current at `at`: the last one that was written by then, or, if
/// all were written later, the first, which says what had been noted then.
///
/// # Errors
///
/// If the store cannot be read.
pub fn version_at(view: &ReadView, memory: Memory, at: UnixMillis) -> Result<Memory, WireError> {
    if memory.version == 1 || memory.updated_at <= at {
        return Ok(memory);
    }
    let (tenant, id) = (memory.tenant, memory.id);
    let mut versions = view
        .snapshot
        .versions(tenant, id)
        .map_err(|error| unreadable(&error))?;
    versions.sort_unstable();
    versions.retain(|&version| version < memory.version);
    let read = |version: u32| {
        let found = view.snapshot.memory_version(tenant, id, version);
        found.map_err(|error| unreadable(&error))
    };
    let (mut from, mut to) = (0, versions.len());
    let mut known = None;
    while from < to {
        let middle = from.midpoint(to);
        let Some(version) = read(versions[middle])? else {
            to = middle;
            continue;
        };
        if version.updated_at <= at || middle == 0 {
            known = Some(version);
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    Ok(known.unwrap_or(memory))
}

/// The parts of a score, as shown.
pub fn parts(parts: Parts) -> ScoreParts {
    ScoreParts {
        bm25: parts.turn.own.bm25,
        lexical: parts.fused.lexical,
        cosine: parts.cosine,
        drawn: parts.turn.own.cosine,
        semantic: parts.fused.semantic,
        lexical_weight: parts.weights.lexical,
        semantic_weight: parts.weights.semantic,
        windows: parts.turn.windows.to_vec(),
        lent: parts.turn.lent,
        recency: parts.factors.recency,
        trust: parts.factors.trust,
        importance: parts.factors.importance,
        sameness: parts.sameness,
        terms: parts
            .terms
            .into_iter()
            .map(|part| TermScore {
                term: part.term,
                score: part.score,
            })
            .collect(),
    }
}

/// Why others left, as shown.
pub fn left(left: Left) -> SearchLeft {
    let nearest = left.nearest.into_iter().map(|out| {
        let (reason, of) = match out.reason {
            Reason::Floor => ("floor", None),
            Reason::Duplicate(of) => ("duplicate", Some(of)),
            Reason::Limit => ("limit", None),
        };
        LeftOut {
            id: out.id,
            score: out.score,
            reason: reason.to_owned(),
            of,
        }
    });
    SearchLeft {
        searchable: left.searchable,
        filter: left.filter,
        unlike: left.unlike,
        floor: left.floor,
        duplicate: left.duplicate,
        limit: left.limit,
        policy: "what policies forbid is neither counted nor told".to_owned(),
        nearest: nearest.collect(),
    }
}
