//! The Common Event Format, as log collectors read it: one line an entry.
//!
//! Format: ArcSight Common Event Format, version 0 (a header of seven fields parted by `|`, then
//! `key=value` pairs). Nothing that an entry holds can end its line, its field or its value.

use std::fmt::Write as _;

use manushya_protocol::v1::audit::AuditView;

/// How grave an entry is, 0 to 10: what deserves attention, what was denied, what failed, the rest.
fn severity(entry: &AuditView) -> u8 {
    match entry {
        _ if entry.more.alert.is_some() => 9,
        _ if entry.decision == "deny" => 6,
        _ if entry.outcome != "OK" => 5,
        _ => 2,
    }
}

/// One entry as a line.
pub fn line(entry: &AuditView) -> String {
    let mut text = String::from("CEF:0|Manushya|manushyad|");
    let event = format!("{}.{}", entry.action, entry.resource);
    let name = format!("{} {}: {}", entry.action, entry.resource, entry.decision);
    for field in [env!("CARGO_PKG_VERSION"), &event, &name] {
        header(&mut text, field);
        text.push('|');
    }
    let _ = write!(text, "{}|", severity(entry));
    let mut first = true;
    let mut pair = |key: &str, value: &str| {
        if value.is_empty() {
            return;
        }
        if !std::mem::take(&mut first) {
            text.push(' ');
        }
        text.push_str(key);
        text.push('=');
        extension(&mut text, value);
    };
    let some = |value: &Option<String>| value.clone().unwrap_or_default();
    pair("rt", &entry.time.0.to_string());
    pair("externalId", &entry.seq.to_string());
    pair("act", &entry.decision);
    pair("outcome", &entry.outcome);
    pair("suser", &entry.actor);
    pair(
        "suid",
        &entry.actor_id.map_or_else(String::new, |id| id.to_string()),
    );
    pair("cnt", &entry.count.to_string());
    let named = [
        ("resourceId", some(&entry.resource_id)),
        ("policy", some(&entry.policy)),
        ("requestId", entry.request_id.to_string()),
        (
            "tenant",
            entry.tenant.map_or_else(String::new, |id| id.to_string()),
        ),
        ("hash", entry.hash.clone()),
        ("alert", some(&entry.more.alert)),
    ];
    for (n, (label, value)) in (1..).zip(&named) {
        if !value.is_empty() {
            pair(&format!("cs{n}Label"), label);
            pair(&format!("cs{n}"), value);
        }
    }
    if let Some(uid) = entry.peer_uid {
        pair("cn1Label", "peerUid");
        pair("cn1", &uid.to_string());
    }
    text.push('\n');
    text
}

/// Writes a field of the header.
fn header(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' | '|' => text.extend(['\\', c]),
            _ if c.is_control() => text.push(' '),
            _ => text.push(c),
        }
    }
}

/// Writes the value of a pair.
fn extension(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' | '=' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            _ if c.is_control() => text.push(' '),
            _ => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use manushya_protocol::id::RequestId;
    use manushya_protocol::unit::{AuditSeq, UnixMillis};
    use proptest::prelude::*;

    use super::*;

    fn entry(actor: &str) -> AuditView {
        AuditView {
            seq: AuditSeq(7),
            time: UnixMillis(1_790_000_000_000),
            tenant: None,
            actor: actor.to_owned(),
            actor_id: None,
            peer_uid: Some(1000),
            token: None,
            action: "read".into(),
            resource: "memory".into(),
            resource_id: None,
            decision: "deny".into(),
            policy: None,
            policy_revision: None,
            request_id: RequestId::from_bytes([1; 16]),
            outcome: "DENIED".into(),
            count: 0,
            hash: "00".into(),
            prev_hash: "ff".into(),
            more: Default::default(),
        }
    }

    /// Reads what stands behind `suser=`, as a collector would.
    fn user(line: &str) -> String {
        let rest = &line[line.find("suser=").unwrap() + 6..];
        let (mut value, mut chars) = (String::new(), rest.chars());
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next().unwrap() {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    other => value.push(other),
                },
                '=' => {
                    // The key of the next pair was read with it.
                    value.truncate(value.rfind(' ').unwrap());
                    return value;
                }
                _ => value.push(c),
            }
        }
        value
    }

    #[test]
    fn line_has_seven_fields_and_what_the_entry_says() {
        let line = line(&entry("agent-a"));
        assert!(line.starts_with("CEF:0|Manushya|manushyad|"), "{line}");
        assert!(line.contains("|read.memory|read memory: deny|6|rt=1790000000000 externalId=7 "));
        assert!(line.contains(" suser=agent-a "), "{line}");
        assert!(line.ends_with(" cn1Label=peerUid cn1=1000\n"), "{line}");
    }

    proptest! {
        #[test]
        fn no_name_breaks_out_of_its_value(name in "(?s)[a=|\\\\\n\r é]{1,20}") {
            let line = line(&entry(&name));
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert!(!line.contains('\r'));
            prop_assert_eq!(user(&line), name);
        }
    }
}
