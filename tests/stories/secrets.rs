//! The token stays in the process: it is in nothing that is printed, and in no core. Every other story looks for it at its end, too: see `Bed` and
//! `Operator`.

use std::{os::unix::process::ExitStatusExt as _, path::Path, process::Command};

use testbed::Result;

use crate::story::{Story, TOKEN};

const OPERATOR: &str = env!("CARGO_BIN_EXE_qoder-operator");

#[tokio::test]
async fn nothing_that_the_program_prints_has_the_token_of_its_environment() -> Result<()> {
    let story = Story::with("printed", 1).await?;
    let base_url = format!("--base-url={}", story.simulator.base_url());
    let cases: [&[&str]; 8] = [
        &["--help"],
        &["run", "--help"],
        &["check", "-h"],
        &["--version"],
        &["crd"],
        &["check", &base_url],
        &["--no-such-flag"],
        &["run", "--base-url=nonsense"],
    ];
    for args in cases {
        let mut command = Command::new(OPERATOR);
        command.args(args).env("QODER_PAT", TOKEN).env("KUBECONFIG", story.bed.kubeconfig());
        let output = command.env("RUST_LOG", "trace").output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = story.bed.searched(&args.join(" "), String::from_utf8(said)?);
        assert!(!said.is_empty(), "{args:?}");
    }
    Ok(())
}

/// The most that can be logged, by all libraries: while it reads, writes, and is refused.
#[tokio::test]
async fn no_level_of_the_log_has_the_token() -> Result<()> {
    let mut story = Story::with("traced", 1).await?;
    story.operator.terminate().await?;
    let operator = story.bed.operator().base_url(&story.simulator.base_url()).token(TOKEN);
    story.operator = operator.env("RUST_LOG", "trace").start().await?;
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    story.simulator.accept_tokens([qoder_simulator::Token::new("pt-another-fake")]);
    story.until("nightly", "False", "CredentialRejected").await?;
    Ok(())
}

/// Runs what is given until it aborts, where cores may have any size: whether there is one.
fn dumps_core(folder: &Path, script: &str, args: &[&str]) -> Result<bool> {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).args(args).current_dir(folder);
    let status = shell.status()?;
    assert_eq!(status.signal(), Some(6), "{status}");
    Ok(status.core_dumped())
}

#[tokio::test]
async fn a_process_that_is_aborted_leaves_no_core_with_the_token_in_it() -> Result<()> {
    let story = Story::with("core", 1).await?;
    let folder = story.bed.folder();
    let abort = "ulimit -c unlimited; kill -ABRT $$";
    if !dumps_core(folder, abort, &[])? {
        eprintln!("SKIPPED: no process on this machine leaves a core");
        return Ok(());
    }
    // It has read its token once it watches.
    let run = r#"ulimit -c unlimited; exec "$@""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", run, "sh", OPERATOR, "run", "--listen=127.0.0.1:0", "--log-format=json"]);
    shell.arg(format!("--base-url={}", story.simulator.base_url()));
    shell.arg(format!("--namespace={}", story.bed.namespace()));
    shell.env("QODER_PAT", TOKEN).env("KUBECONFIG", story.bed.kubeconfig()).current_dir(folder);
    let log = folder.join("aborted.log");
    let process = testbed::Process::spawn("aborted", &shell, &log)?;
    let begins = |line: &str| line.contains("starting").then_some(());
    process.wait_for_line("its start", testbed::bed::DEADLINE, begins).await?;
    process.signal(rustix::process::Signal::ABORT);
    let status = process.wait(testbed::bed::DEADLINE).await?;
    assert_eq!(status.signal(), Some(6), "{status}");
    assert!(!status.core_dumped(), "a core has the token in it");
    Ok(())
}
