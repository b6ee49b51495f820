//! Every bound in one place. Untrusted bytes meet these before they meet an allocation.

/// The longest frame either end accepts, in bytes.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// How many bytes of items the daemon puts into one page, so that a reply fits its frame.
pub const PAGE_BYTES_MAX: usize = 700 << 10;
/// Requests in flight on one connection; further ones wait in the socket.
pub const IN_FLIGHT_MAX: usize = 64;
/// How many bytes of requests may be in flight on one connection before further ones wait.
pub const IN_FLIGHT_BYTES_MAX: usize = 2 << 20;
/// Connections of one peer uid.
pub const CONNECTIONS_PER_UID_MAX: usize = 64;
/// How many of them are kept for who administers the daemon; others are told to come back.
pub const CONNECTIONS_ADMIN_RESERVED: usize = 8;
/// How long a connection of the reserve may stay silent before it is closed, in milliseconds.
pub const RESERVE_HELLO_MS_MAX: u64 = 1000;
/// The furthest deadline a client may set, in seconds; further ones are clamped.
pub const DEADLINE_SECONDS_MAX: u64 = 300;
/// How long a long poll may wait, in milliseconds.
pub const WAIT_MS_MAX: u64 = 25_000;
/// How long a new connection may stay silent before it is closed, in seconds.
pub const HELLO_SECONDS_MAX: u64 = 10;

/// Commands waiting for the writer; when full, calls fail with `RESOURCE_EXHAUSTED`.
pub const QUEUE_COMMANDS_MAX: usize = 4096;
/// How many of them are kept for reads, so that those get through while writes are full.
pub const QUEUE_READS_RESERVED: usize = 768;
/// How many of them are kept for who administers the daemon.
pub const QUEUE_ADMIN_RESERVED: usize = 256;

/// Text of one memory, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Metadata of one memory, as JSON, in bytes.
pub const METADATA_BYTES_MAX: usize = 16 << 10;
/// Keys of one memory's metadata.
pub const METADATA_KEYS_MAX: usize = 64;
/// Tags of one memory.
pub const TAGS_MAX: usize = 32;
/// One tag, type, role or session name, in bytes.
pub const LABEL_BYTES_MAX: usize = 64;
/// A namespace path, in bytes.
pub const NAMESPACE_BYTES_MAX: usize = 512;
/// Segments of a namespace path.
pub const NAMESPACE_DEPTH_MAX: usize = 16;
/// The caller's own key of a memory, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// Where a memory's writer says it has it from, in bytes.
pub const SOURCE_BYTES_MAX: usize = 512;
/// An external id, in bytes.
pub const EXTERNAL_ID_BYTES_MAX: usize = 255;
/// A name or description, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 2048;
/// Claims of one identity, as JSON, in bytes.
pub const CLAIMS_BYTES_MAX: usize = 8 << 10;

/// A search query, in bytes.
pub const QUERY_BYTES_MAX: usize = 64 << 10;
/// Results of one search.
pub const SEARCH_LIMIT_MAX: u32 = 1000;
/// Results of a search that does not say how many.
pub const SEARCH_LIMIT_DEFAULT: u32 = 10;
/// Tokens of a block of recalled memories, at the least and at the most.
pub const RECALL_TOKENS_MIN: u32 = 128;
/// See [`RECALL_TOKENS_MIN`].
pub const RECALL_TOKENS_MAX: u32 = 32_000;
/// Tokens of a block of recalled memories of which nobody said how many.
pub const RECALL_TOKENS_DEFAULT: u32 = 2000;
/// How many memories on each side in its session a recalled memory may bring along.
pub const RECALL_AROUND_MAX: u32 = 2;
/// From which cosine on a text counts as a duplicate of another if nobody said.
pub const DUPLICATE_COSINE_DEFAULT: f32 = 0.9;
/// How many memories one can supersede.
pub const SUPERSEDES_MAX: usize = 16;
/// Items of one page.
pub const PAGE_LIMIT_MAX: u32 = 1000;
/// Items of a page that does not say how many.
pub const PAGE_LIMIT_DEFAULT: u32 = 50;
/// Memories of one batch.
pub const BATCH_ITEMS_MAX: usize = 512;

/// A policy rule, as JSON, in bytes.
pub const RULE_BYTES_MAX: usize = 16 << 10;
/// Nesting of a policy rule.
pub const RULE_DEPTH_MAX: usize = 16;
/// Values and operators of a policy rule.
pub const RULE_NODES_MAX: usize = 256;
/// Policies of one tenant.
pub const POLICIES_MAX: usize = 10_000;

/// An access token, in bytes, before anything of it is parsed.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// Scopes of one token.
pub const SCOPES_MAX: usize = 32;
/// The longest life of an access token, in seconds (90 days).
pub const TOKEN_TTL_SECONDS_MAX: u64 = 90 * 86_400;
/// The life of an access token that does not say, in seconds (24 hours).
pub const TOKEN_TTL_SECONDS_DEFAULT: u64 = 86_400;

/// Types that one token may be limited to.
pub const TOKEN_TYPES_MAX: usize = 16;
/// How often one token can be used, if that is counted.
pub const TOKEN_USES_MAX: u32 = 1_000_000;
/// How many credentials may be made one with the other.
pub const DELEGATION_DEPTH_MAX: usize = 5;
/// The longest life of an API key, in seconds (366 days).
pub const API_KEY_TTL_SECONDS_MAX: u64 = 366 * 86_400;
/// The life of an API key that does not say, in seconds (90 days).
pub const API_KEY_TTL_SECONDS_DEFAULT: u64 = 90 * 86_400;

/// The life of the access tokens of a session, in seconds (15 minutes).
pub const SESSION_ACCESS_SECONDS: u64 = 900;
/// The life of a session that does not say, in seconds (30 days).
pub const SESSION_TTL_SECONDS_DEFAULT: u64 = 30 * 86_400;
/// What a client shows again if it did not hear of a refresh, in bytes.
pub const RETRY_KEY_BYTES_MAX: usize = 64;
/// The longest life of an enrolment code, in seconds (30 days).
pub const INVITATION_TTL_SECONDS_MAX: u64 = 30 * 86_400;
/// The life of an enrolment code that does not say, in seconds (7 days).
pub const INVITATION_TTL_SECONDS_DEFAULT: u64 = 7 * 86_400;

/// How long a deleted memory can be restored unless configured otherwise, in seconds (30 days).
pub const RETENTION_SECONDS_DEFAULT: u64 = 30 * 86_400;
/// How long a purge plan can be applied, in seconds.
pub const PLAN_TTL_SECONDS: u64 = 3600;
/// How many memories one purge plan may cover.
pub const PLAN_MEMORIES_MAX: usize = 1_000_000;

/// Longest file of a passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 4096;
