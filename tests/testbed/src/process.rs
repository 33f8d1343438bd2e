//! A process that ends with the one that started it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use tokio::sync::watch;

use crate::{Result, eventually};

/// A running command under `testbed supervise`.
///
/// It ends when this value is dropped, and also when the owning process dies in any way. Nothing in
/// here belongs to an async runtime, so a process can be shared by tests that each have their own.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    commands: Mutex<ChildStdin>,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts `command` (its program, arguments, environment and working folder count; its standard
    /// streams do not). All its output is appended to the file `log`.
    ///
    /// # Errors
    ///
    /// If the `testbed` executable or the command cannot be started.
    pub fn spawn(name: &str, command: &Command, log: &Path) -> Result<Self> {
        Self::spawn_with(name, command, log, None)
    }

    /// As [`spawn`](Self::spawn); the folder `scratch` is removed when the owner is gone.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_in(name: &str, command: &Command, log: &Path, scratch: &Path) -> Result<Self> {
        Self::spawn_with(name, command, log, Some(scratch))
    }

    fn spawn_with(
        name: &str,
        command: &Command,
        log: &Path,
        scratch: Option<&Path>,
    ) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("failed to open {}", log.display()))?;
        let mut supervisor = supervise(command, scratch)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .process_group(0)
            .spawn()
            .context("failed to start the testbed's supervisor")?;
        let (Some(commands), Some(reports)) = (supervisor.stdin.take(), supervisor.stdout.take())
        else {
            bail!("the supervisor of {name} has no pipes");
        };
        let mut reports = BufReader::new(reports);
        let Some(pid) = read_report(&mut reports, "pid") else {
            let _ = supervisor.wait();
            bail!("{name} did not start:\n{}", tail(log, 5));
        };
        let (sender, status) = watch::channel(None);
        thread::spawn(move || sender.send_replace(last_status(supervisor, reports)));
        Ok(Self {
            name: name.to_owned(),
            pid: pid.try_into().context("the supervisor reported a negative process id")?,
            log: log.to_owned(),
            commands: Mutex::new(commands),
            status,
        })
    }

    /// The name under which it was started.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the command itself, not of its supervisor.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to the command and to what it started. Nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(commands, "signal {}", signal.as_raw());
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// If it still runs after `deadline`.
    pub async fn wait(&self, deadline: Duration) -> Result<ExitStatus> {
        let mut status = self.status.clone();
        let ended = tokio::time::timeout(deadline, status.wait_for(Option::is_some)).await;
        match ended.with_context(|| format!("{} still runs after {deadline:?}", self.name))? {
            Ok(status) => (*status).with_context(|| format!("{} has no status", self.name)),
            Err(_) => bail!("the supervisor of {} is gone", self.name),
        }
    }

    /// Everything it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        read_lossy(&self.log)
    }

    /// The last lines it has written, for an error message.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.log, 20)
    }

    /// Waits for a line of its output that `find` makes something of.
    ///
    /// # Errors
    ///
    /// If the process ends before, or `deadline` passes; the message names `what` was waited for and
    /// has the tail of the output.
    pub async fn wait_for_line<T>(
        &self,
        what: &str,
        deadline: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let found = eventually(deadline, async || {
            let ended = self.status();
            if let Some(found) = self.log().lines().find_map(&find) {
                return Ok(Some(found));
            }
            ensure!(ended.is_none(), "{} ended before {what}:\n{}", self.name, self.log_tail());
            Ok(None)
        });
        found.await?.with_context(|| {
            format!("{}: no {what} within {deadline:?}:\n{}", self.name, self.log_tail())
        })
    }
}

/// The executable `name` of this workspace, beside the running test or executable.
///
/// # Errors
///
/// If it is not there.
pub fn workspace_binary(name: &str) -> Result<PathBuf> {
    let running = env::current_exe().context("failed to find the running executable")?;
    let mut folder = running.parent().context("the running executable has no folder")?;
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder = folder.parent().context("the build folder has no parent")?;
    }
    let binary = folder.join(name);
    ensure!(
        binary.is_file(),
        "{} is missing: run `cargo build --workspace --bins` first",
        binary.display()
    );
    Ok(binary)
}

/// `command` as an argument of `testbed supervise`, in the same folder and environment.
fn supervise(command: &Command, scratch: Option<&Path>) -> Result<Command> {
    let mut supervisor = Command::new(workspace_binary("testbed")?);
    supervisor.arg("supervise");
    if let Some(scratch) = scratch {
        supervisor.arg("--scratch").arg(scratch);
    }
    supervisor.arg("--").arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => supervisor.env(key, value),
            None => supervisor.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        supervisor.current_dir(folder);
    }
    Ok(supervisor)
}

fn read_report(reports: &mut impl BufRead, what: &str) -> Option<i32> {
    let mut line = String::new();
    reports.read_line(&mut line).ok()?;
    line.strip_prefix(what)?.trim().parse().ok()
}

/// The command's status; if the supervisor was killed before it could report, its own.
fn last_status(mut supervisor: Child, mut reports: BufReader<ChildStdout>) -> Option<ExitStatus> {
    let reported = read_report(&mut reports, "status").map(ExitStatus::from_raw);
    let own = supervisor.wait();
    reported.or(own.ok())
}

fn read_lossy(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

/// The last `lines` lines of a log, indented for an error message.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let text = read_lossy(file);
    let all: Vec<&str> = text.lines().collect();
    let last = all.iter().skip(all.len().saturating_sub(lines));
    last.flat_map(|line| ["  | ", line, "\n"]).collect()
}
