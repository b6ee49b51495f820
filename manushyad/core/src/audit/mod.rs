//! The tamper-evident audit log as bytes and hashes, without a store or a clock.
//!
//! Entries have one [`canonical`] form. Its hash links each entry to the one before ([`chain`]) and
//! is a leaf of an RFC 6962 tree ([`merkle`]). [`log`] appends, [`checkpoint`] signs the tree's
//! head, and [`verify`] recomputes all of it from bytes and a public key alone. [`tree`] proves parts
//! of it, and [`bundle`] is such a proof as a file. [`handover`] leads from one key to the next. The
//! formats are written down in `docs/formats/audit.md`.

pub mod bundle;
pub mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod examine;
pub mod handover;
pub mod log;
pub mod merkle;
mod note;
pub mod receipt;
#[cfg(test)]
mod strategy;
pub mod subject;
pub mod tree;
pub mod verify;

pub use bundle::{BUNDLE_BYTES_MAX, Bundle, BundleError, Proved};
pub use canonical::{DecodeError, ENTRY_BYTES_MAX, decode, encode};
pub use chain::entry_hash;
pub use checkpoint::{Checkpoint, NoteError, Origin, VerifierKey};
pub use examine::{Examiner, Notes, read_notes};
pub use handover::{HandOver, HandOverError, Keys};
pub use log::{Head, HeadError};
pub use receipt::{HeldBy, Receipt, ReceiptError};
pub use subject::{ExportCheck, ExportError, ExportManifest, ExportPart};
pub use tree::{Leaves, Tree};
pub use verify::{Broken, FrameError, Summary, Verifier, What, push_frame, split_frames};
