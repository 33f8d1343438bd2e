//! The steps of the demo: what is done, what must come of it, and what is shown.

use std::path::Path;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use qoder_operator::api::QoderDeployment;
use serde_json::json;

use super::simulator::{Call, Simulator};
use crate::readiness::{is_ready, ready};
use crate::table::Table;
use crate::{Bed, Result, eventually};

/// Shall run, then shall not, then shall again; at last the platform pauses it.
const NIGHTLY: &str = "nightly-report";
/// Shall be paused, whatever others do.
const WEEKLY: &str = "weekly-digest";
/// Has no wish: it is only observed.
const TRIAGE: &str = "inbox-triage";

/// How many deployments the steps need.
pub(super) const DEPLOYMENTS: usize = 3;

/// Why the platform pauses, in the last step.
const PLATFORM_ERROR: &str = "agent_archived_error";

/// The stage, and the remote deployments of the three resources.
pub(super) struct Script<'a> {
    bed: &'a Bed,
    simulator: &'a Simulator,
    nightly: String,
    weekly: String,
    triage: String,
}

impl<'a> Script<'a> {
    pub(super) async fn new(bed: &'a Bed, simulator: &'a Simulator) -> Result<Self> {
        let ids: [String; DEPLOYMENTS] =
            simulator.ids().await?.try_into().ok().context("not three deployments")?;
        let [nightly, weekly, triage] = ids;
        Ok(Self { bed, simulator, nightly, weekly, triage })
    }

    /// Plays all steps, in order.
    pub(super) async fn play(&self) -> Result<()> {
        self.three_resources().await?;
        self.pause().await?;
        self.unpause().await?;
        self.drift().await?;
        self.platform_pause().await
    }

    async fn three_resources(&self) -> Result<()> {
        title(
            "1. Three deployments, all active. One shall run, one shall be paused, one is only watched",
        );
        let mark = self.simulator.mark().await?;
        for (name, id, paused) in [
            (NIGHTLY, &self.nightly, Some(false)),
            (WEEKLY, &self.weekly, Some(true)),
            (TRIAGE, &self.triage, None),
        ] {
            let mut spec = json!({"deploymentID": id});
            if let (Some(paused), Some(spec)) = (paused, spec.as_object_mut()) {
                spec.insert("paused".to_owned(), json!(paused));
            }
            self.bed.apply(name, spec).await?;
        }
        say("$ kubectl apply -f three-resources.yaml");
        try_join_all([NIGHTLY, WEEKLY, TRIAGE].map(|name| self.bed.wait_ready(name))).await?;
        self.expect_remote(&[
            (&self.nightly, "active"),
            (&self.weekly, "paused"),
            (&self.triage, "active"),
        ])
        .await?;
        self.show(mark, &[post(&self.weekly, "pause")]).await
    }

    async fn pause(&self) -> Result<()> {
        title("2. Pause: the line `paused: true` reaches the cluster");
        let mark = self.simulator.mark().await?;
        say(&patch(true));
        self.bed.set_paused(NIGHTLY, Some(true)).await?;
        let paused = self.bed.wait_ready(NIGHTLY).await?;
        ensure!(paused_by(&paused) == Some("manual"), "{NIGHTLY} does not say who paused it");
        self.expect_remote(&[(&self.nightly, "paused")]).await?;
        self.show(mark, &[post(&self.nightly, "pause")]).await
    }

    async fn unpause(&self) -> Result<()> {
        title("3. Unpause: the line says `paused: false` again");
        let mark = self.simulator.mark().await?;
        say(&patch(false));
        self.bed.set_paused(NIGHTLY, Some(false)).await?;
        let active = self.bed.wait_ready(NIGHTLY).await?;
        ensure!(paused_by(&active).is_none(), "{NIGHTLY} still says who paused it");
        self.expect_remote(&[(&self.nightly, "active")]).await?;
        self.show(mark, &[post(&self.nightly, "unpause")]).await
    }

    async fn drift(&self) -> Result<()> {
        title("4. Drift: someone resumes weekly-digest by hand, behind Git's back. It is repaired");
        let mark = self.simulator.mark().await?;
        say(&self.curl(&self.weekly, "unpause", ""));
        self.simulator.unpause(&self.weekly).await?;
        let repair = post(&self.weekly, "pause");
        let repaired = |calls: &[Call]| calls.iter().any(|call| call.line() == repair);
        self.simulator.wait_for_calls(mark, "repair", repaired).await?;
        self.bed.wait_ready(WEEKLY).await?;
        self.expect_remote(&[(&self.weekly, "paused")]).await?;
        self.show_event(WEEKLY, "DriftCorrected").await?;
        self.show(mark, &[repair]).await
    }

