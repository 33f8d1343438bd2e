//! `helm test`, where the test is the kubelet: it runs what the Pod says as the Pod's account, and reports how it ended.

use std::{
    collections::BTreeMap,
    fs, io,
    process::{Command, Output},
    time::Duration,
};

use anyhow::Context as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod, Secret},
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, PostParams},
    runtime::wait::await_condition,
};
use qoder_operator::api::QoderDeployment;
use qoder_simulator::{Config, Simulator};
use serde_json::json;
use testbed::{Result, access, eventually, process::workspace_binary, tools::Helm};

use crate::{helm::NAME, release::Cluster};

const CHECK: &str = "qoder-operator-check";

impl Cluster {
    /// Mounts the Secret, runs the container, and reports. Gives what the container has said.
    async fn be_the_kubelet(&self) -> Result<String> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), NAME);
        let is_new = |pod: Option<&Pod>| {
            let phase = pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref());
            phase == Some("Pending")
        };
        let pod = await_condition(pods.clone(), CHECK, is_new);
        let pod = tokio::time::timeout(Duration::from_secs(60), pod).await?;
        let spec = pod?.and_then(|pod| pod.spec).context("a Pod")?;

        let source = spec.volumes.unwrap()[0].secret.clone().context("the token's volume")?;
        let item = source.items.unwrap()[0].clone();
        let secrets = Api::<Secret>::namespaced(self.client.clone(), NAME);
        let secret = secrets.get(&source.secret_name.unwrap()).await?;
        let mounted = self.control_plane.scratch().join(&item.path);
        fs::write(&mounted, &secret.data.unwrap()[&item.key].0)?;

        let container = &spec.containers[0];
        let mut variables: BTreeMap<_, _> = container
            .env
            .clone()
            .unwrap()
            .into_iter()
            .map(|variable| (variable.name, variable.value.unwrap()))
            .collect();
        let mount = &container.volume_mounts.as_ref().unwrap()[0].mount_path;
        let file = variables.insert("QODER_TOKEN_FILE".into(), mounted.display().to_string());
        assert_eq!(file.unwrap(), format!("{mount}/{}", item.path));

        let account = spec.service_account_name.unwrap();
        let identity = self.control_plane.kubeconfig_of(&self.client, &account, NAME).await?;
        let kubeconfig = self.control_plane.scratch().join("account");
        fs::write(&kubeconfig, serde_yaml_ng::to_string(&identity)?)?;
        let mut check = Command::new(workspace_binary("qoder-operator")?);
        check.args(container.args.clone().unwrap()).env_clear().envs(variables);
        check.env("KUBECONFIG", kubeconfig);
        let Output { status, stdout, stderr } = output_of(check).await?;

        let phase = if status.success() { "Succeeded" } else { "Failed" };
        let patch = Patch::Merge(json!({"status": {"phase": phase}}));
        pods.patch_status(CHECK, &PatchParams::default(), &patch).await?;
        Ok(format!("{}{}", String::from_utf8(stdout)?, String::from_utf8(stderr)?))
    }

    /// What the Pod has said, and whether Helm takes that for a success.
    async fn test(&self) -> Result<(String, Result<String>)> {
        let helm = output_of(self.command(&["test", NAME, "--timeout=60s"]));
        let (said, output) = tokio::join!(self.be_the_kubelet(), helm);
        let Output { status, stdout, stderr } = output?;
        let text = String::from_utf8(stdout)? + &String::from_utf8(stderr)?;
        Ok((said?, if status.success() { Ok(text) } else { Err(anyhow::anyhow!(text)) }))
    }

    async fn give(&self, token: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "qoder-token"},
            "stringData": {"token": token},
        });
        let secrets = Api::<Secret>::namespaced(self.client.clone(), NAME);
        let params = PatchParams::apply("kubectl").force();
        secrets.patch("qoder-token", &params, &Patch::Apply(secret)).await?;
        Ok(())
    }

    /// Pod Security "restricted", which the check is then under, and which the operator's Pod passes.
    async fn admit_only_restricted_pods(&self) -> Result<()> {
        let label =
            json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        let namespaces = Api::<Namespace>::all(self.client.clone());
        namespaces.patch(NAME, &PatchParams::default(), &Patch::Merge(label)).await?;

        let deployments = Api::<Deployment>::namespaced(self.client.clone(), NAME);
        let template = deployments.get(NAME).await?.spec.context("a spec")?.template;
        let mut pod = Pod { spec: template.spec, ..Pod::default() };
        pod.metadata.name = Some("operator".to_owned());
        let pods = Api::<Pod>::namespaced(self.client.clone(), NAME);
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        pods.create(&dry_run, &pod).await?;
        let security = pod.spec.as_mut().and_then(|spec| spec.security_context.as_mut());
        security.context("a security context")?.run_as_non_root = None;
        let refused = pods.create(&dry_run, &pod).await.map(drop).unwrap_err().to_string();
        assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
        Ok(())
    }

    /// The API server's authorizer learns of a new binding by a watch of its own.
    async fn until_the_account_has_its_rights(&self) -> Result<()> {
        let identity = self.control_plane.kubeconfig_of(&self.client, NAME, NAME).await?;
        let resources = Api::<QoderDeployment>::all(access::client(identity).await?);
        let listed = eventually(Duration::from_secs(30), async || {
            Ok(resources.list(&ListParams::default()).await.ok())
        });
        listed.await?.map(drop).context("the account may not list")
    }
}

/// Runs beside everything else.
async fn output_of(mut command: Command) -> io::Result<Output> {
    tokio::task::spawn_blocking(move || command.output()).await?
}

async fn helm_test_tells_a_wrong_token_from_a_right_one(helm: Helm) -> Result<()> {
    let simulator = Simulator::start(Config::with_deployments(1)).await?;
    let cluster = Cluster::start(helm).await?;
    cluster.install(&["--set", &format!("config.baseUrl={}", simulator.base_url())])?;
    cluster.until_the_account_has_its_rights().await?;

    cluster.admit_only_restricted_pods().await?;

    cluster.give("pt-wrong").await?;
    let (said, verdict) = cluster.test().await?;
    assert!(said.contains("the token is not valid here"), "{said}");
    let complaint = verdict.unwrap_err().to_string();
    assert!(complaint.contains(CHECK), "{complaint}");

    cluster.give(qoder_simulator::DEFAULT_TOKEN).await?;
    let (said, verdict) = cluster.test().await?;
    assert!(said.contains("all is well"), "{said}");
    assert!(said.contains("right to update the Lease qoder-operator in qoder-operator"), "{said}");
    assert!(!said.contains("FAIL"), "{said}");
    let text = verdict?;
    assert!(text.contains("Succeeded"), "{text}");
    Ok(())
}

#[tokio::test]
async fn helm_3_test_fails_with_a_wrong_token() -> Result<()> {
    helm_test_tells_a_wrong_token_from_a_right_one(Helm::V3).await
}

#[tokio::test]
async fn helm_4_test_fails_with_a_wrong_token() -> Result<()> {
    helm_test_tells_a_wrong_token_from_a_right_one(Helm::V4).await
}
