//! Legal holds.

use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::access::draft;
use manushya_core::decide::hold::SetHold;
use manushya_core::directory::Directory;
use manushya_core::model::{Action, Hold, HoldScope, Resource};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{HoldId, IdentityId, TenantId};
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::erasure::{HoldAdd, HoldRef, HoldView};

use super::Service;

fn name_of(directory: &Directory, tenant: TenantId, id: IdentityId) -> String {
    directory.identity(tenant, id).map_or_else(
        || id.to_string(),
        |identity| identity.external_id.to_string(),
    )
}

pub(super) fn view(directory: &Directory, hold: &Hold) -> HoldView {
    let keeps = match &hold.scope {
        HoldScope::Subject(id) => name_of(directory, hold.tenant, *id),
        HoldScope::Memory(id) => id.to_string(),
        HoldScope::Tenant => directory
            .tenant(hold.tenant)
            .map_or_else(|| hold.tenant.to_string(), |tenant| tenant.name.to_string()),
    };
    HoldView {
        id: hold.id,
        scope: hold.scope.as_str().to_owned(),
        keeps,
        reason: hold.reason.clone(),
        set_by: name_of(directory, hold.tenant, hold.set_by),
        created_at: hold.created_at,
    }
}

impl Service {
    /// Sets a hold.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn hold_add(
        &self,
        context: Context,
        request: HoldAdd,
    ) -> Result<HoldView, WireError> {
        let given = usize::from(request.subject.is_some())
            + usize::from(request.memory.is_some())
            + usize::from(request.whole_tenant);
        if given != 1 {
            let message = "a hold is on exactly one of a subject, a memory and the tenant";
            return Err(WireError::new(ErrorCode::InvalidArgument, message)
                .hint("manushyactl purge hold add --subject NAME --reason TEXT"));
        }
        let scope = match (&request.subject, request.memory) {
            (Some(reference), _) => HoldScope::Subject(self.held(&context, reference)?),
            (None, Some(memory)) => HoldScope::Memory(memory),
            (None, None) => HoldScope::Tenant,
        };
        let mut entropy = [0; 10];
        self.ports.entropy.fill(&mut entropy);
        let command = SetHold {
            id: HoldId::from_parts(self.ports.clock.now(), entropy),
            scope,
            reason: request.reason,
        };
        let fallback = draft(&context, Action::Manage, Resource::System);
        let hold = self
            .change(fallback, move |txn| {
                decide::hold::add(txn, &context, command)
            })
            .await?;
        Ok(view(&self.writer.published().directory, &hold))
    }

    /// The identity that a hold is to keep: one that there is, or any id.
    fn held(&self, context: &Context, reference: &str) -> Result<IdentityId, WireError> {
        let tenant = context.actor.identity.tenant;
        let published = self.writer.published();
        let known = published.directory.identity_by_ref(tenant, reference);
        known
            .map(|identity| identity.id)
            .or_else(|| reference.parse().ok())
            .ok_or_else(|| {
                let shown: String = reference.chars().take(80).collect();
                WireError::new(ErrorCode::NotFound, format!("there is no identity {shown}"))
                    .hint("manushyactl identity list")
            })
    }

    /// Lists holds, oldest first.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn hold_list(&self, context: Context) -> Result<Listed<HoldView>, WireError> {
        let holds = self.read(&context, decide::hold::list).await?;
        let state = self.view()?;
        let items: Vec<HoldView> = holds
            .iter()
            .map(|hold| view(state.directory(), hold))
            .collect();
        let total = items.len() as u64;
        Ok(Listed {
            items,
            next: None,
            total,
        })
    }

    /// Releases a hold.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn hold_release(
        &self,
        context: Context,
        request: HoldRef,
    ) -> Result<Done, WireError> {
        let fallback = draft(&context, Action::Manage, Resource::System);
        self.change(fallback, move |txn| {
            decide::hold::release(txn, &context, request.id)
        })
        .await?;
        Ok(Done {
            id: request.id.to_string(),
            outcome: "released".to_owned(),
        })
    }
}
