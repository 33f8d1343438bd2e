//! What one run is played on: a control plane of its own, the simulator, and a fleet of resources.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject as RbacSubject};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::core::ObjectMeta;
use kube::{Client, Resource};
use qoder_operator::api::{QoderDeployment, QoderDeploymentSpec};
use serde_json::json;

use super::simulator::{Dialect, Simulator};
use super::subject::{Program, Subject};
use super::watched::Watched;
use crate::process::workspace_binary;
use crate::{ControlPlane, Result, access, eventually, install};

/// Where the fleet is.
const FLEET: &str = "fleet";
/// Where some resources are that nobody else's flips should delay.
const CALM: &str = "calm";
/// Where the operator's service account is.
const SYSTEM: &str = "qoder-operator";
/// The service account and the cluster role of the shipped manifests.
const OPERATOR: &str = "qoder-operator";

/// One of so many shall be paused.
pub(super) const PAUSED: usize = 100;
/// How many resources are apart.
const APART: usize = 20;

/// Requests under way at once when the whole fleet is created or edited: `kubectl` and Git come
/// in bulk.
pub(super) const AT_ONCE: usize = 32;

/// How long the API server may take to know a right.
const RIGHTS: Duration = Duration::from_secs(30);

/// One resource of the fleet.
pub(super) struct Target {
    namespace: &'static str,
    pub(super) name: String,
    /// The remote deployment.
    pub(super) id: String,
    paused: Cell<bool>,
}

/// A spec was changed.
pub(super) struct Edit {
    pub(super) generation: i64,
    /// When the API server had answered.
    pub(super) done: Instant,
}

/// Everything around the measured process.
pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) simulator: Simulator,
    pub(super) watched: Watched,
    /// All resources but the calm ones.
    pub(super) fleet: Vec<Target>,
    /// Those in a namespace of their own.
    pub(super) calm: Vec<Target>,
    pub(super) kubeconfig: Kubeconfig,
    /// For files of the run; it goes with the control plane.
    pub(super) folder: PathBuf,
    pub(super) dialect: Dialect,
    operator: PathBuf,
    /// Ends with this value, after everything that uses it.
    _control_plane: ControlPlane,
}

impl Stage {
    /// Sets it up with so many resources, 1 % of them paused, all of them in sync; nobody has
    /// looked at them yet. `operator`: the executable that is measured.
    pub(super) async fn set_up(
        resources: usize,
        dialect: Dialect,
        operator: PathBuf,
    ) -> Result<Self> {
        let control_plane = ControlPlane::start(&[]).await?;
        let client = control_plane.client().await?;
        install::cluster_wide(&control_plane, &client).await?;
        for namespace in [SYSTEM, FLEET, CALM] {
            create_namespace(&client, namespace).await?;
        }
        let kubeconfig = install::in_namespace(&control_plane, &client, SYSTEM).await?;
        bind_everywhere(&client, &kubeconfig).await?;

        let folder = control_plane.scratch();
        let paused: Vec<bool> = (0..resources).map(|number| number % PAUSED == 1).collect();
        let simulator = Simulator::start(&folder, dialect, &paused).await?;
        let mut all = paused.into_iter().zip(&simulator.ids).enumerate();
        let target = |namespace| {
            move |(number, (paused, id)): (usize, (bool, &String))| Target {
                namespace,
                name: format!("agent-{number:05}"),
                id: id.clone(),
                paused: Cell::new(paused),
            }
        };
        let fleet = all.by_ref().take(resources - APART).map(target(FLEET)).collect();
        // The newest deployments, which a list shows first; none of them is paused.
        let calm = all.map(target(CALM)).collect();
        let watched = Watched::start(client.clone());
        let stage = Self {
            client,
            simulator,
            watched,
            fleet,
            calm,
            kubeconfig,
            folder,
            dialect,
            operator,
            _control_plane: control_plane,
        };
        stage.create().await?;
        Ok(stage)
    }

    /// Starts what is to be measured.
    pub(super) fn start(&self, program: Program) -> Result<Subject> {
        self.start_with(program, &self.kubeconfig)
    }

