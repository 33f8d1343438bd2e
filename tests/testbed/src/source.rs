//! Programs that are built once from their pinned Go modules, into a cache folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, process};

use anyhow::{Context, bail};

use crate::go::{self, required_version};
use crate::{Process, Result};

/// How long one build may take: two cores need four minutes, a loaded laptop with one more.
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// How often a build says that it is still going on.
const PROGRESS: Duration = Duration::from_secs(20);

/// A program that is built from a Go module, whose `go.mod` pins everything.
pub(crate) struct Source {
    /// Name of the executable.
    pub(crate) name: &'static str,
    /// The folder of its `go.mod`, in that of the testbed.
    pub(crate) folder: &'static str,
    /// The module whose version counts.
    pub(crate) module: &'static str,
    /// What to build.
    pub(crate) package: &'static str,
    /// Linker flags that carry the version, if the program wants to be told its own.
    pub(crate) version_flags: fn(&str) -> String,
    /// What a first build takes on two cores.
    pub(crate) takes: &'static str,
    /// Said when it is not there and cannot be built.
    pub(crate) otherwise: &'static str,
}

impl Source {
    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder)
    }

    pub(crate) fn go_mod(&self) -> Result<String> {
        let text = fs::read_to_string(self.folder().join("go.mod"));
        text.with_context(|| format!("failed to read {}/go.mod", self.folder))
    }

    /// The version that this `go.mod` pins, as `v1.2.3`.
    pub(crate) fn version<'a>(&self, go_mod: &'a str) -> Result<&'a str> {
        required_version(go_mod, self.module)
            .with_context(|| format!("{}/go.mod does not require {}", self.folder, self.module))
    }

    /// The executable in the cache folder, built there on first use.
    pub(crate) async fn cached(&self) -> Result<PathBuf> {
        let cache = cache_folder()?;
        let folder = self.folder();
        let go_mod = self.go_mod()?;
        let version = self.version(&go_mod)?;
        let binary = cache.join(version).join(self.name);
        if binary.is_file() {
            return Ok(binary);
        }
        let target = binary.parent().unwrap_or(&cache);
        fs::create_dir_all(target)
            .with_context(|| format!("failed to create {}", target.display()))?;
        let _lock = lock(&target.join(format!("{}.lock", self.name))).await?;
        if !binary.is_file() {
            go::check_version(&folder, &go_mod).with_context(|| {
                format!("{} {version} is not there yet\n{}", self.name, self.otherwise)
            })?;
            self.build(&folder, version, &binary).await?;
        }
        Ok(binary)
    }

    /// Builds under another name and renames, so that the final name is only ever a whole file.
    async fn build(&self, folder: &Path, version: &str, binary: &Path) -> Result<()> {
        let unfinished = binary.with_extension(format!("{}.unfinished", process::id()));
        let log = binary.with_extension("log");
        let flags = format!("-s -w {}", (self.version_flags)(version));
        let mut go = Command::new("go");
        go.args(["build", "-mod=readonly", "-trimpath", "-ldflags", flags.trim(), "-o"])
            .arg(&unfinished)
            .arg(self.package)
            .current_dir(folder)
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off");

        let start = Instant::now();
        let name = self.name;
        say(&format!(
            "building {name} {version} from its Go module, about {} on first use ...",
            self.takes
        ));
        let build = Process::spawn("go build", &go, &log)?;
        let status = loop {
            match build.wait(PROGRESS).await {
                Ok(status) => break status,
                Err(error) if start.elapsed() > BUILD_DEADLINE => return Err(error),
                Err(_) => {
                    say(&format!("building {name} {version} ... {} s", start.elapsed().as_secs()));
                }
            }
        };
        if !status.success() {
            let _ = fs::remove_file(&unfinished);
            bail!(
                "failed to build {name} {version} ({status}):\n{}{}",
                build.log_tail(),
                self.otherwise
            );
        }
        fs::rename(&unfinished, binary)
            .with_context(|| format!("failed to place {}", binary.display()))?;
        say(&format!("built {name} {version} in {} s", start.elapsed().as_secs()));
        Ok(())
    }
}

/// `QODER_TESTBED_CACHE`, or the project's folder in the user's cache.
fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("QODER_TESTBED_CACHE") {
        return Ok(folder.into());
    }
    let user_cache = match env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => env::home_dir().context("no home folder: set QODER_TESTBED_CACHE")?.join(".cache"),
    };
    Ok(user_cache.join("qoder-operator/controlplane"))
}

/// Waits for the lock on `path`; it goes when the file is dropped, or with the process.
async fn lock(path: &Path) -> Result<File> {
    let file =
        File::create(path).with_context(|| format!("failed to create {}", path.display()))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        say("waiting for another process that builds the same ...");
    }
    // Where it is locked already, this changes nothing.
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await?;
    locked.with_context(|| format!("failed to lock {}", path.display()))
}

/// Straight to standard error: the test harness captures what `eprintln!` writes.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "testbed: {line}");
}
