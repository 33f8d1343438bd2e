//! What is measured: the operator, or the baseline, as a process with the flags of production.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kube::config::Kubeconfig;
use rustix::process::Signal;

use super::simulator::TOKEN;
use crate::{Process, Result};

/// How long it may take to end.
const DEADLINE: Duration = Duration::from_secs(30);

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Operator,
    Baseline,
}

impl Program {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Baseline => "baseline",
        }
    }
}

/// A running one.
pub(super) struct Subject {
    process: Process,
}

impl Subject {
    /// Starts it by this command in `folder`; `kubeconfig` says as whom and where. It watches all namespaces.
    pub(super) fn start(
        program: Program,
        mut command: Command,
        folder: &Path,
        kubeconfig: &Kubeconfig,
    ) -> Result<Self> {
        let [config, token] = ["kubeconfig", "token"].map(|name| folder.join(name));
        fs::write(&config, serde_yaml_ng::to_string(kubeconfig)?)?;
        fs::write(&token, TOKEN)?;
        // What whoever runs the bench has in the environment must not matter.
        for (name, _) in std::env::vars_os() {
            if name == "RUST_LOG" || name.to_string_lossy().starts_with("QODER_") {
                command.env_remove(name);
            }
        }
        command.env("KUBECONFIG", config).arg("--token-file").arg(token);
        if program == Program::Operator {
            command.args(["--listen", "127.0.0.1:0", "--log-format", "json"]);
        }
        // One of its own: what is waited for in it was not said by the process before.
        let log = tempfile::Builder::new().prefix(program.name()).tempfile_in(folder)?;
        let (_, log) = log.keep()?;
        Ok(Self { process: Process::spawn(program.name(), &command, &log)? })
    }

    /// SIGTERM, and waits.
    pub(super) async fn terminate(self) -> Result<()> {
        self.process.signal(Signal::TERM);
        let status = self.process.wait(DEADLINE).await?;
        ensure!(status.success(), "it ended with {status}:\n{}", self.process.log_tail());
        Ok(())
    }

    /// When the operator is seen to have listed all resources.
    pub(super) async fn synced(&self, deadline: Duration) -> Result<Instant> {
        let synced = |line: &str| line.contains("the caches are synced").then(Instant::now);
        self.process.wait_for_line("list of the resources", deadline, synced).await
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// Resident memory in MiB, now.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        self.memory_mib("VmRSS:")
    }

    /// The most resident memory it ever had, in MiB.
    pub(super) fn peak_mib(&self) -> Result<f64> {
        self.memory_mib("VmHWM:")
    }

    /// The processor time it has used so far, in seconds.
    #[allow(clippy::cast_precision_loss, reason = "the clock ticks are a small number")]
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        // The second field is the name in parentheses; utime and stime are the 14th and the 15th.
        let (_, rest) = stat.rsplit_once(')').context("a stat file without a name")?;
        let mut ticks = 0;
        for field in rest.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    fn memory_mib(&self, field: &str) -> Result<f64> {
        let status = fs::read_to_string(self.proc("status"))
            .with_context(|| format!("it has ended:\n{}", self.log_tail()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no such field")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.process.pid()))
    }
}
