//! What a cluster has beside its API server, as far as the quickstart needs it: Deployments are up once their program
//! is, and a namespace that is deleted goes.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};

use anyhow::Context as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    coordination::v1::Lease,
    core::v1::{Namespace, Secret},
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use qoder_simulator::Simulator;
use serde_json::json;
use testbed::{
    ControlPlane, Process, Result, operator::listening_address, process::workspace_binary,
};

const NAME: &str = "qoder-operator";

/// How long a start may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// The base URL in `deploy/simulator`.
const BESIDE: &str = "http://qoder-simulator.qoder-operator.svc:8080/api/v1/cloud";

pub struct Node {
    control_plane: ControlPlane,
    client: Client,
    /// The one of `deploy/simulator`.
    pub beside: Simulator,
    /// The one in the place of the live service.
    pub account: Simulator,
    operator: Option<Operator>,
    http: reqwest::Client,
}

struct Operator {
    process: Process,
    readiness: String,
}

impl Node {
    pub async fn new(
        control_plane: ControlPlane,
        beside: Simulator,
        account: Simulator,
    ) -> Result<Self> {
        let client = control_plane.client().await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let node = Self { control_plane, client, beside, account, operator: None, http };
        let kubeconfig = serde_yaml_ng::to_string(node.control_plane.kubeconfig())?;
        fs::write(node.folder().join("administrator"), kubeconfig)?;
        Ok(node)
    }

    pub fn folder(&self) -> PathBuf {
        self.control_plane.scratch()
    }

    /// The operator's last words.
    pub fn log(&self) -> String {
        self.operator.as_ref().map(|operator| operator.process.log_tail()).unwrap_or_default()
    }

    /// Brings the cluster nearer to what its objects say.
    pub async fn turn(&mut self) -> Result<()> {
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), NAME);
        for deployment in deployments.list(&ListParams::default()).await? {
            let is_up =
                deployment.status.as_ref().is_some_and(|status| status.conditions.is_some());
            let name = deployment.metadata.name.clone().context("a name")?;
            if is_up || (name == NAME && !self.runs(&deployment).await?) {
                continue;
            }
            let generation = deployment.metadata.generation;
            let available = json!({"type": "Available", "status": "True"});
            let status = json!({"observedGeneration": generation, "conditions": [available]});
            let patch = Patch::Merge(json!({"status": status}));
            deployments.patch_status(&name, &PatchParams::default(), &patch).await?;
        }
        if deployments.get_opt(NAME).await?.is_none() {
            self.operator = None;
        }
        self.finalize().await
    }

    /// What the namespace's controller does. All but the Leases is deleted by the page itself.
    async fn finalize(&self) -> Result<()> {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let Some(mut namespace) = namespaces.get_opt(NAME).await? else { return Ok(()) };
        if namespace.metadata.deletion_timestamp.is_none() {
            return Ok(());
        }
        let leases = Api::<Lease>::namespaced(self.client.clone(), NAME);
        leases.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        namespace.spec = None;
        let body = serde_json::to_vec(&namespace)?;
        let request = http::Request::put(format!("/api/v1/namespaces/{NAME}/finalize"));
        let request = request.header("content-type", "application/json").body(body)?;
        self.client.request_text(request).await?;
        Ok(())
    }

    /// Whether the operator of this Deployment is ready. It is started if it is not there yet.
    async fn runs(&mut self, deployment: &Deployment) -> Result<bool> {
        if self.operator.is_none() {
            self.operator = Some(self.start(deployment).await?);
        }
        let readiness = self.operator.as_ref().map(|operator| operator.readiness.as_str());
        let answer = self.http.get(readiness.unwrap_or_default()).send().await;
        Ok(answer.is_ok_and(|answer| answer.status().is_success()))
    }

    /// The shipped program as the kubelet would start it, but for what leads out of a Pod here.
    async fn start(&self, deployment: &Deployment) -> Result<Operator> {
        let spec = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let container = spec.and_then(|pod| pod.containers.first()).context("a container")?;
        let declared = container.env.iter().flatten();
        let mut variables: BTreeMap<_, _> = declared
            .map(|variable| (variable.name.as_str(), variable.value.clone().unwrap_or_default()))
            .collect();

        let base_url = match variables.get("QODER_BASE_URL").map(String::as_str) {
            Some(BESIDE) => self.beside.base_url(),
            None => self.account.base_url(),
            Some(other) => panic!("the operator is given {other}"),
        };
        let folder = self.folder();
        let file = |name: &str| folder.join(name).display().to_string();
        fs::write(folder.join("token"), self.token().await?)?;
        let account = self.control_plane.kubeconfig_of(&self.client, NAME, NAME).await?;
        fs::write(folder.join("account"), serde_yaml_ng::to_string(&account)?)?;
        variables.extend([
            ("QODER_BASE_URL", base_url),
            ("QODER_TOKEN_FILE", file("token")),
            ("QODER_LISTEN", "127.0.0.1:0".to_owned()),
            ("KUBECONFIG", file("account")),
        ]);
        let pairs: Vec<_> =
            variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        fs::write(folder.join("variables"), pairs.join(" "))?;

        // Without the variables of whoever runs the tests.
        let mut command = Command::new("env");
        command.arg("-i").args(pairs).arg(workspace_binary(NAME)?);
        command.args(container.args.iter().flatten());
        // Where it listens is read from there: the one of a Deployment before has another.
        let uid = deployment.metadata.uid.as_deref().context("a uid")?;
        let log = folder.join(format!("operator-{uid}.log"));
        let process = Process::spawn(NAME, &command, &log)?;
        let address = process.wait_for_line("a log line `listening`", DEADLINE, listening_address);
        let readiness = format!("http://{}/readyz", address.await?);
        Ok(Operator { process, readiness })
    }

    async fn token(&self) -> Result<Vec<u8>> {
        let secrets = Api::<Secret>::namespaced(self.client.clone(), NAME);
        let data = secrets.get("qoder-token").await?.data;
        Ok(data.and_then(|mut data| data.remove("token")).context("a token")?.0)
    }
}
