//! A release on a real API server, from its install to the next. There is no kubelet: no Pod ever runs.

use std::{fs, process::Command};

use anyhow::Context as _;
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::Namespace, policy::v1::PodDisruptionBudget},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::PostParams,
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use qoder_operator::api::QoderDeployment;
use serde_json::json;
use testbed::{ControlPlane, Result, tools::Helm};

use crate::helm::{NAME, case, chart, command, root, run};

/// A cluster of its own, because a release owns things of the whole cluster, and Helm as its administrator.
pub struct Cluster {
    pub helm: Helm,
    pub control_plane: ControlPlane,
    pub client: Client,
}

impl Cluster {
    pub async fn start(helm: Helm) -> Result<Self> {
        Self::with(helm, &[]).await
    }

    /// One whose API server has these flags, too.
    pub async fn with(helm: Helm, flags: &[&str]) -> Result<Self> {
        let control_plane = ControlPlane::start(flags).await?;
        let client = control_plane.client().await?;
        let cluster = Self { helm, control_plane, client };
        let kubeconfig = serde_yaml_ng::to_string(cluster.control_plane.kubeconfig())?;
        fs::write(cluster.kubeconfig(), kubeconfig)?;
        Ok(cluster)
    }

    fn kubeconfig(&self) -> std::path::PathBuf {
        self.control_plane.scratch().join("administrator")
    }

    /// Helm with these arguments, where people call it; in the namespace of the base, unless they say another.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.helm);
        command.args(arguments).current_dir(root());
        command.env("KUBECONFIG", self.kubeconfig()).env("HELM_NAMESPACE", NAME);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        run(&mut self.command(arguments))
            .map_err(|complaint| anyhow::anyhow!("{arguments:?}: {complaint}"))
    }

    pub fn install(&self, arguments: &[&str]) -> Result<String> {
        let chart = chart();
        let install = ["install", NAME, &chart, "--create-namespace", "--timeout=60s"];
        self.run(&[&install, arguments].concat())
    }

    /// The command in a document that begins so.
    fn run_documented(&self, document: &str, beginning: &str) -> Result<String> {
        let text = fs::read_to_string(root().join(document))?.replace("\\\n", " ");
        let command = text.lines().find(|line| line.starts_with(beginning));
        let command = command.with_context(|| format!("{document} has no {beginning}"))?;
        self.run(&command.split_whitespace().skip(1).collect::<Vec<_>>())
    }

    pub async fn image(&self) -> Result<Option<String>> {
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), NAME);
        let Some(deployment) = deployments.get_opt(NAME).await? else { return Ok(None) };
        let pod = deployment.spec.and_then(|spec| spec.template.spec).context("a Pod")?;
        let image = pod.containers.into_iter().next().and_then(|container| container.image);
        Ok(Some(image.context("an image")?))
    }

    /// A later version of the chart, with another CRD.
    fn later(&self, version: &str) -> Result<String> {
        let folder = self.control_plane.scratch();
        let copied = Command::new("cp").arg("-r").arg(chart()).arg(&folder).status()?;
        anyhow::ensure!(copied.success(), "cp: {copied}");
        let crd = folder.join("chart/files/crd.yaml");
        let text = fs::read_to_string(&crd)?;
        fs::write(&crd, text.replace("What spec.paused asks for", LATER))?;
        let versions = ["--version", version, "--app-version", version];
        let package = ["package", "chart", "--destination", "."];
        run(command(self.helm).args(package).args(versions).current_dir(&folder))
            .map_err(anyhow::Error::msg)?;
        Ok(folder.join(format!("qoder-operator-{version}.tgz")).display().to_string())
    }

    /// What the CRD says of its first column.
    async fn column(&self) -> Result<Option<String>> {
        let crds = Api::<CustomResourceDefinition>::all(self.client.clone());
        let version = crds.get(CRD).await?.spec.versions.into_iter().next().context("a version")?;
        let column = version.additional_printer_columns.unwrap_or_default().into_iter().next();
        Ok(column.and_then(|column| column.description))
    }
}

const CRD: &str = "qoderdeployments.cloud.qoder.com";

/// The column's description in the later version.
const LATER: &str = "What is asked for";

/// What Helm prints after an install: three commands, which are true for these values.
fn the_notes_have_the_next_commands(cluster: &Cluster) -> Result<()> {
    let notes = |arguments: &[&str]| {
        let chart = chart();
        let install = ["install", "north", &chart, "--dry-run=client"];
        let printed = cluster.run(&[&install, arguments].concat())?;
        anyhow::Ok(printed.split_once("NOTES:\n").context("no notes")?.1.to_owned())
    };
    let expect = |printed: &str, lines: [&str; 4]| {
        for line in lines {
            assert!(printed.lines().any(|printed| printed.trim() == line), "{line}\n{printed}");
        }
    };
    expect(
        &notes(&[])?,
        [
            "qoder-operator 0.1.0 watches all namespaces.",
            r#"kubectl -n qoder-operator create secret generic qoder-token --from-file=token="$HOME/qoder-token""#,
            "helm test north --namespace qoder-operator --logs",
            "kubectl -n default wait --for=condition=Ready qdep/nightly-report",
        ],
    );
    let several = case("several-namespaces");
    let secret = "token.secretName=a,token.secretKey=b";
    expect(
        &notes(&["--values", &several, "--set", secret])?,
        [
            "qoder-operator 0.1.0 watches the namespaces agents, reports.",
            r#"kubectl -n qoder-operator create secret generic a --from-file=b="$HOME/qoder-token""#,
            "helm test north --namespace qoder-operator --logs",
            "kubectl -n agents wait --for=condition=Ready qdep/nightly-report",
        ],
    );
    Ok(())
}

