//! What one story needs: a namespace of its own, the shipped CRD and rights, and ways to look.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use qoder_operator::api::QoderDeployment;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::operator::{self, OperatorBuilder};
use crate::recorder::Recorder;
use crate::rights::Audit;
use crate::{Canary, ControlPlane, Result, access, install};

/// How long a story waits for anything, unless it says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The field manager of `kubectl apply --server-side`.
const KUBECTL: &str = "kubectl";

/// On every namespace, for whoever cleans up an existing cluster.
const LABEL: [&str; 2] = ["app.kubernetes.io/part-of", "qoder-testbed"];

/// A namespace with what a user has after installing the operator into it.
pub struct Bed {
    control_plane: Arc<ControlPlane>,
    client: Client,
    namespace: String,
    folder: TempDir,
    recorder: Recorder,
    canary: Arc<Canary>,
    asks_for_too_much: AtomicBool,
}

impl fmt::Debug for Bed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bed").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Bed {
    /// A fresh namespace `<story>-<random>` on the control plane that all stories share.
    ///
    /// # Errors
    ///
    /// If there is no control plane, or it does not take the shipped manifests.
    pub async fn new(story: &str) -> Result<Self> {
        Self::on(ControlPlane::shared().await?, story).await
    }

    /// The same on another control plane.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn on(control_plane: Arc<ControlPlane>, story: &str) -> Result<Self> {
        let client = control_plane.client().await?;
        install::cluster_wide(&control_plane, &client).await?;
        let mut namespace = Namespace::default();
        namespace.metadata.generate_name = Some(format!("{story}-"));
        let [label, value] = LABEL.map(str::to_owned);
        namespace.metadata.labels = Some([(label, value)].into());
        let namespaces = Api::<Namespace>::all(client.clone());
        let namespace = namespaces.create(&PostParams::default(), &namespace).await;
        let namespace = namespace.context("failed to create a namespace")?.name_any();
        let folder = tempfile::Builder::new()
            .prefix(&format!("{namespace}-"))
            .tempdir_in(control_plane.scratch())?;
        let kubeconfig = install::in_namespace(&control_plane, &client, &namespace).await?;
        let recorder = Recorder::start(Api::namespaced(client.clone(), &namespace)).await?;
        let canary = Arc::default();
        let bed = Self {
            control_plane,
            client,
            namespace,
            folder,
            recorder,
            canary,
            asks_for_too_much: AtomicBool::default(),
        };
        bed.canary.add(&access::token(&kubeconfig));
        fs::write(bed.kubeconfig(), serde_yaml_ng::to_string(&kubeconfig)?)?;
        Ok(bed)
    }

    /// An administrator's client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The story's own namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The control plane under it.
    #[must_use]
    pub fn control_plane(&self) -> &Arc<ControlPlane> {
        &self.control_plane
    }

    /// The resources of the namespace.
    #[must_use]
    pub fn api(&self) -> Api<QoderDeployment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The operator's executable, to be given its options and started.
    pub fn operator(&self) -> OperatorBuilder<'_> {
        OperatorBuilder::new(self)
    }

    /// A folder for the files of this story; it goes with the bed.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The kubeconfig of the operator's service account.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join("kubeconfig")
    }

    /// The file that holds the operators' token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.folder().join("token")
    }

    /// Replaces the token in one step, as a Secret mounted into a Pod does.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write_token(&self, token: &str) -> Result<()> {
        self.canary.add(token);
        let next = self.folder().join("token.next");
        fs::write(&next, token)?;
        fs::rename(&next, self.token_file()).context("failed to replace the token file")
    }

    /// What no output may have in it: every token that was written, and the one for the API server.
    pub(crate) fn canary(&self) -> Arc<Canary> {
        Arc::clone(&self.canary)
    }

    /// What an operator has said, for those who run it by themselves: no secret is in it.
    ///
    /// # Panics
    ///
    /// If one is.
    #[must_use]
    pub fn searched(&self, place: &str, text: String) -> String {
        self.canary.must_not_be_in(place, &text);
        text
    }

    /// `kubectl apply --server-side` of a resource with this spec.
    ///
    /// # Errors
    ///
    /// What the API server says.
    pub async fn apply(&self, name: &str, spec: Value) -> kube::Result<QoderDeployment> {
        let manifest = json!({
            "apiVersion": "cloud.qoder.com/v1alpha1",
            "kind": "QoderDeployment",
            "metadata": {"name": name},
            "spec": spec,
        });
        let params = PatchParams::apply(KUBECTL).validation_strict();
        self.api().patch(name, &params, &Patch::Apply(manifest)).await
    }

    /// Applies the same manifest again with another `paused`; `None` is without that line.
    ///
    /// # Errors
    ///
    /// What the API server says.
    pub async fn set_paused(&self, name: &str, paused: Option<bool>) -> Result<QoderDeployment> {
        let mut spec = self.get(name).await?.spec;
        spec.paused = paused;
        Ok(self.apply(name, serde_json::to_value(spec)?).await?)
    }

    /// `kubectl annotate --overwrite`.
    ///
    /// # Errors
    ///
    /// What the API server says.
    pub async fn annotate(
        &self,
        name: &str,
        key: &str,
        value: &str,
    ) -> kube::Result<QoderDeployment> {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
    }

    /// `kubectl delete`, which is done at once: nobody puts a finalizer on these resources.
    ///
    /// # Errors
    ///
    /// What the API server says.
    pub async fn delete(&self, name: &str) -> kube::Result<()> {
        self.api().delete(name, &DeleteParams::default()).await.map(drop)
    }

    /// The resource as it is now.
    ///
    /// # Errors
    ///
    /// What the API server says.
    pub async fn get(&self, name: &str) -> kube::Result<QoderDeployment> {
        self.api().get(name).await
    }

    /// The events about a resource, oldest first.
    ///
    /// # Errors
    ///
    /// What the API server says.
    pub async fn events(&self, name: &str) -> kube::Result<Vec<Event>> {
        let events = Api::<Event>::namespaced(self.client.clone(), &self.namespace);
        let mut events = events.list(&ListParams::default()).await?.items;
        events.retain(|event| {
            let regarding = event.regarding.as_ref();
            regarding.is_some_and(|it| {
                it.name.as_deref() == Some(name) && it.kind.as_deref() == Some("QoderDeployment")
            })
        });
        events.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
        Ok(events)
    }

    /// How often the status of a resource has changed since it was created, up to this moment.
    ///
    /// A watch that was interrupted (by a restart of the API server) may have missed some.
    ///
    /// # Errors
    ///
    /// If the resource cannot be read, or the watch does not catch up with it.
    pub async fn status_writes(&self, name: &str) -> Result<usize> {
        let now = self.get(name).await?;
        self.recorder.status_writes(&now, DEADLINE).await
    }

    /// Somebody is to ask for what the manifests do not grant, with the operator's account: that is no fault of it.
    pub fn asks_for_too_much(&self) {
        self.asks_for_too_much.store(true, Ordering::Relaxed);
    }

    /// What the service accounts of this namespace have done so far; `None` on an existing cluster.
    #[must_use]
    pub fn audit(&self) -> Option<Audit> {
        self.control_plane.audit(&self.namespace)
    }
}

/// Each story ends with what holds of all of them: no log has a secret in it, and nothing that went to the API server;
/// and no request needed a right that the manifests do not grant.
impl Drop for Bed {
    fn drop(&mut self) {
        for (name, log) in operator::logs_of(self.folder.path()) {
            self.canary.must_not_be_in(&format!("the log of {name}"), &log);
        }
        let Some(audit) = self.audit() else { return };
        let is_over = std::thread::panicking();
        match (audit.lines(), audit.too_much()) {
            (Ok(lines), Ok(too_much)) => {
                self.canary.must_not_be_in("what was sent to Kubernetes", &lines.join("\n"));
                let is_over = is_over || self.asks_for_too_much.load(Ordering::Relaxed);
                assert!(is_over || too_much.is_empty(), "the manifests do not grant {too_much:?}");
            }
            (lines, too_much) => assert!(is_over, "{:?} {:?}", lines.err(), too_much.err()),
        }
    }
}
