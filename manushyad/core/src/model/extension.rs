//! What an audit entry may hold beyond its fixed fields: a short list of typed extensions.
//!
//! A reader that does not know a tag keeps its bytes as they are, so that logs of newer programs
//! verify in older ones. `docs/formats/audit.md` has the tags byte by byte.

use manushya_protocol::id::{IdentityId, PolicyId, TokenId};

use super::audit::Decision;
use super::policy::PolicyStamp;

/// The most extensions of one entry.
pub const EXTENSIONS_MAX: usize = 16;

/// The longest value of one extension, in bytes.
pub const EXTENSION_BYTES_MAX: usize = 512;

/// The most that all extensions of an entry take when encoded, tags and lengths included, in bytes.
/// The tags below take 487 at the most.
pub const EXTENSIONS_BYTES_MAX: usize = 768;

/// The most steps of a chain of delegation.
pub const DELEGATION_STEPS_MAX: usize = 5;

/// The most drafts of policies whose verdict one entry holds.
pub const SHADOWS_MAX: usize = 8;

const DELEGATION: u8 = 1;
const SHADOWS: u8 = 2;
const ALERT: u8 = 3;
const API_KEY: u8 = 4;
const SESSION: u8 = 5;
const KEY_EPOCH: u8 = 6;
const NEXT_AUDIT_KEY: u8 = 7;

/// One extension: a tag and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What it is.
    pub tag: u8,
    /// Its value.
    pub bytes: Vec<u8>,
}

/// Says why an extension cannot be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    /// Its tag is not above the one before.
    #[error("the extension {tag} of an audit entry is out of order")]
    Order {
        /// Its tag.
        tag: u8,
    },
    /// It, or all of them together, are beyond a bound.
    #[error("the extension {tag} of an audit entry is beyond the bounds")]
    Bound {
        /// Its tag.
        tag: u8,
    },
    /// A list has more items than an entry holds.
    #[error("an audit entry holds at most {limit} {what}, not {actual}")]
    Items {
        /// What they are.
        what: &'static str,
        /// How many there may be.
        limit: usize,
        /// How many there are.
        actual: usize,
    },
}

/// One step of a chain of delegation: a token that was narrowed from the one before, and who held
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelegationStep {
    /// The token.
    pub token: TokenId,
    /// The identity it is for.
    pub identity: IdentityId,
}

/// What the draft of a policy would have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowVerdict {
    /// The draft, and its revision.
    pub policy: PolicyStamp,
    /// What it would have decided.
    pub decision: Decision,
}

/// Why an entry deserves somebody's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertKind {
    /// A memory was read that exists only to be noticed when it is.
    CanaryRead,
    /// The clock of the machine was set by more than it drifts.
    ClockJump,
    /// A refresh token was used that was used up before.
    RefreshReuse,
    /// A credential was tried too often.
    TooManyFailures,
    /// A second place for the log could not be written.
    AnchorFailed,
    /// The log is not what an anchor outside says it was.
    AnchorMismatch,
    /// A budget or quota is used up.
    BudgetSpent,
    /// The daemon dropped its keys from memory and serves nothing.
    Sealed,
    /// The daemon took up its keys again.
    Unsealed,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::CanaryRead,
        Self::ClockJump,
        Self::RefreshReuse,
        Self::TooManyFailures,
        Self::AnchorFailed,
        Self::AnchorMismatch,
        Self::BudgetSpent,
        Self::Sealed,
        Self::Unsealed,
    ];

    /// Its stable number in entries.
    pub fn code(self) -> u8 {
        match self {
            Self::CanaryRead => 1,
            Self::ClockJump => 2,
            Self::RefreshReuse => 3,
            Self::TooManyFailures => 4,
            Self::AnchorFailed => 5,
            Self::AnchorMismatch => 6,
            Self::BudgetSpent => 7,
            Self::Sealed => 8,
            Self::Unsealed => 9,
        }
    }

    /// The inverse of [`Self::code`].
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CanaryRead => "canary_read",
            Self::ClockJump => "clock_jump",
            Self::RefreshReuse => "refresh_reuse",
            Self::TooManyFailures => "too_many_failures",
            Self::AnchorFailed => "anchor_failed",
            Self::AnchorMismatch => "anchor_mismatch",
            Self::BudgetSpent => "budget_spent",
            Self::Sealed => "sealed",
            Self::Unsealed => "unsealed",
        }
    }
}

