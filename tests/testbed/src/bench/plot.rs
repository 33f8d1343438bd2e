//! `testbed plot`: what an idle fleet reads in an hour, drawn from the table that the bench has written.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use plotters::prelude::*;

/// Which page has the table, and where the picture goes.
#[derive(Debug, clap::Args)]
pub struct Plot {
    /// The page with the table of the bench
    page: PathBuf,
    /// The picture, as SVG
    picture: PathBuf,
}

/// The row of the table that is drawn.
const ROW: &str = "idle: reads in an hour";
/// The program as the table has it, as a reader knows it, and its colour.
const SERIES: [(&str, &str, RGBColor); 2] = [
    ("baseline", "a plain controller", RGBColor(217, 95, 2)),
    ("operator", "this operator", RGBColor(27, 108, 200)),
];
const SIZE: (u32, u32) = (720, 380);

impl Plot {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// If the page has no such table, or a file cannot be read or written.
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
        let mut chart = ChartBuilder::on(&area)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d((70.0..25_000.0).log_scale(), (50.0..100_000.0).log_scale())?;
        let whole = |number: &f64| format!("{number:.0}");
        chart
            .configure_mesh()
            .x_desc("resources")
            .y_desc("reads in an idle hour")
            .x_label_formatter(&whole)
            .y_label_formatter(&whole)
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 14))
            .light_line_style(RGBColor(240, 240, 245))
            .draw()?;
        for (program, name, color) in SERIES {
            let points = points(page, program)?;
            let line = LineSeries::new(points.clone(), color.stroke_width(2)).point_size(4);
            chart.draw_series(line)?;
            let label = ("sans-serif", 13).into_font().color(&color);
            let above = |point: &(f64, f64)| (point.0, point.1 * 1.5);
            chart.draw_series(
                points
                    .iter()
                    .map(|point| Text::new(format!("{:.0}", point.1), above(point), label.clone())),
            )?;
            let last = points.last().context("no point")?;
            let beside = (last.0 * 1.12, last.1 * 1.08);
            chart.draw_series([Text::new(name, beside, label)])?;
        }
        area.present()?;
    }
    Ok(svg)
}

/// Fleet and reads of a program, from the first table with the row.
fn points(page: &str, program: &str) -> Result<Vec<(f64, f64)>> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let row = page.lines().position(|line| line.starts_with(&format!("| {ROW} |")));
    let row = row.with_context(|| format!("no row {ROW}"))?;
    let header = page.lines().take(row).filter(|line| line.starts_with("| what |")).last();
    let columns = cells(header.context("a row without a header")?);
    let values = page.lines().nth(row).map(cells).unwrap_or_default();
    let mut points = Vec::new();
    for (column, value) in columns.iter().zip(values) {
        if let Some(fleet) = column.strip_prefix(program) {
            let value = value.trim_end_matches(" (!)");
            if !value.is_empty() {
                points.push((fleet.trim().parse()?, value.parse()?));
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

    #[test]
    fn the_picture_of_the_docs_is_of_their_table() -> Result<()> {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let page = fs::read_to_string(docs.join("performance.md"))?;
        assert_eq!(
            points(&page, "operator")?,
            [(100.0, 120.0), (1000.0, 120.0), (10_000.0, 714.0)]
        );
        let picture = fs::read_to_string(docs.join("idle-reads.svg"))?;
        assert!(picture == svg(&page)?, "draw it anew: make picture");
        Ok(())
    }

    #[test]
    fn a_figure_that_misses_its_bar_or_is_not_there_is_no_trouble() -> Result<()> {
        let page = "\
| what | bar | stretch | operator 100 | baseline 100 | operator 1000 |
| --- | --- | --- | ---: | ---: | ---: |
| idle: reads in an hour | <= 900 | 750 | 120 | 6570 | 901 (!) |
";
        assert_eq!(points(page, "operator")?, [(100.0, 120.0), (1000.0, 901.0)]);
        let nothing = points(&page.replace("6570", ""), "baseline").map_err(|it| it.to_string());
        assert_eq!(nothing, Err("no figure of the baseline".to_owned()));
        Ok(())
    }
}
