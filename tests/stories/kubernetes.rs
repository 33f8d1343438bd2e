//! The Kubernetes API refuses, loses, lags, stands still, and forgets a kind: the same end, the same number of
//! writes on both sides.

use std::time::Duration;

use http::Method;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
    config::Kubeconfig,
};
use qoder_simulator::{Entry, Simulator};
use serde_json::json;
use testbed::{
    Bed, ControlPlane, Gateway, Own, Result,
    gateway::{Requests, Trouble},
};

use crate::story::{Story, TOKEN, config, start};

const SECOND: Duration = Duration::from_secs(1);

/// A story of so many resources, `r0` and so on, in sync with active deployments; the gateway is between the operator
/// and the API server.
async fn behind_a_gateway(name: &str, n: usize) -> Result<(Story, Gateway)> {
    let simulator = Simulator::start(config(n)).await?;
    let bed = Bed::new(name).await?;
    let (gateway, kubeconfig) =
        Gateway::to_api_server(Kubeconfig::read_from(bed.kubeconfig())?).await?;
    let operator = bed.operator().base_url(&simulator.base_url()).token(TOKEN);
    let operator = operator.kubeconfig(kubeconfig).start().await?;
    let story = Story { operator, simulator, bed };
    for i in 0..n {
        story.apply(&format!("r{i}"), i, Some(false)).await?;
    }
    for i in 0..n {
        story.until(&format!("r{i}"), "True", "InSync").await?;
    }
    assert_eq!(story.writes(), [""; 0]);
    Ok((story, gateway))
}

fn statuses_of(name: &str) -> Requests {
    Requests { method: Some(Method::PATCH), path: format!("/{name}/status"), ..Requests::default() }
}

/// What may become of one status, by name.
fn troubles_of_a_status() -> Vec<(&'static str, Trouble)> {
    vec![
        ("conflict", Trouble::Answer(409, "Conflict", None)),
        ("not-found", Trouble::Answer(404, "NotFound", None)),
        ("invalid", Trouble::Answer(422, "Invalid", None)),
        ("forbidden", Trouble::Answer(403, "Forbidden", None)),
        ("throttled", Trouble::Answer(429, "TooManyRequests", Some(1))),
        ("internal", Trouble::Answer(500, "InternalError", None)),
        ("lost-request", Trouble::LoseRequest),
        ("lost-answer", Trouble::LoseAnswer),
    ]
}