/// Which key was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The root, under which all others are wrapped.
    Root,
    /// The keys of records.
    Data,
    /// The key that signs the log.
    Audit,
    /// The key that signs tokens.
    Token,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Root, Self::Data, Self::Audit, Self::Token];

    /// Its stable number in entries.
    pub fn code(self) -> u8 {
        match self {
            Self::Root => 1,
            Self::Data => 2,
            Self::Audit => 3,
            Self::Token => 4,
        }
    }

    /// The inverse of [`Self::code`].
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Data => "data",
            Self::Audit => "audit",
            Self::Token => "token",
        }
    }
}

/// A key that was replaced, and the epoch that begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEpoch {
    /// Which key.
    pub kind: KeyKind,
    /// The new epoch.
    pub epoch: u64,
}

/// The key that signs the log from here on, vouched for by the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextAuditKey {
    /// The new Ed25519 public key.
    pub public: [u8; 32],
    /// The Ed25519 signature of [`Self::signed`] by the key before.
    pub signature: [u8; 64],
}

impl NextAuditKey {
    /// The bytes that the key before signs: `manushya audit key`, a line feed, the new public key.
    pub fn signed(public: &[u8; 32]) -> Vec<u8> {
        [&b"manushya audit key\n"[..], public].concat()
    }
}

/// The extensions of one entry, in ascending order of their tags. None for most entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(Vec<Extension>);

