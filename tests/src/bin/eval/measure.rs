//! The measures of an evaluation.
//!
//! Source: Manning, Raghavan and Schütze, "Introduction to Information Retrieval" (2008), chapter 8;
//! nDCG with gains of 0 and 1 as in Järvelin and Kekäläinen (2002).

use std::collections::HashSet;

use manushya_tests::measure::percentile;

/// One question and the keys that a good search returns.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is asked.
    pub query: String,
    /// The keys of the memories that answer it.
    pub relevant: HashSet<String>,
}

/// Sums over the questions so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    recall_5: f64,
    recall_10: f64,
    reciprocal: f64,
    ndcg: f64,
    nanos: Vec<u64>,
}

impl Report {
    /// Counts the answer to one question in: the keys found, best first.
    pub fn add(&mut self, question: &Question, found: &[String], nanos: u64) {
        let relevant = |key: &String| question.relevant.contains(key);
        let count = question.relevant.len() as f64;
        let recall = |depth| found.iter().take(depth).filter(|key| relevant(key)).count() as f64;
        self.recall_5 += recall(5) / count;
        self.recall_10 += recall(10) / count;
        let first = found.iter().position(relevant);
        self.reciprocal += first.map_or(0.0, |place| 1.0 / (place + 1) as f64);
        let discount = |place: usize| 1.0 / (place as f64 + 2.0).log2();
        let places = (0..).zip(found).take(10);
        let gained = places.filter(|(_, key)| relevant(key));
        let gain: f64 = gained.map(|(place, _)| discount(place)).sum();
        let ideal: f64 = (0..question.relevant.len().min(10)).map(discount).sum();
        self.ndcg += gain / ideal;
        self.nanos.push(nanos);
    }

    /// The means as one JSON object.
    pub fn line(&self) -> String {
        let count = self.nanos.len();
        let mean = |sum: f64| sum / count.max(1) as f64;
        let mut sorted = self.nanos.clone();
        sorted.sort_unstable();
        // Written by hand, so that the fields keep their order.
        format!(
            "{{\"queries\":{count},\"recall_at_5\":{:.4},\"recall_at_10\":{:.4},\"mrr\":{:.4},\
             \"ndcg_at_10\":{:.4},\"p50_us\":{:.1},\"p99_us\":{:.1}}}",
            mean(self.recall_5),
            mean(self.recall_10),
            mean(self.reciprocal),
            mean(self.ndcg),
            percentile(&sorted, 0.5),
            percentile(&sorted, 0.99),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|&key| key.to_owned()).collect()
    }

    #[test]
    fn measures_are_the_published_ones() {
        let question = Question {
            query: String::new(),
            relevant: keys(&["a", "b"]).into_iter().collect(),
        };
        let mut report = Report::default();
        // Found at the second and the sixth place.
        report.add(&question, &keys(&["x", "a", "y", "z", "w", "b"]), 1000);
        let value: serde_json::Value = serde_json::from_str(&report.line()).unwrap();
        assert_eq!(value["recall_at_5"], 0.5);
        assert_eq!(value["recall_at_10"], 1.0);
        assert_eq!(value["mrr"], 0.5);
        // (1/log2 3 + 1/log2 7) / (1 + 1/log2 3)
        assert_eq!(value["ndcg_at_10"], 0.6053);
        assert_eq!(
            (value["queries"].as_u64(), value["p50_us"].as_f64()),
            (Some(1), Some(1.0))
        );
    }

    #[test]
    fn nothing_found_and_nothing_asked_are_zero() {
        let mut report = Report::default();
        assert!(
            report
                .line()
                .starts_with(r#"{"queries":0,"recall_at_5":0.0000"#)
        );
        let relevant = keys(&["a"]).into_iter().collect();
        let query = String::new();
        report.add(&Question { query, relevant }, &[], 1);
        assert!(
            report
                .line()
                .contains(r#""mrr":0.0000,"ndcg_at_10":0.0000"#)
        );
    }
}
