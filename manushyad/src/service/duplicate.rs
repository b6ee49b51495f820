//! Which memories say nearly the same as a new one.

use manushya_core::command::{AddMemory, Context};
use manushya_core::model::Action;
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::MemoryId;
use manushya_protocol::limits;
use manushya_protocol::v1::memory::{MemoryAdd, MemoryFilter, OnDuplicate};

use super::Service;
use super::permit::{Choice, Permission};

/// How many are looked at; those in namespaces below do not count and may be among them.
const LOOKED_AT: usize = 64;

/// From which cosine on texts count as duplicates; `None` if both are to be kept anyway.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for a cosine out of bounds.
pub fn least(request: &MemoryAdd) -> Result<Option<f32>, WireError> {
    let least = request
        .duplicate_cosine
        .unwrap_or(limits::DUPLICATE_COSINE_DEFAULT);
    if !(least > 0.0 && least <= 1.0) {
        let message = "the cosine of duplicates must be above 0, to 1";
        return Err(WireError::new(ErrorCode::InvalidArgument, message));
    }
    Ok((request.on_duplicate != OnDuplicate::Keep).then_some(least))
}

impl Service {
    /// The caller's own memories in the namespace of `command` that say nearly the same, the nearest
    /// first. Whether the caller may read and change them is decided with the change.
    ///
    /// # Errors
    ///
    /// `INTERNAL` if the index fails.
    pub async fn alike(
        &self,
        context: &Context,
        command: &AddMemory,
        least: f32,
    ) -> Result<Vec<(MemoryId, u32)>, WireError> {
        let identity = &context.actor.identity;
        // Embedded for the index that answers: vectors of two embedders are never compared.
        let text = &command.content.text;
        let question = self.question(identity.tenant, text, true).await;
        let Some(vector) = &question.vector else {
            return Ok(Vec::new());
        };
        let view = self.view()?;
        let permission = Permission::new(view.directory(), context, Action::Read).by_text();
        let filter = MemoryFilter {
            owner: Some(identity.id.to_string()),
            namespace: Some(command.content.namespace.as_str().to_owned()),
            ..MemoryFilter::default()
        };
        let choice = Choice::of(view.directory(), context, &filter)?;
        let index = &question.serving.index;
        let found = permission.with_permit(&choice, |permit, _| {
            let filter = &choice.attributes;
            // Vectors are rounded to 8 bits of fraction: the same text may come to a little less than 1.
            let least = least - 0.004;
            index.alike(vector, permit, filter, context.now, least, LOOKED_AT)
        });
        let alike = found.transpose().map_err(|error| {
            WireError::new(ErrorCode::Internal, "the index failed").reason(error.to_string())
        })?;
        let alike = alike.unwrap_or_default().into_iter();
        Ok(alike.map(|alike| (alike.id, alike.version)).collect())
    }
}
