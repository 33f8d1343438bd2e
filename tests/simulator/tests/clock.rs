//! The clock: held, moved, and the same at each start.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::time::Duration;

use common::{Outcome, ask, get, minimal, post, sim, verb};
use qoder_simulator::{Config, Simulator};
use serde_json::json;
use tokio::time::sleep;

const START: &str = "2026-06-14T08:00:00Z";

async fn at_the_start(config: Config) -> Result<Simulator, Box<dyn std::error::Error>> {
    Ok(Simulator::start(Config { start_time: Some(START.parse()?), ..config }).await?)
}

#[tokio::test(start_paused = true)]
async fn a_clock_runs_is_held_and_moved() -> Outcome {
    let simulator = at_the_start(Config::default()).await?;
    let clock = async || ask(&simulator, "GET", "clock").await.map(|answer| answer.json);
    assert_eq!(clock().await?, json!({"now": START, "held": false}));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(clock().await?["now"], "2026-06-14T08:00:01Z");
    for (change, now, held) in [
        (json!({"held": true}), "2026-06-14T08:00:01Z", true),
        (json!({"advance_ms": 500}), "2026-06-14T08:00:01.5Z", true),
        (json!({"now": "2026-06-14T09:00:00Z"}), "2026-06-14T09:00:00Z", true),
        (json!({"now": "2026-06-14T09:00:00Z"}), "2026-06-14T09:00:00Z", true),
        (json!({"now": "2026-06-15T00:00:00Z", "advance_ms": 1}), "2026-06-15T00:00:00.001Z", true),
        (json!({"held": false}), "2026-06-15T00:00:00.001Z", false),
    ] {
        let reading = sim(&simulator, "POST", "clock", change.clone()).await?.json;
        assert_eq!(reading, json!({"now": now, "held": held}), "{change}");
        if held {
            sleep(Duration::from_secs(60)).await;
            assert_eq!(clock().await?, reading, "{change}");
        }
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(clock().await?["now"], "2026-06-15T00:01:00.001Z");
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_held_shows_exactly_what_it_was_moved_to() -> Outcome {
    let simulator = at_the_start(Config::default()).await?;
    let moved = json!({"held": true, "now": "2026-06-14T12:00:00Z"});
    let reading = sim(&simulator, "POST", "clock", moved).await?.json;
    assert_eq!(reading["now"], "2026-06-14T12:00:00Z");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_clock_cannot_do_is_refused_and_changes_nothing() -> Outcome {
    let simulator = at_the_start(Config::default()).await?;
    for (change, reason) in [
        (json!({"now": "2026-06-14T07:59:59Z"}), "a reset sets it back"),
        (json!({"held": true, "now": "2026-06-14T07:59:59Z"}), "a reset sets it back"),
        (json!({"advance_ms": u64::MAX}), "ends with the year 9999"),
        (json!({"now": "2030-01-01T00:00:00Z", "advance_ms": u64::MAX}), "ends with the year 9999"),
        (json!({"advance_ms": -1}), "u64"),
        (json!({"now": "tomorrow"}), "like {"),
        (json!({"hold": true}), "hold"),
    ] {
        let refused = sim(&simulator, "POST", "clock", change).await?;
        assert!(refused.status == 400 && refused.error().contains(reason), "{}", refused.error());
    }
    assert_eq!(ask(&simulator, "GET", "clock").await?.json, json!({"now": START, "held": false}));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn schedules_times_lags_and_limits_go_by_the_clock() -> Outcome {
    let read_lag = Duration::from_secs(2);
    let deployments = vec![json!({
        "id": "dep_1", "schedule": {"expression": "0 9 * * *", "timezone": "UTC"},
    })];
    let config = Config { deployments, read_lag, writes_per_second: 1, ..Config::default() };
    let simulator = at_the_start(config).await?;
    let next = || {
        simulator.deployment("dep_1").unwrap_or_default()["schedule"]["upcoming_runs_at"][0].clone()
    };
    assert_eq!(next(), "2026-06-14T09:00:00Z");
    sim(&simulator, "POST", "clock", json!({"held": true, "now": "2026-06-14T09:00:00Z"})).await?;
    assert_eq!(next(), "2026-06-15T09:00:00Z");
    let paused = verb(&simulator, "dep_1", "pause").await?;
    assert_eq!(paused.json["updated_at"], "2026-06-14T09:00:00Z");
    assert_eq!(simulator.journal()[0].time, "2026-06-14T09:00:00Z".parse()?);
    sleep(Duration::from_secs(60)).await;
    let seen = async || {
        get(&simulator, "/deployments/dep_1").await.map(|seen| seen.json["status"].clone())
    };
    assert_eq!(seen().await?, "active", "no time has passed");
    assert_eq!(verb(&simulator, "dep_1", "unpause").await?.status, 429);
    sim(&simulator, "POST", "clock", json!({"advance_ms": 2000})).await?;
    assert_eq!(seen().await?, "paused");
    assert_eq!(verb(&simulator, "dep_1", "unpause").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn the_same_start_gives_the_same_ids() -> Outcome {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let simulator = at_the_start(Config::with_deployments(3)).await?;
        sim(&simulator, "POST", "clock", json!({"held": true, "now": "2026-06-14T08:01:00Z"}))
            .await?;
        let made = post(&simulator, "/deployments", minimal("made")).await?.json["id"].clone();
        simulator.add(json!({}))?;
        let run = verb(&simulator, &simulator.ids()[0], "run").await?.json["id"].clone();
        seen.push((simulator.ids(), made, run));
    }
    assert_eq!(seen[0].0.len(), 5);
    assert_eq!(seen[0], seen[1]);
    Ok(())
}

#[tokio::test]
async fn the_end_of_the_calendar_is_no_trouble() -> Outcome {
    let simulator = at_the_start(Config::with_deployments(1)).await?;
    let id = simulator.ids().concat();
    let end = json!({"held": true, "now": "9999-12-30T21:00:00Z"});
    assert_eq!(sim(&simulator, "POST", "clock", end).await?.status, 200);
    assert_eq!(get(&simulator, "/deployments").await?.ids(), [&id]);
    assert_eq!(post(&simulator, "/deployments", minimal("made")).await?.status, 200);
    for (name, status) in [("run", 200), ("pause", 200), ("unpause", 200), ("archive", 200)] {
        assert_eq!(verb(&simulator, &id, name).await?.status, status, "{name}");
    }
    assert_eq!(ask(&simulator, "GET", "snapshot?format=yaml").await?.status, 200);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_taken_is_not_given_again() -> Outcome {
    let simulator = at_the_start(Config::default()).await?;
    simulator.add(json!({"id": "dep_1"}))?;
    let made = post(&simulator, "/deployments", minimal("one")).await?.json["id"].clone();
    // As from a snapshot that was taken after the older one was deleted.
    simulator.reset()?;
    simulator.add(json!({"id": made}))?;
    let other = post(&simulator, "/deployments", minimal("two")).await?.json["id"].clone();
    assert_ne!(made, other);
    assert_eq!(json!(simulator.ids()), json!([made, other]));
    Ok(())
}

#[tokio::test]
async fn the_first_time_of_all_is_a_start() -> Outcome {
    let start_time = Some("-009999-01-02T01:59:59Z".parse()?);
    let simulator = Simulator::start(Config { start_time, ..Config::with_deployments(2) }).await?;
    assert_eq!(get(&simulator, "/deployments").await?.ids().len(), 2);
    Ok(())
}