    async fn platform_pause(&self) -> Result<()> {
        title(
            "5. A failed run: the platform pauses nightly-report. The operator reports it and does not fight",
        );
        let mark = self.simulator.mark().await?;
        say(&self.curl(
            &self.nightly,
            "pause_by_error",
            &format!(" \\\n    -d '{{\"type\":\"{PLATFORM_ERROR}\"}}'"),
        ));
        self.simulator.pause_by_error(&self.nightly, PLATFORM_ERROR).await?;
        let reported = |object: &QoderDeployment| {
            !is_ready(object)
                && ready(object).is_some_and(|ready| ready.reason == "PausedByPlatform")
        };
        let reported =
            self.bed.wait_until(NIGHTLY, "reported as paused by the platform", reported).await?;
        if let Some(ready) = ready(&reported) {
            comment(&ready.message);
        }
        let after = self.simulator.mark().await?;
        self.simulator.wait_for_calls(after, "two more polls", |calls| calls.len() >= 2).await?;
        self.expect_remote(&[(&self.nightly, "paused")]).await?;
        self.show(mark, &[]).await
    }

    /// The end of each step: the resources, the calls, and that there was no other write.
    async fn show(&self, mark: u64, expected: &[String]) -> Result<()> {
        let table = Table::get(&self.bed.client(), self.bed.namespace()).await?;
        say(&format!("$ kubectl get qdep\n{table}"));
        let calls = self.simulator.calls(mark).await?;
        comment("what the API saw:");
        for same in
            calls.chunk_by(|one, next| (one.line(), one.status()) == (next.line(), next.status()))
        {
            if let [call, more @ ..] = same {
                let times = if more.is_empty() {
                    String::new()
                } else {
                    format!("  ({} times)", same.len())
                };
                say(&format!("  {} -> {}{times}", call.line(), call.status()));
            }
        }
        let writes: Vec<String> =
            calls.iter().filter(|call| call.is_write()).map(Call::line).collect();
        ensure!(writes == expected, "the API saw the writes {writes:?}, not {expected:?}");
        Ok(())
    }

    /// Shows an event about a resource, as soon as it is there.
    async fn show_event(&self, name: &str, reason: &str) -> Result<()> {
        let event = eventually(crate::bed::DEADLINE, async || {
            let events = self.bed.events(name).await?;
            Ok(events.into_iter().find(|event| event.reason.as_deref() == Some(reason)))
        });
        let event = event.await?.with_context(|| format!("no event {reason} about {name}"))?;
        comment(&format!("event {reason}: {}", event.note.unwrap_or_default()));
        Ok(())
    }

    async fn expect_remote(&self, expected: &[(&String, &str)]) -> Result<()> {
        for (id, expected) in expected {
            let status = self.simulator.status(id).await?;
            ensure!(status == *expected, "the remote deployment {id} is {status}, not {expected}");
        }
        Ok(())
    }

    fn curl(&self, id: &str, verb: &str, body: &str) -> String {
        format!("$ curl -X POST {}/_sim/deployments/{id}/{verb}{body}", self.simulator.origin())
    }

    /// What a person can do next.
    pub(super) fn invitation(&self, kubeconfig: &Path) -> String {
        format!(
            "\
Everything is still running. In another terminal:

  export KUBECONFIG={}

  kubectl get qdep -o wide --watch
{}
  kubectl annotate qdep {NIGHTLY} --overwrite cloud.qoder.com/resume-requested-at=\"$(date)\"
  kubectl describe qdep {NIGHTLY}
{}
  curl {}/_sim/journal

Ctrl-C ends it all.",
            kubeconfig.display(),
            patch(true).replace("$ ", "  "),
            self.curl(&self.weekly, "unpause", "").replace("$ ", "  "),
            self.simulator.origin(),
        )
    }
}

/// A call, as [`Call::line`] has it.
fn post(id: &str, verb: &str) -> String {
    format!("POST /deployments/{id}/{verb}")
}

/// Who paused it, as the status has it.
fn paused_by(object: &QoderDeployment) -> Option<&str> {
    Some(&object.status.as_ref()?.paused_reason.as_ref()?.kind)
}

fn patch(paused: bool) -> String {
    format!("$ kubectl patch qdep {NIGHTLY} --type merge -p '{{\"spec\":{{\"paused\":{paused}}}}}'")
}

fn title(text: &str) {
    println!("\n{text}\n");
}

/// One or more lines, indented.
fn say(text: &str) {
    for line in text.lines() {
        println!("  {line}");
    }
}

/// A remark, wrapped.
fn comment(text: &str) {
    const WIDTH: usize = 100;
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            say(&line);
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    say(&line);
}
