//! Looking for survivors of an erasure: in the store, the index, the keys, the files, and in old
//! copies of files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use manushya_core::audit::Receipt;
use manushya_core::command::Context;
use manushya_core::decide::access::Access;
use manushya_core::model::{Action, PurgeReceipt, Resource};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::erasure::{PurgeVerified, PurgeVerify};
use manushya_protocol::v1::system::{Check, Verdict};

use super::receipt::{Erased, Known, erased_under, files_below};
use super::writer::chain;
use super::{Service, unreadable};
use crate::port::Cipher;
use crate::store::{ErasedKind, tags_hash, try_old};
use manushya_protocol::id::TenantId;

/// The longest old key file that is tried, in bytes.
const OLD_KEYS_BYTES_MAX: u64 = 512 << 20;
/// How many files of an old copy are tried.
const OLD_FILES_MAX: usize = 10_000;

fn check(id: &str, good: bool, evidence: String, fix: &str) -> Check {
    Check {
        id: id.to_owned(),
        verdict: if good { Verdict::Ok } else { Verdict::Failure },
        evidence,
        fix: (!good).then(|| fix.to_owned()),
    }
}

impl Service {
    /// Looks for survivors of an applied plan.
    ///
    /// # Errors
    ///
    /// What the deciding said, and `NOT_FOUND`. That something survives is a failed check, no error.
    pub async fn purge_verify(
        self: Arc<Self>,
        context: Context,
        request: PurgeVerify,
    ) -> Result<PurgeVerified, WireError> {
        let plan = request.plan;
        self.read(&context, |view, context| {
            let mut access =
                Access::begin(view.directory(), context, Action::Read, Resource::System)?;
            access.require()?;
            access.audit.resource_id = Some(plan.to_bytes());
            if request.old.is_some() && !context.actor.operator {
                let error = WireError::new(
                    ErrorCode::Denied,
                    "only the operator of the host names files to the daemon",
                )
                .reason("it reads them with its own rights")
                .hint("leave --old out");
                return Err(manushya_core::decide::Refusal::denied(&access.audit, error));
            }
            let tenant = context.actor.identity.tenant;
            if view.directory().erasures().receipt(tenant, plan).is_none() {
                let id = plan.to_string();
                return Err(access.missing("receipt of plan", &id, "manushyactl purge list"));
            }
            Ok(access.plan(Vec::new(), 1, ()))
        })
        .await?;
        // A receipt that a crash left unsigned is signed now.
        self.signed_receipt(&context, plan, Known::default(), Action::Read)
            .await?;
        let tenant = context.actor.identity.tenant;
        let record = {
            let published = self.writer.published();
            published
                .directory
                .erasures()
                .receipt(tenant, plan)
                .cloned()
        };
        let record = record.ok_or_else(|| {
            WireError::new(
                ErrorCode::NotFound,
                format!("there is no receipt of plan {plan}"),
            )
        })?;
        let service = self.clone();
        let old = request.old.map(PathBuf::from);
        let looking = tokio::task::spawn_blocking(move || service.look(&record, old.as_deref()));
        let checks = looking.await.map_err(|_| {
            WireError::new(ErrorCode::Internal, "the search for survivors failed")
                .hint("look at the daemon's log")
        })??;
        Ok(PurgeVerified { plan, checks })
    }

    fn look(&self, record: &PurgeReceipt, old: Option<&Path>) -> Result<Vec<Check>, WireError> {
        let signed = record.signed.clone().unwrap_or_default();
        let receipt = match Receipt::verify(&signed, &self.receipt_keys()?) {
            Ok(receipt) => receipt,
            Err(error) => {
                let fix = "restore a backup; the stored receipt was altered";
                return Ok(vec![check("receipt", false, chain(&error), fix)]);
            }
        };
        let view = self.view()?;
        let erased =
            erased_under(&view, AuditSeq(receipt.audit_seq)).map_err(|error| unreadable(&error))?;
        let listed = erased.rows.len() as u64;
        let same = listed == receipt.tags && tags_hash(&erased.rows) == receipt.tags_sha256;
        let mut checks = vec![
            check(
                "receipt",
                true,
                "it is signed, and its entry is proved to be in the audit log".to_owned(),
                "",
            ),
            check(
                "ledger",
                same,
                format!("the erasure ledger has {listed} of {} tags", receipt.tags),
                "restore a backup; the ledger was altered",
            ),
        ];
        let rows = view
            .snapshot
            .survivors(&|kind, tenant, id| self.took(&erased, kind, tenant, id))
            .map_err(|error| unreadable(&error))?;
        checks.push(check(
            "store",
            rows == 0,
            format!("{rows} rows name what was erased"),
            "manushyactl doctor",
        ));
        let indexed = self.survivors_in_index(&erased);
        checks.push(check(
            "index",
            indexed == 0,
            format!("{indexed} entries are of what was erased"),
            "manushyactl down; manushyactl up (the index is rebuilt)",
        ));
        checks.push(self.look_at_keys()?);
        checks.push(match self.check_key_files() {
            Ok(count) => check(
                "files",
                true,
                format!("{count} files, none a copy of keys"),
                "",
            ),
            Err(found) => check("files", false, found, "destroy that file"),
        });
        if let Some(folder) = old {
            checks.extend(self.try_old_copies(folder, &erased));
        }
        Ok(checks)
    }

