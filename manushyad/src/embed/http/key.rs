//! The key that a service asks for.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use ureq::http::HeaderValue;

/// The longest key that is read, in bytes.
const KEY_BYTES_MAX: u64 = 4096;

/// An API key as the header that shows it. Never printed.
pub(super) struct ApiKey(SecretString);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

impl ApiKey {
    /// Reads the first line of a file that nobody else may read.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        use std::os::unix::fs::MetadataExt;
        let shown = path.display();
        let unread =
            |error: std::io::Error| format!("the key file {shown} cannot be read: {error}");
        let metadata = std::fs::metadata(path).map_err(unread)?;
        if metadata.mode() & 0o077 != 0 {
            return Err(format!(
                "others may read the key file {shown}; chmod 600 {shown}"
            ));
        }
        if metadata.len() > KEY_BYTES_MAX {
            return Err(format!(
                "the key file {shown} is longer than {KEY_BYTES_MAX} bytes"
            ));
        }
        let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(unread)?);
        let line = text.lines().next().unwrap_or_default().trim();
        let is_plain = line.bytes().all(|byte| byte.is_ascii_graphic());
        if line.is_empty() || !is_plain {
            return Err(format!("the first line of the key file {shown} is no key"));
        }
        Ok(Self(SecretString::from(format!("Bearer {line}"))))
    }

    /// The value of the header `authorization`.
    pub(super) fn header(&self) -> HeaderValue {
        // The characters were checked as it was read.
        let mut value = HeaderValue::from_str(self.0.expose_secret())
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}
