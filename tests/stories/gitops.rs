//! Argo CD, Flux and a hand at the same resource: who wins, and what is called. docs/gitops.md tells of it.

use std::{path::PathBuf, process::Output};

use anyhow::ensure;
use qoder_simulator::Entry;
use serde_json::{Value, json};
use testbed::{
    Result,
    gitops::{lua, output_of, program},
};

use crate::story::{Story, remote, start};

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
        let administrator = story.bed.control_plane().kubeconfig();
        std::fs::write(&kubeconfig, serde_yaml_ng::to_string(administrator)?)?;
        Ok(Self { story, kubeconfig })
    }

    fn run(&self, name: &str, arguments: &[&str], input: &Value) -> Result<Output> {
        let mut command = program(name)?;
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments);
        output_of(&mut command, &input.to_string())
    }

    /// What a person types.
    fn kubectl(&self, line: &[&str]) -> Result<()> {
        let mut arguments = vec!["--namespace", self.story.bed.namespace()];
        arguments.extend(line);
        let output = self.run("kubectl", &arguments, &Value::Null)?;
        ensure!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// A person pauses by hand.
    fn pause(&self, name: &str, flags: &[&str]) -> Result<()> {
        let patch = r#"{"spec": {"paused": true}}"#;
        let mut line = vec!["patch", "qdep", name, "--type", "merge", "--patch", patch];
        line.extend(flags);
        self.kubectl(&line)
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
        let kubectl = ["apply", "--filename=-", "--field-manager=argocd-controller"];
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

#[tokio::test]
async fn what_git_says_comes_back_over_a_hand() -> Result<()> {
    let cluster = Cluster::with("git-wins", TOOLS.len()).await?;
    for (n, tool) in TOOLS.into_iter().enumerate() {
        let name = format!("r{n}");
        let git = cluster.manifest(&name, n, &json!({ "paused": false }));
        cluster.apply(tool, &git)?;
        assert!(!cluster.until(&name, "InSync").await?);
        cluster.pause(&name, &[])?;
        assert!(cluster.until(&name, "InSync").await?, "{tool:?}");
        cluster.apply(tool, &git)?;
        assert!(!cluster.until(&name, "InSync").await?, "{tool:?}");
    }
    assert_eq!(cluster.story.writes(), ["pause 200", "unpause 200"].repeat(3));
    Ok(())
}

#[tokio::test]
async fn what_git_does_not_say_is_the_hands_and_flux_takes_it_back_and_resumes_nothing()
-> Result<()> {
    let cluster = Cluster::with("git-is-silent", TOOLS.len()).await?;
    for (n, tool) in TOOLS.into_iter().enumerate() {
        let name = format!("r{n}");
        let git = cluster.manifest(&name, n, &json!({}));
        cluster.apply(tool, &git)?;
        cluster.pause(&name, &[])?;
        assert!(cluster.until(&name, "InSync").await?);
        cluster.apply(tool, &git)?;
        let kept = (tool != Tool::Flux).then_some(true);
        assert_eq!(cluster.paused(&name).await?, kept, "{tool:?}");
    }
    assert!(cluster.until("r0", "Observed").await?, "it stays paused");

    // With the one name that Flux leaves alone.
    let git = cluster.manifest("r0", 0, &json!({}));
    cluster.pause("r0", &["--field-manager=flux-client-side-apply"])?;
    cluster.apply(Tool::Flux, &git)?;
    assert_eq!(cluster.paused("r0").await?, Some(true));
    cluster.story.polls(2).await?;
    assert_eq!(cluster.story.writes(), ["pause 200"; 3]);
    Ok(())
}

#[tokio::test]
async fn a_hand_that_disables_reconciliation_is_left_alone_and_flux_needs_to_be_told() -> Result<()>
{
    const DISABLE: [&str; 4] = ["annotate", "qdep", "r0", "cloud.qoder.com/reconcile=disabled"];
    let cluster = Cluster::with("git-disabled", 1).await?;
    let git = cluster.manifest("r0", 0, &json!({ "paused": false }));
    for tool in [Tool::ArgoCd, Tool::ArgoCdServerSide] {
        cluster.apply(tool, &git)?;
        cluster.kubectl(&DISABLE)?;
        cluster.until("r0", "ReconcileDisabled").await?;
        // Someone pauses it in the console. Nobody changes that back.
        let id = cluster.story.id(0);
        cluster.story.simulator.set_paused(&id, true);
        cluster.apply(tool, &git)?;
        cluster.story.polls(2).await?;
        assert!(cluster.until("r0", "ReconcileDisabled").await?, "{tool:?}");
        cluster.story.simulator.set_paused(&id, false);
        let is_active = |object: &_| remote(object).0 == Some("active");
        cluster.story.bed.wait_until("r0", "active", is_active).await?;
        cluster.kubectl(&["annotate", "qdep", "r0", "cloud.qoder.com/reconcile-"])?;
        cluster.until("r0", "InSync").await?;
    }
    assert_eq!(cluster.story.writes(), [""; 0]);

    cluster.kubectl(&DISABLE)?;
    cluster.apply(Tool::Flux, &git)?;
    assert_eq!(cluster.story.bed.get("r0").await?.metadata.annotations, None, "taken back");
    cluster.kubectl(&[&DISABLE[..], &["--field-manager=flux-client-side-apply"]].concat())?;
    cluster.apply(Tool::Flux, &git)?;
    cluster.until("r0", "ReconcileDisabled").await?;
    Ok(())
}

#[tokio::test]
async fn removing_the_line_or_setting_it_to_null_resumes_nothing() -> Result<()> {
    let cluster = Cluster::with("git-forgets", TOOLS.len()).await?;
    for (n, tool) in TOOLS.into_iter().enumerate() {
        let name = format!("r{n}");
        let paused = cluster.manifest(&name, n, &json!({ "paused": true }));
        let null = cluster.manifest(&name, n, &json!({ "paused": null }));
        cluster.apply(tool, &paused)?;
        assert!(cluster.until(&name, "InSync").await?);
        cluster.apply(tool, &cluster.manifest(&name, n, &json!({})))?;
        assert_eq!(cluster.paused(&name).await?, None, "{tool:?}");
        assert!(cluster.until(&name, "Observed").await?);

        cluster.apply(tool, &paused)?;
        assert!(cluster.until(&name, "InSync").await?);
        let (done, said) = cluster.try_apply(tool, &null)?;
        assert_eq!(done, tool == Tool::ArgoCd, "{tool:?}: {said}");
        if done {
            assert_eq!(cluster.paused(&name).await?, None);
            assert!(cluster.until(&name, "Observed").await?);
        } else {
            assert!(said.contains("spec.paused"), "{tool:?}: {said}");
            assert_eq!(cluster.paused(&name).await?, Some(true));
        }
    }
    cluster.story.polls(2).await?;
    assert_eq!(cluster.story.writes(), ["pause 200"; 3]);
    Ok(())
}

#[tokio::test]
async fn another_id_is_refused_until_the_resource_is_made_anew() -> Result<()> {
    let cluster = Cluster::with("git-other-id", 4).await?;
    let paused = json!({ "paused": true });
    for tool in TOOLS {
        cluster.apply(tool, &cluster.manifest("nightly", 0, &paused))?;
        assert!(cluster.until("nightly", "InSync").await?);
        let (done, said) = cluster.try_apply(tool, &cluster.manifest("nightly", 1, &paused))?;
        assert!(!done && said.contains("deploymentID is immutable"), "{tool:?}: {said}");
    }
    // In one commit: the new resource under another name, and the old one goes.
    cluster.apply(Tool::Flux, &cluster.manifest("nightly-2", 1, &paused))?;
    cluster.story.bed.delete("nightly").await?;
    assert!(cluster.until("nightly-2", "InSync").await?);
    // Or under the same name, by what each tool has for it.
    let output =
        cluster.run("flux", &["--force"], &json!([cluster.manifest("nightly-2", 2, &paused)]))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(cluster.until("nightly-2", "InSync").await?);
    let replace = ["replace", "--force", "--filename=-"];
    let output = cluster.run("kubectl", &replace, &cluster.manifest("nightly-2", 3, &paused))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(cluster.until("nightly-2", "InSync").await?);
    // What was paused stays so, and nothing was done twice.
    assert_eq!(cluster.story.writes(), ["pause 200"; 4]);
    assert_eq!((0..4).map(|n| cluster.story.effects(n)).collect::<Vec<_>>(), [1; 4]);
    Ok(())
}

#[tokio::test]
async fn a_backup_without_its_status_calls_nothing_needless() -> Result<()> {
    let cluster = Cluster::with("git-backup", 2).await?;
    let Cluster { mut story, .. } = cluster;
    for (n, paused) in [(0, true), (1, false)] {
        story.apply(&format!("r{n}"), n, Some(paused)).await?;
        story.until(&format!("r{n}"), "True", "InSync").await?;
    }
    assert_eq!(story.writes(), ["pause 200"]);
    for name in ["r0", "r1"] {
        let mut backup = story.bed.get(name).await?;
        story.bed.delete(name).await?;
        backup.status = None;
        backup.metadata.uid = None;
        backup.metadata.resource_version = None;
        backup.metadata.managed_fields = None;
        if name == "r1" {
            // This one comes back while no operator runs, as after a re-install.
            story.operator.terminate().await?;
        }
        story.bed.api().create(&kube::api::PostParams::default(), &backup).await?;
    }
    story.operator = start(&story.bed, &story.simulator).await?;
    for name in ["r0", "r1"] {
        story.until(name, "True", "InSync").await?;
    }
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}

/// Argo CD makes a merge patch of what the script has changed.
async fn act(story: &Story, name: &str, action: &str) -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/gitops/argo-cd/actions");
    let script = std::fs::read_to_string(format!("{folder}/{action}.lua"))?;
    let object = serde_json::to_value(story.bed.get(name).await?)?;
    let changed = lua(&script, &[object])?.remove(0);
    let annotations = changed["metadata"]["annotations"].clone();
    let patch = json!({ "metadata": { "annotations": annotations }, "spec": changed["spec"] });
    let patch = kube::api::Patch::Merge(patch);
    story.bed.api().patch(name, &kube::api::PatchParams::default(), &patch).await?;
    Ok(())
}

#[tokio::test]
async fn the_actions_of_argo_cd_do_what_they_say() -> Result<()> {
    let cluster = Cluster::with("git-actions", 1).await?;
    // In Git without a wish: so Argo CD has nothing to change back.
    let git = cluster.manifest("nightly", 0, &json!({}));
    cluster.apply(Tool::ArgoCd, &git)?;
    cluster.until("nightly", "Observed").await?;
    let story = &cluster.story;

    act(story, "nightly", "pause").await?;
    assert!(cluster.until("nightly", "InSync").await?);
    act(story, "nightly", "resume").await?;
    assert!(!cluster.until("nightly", "InSync").await?);
    cluster.apply(Tool::ArgoCd, &git)?;
    assert_eq!(cluster.paused("nightly").await?, Some(false));
    assert_eq!(story.writes(), ["pause 200", "unpause 200"]);

    // A value has whole seconds: the next resume is a new one only in another second.
    let asked = |object: &qoder_operator::api::QoderDeployment| {
        object.status.as_ref().unwrap().last_handled_resume_request.clone()
    };
    let first = asked(&story.bed.get("nightly").await?).unwrap();
    story.simulator.pause_by_error(&story.id(0), "agent_archived_error");
    story.until("nightly", "False", "PausedByPlatform").await?;
    assert!(first.parse::<k8s_openapi::jiff::Timestamp>()? < k8s_openapi::jiff::Timestamp::now());
    act(story, "nightly", "resume").await?;
    assert!(!cluster.until("nightly", "InSync").await?);
    assert_ne!(asked(&story.bed.get("nightly").await?), Some(first));
    assert_eq!(story.writes(), ["pause 200", "unpause 200", "unpause 200"]);

    act(story, "nightly", "reconcile").await?;
    let echoed = |object: &qoder_operator::api::QoderDeployment| {
        object.status.as_ref().unwrap().last_handled_reconcile_request.is_some()
    };
    story.bed.wait_until("nightly", "the echo", echoed).await?;
    assert!(story.simulator.journal().iter().all(|entry: &Entry| entry.status == Some(200)));
    Ok(())
}

#[tokio::test]
async fn the_recorded_resources_are_as_the_api_server_takes_them() -> Result<()> {
    let cluster = Cluster::with("git-recorded", 0).await?;
    let Cluster { story, .. } = cluster;
    story.operator.terminate().await?;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gitops/resources.yaml");
    let file = std::fs::read_to_string(file)?;
    let api = story.bed.api();
    for document in serde_yaml_ng::Deserializer::from_str(&file) {
        let recorded: Value = serde::Deserialize::deserialize(document)?;
        let name = recorded["metadata"]["name"].as_str().unwrap();
        let applied = story.bed.apply(name, recorded["spec"].clone()).await?;
        if name == "new" {
            assert_eq!(serde_json::to_value(applied.status)?, recorded["status"]);
            continue;
        }
        let status = kube::api::Patch::Merge(json!({ "status": recorded["status"] }));
        let params = kube::api::PatchParams {
            field_validation: Some(kube::api::ValidationDirective::Strict),
            ..Default::default()
        };
        let stored = api.patch_status(name, &params, &status).await?;
        assert_eq!(serde_json::to_value(stored.status)?, recorded["status"], "{name}");
    }
    Ok(())
}
