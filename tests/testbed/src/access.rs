//! Kubeconfigs that name one cluster and one user, and clients made of them.

use anyhow::Context as _;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster,
    NamedContext,
};
use kube::{Client, Config};

use crate::Result;

/// The name of cluster, user and context.
const NAME: &str = "testbed";

/// The kubeconfig of whoever has this bearer token.
pub(crate) fn kubeconfig(cluster: Cluster, token: &str, namespace: &str) -> Kubeconfig {
    let name = || NAME.to_owned();
    let context = Context {
        cluster: name(),
        user: Some(name()),
        namespace: Some(namespace.to_owned()),
        ..Context::default()
    };
    let user = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
    Kubeconfig {
        api_version: Some("v1".to_owned()),
        kind: Some("Config".to_owned()),
        clusters: vec![NamedCluster {
            name: name(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: name(),
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: name(),
            context: Some(context),
            ..NamedContext::default()
        }],
        current_context: Some(name()),
        ..Kubeconfig::default()
    }
}

/// The cluster that the current context names.
pub(crate) fn current_cluster(kubeconfig: &Kubeconfig) -> Option<&Cluster> {
    let current = kubeconfig.current_context.as_ref()?;
    let context = kubeconfig.contexts.iter().find(|context| context.name == *current)?;
    let name = &context.context.as_ref()?.cluster;
    kubeconfig.clusters.iter().find(|cluster| cluster.name == *name)?.cluster.as_ref()
}

/// A client of the current context. It belongs to the async runtime that calls this.
///
/// # Errors
///
/// If the kubeconfig has no usable context.
pub async fn client(kubeconfig: Kubeconfig) -> Result<Client> {
    Ok(Client::try_from(config(kubeconfig).await?)?)
}

/// The same, to be changed before it is used.
pub(crate) async fn config(kubeconfig: Kubeconfig) -> Result<Config> {
    // Whoever comes first installs the provider; that there is one already is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.context("failed to use the kubeconfig")?;
    // The control plane is on this machine; no proxy of the environment is to see it.
    config.proxy_url = None;
    Ok(config)
}

/// The bearer token in a kubeconfig; empty where it has none.
pub(crate) fn token(kubeconfig: &Kubeconfig) -> String {
    let kubeconfig = serde_json::to_value(kubeconfig).unwrap_or_default();
    let token = kubeconfig.pointer("/users/0/user/token").and_then(serde_json::Value::as_str);
    token.unwrap_or_default().to_owned()
}
