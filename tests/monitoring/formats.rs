//! `/metrics` of the running operator, read by the parsers that others wrote.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use qoder_simulator::{Config, DEFAULT_TOKEN, Simulator};
use serde_json::json;
use testbed::{Bed, Operator, Result, exposition};

use crate::{read, tool};

/// As Prometheus 2 sends it.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An operator that has something to tell.
async fn operator() -> Result<(Bed, Simulator, Operator)> {
    let simulator = Simulator::start(Config::with_deployments(1)).await?;
    let bed = Bed::new("formats").await?;
    let operator = bed.operator().base_url(&simulator.base_url()).token(DEFAULT_TOKEN);
    let operator = operator.start().await?;
    bed.apply("nightly", json!({ "deploymentID": simulator.ids()[0], "paused": true })).await?;
    bed.wait_ready("nightly").await?;
    Ok((bed, simulator, operator))
}

#[tokio::test]
async fn the_page_has_what_a_running_operator_serves() -> Result<()> {
    let (_bed, _simulator, operator) = operator().await?;
    let (_, text) = operator.scrape(PROMETHEUS).await?;
    let page = read("docs/metrics.md");
    let rows = page.lines().skip_while(|line| *line != exposition::HEADER).skip(2);
    let rows: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
    assert_eq!(exposition::table(&text), rows);
    Ok(())
}

#[tokio::test]
async fn each_scraper_gets_the_format_that_it_asks_for_and_reads_it() -> Result<()> {
    let (_bed, _simulator, operator) = operator().await?;
    let mut scraped = Vec::new();
    for (accept, kind, module) in [
        (PROMETHEUS, OPEN_METRICS, "prometheus_client.openmetrics.parser"),
        ("text/plain;version=0.0.4", TEXT, "prometheus_client.parser"),
        ("*/*", TEXT, "prometheus_client.parser"),
    ] {
        let (said, text) = operator.scrape(accept).await?;
        assert_eq!(said, kind, "{accept}");
        // The families as that parser has them: name, type, how many samples.
        let script = format!(
            "import sys\nfrom {module} import text_string_to_metric_families as parse\n\
             for f in parse(sys.stdin.read()): print(f.name, f.type, len(f.samples), bool(f.documentation))"
        );
        let families = piped(Command::new(python()?).args(["-c", &script]), &text)?;
        for expected in [
            "qoder_drift counter 3 True",
            "process_cpu_seconds counter 1 True",
            "qoder_time_to_effect_seconds histogram 16 True",
            "qoder_writes_waiting gauge 1 True",
        ] {
            assert!(families.lines().any(|line| line == expected), "{expected}:\n{families}");
        }
        assert!(!families.contains("unknown") && !families.contains("False"), "{families}");
        scraped.push(text);
    }
    // It lints names, helps and types, and reads the older format only.
    let said = piped(Command::new(tool("promtool")?).args(["check", "metrics"]), &scraped[1])?;
    assert_eq!(said, "");
    Ok(())
}

/// What a command that is given `input` says, if it succeeds.
fn piped(command: &mut Command, input: &str) -> Result<String> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), input)?;
    let output = command.stdin(Stdio::from(file.reopen()?)).output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    ensure!(output.status.success(), "{command:?}: {said}\n{input}");
    Ok(said)
}

/// A Python with the parsers of Prometheus' own client.
fn python() -> Result<PathBuf> {
    const CLIENT: &str = "prometheus-client==0.23.1";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("monitoring-python");
    let python = folder.join("bin/python");
    std::fs::create_dir_all(&folder)?;
    let lock = std::fs::File::create(folder.join("lock"))?;
    lock.lock()?;
    let run = |program: &Path, arguments: &[&str]| -> Result<()> {
        let output = Command::new(program).args(arguments).output();
        let output =
            output.context("the parsers need Python 3.11 or newer, with pip 22.3 or newer")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    let done = folder.join(CLIENT);
    if !done.exists() {
        // As for the simulator's tests: Debian's Python cannot put a pip into it, but the pip that is there can install from outside.
        let outer = Path::new("python3");
        run(outer, &["-m", "venv", "--without-pip", &folder.to_string_lossy()])?;
        run(
            outer,
            &["-m", "pip", "--python", &python.to_string_lossy(), "install", "--quiet", CLIENT],
        )?;
        std::fs::write(done, "")?;
    }
    Ok(python)
}
