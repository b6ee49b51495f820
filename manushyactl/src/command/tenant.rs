//! `tenant create list show delete`.

use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::identity::{TenantRef, TenantView};

use crate::cli::args::Paging;
use crate::cli::identity::Tenant;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};

/// Runs a verb of `tenant`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Tenant, context: &Context) -> Outcome {
    match verb {
        Tenant::Create(name) => {
            let client = context.connect().await?;
            let made = call!(client, tenant_create, TenantRef { name: name.name }).await?;
            context.note_dry_run();
            context.ui.item(&made)
        }
        Tenant::List(paging) => list(&paging, context).await,
        Tenant::Show(name) => {
            let client = context.connect().await?;
            let tenant = call!(client, tenant_show, TenantRef { name: name.name }).await?;
            context.ui.item(&tenant)
        }
        Tenant::Delete(arguments) => {
            let name = arguments.name;
            if !context.dry_run {
                let what = format!("tenant `{name}` and everything in it");
                context
                    .prompt
                    .confirm_name(&what, &name, arguments.confirm.as_deref())?;
            }
            let client = context.connect().await?;
            let purged = call!(client, tenant_delete, TenantRef { name }).await?;
            context.note_dry_run();
            context.ui.item(&purged)
        }
    }
}

/// The daemon answers with all tenants at once; the part is cut out here. The cursor is a name.
async fn list(paging: &Paging, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let listed: Listed<TenantView> = call!(client, tenant_list).await?;
    let start = match &paging.cursor {
        None => 0,
        Some(name) => match listed.items.iter().position(|tenant| tenant.name == *name) {
            Some(place) => place + 1,
            None => return Err(Stop::usage(format!("no tenant `{name}` to go on from"))),
        },
    };
    let rest = &listed.items[start..];
    let most = if paging.all {
        rest.len()
    } else {
        paging.limit as usize
    };
    let shown = &rest[..rest.len().min(most)];
    let next = shown.last().filter(|_| shown.len() < rest.len());
    let next = next.map(|tenant| tenant.name.as_str());
    context.ui.list(shown, next, listed.total)
}
