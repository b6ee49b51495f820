//! The columns and fields of everything the daemon answers with.

use manushya_protocol::v1::api_key::ApiKeyView;
use manushya_protocol::v1::approval::ApprovalView;
use manushya_protocol::v1::audit::{
    AuditConsistency, AuditCounts, AuditHeadView, AuditProof, AuditView, CheckpointView,
};
use manushya_protocol::v1::backup::BackupView;
use manushya_protocol::v1::common::Done;
use manushya_protocol::v1::erasure::{HoldView, ReceiptView, RetentionView};
use manushya_protocol::v1::identity::{IdentityView, TenantView};
use manushya_protocol::v1::invitation::InvitationView;
use manushya_protocol::v1::key::KeyView;
use manushya_protocol::v1::limit::LimitView;
use manushya_protocol::v1::memory::{MemoryAdded, MemoryView, SearchHit};
use manushya_protocol::v1::policy::{DecisionView, PolicyChange, PolicyView};
use manushya_protocol::v1::purge::{PlanView, Purged};
use manushya_protocol::v1::recall::RecalledMemory;
use manushya_protocol::v1::review::{LintView, PermissionView, RevisionView};
use manushya_protocol::v1::session::SessionView;
use manushya_protocol::v1::system::{Check, WhoAmI};
use manushya_protocol::v1::token::TokenView;
use serde::Serialize;

use super::render::{Column, Kind, Row};

const fn column(title: &'static str, path: &'static str, kind: Kind) -> Column {
    Column { title, path, kind }
}

macro_rules! rows {
    ($($type:ty: name $name:literal, columns [$($title:literal $path:literal $kind:ident),* $(,)?],
       fields [$($field:literal)*];)*) => {
        $(impl Row for $type {
            const COLUMNS: &'static [Column] = &[$(column($title, $path, Kind::$kind)),*];
            const FIELDS: &'static [&'static str] = &[$($field),*];
            const NAME: &'static str = $name;
        })*
    };
}