impl Extensions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, tags ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Extension> {
        self.0.iter()
    }

    /// Those whose tag this program does not know, and those of a known tag whose value it cannot
    /// read.
    pub fn unread(&self) -> impl Iterator<Item = &Extension> {
        self.0.iter().filter(|extension| !self.is_read(extension))
    }

    fn is_read(&self, extension: &Extension) -> bool {
        match extension.tag {
            DELEGATION => !self.delegation().is_empty(),
            SHADOWS => !self.shadows().is_empty(),
            ALERT => self.alert().is_some(),
            API_KEY => self.api_key().is_some(),
            SESSION => self.session().is_some(),
            KEY_EPOCH => self.key_epoch().is_some(),
            NEXT_AUDIT_KEY => self.next_audit_key().is_some(),
            _ => false,
        }
    }

    /// Takes in an extension behind all others.
    ///
    /// # Errors
    ///
    /// An [`ExtensionError`] if its tag is not the highest, or if it is beyond a bound.
    pub fn push(&mut self, extension: Extension) -> Result<(), ExtensionError> {
        let tag = extension.tag;
        if self.0.last().is_some_and(|last| last.tag >= tag) {
            return Err(ExtensionError::Order { tag });
        }
        let bytes = self.encoded_len() + 3 + extension.bytes.len();
        if self.0.len() >= EXTENSIONS_MAX
            || extension.bytes.len() > EXTENSION_BYTES_MAX
            || bytes > EXTENSIONS_BYTES_MAX
        {
            return Err(ExtensionError::Bound { tag });
        }
        self.0.push(extension);
        Ok(())
    }

    /// How many bytes they take in an entry, tags and lengths included.
    pub fn encoded_len(&self) -> usize {
        self.0.iter().map(|one| 3 + one.bytes.len()).sum()
    }

    fn get(&self, tag: u8) -> Option<&[u8]> {
        let at = self.0.binary_search_by_key(&tag, |one| one.tag).ok()?;
        Some(&self.0[at].bytes)
    }

    fn set(&mut self, tag: u8, bytes: Vec<u8>) {
        let extension = Extension { tag, bytes };
        match self.0.binary_search_by_key(&tag, |one| one.tag) {
            Ok(at) => self.0[at] = extension,
            Err(at) => self.0.insert(at, extension),
        }
    }

    /// The chain of delegation: the tokens that the one used was made with, from the one that was
    /// issued first on; empty if it was not made with another.
    pub fn delegation(&self) -> Vec<DelegationStep> {
        let (steps, rest) = self.get(DELEGATION).unwrap_or_default().as_chunks::<32>();
        if !rest.is_empty() || steps.len() > DELEGATION_STEPS_MAX {
            return Vec::new();
        }
        let step = |bytes: &[u8; 32]| DelegationStep {
            token: TokenId::from_bytes(part(bytes, 0)),
            identity: IdentityId::from_bytes(part(bytes, 16)),
        };
        steps.iter().map(step).collect()
    }

    /// Sets what [`Self::delegation`] returns. An empty chain sets nothing.
    ///
    /// # Errors
    ///
    /// [`ExtensionError::Items`] above [`DELEGATION_STEPS_MAX`] steps.
    pub fn set_delegation(&mut self, chain: &[DelegationStep]) -> Result<(), ExtensionError> {
        items("steps of delegation", DELEGATION_STEPS_MAX, chain.len())?;
        let bytes: Vec<u8> = chain
            .iter()
            .flat_map(|step| [step.token.to_bytes(), step.identity.to_bytes()].concat())
            .collect();
        if !bytes.is_empty() {
            self.set(DELEGATION, bytes);
        }
        Ok(())
    }

    /// What drafts of policies would have said; empty if none was asked.
    pub fn shadows(&self) -> Vec<ShadowVerdict> {
        let (verdicts, rest) = self.get(SHADOWS).unwrap_or_default().as_chunks::<21>();
        if !rest.is_empty() || verdicts.len() > SHADOWS_MAX {
            return Vec::new();
        }
        let verdict = |bytes: &[u8; 21]| {
            Some(ShadowVerdict {
                policy: PolicyStamp {
                    id: PolicyId::from_bytes(part(bytes, 0)),
                    revision: u32::from_be_bytes(part(bytes, 16)),
                },
                decision: Decision::from_code(bytes[20])?,
            })
        };
        let verdicts: Option<_> = verdicts.iter().map(verdict).collect();
        verdicts.unwrap_or_default()
    }

    /// Sets what [`Self::shadows`] returns. An empty list sets nothing.
    ///
    /// # Errors
    ///
    /// [`ExtensionError::Items`] above [`SHADOWS_MAX`] drafts.
    pub fn set_shadows(&mut self, verdicts: &[ShadowVerdict]) -> Result<(), ExtensionError> {
        items("verdicts of drafts", SHADOWS_MAX, verdicts.len())?;
        let mut bytes = Vec::with_capacity(21 * verdicts.len());
        for verdict in verdicts {
            bytes.extend_from_slice(&verdict.policy.id.to_bytes());
            bytes.extend_from_slice(&verdict.policy.revision.to_be_bytes());
            bytes.push(verdict.decision.code());
        }
        if !bytes.is_empty() {
            self.set(SHADOWS, bytes);
        }
        Ok(())
    }

    /// Why the entry deserves attention.
    pub fn alert(&self) -> Option<AlertKind> {
        self.fixed::<1>(ALERT)
            .and_then(|[code]| AlertKind::from_code(code))
    }

    /// Sets what [`Self::alert`] returns.
    pub fn set_alert(&mut self, kind: AlertKind) {
        self.set(ALERT, vec![kind.code()]);
    }

    /// The id of the API key that was used.
    pub fn api_key(&self) -> Option<[u8; 16]> {
        self.fixed(API_KEY)
    }

    /// Sets what [`Self::api_key`] returns.
    pub fn set_api_key(&mut self, id: [u8; 16]) {
        self.set(API_KEY, id.to_vec());
    }

    /// The id of the session that was used.
    pub fn session(&self) -> Option<[u8; 16]> {
        self.fixed(SESSION)
    }

    /// Sets what [`Self::session`] returns.
    pub fn set_session(&mut self, id: [u8; 16]) {
        self.set(SESSION, id.to_vec());
    }

    /// The key that was replaced.
    pub fn key_epoch(&self) -> Option<KeyEpoch> {
        let bytes: [u8; 9] = self.fixed(KEY_EPOCH)?;
        Some(KeyEpoch {
            kind: KeyKind::from_code(bytes[0])?,
            epoch: u64::from_be_bytes(part(&bytes, 1)),
        })
    }

    /// Sets what [`Self::key_epoch`] returns.
    pub fn set_key_epoch(&mut self, key: KeyEpoch) {
        let mut bytes = vec![key.kind.code()];
        bytes.extend_from_slice(&key.epoch.to_be_bytes());
        self.set(KEY_EPOCH, bytes);
    }

    /// The key that signs the log from the next checkpoint on.
    pub fn next_audit_key(&self) -> Option<NextAuditKey> {
        let bytes: [u8; 96] = self.fixed(NEXT_AUDIT_KEY)?;
        Some(NextAuditKey {
            public: part(&bytes, 0),
            signature: part(&bytes, 32),
        })
    }

    /// Sets what [`Self::next_audit_key`] returns.
    pub fn set_next_audit_key(&mut self, key: &NextAuditKey) {
        self.set(
            NEXT_AUDIT_KEY,
            [&key.public[..], &key.signature[..]].concat(),
        );
    }

    fn fixed<const N: usize>(&self, tag: u8) -> Option<[u8; N]> {
        self.get(tag)?.try_into().ok()
    }
}

/// The `N` bytes of `bytes` from `at` on. Every caller's array is long enough by its type.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

