//! Several tenants in one cluster, as docs/tenants.md makes them: each operator acts in its own namespace, and may in no other. And a
//! policy that says which deployments may be named where.

use std::time::Duration;

use anyhow::Context as _;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use qoder_operator::api::QoderDeployment;
use serde_json::json;
use testbed::{Result, access, eventually, tools::Helm};

use crate::{
    blocks::{blocks, follow},
    cluster::{Cluster, read, reads, simulator, writes},
};

/// A tenant's namespace, and the name of its operator's Deployment and service account in the namespace beside it.
struct Tenant {
    namespace: &'static str,
    operator: &'static str,
}

/// Two by kustomize, two by the chart.
const TENANTS: [Tenant; 4] = [
    Tenant { namespace: "north", operator: "qoder-operator" },
    Tenant { namespace: "south", operator: "qoder-operator" },
    Tenant { namespace: "blue", operator: "blue-qoder-operator" },
    Tenant { namespace: "green", operator: "green-qoder-operator" },
];

impl Tenant {
    fn beside(&self) -> String {
        format!("{}-operator", self.namespace)
    }

    /// Writes a status into a namespace as this tenant's operator.
    async fn write_status(&self, cluster: &Cluster, namespace: &str) -> kube::Result<()> {
        let control_plane = &cluster.control_plane;
        let kubeconfig =
            control_plane.kubeconfig_of(&cluster.client, self.operator, &self.beside()).await;
        let client = access::client(kubeconfig.unwrap()).await.unwrap();
        let api = Api::<QoderDeployment>::namespaced(client, namespace);
        let patch = Patch::Merge(json!({"status": {"name": "anything"}}));
        api.patch_status("report", &PatchParams::default(), &patch).await.map(drop)
    }
}

fn create(cluster: &Cluster, namespace: &str, name: &str, id: &str) -> Result<()> {
    let resource = json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"deploymentID": id, "paused": true},
    });
    cluster.types(&format!("kubectl create -f - <<'E'\n{resource}\nE")).map(drop)
}

async fn each_acts_in_its_own_namespace(cluster: &Cluster) -> Result<()> {
    let ids = TENANTS.map(|tenant| format!("dep_{}", tenant.namespace));
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut operators = Vec::new();
    for tenant in TENANTS {
        create(cluster, tenant.namespace, "report", &format!("dep_{}", tenant.namespace))?;
        // Each has an account at Qoder, in which it could touch what the others name.
        let simulator = simulator(&ids).await?;
        let process = cluster.pod(&tenant.beside(), tenant.operator, &simulator).await?;
        operators.push((tenant, simulator, process));
    }
    for (tenant, simulator, _) in &operators {
        let Tenant { namespace, operator } = tenant;
        cluster.ready(namespace, "report")?;
        reads(simulator, 3).await?;
        assert_eq!(writes(simulator), [format!("pause dep_{namespace} 200")]);
        cluster.types(&format!("kubectl -n {} get lease {operator}", tenant.beside()))?;
        for other in TENANTS.iter().map(|tenant| tenant.namespace) {
            let written = tenant.write_status(cluster, other).await;
            match written {
                Ok(()) => assert_eq!(other, *namespace),
                Err(kube::Error::Api(status)) if status.code == 403 => {
                    assert_ne!(other, *namespace);
                }
                Err(error) => panic!("{namespace} in {other}: {error}"),
            }
        }
    }
    Ok(())
}

async fn a_namespace_can_name_its_own_deployments_only(
    cluster: &Cluster,
    policy: &[String],
) -> Result<()> {
    let id = |end: &str| format!("dep_019ec55a2b687b3f94eee77dd77e4b{end}");
    create(cluster, "north", "before", &id("2c"))?;
    follow(cluster, policy)?;

    // The API server learns of a policy by a watch of its own.
    let mut tries = 0;
    let refused = eventually(Duration::from_secs(60), async || {
        tries += 1;
        Ok(create(cluster, "north", &format!("try-{tries}"), &id("2c")).err())
    });
    let refused = refused.await?.context("south's deployment can be named in north")?.to_string();
    let page = read("docs/tenants.md").replace('\n', " ");
    let told = "dep_019ec55a2b687b3f94eee77dd77e4b2c may not be named in the namespace north. Ask who administers this cluster \
                to add it to the ValidatingAdmissionPolicy qoder-deployment-ids.";
    assert!(refused.contains("(Forbidden)") && refused.contains(told), "{refused}");
    assert!(page.contains(told), "docs/tenants.md says what it says");

    create(cluster, "north", "own", &id("2a"))?;
    create(cluster, "south", "own", &id("2c"))?;
    let refused = create(cluster, "blue", "none", &id("2a")).unwrap_err().to_string();
    assert!(refused.contains("may not be named in the namespace blue"), "{refused}");

    // What was there before can be changed, and deleted.
    let patch =
        r#"kubectl -n north patch qdep before --type merge --patch '{"spec": {"paused": false}}'"#;
    cluster.types(patch)?;
    cluster.types("kubectl -n north delete qdep before")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_can_be_followed_and_each_operator_acts_in_its_own_namespace() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    let blocks = blocks("docs/tenants.md");
    cluster.keeps_token("north-token")?;
    assert_eq!(blocks.len(), 5);
    let (tenants, policy) = blocks.split_at(4);
    follow(&cluster, tenants)?;
    each_acts_in_its_own_namespace(&cluster).await?;
    a_namespace_can_name_its_own_deployments_only(&cluster, policy).await?;

    // A tenant goes, and takes nothing of the others' with it.
    cluster.types("kubectl delete -k deploy/tenants/south --wait=false")?;
    cluster.types("kubectl get crd qoderdeployments.cloud.qoder.com")?;
    let status = "patch qoderdeployments.cloud.qoder.com --subresource status";
    assert!(cluster.may("north-operator:qoder-operator", &format!("{status} -n north"))?);
    assert!(!cluster.may("south-operator:qoder-operator", &format!("{status} -n south"))?);
    Ok(())
}
