//! `testbed bench`: what a fleet costs, on a real API server and a simulated Qoder API with the
//! vendor's limits.
//!
//! Calls are counted where they arrive: in the simulator's journal and in the API server's metrics.
//! Memory and processor time come from `/proc`.

mod figure;
mod plot;
mod promise;
mod report;
mod scenarios;
mod simulator;
mod stage;
mod subject;
mod watched;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use self::figure::{Figure, Kind, Number};
pub use self::plot::Plot;
use self::report::{Report, Run, write_markdown};
use self::scenarios::{
    Scenario, adoption, cutoff, drift, everything, flips, idle, limit, restart, takeover,
};
use self::simulator::Dialect;
use self::stage::Stage;
use self::subject::Program;
use crate::Result;
use crate::process::workspace_binary;
use crate::source::say;
use crate::up::interrupted;

/// What to measure, and where to write it.
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// Fleets of so many resources
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000, 10_000], value_name = "N")]
    resources: Vec<usize>,
    /// Only these scenarios; the resources are always adopted first
    #[arg(long, value_delimiter = ',', value_enum)]
    scenarios: Vec<Scenario>,
    /// Measure a plain controller too, on fleets of at most 1,000
    #[arg(long)]
    baseline: bool,
    /// Counts only, with 1,000 resources, in less than three minutes
    #[arg(long, conflicts_with_all = ["resources", "scenarios", "baseline"])]
    quick: bool,
    /// Measure this build of the operator, and not the one beside this program
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Which generation of the API: d1 has pages of 1,000, d2 of 100
    #[arg(long, value_enum, default_value = "d2")]
    dialect: Dialect,
    /// Write all figures and their samples to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table to a new file, or into the place that an existing page has for it
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// The largest fleet that the baseline is measured with: more would take it hours.
const BASELINE_RESOURCES: usize = 1000;
/// What the baseline can be measured by: the others are about promises that it does not make.
const OF_BASELINE: [Scenario; 4] =
    [Scenario::Adoption, Scenario::Idle, Scenario::Flip, Scenario::FlipAll];
/// What runs with the largest fleet only: their bars are about it, and they take minutes.
const LARGEST_ONLY: [Scenario; 2] = [Scenario::Limit, Scenario::Cutoff];
/// In the order in which they are played.
const QUICK: [Scenario; 5] =
    [Scenario::Adoption, Scenario::Idle, Scenario::Flip, Scenario::FlipAll, Scenario::Restart];
/// The least fleet that a scenario needs.
const LEAST: usize = 100;

impl Bench {
    /// Measures, and prints the table. Ctrl-C ends it, and all that it has started.
    ///
    /// # Errors
    ///
    /// If it could not be measured, or if a count of the operator misses its bar.
    pub async fn run(self) -> Result<()> {
        tokio::select! {
            ended = self.measure_all() => ended,
            stopped = interrupted() => stopped.and_then(|()| bail!("interrupted")),
        }
    }

    async fn measure_all(&self) -> Result<()> {
        let resources = if self.quick { vec![1000] } else { self.resources.clone() };
        let largest = resources.iter().copied().max().unwrap_or_default();
        let least = resources.iter().copied().min().unwrap_or_default();
        ensure!(least >= LEAST, "a fleet needs at least {LEAST} resources");
        let mut report = Report::new(self.dialect);
        for number in resources {
            let all = |it: &Scenario| number == largest || !LARGEST_ONLY.contains(it);
            report.push(self.measure(Program::Operator, number, all).await?);
            self.write(&report)?;
            if self.baseline && number <= BASELINE_RESOURCES {
                let all = |it: &Scenario| OF_BASELINE.contains(it);
                report.push(self.measure(Program::Baseline, number, all).await?);
                self.write(&report)?;
            }
        }
        println!("{}", report.markdown());
        let missed = report.missed_counts();
        ensure!(missed.is_empty(), "these counts miss their bars:\n  {}", missed.join("\n  "));
        Ok(())
    }

