//! Go, Python and Node, for tests that are written in them. They write into the target directory only.
#![allow(dead_code, reason = "each test file uses its part")]

use std::error::Error;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A first run may have to fetch packages and to compile Go's library.
const LONG: Duration = Duration::from_secs(300);
pub const BINARY: &str = env!("CARGO_BIN_EXE_qoder-simulator");

const REQUIREMENTS: [&str; 2] =
    ["examples/python/requirements.txt", "tests/snippets/requirements.txt"];

/// A language in which people test.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    Go,
    Python,
    JavaScript,
}

impl Language {
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    /// The example in this language.
    pub fn example(self) -> PathBuf {
        package().join("examples").join(self.name())
    }

    /// The command that runs the tests in a directory. Without more, it finds the simulator's binary on its path.
    pub async fn tests(self, directory: &Path) -> Outcome<Command> {
        let mut command = match self {
            Self::Go => {
                need("go", "version", "Go", (1, 24)).await?;
                command("go", ["test", "-count=1", "."])
            }
            Self::Python => {
                let python = python("python", &REQUIREMENTS).await?.join("python");
                command(python, ["-m", "pytest", "-q", "-p", "no:cacheprovider"])
            }
            Self::JavaScript => {
                need("node", "--version", "Node", (20, 0)).await?;
                command("node", ["--test"])
            }
        };
        let binaries = Path::new(BINARY).parent().ok_or("the binary is nowhere")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(binaries.to_owned()).chain(std::env::split_paths(&path));
        command
            .current_dir(directory)
            .env("PATH", std::env::join_paths(path)?)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // All of it is on this machine.
            .envs([("NO_PROXY", "*"), ("no_proxy", "*")])
            .env_remove("QODER_SIMULATOR")
            .env_remove("QODER_SIMULATOR_URL");
        Ok(command)
    }
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn command<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end, which must be a good one.
pub async fn run(mut command: Command) -> Outcome<Output> {
    let output =
        timeout(LONG, command.output()).await.map_err(|_| format!("no end: {command:?}"))??;
    if output.status.success() {
        return Ok(output);
    }
    let [told, shown] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    Err(format!("{command:?} has failed:\n{shown}\n{told}").into())
}

/// Refuses, with what to do, if a language is not there or too old. Answers what it says of its version.
pub async fn need(program: &str, version: &str, name: &str, least: (u32, u32)) -> Outcome<String> {
    let (major, minor) = least;
    let install = format!("install {name} {major}.{minor} or later");
    let asked = run(command(program, [version])).await;
    let output = asked.map_err(|error| format!("there is no {program} ({error}): {install}"))?;
    let told = String::from_utf8(output.stdout)?;
    let mut numbers =
        told.trim_start_matches(|character: char| !character.is_ascii_digit()).split(['.', ' ']);
    let mut next = || numbers.next()?.parse().ok();
    let number = next().zip(next());
    if number.is_none_or(|number| number < least) {
        return Err(format!("{program} is {}: {install}", told.trim()).into());
    }
    Ok(told)
}

/// A Python of the tests' own, with the packages that files in this package name: its directory of programs. It is made once
/// for each such list.
pub async fn python(name: &str, requirements: &[&str]) -> Outcome<PathBuf> {
    let version = need("python3", "--version", "Python", (3, 11)).await?;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Another test may be at it, also of another process.
    let lock = File::create(directory.with_extension("lock"))?;
    let _lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let programs = directory.join("bin");
    let python = programs.join("python");
    let files = requirements.iter().map(|file| package().join(file));
    let mut wanted = version;
    for file in files.clone() {
        wanted += &fs::read_to_string(file)?;
    }
    let installed = directory.join("installed.txt");
    // It is a link to the Python that it was made with.
    if python.exists() && fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(programs);
    }
    // Debian's Python cannot put a pip into it, but the pip that is there can install from outside.
    let mut make = command("python3", ["-m", "venv", "--clear", "--without-pip"]);
    make.arg(&directory);
    run(make).await?;
    let mut pip = command("python3", ["-m", "pip", "--python"]);
    pip.arg(&python).args(["install", "--quiet"]);
    for file in files {
        pip.arg("--requirement").arg(file);
    }
    run(pip).await.map_err(|error| format!("pip, 22.3 or later, is needed: {error}"))?;
    fs::write(installed, wanted)?;
    Ok(programs)
}
