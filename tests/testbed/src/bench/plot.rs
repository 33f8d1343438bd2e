//! `testbed plot`: what a fleet costs by its size, drawn from the tables that the bench has written.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Which page has the tables, and where the picture goes.
#[derive(Debug, clap::Args)]
pub struct Plot {
    /// The page with the tables of the bench
    page: PathBuf,
    /// The picture, as SVG
    picture: PathBuf,
}

/// One of the plots: a row of the tables.
struct Panel {
    row: &'static str,
    title: &'static str,
    values: Range<f64>,
}

const PANELS: [Panel; 3] = [
    Panel {
        row: "idle: reads in an hour",
        title: "reads in an idle hour",
        values: 50.0..200_000.0,
    },
    Panel {
        row: "idle: resident memory",
        title: "resident memory when idle, MiB",
        values: 5.0..500.0,
    },
    Panel {
        row: "a flip, from PATCH to POST, median",
        title: "a flip, from PATCH to POST, ms (median)",
        values: 0.3..200_000.0,
    },
];
/// The sizes of fleets, with room for the labels at both ends.
const FLEETS: Range<f64> = 50.0..350_000.0;
/// The program as the tables have it, as a reader knows it, and its colour.
const SERIES: [(&str, &str, RGBColor); 2] = [
    ("baseline", "a plain controller", RGBColor(217, 95, 2)),
    ("operator", "this operator", RGBColor(27, 108, 200)),
];
const SIZE: (u32, u32) = (1140, 380);

impl Plot {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// If the page has no such tables, or a file cannot be read or written.
    pub fn run(&self) -> Result<()> {
        let Self { page, picture } = self;
        let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let svg = svg(&text).with_context(|| format!("no table to draw in {}", page.display()))?;
        fs::write(picture, svg).with_context(|| picture.display().to_string())
    }
}

fn svg(page: &str) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        for (panel, part) in PANELS.iter().zip(area.split_evenly((1, PANELS.len()))) {
            draw(page, panel, &part)?;
        }
        area.present()?;
    }
    Ok(svg)
}

fn draw(
    page: &str,
    Panel { row, title, values }: &Panel,
    area: &DrawingArea<SVGBackend<'_>, Shift>,
) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(FLEETS.log_scale(), values.clone().log_scale())?;
    let whole = |number: &f64| format!("{number:.0}");
    chart
        .configure_mesh()
        .x_desc("resources")
        .x_label_formatter(&whole)
        .y_label_formatter(&whole)
        .y_labels(5)
        .label_style(("sans-serif", 12))
        .axis_desc_style(("sans-serif", 13))
        .light_line_style(RGBColor(240, 240, 245))
        .draw()?;
    // On a log axis a distance is a factor.
    let line_height = (values.end / values.start).powf(0.055);
    let [baseline, operator] = SERIES;
    for ((program, name, color), (other, ..)) in [(baseline, operator), (operator, baseline)] {
        let (own, others) = (points(page, row, program)?, points(page, row, other)?);
        let line = LineSeries::new(own.iter().map(|(at, _)| *at), color.stroke_width(2));
        chart.draw_series(line.point_size(4))?;
        let label = ("sans-serif", 12).into_font().color(&color);
        for (place, ((x, y), figure)) in own.iter().enumerate() {
            let other = others.iter().find(|((fleet, _), _)| fleet.total_cmp(x).is_eq());
            let is_above = other.is_some_and(|((_, other), _)| y > other);
            let text = |text: &str, lines: f64| {
                Text::new(text.to_owned(), (x * 0.75, y * line_height.powf(lines)), label.clone())
            };
            chart.draw_series([text(figure, if is_above { 1.4 } else { -0.5 })])?;
            // The name is where the line ends.
            if place + 1 == own.len() {
                chart.draw_series([text(name, if is_above { 2.4 } else { -1.5 })])?;
            }
        }
    }
    Ok(())
}

/// Of each fleet that a program was measured with, its size and its value in this row, and the value as it was written.
/// Where several tables have one, that of the first counts.
fn points(page: &str, row: &str, program: &str) -> Result<Vec<((f64, f64), String)>> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut points: Vec<((f64, f64), String)> = Vec::new();
    let mut columns = Vec::new();
    for line in page.lines() {
        if line.starts_with("| what |") {
            columns = cells(line);
        } else if line.starts_with(&format!("| {row} |")) {
            for (column, value) in columns.iter().zip(cells(line)) {
                let fleet = column.strip_prefix(program).map(|fleet| fleet.trim().parse());
                let figure = value.split(' ').next().filter(|figure| !figure.is_empty());
                let Some((fleet, figure)) = fleet.zip(figure) else { continue };
                let at = (fleet?, figure.parse()?);
                if points.iter().all(|(other, _)| other.0 < at.0) {
                    points.push((at, figure.to_owned()));
                }
            }
        }
    }
    ensure!(!points.is_empty(), "no figure of the {program}");
    Ok(points)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn figures(page: &str, row: &str, program: &str) -> Result<Vec<(f64, f64)>> {
        Ok(points(page, row, program)?.into_iter().map(|(at, _)| at).collect())
    }

    #[test]
    fn the_picture_of_the_docs_is_of_their_tables() -> Result<()> {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let page = fs::read_to_string(docs.join("performance.md"))?;
        let reads = figures(&page, "idle: reads in an hour", "operator")?;
        assert_eq!(reads.get(..3), Some(&[(100.0, 120.0), (1000.0, 120.0), (10_000.0, 714.0)][..]));
        let picture = fs::read_to_string(docs.join("fleet.svg"))?;
        assert!(picture == svg(&page)?, "draw it anew: make picture");
        Ok(())
    }

    #[test]
    fn each_fleet_is_drawn_once_from_whatever_table_has_it_first() -> Result<()> {
        let page = "\
| what | bar | stretch | operator 100 | baseline 100 | operator 1000 |
| --- | --- | --- | ---: | ---: | ---: |
| idle: reads in an hour | <= 900 | 750 | 120 | 6570 | 901 (!) |
| idle: resident memory | <= 18 |  | 10.6 MiB |  | 19 MiB (!) |

| what | bar | stretch | operator 1000 | operator 100000 |
| --- | --- | --- | ---: | ---: |
| idle: reads in an hour | <= 1900 |  | 7 | 714 |
";
        let reads = |program| figures(page, "idle: reads in an hour", program);
        assert_eq!(reads("operator")?, [(100.0, 120.0), (1000.0, 901.0), (100_000.0, 714.0)]);
        assert_eq!(reads("baseline")?, [(100.0, 6570.0)]);
        let memory = |program| figures(page, "idle: resident memory", program);
        assert_eq!(memory("operator")?, [(100.0, 10.6), (1000.0, 19.0)]);
        let nothing = memory("baseline").map_err(|error| error.to_string());
        assert_eq!(nothing, Err("no figure of the baseline".to_owned()));
        Ok(())
    }
}
