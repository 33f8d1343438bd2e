//! What a test does to the server, each in a few lines of virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

use std::time::Duration;

use apiserver::{ApiServer, Failure, Match, Verb};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use qoder_operator::api::QoderDeployment;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

const NAMESPACE: &str = "agents";
const MINUTE: Duration = Duration::from_secs(60);

fn manifest(name: &str) -> Value {
    json!({
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {"deploymentID": "dep_1", "paused": true},
    })
}

/// A server with one resource, `a`.
fn server() -> ApiServer {
    let server = ApiServer::new();
    server.deployments().create(manifest("a")).unwrap();
    server
}

fn api(client: Client) -> Api<QoderDeployment> {
    Api::namespaced(client, NAMESPACE)
}

/// A task that applies a status.
fn publish(server: &ApiServer) -> tokio::task::JoinHandle<kube::Result<QoderDeployment>> {
    let api = api(server.client());
    tokio::spawn(async move {
        let params = PatchParams::apply("operator").force();
        let status = json!({
            "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
            "status": {"observedGeneration": 1, "desired": "Paused"},
        });
        api.patch_status("a", &params, &Patch::Apply(status)).await
    })
}

fn published(server: &ApiServer) -> bool {
    let object = server.deployments().get(NAMESPACE, "a").unwrap();
    object["status"]["observedGeneration"] == 1
}

fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_request_takes_effect_when_it_is_released() {
    let server = server();
    let rule = server.on(Match::status_patches()).hold();
    let publishing = publish(&server);
    rule.arrived().await;
    tokio::time::sleep(MINUTE).await;
    assert!(!published(&server));
    rule.release();
    assert!(publishing.await.unwrap().is_ok());
    assert!(published(&server));
}

