//! How long searches and additions take, over time: a line a figure, or a picture where there is room.

use super::pen::Pen;
use crate::model::Model;
use crate::model::traffic::{Rate, Times};
use crate::text::{Role, Spans, micros, pad, pad_left};

/// Rows of a picture, at the least and at the most.
const ROWS: std::ops::RangeInclusive<usize> = 3..=6;

type Of = fn(&Rate) -> Times;

/// Draws both, within so many lines if there are enough of them.
pub fn charts(pen: &Pen<'_>, model: &Model, cells: usize, spare: usize, lines: &mut Vec<Spans>) {
    let kinds: [(&str, Of); 2] = [("search", |rate| rate.search), ("add", |rate| rate.add)];
    // A line above each picture says what it is.
    let rows = (spare / kinds.len()).saturating_sub(1).min(*ROWS.end());
    for (name, of) in kinds {
        let now = of(&model.traffic.now());
        let p50 = model.traffic.series(cells, |rate| of(rate).p50_us as f64);
        let p99 = model.traffic.series(cells, |rate| of(rate).p99_us as f64);
        let most = p99.iter().chain(&p50).copied().fold(0.0_f64, f64::max);
        if rows < *ROWS.start() {
            // On one scale, so that the two can be compared.
            lines.push(spark(pen, &format!("{name} p50"), now.p50_us, &p50, most));
            lines.push(spark(pen, &format!("{name} p99"), now.p99_us, &p99, most));
            continue;
        }
        lines.push(vec![
            (Role::Title, pad(name, 8)),
            (Role::Accent, format!("{} ", pen.glyphs.full)),
            (Role::Plain, format!("p50 {}  ", micros(now.p50_us))),
            (Role::Accent, format!("{} ", pen.glyphs.shade)),
            (Role::Plain, format!("p99 {}", micros(now.p99_us))),
        ]);
        for (place, text) in pen.layers(&p50, &p99, rows).into_iter().enumerate() {
            let label = match place {
                0 => micros(most as u64),
                place if place + 1 == rows => "0".to_owned(),
                _ => String::new(),
            };
            lines.push(vec![
                (Role::Dim, format!("{} ", pad_left(&label, 22))),
                (Role::Accent, text),
            ]);
        }
    }
}

fn spark(pen: &Pen<'_>, name: &str, now: u64, series: &[f64], most: f64) -> Spans {
    vec![
        (Role::Dim, pad(name, 12)),
        (Role::Plain, pad_left(&micros(now), 10)),
        (Role::Accent, format!(" {}", pen.spark_to(series, most))),
    ]
}