    /// Starts one replica of the operator: of all of them one leads.
    pub(super) fn start_replica(&self, name: &str) -> Result<Subject> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder)?;
        let mut command = self.command(Program::Operator)?;
        command.arg("--leader-elect");
        Subject::start(Program::Operator, command, &folder, &self.kubeconfig)
    }

    /// Starts what is to be measured, with another way to the API server.
    pub(super) fn start_with(&self, program: Program, kubeconfig: &Kubeconfig) -> Result<Subject> {
        Subject::start(program, self.command(program)?, &self.folder, kubeconfig)
    }

    fn command(&self, program: Program) -> Result<Command> {
        let executable = match program {
            Program::Operator => self.operator.clone(),
            Program::Baseline => workspace_binary("baseline")?,
        };
        let mut command = Command::new(executable);
        command.args(["--base-url", self.simulator.base_url()]);
        Ok(command)
    }

    /// How many resources there are.
    pub(super) fn resources(&self) -> usize {
        self.fleet.len() + self.calm.len()
    }

    /// How many pages a full list has.
    pub(super) fn pages(&self) -> usize {
        self.dialect.pages(self.resources())
    }

    /// Turns the wish of a resource into its opposite.
    pub(super) async fn flip(&self, target: &Target) -> Result<Edit> {
        let paused = !target.paused.get();
        let patch = json!({"spec": {"paused": paused}});
        let api = self.api(target.namespace);
        let object = api.patch(&target.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        let done = Instant::now();
        target.paused.set(paused);
        Ok(Edit { generation: object.metadata.generation.unwrap_or_default(), done })
    }

    /// Flips many, [`AT_ONCE`] at a time; gives their names and generations.
    pub(super) async fn flip_all(&self, targets: &[Target]) -> Result<Vec<(String, i64)>> {
        let edits = stream::iter(targets).map(async |target| {
            let edit = self.flip(target).await?;
            anyhow::Ok((target.name.clone(), edit.generation))
        });
        edits.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// The remote changes to the opposite of what is wished.
    pub(super) async fn drift(&self, target: &Target) -> Result<()> {
        self.simulator.drift(&target.id, !target.paused.get()).await
    }

    /// How many writes to the status of our kind the API server has done, and how many it has refused.
    pub(super) async fn status_writes(&self) -> Result<StatusWrites> {
        let text =
            self.client.request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
        Ok(StatusWrites::read(&text))
    }

    /// The API of the kind in one namespace.
    pub(super) fn api(&self, namespace: &str) -> Api<QoderDeployment> {
        Api::namespaced(self.client.clone(), namespace)
    }

    async fn create(&self) -> Result<()> {
        let created = stream::iter(self.fleet.iter().chain(&self.calm)).map(async |target| {
            let object = target.manifest();
            self.api(target.namespace).create(&PostParams::default(), &object).await.map(drop)
        });
        let created: kube::Result<()> = created.buffer_unordered(AT_ONCE).try_collect().await;
        created.context("failed to create the resources")
    }
}

impl Target {
    fn manifest(&self) -> QoderDeployment {
        let paused = Some(self.paused.get());
        let spec =
            QoderDeploymentSpec { deployment_id: self.id.clone(), paused, drift_policy: None };
        QoderDeployment::new(&self.name, spec)
    }
}

/// Writes to statuses since the API server started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StatusWrites {
    pub(super) done: usize,
    pub(super) refused: usize,
}

impl StatusWrites {
    fn read(metrics: &str) -> Self {
        let of_ours = metrics.lines().filter(|line| {
            line.starts_with("apiserver_request_total{")
                && line.contains(r#"resource="qoderdeployments""#)
                && line.contains(r#"subresource="status""#)
        });
        let mut writes = Self { done: 0, refused: 0 };
        for line in of_ours {
            let value = line.rsplit(' ').next().and_then(|value| value.parse().ok());
            let which =
                if line.contains(r#"code="200""#) { &mut writes.done } else { &mut writes.refused };
            *which += value.unwrap_or(0);
        }
        writes
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self { done: self.done - before.done, refused: self.refused - before.refused }
    }
}

/// Creates a namespace of this name.
pub(super) async fn create_namespace(client: &Client, name: &str) -> Result<()> {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let created = Api::all(client.clone()).create(&PostParams::default(), &namespace).await;
    created.map(drop).with_context(|| format!("failed to create the namespace {name}"))
}

/// Binds the shipped rights in the whole cluster, as the default install does.
async fn bind_everywhere(client: &Client, operator: &Kubeconfig) -> Result<()> {
    let binding = ClusterRoleBinding {
        metadata: ObjectMeta { name: Some(OPERATOR.to_owned()), ..ObjectMeta::default() },
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: OPERATOR.to_owned(),
        },
        subjects: Some(vec![RbacSubject {
            kind: "ServiceAccount".to_owned(),
            name: OPERATOR.to_owned(),
            namespace: Some(SYSTEM.to_owned()),
            ..RbacSubject::default()
        }]),
    };
    Api::all(client.clone()).create(&PostParams::default(), &binding).await?;
    // The API server's authorizer learns of it by a watch of its own.
    let resources = Api::<QoderDeployment>::all(access::client(operator.clone()).await?);
    let allowed = eventually(RIGHTS, async || {
        Ok(resources.list(&ListParams::default().limit(1)).await.ok().map(drop))
    });
    let plural = QoderDeployment::plural(&());
    allowed.await?.with_context(|| format!("the operator may not list all {plural}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_writes_are_told_from_other_requests() {
        let line = |resource: &str, subresource: &str, code: u16, value: u32| {
            format!(
                "apiserver_request_total{{code=\"{code}\",resource=\"{resource}\",subresource=\"{subresource}\",verb=\"APPLY\"}} {value}\n"
            )
        };
        let metrics = [
            line("qoderdeployments", "status", 200, 7),
            line("qoderdeployments", "status", 409, 1),
            line("qoderdeployments", "", 200, 50),
            line("nodes", "status", 200, 90),
        ];
        let writes = StatusWrites::read(&metrics.concat());
        assert_eq!(writes, StatusWrites { done: 7, refused: 1 });
    }
}
