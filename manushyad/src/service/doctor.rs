//! Checking the daemon's side: files, keys, store, index, audit log, clock, disk.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::model::{Action, Decision, Memory};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::MemoryId;
use manushya_protocol::v1::system::{Check, Diagnosis, Verdict};

use parking_lot::Mutex;

use super::writer::chain;
use super::{Service, unreadable};
use crate::os::Room;

/// Below this many free bytes the disk counts as nearly full.
const FREE_BYTES_MIN: u64 = 256 << 20;

pub(super) fn check(id: &str, verdict: Verdict, evidence: String, fix: Option<&str>) -> Check {
    let fix = fix.filter(|_| verdict != Verdict::Ok).map(str::to_owned);
    Check {
        id: id.to_owned(),
        verdict,
        evidence,
        fix,
    }
}

impl Service {
    /// Checks everything the daemon can see of itself.
    ///
    /// # Errors
    ///
    /// What the deciding said, or `INTERNAL` if the checks themselves failed.
    pub async fn doctor(
        self: std::sync::Arc<Self>,
        context: Context,
    ) -> Result<Diagnosis, WireError> {
        self.read(&context, |view, context| {
            let mut access = decide::tenant::require_operator(view, context, Action::Read)?;
            access.audit.decision = Decision::Allow;
            Ok(access.plan(Vec::new(), 1, ()))
        })
        .await?;
        let service = self.clone();
        let checks = tokio::task::spawn_blocking(move || service.checks());
        let checks = checks.await.map_err(|_| {
            WireError::new(ErrorCode::Internal, "the checks failed")
                .hint("look at the daemon's log")
        })?;
        Ok(Diagnosis { checks })
    }

    fn checks(&self) -> Vec<Check> {
        let mut checks = vec![
            self.check_permissions(),
            self.check_recovery_key(),
            check_memory(),
            self.check_store(),
            self.check_disk(),
            self.check_reserve(),
            self.check_queue(),
        ];
        checks.extend(self.check_log());
        checks.extend(self.check_indexes());
        checks.extend(self.check_embedding());
        checks
    }

    fn check_permissions(&self) -> Check {
        let mut open = Vec::new();
        open_to_others(&self.config.home.data, &mut open);
        let evidence = match open.first() {
            None => "all files are for their owner only".to_owned(),
            Some(path) => format!("{} files are open to others, first {path}", open.len()),
        };
        let verdict = if open.is_empty() {
            Verdict::Ok
        } else {
            Verdict::Failure
        };
        check(
            "files.permissions",
            verdict,
            evidence,
            Some("chmod -R go= on the data folder"),
        )
    }

    fn check_recovery_key(&self) -> Check {
        let id = "keys.recovery";
        if self.vault.recovery_key_present() {
            let evidence = "the recovery key lies on this machine, beside what it recovers";
            let fix = "move keys/recovery.age-key out of the data folder to a safe place offline, or \
                       make another: manushyactl key recovery new";
            return check(id, Verdict::Warning, evidence.to_owned(), Some(fix));
        }
        match self.vault.recovery_recipient() {
            None => check(
                id,
                Verdict::Warning,
                "there is no recovery key: without the identity nothing can be read again"
                    .to_owned(),
                Some("manushyactl key recovery new"),
            ),
            Some(_) => check(
                id,
                Verdict::Ok,
                "the recovery key is kept elsewhere".to_owned(),
                None,
            ),
        }
    }

    fn check_store(&self) -> Check {
        let id = "store.integrity";
        match self.store.verify() {
            Ok(report) if report.is_good() => {
                let evidence = format!(
                    "{} memories and {} earlier versions open, and all tables agree",
                    report.memories, report.versions
                );
                check(id, Verdict::Ok, evidence, None)
            }
            Ok(report) => {
                let first = report.findings.first().map_or("", String::as_str);
                let evidence = format!("{} findings, first: {first}", report.findings_total);
                check(id, Verdict::Failure, evidence, Some("restore a backup"))
            }
            Err(error) => check(
                id,
                Verdict::Failure,
                chain(&error),
                Some("restore a backup"),
            ),
        }
    }

