//! Audit entries as they come, for a live view.

use std::time::Duration;

use manushya_core::audit::canonical;
use manushya_core::command::Context;
use manushya_core::view::View as _;
use manushya_protocol::error::WireError;
use manushya_protocol::limits;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::AuditList;
use manushya_protocol::v1::live::{Events, EventsSeen};

use super::audit::{Filter, begin, show};
use super::view::ReadView;
use super::{Service, unreadable};

/// How many entries one answer looks at, the newest: a follower that is further behind jumps.
const SCAN_ENTRIES: u64 = 4096;
/// How many bytes of entries one answer looks at.
const SCAN_BYTES: usize = 4 << 20;

impl Service {
    /// Waits for what happens next. Like a tail of the log it is audited when it starts and when it is
    /// denied, or each answer would wake every follower. It looks at the end of the log only.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn events(&self, context: Context, request: Events) -> Result<EventsSeen, WireError> {
        let limit = request
            .limit
            .unwrap_or(limits::PAGE_LIMIT_DEFAULT)
            .clamp(1, limits::PAGE_LIMIT_MAX) as usize;
        let wait = Duration::from_millis(request.wait_ms.min(limits::WAIT_MS_MAX));
        {
            let view = self.view()?;
            if let Err(refusal) = begin(&view, &context) {
                self.audit_durably(*refusal.audit).await?;
                return Err(refusal.error);
            }
        }
        let Some(after) = request.after else {
            self.read(&context, |view, context| {
                Ok(begin(view, context)?.plan(Vec::new(), 0, ()))
            })
            .await?;
            let view = self.view()?;
            return newest(&view, &context, AuditSeq(0), limit);
        };
        let mut size = self.writer.audit_size();
        // Whether time ran out is seen in the log.
        let _ = tokio::time::timeout(wait, size.wait_for(|size| *size > after.0)).await;
        newest(&self.view()?, &context, after, limit)
    }
}

/// The newest entries after `after` that the caller may see.
fn newest(
    view: &ReadView,
    context: &Context,
    after: AuditSeq,
    limit: usize,
) -> Result<EventsSeen, WireError> {
    let broken = |error| unreadable(&error);
    let end = view.snapshot.audit_len().map_err(broken)?;
    let first = (after.0 + 1).max(end.saturating_sub(SCAN_ENTRIES) + 1);
    let everything = AuditList::default();
    let filter = Filter::new(view.directory(), context, &everything);
    let rows = view
        .snapshot
        .audit(AuditSeq(first), SCAN_BYTES, SCAN_ENTRIES as usize)
        .map_err(broken)?;
    let mut seen = EventsSeen {
        after: rows.last().map_or(after, |(seq, _)| *seq).max(after),
        skipped: first - 1 - after.0.min(first - 1),
        ..EventsSeen::default()
    };
    let mut bytes_left = limits::PAGE_BYTES_MAX;
    for (_, bytes) in rows.iter().rev() {
        let Ok(entry) = canonical::decode(bytes) else {
            continue;
        };
        if !filter.admits(&entry) {
            continue;
        }
        // As JSON an entry is a few times as long as its bytes.
        let cost = bytes.len() * 4 + 512;
        if seen.items.len() == limit || bytes_left < cost {
            seen.skipped += 1;
            bytes_left = 0;
            continue;
        }
        bytes_left -= cost;
        seen.items.push(show(view.directory(), &entry, bytes));
    }
    seen.items.reverse();
    if after.0 == 0 {
        // Who has seen nothing yet has missed nothing.
        seen.skipped = 0;
    }
    Ok(seen)
}
