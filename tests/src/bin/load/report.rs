//! What is measured, and how it is told.

use std::io::Write as _;

use manushya_tests::Daemon;
use manushya_tests::measure::{Measured, percentile};

use crate::Options;

/// How many descriptors a process has open; 0 where the system does not tell.
pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Resident memory of a process, in MiB; 0 where the system does not tell.
pub fn rss_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    (kib.unwrap_or(0.0) / 102.4).round() / 10.0
}

/// One phase as JSON.
pub fn line(op: &str, options: &Options, measured: &Measured, rss_mb: f64, disk_mb: f64) -> String {
    let mut sorted = measured.nanos.clone();
    sorted.sort_unstable();
    let count = sorted.len() as u64 * measured.weight.max(1);
    let rate = count as f64 / measured.elapsed.as_secs_f64().max(1e-9);
    // Written by hand, so that the fields keep their order.
    format!(
        "{{\"op\":\"{op}\",\"memories\":{},\"clients\":{},\"in_flight\":{},\"ops_per_s\":{rate:.1},\
         \"p50_us\":{:.1},\"p99_us\":{:.1},\"max_us\":{:.1},\"rss_mb\":{rss_mb:.1},\
         \"disk_mb\":{disk_mb:.1}}}",
        options.memories,
        options.clients,
        options.in_flight,
        percentile(&sorted, 0.5),
        percentile(&sorted, 0.99),
        percentile(&sorted, 1.0),
    )
}

/// Prints one phase.
pub fn print(op: &str, options: &Options, measured: &Measured, daemon: &Daemon) {
    let disk_mb = (daemon.home().bytes() as f64 / 104_857.6).round() / 10.0;
    let line = line(op, options, measured, rss_mb(daemon.pid()), disk_mb);
    // A reader who has seen enough may go; what is started must be stopped all the same.
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_phase_is_one_line_of_json_with_the_agreed_fields() {
        let options = crate::parse(["add".to_owned()].into_iter()).unwrap();
        let measured = Measured {
            nanos: vec![1_000_000; 10],
            weight: 2,
            elapsed: Duration::from_secs(2),
        };
        let line = line("add", &options, &measured, 1.0, 2.0);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["ops_per_s"], 10.0);
        assert_eq!(
            (&value["p50_us"], &value["op"]),
            (&1000.0.into(), &"add".into())
        );
        assert_eq!(value.as_object().unwrap().len(), 10);
    }
}
