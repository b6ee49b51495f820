//! Search: the policies are part of the question, so that k results are k permitted ones; and the
//! audit entry is on its way to the disk while the answer is looked up.

use manushya_core::command::Context;
use manushya_core::decide::access::Access;
use manushya_core::model::{Action, Decision, Resource};
use manushya_core::recall::fuse::Mode;
use manushya_core::recall::tokens;
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;
use manushya_protocol::v1::memory::{
    MemorySearch, ScoreParts, SearchHit, SearchMode, SearchResults, TermScore,
};

use super::embedding::Question;
use super::permit::{Choice, Permission};
use super::view::ReadView;
use super::{Service, convert, page, unreadable};
use crate::config::AuditReads;
use crate::index::{Hit, Parts, SearchRequest};

/// How many more results the index is asked for, to make up for those that were deleted between the
/// index and the snapshot.
const SPARE_HITS: usize = 2;

fn mode(mode: SearchMode) -> Mode {
    match mode {
        SearchMode::Hybrid => Mode::Hybrid,
        SearchMode::Lexical => Mode::Lexical,
        SearchMode::Semantic => Mode::Semantic,
    }
}

/// Checks what the types do not.
fn check(request: &MemorySearch) -> Result<usize, WireError> {
    let invalid = |message: String| WireError::new(ErrorCode::InvalidArgument, message);
    if request.query.trim().is_empty() {
        return Err(invalid("the query is empty".to_owned()));
    }
    if request.query.len() > limits::QUERY_BYTES_MAX {
        let bytes = request.query.len();
        let limit = limits::QUERY_BYTES_MAX;
        return Err(invalid(format!(
            "the query is {bytes} bytes; the limit is {limit}"
        )));
    }
    let limit = request.limit.unwrap_or(limits::SEARCH_LIMIT_DEFAULT);
    if limit == 0 || limit > limits::SEARCH_LIMIT_MAX {
        return Err(invalid(format!(
            "limit must be 1 to {}",
            limits::SEARCH_LIMIT_MAX
        )));
    }
    if request
        .min_score
        .is_some_and(|score| !(0.0..=1.0).contains(&score))
    {
        return Err(invalid("min_score must be 0 to 1".to_owned()));
    }
    Ok(limit as usize)
}

impl Service {
    /// Searches memories.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a question out of bounds, or what the deciding said.
    pub async fn memory_search(
        &self,
        context: Context,
        request: MemorySearch,
    ) -> Result<SearchResults, WireError> {
        let limit = check(&request)?;
        let mut mode = mode(request.mode);
        let tenant = context.actor.identity.tenant;
        if mode.uses_vectors() && self.indexes.asks_others(tenant) {
            // What may not be searched for is not sent anywhere either.
            self.may_search(&context).await?;
        }
        // No snapshot is held meanwhile.
        let question = self
            .question(tenant, &request.query, mode.uses_vectors())
            .await;
        if question.lexical_only {
            mode = Mode::Lexical;
        }
        let view = self.view()?;
        let begun = {
            let directory = view.directory();
            Access::begin(directory, &context, Action::Search, Resource::Memory).map(|access| {
                let mut audit = access.audit;
                // A search is allowed as such; what may be found is decided for each memory.
                audit.decision = Decision::Allow;
                audit
            })
        };
        let mut audit = match begun {
            Ok(audit) => audit,
            Err(refusal) => {
                drop(view);
                self.audit_durably(*refusal.audit).await?;
                return Err(refusal.error);
            }
        };
        let directory = view.directory();
        let choice = Choice::of(directory, &context, &request.filter)?;
        let permission = Permission::new(directory, &context, Action::Search);
        audit.policy = permission.deciding_policy();
        // How many were found is known to the caller alone: the entry says that it searched.
        audit.count = 0;
        let written = self.writer.observe(audit)?;
        let asked = Asked {
            request: &request,
            question: &question,
            mode,
            limit,
        };
        let results = look_up(&view, &context, &asked, &choice, &permission);
        drop(view);
        if self.config.audit_reads == AuditReads::Durable {
            self.writer.fate(written).await?;
        }
        results
    }

