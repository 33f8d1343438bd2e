//! Argo CD, Flux and a hand at the same resource: who wins, and what is called. docs/gitops.md tells of it.

mod actions;
mod anew;
mod owners;

use std::{path::PathBuf, process::Output};

use anyhow::ensure;
use serde_json::{Value, json};
use testbed::{
    Result,
    gitops::{documented, output_of, program, shell},
};

use tokio::task::block_in_place;

use crate::story::{Story, remote};

/// The ways in which Git comes into the cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tool {
    Flux,
    /// Argo CD calls kubectl's own code, and by default as `kubectl apply` does.
    ArgoCd,
    /// With `ServerSideApply=true`.
    ArgoCdServerSide,
}

const TOOLS: [Tool; 3] = [Tool::Flux, Tool::ArgoCd, Tool::ArgoCdServerSide];

/// A story with people and tools that have the rights of an administrator.
struct Cluster {
    story: Story,
    kubeconfig: PathBuf,
}

impl Cluster {
    async fn with(name: &str, deployments: usize) -> Result<Self> {
        let story = Story::with(name, deployments).await?;
        let kubeconfig = story.bed.folder().join("administrator");
        let mut administrator = story.bed.control_plane().kubeconfig().clone();
        for context in administrator.contexts.iter_mut().filter_map(|one| one.context.as_mut()) {
            context.namespace = Some(story.bed.namespace().to_owned());
        }
        std::fs::write(&kubeconfig, serde_yaml_ng::to_string(&administrator)?)?;
        Ok(Self { story, kubeconfig })
    }

    /// The simulator runs in the same process, and goes on meanwhile.
    fn run(&self, name: &str, arguments: &[&str], input: &Value) -> Result<Output> {
        block_in_place(|| {
            let mut command = program(name)?;
            command.env("KUBECONFIG", &self.kubeconfig).args(arguments);
            output_of(&mut command, &input.to_string())
        })
    }

    /// What a person types.
    fn types(&self, line: &str) -> Result<()> {
        let output =
            block_in_place(|| output_of(shell(line)?.env("KUBECONFIG", &self.kubeconfig), ""))?;
        ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// What docs/gitops.md says about a resource `nightly-report`, for another one.
    fn types_documented(&self, beginning: &str, name: &str) -> Result<()> {
        self.types(&documented(beginning)?.replace("nightly-report", name))
    }

    /// A person pauses by hand, and knows of no field manager.
    fn pause(&self, name: &str) -> Result<()> {
        let patch = r#"{"spec": {"paused": true}}"#;
        self.types(&format!("kubectl patch qdep {name} --type merge --patch '{patch}'"))
    }

    /// What stands in Git about the `n`th deployment: whatever is in `fields` beside its id.
    fn manifest(&self, name: &str, n: usize, fields: &Value) -> Value {
        let mut spec = json!({ "deploymentID": self.story.id(n) });
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({
            "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
            "metadata": { "name": name, "namespace": self.story.bed.namespace() },
            "spec": spec,
        })
    }

    /// Applies it as the tool does, whatever comes of it: what was said, and whether it was done.
    fn try_apply(&self, tool: Tool, manifest: &Value) -> Result<(bool, String)> {
        let kubectl =
            ["apply", "--request-timeout=30s", "--filename=-", "--field-manager=argocd-controller"];
        let server_side = [&kubectl[..], &["--server-side", "--force-conflicts"]].concat();
        let output = match tool {
            Tool::Flux => self.run("flux", &[], &json!([manifest]))?,
            Tool::ArgoCd => self.run("kubectl", &kubectl, manifest)?,
            Tool::ArgoCdServerSide => self.run("kubectl", &server_side, manifest)?,
        };
        Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    fn apply(&self, tool: Tool, manifest: &Value) -> Result<()> {
        let (done, said) = self.try_apply(tool, manifest)?;
        ensure!(done, "{tool:?}: {said}");
        Ok(())
    }

    async fn paused(&self, name: &str) -> Result<Option<bool>> {
        Ok(self.story.bed.get(name).await?.spec.paused)
    }

    /// Waits for Ready, and says whether the deployment is paused.
    async fn until(&self, name: &str, reason: &str) -> Result<bool> {
        let object = self.story.until(name, "True", reason).await?;
        Ok(remote(&object).0 == Some("paused"))
    }
}
