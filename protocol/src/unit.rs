//! Units: numbers that carry what they measure.

use std::fmt;
use std::str::FromStr;

use jiff::{SpanRelativeTo, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment: milliseconds since 1970-01-01T00:00:00Z. Text and JSON are RFC 3339 in UTC.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The moment `millis` later, stopping at the ends of the range.
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The moment `seconds` later, stopping at the ends of the range.
    pub fn plus_seconds(self, seconds: u64) -> Self {
        let millis = i64::try_from(seconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        self.plus_millis(millis)
    }

    /// Whole seconds since the epoch, as JWT claims count them.
    pub fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "@{}ms", self.0),
        }
    }
}

impl fmt::Debug for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for UnixMillis {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let refuse = || ParseUnitError::Time(text.chars().take(64).collect());
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Ok(Self(timestamp.as_millisecond()));
        }
        // A civil date or date-time without an offset is taken as UTC.
        let civil: jiff::civil::DateTime = text.parse().map_err(|_| refuse())?;
        let zoned = civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_err(|_| refuse())?;
        Ok(Self(zoned.timestamp().as_millisecond()))
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Place of an entry in the audit log; the first entry is 1 and there are no gaps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct AuditSeq(pub u64);

impl fmt::Display for AuditSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Says why a text is neither a duration nor a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseUnitError {
    /// Not a duration.
    #[error("`{0}` is not a duration; write for example `90m`, `12h` or `7d`")]
    Duration(String),
    /// Not a moment.
    #[error("`{0}` is not a time; write for example `2026-11-01` or `2026-11-01T09:00:00Z`")]
    Time(String),
}

/// Reads a positive duration such as `90m`, `7d` or `1h30m` into whole seconds. A day is 24 hours.
///
/// # Errors
///
/// [`ParseUnitError::Duration`] if the text is no duration, is not positive, or is above 100 years.
pub fn parse_duration_seconds(text: &str) -> Result<u64, ParseUnitError> {
    let refuse = || ParseUnitError::Duration(text.chars().take(64).collect());
    if text.len() > 64 {
        return Err(refuse());
    }
    let span: jiff::Span = text.trim().parse().map_err(|_| refuse())?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| refuse())?;
    let seconds = u64::try_from(duration.as_secs()).map_err(|_| refuse())?;
    if seconds == 0 || seconds > 100 * 366 * 86_400 {
        return Err(refuse());
    }
    Ok(seconds)
}

/// Writes a duration in the largest unit that fits: what [`parse_duration_seconds`] reads.
pub fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let fits = units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, name) = fits.unwrap_or(&(1, "s"));
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_duration(text: &str, seconds: Option<u64>) {
        assert_eq!(parse_duration_seconds(text).ok(), seconds, "{text}");
    }

    #[test]
    fn durations_read_as_people_write_them() {
        check_duration("7d", Some(604_800));
        check_duration("90m", Some(5_400));
        check_duration("1h30m", Some(5_400));
        check_duration("2w", Some(14 * 86_400));
        check_duration("0s", None);
        check_duration("-1h", None);
        check_duration("soon", None);
        check_duration("", None);
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["7d", "36h", "90m", "61s", "365d"] {
            assert_eq!(duration(parse_duration_seconds(text).unwrap()), text);
        }
    }

    #[test]
    fn times_round_trip_through_text() {
        for text in ["2026-11-23T09:00:00.123Z", "1969-12-31T23:59:59.999Z"] {
            assert_eq!(text.parse::<UnixMillis>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2026-11-01".parse::<UnixMillis>().unwrap().to_string(),
            "2026-11-01T00:00:00.000Z"
        );
        assert!("yesterday-ish".parse::<UnixMillis>().is_err());
    }
}
