//! Two tenants in one cluster: each operator acts in its own namespace, and may in no other.

use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    config::KubeConfigOptions,
};
use qoder_operator::api::QoderDeployment;
use qoder_simulator::Simulator;
use serde_json::json;
use testbed::{Process, Result, tools::Helm};

use crate::cluster::{Cluster, reads, simulator, writes};

const TENANTS: [&str; 2] = ["north", "south"];

/// The operators of both tenants, whose Deployments have this name, each with an account of its own at Qoder.
async fn operators(
    cluster: &Cluster,
    name: fn(&str) -> String,
) -> Result<Vec<(Simulator, Process)>> {
    let mut operators = Vec::new();
    for tenant in TENANTS {
        let simulator = simulator(&["dep_north", "dep_south"]).await?;
        let process = cluster.pod(&format!("{tenant}-operator"), &name(tenant), &simulator).await?;
        operators.push((simulator, process));
    }
    Ok(operators)
}

/// Writes a status as this ServiceAccount.
async fn write_status(cluster: &Cluster, account: &str, of: &str, into: &str) -> kube::Result<()> {
    let control_plane = &cluster.control_plane;
    let kubeconfig = control_plane.kubeconfig_of(&cluster.client, account, of).await.unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = Client::try_from(config)?;
    let api = Api::<QoderDeployment>::namespaced(client, into);
    let patch = json!({"status": {"name": "anything"}});
    api.patch_status("report", &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}

async fn each_acts_in_its_own(cluster: &Cluster, name: fn(&str) -> String) -> Result<()> {
    for tenant in TENANTS {
        let resource = json!({
            "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
            "metadata": {"namespace": tenant, "name": "report"},
            "spec": {"deploymentID": format!("dep_{tenant}"), "paused": true},
        });
        cluster.types(&format!("kubectl apply --validate=strict -f - <<'E'\n{resource}\nE"))?;
    }
    let operators = operators(cluster, name).await?;
    for (tenant, (simulator, _)) in TENANTS.iter().zip(&operators) {
        cluster.ready(tenant, "report")?;
        reads(simulator, 3).await?;
        assert_eq!(writes(simulator), [format!("pause dep_{tenant} 200")]);
        let account = format!("{tenant}-operator");
        assert!(!cluster.may(&format!("{account}:{}", name(tenant)), "get secrets -A")?);
        let lease = format!("kubectl -n {account} get lease {} --output name", name(tenant));
        cluster.types(&lease)?;
    }

    let [north, south] = TENANTS.map(|tenant| (name(tenant), format!("{tenant}-operator")));
    for (account, of, own, other) in
        [(&north.0, &north.1, "north", "south"), (&south.0, &south.1, "south", "north")]
    {
        write_status(cluster, account, of, own).await?;
        let refused = write_status(cluster, account, of, other).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_kustomize_each_acts_in_its_own_namespace() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    cluster.types("kubectl apply --validate=strict -k deploy/tenants")?;
    each_acts_in_its_own(&cluster, |_| "qoder-operator".to_owned()).await?;

    // One tenant goes, and takes nothing of the other's with it.
    cluster.types("kubectl delete -k deploy/tenants/south --wait=false")?;
    cluster.types("kubectl get crd qoderdeployments.cloud.qoder.com")?;
    let may = "patch qoderdeployments.cloud.qoder.com --subresource status -n north";
    assert!(cluster.may("north-operator:qoder-operator", may)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_chart_each_acts_in_its_own_namespace() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    for (tenant, once) in [("north", ""), ("south", ",crds.enabled=false,rbac.aggregate=false")] {
        cluster.types(&format!(
            "kubectl create namespace {tenant}; helm install {tenant} deploy/chart --namespace {tenant}-operator \
             --create-namespace --set 'namespaces={{{tenant}}}{once}'"
        ))?;
    }
    each_acts_in_its_own(&cluster, |tenant| format!("{tenant}-qoder-operator")).await
}

/// kubectl takes away nothing that a kustomization does not have any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_base_leaves_under_the_overlay_is_taken_away_by_the_documented_command()
-> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    let everywhere =
        || cluster.may("qoder-operator:qoder-operator", "list qoderdeployments.cloud.qoder.com -A");
    let in_agents = || {
        cluster
            .may("qoder-operator:qoder-operator", "list qoderdeployments.cloud.qoder.com -n agents")
    };
    cluster.types("kubectl apply -k deploy/base && kubectl create namespace agents")?;
    cluster.types("kubectl apply -k deploy/namespaced")?;
    assert!(everywhere()?, "the ClusterRole is still bound");

    let page = crate::cluster::read("docs/install.md");
    let command = page.lines().find(|line| line.starts_with("kubectl delete clusterrolebinding"));
    cluster.types(command.expect("docs/install.md says how"))?;
    assert!(!everywhere()?);
    assert!(in_agents()?);

    // And back: the Role is left, and grants nothing new.
    cluster.types("kubectl apply -k deploy/base")?;
    assert!(everywhere()?);
    cluster.types("kubectl -n agents get role qoder-operator")?;
    Ok(())
}