#[tokio::test(start_paused = true)]
async fn a_held_answer_comes_after_the_effect() {
    let server = server();
    let rule = server.on(Match::status_patches()).hold_answer();
    let publishing = publish(&server);
    rule.arrived().await;
    assert!(published(&server) && !publishing.is_finished());
    server.deployments().edit(NAMESPACE, "a", |it| it["spec"]["paused"] = json!(false)).unwrap();
    rule.release();
    // The answer is what was true when the request took effect.
    assert_eq!(publishing.await.unwrap().unwrap().spec.paused, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_hides_an_effect_and_a_lost_request_has_none() {
    let server = server();
    let rule = server.on(Match::status_patches()).drop_request();
    assert!(publish(&server).await.unwrap().is_err());
    assert!(!published(&server));
    assert_eq!(rule.arrivals(), 1);
    server.on(Match::status_patches()).drop_answer();
    assert!(publish(&server).await.unwrap().is_err());
    assert!(published(&server));
    // Each was for once.
    assert!(publish(&server).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_held_request_can_be_lost_or_refused() {
    let server = server();
    let rule = server.on(Match::any()).always().hold();
    let lost = publish(&server);
    rule.arrived().await;
    rule.drop_held();
    assert!(matches!(lost.await.unwrap(), Err(kube::Error::Service(_))));
    let refused = publish(&server);
    rule.arrived_times(2).await;
    rule.fail_held(Failure::too_many_requests());
    assert_eq!(code(&refused.await.unwrap().unwrap_err()), 429);
    assert!(!published(&server));
    let passed = publish(&server);
    rule.arrived_times(3).await;
    rule.lift();
    assert!(passed.await.unwrap().is_ok());
    assert!(publish(&server).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_an_error_although_it_was_applied() {
    let server = server();
    server.on(Match::status_patches()).fail_answer(Failure::internal());
    let error = publish(&server).await.unwrap().unwrap_err();
    assert_eq!((code(&error), published(&server)), (500, true));
    let entries = server.journal();
    assert_eq!((entries[0].code, entries[0].changed), (Some(500), true));
}

#[tokio::test(start_paused = true)]
async fn silence_lasts_until_the_client_gives_up() {
    let server = server();
    server.on(Match::verb(Verb::Get)).silence_request();
    let api = api(server.client());
    assert!(timeout(MINUTE, api.get("a")).await.is_err());
    assert!(timeout(MINUTE, api.get("a")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_outlives_its_client() {
    let server = server();
    let rule = server.on(Match::status_patches()).hold();
    let publishing = publish(&server);
    rule.arrived().await;
    publishing.abort();
    rule.release();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(published(&server));
}

#[tokio::test(start_paused = true)]
async fn rules_count_matches() {
    let server = server();
    let rule = server
        .on(Match::status_patches().namespace(NAMESPACE).name("a"))
        .nth(2)
        .fail(Failure::internal());
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(publish(&server).await.unwrap().map_or_else(|error| code(&error), |_| 200));
    }
    assert_eq!(codes, [200, 500, 200]);
    assert_eq!(rule.arrivals(), 1);
}

#[tokio::test(start_paused = true)]
async fn delays_and_latency_take_virtual_time() {
    let server = server();
    server.on(Match::any()).delay(MINUTE);
    server.set_latency(MINUTE);
    let start = Instant::now();
    api(server.client()).get("a").await.unwrap();
    assert_eq!(start.elapsed(), 2 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn rights_can_be_taken_away() {
    let server = server();
    server.deny(Match::verb(Verb::Patch).subresource("status"));
    let error = publish(&server).await.unwrap().unwrap_err();
    let kube::Error::Api(status) = error else { panic!("{error}") };
    assert_eq!(
        status.message,
        "qoderdeployments.cloud.qoder.com \"a\" is forbidden: User \"system:serviceaccount:qoder-operator:qoder-operator\" \
         cannot patch resource \"qoderdeployments/status\" in API group \"cloud.qoder.com\" in the namespace \"agents\""
    );
    server.allow_all();
    assert!(publish(&server).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_outage_breaks_what_is_under_way() {
    let server = server();
    let rule = server.on(Match::status_patches()).hold();
    let publishing = publish(&server);
    rule.arrived().await;
    let api = api(server.client());
    let mut watch = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    assert!(matches!(watch.try_next().await.unwrap(), Some(WatchEvent::Added(_))));
    server.stop();
    assert!(publishing.await.unwrap().is_err());
    assert!(watch.try_next().await.is_err());
    assert!(matches!(api.get("a").await, Err(kube::Error::Service(_))));
    server.start();
    assert!(api.get("a").await.is_ok());
    assert!(!published(&server));
    assert!(server.watches().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_journal_says_who_did_what_and_when() {
    let server = server();
    let api = api(server.client());
    api.get("a").await.unwrap();
    tokio::time::sleep(MINUTE).await;
    publish(&server).await.unwrap().unwrap();
    publish(&server).await.unwrap().unwrap();
    api.delete("missing", &DeleteParams::default()).await.unwrap_err();
    let shown = |entry: apiserver::Entry| {
        (entry.verb, entry.subresource, entry.manager, entry.code.unwrap(), entry.changed, entry.at)
    };
    let writes: Vec<_> = server.writes().into_iter().map(shown).collect();
    let patch =
        |changed| (Verb::Patch, "status".to_owned(), "operator".to_owned(), 200, changed, MINUTE);
    let delete = (Verb::Delete, String::new(), "unknown".to_owned(), 404, false, MINUTE);
    assert_eq!(writes, [patch(true), patch(false), delete]);
    let journal: Vec<_> = server.journal().iter().map(ToString::to_string).collect();
    let expected = [
        "get qoderdeployments agents/a 200",
        "patch qoderdeployments/status agents/a 200",
        "patch qoderdeployments/status agents/a 200",
        "delete qoderdeployments agents/missing 404",
    ];
    assert_eq!(journal, expected);
    assert_eq!(server.changes().len(), 1);
    assert_eq!(server.writes()[0].body["status"]["desired"], "Paused");
}

#[tokio::test(start_paused = true)]
async fn users_need_no_client() {
    let server = server();
    let deployments = server.deployments();
    assert!(deployments.create(manifest("a")).is_err_and(|failure| failure.code == 409));
    deployments.apply(manifest("b")).unwrap();
    deployments.edit(NAMESPACE, "b", |it| it["spec"]["paused"] = json!(false)).unwrap();
    deployments.annotate(NAMESPACE, "b", "note", "1").unwrap();
    let object = deployments.get(NAMESPACE, "b").unwrap();
    assert_eq!(object["metadata"]["generation"], 2);
    assert_eq!(object["metadata"]["annotations"]["note"], "1");
    let invalid = deployments.edit(NAMESPACE, "b", |it| it["spec"]["paused"] = json!("yes"));
    assert!(invalid.is_err_and(|failure| failure.code == 422));
    deployments.smuggle(json!({
        "metadata": {"namespace": NAMESPACE, "name": "odd"}, "spec": {"deploymentID": 7},
    }));
    deployments.delete(NAMESPACE, "b").unwrap();
    assert_eq!(deployments.list().len(), 2);
    assert!(server.journal().is_empty());
    // A client sees the same objects.
    api(server.client())
        .create(
            &PostParams::default(),
            &serde_json::from_value(json!({
                "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
                "metadata": {"name": "c"}, "spec": {"deploymentID": "dep_1"},
            }))
            .unwrap(),
        )
        .await
        .unwrap();
    assert_eq!(
        deployments.get(NAMESPACE, "c").unwrap()["status"],
        json!({"observedGeneration": -1})
    );
}

#[tokio::test(start_paused = true)]
async fn a_test_waits_for_an_object() {
    let server = server();
    server.on(Match::status_patches()).delay(MINUTE);
    let start = Instant::now();
    let publishing = publish(&server);
    let is_paused = |object: &Value| object["status"]["desired"] == "Paused";
    server.deployments().until(NAMESPACE, "a", is_paused).await;
    assert_eq!(start.elapsed(), MINUTE);
    assert!(publishing.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn two_runs_are_the_same() {
    let run = || async {
        let server = server();
        publish(&server).await.unwrap().unwrap();
        server.deployments().get(NAMESPACE, "a").unwrap()
    };
    assert_eq!(run().await, run().await);
}
