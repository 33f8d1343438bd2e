//! The operator's executable as a process of one story.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, ensure};
use kube::config::Kubeconfig;
use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::bed::{Bed, DEADLINE};
use crate::process::{tail, workspace_binary};
use crate::{Canary, Process, Result, eventually};

/// How the operator is to be started: [`Bed::operator`].
#[derive(Debug)]
#[must_use]
pub struct OperatorBuilder<'bed> {
    bed: &'bed Bed,
    flags: BTreeMap<String, String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    token: Option<String>,
    kubeconfig: Option<Kubeconfig>,
}

impl<'bed> OperatorBuilder<'bed> {
    pub(crate) fn new(bed: &'bed Bed) -> Self {
        let flags = [
            ("namespace", bed.namespace()),
            ("poll-interval", "1s"),
            ("request-timeout", "1s"),
            ("listen", "127.0.0.1:0"),
            ("log-format", "json"),
        ];
        Self {
            bed,
            flags: flags.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            token: None,
            kubeconfig: None,
        }
    }

    /// Where the Qoder API is.
    pub fn base_url(self, url: &str) -> Self {
        self.flag("base-url", url)
    }

    /// Writes the token file of the bed and has the operator read it; [`Bed::write_token`] replaces
    /// it later.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// `--name value`, in place of what stands there for it so far.
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.insert(name.to_owned(), value.to_owned());
        self
    }

    /// How it reaches the API server, if not as the others of the bed do.
    pub fn kubeconfig(mut self, kubeconfig: Kubeconfig) -> Self {
        self.kubeconfig = Some(kubeconfig);
        self
    }

    /// One more argument, as it is.
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it as the service account that the shipped manifests give it.
    ///
    /// # Errors
    ///
    /// If the executable is missing, or did not start.
    pub fn spawn(self) -> Result<Operator> {
        let mut command = Command::new(workspace_binary("qoder-operator")?);
        command.arg("run");
        // What whoever runs the tests has in the environment must not matter.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if name == "RUST_LOG" || ["QODER_", "OTEL_"].iter().any(|of| text.starts_with(of)) {
                command.env_remove(name);
            }
        }
        if let Some(token) = &self.token {
            self.bed.write_token(token)?;
            command.arg("--token-file").arg(self.bed.token_file());
        }
        for (name, value) in &self.flags {
            command.arg(format!("--{name}={value}"));
        }
        command.args(&self.arguments).envs(self.environment);
        let name = format!("{LOG_PREFIX}{}", logs(self.bed.folder())?.len() + 1);
        let log = self.bed.folder().join(format!("{name}.log"));
        let kubeconfig = match &self.kubeconfig {
            None => self.bed.kubeconfig(),
            Some(kubeconfig) => {
                let file = log.with_extension("kubeconfig");
                fs::write(&file, serde_yaml_ng::to_string(kubeconfig)?)?;
                file
            }
        };
        command.env("KUBECONFIG", kubeconfig);
        let process = Process::spawn(&name, &command, &log)?;
        let canary = self.bed.canary();
        let command_line = fs::read(format!("/proc/{}/cmdline", process.pid())).unwrap_or_default();
        canary.must_not_be_in("a command line", &String::from_utf8_lossy(&command_line));
        Ok(Operator { process, http: http_client()?, origin: OnceCell::new(), canary })
    }

    /// [`spawn`](Self::spawn), then [`Operator::ready`].
    ///
    /// # Errors
    ///
    /// If it does not start or is not ready in time.
    pub async fn start(self) -> Result<Operator> {
        let operator = self.spawn()?;
        operator.ready().await?;
        Ok(operator)
    }
}

/// A running operator. It ends when this value is dropped.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    http: reqwest::Client,
    origin: OnceCell<String>,
    canary: Arc<Canary>,
}

impl Operator {
    /// The process: its id, its status, other signals.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Errors
    ///
    /// If it ends before, or is not ready in time; the message has the tail of its log.
    pub async fn ready(&self) -> Result<()> {
        let url = self.url("/readyz").await?;
        let ready = eventually(DEADLINE, async || {
            ensure!(
                self.process.status().is_none(),
                "the operator ended:\n{}",
                self.process.log_tail()
            );
            let answer = self.http.get(&url).send().await;
            Ok(answer.ok().filter(|answer| answer.status().is_success()).map(drop))
        });
        ready
            .await?
            .with_context(|| format!("not ready within {DEADLINE:?}:\n{}", self.process.log_tail()))
    }

    /// Waits until `/readyz` says no, and why.
    ///
    /// # Errors
    ///
    /// If it says yes for so long.
    pub async fn not_ready(&self) -> Result<String> {
        let url = self.url("/readyz").await?;
        let unready = eventually(DEADLINE, async || {
            let answer = self.http.get(&url).send().await?;
            let is_ready = answer.status().is_success();
            let text = answer.text().await?;
            Ok((!is_ready).then_some(text))
        });
        unready.await?.context("it is ready")
    }

    /// SIGKILL: a crash.
    ///
    /// # Errors
    ///
    /// If it still runs.
    pub async fn kill(&self) -> Result<ExitStatus> {
        self.process.signal(Signal::KILL);
        self.process.wait(DEADLINE).await
    }

    /// SIGTERM: what a rollout sends.
    ///
    /// # Errors
    ///
    /// If it does not end.
    pub async fn terminate(&self) -> Result<ExitStatus> {
        self.begin_to_terminate();
        self.process.wait(DEADLINE).await
    }

