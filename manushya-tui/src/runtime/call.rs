//! One question to the daemon, made into calls.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use manushya_protocol::client::Client;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::home::Home;
use manushya_protocol::limits;
use manushya_protocol::v1::common::Page;
use manushya_protocol::v1::identity::IdentityRef;
use manushya_protocol::v1::policy::{PolicyApply, PolicyValidate};
use manushya_protocol::v1::review::{PermissionView, PolicyWhatCan};

use super::{Inbox, verify};
use crate::effect::Ask;
use crate::msg::Answer;

/// How long the daemon may take for what takes long: doctor, purge, and a wait for entries.
const PATIENCE: Duration = Duration::from_secs(120);
/// How much of the end of the log is read, in bytes.
const LOG_BYTES: u64 = 64 << 10;
/// How many lines of it are shown.
const LOG_LINES: usize = 200;
/// Makes one call.
macro_rules! make {
    ($client:expr, $method:ident) => {
        $client
            .call(|api, context, call| async move { api.$method(context, call).await })
            .await
    };
    ($client:expr, $method:ident, $request:expr) => {{
        let request = $request;
        $client
            .call(|api, context, call| async move { api.$method(context, call, request).await })
            .await
    }};
}
pub(super) use make;

/// Asks the daemon.
///
/// # Errors
///
/// What the daemon answered.
pub async fn call(
    client: &Client,
    ask: Ask,
    inbox: &Inbox,
    home: &Home,
) -> Result<Answer, WireError> {
    let patient = client.with_timeout(PATIENCE);
    match ask {
        Ask::Status => make!(client, status).map(Answer::Status),
        Ask::Events(request) => make!(patient, events, request).map(Answer::Events),
        Ask::Doctor => make!(patient, doctor).map(Answer::Doctor),
        Ask::Head => make!(client, audit_head).map(Answer::Head),
        Ask::Verify => verify::verify(&patient, inbox, home)
            .await
            .map(Answer::Verified),
        Ask::Identities(request) => make!(client, identity_list, request).map(Answer::Identities),
        Ask::Identity(identity) => {
            make!(client, identity_export, IdentityRef { identity }).map(Answer::Identity)
        }
        Ask::Permissions(identity) => permissions(client, identity).await.map(Answer::Permissions),
        Ask::IdentityCreate(request) => {
            make!(client, identity_create, request).map(Answer::Created)
        }
        Ask::IdentityUpdate(request) => {
            make!(client, identity_update, request).map(Answer::Updated)
        }
        Ask::IdentityDelete(identity) => {
            make!(client, identity_delete, IdentityRef { identity }).map(Answer::Done)
        }
        Ask::Tokens(request) => make!(client, token_list, request).map(Answer::Tokens),
        Ask::TokenIssue(request) => make!(client, token_issue, request).map(Answer::Issued),
        Ask::TokenRevoke(request) => make!(client, token_revoke, request).map(Answer::Done),
        Ask::Memories(request) => make!(client, memory_list, request).map(Answer::Memories),
        Ask::Search(request) => make!(client, memory_search, request).map(Answer::Found),
        Ask::History(request) => make!(client, memory_history, request).map(Answer::Memories),
        Ask::MemoryUpdate(request) => {
            make!(client, memory_update, request).map(|it| Answer::Memory(Box::new(it)))
        }
        Ask::MemoryDelete(request) => make!(patient, memory_delete, request).map(Answer::Done),
        Ask::MemoryRestore(request) => {
            make!(client, memory_restore, request).map(|it| Answer::Memory(Box::new(it)))
        }
        Ask::Stats(request) => make!(client, memory_stats, request).map(Answer::Stats),
        Ask::Policies(request) => make!(client, policy_list, request).map(Answer::Policies),
        Ask::PolicySetActive(request) => {
            make!(client, policy_set_active, request).map(|it| Answer::Policy(Box::new(it)))
        }
        Ask::PolicyDelete(request) => make!(client, policy_delete, request).map(Answer::Done),
        Ask::PolicyApply(request) => apply(client, request).await,
        Ask::Explain(request) => {
            make!(client, policy_explain, request).map(|it| Answer::Explained(Box::new(it)))
        }
        Ask::Keys => make!(client, key_list).map(Answer::Keys),
        Ask::Plans(request) => make!(client, purge_list, request).map(Answer::Plans),
        Ask::Plan(request) => make!(patient, purge_plan, request).map(Answer::Plan),
        Ask::Purge(request) => make!(patient, purge_apply, request).map(Answer::Purged),
        Ask::Log => log(home).map(Answer::Log),
    }
}

/// Applies policies that are well formed; says what is wrong with others.
async fn apply(client: &Client, request: PolicyApply) -> Result<Answer, WireError> {
    let validate = PolicyValidate {
        policies: request.policies.clone(),
    };
    let validated = make!(client, policy_validate, validate)?;
    if !validated.findings.is_empty() {
        return Ok(Answer::Findings(validated.findings));
    }
    make!(client, policy_apply, request).map(Answer::Applied)
}

async fn permissions(client: &Client, identity: String) -> Result<Vec<PermissionView>, WireError> {
    let page = Page {
        limit: Some(limits::PAGE_LIMIT_MAX),
        cursor: None,
    };
    let listed = make!(client, policy_what_can, PolicyWhatCan { identity, page })?;
    Ok(listed.items)
}

/// The end of the daemon's log, as `manushyactl up` writes it.
fn log(home: &Home) -> Result<Vec<String>, WireError> {
    let path = home.log();
    let unreadable = |error: std::io::Error| {
        WireError::new(ErrorCode::NotFound, format!("the log `{}` cannot be read", path.display()))
            .reason(error.to_string())
            .hint("where another program started the daemon, that keeps its log: journalctl --user -u manushyad")
    };
    let mut file = std::fs::File::open(&path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))
        .map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LOG_LINES);
    Ok(lines[first..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect())
}
