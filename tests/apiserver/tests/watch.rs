//! Watches, as kube's own watcher and recorder meet them, and what a test does to them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

use std::{pin::Pin, time::Duration};

use apiserver::{ApiServer, Failure, Match, Verb};
use futures::{Stream, StreamExt as _};
use kube::{
    Api, Resource as _,
    runtime::{
        WatchStreamExt as _,
        events::{Event as NewEvent, EventType, Recorder, Reporter},
        watcher::{self, Event, watcher},
    },
};
use qoder_operator::api::QoderDeployment;
use serde_json::json;
use tokio::time::{Instant, timeout};

/// Longer than a watcher waits before it starts again.
const A_WHILE: Duration = Duration::from_secs(5);

/// A server with these resources.
fn server(names: &[&str]) -> ApiServer {
    let server = ApiServer::new();
    for name in names {
        create(&server, name);
    }
    server
}

fn create(server: &ApiServer, name: &str) {
    let manifest = json!({
        "metadata": {"namespace": "agents", "name": name}, "spec": {"deploymentID": "dep_1"},
    });
    server.deployments().create(manifest).unwrap();
}

type Events = Pin<Box<dyn Stream<Item = watcher::Result<Event<QoderDeployment>>>>>;

fn watch(server: &ApiServer, config: watcher::Config) -> Events {
    Box::pin(watcher(Api::all(server.client()), config).default_backoff())
}

fn streamed(server: &ApiServer) -> Events {
    watch(server, watcher::Config::default().streaming_lists())
}

/// What comes within a while, in short.
async fn next(events: &mut Events) -> String {
    let name = |object: QoderDeployment| object.metadata.name.unwrap();
    match timeout(A_WHILE, events.next()).await {
        Err(_) => "nothing".to_owned(),
        Ok(None) => "the end".to_owned(),
        Ok(Some(Err(error))) => {
            let text = format!("{error:?}");
            let known = ["code: 410", "code: 422", "code: 500", "ConnectionReset"];
            let known = known.into_iter().find(|known| text.contains(known));
            known.map_or(text.clone(), ToOwned::to_owned)
        }
        Ok(Some(Ok(Event::Init))) => "init".to_owned(),
        Ok(Some(Ok(Event::InitApply(object)))) => format!("has {}", name(object)),
        Ok(Some(Ok(Event::InitDone))) => "done".to_owned(),
        Ok(Some(Ok(Event::Apply(object)))) => format!("apply {}", name(object)),
        Ok(Some(Ok(Event::Delete(object)))) => format!("delete {}", name(object)),
    }
}

