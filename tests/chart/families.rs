//! The Service in clusters of one IP family, and of two.

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use testbed::{Result, tools::Helm};

use crate::{helm::NAME, release::Cluster};

/// The families that the Service has in a cluster with these flags.
async fn families(flags: &[&str]) -> Result<Vec<String>> {
    let cluster = Cluster::with(Helm::V4, flags).await?;
    cluster.install(&[])?;
    let services = Api::<Service>::namespaced(cluster.client.clone(), NAME);
    let spec = services.get(NAME).await?.spec.unwrap_or_default();
    Ok(spec.ip_families.unwrap_or_default())
}

#[tokio::test]
async fn a_cluster_of_two_families_reaches_the_operator_by_both() -> Result<()> {
    let both = families(&["--service-cluster-ip-range=10.0.0.0/24,fd00::/108"]).await?;
    assert_eq!(both, ["IPv4", "IPv6"]);
    Ok(())
}

#[tokio::test]
async fn a_cluster_of_ipv6_alone_reaches_the_operator_by_that() -> Result<()> {
    let flags = ["--service-cluster-ip-range=fd00::/108", "--advertise-address=fd00::1"];
    assert_eq!(families(&flags).await?, ["IPv6"]);
    Ok(())
}
