//! Search: the policies are part of the question, so that k results are k permitted ones; and the
//! audit entry is on its way to the disk while the answer is looked up.

use std::cell::RefCell;

use manushya_core::command::Context;
use manushya_core::decide::access::Access;
use manushya_core::directory::Directory;
use manushya_core::model::{Action, Decision, Memory, Resource};
use manushya_core::policy::Mask;
use manushya_core::recall::fuse::Mode;
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::MemoryId;
use manushya_protocol::limits;
use manushya_protocol::v1::memory::{
    MemoryFilter, MemorySearch, MemoryView, SearchHit, SearchMode, SearchResults,
};

use super::embedding::Question;
use super::permit::{Choice, Permission};
use super::view::ReadView;
use super::{Service, convert, page, ranking, unreadable};
use crate::config::AuditReads;
use crate::index::{Hit, IMPORTANCE, Left, Ranking, SearchRequest, Visibility};

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

/// A question and what shall count.
pub(super) struct Asked<'a> {
    pub query: &'a str,
    pub mode: Mode,
    pub question: &'a Question,
    pub limit: usize,
    pub min_score: Option<f32>,
    pub explain: bool,
    pub ranking: Ranking,
}

/// A memory that was read, and what of it is masked.
pub(super) struct Seen {
    pub memory: Memory,
    pub mask: Mask,
}

impl Seen {
    /// As shown to the caller.
    pub fn shown(self, directory: &Directory) -> MemoryView {
        convert::memory(directory, self.memory, &self.mask)
    }
}

/// What was found, read from the snapshot.
#[derive(Default)]
pub(super) struct Found {
    pub items: Vec<(Hit, Seen)>,
    pub left: Option<Left>,
    /// How many of the memories it could be found among have no vector yet.
    pub behind: u64,
}

/// One search under way: what it reads and what it may find.
pub(super) struct Searching<'a> {
    pub view: &'a ReadView,
    pub context: &'a Context,
    pub choice: &'a Choice,
    pub permission: &'a Permission,
    /// Those that were read and are there only to be noticed when they are.
    canaries: &'a RefCell<Vec<MemoryId>>,
}