async fn expect(events: &mut Events, expected: &[&str]) {
    for (at, expected) in expected.iter().enumerate() {
        assert_eq!(next(events).await, *expected, "event {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_streams_a_list_and_what_comes_then() {
    let server = server(&["a", "b"]);
    let mut events = streamed(&server);
    expect(&mut events, &["init", "has a", "has b", "done", "nothing"]).await;
    create(&server, "c");
    server.deployments().annotate("agents", "a", "note", "1").unwrap();
    server.deployments().delete("agents", "b").unwrap();
    expect(&mut events, &["apply c", "apply a", "delete b", "nothing"]).await;
    assert_eq!(server.journal().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_lists_in_pages() {
    let server = server(&["a", "b", "c"]);
    let mut events = watch(&server, watcher::Config::default().page_size(2));
    expect(&mut events, &["init", "has a", "has b", "has c", "done"]).await;
    create(&server, "d");
    expect(&mut events, &["apply d"]).await;
    let verbs: Vec<_> = server.journal().iter().map(|entry| entry.verb).collect();
    assert_eq!(verbs, [Verb::List, Verb::List, Verb::Watch]);
}

#[tokio::test(start_paused = true)]
async fn a_server_can_refuse_to_stream_lists() {
    let server = server(&["a"]);
    server.set_streaming_lists(false);
    let mut events = streamed(&server);
    expect(&mut events, &["code: 422"]).await;
}

#[tokio::test(start_paused = true)]
async fn held_events_come_one_by_one_or_all() {
    let server = server(&[]);
    let mut events = streamed(&server);
    expect(&mut events, &["init", "done"]).await;
    let watch = server.watches().remove(0);
    assert_eq!((watch.resource(), watch.namespace()), ("qoderdeployments", None));
    watch.hold();
    for name in ["a", "b", "c"] {
        create(&server, name);
    }
    expect(&mut events, &["nothing"]).await;
    assert_eq!(watch.waiting(), 3);
    watch.release_one();
    expect(&mut events, &["apply a", "nothing"]).await;
    watch.release();
    expect(&mut events, &["apply b", "apply c", "nothing"]).await;
}

#[tokio::test(start_paused = true)]
async fn all_watches_can_be_held_new_ones_too() {
    let server = server(&["a"]);
    server.hold_watches();
    let mut events = streamed(&server);
    expect(&mut events, &["init", "nothing"]).await;
    server.release_watches();
    expect(&mut events, &["has a", "done"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_is_taken_up_where_it_was() {
    let server = server(&["a"]);
    let mut events = streamed(&server);
    expect(&mut events, &["init", "has a", "done", "nothing"]).await;
    server.watches()[0].hold();
    create(&server, "b");
    server.watches()[0].close();
    expect(&mut events, &["apply b"]).await;
    server.watches()[0].hold();
    create(&server, "c");
    server.watches()[0].sever();
    expect(&mut events, &["ConnectionReset", "apply c"]).await;
}

#[tokio::test(start_paused = true)]
async fn gone_makes_a_new_list() {
    let server = server(&["a"]);
    let mut events = streamed(&server);
    expect(&mut events, &["init", "has a", "done", "nothing"]).await;
    server.watches()[0].expire();
    expect(&mut events, &["code: 410", "init", "has a", "done", "nothing"]).await;
    // A watch that ends when its place is forgotten.
    create(&server, "b");
    server.watches()[0].close();
    server.compact();
    expect(&mut events, &["code: 410", "init", "has a", "has b", "done"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_found_out_by_its_client_alone() {
    let server = server(&[]);
    let mut events = streamed(&server);
    expect(&mut events, &["init", "done"]).await;
    server.watches()[0].silence();
    create(&server, "a");
    let start = Instant::now();
    let found = timeout(Duration::from_secs(600), events.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(found, Event::Apply(_)));
    // The watcher allows 290 s and a margin.
    assert!((290..=330).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_watch_lasts_as_long_as_it_asked_for() {
    let server = server(&[]);
    let mut events = watch(&server, watcher::Config::default().timeout(100).streaming_lists());
    expect(&mut events, &["init", "done"]).await;
    assert!(timeout(Duration::from_secs(250), events.next()).await.is_err());
    let at: Vec<_> = server.journal().iter().map(|entry| entry.at.as_secs()).collect();
    assert_eq!(at, [0, 100, 200]);
    assert_eq!(server.watches().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_watch_can_be_refused_and_fail_later() {
    let server = server(&["a"]);
    server.on(Match::verb(Verb::Watch)).fail(Failure::internal());
    let mut events = streamed(&server);
    expect(&mut events, &["code: 500", "init", "has a", "done"]).await;
    server.watches()[0].fail(&Failure::internal());
    expect(&mut events, &["code: 500"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_dropped_is_closed() {
    let server = server(&[]);
    let mut events = streamed(&server);
    expect(&mut events, &["init", "done"]).await;
    let watch = server.watches().remove(0);
    assert!(watch.is_open());
    drop(events);
    tokio::task::yield_now().await;
    assert!(!watch.is_open() && server.watches().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_recorder_creates_an_event_and_counts_it() {
    let server = server(&["a"]);
    let api: Api<QoderDeployment> = Api::namespaced(server.client(), "agents");
    let object = api.get("a").await.unwrap();
    let reporter = Reporter { controller: "operator".to_owned(), instance: None };
    let recorder = Recorder::new(server.client(), reporter);
    let event = NewEvent {
        type_: EventType::Normal,
        reason: "Paused".to_owned(),
        note: Some("paused it".to_owned()),
        action: "Pause".to_owned(),
        secondary: None,
    };
    for _ in 0..3 {
        recorder.publish(&event, &object.object_ref(&())).await.unwrap();
    }
    let events = server.events().list();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["series"]["count"], 3);
    assert_eq!(server.changes().len(), 3);
}
