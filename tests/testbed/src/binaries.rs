//! Finds `etcd` and `kube-apiserver`, or builds them once from their pinned Go modules.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};

use crate::Result;
use crate::source::Source;

/// The two executables that a control plane consists of.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
}

impl Binaries {
    /// Those in `KUBEBUILDER_ASSETS`, else those in the cache folder, built there on first use. `QODER_TESTBED_KUBERNETES=oldest`
    /// takes the oldest Kubernetes that is supported.
    ///
    /// # Errors
    ///
    /// If there are none and they cannot be built; the message says how to get them.
    pub async fn find() -> Result<Self> {
        if let Some(folder) = env::var_os("KUBEBUILDER_ASSETS") {
            return Self::in_folder(Path::new(&folder));
        }
        let kube_apiserver = match env::var(KUBERNETES).unwrap_or_default().as_str() {
            "" | "newest" => KUBE_APISERVER,
            "oldest" => OLDEST_KUBE_APISERVER,
            other => bail!("{KUBERNETES} is newest or oldest, and not {other:?}"),
        };
        Ok(Self { etcd: ETCD.cached().await?, kube_apiserver: kube_apiserver.cached().await? })
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

const ETCD: Source = Source {
    name: "etcd",
    folder: "controlplane/etcd",
    module: "go.etcd.io/etcd/server/v3",
    package: ".",
    version_flags: |_| String::new(),
    takes: "1 minute",
    otherwise: ALTERNATIVES,
};

const KUBE_APISERVER: Source = Source {
    name: "kube-apiserver",
    folder: "controlplane/kube-apiserver",
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
    otherwise: ALTERNATIVES,
};

/// The environment variable that chooses between the supported versions.
const KUBERNETES: &str = "QODER_TESTBED_KUBERNETES";

const OLDEST_KUBE_APISERVER: Source =
    Source { folder: "controlplane/kube-apiserver-oldest", ..KUBE_APISERVER };

/// Said when the cache is empty and cannot be filled.
const ALTERNATIVES: &str = "\
the testbed needs a Kubernetes API server; give it one of these:
  - Go on the PATH (https://go.dev/dl): etcd and kube-apiserver are then built once, in about 5 minutes
  - KUBEBUILDER_ASSETS=<folder with etcd and kube-apiserver>, for example what `setup-envtest use -p path` prints
  - KUBECONFIG_TEST=<kubeconfig of a throw-away cluster>, for example of `kind create cluster`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_committed_go_mod_files() -> Result<()> {
        for source in [ETCD, KUBE_APISERVER, OLDEST_KUBE_APISERVER] {
            let go_mod = source.go_mod()?;
            let version = source.version(&go_mod)?;
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
