//! Invitations and enrolment.

use manushya_core::command::Context;
use manushya_core::decide::access::{Access, draft};
use manushya_core::decide::invitation::{self as decide, enroll_draft};
use manushya_core::directory::Directory;
use manushya_core::model::{Action, ExternalId, Invitation, Resource, Role};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::RequestId;
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::identity::IdentityCreated;
use manushya_protocol::v1::invitation::{
    Enroll, InvitationList, InvitationRef, InvitationView, Invite, Invited,
};

use super::identity::listed_plan;
use super::login::Caller;
use super::{Service, convert, page};
use crate::auth::opaque;

/// What every code starts with.
const PREFIX: &str = "me_";
const DOMAIN: &str = "enrolment-code";

pub(super) fn show(directory: &Directory, it: &Invitation, now: UnixMillis) -> InvitationView {
    InvitationView {
        id: it.id,
        role: it.role.to_string(),
        external_id: it.external_id.as_ref().map(ToString::to_string),
        label: it.label.clone(),
        state: it.state(now).as_str().to_owned(),
        invited_by: convert::name_of(directory, it.tenant, it.invited_by),
        created_at: it.created_at,
        expires_at: it.expires_at,
        revoked_at: it.revoked_at,
        accepted_at: it.accepted.map(|(at, _)| at),
        identity_id: it.accepted.map(|(_, identity)| identity),
    }
}

impl Service {
    fn invited(&self, it: &Invitation, code: Option<BearerToken>, now: UnixMillis) -> Invited {
        Invited {
            code,
            id: it.id,
            expires_at: it.expires_at,
            invitation: show(&self.writer.published().directory, it, now),
        }
    }

    /// Invites.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn identity_invite(
        &self,
        context: Context,
        request: Invite,
    ) -> Result<Invited, WireError> {
        let invalid = |error| convert::invalid(&error);
        let (code, tag) = self.new_secret(PREFIX, DOMAIN);
        let command = decide::Invite {
            id: self.new_invitation_id(),
            tag,
            role: Role::new(request.role).map_err(invalid)?,
            external_id: request
                .external_id
                .map(ExternalId::new)
                .transpose()
                .map_err(invalid)?,
            label: request.label,
            ttl_seconds: request
                .ttl_seconds
                .unwrap_or(limits::INVITATION_TTL_SECONDS_DEFAULT),
            token_ttl_seconds: request
                .token_ttl_seconds
                .unwrap_or(limits::TOKEN_TTL_SECONDS_DEFAULT),
        };
        let fallback = draft(&context, Action::Create, Resource::Identity);
        let (dry_run, now) = (context.dry_run, context.now);
        let made = self
            .change(fallback, move |txn| decide::invite(txn, &context, command))
            .await?;
        Ok(self.invited(&made, (!dry_run).then_some(code), now))
    }

    /// Lists the invitations of the tenant, to those who may read its identities.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn invitation_list(
        &self,
        context: Context,
        request: InvitationList,
    ) -> Result<Listed<InvitationView>, WireError> {
        page::limit(&request.page)?;
        self.read(&context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Identity)?;
            access.require()?;
            let chosen = directory
                .gates()
                .invitations(context.actor.identity.tenant)
                .map(|it| show(directory, it, context.now))
                .filter(|it| request.all_states || it.state == "open");
            let listed = page::cut(chosen, &request.page, |it| it.id.to_string(), Clone::clone);
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Shows an invitation, and so whether its code is still good.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn invitation_show(
        &self,
        context: Context,
        request: InvitationRef,
    ) -> Result<InvitationView, WireError> {
        self.read(&context, |view, context| {
            let (access, it) = decide::require(view, context, Action::Read, request.id)?;
            let shown = show(view.directory(), &it, context.now);
            Ok(access.plan(Vec::new(), 1, shown))
        })
        .await
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn invitation_revoke(
        &self,
        context: Context,
        request: InvitationRef,
    ) -> Result<Done, WireError> {
        let fallback = draft(&context, Action::Delete, Resource::Identity);
        let revoked = self
            .change(fallback, move |txn| {
                decide::revoke(txn, &context, request.id)
            })
            .await?;
        Ok(Done {
            id: revoked.id.to_string(),
            outcome: "revoked".to_owned(),
        })
    }

    /// Gives an invitation a new code.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn invitation_resend(
        &self,
        context: Context,
        request: InvitationRef,
    ) -> Result<Invited, WireError> {
        let (code, tag) = self.new_secret(PREFIX, DOMAIN);
        let fallback = draft(&context, Action::Update, Resource::Identity);
        let (dry_run, now) = (context.dry_run, context.now);
        let it = self
            .change(fallback, move |txn| {
                decide::resend(txn, &context, request.id, tag)
            })
            .await?;
        Ok(self.invited(&it, (!dry_run).then_some(code), now))
    }

    /// Turns a code into an identity and its first token. The code is the credential, and used up.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` for a code that is not good, or what the deciding or the writer said.
    pub async fn enroll(
        &self,
        caller: &Caller,
        request: Enroll,
        request_id: RequestId,
    ) -> Result<IdentityCreated, WireError> {
        let tag = opaque::tag(&*self.ports.cipher, DOMAIN, &request.code);
        let known = opaque::is_well_formed(&request.code, PREFIX)
            .then(|| {
                let published = self.writer.published();
                let found = published.directory.gates().invitation_by_code(&tag);
                found.map(|it| (it.tenant, it.id))
            })
            .flatten();
        let Some(invitation) = known else {
            let error =
                WireError::new(ErrorCode::Unauthenticated, "the enrolment code is not good")
                    .reason("the daemon does not know it")
                    .hint("look whether it is whole; it starts with me_");
            self.audit_durably(self.failed_login(caller, request_id, &error))
                .await?;
            return Err(error);
        };
        let external_id = request.external_id.map(ExternalId::new).transpose();
        let command = decide::Enroll {
            invitation,
            tag,
            identity: self.new_identity_id(),
            token: self.new_token_id(),
            external_id: external_id.map_err(|error| convert::invalid(&error))?,
            name: request.name,
            peer_uid: caller.peer.uid,
            now: self.ports.clock.now(),
            request_id,
        };
        let (identity, token) = self
            .change(enroll_draft(&command), move |txn| {
                decide::enroll(txn, &command)
            })
            .await?;
        let directory = &self.writer.published().directory;
        Ok(IdentityCreated {
            access_token: Some(self.sign(directory, &identity, &token)?),
            token_type: "bearer".to_owned(),
            expires_at: Some(token.expires_at),
            identity: convert::identity(directory, &identity),
        })
    }
}
