//! Rates over time, from totals that the daemon counts.

use std::collections::VecDeque;

use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::live::Activity;

/// How many rates are held: ten minutes at one every two seconds.
const RATES: usize = 300;

/// How long calls took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Half of them took less.
    pub p50_us: u64,
    /// 99 in 100 took less.
    pub p99_us: u64,
}

/// What the totals came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Operations a second.
    pub operations: f64,
    /// Denials a second.
    pub denied: f64,
    /// How long searches of the last minute took.
    pub search: Times,
    /// How long additions of the last minute took.
    pub add: Times,
}

/// Rates, newest last.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// The rates.
    pub rates: VecDeque<Rate>,
    last: Option<(UnixMillis, u64, u64)>,
}

impl Traffic {
    /// Takes totals in. Smaller totals than before mean that the daemon was started anew.
    pub fn take(&mut self, now: UnixMillis, activity: &Activity) {
        let totals = (now, activity.operations, activity.denied);
        let Some((then, operations, denied)) = self.last.replace(totals) else {
            return;
        };
        let seconds = now.0.saturating_sub(then.0) as f64 / 1000.0;
        if seconds <= 0.0 {
            return;
        }
        let times = |kind: &str| {
            let found = activity
                .latencies
                .iter()
                .find(|latency| latency.kind == kind);
            found.map_or_else(Times::default, |latency| Times {
                p50_us: latency.p50_us,
                p99_us: latency.p99_us,
            })
        };
        self.rates.push_back(Rate {
            operations: activity.operations.saturating_sub(operations) as f64 / seconds,
            denied: activity.denied.saturating_sub(denied) as f64 / seconds,
            search: times("search"),
            add: times("add"),
        });
        if self.rates.len() > RATES {
            self.rates.pop_front();
        }
    }

    /// A gap: what comes next is not compared with what was before.
    pub fn interrupt(&mut self) {
        self.last = None;
    }

    /// The newest rate.
    pub fn now(&self) -> Rate {
        self.rates.back().copied().unwrap_or_default()
    }

    /// The newest rates as numbers, at most so many, filled with zeros at the front.
    pub fn series(&self, cells: usize, of: impl Fn(&Rate) -> f64) -> Vec<f64> {
        let skipped = self.rates.len().saturating_sub(cells);
        let values: Vec<f64> = self.rates.iter().skip(skipped).map(of).collect();
        let mut series = vec![0.0; cells.saturating_sub(values.len())];
        series.extend(values);
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences_of_totals_and_survive_a_restart() {
        let mut traffic = Traffic::default();
        let totals = |operations, denied| Activity {
            operations,
            denied,
            ..Activity::default()
        };
        traffic.take(UnixMillis(0), &totals(100, 5));
        traffic.take(UnixMillis(2000), &totals(120, 6));
        assert_eq!(
            (traffic.now().operations, traffic.now().denied),
            (10.0, 0.5)
        );
        traffic.take(UnixMillis(4000), &totals(3, 0));
        assert_eq!(traffic.now().operations, 0.0);
        traffic.interrupt();
        traffic.take(UnixMillis(9000), &totals(1000, 0));
        assert_eq!(traffic.rates.len(), 2);
        assert_eq!(traffic.series(3, |rate| rate.operations), [0.0, 10.0, 0.0]);
    }
}
