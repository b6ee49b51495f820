//! `limit list set reset`.

use manushya_protocol::v1::limit::{LimitList, LimitReset, LimitSet, LimitView};

use crate::cli::limit::Limit;
use crate::context::{Context, call};
use crate::error::Outcome;

/// Runs a verb of `limit`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Limit, context: &Context) -> Outcome {
    let client = context.connect().await?;
    match verb {
        Limit::List(arguments) => {
            let request = LimitList {
                role: arguments.role,
                identity: arguments.identity,
            };
            let listed = call!(client, limit_list, request).await?;
            context.ui.list(&listed.items, None, listed.total)
        }
        Limit::Set(arguments) => {
            let request = LimitSet {
                name: arguments.name,
                role: arguments.role,
                value: arguments.value.0,
            };
            let set = call!(client, limit_set, request).await?;
            context.note_dry_run();
            context.ui.told(&set, || words(&set))
        }
        Limit::Reset(arguments) => {
            let request = LimitReset {
                name: arguments.name,
                role: arguments.role,
            };
            let done = call!(client, limit_reset, request).await?;
            context.note_dry_run();
            context
                .ui
                .told(&done, || format!("{}: {}\n", done.id, done.outcome))
        }
    }
}

fn words(set: &LimitView) -> String {
    let role = set
        .role
        .as_ref()
        .map_or_else(String::new, |role| format!(" for the role {role}"));
    match set.value {
        Some(value) => format!("{}{role}: {value} {}\n", set.name, set.counts),
        None => format!("{}{role}: unlimited {}\n", set.name, set.counts),
    }
}
