//! What docs/uninstall.md says of the Lease: it is given back by an operator that still has its rights, and not after `helm uninstall`.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use testbed::{Process, Result, eventually, tools::Helm};

use crate::cluster::{Cluster, simulator};

/// Who holds it; empty where it was given back.
fn holder(cluster: &Cluster) -> Result<String> {
    cluster.types(
        "kubectl -n qoder-operator get lease qoder-operator --output jsonpath='{.spec.holderIdentity}'",
    )
}

/// An operator that leads, on a cluster where Helm has installed it.
async fn leading(cluster: &Cluster) -> Result<Process> {
    let install = "helm upgrade --install qoder-operator deploy/chart --namespace qoder-operator --create-namespace";
    cluster.types(install)?;
    let simulator = simulator(&[]).await?;
    let operator = cluster.pod("qoder-operator", "qoder-operator", &simulator).await?;
    let leads = eventually(Duration::from_secs(60), async || {
        Ok(holder(cluster).ok().filter(|holder| !holder.is_empty()))
    });
    leads.await?.context("nobody leads")?;
    Ok(operator)
}

/// SIGTERM, as the kubelet sends it.
async fn end(operator: &Process) -> Result<()> {
    let told = Command::new("kill").args(["-TERM", &operator.pid().to_string()]).status()?;
    ensure!(told.success(), "kill: {told}");
    operator.wait(Duration::from_secs(80)).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_ends_before_the_uninstall_gives_its_lease_back() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    let operator = leading(&cluster).await?;
    end(&operator).await?;
    assert_eq!(holder(&cluster)?, "");

    // After an uninstall alone there is no right to do so.
    let operator = leading(&cluster).await?;
    cluster.types("helm uninstall qoder-operator --namespace qoder-operator")?;
    end(&operator).await?;
    assert_ne!(holder(&cluster)?, "");
    Ok(())
}
