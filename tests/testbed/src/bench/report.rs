//! The report: what was measured, on what, as Markdown and as JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::Context;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::figure::{Figure, Kind, Number};
use crate::Result;

/// Between these lines, a page takes the table.
const BEGIN: &str = "<!-- begin: written by testbed bench -->\n";
/// See [`BEGIN`].
const END: &str = "<!-- end -->\n";

/// All runs of one invocation.
#[derive(Serialize)]
pub(super) struct Report {
    date: String,
    machine: Machine,
    dialect: &'static str,
    runs: Vec<Run>,
}

/// The figures of one program with one fleet.
#[derive(Serialize)]
pub(super) struct Run {
    pub(super) program: &'static str,
    pub(super) resources: usize,
    /// By how much a time that spans two processes may be wrong.
    pub(super) clock_error_ms: f64,
    pub(super) figures: Vec<Figure>,
}

#[derive(Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
}

impl Report {
    pub(super) fn new(dialect: &'static str) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let machine = Machine {
            cpu: model.map_or("unknown", |(_, name)| name.trim()).to_owned(),
            cores: available_parallelism().map_or(0, Into::into),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        };
        Self { date: Timestamp::now().strftime("%F").to_string(), machine, dialect, runs: vec![] }
    }

    pub(super) fn push(&mut self, run: Run) {
        self.runs.push(run);
    }

    /// The counts of the operator that miss their bar.
    pub(super) fn missed_counts(&self) -> Vec<String> {
        let operators = self.runs.iter().filter(|run| run.program == "operator");
        let missed = operators.flat_map(|run| {
            let missed = run.figures.iter().filter(|it| it.kind == Kind::Count && it.misses());
            missed.map(|figure| {
                let bar = figure.bar.map(|bar| bar.to_string()).unwrap_or_default();
                let value = Number(figure.value);
                format!("{}, {} resources: {value}, the bar is {bar}", figure.what, run.resources)
            })
        });
        missed.collect()
    }

    /// A table with a column for each run. `(!)` marks what misses its bar.
    pub(super) fn markdown(&self) -> String {
        let Machine { cpu, cores, kernel } = &self.machine;
        let mut text = format!(
            "{}; {cpu}, {cores} cores, Linux {kernel}; the API as `{}`. `(!)` misses its bar.\n\n",
            self.date, self.dialect
        );
        text.push_str("| what | bar | stretch |");
        for run in &self.runs {
            let _ = write!(text, " {} {} |", run.program, run.resources);
        }
        let _ = writeln!(text, "\n| --- | --- | --- |{}", " ---: |".repeat(self.runs.len()));
        for what in self.rows() {
            let _ = writeln!(text, "{}", self.row(what));
        }
        text
    }

    fn rows(&self) -> Vec<&'static str> {
        let mut rows = Vec::new();
        for figure in self.runs.iter().flat_map(|run| &run.figures) {
            if !rows.contains(&figure.what) {
                rows.push(figure.what);
            }
        }
        rows
    }

    /// The bars are those of the largest fleet.
    fn row(&self, what: &str) -> String {
        let of_run = |run: &Run| run.figures.iter().find(|figure| figure.what == what).cloned();
        let largest = self.runs.iter().filter(|run| run.program == "operator");
        let largest = largest.filter(|run| of_run(run).is_some()).max_by_key(|run| run.resources);
        let judged = largest.and_then(of_run);
        let bar = judged.as_ref().and_then(|figure| figure.bar).map(|bar| bar.to_string());
        let stretch = judged.and_then(|figure| figure.stretch).map(|it| Number(it).to_string());
        let mut row =
            format!("| {what} | {} | {} |", bar.unwrap_or_default(), stretch.unwrap_or_default());
        for run in &self.runs {
            let cell = of_run(run).map(|figure| {
                let mark = if run.program == "operator" && figure.misses() { " (!)" } else { "" };
                let unit = if figure.unit.is_empty() { "" } else { " " };
                format!("{}{unit}{}{mark}", Number(figure.value), figure.unit)
            });
            let _ = write!(row, " {} |", cell.unwrap_or_default());
        }
        row
    }
}

/// Writes the table to a new file, or between the two lines of an existing page that are for it.
pub(super) fn write_markdown(file: &Path, table: &str) -> Result<()> {
    let page = if fs::exists(file)? {
        with_table(&fs::read_to_string(file)?, table)
            .with_context(|| format!("{} has no place for a table", file.display()))?
    } else {
        table.to_owned()
    };
    fs::write(file, page).with_context(|| format!("failed to write {}", file.display()))
}

fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::super::figure::Bar;
    use super::*;

    fn run(program: &'static str, resources: usize, figures: Vec<Figure>) -> Run {
        Run { program, resources, clock_error_ms: 0.1, figures }
    }

    #[test]
    fn only_counts_of_the_operator_fail_a_run() {
        let figures = || {
            vec![
                Figure::count("writes", 1).bar(Bar::Exactly(0.0)),
                Figure::measure("start", 14.0, "s").bar(Bar::AtMost(13.0)),
            ]
        };
        let mut report = Report::new("d2");
        report.push(run("baseline", 100, figures()));
        assert_eq!(report.missed_counts(), [""; 0]);
        report.push(run("operator", 100, figures()));
        assert_eq!(report.missed_counts(), ["writes, 100 resources: 1, the bar is 0"]);
    }

    #[test]
    fn a_row_has_a_cell_for_each_run_and_the_bar_of_the_largest_fleet() {
        let reads = |bar| Figure::count("reads", 7).bar(Bar::AtMost(bar)).stretch(5.0);
        let mut report = Report::new("d2");
        report.push(run("operator", 100, vec![reads(6.0)]));
        report.push(run("baseline", 100, vec![]));
        report.push(run("operator", 1000, vec![reads(60.0)]));
        assert_eq!(report.row("reads"), "| reads | <= 60 | 5 | 7 (!) |  | 7 |");
    }

    #[test]
    fn a_table_replaces_the_one_before() {
        let page = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(with_table(&page, "new\n"), Some(format!("a\n{BEGIN}new\n{END}b\n")));
        assert_eq!(with_table("a\n", "new\n"), None);
    }
}