#[tokio::test]
async fn a_status_that_is_refused_or_whose_answer_is_lost_is_there_once_in_the_end() -> Result<()> {
    let troubles = troubles_of_a_status();
    let (story, gateway) = behind_a_gateway("status", troubles.len()).await?;
    let mut met = Vec::new();
    for (i, (_, trouble)) in troubles.iter().enumerate() {
        let which = statuses_of(&format!("r{i}"));
        met.push(gateway.inject(which, Some(1), trouble.clone()));
        story.bed.set_paused(&format!("r{i}"), Some(true)).await?;
    }
    for (i, (name, _)) in troubles.iter().enumerate() {
        let resource = format!("r{i}");
        story.until(&resource, "True", "InSync").await?;
        assert_eq!(*met[i].borrow(), 1, "{name}");
        assert_eq!(story.bed.status_writes(&resource).await?, 2, "{name}: one for each wish");
    }
    story.polls(2).await?;
    assert_eq!(story.writes(), vec!["pause 200"; troubles.len()]);
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_refuses_everything_for_a_while_costs_time_only() -> Result<()> {
    let (story, gateway) = behind_a_gateway("overloaded", 1).await?;
    let refusals = [
        Trouble::Answer(429, "TooManyRequests", Some(1)),
        Trouble::Answer(503, "ServiceUnavailable", None),
        Trouble::LoseRequest,
    ];
    for (round, trouble) in refusals.into_iter().enumerate() {
        gateway.break_watches();
        let mut met = gateway.inject(Requests::default(), None, trouble);
        story.bed.set_paused("r0", Some(round % 2 == 0)).await?;
        met.wait_for(|met| *met >= 3).await?;
        assert_eq!(story.writes().len(), round, "nobody could ask what is wished");
        gateway.clear();
        story.until("r0", "True", "InSync").await?;
        assert_eq!(story.writes().len(), round + 1);
        assert_eq!(story.bed.status_writes("r0").await?, round + 2);
    }
    Ok(())
}

/// The wish is read anew before each write: what was wished and taken back meanwhile is never sent.
#[tokio::test]
async fn a_watch_that_lags_by_seconds_makes_nobody_act_on_what_was() -> Result<()> {
    let (story, gateway) = behind_a_gateway("lagging", 1).await?;
    gateway.lag(3 * SECOND);
    for paused in [true, false, true, false] {
        story.bed.set_paused("r0", Some(paused)).await?;
    }
    story.until("r0", "True", "InSync").await?;
    assert_eq!(story.writes(), [""; 0], "as it is, it was wished in the end");
    story.bed.set_paused("r0", Some(true)).await?;
    story.until("r0", "True", "InSync").await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}

#[tokio::test]
async fn what_a_watch_has_missed_is_listed() -> Result<()> {
    let (story, gateway) = behind_a_gateway("missed", 2).await?;
    let watches = || Requests { watches: true, ..Requests::default() };
    // It breaks, and its place is gone; and the next one as well.
    let mut gone = gateway.inject(watches(), Some(2), Trouble::Answer(410, "Expired", None));
    gateway.break_watches();
    story.bed.set_paused("r0", Some(true)).await?;
    story.bed.delete("r1").await?;
    gone.wait_for(|met| *met == 2).await?;
    story.until("r0", "True", "InSync").await?;
    // Whoever comes next for that deployment is alone.
    story.apply("heir", 1, Some(true)).await?;
    story.until("heir", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"; 2]);
    assert_eq!(story.bed.status_writes("r0").await?, 2);
    Ok(())
}

/// A control plane of its own: etcd stands still for a while, then the kind goes, and comes again.
#[tokio::test]
async fn a_store_that_stands_still_and_a_kind_that_is_gone_cost_no_write() -> Result<()> {
    let Own::Running(control_plane) = ControlPlane::own(&[]).await? else {
        return Ok(());
    };
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::on(control_plane.clone(), "store").await?;
    let operator = start(&bed, &simulator).await?;
    let story = Story { operator, simulator, bed };
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    let corrected = |count| {
        move |entries: &[Entry]| entries.iter().filter(|entry| entry.effect).count() == count
    };

    control_plane.freeze_etcd()?;
    // Drift that cannot be corrected: whether it still is drift nobody can say.
    story.simulator.set_paused(&story.id(0), false);
    story.polls(4).await?;
    assert_eq!(story.writes(), ["pause 200"]);
    control_plane.thaw_etcd().await?;
    story.until_calls("the correction", corrected(2)).await?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"; 2]);

    let name = "qoderdeployments.cloud.qoder.com";
    let crds = Api::<CustomResourceDefinition>::all(story.bed.client());
    let mut kind = crds.get(name).await?;
    crds.delete(name, &DeleteParams::default()).await?;
    let failed = testbed::eventually(testbed::bed::DEADLINE, async || {
        let metrics = story.operator.metrics().await?;
        Ok(metrics.get("qoder_watch_errors_total").filter(|errors| **errors > 0.0).copied())
    });
    failed.await?.expect("a watch that finds no such kind");
    story.simulator.set_paused(&story.id(0), false);
    assert_eq!(story.writes(), ["pause 200"; 2], "nobody wishes anything");

    // An older one: it does not know a field of the status that the operator writes.
    kind.metadata = kube::api::ObjectMeta { name: Some(name.to_owned()), ..kind.metadata };
    kind.metadata.resource_version = None;
    kind.metadata.managed_fields = None;
    kind.metadata.uid = None;
    let mut older = serde_json::to_value(&kind)?;
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
    older.pointer_mut(properties).unwrap().as_object_mut().unwrap().remove("lastReached").unwrap();
    let apply = PatchParams::apply("kubectl").force();
    crds.patch(name, &apply, &Patch::Apply(json!(older))).await?;
    let again = testbed::eventually(testbed::bed::DEADLINE, async || {
        Ok(story.apply("nightly", 0, Some(true)).await.ok())
    });
    again.await?.expect("the kind is served");
    story.until_calls("the pause", corrected(3)).await?;
    let full = serde_json::to_value(&kind)?;
    crds.patch(name, &apply, &Patch::Apply(json!(full))).await?;
    story.until("nightly", "True", "InSync").await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200"; 3]);
    Ok(())
}

/// A few of the points at which `tests/driver/crashes.rs` kills it, for real: around the read before a write, and around
/// a status.
#[tokio::test]
async fn killed_around_a_call_to_kubernetes_it_goes_on_where_it_was() -> Result<()> {
    let read = |method| Requests { method: Some(method), path: "/r0".to_owned(), watches: false };
    let points = [
        ("read", read(Method::GET), Trouble::HoldRequest, 0),
        ("read-answered", read(Method::GET), Trouble::HoldAnswer, 0),
        ("status", statuses_of("r0"), Trouble::HoldRequest, 1),
        ("status-taken", statuses_of("r0"), Trouble::HoldAnswer, 1),
    ];
    for (name, which, trouble, posts) in points {
        let (mut story, gateway) = behind_a_gateway(name, 1).await?;
        let mut met = gateway.inject(which, Some(1), trouble);
        story.bed.set_paused("r0", Some(true)).await?;
        met.wait_for(|met| *met == 1).await?;
        // What was let through is there before the end of who has sent it.
        let taken = if name == "status-taken" { 2 } else { 1 };
        let has_all = testbed::eventually(testbed::bed::DEADLINE, async || {
            let statuses = story.bed.status_writes("r0").await?;
            Ok((statuses == taken && story.writes().len() == posts).then_some(()))
        });
        assert!(has_all.await?.is_some(), "{name}: {:?}", story.calls());
        story.operator.kill().await?;
        story.operator = start(&story.bed, &story.simulator).await?;
        story.until("r0", "True", "InSync").await?;
        story.polls(2).await?;
        assert_eq!(story.writes(), ["pause 200"], "{name}");
        assert_eq!(story.bed.status_writes("r0").await?, 2, "{name}");
    }
    Ok(())
}