    /// Whether the index of each tenant holds exactly what the store holds and can be searched.
    fn check_indexes(&self) -> Vec<Check> {
        let directory = self.writer.published().directory.clone();
        let one = |tenant: &manushya_core::model::Tenant| {
            let id = format!("index.{}", tenant.name);
            // A write may be between the store and the index; it is there on the second look.
            for attempt in 0..20 {
                match self.index_difference(tenant.id) {
                    Ok((memories, None)) => {
                        let evidence = format!("{memories} memories, the same as in the store");
                        return check(&id, Verdict::Ok, evidence, None);
                    }
                    Ok((_, Some(difference))) if attempt == 19 => {
                        let fix = "manushyactl down; manushyactl up (the index is rebuilt)";
                        return check(&id, Verdict::Failure, difference, Some(fix));
                    }
                    Ok(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
                    Err(error) => {
                        return check(&id, Verdict::Failure, error.to_string(), None);
                    }
                }
            }
            check(&id, Verdict::Ok, String::new(), None)
        };
        directory.tenants().map(|tenant| one(tenant)).collect()
    }

    fn index_difference(
        &self,
        tenant: manushya_protocol::id::TenantId,
    ) -> Result<(usize, Option<String>), WireError> {
        let indexed: BTreeSet<(MemoryId, u32)> = self.indexes.ids(tenant).into_iter().collect();
        let snapshot = self.store.snapshot().map_err(|error| unreadable(&error))?;
        let live = Mutex::new(BTreeSet::new());
        let visit = |memory: Memory| {
            if memory.deleted_at.is_none() && !memory.quarantined {
                live.lock().insert((memory.id, memory.version));
            }
        };
        snapshot
            .for_each_memory(Some(tenant), 2, visit)
            .map_err(|error| unreadable(&error))?;
        let stored = live.into_inner();
        if indexed == stored {
            return Ok((stored.len(), None));
        }
        let missing = stored.difference(&indexed).count();
        let extra = indexed.difference(&stored).count();
        Ok((
            stored.len(),
            Some(format!(
                "{missing} are missing from the index, {extra} are stale"
            )),
        ))
    }

    fn check_disk(&self) -> Check {
        let id = "disk.space";
        match fs4::available_space(&self.config.home.data) {
            Ok(bytes) => {
                let evidence = format!("{} MiB free", bytes >> 20);
                let verdict = if bytes < FREE_BYTES_MIN {
                    Verdict::Warning
                } else {
                    Verdict::Ok
                };
                check(
                    id,
                    verdict,
                    evidence,
                    Some("make room: a full disk stops every change"),
                )
            }
            Err(error) => check(id, Verdict::Warning, error.to_string(), None),
        }
    }

    /// The room that is kept for when the disk is full.
    fn check_reserve(&self) -> Check {
        let reserve = self.store.reserve();
        let mib = reserve.bytes() >> 20;
        let (verdict, evidence) = match reserve.room() {
            Room::Held => (Verdict::Ok, format!("{mib} MiB are kept for a full disk")),
            Room::Off => (Verdict::Ok, "none is kept for a full disk".to_owned()),
            Room::Given => {
                let told = "the disk was full, and what was kept was given";
                (Verdict::Failure, told.to_owned())
            }
            Room::Missing => (
                Verdict::Warning,
                format!("there is no room to keep {mib} MiB"),
            ),
        };
        let fix = "make room on the disk; it is taken again within seconds";
        check("disk.reserve", verdict, evidence, Some(fix))
    }

    fn check_queue(&self) -> Check {
        let evidence = format!("{} commands wait", self.writer.queued());
        let verdict = if self.writer.has_failed() {
            Verdict::Failure
        } else {
            Verdict::Ok
        };
        check(
            "writer",
            verdict,
            evidence,
            Some("look at the daemon's log"),
        )
    }
}

/// Whether what is in RAM can get onto a disk.
fn check_memory() -> Check {
    let id = "memory.locked";
    match crate::os::memory_unlocked() {
        None => {
            let evidence = "memory is never swapped, and not dumped".to_owned();
            check(id, Verdict::Ok, evidence, None)
        }
        Some(reason) if !has_swap() => {
            let evidence =
                format!("{reason}; there is no swap on this machine, and nothing is dumped");
            check(id, Verdict::Ok, evidence, None)
        }
        Some(reason) => {
            let fix =
                "LimitMEMLOCK=infinity (or ulimit -l unlimited), or turn swap off or encrypt it";
            let evidence = format!("keys and texts may get into swap: {reason}");
            check(id, Verdict::Warning, evidence, Some(fix))
        }
    }
}

/// Whether this machine swaps to anything, as far as can be seen.
fn has_swap() -> bool {
    let swaps = std::fs::read_to_string("/proc/swaps");
    swaps.is_ok_and(|text| text.lines().count() > 1)
}

/// Collects the files below `folder` that others may read or write.
fn open_to_others(folder: &Path, open: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        open.push(folder.display().to_string());
        return;
    };
    for entry in entries.flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.mode() & 0o077 != 0 {
            open.push(entry.path().display().to_string());
        }
        if metadata.is_dir() {
            open_to_others(&entry.path(), open);
        }
    }
}