    /// Writes what there is so far: whatever ends the run later, this is measured.
    fn write(&self, report: &Report) -> Result<()> {
        if let Some(file) = &self.json {
            let text = serde_json::to_string_pretty(report)?;
            fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))?;
        }
        self.markdown.as_ref().map_or(Ok(()), |file| write_markdown(file, report))
    }

    fn wants(&self, scenario: Scenario) -> bool {
        let of = if self.quick { &QUICK[..] } else { &self.scenarios };
        of.is_empty() || of.contains(&scenario)
    }

    /// One program with one fleet: the scenarios, one after the other, on one stage.
    async fn measure(
        &self,
        program: Program,
        resources: usize,
        makes_sense: impl Fn(&Scenario) -> bool,
    ) -> Result<Run> {
        let wants = |scenario| self.wants(scenario) && makes_sense(&scenario);
        let start = Instant::now();
        let announce = |what: &str| {
            let name = program.name();
            say(&format!(
                "{name}, {resources} resources: {what} ({} s)",
                start.elapsed().as_secs()
            ));
        };
        announce("setting up");
        let operator = match &self.operator {
            Some(file) => fs::canonicalize(file)
                .with_context(|| format!("failed to find {}", file.display()))?,
            None => workspace_binary("qoder-operator")?,
        };
        let stage = Stage::set_up(resources, self.dialect, operator).await?;
        announce("adoption");
        let compare = wants(Scenario::Adoption) && !self.quick;
        let (mut subject, adopted) = adoption(&stage, program, compare).await?;
        let mut figures = Vec::new();
        if wants(Scenario::Adoption) {
            note(&mut figures, adopted);
        }
        if wants(Scenario::Idle) {
            announce("idle");
            note(&mut figures, idle(&stage, &subject, self.idle_time(resources)).await?);
        }
        if wants(Scenario::Flip) {
            announce("one flip at a time");
            note(&mut figures, flips(&stage, if self.quick { 50 } else { 200 }).await?);
        }
        if wants(Scenario::FlipAll) {
            announce("flip of all");
            note(&mut figures, everything(&stage).await?);
        }
        if wants(Scenario::Drift) {
            announce("drift");
            note(&mut figures, drift(&stage).await?);
        }
        if wants(Scenario::Limit) {
            announce("the limit is cut");
            note(&mut figures, limit(&stage).await?);
        }
        if wants(Scenario::Restart) {
            announce("restart");
            let more;
            (subject, more) = restart(&stage, subject).await?;
            note(&mut figures, more);
        }
        if wants(Scenario::Takeover) {
            announce("takeover");
            let more;
            (subject, more) = takeover(&stage, subject).await?;
            note(&mut figures, more);
        }
        if wants(Scenario::Cutoff) {
            announce("cut off");
            note(&mut figures, cutoff(&stage, subject).await?);
        }
        announce("done");
        if self.quick {
            figures.retain(|figure| figure.kind == Kind::Count);
        }
        let clock_error_ms = stage.simulator.clock_error.as_secs_f64() * 1000.0;
        Ok(Run { program: program.name(), resources, clock_error_ms, figures })
    }

    /// Ten minutes have one full list in them; smaller fleets need less to be seen idle.
    fn idle_time(&self, resources: usize) -> Duration {
        let minutes = match resources {
            _ if self.quick => 1,
            ..=BASELINE_RESOURCES => 2,
            _ => 10,
        };
        Duration::from_secs(60 * minutes)
    }
}

/// Keeps the figures, and says them: a run may take an hour, and end before its table.
fn note(figures: &mut Vec<Figure>, more: Vec<Figure>) {
    for figure in &more {
        let Figure { what, value, unit, .. } = figure;
        say(&format!("  {what}: {} {unit}", Number(*value)));
    }
    figures.extend(more);
}
