//! The policy that says which deployments may be named in which namespace.

use std::time::Duration;

use anyhow::Context as _;
use testbed::{Result, eventually, tools::Helm};

use crate::cluster::Cluster;

/// A resource in a namespace, for a deployment of which only the end of the id matters here.
fn resource(namespace: &str, name: &str, end: &str) -> String {
    format!(
        "kubectl create -f - <<'E'\n\
         {{\"apiVersion\": \"cloud.qoder.com/v1alpha1\", \"kind\": \"QoderDeployment\",\
          \"metadata\": {{\"namespace\": \"{namespace}\", \"name\": \"{name}\"}},\
          \"spec\": {{\"deploymentID\": \"dep_019ec55a2b687b3f94eee77dd77e4b{end}\", \"paused\": true}}}}\nE"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_can_name_its_own_deployments_only() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    cluster.types("kubectl apply -k deploy/tenants && kubectl create namespace west")?;
    cluster.types(&resource("north", "before", "2c"))?;
    cluster.types("kubectl apply --validate=strict -f deploy/tenants/deployment-ids.yaml")?;

    // The API server learns of a policy by a watch of its own.
    let mut tries = 0;
    let refused = eventually(Duration::from_secs(60), async || {
        tries += 1;
        Ok(cluster.types(&resource("north", &format!("try-{tries}"), "2c")).err())
    });
    let refused = refused.await?.context("south's deployment can be named in north")?.to_string();
    let told = "dep_019ec55a2b687b3f94eee77dd77e4b2c may not be named in the namespace north. Ask who administers this cluster \
                to add it to the ValidatingAdmissionPolicy qoder-deployment-ids.";
    assert!(refused.contains(told), "{refused}");
    assert!(refused.contains("(Forbidden)"), "{refused}");

    cluster.types(&resource("north", "own", "2a"))?;
    cluster.types(&resource("south", "own", "2c"))?;
    let refused = cluster.types(&resource("west", "none", "2a")).unwrap_err().to_string();
    assert!(refused.contains("may not be named in the namespace west"), "{refused}");

    // What was there before can be changed, and deleted.
    let patch =
        r#"kubectl -n north patch qdep before --type merge --patch '{"spec": {"paused": false}}'"#;
    cluster.types(patch)?;
    cluster.types("kubectl -n north delete qdep before")?;
    Ok(())
}