    /// SIGTERM, and nothing is waited for.
    pub fn begin_to_terminate(&self) {
        self.leaks_nothing();
        self.process.signal(Signal::TERM);
    }

    /// SIGSTOP: it does nothing until it is [thawed](Self::thaw), while time goes on.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Everything it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its metrics now, by name and labels as they are written: `a_total{code="200"}`.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn metrics(&self) -> Result<BTreeMap<String, f64>> {
        Ok(parse_metrics(&self.scrape("*/*").await?.1))
    }

    /// What `/metrics` answers to a scraper that sends this `Accept`: the content type and the text.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn scrape(&self, accept: &str) -> Result<(String, String)> {
        let request = self.http.get(self.url("/metrics").await?).header("accept", accept);
        let answer = request.send().await?.error_for_status()?;
        let kind = answer.headers().get("content-type").context("no content type")?;
        let kind = kind.to_str()?.to_owned();
        Ok((kind, answer.text().await?))
    }

    /// Where it serves its probes and metrics: host and port.
    ///
    /// # Errors
    ///
    /// If it has not said so in time.
    pub async fn address(&self) -> Result<String> {
        Ok(self.url("").await?.trim_start_matches("http://").to_owned())
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub fn rss_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
        Ok(number.parse()?)
    }

    /// No secret is in its log, and in what it serves now.
    fn leaks_nothing(&self) {
        self.canary.must_not_be_in("a log", &self.process.log());
        let Some(origin) = self.origin.get().filter(|_| self.process.status().is_none()) else {
            return;
        };
        for path in ["/metrics", "/readyz?verbose", "/livez"] {
            let answer = get(origin.trim_start_matches("http://"), path).unwrap_or_default();
            self.canary.must_not_be_in(path, &answer);
        }
    }

    async fn url(&self, path: &str) -> Result<String> {
        let origin = self.origin.get_or_try_init(async || {
            let address =
                self.process.wait_for_line("a log line `listening`", DEADLINE, listening_address);
            anyhow::Ok(format!("http://{}", address.await?))
        });
        Ok(format!("{}{path}", origin.await?))
    }
}

/// What a line of the operator's log says about where it serves. It is given port 0, and logs which one it got.
#[must_use]
pub fn listening_address(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    let listening = fields.get("message")?.as_str()? == "listening";
    listening.then(|| fields.get("addr")?.as_str().map(str::to_owned))?
}

/// At the end of each, however the story ends.
impl Drop for Operator {
    fn drop(&mut self) {
        self.leaks_nothing();
    }
}

/// What a server on loopback answers, or as much of it as comes soon.
fn get(address: &str, path: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_millis(500)))?;
    write!(connection, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

const LOG_PREFIX: &str = "operator-";

/// The whole logs of all operators in the folder of a bed, by name.
pub(crate) fn logs_of(folder: &Path) -> Vec<(String, String)> {
    let logs = logs(folder)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "log"));
    let read = |name: String| {
        let log = fs::read(folder.join(&name)).unwrap_or_default();
        (name, String::from_utf8_lossy(&log).into_owned())
    };
    logs.map(read).collect()
}

/// The tails of all operators' logs in the folder of a bed.
pub(crate) fn log_tails(folder: &Path) -> Vec<(String, String)> {
    let logs = logs(folder).unwrap_or_default();
    logs.into_iter().map(|name| (name.clone(), tail(&folder.join(name), 20))).collect()
}

fn logs(folder: &Path) -> io::Result<Vec<String>> {
    let names =
        fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut logs: Vec<String> = names.filter(|name| name.starts_with(LOG_PREFIX)).collect();
    logs.sort();
    Ok(logs)
}

/// A client for probes on loopback; no proxy of the environment is to see them.
pub(crate) fn http_client() -> reqwest::Result<reqwest::Client> {
    // Whoever comes first installs the provider; that there is one already is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(DEADLINE).build()
}

/// The samples of an `OpenMetrics` text, without timestamps and exemplars.
fn parse_metrics(text: &str) -> BTreeMap<String, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let sample = line.split(" # ").next()?;
        let name_end =
            sample.rfind('}').map_or_else(|| sample.find(' '), |brace| Some(brace + 1))?;
        let (name, value) = sample.split_at_checked(name_end)?;
        Some((name.to_owned(), value.split_whitespace().next()?.parse().ok()?))
    });
    samples.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_log_in_both_json_forms() {
        let nested = r#"{"level":"INFO","fields":{"message":"listening","addr":"127.0.0.1:1"}}"#;
        let flat = r#"{"level":"INFO","message":"listening","addr":"127.0.0.1:2"}"#;
        assert_eq!(listening_address(nested).as_deref(), Some("127.0.0.1:1"));
        assert_eq!(listening_address(flat).as_deref(), Some("127.0.0.1:2"));
        assert_eq!(listening_address(r#"{"fields":{"message":"ready","addr":"x"}}"#), None);
        assert_eq!(listening_address("listening"), None);
    }

    #[test]
    fn metrics_are_read_by_name_and_labels() {
        let text = "# TYPE a counter\na_total 2 # {trace=\"x\"} 1\nb{code=\"2 0\",x=\"}\"} 0.5 1700000000\nc NaN\n# EOF\n";
        let metrics = parse_metrics(text);
        assert_eq!(metrics.get("a_total"), Some(&2.0));
        assert_eq!(metrics.get("b{code=\"2 0\",x=\"}\"}"), Some(&0.5));
        assert!(metrics.get("c").is_some_and(|value| value.is_nan()));
        assert_eq!(metrics.len(), 3);
    }
}
