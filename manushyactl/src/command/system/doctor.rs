//! `doctor`: what is wrong with this installation, and how to fix it. Works with the daemon down.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::exit;
use manushya_protocol::v1::system::{Check, Verdict};

use super::local;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::color::{Tone, tint};
use crate::ui::table::one_line;

/// How long the daemon may take for its own checks, at the least: it verifies the audit log.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// Checks everything.
///
/// # Errors
///
/// Exit code 9 if a check failed.
pub async fn run(context: &Context) -> Outcome {
    let mut checks = local::checks(context);
    checks.extend(remote(context).await);
    if context.ui.is_table() {
        let lines: Vec<String> = checks
            .iter()
            .map(|check| line(check, context.ui.paint.out))
            .collect();
        context.ui.emit(&lines.concat())?;
    } else {
        context.ui.list(&checks, None, checks.len() as u64)?;
    }
    let failed = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failure)
        .count();
    match failed {
        0 => Ok(()),
        _ => {
            context
                .ui
                .note(&format!("{failed} of {} checks failed", checks.len()));
            Err(Stop::Exit(exit::INTEGRITY))
        }
    }
}

/// What only a running daemon can say.
async fn remote(context: &Context) -> Vec<Check> {
    let client = match context.connect().await {
        Ok(client) => client.with_timeout(context.patient(PATIENCE)),
        Err(stop) => return vec![unreachable(&stop, context)],
    };
    let welcome = client.welcome();
    let own = env!("CARGO_PKG_VERSION");
    let same = welcome.daemon_version == own;
    let mut checks = vec![
        local::check(
            "daemon.reachable",
            Verdict::Ok,
            format!("{} answers", context.settings.socket.value.display()),
            None,
        ),
        local::check(
            "daemon.version",
            if same { Verdict::Ok } else { Verdict::Warning },
            format!(
                "daemon {}, manushyactl {own}, api {}",
                welcome.daemon_version, welcome.api
            ),
            (!same).then(|| "manushyactl down && manushyactl up".to_owned()),
        ),
    ];
    match call!(client, doctor).await {
        Ok(diagnosis) => checks.extend(diagnosis.checks),
        Err(error) if error.code == ErrorCode::VaultLocked => checks.push(local::check(
            "daemon.sealed",
            Verdict::Warning,
            "no key is in memory and nothing is served; the other checks have to wait".to_owned(),
            error.hint.clone(),
        )),
        Err(error) => checks.push(local::check(
            "daemon.doctor",
            Verdict::Warning,
            format!("{}: {}", error.code, error.message),
            error.hint.clone(),
        )),
    }
    checks
}

fn unreachable(stop: &Stop, context: &Context) -> Check {
    let (evidence, fix) = match stop {
        Stop::Error(error) => {
            let reason = error.reason.as_deref().unwrap_or_default();
            (format!("{}: {reason}", error.message), error.hint.clone())
        }
        _ => (
            format!(
                "{} does not answer",
                context.settings.socket.value.display()
            ),
            None,
        ),
    };
    // A daemon that is down is no fault of the installation; the checks it makes are missing.
    let down = !super::somebody_listens(&context.settings.socket.value);
    let verdict = if down {
        Verdict::Warning
    } else {
        Verdict::Failure
    };
    local::check(
        "daemon.reachable",
        verdict,
        evidence,
        fix.or(Some("manushyactl up".to_owned())),
    )
}

fn line(check: &Check, color: bool) -> String {
    let (mark, tone) = match check.verdict {
        Verdict::Ok => ("ok     ", Tone::Good),
        Verdict::Warning => ("warning", Tone::Warn),
        Verdict::Failure => ("failure", Tone::Bad),
    };
    let mut text = format!(
        "{}  {:<22}  {}\n",
        tint(mark, tone, color),
        one_line(&check.id),
        one_line(&check.evidence)
    );
    if let Some(fix) = &check.fix
        && check.verdict != Verdict::Ok
    {
        text.push_str(&format!("         fix: {}\n", one_line(fix)));
    }
    text
}
