//! Reads that lag behind writes by a given time, on virtual time.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use common::{Answer, Outcome, get, minimal, post, request, verb};
use qoder_simulator::{Config, Fault, Operation, Simulator};
use serde_json::json;
use tokio::time::sleep;

const LAG: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(1);

/// A simulator whose reads lag, with two active deployments; `id` is the older one.
async fn lagging() -> Result<(Simulator, String), Box<dyn Error>> {
    let config = Config { read_lag: LAG, ..Config::with_deployments(2) };
    let simulator = Simulator::start(config).await?;
    let id = simulator.ids().swap_remove(0);
    Ok((simulator, id))
}

/// The status that a GET shows, after a look at the lists: they must show the same.
async fn seen(simulator: &Simulator, id: &str) -> Result<String, Box<dyn Error>> {
    let alone = get(simulator, &format!("/deployments/{id}")).await?.json;
    let all = get(simulator, "/deployments").await?;
    let listed = all.json["data"].as_array().into_iter().flatten().find(|item| item["id"] == id);
    assert_eq!(listed, Some(&alone), "a list shows what a GET shows");
    let status = alone["status"].as_str().unwrap_or_default().to_owned();
    for filter in ["active", "paused"] {
        let page = get(simulator, &format!("/deployments?status={filter}")).await?;
        assert_eq!(page.ids().contains(&id), filter == status, "status={filter} of {status}");
        let found = search(simulator, filter).await?;
        assert_eq!(found.ids().contains(&id), filter == status, "search {filter} of {status}");
        assert_eq!(found.json["total"], found.ids().len());
    }
    Ok(status)
}

async fn search(simulator: &Simulator, status: &str) -> Result<Answer, Box<dyn Error>> {
    let request = request("POST", "/deployments/search")
        .header("x-qoder-beta", "search-2026-08-31")
        .body(Bytes::from(json!({"status": status}).to_string()))?;
    Ok(simulator.handle(request).await?.into())
}

#[tokio::test(start_paused = true)]
async fn reads_show_the_state_before_a_write_until_the_lag_is_over() -> Outcome {
    let (simulator, id) = lagging().await?;
    let paused = verb(&simulator, &id, "pause").await?;
    assert_eq!(paused.json["status"], "paused", "the write's own answer shows the new state");
    assert_eq!(seen(&simulator, &id).await?, "active");
    sleep(LAG.saturating_sub(MOMENT)).await;
    assert_eq!(seen(&simulator, &id).await?, "active");
    assert_eq!(verb(&simulator, &id, "pause").await?.status, 409, "a write sees all before it");
    sleep(MOMENT).await;
    assert_eq!(seen(&simulator, &id).await?, "paused");
    assert_eq!(simulator.deployment(&id).unwrap_or_default()["status"], "paused");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_write_is_seen_in_its_turn() -> Outcome {
    let (simulator, id) = lagging().await?;
    verb(&simulator, &id, "pause").await?;
    sleep(LAG / 2).await;
    verb(&simulator, &id, "unpause").await?;
    let path = format!("/deployments/{id}");
    post(&simulator, &path, json!({"name": "renamed"})).await?;
    let mut history = Vec::new();
    for _ in 0..3 {
        let name = get(&simulator, &path).await?.json["name"] == "renamed";
        history.push((seen(&simulator, &id).await?, name));
        sleep(LAG / 2).await;
    }
    let expected = [("active", false), ("paused", false), ("active", true)];
    assert_eq!(history, expected.map(|(status, name)| (status.to_owned(), name)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_deployment_lags_by_itself() -> Outcome {
    let (simulator, first) = lagging().await?;
    let second = simulator.ids().swap_remove(1);
    verb(&simulator, &first, "pause").await?;
    sleep(LAG / 2).await;
    verb(&simulator, &second, "pause").await?;
    sleep(LAG / 2).await;
    let both = (seen(&simulator, &first).await?, seen(&simulator, &second).await?);
    assert_eq!(both, ("paused".to_owned(), "active".to_owned()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_happens_behind_the_clients_back_is_seen_at_once() -> Outcome {
    let (simulator, id) = lagging().await?;
    simulator.set_paused(&id, true);
    assert_eq!(seen(&simulator, &id).await?, "paused");
    verb(&simulator, &id, "unpause").await?;
    assert_eq!(seen(&simulator, &id).await?, "paused");
    simulator.pause_by_error(&id, "unknown_error");
    let path = format!("/deployments/{id}");
    assert_eq!(get(&simulator, &path).await?.json["paused_reason"]["type"], "error");
    verb(&simulator, &id, "unpause").await?;
    simulator.patch(&id, json!({"name": "by hand"}));
    assert_eq!(seen(&simulator, &id).await?, "active", "and with it what was hidden before it");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_deployment_and_an_archived_one_lag_too() -> Outcome {
    let (simulator, id) = lagging().await?;
    let made = post(&simulator, "/deployments", minimal("new")).await?.json["id"].clone();
    let made = made.as_str().ok_or("no id")?.to_owned();
    verb(&simulator, &id, "archive").await?;
    let path = format!("/deployments/{made}");
    assert_eq!(get(&simulator, &path).await?.error_type(), "not_found_error");
    assert!(get(&simulator, "/deployments").await?.ids().contains(&&*id));
    assert!(!get(&simulator, "/deployments").await?.ids().contains(&&*made));
    assert_eq!(verb(&simulator, &made, "pause").await?.status, 200);
    sleep(LAG).await;
    assert_eq!(seen(&simulator, &made).await?, "paused");
    assert!(!get(&simulator, "/deployments").await?.ids().contains(&&*id));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_lag_can_be_changed_while_it_runs() -> Outcome {
    let simulator = Simulator::start(Config::with_deployments(1)).await?;
    let id = simulator.ids().concat();
    verb(&simulator, &id, "pause").await?;
    let set = async |body: &'static str| -> Result<Answer, Box<dyn Error>> {
        let request = http::Request::builder().method("PATCH").uri("/_sim/settings");
        Ok(simulator.handle(request.body(Bytes::from_static(body.as_bytes()))?).await?.into())
    };
    assert_eq!(set(r#"{"read_lag_ms": 2000}"#).await?.json["read_lag_ms"], 2000);
    assert_eq!(seen(&simulator, &id).await?, "paused", "what was seen stays seen");
    verb(&simulator, &id, "unpause").await?;
    assert_eq!(seen(&simulator, &id).await?, "paused");
    set(r#"{"read_lag_ms": 0}"#).await?;
    assert_eq!(seen(&simulator, &id).await?, "active", "without a lag all is seen");
    set(r#"{"read_lag_ms": 60000}"#).await?;
    assert_eq!(seen(&simulator, &id).await?, "active", "what was seen stays seen");
    assert_eq!(set(r#"{"read_lag": "2s"}"#).await?.status, 400);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_is_stale_whatever_the_lag_is() -> Outcome {
    let (simulator, id) = lagging().await?;
    verb(&simulator, &id, "pause").await?;
    sleep(LAG).await;
    simulator.inject(Fault::stale().on(Operation::Get));
    let stale = get(&simulator, &format!("/deployments/{id}")).await?;
    assert_eq!(stale.json["status"], "active");
    assert_eq!(seen(&simulator, &id).await?, "paused");
    Ok(())
}
