//! What `deploy/monitoring` promises, before a real Prometheus: the formats of `/metrics`, alerts, runbooks, dashboard.
//!
//! `prometheus` and `promtool` are those on the `PATH`, else those of Debian's package. A machine where neither is to be
//! had fails these tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod alerts;
mod dashboard;
mod formats;
mod kube_state_metrics;
mod monitors;

use std::{
    fs,
    path::{Path, PathBuf},
};

use testbed::{Result, prometheus};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
fn read(path: &str) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `prometheus` or `promtool`.
fn tool(name: &str) -> Result<PathBuf> {
    prometheus::binary(name, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// The names of the metrics in a `PromQL` expression: what begins as one of ours does.
fn metrics_of(expression: &str) -> Vec<&str> {
    let prefixes = ["qoder_", "controller_runtime_", "workqueue_", "leader_election_", "process_"];
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))).collect()
}

/// Whether docs/metrics.md, which is written from the registry, has the metric of this series.
fn is_documented(series: &str) -> bool {
    let page = read("docs/metrics.md");
    let of_histogram = ["_bucket", "_sum", "_count"];
    let family = of_histogram.iter().find_map(|suffix| series.strip_suffix(suffix));
    let has = |row: String| page.contains(&row);
    has(format!("\n| `{series}` | "))
        || family.is_some_and(|name| has(format!("\n| `{name}` | histogram | ")))
}