rows! {
    TenantView: name "name",
        columns ["NAME" "name" Text, "IDENTITIES" "identities" Count, "POLICIES" "policies" Count,
            "CREATED" "created_at" Age, "ID" "id" Text],
        fields ["id" "name" "created_at" "identities" "policies"];
    IdentityView: name "id",
        columns ["ID" "id" Text, "EXTERNAL ID" "external_id" Text, "ROLE" "role" Text,
            "ACTIVE" "is_active" Flag, "CREATED" "created_at" Age, "SEEN" "last_seen_at" Age,
            "NAME" "name" Text],
        fields ["id" "tenant" "external_id" "role" "name" "description" "claims" "is_active"
            "quarantine" "created_at" "updated_at" "last_seen_at" "bindings"];
    TokenView: name "id",
        columns ["ID" "id" Text, "IDENTITY" "identity" Text, "STATE" "state" State,
            "ISSUED" "issued_at" Age, "EXPIRES" "expires_at" Age, "SCOPES" "scopes" Text,
            "LABEL" "label" Text],
        fields ["id" "identity" "identity_id" "scopes" "label" "issued_at" "expires_at"
            "revoked_at" "state" "kind" "parent" "chain" "namespace" "types" "uses" "uses_left"
            "purpose"];
    MemoryView: name "id",
        columns ["ID" "id" Text, "OWNER" "owner" Text, "AGE" "created_at" Age, "TYPE" "type" Text,
            "TEXT" "text" Text],
        fields ["id" "owner" "owner_id" "key" "type" "tags" "namespace" "session" "trust"
            "version" "created_at" "updated_at" "expires_at" "deleted_at"
            "superseded_by" "superseded_at" "supersedes" "provenance.writer"
            "provenance.writer_id" "provenance.token" "provenance.delegation"
            "provenance.peer_uid" "provenance.source" "provenance.request_id"
            "provenance.written_at" "quarantined" "metadata" "text"];
    SearchHit: name "memory.id",
        columns ["SCORE" "score" Score, "ID" "memory.id" Text, "OWNER" "memory.owner" Text,
            "AGE" "memory.created_at" Age, "TYPE" "memory.type" Text, "TEXT" "memory.text" Text],
        fields ["score" "memory.id" "memory.owner" "memory.owner_id" "memory.key" "memory.type"
            "memory.tags" "memory.namespace" "memory.session" "memory.trust" "memory.version"
            "memory.created_at" "memory.updated_at" "memory.expires_at" "memory.deleted_at"
            "memory.superseded_by" "memory.superseded_at" "memory.supersedes" "duplicates"
            "memory.provenance.writer" "memory.provenance.source" "memory.quarantined"
            "memory.metadata" "memory.text"
            "explain"];
    RecalledMemory: name "memory.id",
        columns ["SCORE" "score" Score, "ID" "memory.id" Text, "OWNER" "memory.owner" Text,
            "AGE" "memory.created_at" Age, "TEXT" "memory.text" Text],
        fields ["score" "memory.id" "memory.owner" "memory.owner_id" "memory.type"
            "memory.namespace" "memory.session" "memory.trust" "memory.created_at" "cut"
            "duplicates" "memory.text"];
    MemoryAdded: name "id",
        columns ["ID" "id" Text, "VERSION" "version" Count, "OUTCOME" "outcome" State,
            "CREATED" "created_at" Age],
        fields ["id" "version" "created_at" "outcome" "supersedes"];
    PolicyView: name "name",
        columns ["NAME" "name" Text, "ROLE" "role" Text, "EFFECT" "effect" State,
            "PRIORITY" "priority" Text, "ACTIVE" "is_active" Flag, "REV" "revision" Count,
            "RULE" "rule" Text],
        fields ["id" "name" "role" "effect" "priority" "is_active" "revision" "description"
            "created_at" "updated_at" "rule"];
    PolicyChange: name "policy.name",
        columns ["OUTCOME" "outcome" State, "NAME" "policy.name" Text, "ROLE" "policy.role" Text,
            "EFFECT" "policy.effect" State, "REV" "policy.revision" Count],
        fields ["outcome" "policy.id" "policy.name" "policy.role" "policy.effect"
            "policy.priority" "policy.is_active" "policy.revision" "policy.description"
            "policy.created_at" "policy.updated_at" "policy.rule"];
    DecisionView: name "policy",
        columns ["ALLOWED" "allowed" Flag, "POLICY" "policy" Text, "REASON" "reason" Text],
        fields ["allowed" "policy" "revision" "reason"];
    AuditView: name "seq",
        columns ["SEQ" "seq" Text, "TIME" "time" Age, "ACTOR" "actor" Text,
            "ACTION" "action" Text, "RESOURCE" "resource" Text, "DECISION" "decision" State,
            "OUTCOME" "outcome" Text, "POLICY" "policy" Text, "TARGET" "resource_id" Text],
        fields ["seq" "time" "tenant" "actor" "actor_id" "peer_uid" "token" "action" "resource"
            "resource_id" "decision" "policy" "policy_revision" "request_id" "outcome" "count"
            "hash" "prev_hash" "delegation" "shadow" "alert" "api_key" "session" "key_epoch"
            "next_audit_key" "extensions" "decided_by"];
    AuditCounts: name "entries",
        columns ["ENTRIES" "entries" Count],
        fields ["entries" "first" "last" "by_action" "by_decision" "by_outcome" "by_actor"
            "by_day" "earlier"];
    AuditHeadView: name "root",
        columns ["SIZE" "size" Count, "ROOT" "root" Text, "KEY" "public_key" Text],
        fields ["size" "root" "last_hash" "public_key" "checkpoint" "hand_overs"];
    AuditProof: name "seq",
        columns ["SEQ" "seq" Text, "ENTRY" "entry" Text],
        fields ["format" "seq" "entry" "proof" "checkpoint" "hand_overs"];
    AuditConsistency: name "format",
        columns ["OLD" "old" Text, "NEW" "new" Text],
        fields ["format" "old" "new" "proof" "hand_overs"];
    CheckpointView: name "size",
        columns ["SIZE" "size" Count, "ROOT" "root" Text],
        fields ["size" "root" "checkpoint"];
    PlanView: name "id",
        columns ["ID" "id" Text, "STATE" "state" State, "CREATED" "created_at" Age,
            "MEMORIES" "memories" Count, "TOKENS" "tokens" Count, "IDENTITIES" "identities" Count,
            "SCOPE" "scope" Text],
        fields ["id" "confirm" "scope" "memories" "versions" "tokens" "identities" "created_at"
            "expires_at" "state" "applied_at"];
    Purged: name "plan",
        columns ["PLAN" "plan" Text, "MEMORIES" "memories" Count, "VERSIONS" "versions" Count,
            "TOKENS" "tokens" Count, "IDENTITIES" "identities" Count,
            "KEYS DESTROYED" "keys_destroyed" Count, "AUDIT" "audit_seq" Text],
        fields ["plan" "memories" "versions" "tokens" "identities" "keys_destroyed" "audit_seq"
            "receipt" "warning" "due"];
    ReceiptView: name "plan",
        columns ["PLAN" "plan" Text, "APPLIED" "applied_at" Age, "MEMORIES" "memories" Count,
            "KEYS DESTROYED" "keys_destroyed" Count, "AUDIT" "audit_seq" Text],
        fields ["plan" "tenant" "scope" "subject" "erased" "planned_at" "applied_at" "memories" "versions"
            "tokens" "identities" "tags" "keys_destroyed" "root_epoch" "files_checked"
            "audit_seq" "held_by" "public_key" "checkpoint" "entry" "proof" "note"
            "hand_overs"];
    RetentionView: name "type",
        columns ["TYPE" "type" Text, "KEPT" "keep" Text, "DELETED KEPT" "keep_deleted" Text,
            "SET" "set_at" Age, "BY" "set_by" Text],
        fields ["type" "keep" "keep_deleted" "origin" "set_by" "set_at" "due"];
    BackupView: name "id",
        columns ["ID" "id" Text, "TAKEN" "created_at" Age, "KEPT UNTIL" "keep_until" Age,
            "RECORDS" "records" Count, "BYTES" "bytes" Count, "RECIPIENTS" "recipients" Text],
        fields ["id" "created_at" "keep_until" "recipients" "audit_size" "records" "bytes"];
    HoldView: name "id",
        columns ["ID" "id" Text, "SCOPE" "scope" Text, "KEEPS" "keeps" Text, "SET BY" "set_by" Text,
            "AGE" "created_at" Age, "REASON" "reason" Text],
        fields ["id" "scope" "keeps" "reason" "set_by" "created_at"];
    Done: name "id",
        columns ["ID" "id" Text, "OUTCOME" "outcome" Text],
        fields ["id" "outcome"];
    WhoAmI: name "external_id",
        columns ["EXTERNAL ID" "external_id" Text, "ROLE" "role" Text, "TENANT" "tenant" Text,
            "VIA" "via" Text],
        fields ["external_id" "id" "role" "tenant" "via" "peer_uid" "operator" "token" "scopes"
            "expires_at" "acts_for"];
    Check: name "id",
        columns ["VERDICT" "verdict" State, "CHECK" "id" Text, "EVIDENCE" "evidence" Text],
        fields ["id" "verdict" "evidence" "fix"];
    SessionView: name "id",
        columns ["ID" "id" Text, "IDENTITY" "identity" Text, "LABEL" "label" Text,
            "STATE" "state" State, "UID" "peer_uid" Text, "CREATED" "created_at" Age,
            "LAST USED" "last_used_at" Age, "EXPIRES" "expires_at" Age, "CURRENT" "current" Flag],
        fields ["id" "identity" "identity_id" "label" "peer_uid" "created_at" "last_used_at"
            "expires_at" "revoked_at" "state" "current"];
    InvitationView: name "id",
        columns ["ID" "id" Text, "ROLE" "role" Text, "EXTERNAL ID" "external_id" Text,
            "STATE" "state" State, "INVITED BY" "invited_by" Text, "CREATED" "created_at" Age,
            "EXPIRES" "expires_at" Age, "LABEL" "label" Text],
        fields ["id" "role" "external_id" "label" "state" "invited_by" "created_at" "expires_at"
            "revoked_at" "accepted_at" "identity_id"];
    KeyView: name "kid",
        columns ["KID" "kid" Text, "KIND" "kind" Text, "STATE" "state" State,
            "KEYS" "count" Count, "CREATED" "created_at" Age, "RETIRED" "retired_at" Age],
        fields ["kid" "kind" "state" "count" "created_at" "retired_at"];
    LimitView: name "name",
        columns ["LIMIT" "name" Text, "ROLE" "role" Text, "VALUE" "value" Count,
            "COUNTS" "counts" Text, "USED" "used" Count, "ORIGIN" "origin" State,
            "DEFAULT" "default" Count, "SET BY" "set_by" Text, "SET" "set_at" Age],
        fields ["name" "role" "value" "counts" "used" "origin" "default" "set_by" "set_at"];
    PermissionView: name "identity",
        columns ["IDENTITY" "identity" Text, "ROLE" "role" Text, "ACTION" "action" Text,
            "RESOURCE" "resource" Text, "ANSWER" "answer" State, "POLICY" "policy" Text,
            "CONDITION" "condition" Text],
        fields ["identity" "identity_id" "role" "action" "resource" "answer" "policy" "revision"
            "with_approval" "depends_on" "condition" "reason"];
    RevisionView: name "policy",
        columns ["POLICY" "policy" Text, "REV" "revision" Count, "CHANGE" "change" Text,
            "AGE" "at" Age, "BY" "by" Text, "RULE" "content.rule" Text],
        fields ["policy" "revision" "change" "rolled_back_to" "at" "by" "by_id" "content.id"
            "content.role" "content.effect" "content.priority" "content.is_active"
            "content.description" "content.rule"];
    ApprovalView: name "id",
        columns ["ID" "id" Text, "STATE" "state" State, "IDENTITY" "identity" Text,
            "ACTION" "action" Text, "RESOURCE" "resource" Text, "TARGET" "resource_id" Text,
            "POLICY" "policy" Text, "EXPIRES" "expires_at" Age, "PURPOSE" "purpose" Text],
        fields ["id" "state" "identity" "authority" "method" "action" "resource" "resource_id"
            "policy" "purpose" "decided_by" "created_at" "expires_at"];
    LintView: name "kind",
        columns ["LEVEL" "level" State, "KIND" "kind" Text, "POLICY" "policy" Text,
            "REASON" "reason" Text],
        fields ["level" "kind" "policy" "reason"];
    ApiKeyView: name "id",
        columns ["ID" "id" Text, "NAME" "name" Text, "IDENTITY" "identity" Text,
            "STATE" "state" State, "CREATED" "created_at" Age, "EXPIRES" "expires_at" Age,
            "LAST USED" "last_used_at" Age, "SCOPES" "scopes" Text],
        fields ["id" "name" "identity" "identity_id" "scopes" "namespace" "types" "created_at"
            "expires_at" "last_used_at" "revoked_at" "state"];
}

/// A search result whose score is explained in the table.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Explained<'a>(pub &'a SearchHit);

impl Row for Explained<'_> {
    const COLUMNS: &'static [Column] = &[
        column("SCORE", "score", Kind::Score),
        column("ID", "memory.id", Kind::Text),
        column("MADE OF", "explain", Kind::Parts),
        column("TEXT", "memory.text", Kind::Text),
    ];
    const FIELDS: &'static [&'static str] = SearchHit::FIELDS;
    const NAME: &'static str = SearchHit::NAME;
}
