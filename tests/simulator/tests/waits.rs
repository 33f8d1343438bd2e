//! Waiting over HTTP, for entries of the journal and for a state; on virtual time.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::time::Duration;

use common::{Answer, Outcome, ask, get, verb, with_deployments};
use qoder_simulator::{Config, Fault, Simulator};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const MOMENT: Duration = Duration::from_millis(1);

async fn dep_1() -> std::io::Result<Simulator> {
    let deployments = vec![json!({"id": "dep_1"})];
    Simulator::start(Config { deployments, ..Config::default() }).await
}

/// Asks in the background, and has begun to wait when this returns.
async fn begin(simulator: &Simulator, path: &'static str) -> JoinHandle<Result<Answer, String>> {
    let own = simulator.clone();
    let asking = async move { ask(&own, "GET", path).await.map_err(|error| error.to_string()) };
    let begun = tokio::spawn(asking);
    sleep(MOMENT).await;
    begun
}

#[tokio::test(start_paused = true)]
async fn what_is_so_already_is_answered_at_once() -> Outcome {
    let simulator = dep_1().await?;
    verb(&simulator, "dep_1", "pause").await?;
    let start = Instant::now();
    for path in [
        "journal?count=1",
        "journal?count=0&timeout_ms=60000",
        "journal?operation=pause&id=dep_1&status=200&effect=true&finished=true&count=1",
        "deployments/dep_1?until=paused",
        "deployments/dep_unknown?until=gone",
    ] {
        ask(&simulator, "GET", path).await?;
        assert_eq!(start.elapsed(), Duration::ZERO, "{path}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_time_with_what_there_is() -> Outcome {
    let simulator = dep_1().await?;
    verb(&simulator, "dep_1", "pause").await?;
    for (path, time) in [
        ("journal?count=2&timeout_ms=500", 500),
        ("journal?count=2", 10_000),
        ("journal?since=0&operation=pause&count=2&timeout_ms=1", 1),
    ] {
        let start = Instant::now();
        let entries = ask(&simulator, "GET", path).await?;
        assert_eq!((entries.status, entries.json.as_array().map(Vec::len)), (200, Some(1)));
        assert_eq!(start.elapsed(), Duration::from_millis(time), "{path}");
    }
    for (path, status) in [
        ("deployments/dep_1?until=active&timeout_ms=500", 200),
        ("deployments/dep_1?until=archived&timeout_ms=500", 200),
        ("deployments/dep_1?until=gone&timeout_ms=500", 200),
        ("deployments/dep_unknown?until=active&timeout_ms=500", 404),
    ] {
        let start = Instant::now();
        let seen = ask(&simulator, "GET", path).await?;
        assert_eq!((seen.status, start.elapsed()), (status, Duration::from_millis(500)), "{path}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn entries_are_waited_for() -> Outcome {
    let simulator = dep_1().await?;
    let start = Instant::now();
    let second_pause = begin(&simulator, "journal?operation=pause&count=2").await;
    let refused = begin(&simulator, "journal?status=409&count=1").await;
    let since = begin(&simulator, "journal?since=2&count=1").await;
    verb(&simulator, "dep_1", "pause").await?;
    get(&simulator, "/deployments").await?;
    sleep(MOMENT).await;
    assert!(!second_pause.is_finished() && !refused.is_finished() && !since.is_finished());
    verb(&simulator, "dep_1", "pause").await?;
    for (wait, seqs) in [(second_pause, json!([1, 3])), (refused, json!([3])), (since, json!([3]))]
    {
        let entries = wait.await??.json;
        let seen: Vec<_> =
            entries.as_array().into_iter().flatten().map(|entry| &entry["seq"]).collect();
        assert_eq!(json!(seen), seqs);
    }
    assert_eq!(start.elapsed(), MOMENT * 4, "at once");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_effect_and_an_end_are_waited_for_too() -> Outcome {
    let simulator = dep_1().await?;
    simulator.inject(Fault::delay(MOMENT * 100));
    let effect = begin(&simulator, "journal?effect=true&count=1").await;
    let finished = begin(&simulator, "journal?finished=true&count=1").await;
    let start = Instant::now();
    verb(&simulator, "dep_1", "pause").await?;
    for wait in [effect, finished] {
        assert_eq!(wait.await??.json[0]["seq"], 1);
    }
    assert_eq!(start.elapsed(), MOMENT * 100);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn states_are_waited_for_whoever_brings_them_about() -> Outcome {
    let simulator = dep_1().await?;
    let paused = begin(&simulator, "deployments/dep_1?until=paused").await;
    let made = begin(&simulator, "deployments/dep_2?until=active").await;
    let archived = begin(&simulator, "deployments/dep_2?until=archived").await;
    let gone = begin(&simulator, "deployments/dep_2?until=gone&timeout_ms=1").await;
    assert_eq!(gone.await??.status, 404);
    let start = Instant::now();
    verb(&simulator, "dep_1", "pause").await?;
    assert_eq!(paused.await??.json["status"], "paused");
    simulator.add(json!({"id": "dep_2"}))?;
    assert_eq!(made.await??.json["status"], "active");
    simulator.archive("dep_2");
    assert!(archived.await??.json["archived_at"].is_string());
    let gone = begin(&simulator, "deployments/dep_2?until=gone").await;
    simulator.delete("dep_2");
    assert_eq!(gone.await??.status, 404);
    let active = begin(&simulator, "deployments/dep_1?until=active").await;
    simulator.set_paused("dep_1", false);
    assert_eq!(active.await??.json["status"], "active");
    assert_eq!(start.elapsed(), MOMENT * 2, "each at once");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_waited_for_is_refused_by_its_name() -> Outcome {
    let simulator = with_deployments(1).await?;
    for (path, reasons) in [
        ("journal?statsu=200", ["statsu", "`status`"]),
        ("journal?operation=puase", ["operation=puase", "`pause`"]),
        ("journal?count=many", ["count=many", "usize"]),
        ("journal?count=-1", ["count=-1", "usize"]),
        ("journal?status=70000", ["status=70000", "u16"]),
        ("journal?effect=yes", ["effect=yes", "boolean"]),
        ("journal?timeout_ms=5", ["timeout_ms", "count=1"]),
        ("deployments/dep_1?until=pausd", ["until=pausd", "`paused`"]),
        ("deployments/dep_1?timeout_ms=5", ["timeout_ms", "until=paused"]),
        ("deployments/dep_1?status=paused", ["status", "`until`"]),
        ("deployments?status=paused", ["status", "`newest`"]),
        ("faults?id=1", ["id=1", "no fields"]),
        ("settings?dialect=d2", ["dialect", "no fields"]),
        ("snapshot?format=xml", ["format=xml", "`yaml`"]),
        ("accounts?name=x", ["name=x", "no fields"]),
    ] {
        let refused = ask(&simulator, "GET", path).await?;
        let told = reasons.iter().all(|reason| refused.error().contains(reason));
        assert!(refused.status == 400 && told, "{path}: {}", refused.error());
    }
    let refused = ask(&simulator, "POST", "reset?seed=other").await?;
    assert_eq!(refused.status, 400);
    // An id may look like a number.
    assert_eq!(ask(&simulator, "GET", "journal?id=123").await?.json, json!([]));
    Ok(())
}
