//! Finds `etcd` and `kube-apiserver`, or builds them once from their pinned Go modules.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, process};

use anyhow::{Context, bail, ensure};

use crate::go::{self, required_version};
use crate::{Process, Result};

/// How long one build may take: two cores need four minutes, a loaded laptop with one more.
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// How often a build says that it is still going on.
const PROGRESS: Duration = Duration::from_secs(20);

/// The two executables that a control plane consists of.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
}

impl Binaries {
    /// Those in `KUBEBUILDER_ASSETS`, else those in the cache folder, built there on first use.
    ///
    /// # Errors
    ///
    /// If there are none and they cannot be built; the message says how to get them.
    pub async fn find() -> Result<Self> {
        if let Some(folder) = env::var_os("KUBEBUILDER_ASSETS") {
            return Self::in_folder(Path::new(&folder));
        }
        let cache = cache_folder()?;
        Ok(Self {
            etcd: ETCD.cached(&cache).await?,
            kube_apiserver: KUBE_APISERVER.cached(&cache).await?,
        })
    }

    fn in_folder(folder: &Path) -> Result<Self> {
        let [etcd, kube_apiserver] = ["etcd", "kube-apiserver"].map(|name| folder.join(name));
        for binary in [&etcd, &kube_apiserver] {
            ensure!(
                binary.is_file(),
                "KUBEBUILDER_ASSETS is set, but {} is not there",
                binary.display()
            );
        }
        Ok(Self { etcd, kube_apiserver })
    }
}

/// A server that is built from a Go module in `controlplane/`, whose `go.mod` pins everything.
struct Source {
    /// Name of the executable, and of the folder.
    name: &'static str,
    /// The module whose version counts.
    module: &'static str,
    /// What to build.
    package: &'static str,
    /// Linker flags that carry the version, if the server wants to be told its own.
    version_flags: fn(&str) -> String,
    /// What a first build takes on two cores.
    takes: &'static str,
}

const ETCD: Source = Source {
    name: "etcd",
    module: "go.etcd.io/etcd/server/v3",
    package: ".",
    version_flags: |_| String::new(),
    takes: "1 minute",
};

const KUBE_APISERVER: Source = Source {
    name: "kube-apiserver",
    module: "k8s.io/kubernetes",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    version_flags: |version| {
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) =
            (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let variable = "-X k8s.io/component-base/version";
        format!(
            "{variable}.gitVersion={version} {variable}.gitMajor={major} {variable}.gitMinor={minor}"
        )
    },
    takes: "4 minutes",
};

impl Source {
    async fn cached(&self, cache: &Path) -> Result<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("controlplane").join(self.name);
        let go_mod = fs::read_to_string(folder.join("go.mod"));
        let go_mod =
            go_mod.with_context(|| format!("failed to read the go.mod of {}", self.name))?;
        let version = required_version(&go_mod, self.module).with_context(|| {
            format!("the go.mod of {} does not require {}", self.name, self.module)
        })?;
        let binary = cache.join(version).join(self.name);
        if binary.is_file() {
            return Ok(binary);
        }
        let target = binary.parent().unwrap_or(cache);
        fs::create_dir_all(target)
            .with_context(|| format!("failed to create {}", target.display()))?;
        let _lock = lock(&target.join(format!("{}.lock", self.name))).await?;
        if !binary.is_file() {
            go::check_version(&folder, &go_mod).with_context(|| {
                format!("{} {version} is not there yet\n{ALTERNATIVES}", self.name)
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
                "failed to build {name} {version} ({status}):\n{}{ALTERNATIVES}",
                build.log_tail()
            );
        }
        fs::rename(&unfinished, binary)
            .with_context(|| format!("failed to place {}", binary.display()))?;
        say(&format!("built {name} {version} in {} s", start.elapsed().as_secs()));
        Ok(())
    }
}

/// Said when the cache is empty and cannot be filled.
const ALTERNATIVES: &str = "\
the testbed needs a Kubernetes API server; give it one of these:
  - Go on the PATH (https://go.dev/dl): etcd and kube-apiserver are then built once, in about 5 minutes
  - KUBEBUILDER_ASSETS=<folder with etcd and kube-apiserver>, for example what `setup-envtest use -p path` prints
  - KUBECONFIG_TEST=<kubeconfig of a throw-away cluster>, for example of `kind create cluster`";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_committed_go_mod_files() -> Result<()> {
        for source in [ETCD, KUBE_APISERVER] {
            let folder =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("controlplane").join(source.name);
            let go_mod = fs::read_to_string(folder.join("go.mod"))?;
            let version = required_version(&go_mod, source.module).unwrap_or_default();
            assert!(version.starts_with('v') && version.split('.').count() == 3, "{version}");
        }
        Ok(())
    }

    #[test]
    fn the_api_server_is_told_its_version() {
        let flags = (KUBE_APISERVER.version_flags)("v1.37.2");
        assert!(
            flags.contains("gitVersion=v1.37.2")
                && flags.contains("gitMajor=1")
                && flags.ends_with("gitMinor=37")
        );
    }
}
