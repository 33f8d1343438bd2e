//! Programs around a cluster, for the tests of what users do with them: Helm, kustomize, kube-state-metrics.

use std::path::PathBuf;
use std::process::Command;

use crate::binaries::Binaries;
use crate::go::{numbers, required_version};
use crate::source::Source;
use crate::{Result, gitops};

const ALTERNATIVES: &str = "\
the tests of the chart need Helm 3, Helm 4 and kustomize; give them Go on the PATH (https://go.dev/dl): what is not
there is then built once, in some 6 minutes";

const KUSTOMIZE: Source = Source {
    name: "kustomize",
    folder: "tools/kustomize",
    module: "sigs.k8s.io/kustomize/kustomize/v5",
    package: "sigs.k8s.io/kustomize/kustomize/v5",
    version_flags: |_| String::new(),
    takes: "1 minute",
    otherwise: ALTERNATIVES,
};

const HELM_3: Source = Source {
    name: "helm",
    folder: "tools/helm-3",
    module: "helm.sh/helm/v3",
    package: "helm.sh/helm/v3/cmd/helm",
    version_flags: |version| {
        let module = "helm.sh/helm/v3";
        let minor = kubernetes_minor(include_str!("../tools/helm-3/go.mod"));
        format!(
            "-X {module}/internal/version.version={version} -X {module}/pkg/chartutil.k8sVersionMinor={minor} \
             -X {module}/pkg/lint/rules.k8sVersionMinor={minor}"
        )
    },
    takes: "3 minutes",
    otherwise: ALTERNATIVES,
};

const HELM_4: Source = Source {
    name: "helm",
    folder: "tools/helm-4",
    module: "helm.sh/helm/v4",
    package: "helm.sh/helm/v4/cmd/helm",
    version_flags: |version| format!("-X helm.sh/helm/v4/internal/version.version={version}"),
    takes: "3 minutes",
    otherwise: ALTERNATIVES,
};

const KUBE_STATE_METRICS: Source = Source {
    name: "kube-state-metrics",
    folder: "tools/kube-state-metrics",
    module: "k8s.io/kube-state-metrics/v2",
    package: "k8s.io/kube-state-metrics/v2",
    version_flags: |_| String::new(),
    takes: "3 minutes",
    otherwise: "the test of kube-state-metrics needs Go on the PATH (https://go.dev/dl), which builds it once",
};

/// Helm 3 is told at its build which Kubernetes it renders for where there is no cluster: that of its client, `v0.37.0`
/// for 1.37. Helm 4 finds out by itself.
fn kubernetes_minor(go_mod: &str) -> &str {
    let client = required_version(go_mod, "k8s.io/client-go");
    client.and_then(|version| version.split('.').nth(1)).unwrap_or_default()
}

/// A generation of Helm. People use both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helm {
    /// Helm 3.
    V3,
    /// Helm 4.
    V4,
}

impl Helm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V3, Self::V4];

    /// The `helm` of the PATH, if it is of this generation and not older than the pinned one; else that is built once.
    ///
    /// # Errors
    ///
    /// If there is none and it cannot be built; the message says how to get it.
    pub async fn find(self) -> Result<PathBuf> {
        let source = match self {
            Self::V3 => HELM_3,
            Self::V4 => HELM_4,
        };
        find(&source, &["version", "--template={{.Version}}"]).await
    }
}

/// The `kustomize` of the PATH, under the same conditions; else one that is built once.
///
/// # Errors
///
/// If there is none and it cannot be built; the message says how to get it.
pub async fn kustomize() -> Result<PathBuf> {
    find(&KUSTOMIZE, &["version"]).await
}

/// kube-state-metrics, in the cache folder, built there on first use.
///
/// # Errors
///
/// If it cannot be built; the message says how to get Go.
pub async fn kube_state_metrics() -> Result<PathBuf> {
    KUBE_STATE_METRICS.cached().await
}

/// Everything that is built from Go modules for the tests, the control plane included.
///
/// # Errors
///
/// If something is not there and cannot be built.
pub async fn all() -> Result<()> {
    Binaries::find().await?;
    for helm in Helm::ALL {
        helm.find().await?;
    }
    kustomize().await?;
    kube_state_metrics().await?;
    gitops::program("kubeconform")?;
    Ok(())
}

async fn find(source: &Source, version: &[&str]) -> Result<PathBuf> {
    let go_mod = source.go_mod()?;
    if let Ok(output) = Command::new(source.name).args(version).output()
        && serves(&String::from_utf8_lossy(&output.stdout), source.version(&go_mod)?)
    {
        return Ok(source.name.into());
    }
    source.cached().await
}

/// Whether one can stand for the other: what they say and render differs between generations, and grows within one.
fn serves(found: &str, pinned: &str) -> bool {
    let [found, pinned] =
        [found, pinned].map(|version| numbers(version.trim().trim_start_matches('v')));
    found.first() == pinned.first() && found >= pinned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_path_serves_if_it_is_of_the_generation_and_not_older() {
        for found in ["v3.22.0\n", "v3.22.1", "v3.100.0+g1"] {
            assert!(serves(found, "v3.22.0"), "{found}");
        }
        for found in ["v3.21.9", "v4.3.1", "v2.99.0", "", "(devel)"] {
            assert!(!serves(found, "v3.22.0"), "{found}");
        }
    }

    #[test]
    fn versions_come_from_the_committed_go_mod_files() -> Result<()> {
        for (source, flag) in
            [(HELM_3, "chartutil.k8sVersionMinor="), (HELM_4, "version.version=v4.")]
        {
            let go_mod = source.go_mod()?;
            let flags = (source.version_flags)(source.version(&go_mod)?);
            let value = flags.split(flag).nth(1).and_then(|rest| rest.split(' ').next());
            assert!(
                value.is_some_and(|value| value.starts_with(|c: char| c.is_ascii_digit())),
                "{flags}"
            );
        }
        Ok(())
    }
}
