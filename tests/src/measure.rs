//! What a driver measures.

use std::time::Duration;

/// How long each operation of a phase took, and the phase as a whole.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// One an operation, in nanoseconds.
    pub nanos: Vec<u64>,
    /// What an operation counts for, such as the memories of a batch.
    pub weight: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

/// The value that a share `of` the sorted values does not exceed, in microseconds.
pub fn percentile(sorted: &[u64], of: f64) -> f64 {
    let rank = (sorted.len() as f64 * of).ceil() as usize;
    let nanos = sorted
        .get(rank.clamp(1, sorted.len().max(1)) - 1)
        .copied()
        .unwrap_or(0);
    (nanos as f64 / 100.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let nanos: Vec<u64> = (1..=100).map(|n| n * 1000).collect();
        assert_eq!(percentile(&nanos, 0.5), 50.0);
        assert_eq!(percentile(&nanos, 0.99), 99.0);
        assert_eq!(percentile(&nanos, 1.0), 100.0);
        assert_eq!(percentile(&[1500], 0.5), 1.5);
        assert_eq!(percentile(&[], 0.99), 0.0);
    }
}