/// Checks what the types do not.
pub(super) fn check(query: &str, limit: Option<u32>, min: Option<f32>) -> Result<usize, WireError> {
    let invalid = |message: String| WireError::new(ErrorCode::InvalidArgument, message);
    if query.trim().is_empty() {
        return Err(invalid("the query is empty".to_owned()));
    }
    if query.len() > limits::QUERY_BYTES_MAX {
        let bytes = query.len();
        let limit = limits::QUERY_BYTES_MAX;
        return Err(invalid(format!(
            "the query is {bytes} bytes; the limit is {limit}"
        )));
    }
    let limit = limit.unwrap_or(limits::SEARCH_LIMIT_DEFAULT);
    if limit == 0 || limit > limits::SEARCH_LIMIT_MAX {
        return Err(invalid(format!(
            "limit must be 1 to {}",
            limits::SEARCH_LIMIT_MAX
        )));
    }
    if min.is_some_and(|score| !(0.0..=1.0).contains(&score)) {
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
        let limit = check(&request.query, request.limit, request.min_score)?;
        let ranking = ranking::ranking(&request.ranking, 0)?;
        let (question, mode) = self.ask(&context, &request.query, request.mode).await?;
        let asked = Asked {
            query: &request.query,
            mode,
            question: &question,
            limit,
            min_score: request.min_score,
            explain: request.explain,
            ranking,
        };
        self.searching(&context, &request.filter, |searching| {
            let found = find(&searching, &asked)?;
            let items = show(searching.view.directory(), found.items)?;
            Ok(SearchResults {
                total: items.len() as u64,
                items,
                next: None,
                semantic: question.completeness(mode, found.behind),
                left: found.left.map(ranking::left),
            })
        })
        .await
    }

    /// Embeds a question, if vectors count, and says what counts: words alone if it has no vector.
    ///
    /// # Errors
    ///
    /// What the deciding said, if the question would be sent elsewhere to be embedded.
    pub(super) async fn ask(
        &self,
        context: &Context,
        query: &str,
        wanted: SearchMode,
    ) -> Result<(Question, Mode), WireError> {
        let mode = mode(wanted);
        let tenant = context.actor.identity.tenant;
        if mode.uses_vectors() && self.indexes.asks_others(tenant) {
            // What may not be searched for is not sent anywhere either.
            self.may_search(context).await?;
        }
        // No snapshot is held meanwhile.
        let question = self.question(tenant, query, mode.uses_vectors()).await;
        let mode = if question.lexical_only {
            Mode::Lexical
        } else {
            mode
        };
        Ok((question, mode))
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

    /// Decides whether the caller may search at all, sends the audit entry on its way, and runs
    /// `look_up` meanwhile.
    pub(super) async fn searching<R>(
        &self,
        context: &Context,
        filter: &MemoryFilter,
        look_up: impl FnOnce(Searching<'_>) -> Result<R, WireError>,
    ) -> Result<R, WireError> {
        let view = self.view()?;
        let begun = {
            let directory = view.directory();
            Access::begin(directory, context, Action::Search, Resource::Memory).map(|access| {
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
        let choice = Choice::of(directory, context, filter)?;
        let permission = Permission::new(directory, context, Action::Search);
        audit.policy = permission.deciding_policy();
        // How many were found is known to the caller alone: the entry says that it searched.
        audit.count = 0;
        let written = self.writer.observe(audit)?;
        let canaries = RefCell::default();
        let results = look_up(Searching {
            view: &view,
            context,
            choice: &choice,
            permission: &permission,
            canaries: &canaries,
        });
        let canaries = canaries.into_inner();
        drop(view);
        if self.config.audit_reads == AuditReads::Durable {
            self.writer.fate(written).await?;
        }
        let results = results?;
        self.alarm(context, Action::Search, canaries).await?;
        Ok(results)
    }
}

/// Asks the index, and reads what it found.
pub(super) fn find(searching: &Searching<'_>, asked: &Asked<'_>) -> Result<Found, WireError> {
    let terms = asked.question.serving.index.terms(asked.query);
    let Searching {
        context, choice, ..
    } = searching;
    let mut ranking = asked.ranking;
    // What may be masked must not show in an order, nor in the parts of a score.
    ranking.boost.importance &= !searching.permission.may_hide(IMPORTANCE);
    let found = searching.permission.with_permit(choice, |permit, rule| {
        asked.question.serving.index.search(SearchRequest {
            terms: &terms,
            vector: asked.question.vector.as_deref(),
            mode: asked.mode,
            limit: asked.limit + SPARE_HITS,
            filter: &choice.attributes,
            permit,
            rule,
            now: context.now,
            min_score: asked.min_score,
            explain: asked.explain,
            ranking,
        })
    });
    let outcome = found.transpose().map_err(|error| {
        WireError::new(ErrorCode::Internal, "the index failed").reason(error.to_string())
    })?;
    let Some(outcome) = outcome else {
        return Ok(Found::default());
    };
    let mut found = Found {
        items: Vec::with_capacity(outcome.hits.len()),
        left: outcome.left,
        behind: outcome.behind,
    };
    for hit in outcome.hits {
        if found.items.len() == asked.limit {
            // One of the spare ones, that were not needed.
            found.left.iter_mut().for_each(|left| left.limit += 1);
            continue;
        }
        let visibility = asked.ranking.visibility;
        if let Some(seen) = searching.read(hit.id, hit.version, visibility)? {
            found.items.push((hit, seen));
        }
    }
    Ok(found)
}

impl Searching<'_> {
    /// Reads a memory that the index named. It is looked at once more as it is in the store: it must
    /// be live, of the version that was found, permitted and meant. What is searched as of a moment
    /// is shown as it was then, if that may be seen, too.
    pub fn read(
        &self,
        id: MemoryId,
        version: u32,
        visibility: Visibility,
    ) -> Result<Option<Seen>, WireError> {
        let now = self.context.now;
        let tenant = self.context.actor.identity.tenant;
        let found = self
            .view
            .snapshot
            .memory(tenant, id)
            .map_err(|error| unreadable(&error))?;
        let may = |memory: &Memory| {
            self.permission.admits(memory, now) && self.permission.means(self.choice, memory, now)
        };
        let Some(memory) = found.filter(|memory| {
            memory.version == version
                && memory.is_live(now)
                && ranking::holds(memory, visibility)
                && may(memory)
        }) else {
            return Ok(None);
        };
        if memory.canary {
            self.canaries.borrow_mut().push(memory.id);
        }
        let mut mask = self.permission.mask(&memory, now);
        let Visibility::AsOf(at) = visibility else {
            return Ok(Some(Seen { memory, mask }));
        };
        // What is masked now is masked in what it was, and the other way round.
        let then = ranking::version_at(self.view, memory, at)?;
        mask.join(self.permission.mask(&then, now));
        Ok(may(&then).then_some(Seen { memory: then, mask }))
    }
}

/// The results as shown, if they fit into an answer.
fn show(directory: &Directory, found: Vec<(Hit, Seen)>) -> Result<Vec<SearchHit>, WireError> {
    let mut items = Vec::with_capacity(found.len());
    let mut bytes = 0;
    for (hit, seen) in found {
        let shown = SearchHit {
            score: hit.score,
            memory: seen.shown(directory),
            duplicates: u64::from(hit.duplicates),
            explain: hit.parts.map(ranking::parts),
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