async fn from_install_to_install(helm: Helm) -> Result<()> {
    let cluster = Cluster::start(helm).await?;
    the_notes_have_the_next_commands(&cluster)?;
    cluster.run_documented("README.md", "helm upgrade --install ")?;
    let image = |version: &str| Some(format!("registry.example/qoder-operator:{version}"));
    assert_eq!(cluster.image().await?, image("0.1.0"));

    let crds = Api::<CustomResourceDefinition>::all(cluster.client.clone());
    await_condition(crds.clone(), CRD, is_crd_established()).await?;
    let resources = Api::<QoderDeployment>::namespaced(cluster.client.clone(), "default");
    let resource = serde_json::from_value(json!({
        "apiVersion": "cloud.qoder.com/v1alpha1",
        "kind": "QoderDeployment",
        "metadata": {"name": "nightly-report"},
        "spec": {"deploymentID": "dep_nightlyreport", "paused": true},
    }))?;
    let resource = resources.create(&PostParams::default(), &resource).await?;

    let next = cluster.later("0.2.0")?;
    cluster.run(&["upgrade", NAME, &next, "--set", "replicas=1"])?;
    assert_eq!(cluster.image().await?, image("0.2.0"));
    assert_eq!(cluster.column().await?.as_deref(), Some(LATER), "the CRD comes with the release");
    let budgets = Api::<PodDisruptionBudget>::namespaced(cluster.client.clone(), NAME);
    assert!(budgets.get_opt(NAME).await?.is_none(), "one replica has no budget");
    cluster.run(&["rollback", NAME])?;
    assert_eq!(cluster.image().await?, image("0.1.0"));
    assert!(budgets.get_opt(NAME).await?.is_some());
    let history = cluster.run(&["history", NAME])?;
    assert!(history.contains("Rollback to 1"), "{history}");

    // The CRD stays, and what people have made of it.
    let said = cluster.run(&["uninstall", NAME])?;
    assert!(said.contains("CustomResourceDefinition"), "{said}");
    assert_eq!(cluster.image().await?, None);
    assert!(crds.get(CRD).await?.metadata.deletion_timestamp.is_none());
    assert_eq!(resources.get("nightly-report").await?.metadata.uid, resource.metadata.uid);

    cluster.run_documented("deploy/chart/README.md", "helm install qoder-operator ")?;
    assert_eq!(cluster.image().await?, image("0.1.0"));
    assert_eq!(resources.get("nightly-report").await?.metadata.uid, resource.metadata.uid);
    Ok(())
}

#[tokio::test]
async fn helm_3_installs_upgrades_rolls_back_uninstalls_and_installs_again() -> Result<()> {
    from_install_to_install(Helm::V3).await
}

#[tokio::test]
async fn helm_4_installs_upgrades_rolls_back_uninstalls_and_installs_again() -> Result<()> {
    from_install_to_install(Helm::V4).await
}

/// What the API server takes of everything but what needs other CRDs, beside a first release.
#[tokio::test]
async fn a_second_release_serves_namespaces_of_its_own() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    cluster.install(&[])?;
    let namespaces = Api::<Namespace>::all(cluster.client.clone());
    let agents = serde_json::from_value(json!({"metadata": {"name": "agents"}}))?;
    namespaces.create(&PostParams::default(), &agents).await?;

    let (chart, values) = (chart(), case("everything"));
    let second = ["install", "north", &chart, "--values", &values];
    // There is no Prometheus operator here.
    let bare = ["--set", "serviceMonitor.enabled=false,prometheusRule.enabled=false"];
    let clash = cluster.run(&[&second[..], &bare].concat()).unwrap_err().to_string();
    let owned = r#"CustomResourceDefinition "qoderdeployments.cloud.qoder.com" in namespace "" exists and cannot be imported"#;
    assert!(clash.contains(owned), "{clash}");
    let apart = ["--set", "crds.enabled=false,rbac.aggregate=false"];
    cluster.run(&[&second[..], &bare, &apart].concat())?;
    let deployments = Api::<Deployment>::namespaced(cluster.client.clone(), NAME);
    assert_eq!(deployments.get("qoder-north").await?.spec.and_then(|spec| spec.replicas), Some(3));
    assert!(deployments.get_opt(NAME).await?.is_some());

    cluster.run_documented("deploy/chart/README.md", "helm install north ")?;
    let deployments = Api::<Deployment>::namespaced(cluster.client.clone(), "north");
    assert!(deployments.get_opt("north-qoder-operator").await?.is_some());
    Ok(())
}
