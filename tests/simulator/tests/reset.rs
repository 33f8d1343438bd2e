//! A reset: everything as at the start, and no trace of what was under way.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Outcome, arrived, ask, get, request, sim, verb};
use qoder_simulator::{Config, Fault, Operation, Simulator};
use serde_json::json;
use tokio::time::sleep;

const HOUR: Duration = Duration::from_secs(3600);

async fn two_deployments() -> Result<Simulator, Box<dyn std::error::Error>> {
    let start_time = Some("2026-06-14T08:00:00Z".parse()?);
    let deployments = vec![json!({"id": "dep_1"}), json!({"id": "dep_2"})];
    Ok(Simulator::start(Config { deployments, start_time, ..Config::default() }).await?)
}

#[tokio::test(start_paused = true)]
async fn a_reset_leads_back_to_the_start() -> Outcome {
    let simulator = two_deployments().await?;
    let before = ask(&simulator, "GET", "snapshot").await?.json;
    let keyed = || {
        let path = "/deployments/dep_1/pause";
        request("POST", path).header("idempotency-key", "key-1").body(Bytes::new())
    };
    assert_eq!(simulator.handle(keyed()?).await?.status(), 200);
    verb(&simulator, "dep_2", "run").await?;
    ask(&simulator, "DELETE", "deployments/dep_2").await?;
    simulator.add(json!({"id": "dep_3"}))?;
    sim(&simulator, "PATCH", "settings", json!({"dialect": "d2", "writes_per_second": 1})).await?;
    verb(&simulator, "dep_1", "unpause").await?;
    sim(&simulator, "PUT", "tokens", json!([{"token": "pt-other"}])).await?;
    sim(&simulator, "POST", "clock", json!({"held": true, "advance_ms": 3_600_000})).await?;
    simulator.inject(Fault::respond(503).always());

    assert_eq!(ask(&simulator, "POST", "reset").await?.json, json!({}));
    assert_eq!(ask(&simulator, "GET", "snapshot").await?.json, before);
    assert_eq!(ask(&simulator, "GET", "clock").await?.json["held"], false);
    assert_eq!(simulator.journal(), []);
    assert_eq!(ask(&simulator, "GET", "faults").await?.json, json!([]));
    let fault = sim(&simulator, "POST", "faults", json!({"operation": "get", "action": "stale"}));
    assert_eq!(fault.await?.json, json!({"id": 1}), "the handles begin anew");
    assert_eq!(get(&simulator, "/deployment_runs").await?.ids(), [""; 0]);
    assert_eq!(simulator.handle(keyed()?).await?.status(), 200);
    let journal = simulator.journal();
    assert_eq!((journal[0].seq, journal[1].effect), (1, true), "no answer is replayed");
    // With one write a second as before, this would be the second one.
    assert_eq!(verb(&simulator, "dep_1", "unpause").await?.status, 200);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_reset_refills_the_limits() -> Outcome {
    let config = Config { reads_per_second: 1, ..Config::default() };
    let simulator = Simulator::start(config).await?;
    for status in [200, 429] {
        assert_eq!(get(&simulator, "/deployments").await?.status, status);
    }
    simulator.reset()?;
    assert_eq!(get(&simulator, "/deployments").await?.status, 200);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_hangs_or_is_late_leaves_no_trace() -> Outcome {
    let simulator = two_deployments().await?;
    simulator.inject(Fault::hang_before());
    simulator.inject(Fault::delay(HOUR));
    simulator.inject(Fault::zombie(HOUR));
    let mut running = Vec::new();
    for count in 1..=3 {
        let own = simulator.clone();
        running.push(tokio::spawn(async move { verb(&own, "dep_1", "pause").await.is_ok() }));
        arrived(&simulator, count).await?;
    }
    simulator.reset()?;
    assert_eq!(get(&simulator, "/deployments/dep_2").await?.status, 200);
    sleep(HOUR * 2).await;
    assert!(!running.remove(0).is_finished(), "what hangs goes on hanging");
    for late in running {
        assert!(late.await?, "what is late is answered by the state it began with");
    }
    assert_eq!(simulator.deployment("dep_1").unwrap_or_default()["status"], "active");
    let operations: Vec<_> =
        simulator.journal().iter().map(|entry| (entry.seq, entry.operation)).collect();
    assert_eq!(operations, [(1, Operation::Get)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_goes_on_through_a_reset() -> Outcome {
    let simulator = two_deployments().await?;
    let waiting = |path: &'static str| {
        let own = simulator.clone();
        tokio::spawn(async move { ask(&own, "GET", path).await.map_err(|error| error.to_string()) })
    };
    let entries = waiting("journal?operation=pause&count=1");
    let paused = waiting("deployments/dep_1?until=paused");
    tokio::task::yield_now().await;
    simulator.reset()?;
    verb(&simulator, "dep_1", "pause").await?;
    assert_eq!(entries.await??.json[0]["seq"], 1);
    assert_eq!(paused.await??.json["status"], "paused");
    Ok(())
}
