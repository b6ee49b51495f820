//! A disk that is full: what would add to the store is refused, with an entry, for which there is room.

use manushya_core::model::{Action, AuditActor, AuditDraft, Outcome};
use manushya_protocol::error::{ErrorCode, WireError};

use super::{Thread, Writer};
use crate::os::Room;
use crate::store::StoreError;

impl Writer {
    /// Refuses what adds to the store while only the kept room is left. What erases, ends or reads goes
    /// on: that is what makes room.
    pub(super) async fn check_room(&self, draft: &AuditDraft) -> Result<(), WireError> {
        let adds = matches!(
            draft.action,
            Action::Create | Action::Update | Action::Restore
        );
        let refused = self.reserve.room() == Room::Given
            && adds
            && !matches!(draft.actor, AuditActor::Daemon);
        if !refused {
            return Ok(());
        }
        let error = WireError::new(
            ErrorCode::ResourceExhausted,
            "nothing was done: the disk is full",
        )
        .reason("what is left is kept for the audit log and a clean stop")
        .hint("make room on the disk, or erase what may go: manushyactl purge plan");
        let mut entry = draft.clone();
        entry.outcome = Outcome::Error(error.code);
        entry.count = 0;
        let written = self.observe(entry)?;
        self.fate(written).await?;
        Err(error)
    }
}

impl Thread {
    /// Brings the copy of the erasure ledger up to date.
    pub(super) fn note_ledger(&self) -> Result<(), StoreError> {
        let mut ledger = self.ledger.lock();
        match ledger.catch_up(&self.store) {
            Err(StoreError::Full(_)) if self.store.reserve().give() => ledger.catch_up(&self.store),
            done => done,
        }
    }
}
