//! Limits: setting and listing them.

use std::sync::Arc;

use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::access::draft;
use manushya_core::decide::limit::{LimitsOf, ResetLimit, SetLimit};
use manushya_core::directory::Directory;
use manushya_core::model::{Action, Identity, LimitName, LimitOverride, Resource, Role};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::limit::{LimitList, LimitReset, LimitSet, LimitView};

use super::{Service, convert};

fn role(text: Option<String>) -> Result<Option<Role>, WireError> {
    let role = text.map(Role::new).transpose();
    role.map_err(|error| convert::invalid(&error))
}

fn name(text: &str) -> Result<LimitName, WireError> {
    text.parse().map_err(|error| convert::invalid(&error))
}

/// A limit as it holds for a role, or for all.
fn show(
    directory: &Directory,
    context: &Context,
    name: LimitName,
    role: Option<&Role>,
    set: Option<&LimitOverride>,
) -> LimitView {
    let tenant = context.actor.identity.tenant;
    let default = context.limit_table.value(name, role);
    LimitView {
        name: name.to_string(),
        counts: name.counts().to_owned(),
        role: role.map(ToString::to_string),
        value: set.map_or(default, |it| it.value),
        default,
        origin: match set {
            Some(_) => "set".to_owned(),
            None => context.limit_table.as_str().to_owned(),
        },
        used: None,
        set_by: set.map(|it| convert::name_of(directory, tenant, it.set_by)),
        set_at: set.map(|it| it.set_at),
    }
}

/// What holds for one identity, with what it has.
fn of_identity(directory: &Directory, context: &Context, identity: &Identity) -> Vec<LimitView> {
    let tenant = identity.tenant;
    let own = directory.holdings().of(tenant, identity.id);
    let all = directory.holdings().of_tenant(tenant);
    let mut listed = of_role(directory, context, &identity.role);
    for limit in &mut listed {
        limit.used = match limit.name.parse() {
            Ok(LimitName::Memories) => Some(own.memories),
            Ok(LimitName::Bytes) => Some(own.bytes),
            Ok(LimitName::TenantMemories) => Some(all.memories),
            Ok(LimitName::TenantBytes) => Some(all.bytes),
            _ => None,
        };
    }
    listed
}

/// What holds for one role.
fn of_role(directory: &Directory, context: &Context, role: &Role) -> Vec<LimitView> {
    let tenant = context.actor.identity.tenant;
    let gates = directory.gates();
    let each = LimitName::ALL.into_iter().map(|name| {
        let set = gates.limit_set(tenant, name, role);
        show(directory, context, name, Some(role), set)
    });
    each.collect()
}

/// What holds for all, and after each what was set for a role.
fn of_everybody(directory: &Directory, context: &Context) -> Vec<LimitView> {
    let set = directory.gates().limits_set(context.actor.identity.tenant);
    let mut listed = Vec::new();
    for name in LimitName::ALL {
        let of_name = || set.iter().filter(|it| it.name == name);
        let all = of_name().find(|it| it.role.is_none());
        listed.push(show(directory, context, name, None, all));
        let mut roles: Vec<&LimitOverride> = of_name().filter(|it| it.role.is_some()).collect();
        roles.sort_by(|a, b| a.role.cmp(&b.role));
        let shown = roles
            .iter()
            .map(|it| show(directory, context, name, it.role.as_ref(), Some(it)));
        listed.extend(shown);
    }
    listed
}

impl Service {
    /// Sets a limit.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn limit_set(
        &self,
        context: Context,
        request: LimitSet,
    ) -> Result<LimitView, WireError> {
        let command = SetLimit {
            id: self.new_limit_id(),
            name: name(&request.name)?,
            role: role(request.role)?,
            value: request.value,
        };
        let fallback = draft(&context, Action::Manage, Resource::System);
        let asked = context.clone();
        let made = self
            .change(fallback, move |txn| {
                decide::limit::set(txn, &context, command)
            })
            .await?;
        let published = self.writer.published();
        let directory = &published.directory;
        Ok(show(
            directory,
            &asked,
            made.name,
            made.role.as_ref(),
            Some(&made),
        ))
    }

    /// Takes limits that were set away.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn limit_reset(
        &self,
        context: Context,
        request: LimitReset,
    ) -> Result<Done, WireError> {
        let role = role(request.role)?;
        let which = match &request.name {
            Some(text) => ResetLimit::One(name(text)?, role),
            None if role.is_none() => ResetLimit::All,
            None => {
                return Err(
                    WireError::new(ErrorCode::InvalidArgument, "a role goes with a limit")
                        .hint("manushyactl limit reset NAME --role ROLE"),
                );
            }
        };
        let fallback = draft(&context, Action::Manage, Resource::System);
        let count = self
            .change(fallback, move |txn| {
                decide::limit::reset(txn, &context, &which)
            })
            .await?;
        Ok(Done {
            id: request.name.unwrap_or_else(|| "all".to_owned()),
            outcome: format!("reset {count}"),
        })
    }

    /// Lists the limits that hold: for all, for a role, or for an identity.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn limit_list(
        &self,
        context: Context,
        request: LimitList,
    ) -> Result<Listed<LimitView>, WireError> {
        let of = match (role(request.role)?, request.identity) {
            (None, None) => LimitsOf::Everybody,
            (Some(role), None) => LimitsOf::Role(role),
            (None, Some(identity)) => LimitsOf::Identity(identity),
            (Some(_), Some(_)) => {
                let message = "limits are of a role or of an identity";
                return Err(WireError::new(ErrorCode::InvalidArgument, message)
                    .hint("an identity has one role"));
            }
        };
        let found: Option<Arc<Identity>> = self
            .read(&context, |view, context| {
                decide::limit::list(view, context, &of)
            })
            .await?;
        let state = self.view()?;
        let directory = state.directory();
        let items = match (&of, &found) {
            (_, Some(identity)) => of_identity(directory, &context, identity),
            (LimitsOf::Role(role), None) => of_role(directory, &context, role),
            _ => of_everybody(directory, &context),
        };
        let total = items.len() as u64;
        Ok(Listed {
            items,
            next: None,
            total,
        })
    }
}
