//! What Argo CD, Flux, Helm and kubectl make of a resource: by the Lua that Argo CD has, and the others' own code, built
//! from `tests/gitops/programs`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;
use std::{env, fs, process, thread};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::process::workspace_binary;
use crate::source::say;
use crate::{Result, go, repository};

/// No command takes as long as this.
const LIMIT: Duration = Duration::from_secs(120);

/// The packages that are built, by their executables.
const PACKAGES: [&str; 4] =
    ["./evaluator", "./flux", "./kubectl", "github.com/yannh/kubeconform/cmd/kubeconform"];

/// The verdict of Flux's kstatus on each resource.
///
/// # Errors
///
/// If the program cannot be built or fails, as for the other functions here.
pub fn kstatus(objects: &[Value]) -> Result<Vec<Value>> {
    evaluate(&["kstatus"], objects)
}

/// The verdict of Flux on each resource where a Kustomization has these `healthCheckExprs`.
///
/// # Errors
///
/// Also if an expression fails on one of them.
pub fn expressions(expressions: &Value, objects: &[Value]) -> Result<Vec<Value>> {
    evaluate(&["expressions", &expressions.to_string()], objects)
}

/// What a Lua script returns for each resource, with no more libraries than it has in Argo CD.
///
/// # Errors
///
/// Also if the script fails on one of them.
pub fn lua(script: &str, objects: &[Value]) -> Result<Vec<Value>> {
    evaluate(&["lua", script], objects)
}

/// `kubeconform`, `kubectl`, or `flux`, which applies as Flux does, with these arguments to come.
///
/// # Errors
///
/// If it cannot be built.
pub fn program(name: &str) -> Result<Command> {
    Ok(Command::new(folder()?.join(name)))
}

fn evaluate(arguments: &[&str], objects: &[Value]) -> Result<Vec<Value>> {
    let mut evaluator = program("evaluator")?;
    let output = output_of(evaluator.args(arguments), &serde_json::to_string(objects)?)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    ensure!(answers.len() == objects.len(), "{} answers", answers.len());
    Ok(answers)
}

/// A line of a document for the shell, at the root of the repository, where `kubectl` and `kubeconform` are on the PATH.
///
/// # Errors
///
/// If the programs cannot be built.
pub fn shell(line: &str) -> Result<Command> {
    let mut path = folder()?.as_os_str().to_owned();
    if let Some(inherited) = env::var_os("PATH") {
        path.push(":");
        path.push(inherited);
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env("PATH", path).current_dir(repository());
    Ok(shell)
}

/// The one line of `docs/gitops.md` that begins with this.
///
/// # Errors
///
/// If there is none, or there are several.
pub fn documented(beginning: &str) -> Result<String> {
    let document = fs::read_to_string(repository().join("docs/gitops.md"))?;
    let mut lines = document.lines().filter(|line| line.starts_with(beginning));
    let line = lines.next().with_context(|| format!("docs/gitops.md has no line {beginning}"))?;
    ensure!(lines.next().is_none(), "docs/gitops.md has several lines {beginning}");
    Ok(line.to_owned())
}

/// Runs a command to its end, with this on its standard input. The caller's thread waits; after two minutes the command is killed.
///
/// # Errors
///
/// If it cannot be started, or reads nothing.
pub fn output_of(command: &mut Command, input: &str) -> Result<Output> {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().with_context(|| format!("failed to start {command:?}"))?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let id = child.id().to_string();
    let (ended, end) = mpsc::channel::<()>();
    thread::spawn(move || {
        if end.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
    });
    let output = child.wait_with_output();
    drop(ended);
    Ok(output?)
}

/// Where the programs are. Go knows what is unchanged, so they are asked for anew by every process.
fn folder() -> Result<&'static Path> {
    static FOLDER: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    folder.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

/// Builds into a new folder, and moves each program to its place: it may be running there.
fn build() -> Result<PathBuf> {
    let source = repository().join("tests/gitops/programs");
    go::check_version(&source, &fs::read_to_string(source.join("go.mod"))?)
        .context("Go is needed to ask what Argo CD and Flux say")?;
    let testbed = workspace_binary("testbed")?;
    let built = testbed.with_file_name("gitops");
    let unfinished = built.join(format!("unfinished-{}", process::id()));
    if !built.join("flux").is_file() {
        say("building what says what Argo CD and Flux would, about 5 minutes on first use ...");
    }
    fs::create_dir_all(&unfinished)?;
    let mut command = Command::new("go");
    command.args(["build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o"]);
    command.arg(&unfinished).args(PACKAGES).current_dir(&source);
    let output = command.env("CGO_ENABLED", "0").env("GOWORK", "off").output()?;
    ensure!(
        output.status.success(),
        "failed to build {}: {}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    for entry in fs::read_dir(&unfinished)? {
        let entry = entry?;
        fs::rename(entry.path(), built.join(entry.file_name()))?;
    }
    fs::remove_dir(&unfinished)?;
    Ok(built)
}
