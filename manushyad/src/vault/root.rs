//! The root epochs: what `root.age` holds once it is decrypted.

use std::io;

use zeroize::Zeroizing;

use super::key::{KEY_BYTES, Key};

const MAGIC: &[u8; 8] = b"MNSHROOT";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 12;
const EPOCH_BYTES: usize = 8 + KEY_BYTES;

/// One root key. All other keys are wrapped under keys derived from it.
pub(super) struct RootEpoch {
    /// Counts the roots, from 1.
    pub(super) epoch: u64,
    /// The root key.
    pub(super) key: Key,
}

impl RootEpoch {
    /// A new root, one epoch after `previous`.
    pub(super) fn after(previous: u64) -> io::Result<Self> {
        let epoch = previous
            .checked_add(1)
            .ok_or_else(|| io::Error::other("the root epochs are used up"))?;
        let key = Key::random()?;
        Ok(Self { epoch, key })
    }
}

/// The bytes of `root.age` before encryption.
pub(super) fn encode(roots: &[RootEpoch]) -> Zeroizing<Vec<u8>> {
    let bytes_max = HEADER_BYTES + roots.len() * EPOCH_BYTES;
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    let count = u16::try_from(roots.len()).expect("there are one or two roots");
    bytes.extend_from_slice(&count.to_be_bytes());
    for root in roots {
        bytes.extend_from_slice(&root.epoch.to_be_bytes());
        bytes.extend_from_slice(root.key.expose());
    }
    bytes
}

/// The inverse of [`encode`]: one root, or two of rising epochs.
///
/// # Errors
///
/// What is wrong with the bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<RootEpoch>, &'static str> {
    let (header, mut rest) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or("it is cut short")?;
    if &header[..8] != MAGIC {
        return Err("it does not hold root keys");
    }
    if header[8..10] != VERSION.to_be_bytes() {
        return Err("its version is unknown");
    }
    let count = usize::from(u16::from_be_bytes([header[10], header[11]]));
    if !(1..=2).contains(&count) || rest.len() != count * EPOCH_BYTES {
        return Err("it does not hold one or two root keys");
    }
    let mut roots: Vec<RootEpoch> = Vec::with_capacity(count);
    while let Some((one, behind)) = rest.split_at_checked(EPOCH_BYTES) {
        let (epoch, key) = one.split_at(8);
        let epoch = u64::from_be_bytes(epoch.try_into().map_err(|_| "it is cut short")?);
        let key = Key::from_slice(key).ok_or("it is cut short")?;
        if roots.last().is_some_and(|last| last.epoch >= epoch) {
            return Err("its root keys are out of order");
        }
        roots.push(RootEpoch { epoch, key });
        rest = behind;
    }
    Ok(roots)
}
