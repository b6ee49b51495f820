//! A draft that runs beside the live policies.

use std::sync::Arc;

use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::access::draft;
use manushya_core::directory::Directory;
use manushya_core::model::{Action, PolicyDraft, Resource};
use manushya_core::view::View;
use manushya_protocol::error::WireError;
use manushya_protocol::v1::review::{PolicyShadowSet, ShadowStatus};

use super::policy_review::begin;
use super::{Service, convert};

impl Service {
    /// Lets a draft run beside the live policies, in place of the one before, or stops it.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn policy_shadow_set(
        &self,
        context: Context,
        request: PolicyShadowSet,
    ) -> Result<ShadowStatus, WireError> {
        let fallback = draft(&context, Action::Manage, Resource::Policy);
        let set = self
            .change(fallback, move |txn| {
                decide::policy::shadow(txn, &context, &request.policies)
            })
            .await?;
        Ok(shown(&self.writer.published().directory, set.as_ref()))
    }

    /// Says what runs beside the live policies.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn policy_shadow_status(&self, context: Context) -> Result<ShadowStatus, WireError> {
        self.read(&context, |view, context| {
            let access = begin(view, context)?;
            let directory = view.directory();
            let set = directory.draft(context.actor.identity.tenant);
            let shown = shown(directory, set);
            Ok(access.plan(Vec::new(), shown.policies.len() as u64, shown))
        })
        .await
    }
}

fn shown(directory: &Directory, set: Option<&Arc<PolicyDraft>>) -> ShadowStatus {
    ShadowStatus {
        running: set.is_some(),
        policies: set
            .iter()
            .flat_map(|set| &set.policies)
            .map(convert::policy)
            .collect(),
        by: set.map(|set| {
            let by = directory.identity(set.tenant, set.by);
            by.map_or_else(|| set.by.to_string(), |by| by.external_id.to_string())
        }),
        since: set.map(|set| set.at),
    }
}
