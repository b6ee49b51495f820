//! `purge receipt verify hold`: what was erased, proved, and what is kept from being erased.

use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use manushya_core::audit::{Keys, Receipt, VerifierKey};
use manushya_core::model::SignedReceipt;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::exit;
use manushya_protocol::id::PlanId;
use manushya_protocol::v1::erasure::{HoldAdd, HoldRef, PurgeVerify, ReceiptRef, ReceiptView};
use manushya_protocol::v1::system::{Check, Verdict};

use crate::cli::purge::{self as cli, Hold};
use crate::command::token::write_private;
use crate::context::{Context, call, read_text};
use crate::error::{Outcome, Stop};
use crate::ui::json;

/// The longest file of a receipt, in bytes.
const RECEIPT_BYTES_MAX: usize = 1 << 20;
/// The longest public key, in bytes.
const KEY_BYTES_MAX: usize = 4096;
/// How long looking for survivors may take at the least: it reads the whole store.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(300);

fn plan_id(text: &str) -> Outcome<PlanId> {
    text.parse()
        .map_err(|error| Stop::usage(format!("{error}")))
}

/// Shows a receipt, or writes it to a file that verifies by itself.
pub(super) async fn show(arguments: &cli::Receipt, context: &Context) -> Outcome {
    let plan = plan_id(&arguments.plan)?;
    let client = context
        .connect()
        .await?
        .with_timeout(context.patient(PATIENCE));
    let receipt = call!(client, purge_receipt, ReceiptRef { plan }).await?;
    let Some(path) = &arguments.out else {
        return context.ui.told(&receipt, || receipt.note.clone());
    };
    write_private(path, json::json(&receipt)?.as_bytes())?;
    context.ui.note(&format!("written to {}", path.display()));
    Ok(())
}

/// Verifies a receipt and looks for survivors.
///
/// # Errors
///
/// Exit code 9 if the receipt proves nothing or something survives.
pub(super) async fn verify(arguments: &cli::Verify, context: &Context) -> Outcome {
    let mut checks = Vec::new();
    let plan = match arguments.receipt.parse::<PlanId>() {
        Ok(plan) => plan,
        Err(_) => {
            let (plan, check) = document(arguments, context)?;
            checks.push(check);
            plan
        }
    };
    if !arguments.offline {
        let old = arguments
            .old
            .as_deref()
            .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
            .map(|path| path.display().to_string());
        let client = context
            .connect()
            .await?
            .with_timeout(context.patient(PATIENCE));
        let verified = call!(client, purge_verify, PurgeVerify { plan, old }).await?;
        checks.extend(verified.checks);
    } else if checks.is_empty() {
        return Err(
            Stop::usage("--offline wants the file of a receipt").hint(format!(
                "manushyactl purge receipt {plan} --out receipt.json"
            )),
        );
    }
    context.ui.list(&checks, None, checks.len() as u64)?;
    let failed: Vec<&Check> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failure)
        .collect();
    let Some(first) = failed.first() else {
        return Ok(());
    };
    context.ui.note(&format!(
        "{} of {} checks failed: {}",
        failed.len(),
        checks.len(),
        first.evidence
    ));
    Err(Stop::Exit(exit::INTEGRITY))
}

/// Verifies the file of a receipt with the key that was given or that this machine saw first, and
/// with nothing else.
fn document(arguments: &cli::Verify, context: &Context) -> Outcome<(PlanId, Check)> {
    let path = Path::new(&arguments.receipt);
    if !path.exists() {
        return Err(Stop::usage(format!(
            "`{}` is neither the id of a plan nor a file",
            arguments.receipt
        )));
    }
    let text = read_text(path, RECEIPT_BYTES_MAX, "a receipt")?;
    let refused = |reason: String| {
        Stop::new(ErrorCode::Integrity, "the receipt proves nothing")
            .reason(reason)
            .hint("ask for it anew: manushyactl purge receipt ID --out FILE")
    };
    let view: ReceiptView =
        serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    let decoded = || -> Option<SignedReceipt> {
        let proof = view.proof.iter().map(|hash| {
            let bytes = HEXLOWER.decode(hash.as_bytes()).ok()?;
            <[u8; 32]>::try_from(bytes).ok()
        });
        Some(SignedReceipt {
            note: view.note.clone(),
            entry: BASE64.decode(view.entry.as_bytes()).ok()?,
            checkpoint: view.checkpoint.clone(),
            proof: proof.collect::<Option<_>>()?,
        })
    };
    let signed = decoded().ok_or_else(|| refused("a field is not in its encoding".to_owned()))?;
    let key = key(arguments.key.as_deref(), context)?;
    let keys =
        Keys::follow_told(key, &view.hand_overs).map_err(|error| refused(error.to_string()))?;
    let receipt = Receipt::verify(&signed, &keys.to_vec()).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        refused(source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}")))
    })?;
    // What is shown beside the signed text has to be what the text says.
    let same = view.plan == receipt.plan
        && view.tenant == receipt.tenant
        && view.memories == receipt.memories
        && view.audit_seq == receipt.audit_seq;
    if !same {
        return Err(refused(
            "its fields are not those of the signed text".to_owned(),
        ));
    }
    let check = Check {
        id: "document".to_owned(),
        verdict: Verdict::Ok,
        evidence: format!(
            "plan {} erased {} memories; signed, and proved to be entry {} of the log",
            receipt.plan, receipt.memories, receipt.audit_seq
        ),
        fix: None,
    };
    Ok((receipt.plan, check))
}

/// The public key: a file, the key itself, or the one that was seen first on this machine.
fn key(given: Option<&str>, context: &Context) -> Outcome<VerifierKey> {
    let known = context.settings.paths.audit_key();
    let (text, from) = match given {
        Some(given) if given.parse::<VerifierKey>().is_ok() => (given.to_owned(), "--key"),
        Some(given) => (
            read_text(Path::new(given), KEY_BYTES_MAX, "a public key")?,
            "--key",
        ),
        None if known.exists() => (
            read_text(&known, KEY_BYTES_MAX, "a public key")?,
            "the key kept on this machine",
        ),
        None => {
            return Err(
                Stop::usage("no key to verify the receipt with is known here")
                    .reason("the key that comes with a receipt says nothing about it")
                    .hint("--key FILE, or once: manushyactl audit verify"),
            );
        }
    };
    text.trim()
        .parse()
        .map_err(|error| Stop::usage(format!("{from} is no public key")).reason(format!("{error}")))
}

/// Runs a verb of `purge hold`.
pub(super) async fn hold(verb: Hold, context: &Context) -> Outcome {
    let client = context.connect().await?;
    match verb {
        Hold::Add(arguments) => {
            let memory = arguments
                .memory
                .map(|text| {
                    text.parse()
                        .map_err(|error| Stop::usage(format!("{error}")))
                })
                .transpose()?;
            let request = HoldAdd {
                subject: arguments.subject,
                memory,
                whole_tenant: arguments.whole_tenant,
                reason: arguments.reason,
            };
            let hold = call!(client, hold_add, request).await?;
            context.note_dry_run();
            context.ui.item(&hold)
        }
        Hold::List => {
            let listed = call!(client, hold_list).await?;
            context.ui.list(&listed.items, None, listed.total)
        }
        Hold::Release(arguments) => {
            let id = arguments
                .id
                .parse()
                .map_err(|error| Stop::usage(format!("{error}")))?;
            let done = call!(client, hold_release, HoldRef { id }).await?;
            context.note_dry_run();
            context.ui.item(&done)
        }
    }
}
