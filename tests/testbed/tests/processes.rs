//! Whatever the testbed starts ends with whoever started it.

#![allow(clippy::expect_used, reason = "a test that meets the impossible should stop there")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::Context;
use rustix::process::{Pid, Signal, test_kill_process};
use testbed::process::workspace_binary;
use testbed::{Process, Result};

const DEADLINE: Duration = Duration::from_secs(20);

/// A shell that starts a child of its own and then ignores SIGTERM: the worst to get rid of.
const STUBBORN: &str = "trap '' TERM; sleep 1000 & echo child $!; wait";

#[tokio::test]
async fn a_process_reports_its_output_and_its_status() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new("sh");
    command.args(["-c", "echo out $GREETING; echo err >&2; exit 7"]).env("GREETING", "hello");
    let process = Process::spawn("greeter", &command, &folder.path().join("log"))?;
    assert_eq!(process.wait(DEADLINE).await?.code(), Some(7));
    assert_eq!(process.log(), "out hello\nerr\n");
    Ok(())
}

#[tokio::test]
async fn a_signal_reaches_the_process_and_shows_in_its_status() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let process =
        Process::spawn("sleeper", Command::new("sleep").arg("1000"), &folder.path().join("log"))?;
    process.signal(Signal::STOP);
    process.signal(Signal::CONT);
    process.signal(Signal::KILL);
    assert_eq!(process.wait(DEADLINE).await?.signal(), Some(9));
    Ok(())
}

#[test]
fn a_missing_program_is_an_error_that_names_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let missing =
        Process::spawn("ghost", &Command::new("/no/such/program"), &folder.path().join("log"));
    let message = missing.expect_err("it must not start").to_string();
    assert!(
        message.contains("ghost did not start") && message.contains("/no/such/program"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn waiting_for_a_line_ends_with_the_process() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new("sh");
    command.args(["-c", "echo the last words; exit 1"]);
    let process = Process::spawn("short", &command, &folder.path().join("log"))?;
    let line = process.wait_for_line("address", DEADLINE, |line| {
        line.strip_prefix("address ").map(str::to_owned)
    });
    let message = line.await.expect_err("there is no such line").to_string();
    assert!(
        message.contains("short ended before address") && message.contains("the last words"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn dropping_a_process_ends_all_that_it_started() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new("sh");
    command.args(["-c", STUBBORN]);
    let process = Process::spawn("stubborn", &command, &folder.path().join("log"))?;
    let grandchild = process
        .wait_for_line("child", DEADLINE, |line| line.strip_prefix("child ")?.parse().ok())
        .await?;
    let pids = [i32::try_from(process.pid())?, grandchild];
    assert!(pids.into_iter().all(runs));
    drop(process);
    wait_until_gone(&pids);
    Ok(())
}

#[test]
fn nothing_outlives_an_owner_that_is_killed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scratch = folder.path().join("scratch");
    fs::create_dir(&scratch)?;
    // All that makes it the owner is that it holds the other end of the supervisor's input.
    let mut owner = Command::new("sleep").arg("1000").stdout(Stdio::piped()).spawn()?;
    let input = owner.stdout.take().context("no pipe")?;
    let mut supervisor = Command::new(workspace_binary("testbed")?)
        .args(["supervise", "--scratch"])
        .arg(&scratch)
        .args(["--", "sh", "-c", STUBBORN])
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let child = number_after("pid", supervisor.stdout.take())?;
    let grandchild = number_after("child", supervisor.stderr.take())?;
    assert!([child, grandchild].into_iter().all(runs));

    owner.kill()?;
    wait_until_gone(&[child, grandchild]);
    assert_eq!(supervisor.wait()?.code(), Some(128 + 9), "it ignored SIGTERM");
    assert!(!scratch.exists());
    owner.wait()?;
    Ok(())
}

fn number_after(word: &str, stream: Option<impl Read>) -> Result<i32> {
    let mut line = String::new();
    BufReader::new(stream.context("no pipe")?).read_line(&mut line)?;
    Ok(line.strip_prefix(word).context(line.clone())?.trim().parse()?)
}

fn runs(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn wait_until_gone(pids: &[i32]) {
    let start = Instant::now();
    while pids.iter().any(|pid| runs(*pid)) {
        assert!(start.elapsed() < DEADLINE, "of {pids:?} some still run");
        thread::sleep(Duration::from_millis(20));
    }
}
