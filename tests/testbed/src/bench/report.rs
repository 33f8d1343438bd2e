//! The report: what was measured, on what, as Markdown and as JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::Context;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::figure::{Bar, Figure, Kind, Number};
use super::promise::{SLOWER, WHOLE};
use super::simulator::Dialect;
use crate::Result;

/// From this line on a page takes the table of a dialect: those that a page has stand beside each other.
fn begin(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::D1 => "<!-- begin: written by testbed bench --dialect d1 -->\n",
        Dialect::D2 => "<!-- begin: written by testbed bench -->\n",
    }
}

/// Up to this line.
const END: &str = "<!-- end -->\n";

/// How the figures begin that say how long a flip takes.
const FLIP: &str = "a flip, from";

/// All runs of one invocation.
#[derive(Serialize)]
pub(super) struct Report {
    date: String,
    machine: Machine,
    dialect: Dialect,
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
    pub(super) fn new(dialect: Dialect) -> Self {
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

    /// With more than [`WHOLE`] a flip is held to what it took with that, if that was measured.
    pub(super) fn push(&mut self, mut run: Run) {
        let whole = |before: &&Run| before.program == run.program && before.resources == WHOLE;
        if let Some(before) = self.runs.iter().find(whole).filter(|_| run.resources > WHOLE) {
            for figure in run.figures.iter_mut().filter(|figure| figure.what.starts_with(FLIP)) {
                let same = before.figures.iter().find(|before| before.what == figure.what);
                figure.bar = same.map(|same| Bar::AtMost(SLOWER * same.value));
                figure.stretch = None;
            }
        }
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
            self.date,
            self.dialect.name()
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
pub(super) fn write_markdown(file: &Path, report: &Report) -> Result<()> {
    let table = report.markdown();
    let page = if fs::exists(file)? {
        with_table(&fs::read_to_string(file)?, begin(report.dialect), &table)
            .with_context(|| format!("{} has no place for a table", file.display()))?
    } else {
        table
    };
    fs::write(file, page).with_context(|| format!("failed to write {}", file.display()))
}

fn with_table(page: &str, begin: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
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
        let mut report = Report::new(Dialect::D2);
        report.push(run("baseline", 100, figures()));
        assert_eq!(report.missed_counts(), [""; 0]);
        report.push(run("operator", 100, figures()));
        assert_eq!(report.missed_counts(), ["writes, 100 resources: 1, the bar is 0"]);
    }

    #[test]
    fn a_row_has_a_cell_for_each_run_and_the_bar_of_the_largest_fleet() {
        let reads = |bar| Figure::count("reads", 7).bar(Bar::AtMost(bar)).stretch(5.0);
        let mut report = Report::new(Dialect::D2);
        report.push(run("operator", 100, vec![reads(6.0)]));
        report.push(run("baseline", 100, vec![]));
        report.push(run("operator", 1000, vec![reads(60.0)]));
        assert_eq!(report.row("reads"), "| reads | <= 60 | 5 | 7 (!) |  | 7 |");
    }

    #[test]
    fn a_flip_among_more_is_held_to_what_it_took_among_ten_thousand() {
        let flip = |took| {
            let figure = Figure::measure("a flip, from PATCH to POST, median", took, "ms");
            vec![figure.bar(Bar::AtMost(8.0)).stretch(5.0), Figure::count("a flip: calls", 1)]
        };
        let row = |runs: [(usize, f64); 2]| {
            let mut report = Report::new(Dialect::D1);
            for (resources, took) in runs {
                report.push(run("operator", resources, flip(took)));
            }
            report.row("a flip, from PATCH to POST, median")
        };
        let begin = "| a flip, from PATCH to POST, median |";
        let both = row([(10_000, 3.0), (100_000, 3.5)]);
        assert_eq!(both, format!("{begin} <= 3.60 |  | 3 ms | 3.50 ms |"));
        let slower = row([(10_000, 3.0), (100_000, 3.7)]);
        assert_eq!(slower, format!("{begin} <= 3.60 |  | 3 ms | 3.70 ms (!) |"));
        let unmeasured = row([(1000, 3.0), (100_000, 3.7)]);
        assert_eq!(unmeasured, format!("{begin} <= 8 | 5 | 3 ms | 3.70 ms |"));
    }

    #[test]
    fn a_table_replaces_the_one_before() {
        let [d1, d2] = [Dialect::D1, Dialect::D2].map(begin);
        let page = |new1, new2| format!("a\n{d2}{new2}\n{END}b\n{d1}{new1}\n{END}c\n");
        let old = page("old", "old");
        assert_eq!(with_table(&old, d1, "new\n"), Some(page("new", "old")));
        assert_eq!(with_table(&old, d2, "new\n"), Some(page("old", "new")));
        assert_eq!(with_table("a\n", d1, "new\n"), None);
    }
}
