//! Showing what an entry tells beside its fixed fields.

use data_encoding::{BASE64, HEXLOWER};
use manushya_core::directory::Directory;
use manushya_core::model::AuditEntry;
use manushya_protocol::id::{ApprovalId, TokenId};
use manushya_protocol::v1::audit::{
    AuditMore, DelegationView, ExtensionView, KeyEpochView, ShadowView,
};

use super::{identity_name, policy_name};

/// The extensions of an entry, with names where they are known.
pub fn show(directory: &Directory, entry: &AuditEntry) -> AuditMore {
    let all = &entry.draft.extensions;
    if all.is_empty() {
        return AuditMore::default();
    }
    let tenant = entry.draft.tenant;
    let delegation = all.delegation().into_iter().map(|step| DelegationView {
        token: step.token,
        identity: identity_name(directory, tenant, step.identity),
        identity_id: step.identity,
    });
    let shadow = all.shadows().into_iter().map(|verdict| ShadowView {
        policy: policy_name(directory, tenant, verdict.policy.id),
        revision: verdict.policy.revision,
        decision: verdict.decision.as_str().to_owned(),
    });
    AuditMore {
        delegation: delegation.collect(),
        shadow: shadow.collect(),
        alert: all.alert().map(|kind| kind.as_str().to_owned()),
        api_key: all.api_key().map(|id| TokenId::from_bytes(id).to_string()),
        session: all.session().map(|id| TokenId::from_bytes(id).to_string()),
        approval: all
            .approval()
            .map(|id| ApprovalId::from_bytes(id).to_string()),
        key_epoch: all.key_epoch().map(|key| KeyEpochView {
            key: key.kind.as_str().to_owned(),
            epoch: key.epoch,
        }),
        next_audit_key: all.next_audit_key().map(|key| BASE64.encode(&key.public)),
        extensions: all
            .unread()
            .map(|one| ExtensionView {
                tag: one.tag,
                bytes: HEXLOWER.encode(&one.bytes),
            })
            .collect(),
        decided_by: None,
    }
}

#[cfg(test)]
mod tests {
    use manushya_core::audit::Head;
    use manushya_core::model::{
        Action, AlertKind, AuditActor, AuditDraft, Decision, DelegationStep, Extension, Extensions,
        Outcome, Resource,
    };
    use manushya_protocol::id::{IdentityId, RequestId};
    use manushya_protocol::unit::UnixMillis;
    use serde_json::json;

    use super::*;

    fn shown(extensions: Extensions) -> serde_json::Value {
        let (entry, bytes) = Head::new().append(AuditDraft {
            time: UnixMillis(0),
            tenant: None,
            actor: AuditActor::Daemon,
            peer_uid: None,
            token: None,
            action: Action::Read,
            resource: Resource::Memory,
            resource_id: None,
            decision: Decision::Allow,
            policy: None,
            request_id: RequestId::from_bytes([1; 16]),
            outcome: Outcome::Ok,
            count: 1,
            extensions,
        });
        let view = super::super::show(&Directory::default(), &entry, &bytes);
        let shown = serde_json::to_value(&view).unwrap();
        // What is shown is read back by a client.
        let back: manushya_protocol::v1::audit::AuditView =
            serde_json::from_value(shown.clone()).unwrap();
        assert_eq!(back, view);
        shown
    }

    #[test]
    fn what_is_not_there_is_not_named() {
        let shown = shown(Extensions::default());
        assert_eq!(shown.as_object().unwrap().len(), 18, "{shown}");
    }

    #[test]
    fn what_is_there_has_its_name() {
        let mut extensions = Extensions::default();
        extensions.set_alert(AlertKind::CanaryRead);
        let step = DelegationStep {
            token: TokenId::from_bytes([2; 16]),
            identity: IdentityId::from_bytes([3; 16]),
        };
        extensions.set_delegation(&[step, step]).unwrap();
        let newer = Extension {
            tag: 250,
            bytes: vec![0xab],
        };
        extensions.push(newer).unwrap();
        let shown = shown(extensions);
        assert_eq!(shown["alert"], "canary_read");
        assert_eq!(
            shown["delegation"][1]["identity"],
            step.identity.to_string()
        );
        assert_eq!(shown["extensions"], json!([{ "tag": 250, "bytes": "ab" }]));
        assert_eq!(shown.as_object().unwrap().len(), 21, "{shown}");
    }
}
