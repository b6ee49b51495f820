//! Reads the bytes of the log, several pages at once, in order.

use std::time::Duration;

use data_encoding::BASE64;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use manushya_core::audit::split_frames;
use manushya_protocol::client::Client;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditBytes, AuditRead};

use crate::context::call;

/// Pages in flight.
const IN_FLIGHT: usize = 3;
/// How long a page may take at the least.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The framed bytes of entries `from` up to, not including, `to`.
#[derive(Debug)]
pub struct Window {
    /// Canonical entries, each behind its length as a big-endian u32.
    pub bytes: Vec<u8>,
    /// How many entries those are.
    pub entries: u64,
}

/// Reads entries 1 to `size` in order.
///
/// The daemon fills pages by bytes, so that where the next page starts is known only when the one
/// before is there. Since entries hardly differ in length, the first page says how many a page
/// has; from then on windows of a little less are read side by side.
pub struct Pages {
    client: Client,
    size: u64,
    next: u64,
    step: u64,
    in_flight: FuturesOrdered<BoxFuture<'static, Result<Window, WireError>>>,
}

impl Pages {
    /// Starts reading.
    pub fn new(client: Client, size: u64) -> Self {
        Self {
            client,
            size,
            next: 1,
            step: 0,
            in_flight: FuturesOrdered::new(),
        }
    }

    /// The next entries; nothing when all are read.
    ///
    /// # Errors
    ///
    /// What a page fails with, or `INTEGRITY` if the daemon sends fewer entries than it signed for.
    pub async fn next(&mut self) -> Result<Option<Window>, WireError> {
        if self.step == 0 {
            if self.size == 0 {
                return Ok(None);
            }
            let page = decode(read(&self.client, 1).await?)?;
            let window = clip(page, self.size)?;
            self.next = 1 + window.entries;
            self.step = (window.entries * 9 / 10).max(1);
            return Ok(Some(window));
        }
        while self.in_flight.len() < IN_FLIGHT && self.next <= self.size {
            let end = (self.next + self.step).min(self.size + 1);
            self.in_flight
                .push_back(Box::pin(window(self.client.clone(), self.next, end)));
            self.next = end;
        }
        self.in_flight.next().await.transpose()
    }
}

async fn read(client: &Client, from: u64) -> Result<AuditBytes, WireError> {
    call!(
        client,
        audit_read,
        AuditRead {
            from: AuditSeq(from)
        }
    )
    .await
}

async fn window(client: Client, from: u64, end: u64) -> Result<Window, WireError> {
    let mut whole = Window {
        bytes: Vec::new(),
        entries: 0,
    };
    while from + whole.entries < end {
        let page = decode(read(&client, from + whole.entries).await?)?;
        let part = clip(page, end - from - whole.entries)?;
        whole.bytes.extend_from_slice(&part.bytes);
        whole.entries += part.entries;
    }
    Ok(whole)
}

fn decode(page: AuditBytes) -> Result<Vec<u8>, WireError> {
    BASE64
        .decode(page.entries.as_bytes())
        .map_err(|error| broken("the daemon's audit bytes are not base64", error.to_string()))
}

/// At most `most` entries from the start of a page.
fn clip(mut bytes: Vec<u8>, most: u64) -> Result<Window, WireError> {
    let (mut end, mut entries) = (0usize, 0u64);
    for frame in split_frames(&bytes) {
        let frame =
            frame.map_err(|error| broken("the daemon's audit bytes are cut", error.to_string()))?;
        end += 4 + frame.len();
        entries += 1;
        if entries == most {
            break;
        }
    }
    if entries == 0 {
        let reason = "it sent no more entries, though it signed for more".to_owned();
        return Err(broken("the audit log ends early", reason));
    }
    bytes.truncate(end);
    Ok(Window { bytes, entries })
}

fn broken(message: &str, reason: String) -> WireError {
    WireError::new(ErrorCode::Integrity, message).reason(reason)
}

#[cfg(test)]
mod tests {
    use manushya_core::audit::push_frame;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn clip_keeps_whole_entries_from_the_start(
            entries in vec(vec(any::<u8>(), 1..40), 1..20), most in 1u64..30,
        ) {
            let mut bytes = Vec::new();
            for entry in &entries {
                push_frame(&mut bytes, entry).unwrap();
            }
            let window = clip(bytes.clone(), most).unwrap();
            prop_assert_eq!(window.entries, most.min(entries.len() as u64));
            prop_assert!(bytes.starts_with(&window.bytes));
            let kept: Vec<_> = split_frames(&window.bytes).map(|f| f.unwrap().to_vec()).collect();
            prop_assert_eq!(&kept[..], &entries[..kept.len()]);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..80)) {
            let _ = clip(bytes, 5);
        }
    }
}
