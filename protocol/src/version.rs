//! Versions of the protocol, and how two ends agree on one.

/// The version this build speaks.
pub const API: u32 = 1;
/// The oldest version this build still speaks.
pub const API_MIN: u32 = 1;

/// The highest version both ends speak, if there is one.
pub fn negotiate(client_min: u32, client_max: u32) -> Option<u32> {
    let highest = API.min(client_max);
    (highest >= API_MIN && highest >= client_min).then_some(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_meet_or_do_not() {
        assert_eq!(negotiate(1, 1), Some(1));
        assert_eq!(negotiate(1, 9), Some(API));
        assert_eq!(negotiate(API + 1, API + 3), None);
        assert_eq!(negotiate(5, 2), None);
        assert_eq!(negotiate(0, 0), None);
    }
}
