//! The operator and the API server as processes that come and go.

use std::time::Duration;

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::DeleteParams;
use qoder_simulator::{Entry, Fault, Operation, Simulator};
use serde_json::json;
use testbed::{Bed, ControlPlane, Own, Result};

use crate::story::{Story, TOKEN, config, remote, start};

fn is_under_way(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.operation == Operation::Pause && !entry.finished)
}

#[tokio::test]
async fn killed_before_the_effect_it_pauses_after_the_restart() -> Result<()> {
    let mut story = Story::with("kill-before", 1).await?;
    story.simulator.inject(Fault::hang_before().on(Operation::Pause));
    story.apply("nightly", 0, Some(true)).await?;
    story.until_calls("the pause", is_under_way).await?;
    story.operator.kill().await?;
    story.operator = start(&story.bed, &story.simulator).await?;
    story.until("nightly", "True", "InSync").await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause -", "pause 200"]);
    assert_eq!(story.effects(0), 1);
    Ok(())
}

#[tokio::test]
async fn killed_after_the_effect_it_sends_nothing_needless_after_the_restart() -> Result<()> {
    let mut story = Story::with("kill-after", 1).await?;
    story.simulator.inject(Fault::hang_after().on(Operation::Pause));
    story.apply("nightly", 0, Some(true)).await?;
    let has_effect = |entries: &[Entry]| entries.iter().any(|entry| entry.effect);
    story.until_calls("the pause", has_effect).await?;
    story.operator.kill().await?;
    story.operator = start(&story.bed, &story.simulator).await?;
    let paused = story.until("nightly", "True", "InSync").await?;
    assert_eq!(remote(&paused), (Some("paused"), Some("manual")));
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause -"]);
    Ok(())
}

#[tokio::test]
async fn a_sigterm_lets_what_is_under_way_end() -> Result<()> {
    let story = Story::with("drain", 1).await?;
    story.simulator.inject(Fault::delay(Duration::from_millis(700)).on(Operation::Pause));
    story.apply("nightly", 0, Some(true)).await?;
    story.until_calls("the pause", is_under_way).await?;
    let status = story.operator.terminate().await?;
    assert!(status.success(), "{status}");
    let object = story.bed.get("nightly").await?;
    assert!(crate::story::is(&object, "True", "InSync"), "the status was published before the end");
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}

#[tokio::test]
async fn a_second_sigterm_ends_it_at_once() -> Result<()> {
    let story = Story::with("second-signal", 1).await?;
    story.simulator.inject(Fault::hang_before().on(Operation::Pause));
    story.apply("nightly", 0, Some(true)).await?;
    story.until_calls("the pause", is_under_way).await?;
    story.operator.begin_to_terminate();
    let is_stopping = |line: &str| line.contains("stopping").then_some(());
    let process = story.operator.process();
    process.wait_for_line("the end", Duration::from_secs(10), is_stopping).await?;
    let status = story.operator.terminate().await?;
    assert!(!status.success(), "{status}");
    assert!(story.operator.log().contains("ended at once by a second signal"));
    Ok(())
}

