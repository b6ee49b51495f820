//! Times, sizes and counts as people read them.

use manushya_protocol::unit::UnixMillis;

/// This moment.
pub fn now() -> UnixMillis {
    UnixMillis(jiff::Timestamp::now().as_millisecond())
}

/// How long ago a moment was, such as `3m ago`; `in 3m` if it is still to come. From 60 days on,
/// the date.
pub fn ago(moment: UnixMillis, now: UnixMillis) -> String {
    let seconds = now.0.saturating_sub(moment.0) / 1000;
    let distance = span(seconds.unsigned_abs());
    match seconds {
        -4..=4 => "now".to_owned(),
        s if s.unsigned_abs() >= 60 * 86_400 => moment.to_string().chars().take(10).collect(),
        s if s < 0 => format!("in {distance}"),
        _ => format!("{distance} ago"),
    }
}

/// A length of time in its largest unit, rounded down: `45s`, `3m`, `5h`, `12d`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A length of time in its two largest units: `3d 4h`.
pub fn long_span(seconds: u64) -> String {
    let parts = [
        (seconds / 86_400, 'd'),
        (seconds / 3600 % 24, 'h'),
        (seconds / 60 % 60, 'm'),
        (seconds % 60, 's'),
    ];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    parts[first..]
        .iter()
        .take(2)
        .enumerate()
        .filter(|(i, (n, _))| *i == 0 || *n > 0)
        .map(|(_, (n, unit))| format!("{n}{unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A moment to the second, with how long ago it was.
pub fn full(moment: UnixMillis, now: UnixMillis) -> String {
    let text = moment.to_string();
    let second = text.split('.').next().unwrap_or(&text);
    format!("{second}Z ({})", ago(moment, now))
}

/// A count with a comma every three digits.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things, in the right number: `1 memory`, `1,204 memories`.
pub fn things(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A size in binary units: `41.2 MiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{n} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let now: UnixMillis = "2026-11-23T12:00:00Z".parse().unwrap();
        let check = |moment: &str, wanted: &str| {
            assert_eq!(ago(moment.parse().unwrap(), now), wanted);
        };
        check("2026-11-23T11:59:58Z", "now");
        check("2026-11-23T11:59:15Z", "45s ago");
        check("2026-11-23T11:57:00Z", "3m ago");
        check("2026-11-23T07:00:00Z", "5h ago");
        check("2026-11-11T12:00:00Z", "12d ago");
        check("2026-03-01T12:00:00Z", "2026-03-01");
        check("2026-11-24T11:00:00Z", "in 23h");
        assert_eq!(
            full("2026-11-23T11:57:00Z".parse().unwrap(), now),
            "2026-11-23T11:57:00Z (3m ago)"
        );
    }

    #[test]
    fn spans_counts_and_sizes() {
        assert_eq!(long_span(3 * 86_400 + 4 * 3600 + 5), "3d 4h");
        assert_eq!(long_span(3600), "1h");
        assert_eq!(long_span(0), "0s");
        assert_eq!(count(0), "0");
        assert_eq!(count(1_204), "1,204");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(43_200_000), "41.2 MiB");
        assert_eq!(things(1, "memory", "memories"), "1 memory");
    }

    proptest! {
        #[test]
        fn any_moment_has_an_age(moment in any::<i64>(), now in any::<i64>()) {
            prop_assert!(!ago(UnixMillis(moment), UnixMillis(now)).is_empty());
        }

        #[test]
        fn counts_keep_their_digits(n in any::<u64>()) {
            prop_assert_eq!(count(n).replace(',', ""), n.to_string());
        }
    }
}
