//! The plot: recall against time, and cost against size.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use super::{Cost, Point};

const SIZE: (u32, u32) = (900, 380);

/// Draws both.
pub fn draw(path: &Path, points: &[Point], costs: &[Cost]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(SIZE.0 / 2);
    recall(&left, points)?;
    size(&right, costs)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Recall of each plan at the largest size, a dot for each share of candidates.
fn recall(area: &Area<'_>, points: &[Point]) -> Result<(), Box<dyn Error>> {
    let largest = points.iter().map(|point| point.size).max().unwrap_or(0);
    let of_it = || points.iter().filter(|point| point.size == largest);
    let slowest = of_it().map(|point| point.p50_us).fold(10.0, f64::max);
    let title = format!("recall@10 against p50, {largest} memories");
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d((1.0..slowest * 2.0).log_scale(), 0.9..1.005)?;
    chart
        .configure_mesh()
        .x_desc("microseconds")
        .y_desc("recall of the vectors")
        .draw()?;
    for (plan, colour) in [("exact", BLUE), ("graph", RED), ("planner", GREEN)] {
        let of_plan = of_it().filter(|point| point.plan == plan);
        let dots = of_plan.map(|point| Circle::new((point.p50_us, point.recall), 4, colour));
        chart
            .draw_series(dots)?
            .label(plan)
            .legend(move |(x, y)| Circle::new((x + 10, y), 4, colour));
    }
    chart.configure_series_labels().border_style(BLACK).draw()?;
    Ok(())
}

/// What a hybrid search takes and how much RAM the index holds, by the number of memories.
fn size(area: &Area<'_>, costs: &[Cost]) -> Result<(), Box<dyn Error>> {
    let last = costs.last().map_or(1.0, |cost| cost.size as f64);
    let first = costs.first().map_or(1.0, |cost| cost.size as f64);
    let most = |of: fn(&Cost) -> f64| costs.iter().map(of).fold(1.0, f64::max) * 1.2;
    let megabytes: fn(&Cost) -> f64 = |cost| cost.bytes / 1e6;
    let sizes = || (first * 0.9..last * 1.1).log_scale();
    let mut chart = ChartBuilder::on(area)
        .caption("a hybrid search, and RAM", ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .right_y_label_area_size(50)
        .build_cartesian_2d(sizes(), 0.0..most(|cost| cost.p50_us))?
        .set_secondary_coord(sizes(), 0.0..most(megabytes));
    chart
        .configure_mesh()
        .x_desc("memories")
        .y_desc("p50, microseconds")
        .draw()?;
    chart.configure_secondary_axes().y_desc("MB").draw()?;
    let time = costs.iter().map(|cost| (cost.size as f64, cost.p50_us));
    chart
        .draw_series(LineSeries::new(time, BLUE).point_size(3))?
        .label("p50")
        .legend(|(x, y)| Circle::new((x + 10, y), 4, BLUE));
    let ram = costs.iter().map(|cost| (cost.size as f64, megabytes(cost)));
    chart
        .draw_secondary_series(LineSeries::new(ram, RED).point_size(3))?
        .label("RAM")
        .legend(|(x, y)| Circle::new((x + 10, y), 4, RED));
    chart.configure_series_labels().border_style(BLACK).draw()?;
    Ok(())
}