#[tokio::test]
async fn while_the_api_server_is_away_nothing_is_written_and_after_it_all_is_done() -> Result<()> {
    let Own::Running(control_plane) = ControlPlane::own(&[]).await? else {
        return Ok(());
    };
    let simulator = Simulator::start(config(2)).await?;
    let bed = Bed::on(control_plane.clone(), "away").await?;
    let operator = start(&bed, &simulator).await?;
    let story = Story { operator, simulator, bed };
    for (n, name) in ["one", "two"].into_iter().enumerate() {
        story.apply(name, n, Some(true)).await?;
        story.until(name, "True", "InSync").await?;
    }
    control_plane.stop_api_server().await?;
    // Drift that cannot be corrected: whether it still is drift nobody can say.
    story.simulator.set_paused(&story.id(0), false);
    story.polls(4).await?;
    assert_eq!(story.writes(), ["pause 200"; 2]);

    control_plane.start_api_server().await?;
    story
        .until_calls("the correction", |entries| {
            entries.iter().filter(|entry| entry.effect).count() == 3
        })
        .await?;
    story.bed.set_paused("two", Some(false)).await?;
    story.until("two", "True", "InSync").await?;
    story.until("one", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200", "pause 200", "pause 200", "unpause 200"]);
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_does_not_stream_lists_is_read_in_pages() -> Result<()> {
    // The default of Kubernetes 1.33.
    let flags = ["--feature-gates=WatchList=false"];
    let Own::Running(control_plane) = ControlPlane::own(&flags).await? else {
        return Ok(());
    };
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::on(control_plane, "paged").await?;
    let operator = start(&bed, &simulator).await?;
    let story = Story { operator, simulator, bed };
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    assert!(story.operator.log().contains("does not stream lists"));
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}

#[tokio::test]
async fn fifty_idle_resources_cost_two_calls_a_poll_at_most_and_no_write_over_a_restart_too()
-> Result<()> {
    const FLEET: usize = 50;
    let mut story = Story::with("idle", FLEET).await?;
    for n in 0..FLEET {
        story.simulator.set_paused(&story.id(n), n % 2 == 0);
        story.apply(&format!("r{n}"), n, Some(n % 2 == 0)).await?;
    }
    for n in 0..FLEET {
        story.until(&format!("r{n}"), "True", "InSync").await?;
    }
    for _ in 0..2 {
        story.simulator.clear_journal();
        story.polls(10).await?;
        let journal = story.simulator.journal();
        let (first, last) = (journal[0].at, journal[9].at);
        // Ten calls take at least four and a half polls of a second: two calls a poll at most.
        assert!(last.saturating_sub(first) >= Duration::from_millis(4_500), "{:?}", story.calls());
        assert!(story.calls().iter().all(|call| call == "list 200"), "{:?}", story.calls());
        story.operator.kill().await?;
        story.operator = start(&story.bed, &story.simulator).await?;
    }
    for n in 0..FLEET {
        assert_eq!(
            story.bed.status_writes(&format!("r{n}")).await?,
            1,
            "the first, and none since"
        );
    }
    assert_eq!(story.writes(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_bad_manifest_is_refused_with_a_message_that_names_the_field() -> Result<()> {
    let bed = Bed::new("refused").await?;
    let id = "dep_019f00000000700080000000000000aa";
    let cases = [
        (json!({}), "spec.deploymentID: Required value"),
        (json!({ "deploymentID": "depl_1" }), "spec.deploymentID: Invalid value"),
        (
            json!({ "deploymentID": format!("dep_{}", "a".repeat(65)) }),
            "spec.deploymentID: Too long",
        ),
        (json!({ "deploymentID": "dep_a/../b" }), "spec.deploymentID: Invalid value"),
        (json!({ "deploymentID": id, "paused": "yes" }), "spec.paused"),
        (json!({ "deploymentID": id, "paused": null }), "spec.paused"),
        (
            json!({ "deploymentID": id, "driftPolicy": "Ignore" }),
            "spec.driftPolicy: Unsupported value",
        ),
        (json!({ "deploymentID": id, "pause": true }), "spec.pause"),
    ];
    for (spec, names) in cases {
        let error = bed.apply("bad", spec.clone()).await.expect_err(&spec.to_string()).to_string();
        assert!(error.contains(names), "{spec}: {error}");
    }
    bed.apply("good", json!({ "deploymentID": id })).await?;
    let error = bed.apply("good", json!({ "deploymentID": "dep_1" })).await.expect_err("immutable");
    assert!(error.to_string().contains("deploymentID is immutable"), "{error}");
    let new = bed.get("good").await?;
    assert_eq!(new.status.unwrap().observed_generation, -1, "the default that kstatus needs");
    Ok(())
}

/// `qoder-operator check` with this token: whether it is content, and what it says.
fn check(bed: &Bed, simulator: &Simulator, token: &str) -> Result<(bool, String)> {
    bed.write_token(token)?;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_qoder-operator"))
        .arg("check")
        .arg(format!("--namespace={}", bed.namespace()))
        .arg(format!("--base-url={}", simulator.base_url()))
        .arg(format!("--token-file={}", bed.token_file().display()))
        .env("KUBECONFIG", bed.kubeconfig())
        .output()?;
    let said = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    Ok((output.status.success(), bed.searched("what check says", said)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_is_missing_and_changes_nothing() -> Result<()> {
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::new("check").await?;
    let (good, said) = check(&bed, &simulator, TOKEN)?;
    assert!(good && !said.contains("FAIL"), "{said}");
    assert!(said.contains("ok    right to patch qoderdeployments/status"), "{said}");

    let (good, said) = check(&bed, &simulator, "pt-another-fake")?;
    assert!(!good && said.contains("FAIL  Qoder API: the Qoder API answered 401"), "{said}");
    let (good, said) = check(&bed, &simulator, "")?;
    assert!(!good && said.contains("FAIL  token: the token is empty"), "{said}");

    let rights = kube::Api::<RoleBinding>::namespaced(bed.client(), bed.namespace());
    for binding in rights.list(&kube::api::ListParams::default()).await? {
        rights.delete(&binding.metadata.name.unwrap(), &DeleteParams::default()).await?;
    }
    // An authorizer sees a change when its watch does.
    let mut said = String::new();
    let mut tries = 0..100;
    while !said.contains("FAIL  right to patch events") && tries.next().is_some() {
        said = check(&bed, &simulator, TOKEN)?.1;
    }
    assert!(said.contains("FAIL  right to patch events"), "{said}");
    assert!(said.contains("deploy/base/rbac.yaml"), "{said}");
    assert!(simulator.journal().iter().all(|entry| entry.operation == Operation::List));
    Ok(())
}