fn items(what: &'static str, limit: usize, actual: usize) -> Result<(), ExtensionError> {
    if actual <= limit {
        return Ok(());
    }
    Err(ExtensionError::Items {
        what,
        limit,
        actual,
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn full() -> Extensions {
        let step = DelegationStep {
            token: TokenId::from_bytes([1; 16]),
            identity: IdentityId::from_bytes([2; 16]),
        };
        let verdict = ShadowVerdict {
            policy: PolicyStamp {
                id: PolicyId::from_bytes([3; 16]),
                revision: 7,
            },
            decision: Decision::Deny,
        };
        let mut all = Extensions::default();
        all.set_next_audit_key(&NextAuditKey {
            public: [4; 32],
            signature: [5; 64],
        });
        all.set_session([6; 16]);
        all.set_api_key([7; 16]);
        all.set_alert(AlertKind::RefreshReuse);
        all.set_key_epoch(KeyEpoch {
            kind: KeyKind::Audit,
            epoch: 3,
        });
        all.set_shadows(&[verdict; SHADOWS_MAX]).unwrap();
        all.set_delegation(&[step; DELEGATION_STEPS_MAX]).unwrap();
        assert!(
            all.set_delegation(&[step; DELEGATION_STEPS_MAX + 1])
                .is_err()
        );
        assert!(all.set_shadows(&[verdict; SHADOWS_MAX + 1]).is_err());
        all
    }

    #[test]
    fn what_is_set_is_read_back_in_order_and_within_the_bounds() {
        let all = full();
        assert_eq!(all.delegation().len(), DELEGATION_STEPS_MAX);
        assert_eq!(all.shadows().len(), SHADOWS_MAX);
        assert_eq!(all.shadows()[3].policy.revision, 7);
        assert_eq!(all.alert(), Some(AlertKind::RefreshReuse));
        assert_eq!(all.api_key(), Some([7; 16]));
        assert_eq!(all.session(), Some([6; 16]));
        assert_eq!(all.key_epoch().unwrap().epoch, 3);
        assert_eq!(all.next_audit_key().unwrap().signature, [5; 64]);
        assert_eq!(all.unread().count(), 0);
        // All known ones fit at once, so that setting one cannot fail.
        assert_eq!(all.encoded_len(), 487);
        let mut again = Extensions::default();
        for one in all.iter() {
            again.push(one.clone()).unwrap();
        }
        assert_eq!(again, all);
    }

    #[test]
    fn setting_again_replaces() {
        let mut one = Extensions::default();
        one.set_alert(AlertKind::ClockJump);
        one.set_alert(AlertKind::CanaryRead);
        assert_eq!(
            (one.iter().len(), one.alert()),
            (1, AlertKind::from_code(1))
        );
        let codes: std::collections::HashSet<_> = AlertKind::ALL.iter().map(|k| k.code()).collect();
        assert_eq!(codes.len(), AlertKind::ALL.len());
    }

    #[test]
    fn bounds_and_order_are_kept() {
        let one = |tag, len| Extension {
            tag,
            bytes: vec![0; len],
        };
        let mut all = Extensions::default();
        all.push(one(9, 0)).unwrap();
        assert_eq!(all.push(one(9, 0)), Err(ExtensionError::Order { tag: 9 }));
        assert_eq!(all.push(one(8, 0)), Err(ExtensionError::Order { tag: 8 }));
        let long = EXTENSION_BYTES_MAX + 1;
        assert_eq!(
            all.push(one(10, long)),
            Err(ExtensionError::Bound { tag: 10 })
        );
        all.push(one(10, EXTENSION_BYTES_MAX)).unwrap();
        assert_eq!(
            all.push(one(11, 300)),
            Err(ExtensionError::Bound { tag: 11 })
        );
        let mut many = Extensions::default();
        for tag in 0..16 {
            many.push(one(tag, 1)).unwrap();
        }
        assert_eq!(
            many.push(one(99, 0)),
            Err(ExtensionError::Bound { tag: 99 })
        );
    }

    proptest! {
        #[test]
        fn noise_is_kept_and_never_read_as_something(tag in any::<u8>(), bytes in vec(any::<u8>(), 0..200)) {
            let mut one = Extensions::default();
            one.push(Extension { tag, bytes: bytes.clone() }).unwrap();
            let unread = one.unread().count() == 1;
            prop_assert_eq!(one.delegation().is_empty(), unread || tag != DELEGATION);
            prop_assert_eq!(one.shadows().is_empty(), unread || tag != SHADOWS);
            prop_assert_eq!(one.alert().is_none(), unread || tag != ALERT);
            prop_assert_eq!(one.session().is_none(), unread || tag != SESSION);
            prop_assert_eq!(&one.iter().next().unwrap().bytes, &bytes);
        }
    }
}