    /// Checks that the caller may search at all.
    async fn may_search(&self, context: &Context) -> Result<(), WireError> {
        let refusal = {
            let view = self.view()?;
            match Access::begin(view.directory(), context, Action::Search, Resource::Memory) {
                Ok(_) => return Ok(()),
                Err(refusal) => refusal,
            }
        };
        self.audit_durably(*refusal.audit).await?;
        Err(refusal.error)
    }
}

/// What is asked for.
struct Asked<'a> {
    request: &'a MemorySearch,
    question: &'a Question,
    mode: Mode,
    limit: usize,
}

fn look_up(
    view: &ReadView,
    context: &Context,
    asked: &Asked<'_>,
    choice: &Choice,
    permission: &Permission,
) -> Result<SearchResults, WireError> {
    let Asked {
        request,
        question,
        mode,
        limit,
    } = *asked;
    let terms = tokens::terms(&request.query);
    let found = permission.with_permit(choice, |permit, rule| {
        question.serving.index.search(SearchRequest {
            terms: &terms,
            vector: question.vector.as_deref(),
            mode,
            limit: limit + SPARE_HITS,
            filter: &choice.attributes,
            permit,
            rule,
            now: context.now,
            min_score: request.min_score,
            explain: request.explain,
        })
    });
    let outcome = found.transpose().map_err(|error| {
        WireError::new(ErrorCode::Internal, "the index failed").reason(error.to_string())
    })?;
    let outcome = outcome.unwrap_or_default();
    let items = show(view, context, choice, permission, outcome.hits, limit)?;
    Ok(SearchResults {
        total: items.len() as u64,
        items,
        next: None,
        semantic: question.completeness(mode, outcome.behind),
    })
}

/// Reads the memories that were found. Each is looked at once more as it is in the store: it must be
/// live, of the version that was found, permitted and meant.
fn show(
    view: &ReadView,
    context: &Context,
    choice: &Choice,
    permission: &Permission,
    hits: Vec<Hit>,
    limit: usize,
) -> Result<Vec<SearchHit>, WireError> {
    let directory = view.directory();
    let tenant = context.actor.identity.tenant;
    let mut items = Vec::with_capacity(hits.len().min(limit));
    let mut bytes = 0;
    for hit in hits {
        if items.len() == limit {
            break;
        }
        let found = view
            .snapshot
            .memory(tenant, hit.id)
            .map_err(|error| unreadable(&error))?;
        let Some(memory) = found.filter(|memory| {
            memory.version == hit.version
                && memory.is_live(context.now)
                && permission.admits(memory, context.now)
                && choice.matches(memory, context.now)
        }) else {
            continue;
        };
        let shown = SearchHit {
            score: hit.score,
            memory: convert::memory(directory, memory),
            explain: hit.parts.map(explain),
        };
        bytes += page::json_bytes(&shown);
        if bytes > limits::PAGE_BYTES_MAX && !items.is_empty() {
            return Err(
                WireError::new(ErrorCode::ResourceExhausted, "the answer is too large")
                    .reason(format!(
                        "{} memories take more than a frame holds",
                        items.len() + 1
                    ))
                    .hint("ask for fewer with --limit"),
            );
        }
        items.push(shown);
    }
    Ok(items)
}

fn explain(parts: Parts) -> ScoreParts {
    ScoreParts {
        bm25: parts.turn.own.bm25,
        lexical: parts.fused.lexical,
        cosine: parts.turn.own.cosine,
        semantic: parts.fused.semantic,
        lexical_weight: parts.weights.lexical,
        semantic_weight: parts.weights.semantic,
        windows: parts.turn.windows.to_vec(),
        lent: parts.turn.lent,
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
