//! A real Prometheus that scrapes operators: the one on the `PATH`, else Debian's package, unpacked and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::bed::DEADLINE;
use crate::operator::http_client;
use crate::{Process, Result, eventually};

/// `prometheus` or `promtool`. `folder` is where Debian's package is unpacked, once.
///
/// # Errors
///
/// If it is not there and cannot be had; the message says how to get it.
pub fn binary(name: &str, folder: &Path) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name));
    if let Some(found) = found.into_iter().find(|file| file.is_file()) {
        return Ok(found);
    }
    unpacked(folder).map(|bin| bin.join(name)).with_context(|| {
        format!(
            "there is no {name} on the PATH, and apt-get cannot fetch it: install Prometheus \
             (apt-get install prometheus, brew install prometheus, or https://prometheus.io/download)"
        )
    })
}

/// No service is started, and nothing outside of the folder changes: this needs no root.
fn unpacked(folder: &Path) -> Result<PathBuf> {
    let [root, lists] = ["prometheus", "prometheus-lists"].map(|name| folder.join(name));
    // Tests in several processes may come at once; the last line of the script makes the whole of it.
    fs::create_dir_all(folder)?;
    let lock = fs::File::create(folder.join("prometheus.lock"))?;
    lock.lock()?;
    if !root.is_dir() {
        let script = r#"
            work=$(mktemp -d "$1.XXXXXX"); trap 'rm -rf "$work"' EXIT; cd "$work"
            apt-get download prometheus ||
              { mkdir -p "$2/partial"; apt="apt-get -o Dir::State::lists=$2"; $apt update && $apt download prometheus; }
            dpkg -x prometheus_*.deb root
            mv root "$1""#;
        let output = Command::new("sh").args(["-euc", script, "sh"]).args([&root, &lists]).output();
        let output = output.context("there is no shell")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(root.join("usr/bin"))
}

/// What a line of a log says about where its program listens: Prometheus and kube-state-metrics say it alike.
#[must_use]
pub fn listening(line: &str) -> Option<String> {
    let (_, address) = line.split_once("Listening on")?.1.split_once("address=")?;
    Some(address.split_whitespace().next()?.trim_matches('"').to_owned())
}

/// What a scraper on this machine gets from another program than the operator.
///
/// # Errors
///
/// If it does not answer with success.
pub async fn fetch(url: &str) -> Result<String> {
    Ok(http_client()?.get(url).send().await?.error_for_status()?.text().await?)
}

/// A running Prometheus. It ends when this value is dropped.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    http: reqwest::Client,
    origin: String,
}

impl Prometheus {
    /// Starts one with the configuration that is in the file; its data go into a folder beside that.
    ///
    /// # Errors
    ///
    /// If it is not there, or does not start.
    pub async fn start(binary: &Path, configuration: &Path) -> Result<Self> {
        let folder = configuration.parent().context("a file in a folder")?;
        let mut command = Command::new(binary);
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            // What it scrapes is on this machine.
            .envs([("NO_PROXY", "*"), ("no_proxy", "*")])
            .current_dir(folder);
        let process = Process::spawn("prometheus", &command, &folder.join("prometheus.log"))?;
        let address = process.wait_for_line("a log line of where it listens", DEADLINE, listening);
        let origin = format!("http://{}", address.await?);
        let prometheus = Self { process, http: http_client()?, origin };
        let ready = format!("{}/-/ready", prometheus.origin);
        let is_ready = eventually(DEADLINE, async || {
            let answer = prometheus.http.get(&ready).send().await;
            Ok(answer.ok().filter(|answer| answer.status().is_success()).map(drop))
        });
        is_ready.await?.with_context(|| prometheus.process.log())?;
        Ok(prometheus)
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.origin
    }

    /// Everything it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What its API answers: the `data` of it.
    ///
    /// # Errors
    ///
    /// What Prometheus says that is wrong.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let query: Vec<_> =
            query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let url = format!("{}/api/v1/{path}?{}", self.origin, query.join("&"));
        let mut answer: Value = self.http.get(url).send().await?.json().await?;
        let data = answer.get_mut("data").map(Value::take);
        data.with_context(|| format!("Prometheus refuses {path}: {answer}"))
    }

    /// The result of an instant query: its series.
    ///
    /// # Errors
    ///
    /// What Prometheus says that is wrong.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>> {
        let data = self.get("query", &[("query", query)]).await?;
        let series = data.get("result").and_then(Value::as_array);
        Ok(series.cloned().unwrap_or_default())
    }

    /// Waits until the query has a result.
    ///
    /// # Errors
    ///
    /// If it has none in time.
    pub async fn until(&self, query: &str, deadline: Duration) -> Result<Vec<Value>> {
        let found = eventually(deadline, async || {
            Ok(Some(self.query(query).await?).filter(|series| !series.is_empty()))
        });
        found.await?.with_context(|| format!("no result of {query}\n{}", self.log()))
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
