//! Helm and kustomize, for the tests of what users install with them.

use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::go::required_version;
use crate::source::Source;

const ALTERNATIVES: &str = "\
the tests of the chart need Helm 3, Helm 4 and kustomize; give them Go on the PATH (https://go.dev/dl): what is not
there is then built once, in about 2 minutes each";

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
    takes: "2 minutes",
    otherwise: ALTERNATIVES,
};

const HELM_4: Source = Source {
    name: "helm",
    folder: "tools/helm-4",
    module: "helm.sh/helm/v4",
    package: "helm.sh/helm/v4/cmd/helm",
    version_flags: |version| format!("-X helm.sh/helm/v4/internal/version.version={version}"),
    takes: "2 minutes",
    otherwise: ALTERNATIVES,
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

    /// The `helm` of the PATH, if it is of this generation; else one that is built once.
    ///
    /// # Errors
    ///
    /// If there is none and it cannot be built; the message says how to get it.
    pub async fn find(self) -> Result<PathBuf> {
        let (source, generation) = match self {
            Self::V3 => (HELM_3, "v3."),
            Self::V4 => (HELM_4, "v4."),
        };
        let version = Command::new("helm").args(["version", "--template={{.Version}}"]).output();
        let is_it = version.is_ok_and(|output| output.stdout.starts_with(generation.as_bytes()));
        if is_it { Ok("helm".into()) } else { source.cached().await }
    }
}

/// The `kustomize` of the PATH, else one that is built once.
///
/// # Errors
///
/// If there is none and it cannot be built; the message says how to get it.
pub async fn kustomize() -> Result<PathBuf> {
    let is_there = Command::new("kustomize").arg("version").output();
    if is_there.is_ok_and(|output| output.status.success()) {
        return Ok("kustomize".into());
    }
    KUSTOMIZE.cached().await
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn versions_come_from_the_committed_go_mod_files() -> Result<()> {
        for (source, flag) in
            [(HELM_3, "chartutil.k8sVersionMinor="), (HELM_4, "version.version=v4.")]
        {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(source.folder);
            let go_mod = fs::read_to_string(folder.join("go.mod"))?;
            let version = required_version(&go_mod, source.module).unwrap_or_default();
            let flags = (source.version_flags)(version);
            let value = flags.split(flag).nth(1).and_then(|rest| rest.split(' ').next());
            assert!(
                value.is_some_and(|value| value.starts_with(|c: char| c.is_ascii_digit())),
                "{flags}"
            );
        }
        Ok(())
    }
}
