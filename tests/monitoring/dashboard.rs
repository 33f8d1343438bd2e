//! The dashboard: every query of it uses metrics that there are, and has data in a real Prometheus that has scraped the
//! real operator through a story in which something happens.

use std::{fs, process::Command, time::Duration};

use anyhow::ensure;
use qoder_simulator::{Config, DEFAULT_TOKEN, Fault, Operation, Simulator};
use serde_json::{Value, json};
use testbed::{Bed, Operator, Prometheus, Result};

use crate::{is_documented, metrics_of, read, repository, tool};

/// Prometheus scrapes each second here. A rate looks back so far.
const WINDOW: &str = "20s";
const DEADLINE: Duration = Duration::from_secs(60);

/// Title of the panel, and query as Grafana would send it.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| (title.to_owned(), sent(target["expr"].as_str().unwrap())))
    });
    queries.collect()
}

fn sent(query: &str) -> String {
    let query = query.replace("$__rate_interval", WINDOW);
    ["$namespace", "$job"].iter().fold(query, |query, name| query.replace(name, ".*"))
}

#[test]
fn every_query_uses_metrics_that_there_are_and_every_metric_has_a_panel() {
    let queries = queries();
    let used: Vec<_> = queries.iter().flat_map(|(_, query)| metrics_of(query)).collect();
    for name in &used {
        assert!(is_documented(name), "there is no {name}");
    }
    assert!(queries.iter().all(|(_, query)| !query.contains('$')), "{queries:?}");
    let page = read("docs/metrics.md");
    let rows = page.lines().filter(|line| line.ends_with('|'));
    let metrics = rows.filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    // Limits of the machine: they are there to be compared with in a query of one's own.
    let without =
        ["process_max_fds", "process_virtual_memory_bytes", "process_virtual_memory_max_bytes"];
    for name in metrics.filter(|name| !without.contains(name)) {
        assert!(used.iter().any(|used| used.starts_with(name)), "no panel shows {name}");
    }
}

/// Everything that the dashboard shows happens here.
struct Story {
    bed: Bed,
    simulator: Simulator,
    operator: Operator,
    prometheus: Prometheus,
}

impl Story {
    async fn start() -> Result<Self> {
        let simulator = Simulator::start(Config::with_deployments(8)).await?;
        let bed = Bed::new("dashboard").await?;
        let operator = bed.operator().base_url(&simulator.base_url()).token(DEFAULT_TOKEN);
        let operator = operator.start().await?;
        let targets = [operator.address().await?];
        let scrape = json!({
            "job_name": "qoder-operator",
            "static_configs": [{"targets": targets, "labels": {"namespace": "qoder-operator"}}],
        });
        let configuration = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [scrape],
        });
        let file = bed.folder().join("prometheus.json");
        fs::write(&file, configuration.to_string())?;
        let prometheus = Prometheus::start(&tool("prometheus")?, &file).await?;
        prometheus.until("qoder_operator_build_info", DEADLINE).await?;
        Ok(Self { bed, simulator, operator, prometheus })
    }

    async fn apply(&self, n: usize, paused: bool) -> Result<()> {
        let spec = json!({ "deploymentID": self.simulator.ids()[n], "paused": paused });
        self.bed.apply(&format!("r{n}"), spec).await?;
        Ok(())
    }

    /// Waits until Prometheus has seen it.
    async fn seen(&self, query: &str) -> Result<()> {
        self.prometheus.until(query, DEADLINE).await.map(drop)
    }

    /// Each step is over when Prometheus has scraped what came of it.
    async fn play(&self) -> Result<()> {
        for n in 0..8 {
            self.apply(n, n % 2 == 0).await?;
        }
        self.seen("sum(qoder_ready_reason{reason=\"InSync\"}) == 8").await?;
        for n in 0..8 {
            self.apply(n, n % 2 == 1).await?;
        }
        self.seen("qoder_time_to_effect_seconds_count >= 8").await?;
        self.simulator.set_paused(&self.simulator.ids()[1], false);
        self.seen("qoder_drift_total{action=\"corrected\"} > 0").await?;
        self.simulator.pause_by_error(&self.simulator.ids()[2], "agent_archived_error");
        self.seen("qoder_ready_reason{reason=\"PausedByPlatform\"} == 1").await?;
        self.simulator.inject(Fault::respond(429).on(Operation::Pause).times(3));
        self.apply(4, true).await?;
        self.seen("qoder_api_requests_total{operation=\"pause\",code=\"429\"} == 3").await?;
        self.simulator.inject(Fault::respond(503).times(8));
        self.seen("qoder_api_breaker_open == 1").await?;
        self.seen("qoder_api_breaker_open == 0").await?;
        self.seen("sum(qoder_ready_reason{reason=\"InSync\"}) == 7").await?;
        // One more change, after everything.
        self.apply(5, false).await?;
        self.seen("qoder_time_to_effect_seconds_count >= 10").await
    }
}

fn has_number(series: &[Value]) -> bool {
    let values = series.iter().filter_map(|one| one["value"][1].as_str());
    values.filter_map(|value| value.parse::<f64>().ok()).any(|value| !value.is_nan())
}

#[tokio::test]
async fn every_query_has_data_after_a_story_and_prometheus_has_not_complained() -> Result<()> {
    let story = Story::start().await?;
    story.play().await?;
    let mut empty = Vec::new();
    for (title, query) in queries() {
        if !has_number(&story.prometheus.query(&query).await?) {
            // A quantile of nothing is no number: something of it must have been within the story.
            let within = story.prometheus.query(&query.replace(WINDOW, "10m")).await?;
            if !has_number(&within) {
                empty.push(format!("{title}: {query}"));
            }
        }
    }
    assert!(empty.is_empty(), "without data:\n{}\n{}", empty.join("\n"), story.operator.log());

    let targets = story.prometheus.get("targets", &[]).await?;
    let target = &targets["activeTargets"][0];
    assert_eq!((target["health"].as_str(), target["lastError"].as_str()), (Some("up"), Some("")));
    let log = story.prometheus.log();
    // Prometheus 3 writes it in capitals.
    let complaints = log.lines().filter(|line| !line.to_lowercase().contains("level=info"));
    let complaints: Vec<_> = complaints.collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    draw(&story.prometheus)
}

/// `UPDATE_DOCS=1` draws the picture of docs/metrics.md anew; it is always drawn, so that the script stays good.
fn draw(prometheus: &Prometheus) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let picture = if std::env::var_os("UPDATE_DOCS").is_some() {
        repository().join("docs/dashboard.svg")
    } else {
        folder.path().join("dashboard.svg")
    };
    let output = Command::new("python3")
        .arg(repository().join("tests/monitoring/draw.py"))
        .args([prometheus.url(), WINDOW])
        .arg(repository().join("deploy/monitoring/dashboard.json"))
        .arg(&picture)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let drawn = fs::read_to_string(picture)?;
    assert!(drawn.contains("Resources by reason") && drawn.len() < 200_000, "{}", drawn.len());
    let lines = drawn.matches("<polyline").count();
    assert!(lines >= 20, "{lines} lines");
    Ok(())
}
