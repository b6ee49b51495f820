//! Bindings of processes to identities, and finding the identity of a process.

use std::sync::Arc;

use manushya_core::command::Context;
use manushya_core::decide::access::draft;
use manushya_core::decide::binding;
use manushya_core::directory::Directory;
use manushya_core::model::{Action, Actor, Binding, Resource, Scope, Via};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::v1::common::{Call, Done};
use manushya_protocol::v1::identity::{BindingView, IdentityBind, IdentityView};

use super::login::Caller;
use super::{Service, convert};
use crate::auth::Process;

fn program(text: Option<&str>) -> Result<Option<[u8; 32]>, WireError> {
    let invalid = || {
        WireError::new(ErrorCode::InvalidArgument, "this is no SHA-256")
            .reason("it has to be 64 hexadecimal digits")
            .hint("sha256sum PROGRAM")
    };
    text.map(|text| {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        bytes
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(invalid)
    })
    .transpose()
}

/// A binding, as shown.
pub(super) fn show(it: &Binding) -> BindingView {
    BindingView {
        id: it.id,
        uid: it.uid,
        exe_sha256: it.program.map(|hash| data_encoding::HEXLOWER.encode(&hash)),
        created_at: it.created_at,
    }
}

impl Service {
    /// Binds an identity to processes of a user of the host.
    ///
    /// # Errors
    ///
    /// `CONFLICT` for the operator's own user, or what the deciding or the writer said.
    pub async fn identity_bind(
        &self,
        context: Context,
        request: IdentityBind,
    ) -> Result<IdentityView, WireError> {
        let program = program(request.exe_sha256.as_deref())?;
        if self.operator_uids.contains(&request.uid) {
            let message = format!("user {} cannot be bound", request.uid);
            return Err(WireError::new(ErrorCode::Conflict, message)
                .reason("it is the operator of the host, whoever else it is")
                .hint("bind another user"));
        }
        let id = self.new_binding_id();
        let fallback = draft(&context, Action::Create, Resource::Token);
        let (identity, made) = self
            .change(fallback, move |txn| {
                let to = (request.uid, program);
                binding::bind(txn, &context, id, &request.identity, to)
            })
            .await?;
        let mut shown = convert::identity(&self.writer.published().directory, &identity);
        if shown.bindings.iter().all(|it| it.id != made.id) {
            // A dry run left no record.
            shown.bindings.push(show(&made));
        }
        Ok(shown)
    }

    /// Takes bindings away.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn identity_unbind(
        &self,
        context: Context,
        request: IdentityBind,
    ) -> Result<Done, WireError> {
        let program = program(request.exe_sha256.as_deref())?;
        let fallback = draft(&context, Action::Delete, Resource::Token);
        let (identity, count) = self
            .change(fallback, move |txn| {
                let from = (request.uid, program);
                binding::unbind(txn, &context, &request.identity, from)
            })
            .await?;
        Ok(Done {
            id: identity.external_id.to_string(),
            outcome: format!("unbound {count}"),
        })
    }

    /// The program of the process that connected, if that is wanted; or why nothing proves who it is.
    fn program_of(
        &self,
        process: Option<&Process>,
        wanted: bool,
    ) -> Result<Option<[u8; 32]>, String> {
        let process = process
            .filter(|process| process.is_alive())
            .ok_or("the process that connected is gone")?;
        let program = wanted.then(|| process.program(&self.programs));
        program
            .transpose()
            .map_err(|error| format!("its program cannot be told: {error}"))
    }

    /// Who a process is that shows no credential: by its user id and, where that is asked for, its
    /// program. A binding that names the program goes before one that does not.
    pub(super) fn by_binding(
        &self,
        directory: &Directory,
        caller: &Caller,
        call: &Call,
    ) -> Result<Option<Actor>, WireError> {
        let wanted = |it: &&Binding| {
            let tenant = directory
                .tenant(it.tenant)
                .map(|tenant| tenant.name.as_str());
            call.tenant.is_none() || call.tenant.as_deref() == tenant
        };
        let all: Vec<&Binding> = directory
            .gates()
            .bindings_of_uid(caller.peer.uid)
            .filter(wanted)
            .collect();
        if all.is_empty() {
            return Ok(None);
        }
        let lost = |reason: String| {
            WireError::new(
                ErrorCode::Unauthenticated,
                "this process cannot prove who it is",
            )
            .reason(reason)
            .hint("the process that connected has to run on; give a token otherwise")
        };
        let needs_program = all.iter().any(|it| it.program.is_some());
        let program = self
            .program_of(caller.process.as_deref(), needs_program)
            .map_err(lost)?;
        let exact: Vec<&&Binding> = all
            .iter()
            .filter(|it| it.program.is_some() && it.program == program)
            .collect();
        let any: Vec<&&Binding> = all.iter().filter(|it| it.program.is_none()).collect();
        let found = match (exact.as_slice(), any.as_slice()) {
            ([one], _) | ([], [one]) => one,
            ([], []) => return Err(lost("it is another program".to_owned())),
            _ => {
                return Err(lost("it is bound in several tenants".to_owned())
                    .hint("name one with --tenant"));
            }
        };
        let identity = directory
            .identity(found.tenant, found.identity)
            .ok_or_else(|| lost("its identity is gone".to_owned()))?;
        Ok(Some(Actor {
            identity: identity.clone(),
            via: Via::PeerUid,
            peer_uid: None,
            scopes: Arc::new([Scope::ALL]),
            links: Arc::new([]),
            operator: false,
            transport: "",
        }))
    }
}
