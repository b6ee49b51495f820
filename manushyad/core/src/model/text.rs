//! Validated text: once built, it is within bounds and of the right shape.

use std::fmt;

use manushya_protocol::limits;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Says which field is out of bounds, why, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct Invalid {
    /// The field, as the caller names it.
    pub field: &'static str,
    /// What is wrong with it, without repeating its value.
    pub reason: String,
}

impl Invalid {
    /// Something wrong with `field`.
    pub fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self {
            field,
            reason: reason.into(),
        }
    }
}

fn bounded(field: &'static str, text: &str, bytes_max: usize) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(field, "is empty"));
    }
    if text.len() > bytes_max {
        let reason = format!("is {} bytes; the limit is {bytes_max}", text.len());
        return Err(Invalid::new(field, reason));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "has control characters"));
    }
    Ok(())
}

/// A name of lower-case letters, digits and `. _ - @ +`, so that it needs no quotes anywhere.
fn name_like(field: &'static str, text: &str, bytes_max: usize) -> Result<(), Invalid> {
    bounded(field, text, bytes_max)?;
    let good = |c: char| c.is_ascii_alphanumeric() || "._-@+/".contains(c);
    if text.chars().all(good) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let reason = "may hold letters, digits and . _ - @ + / and starts with a letter or digit";
    Err(Invalid::new(field, reason))
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $field:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks and takes `text`.
            ///
            /// # Errors
            ///
            /// [`Invalid`] if it is empty, too long or of another shape.
            pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
                let text = text.into();
                let check: fn(&'static str, &str) -> Result<(), Invalid> = $check;
                check($field, &text)?;
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// Name of a tenant.
    TenantName, "tenant", |field, text| name_like(field, text, limits::LABEL_BYTES_MAX)
);
text_type!(
    /// The caller's own name of an identity, unique in its tenant.
    ExternalId, "external_id", |field, text| {
        name_like(field, text, limits::EXTERNAL_ID_BYTES_MAX)?;
        // Ids of identities and external ids are given in the same places.
        if text.starts_with("idn_") {
            return Err(Invalid::new(field, "may not start with idn_, as ids of identities do"));
        }
        Ok(())
    }
);
text_type!(
    /// The role of an identity. `*` is no role: it stands for all of them in a policy.
    Role, "role", |field, text| name_like(field, text, limits::LABEL_BYTES_MAX)
);
text_type!(
    /// Name of a policy, unique in its tenant.
    PolicyName, "name", |field, text| {
        name_like(field, text, limits::EXTERNAL_ID_BYTES_MAX)?;
        if text.starts_with("pol_") {
            return Err(Invalid::new(field, "may not start with pol_, as ids of policies do"));
        }
        Ok(())
    }
);
text_type!(
    /// Where the writer of a memory says it has it from: free text on one line.
    Source, "source", |field, text| bounded(field, text, limits::SOURCE_BYTES_MAX)
);
text_type!(
    /// Type of a memory, such as `note`.
    Kind, "type", |field, text| name_like(field, text, limits::LABEL_BYTES_MAX)
);
text_type!(
    /// A tag of a memory.
    Tag, "tag", |field, text| bounded(field, text, limits::LABEL_BYTES_MAX)
);
text_type!(
    /// The episode a memory belongs to.
    Session, "session", |field, text| bounded(field, text, limits::KEY_BYTES_MAX)
);
text_type!(
    /// The caller's own key of a memory.
    MemoryKey, "key", |field, text| bounded(field, text, limits::KEY_BYTES_MAX)
);
text_type!(
    /// A path such as `/team/project`; the root is `/`.
    Namespace, "namespace", check_namespace
);

fn check_namespace(field: &'static str, text: &str) -> Result<(), Invalid> {
    bounded(field, text, limits::NAMESPACE_BYTES_MAX)?;
    if text == "/" {
        return Ok(());
    }
    let Some(path) = text.strip_prefix('/') else {
        return Err(Invalid::new(field, "must start with /"));
    };
    if path.split('/').count() > limits::NAMESPACE_DEPTH_MAX {
        let reason = format!("has more than {} segments", limits::NAMESPACE_DEPTH_MAX);
        return Err(Invalid::new(field, reason));
    }
    let good = |c: char| c.is_alphanumeric() || "._-@+".contains(c);
    let segment_is_good =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(good);
    if path.split('/').all(segment_is_good) {
        return Ok(());
    }
    let reason = "must be a path like /team/project: letters, digits and . _ - @ + in each segment";
    Err(Invalid::new(field, reason))
}

impl Default for Namespace {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl Default for Kind {
    fn default() -> Self {
        Self("note".to_owned())
    }
}

impl Namespace {
    /// Every ancestor from the root down, and the namespace itself: `/`, `/team`, `/team/project`.
    pub fn path(&self) -> Vec<&str> {
        let mut path = vec!["/"];
        if self.0 != "/" {
            let ends = self.0.match_indices('/').map(|(at, _)| at).skip(1);
            path.extend(ends.map(|end| &self.0[..end]));
            path.push(&self.0);
        }
        path
    }
}

/// Checks the text of a memory.
///
/// # Errors
///
/// [`Invalid`] if it is blank or too long.
pub fn check_text(text: &str) -> Result<(), Invalid> {
    if text.len() > limits::TEXT_BYTES_MAX {
        let reason = format!(
            "is {} bytes; the limit is {}",
            text.len(),
            limits::TEXT_BYTES_MAX
        );
        return Err(Invalid::new("text", reason));
    }
    if text.trim().is_empty() {
        return Err(Invalid::new("text", "is empty"));
    }
    Ok(())
}

/// Checks a name or description for people.
///
/// # Errors
///
/// [`Invalid`] if it is too long or has control characters other than line ends and tabs.
pub fn check_description(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.len() > limits::DESCRIPTION_BYTES_MAX {
        let limit = limits::DESCRIPTION_BYTES_MAX;
        return Err(Invalid::new(
            field,
            format!("is {} bytes; the limit is {limit}", text.len()),
        ));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        return Err(Invalid::new(field, "has control characters"));
    }
    Ok(())
}

/// Checks the metadata of a memory: scalars and lists of scalars, so that policies can read them.
///
/// # Errors
///
/// [`Invalid`] if there are too many keys or bytes, or a value is nested.
pub fn check_metadata(metadata: &Map<String, Value>) -> Result<(), Invalid> {
    check_attributes("metadata", metadata, limits::METADATA_BYTES_MAX)
}

/// Checks the claims of an identity: scalars and lists of scalars, so that policies can read them.
///
/// # Errors
///
/// [`Invalid`] if there are too many keys or bytes, or a value is nested.
pub fn check_claims(claims: &Map<String, Value>) -> Result<(), Invalid> {
    check_attributes("claims", claims, limits::CLAIMS_BYTES_MAX)
}

fn check_attributes(
    field: &'static str,
    attributes: &Map<String, Value>,
    bytes_max: usize,
) -> Result<(), Invalid> {
    if attributes.len() > limits::METADATA_KEYS_MAX {
        let limit = limits::METADATA_KEYS_MAX;
        let reason = format!("has {} keys; the limit is {limit}", attributes.len());
        return Err(Invalid::new(field, reason));
    }
    for (key, value) in attributes {
        bounded(field, key, limits::LABEL_BYTES_MAX)?;
        let flat = match value {
            Value::Object(_) => false,
            Value::Array(items) => !items.iter().any(|item| item.is_object() || item.is_array()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        };
        if !flat {
            let reason = "may hold text, numbers, true, false, null and lists of these only";
            return Err(Invalid::new(field, reason));
        }
    }
    let bytes = serde_json::to_vec(attributes).map_or(usize::MAX, |json| json.len());
    if bytes > bytes_max {
        return Err(Invalid::new(
            field,
            format!("is {bytes} bytes; the limit is {bytes_max}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespace_path_lists_every_ancestor() {
        let namespace = Namespace::new("/team/project/x").unwrap();
        assert_eq!(
            namespace.path(),
            ["/", "/team", "/team/project", "/team/project/x"]
        );
        assert_eq!(Namespace::default().path(), ["/"]);
    }

    #[test]
    fn namespace_of_another_shape_is_refused() {
        for text in [
            "", "team", "/team/", "//", "/a//b", "/../etc", "/a b", "/a\n",
        ] {
            assert!(Namespace::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn nested_metadata_is_refused() {
        let nested = serde_json::json!({"a": {"b": 1}});
        assert!(check_metadata(nested.as_object().unwrap()).is_err());
        let flat = serde_json::json!({"a": [1, "x", null], "b": true});
        assert!(check_metadata(flat.as_object().unwrap()).is_ok());
    }
}
