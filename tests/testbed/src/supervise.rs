//! `testbed supervise`: runs one command, and ends it when whoever asked for it is gone.
//!
//! The owner holds the other end of the standard input. The kernel closes it however the owner
//! ends, by a return, a panic, Ctrl-C or SIGKILL, so that nothing outlives a failed test. A line
//! `signal N` passes a signal on. Standard output reports `pid N` first and `status N` (the raw wait
//! status) last; everything the command writes goes to standard error.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::Result;

/// How long the command may take to end by itself once its owner is gone.
const GRACE: Duration = Duration::from_secs(3);

/// Arguments of `testbed supervise`.
#[derive(Debug, clap::Args)]
pub struct Supervise {
    /// A folder to remove when the owner is gone and the command has ended
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Supervise {
    /// Runs the command until it ends, and exits as it did (128 + N after a signal N).
    ///
    /// # Errors
    ///
    /// If the command cannot be started or waited for.
    pub fn run(self) -> Result<ExitCode> {
        let (program, args) = self.command.split_first().context("no command to supervise")?;
        // Groups of their own: Ctrl-C in a terminal reaches the owner alone, which then decides.
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(io::stderr())
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {}", Path::new(program).display()))?;
        let group = Pid::from_child(&child);
        report("pid", group.as_raw_pid());

        let orphaned = Arc::new(AtomicBool::new(false));
        thread::spawn({
            let orphaned = Arc::clone(&orphaned);
            move || obey(group, &orphaned)
        });
        let status = child.wait().context("failed to wait for the supervised command")?;
        // What the command itself started and left behind is still in its group, or nobody is.
        let _ = kill_process_group(group, Signal::KILL);
        report("status", status.into_raw());
        if let (Some(scratch), true) = (&self.scratch, orphaned.load(Ordering::SeqCst)) {
            fs::remove_dir_all(scratch).context("failed to remove the scratch folder")?;
        }
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Ok(code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

/// Tells the owner, if there still is one.
fn report(what: &str, value: i32) {
    let _ = writeln!(io::stdout(), "{what} {value}");
}

/// Passes on what the owner asks for; ends the group when the owner is gone.
fn obey(group: Pid, orphaned: &AtomicBool) {
    for line in io::stdin().lines().map_while(io::Result::ok) {
        let signal = line.strip_prefix("signal ").and_then(|number| number.parse().ok());
        match signal.and_then(Signal::from_named_raw) {
            // The group may have ended by now; its status is already on its way.
            Some(signal) => drop(kill_process_group(group, signal)),
            None => eprintln!("supervise: not a command: {line:?}"),
        }
    }
    orphaned.store(true, Ordering::SeqCst);
    let _ = kill_process_group(group, Signal::TERM);
    thread::sleep(GRACE);
    let _ = kill_process_group(group, Signal::KILL);
}