    fn took(&self, erased: &Erased, kind: ErasedKind, tenant: TenantId, id: [u8; 16]) -> bool {
        erased.took(&*self.ports.cipher, kind, tenant, id)
    }

    /// Whether the keystore has keys that no row is sealed under: one might be of what was erased.
    fn look_at_keys(&self) -> Result<Check, WireError> {
        let mut unused = 0;
        // A key that was just made has no row yet, so it is looked at again.
        for _ in 0..20 {
            let keys = self.vault.keys();
            let used = self
                .view()?
                .snapshot
                .used_keys()
                .map_err(|error| unreadable(&error))?;
            unused = keys.iter().filter(|key| !used.contains(key)).count();
            if unused == 0 {
                let evidence = format!("each of {} data keys seals a living row", keys.len());
                return Ok(check("keys", true, evidence, ""));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let fix = "manushyactl down; manushyactl up (keys that nothing uses are destroyed)";
        Ok(check(
            "keys",
            false,
            format!("{unused} data keys seal nothing"),
            fix,
        ))
    }

    /// Tries old copies of files: stores with the present keys, and with what old copies of root and
    /// keystore in the same folder bring back.
    fn try_old_copies(&self, folder: &Path, erased: &Erased) -> Vec<Check> {
        let mut stores = Vec::new();
        let mut keys = Vec::new();
        let files = files_below(folder);
        if files.is_empty() {
            let evidence = format!("there is no file in {}", folder.display());
            return vec![check(
                "old",
                false,
                evidence,
                "name a folder that the daemon can read",
            )];
        }
        for path in files.iter().take(OLD_FILES_MAX) {
            let small = path
                .metadata()
                .is_ok_and(|metadata| metadata.len() <= OLD_KEYS_BYTES_MAX);
            match start_of(path).as_deref() {
                Some(b"redb\x1a\n\xa9\r") => stores.push(path.clone()),
                Some(b"MNSHKEYS" | b"age-encr") if small => {
                    keys.extend(std::fs::read(path).ok());
                }
                _ => {}
            }
        }
        let old = self.vault.try_old(&keys);
        let evidence = format!(
            "{} old keystores open ({} do not); they bring back {} destroyed data keys",
            old.keystores,
            old.dead,
            old.count()
        );
        let fix = "destroy that copy: root and keystore lie together in it";
        let mut checks = vec![check("old.keys", old.count() == 0, evidence, fix)];
        let ciphers: [&dyn Cipher; 2] = [&*self.vault, &old];
        for path in stores {
            checks.push(self.try_old_store(&path, &ciphers, erased));
        }
        checks
    }

    fn try_old_store(&self, path: &Path, ciphers: &[&dyn Cipher], erased: &Erased) -> Check {
        let name = path.display();
        // The library opens a file for writing only, and an old copy must stay what it is.
        let copy = self.config.home.state.join("old-copy.redb");
        let tried = std::fs::copy(path, &copy)
            .map_err(|error| error.to_string())
            .and_then(|_| {
                let took = |kind, tenant, id| self.took(erased, kind, tenant, id);
                try_old(&copy, ciphers, &took).map_err(|error| chain(&error))
            });
        let _ = std::fs::remove_file(&copy);
        match tried {
            Ok(report) => {
                let evidence = format!(
                    "{name}: {} rows, {} of what was erased, {} of those open",
                    report.rows, report.erased, report.opened
                );
                check(
                    "old.store",
                    report.opened == 0,
                    evidence,
                    "destroy that copy",
                )
            }
            Err(reason) => check(
                "old.store",
                false,
                format!("{name}: it could not be tried: {reason}"),
                "destroy that copy, or try it where it can be read",
            ),
        }
    }
}

/// The first eight bytes of a file.
fn start_of(path: &Path) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(8).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
