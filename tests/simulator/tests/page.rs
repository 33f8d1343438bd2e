//! The page to watch, and the events that keep it up to date.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::error::Error;

use common::{Outcome, ask, get, sim, soon, with_deployments};
use qoder_simulator::{ConnectionFault, Fault, Simulator};
use serde_json::{Value, json};

async fn open(simulator: &Simulator, path: &str) -> Result<reqwest::Response, Box<dyn Error>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    Ok(client.get(format!("{}/{path}", simulator.control_url())).send().await?)
}

/// The events that have come: for each the number of the newest entry.
async fn some(events: &mut reqwest::Response) -> Result<Vec<u64>, Box<dyn Error>> {
    let piece = soon(events.chunk()).await??.ok_or("it ended")?;
    let text = String::from_utf8(piece.to_vec())?;
    let sent = text.split_terminator("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let seq = |event| serde_json::from_str::<Value>(event).map(|event| event["seq"].as_u64());
    let seqs: Option<Vec<_>> = sent.map(seq).collect::<Result<_, _>>()?;
    seqs.ok_or_else(|| "no number".into())
}

/// The newest of the events that have come.
async fn next(events: &mut reqwest::Response) -> Result<u64, Box<dyn Error>> {
    some(events).await?.pop().ok_or_else(|| "no event".into())
}

/// Reads events until one has this number, and gives how many there were.
async fn until(events: &mut reqwest::Response, seq: u64) -> Result<usize, Box<dyn Error>> {
    let mut seqs = Vec::new();
    while seqs.last() != Some(&seq) {
        seqs.extend(some(events).await?);
    }
    Ok(seqs.len())
}

#[tokio::test]
async fn the_page_has_all_that_it_needs_in_it() -> Outcome {
    let simulator = with_deployments(1).await?;
    let page = open(&simulator, "").await?;
    assert_eq!(page.status(), 200);
    let header = |name: &str| page.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        header("content-security-policy")
            .is_some_and(|policy| policy.contains("frame-ancestors 'none'"))
    );
    let text = page.text().await?;
    assert!(text.starts_with("<!doctype html>") && text.contains("color-scheme: light dark"));
    assert!(
        !text.contains("http://") && !text.contains("https://"),
        "nothing comes from elsewhere"
    );
    assert!(!text.contains("innerHTML"), "names are text");
    Ok(())
}

#[tokio::test]
async fn what_the_page_asks_for_is_there() -> Outcome {
    let simulator = with_deployments(3).await?;
    let newest = ask(&simulator, "GET", "deployments?newest=2").await?.json;
    let ids: Vec<_> = simulator.ids().into_iter().rev().collect();
    let shown: Vec<_> = ids.iter().take(2).map(|id| simulator.deployment(id)).collect();
    assert_eq!(newest, json!({"deployments": shown}));
    Ok(())
}

#[tokio::test]
async fn each_change_is_an_event() -> Outcome {
    let simulator = with_deployments(1).await?;
    let mut events = open(&simulator, "events").await?;
    assert_eq!(events.headers().get("content-type"), Some(&"text/event-stream".parse()?));
    assert_eq!(next(&mut events).await?, 0, "one at once");
    for _ in 0..20 {
        get(&simulator, "/deployments").await?;
        // Meanwhile events could be sent.
        open(&simulator, "settings").await?;
    }
    assert!(until(&mut events, 20).await? < 15, "many at once are fewer");
    let fault = json!({"action": "stale"});
    for (method, path, body) in [
        ("POST", "deployments", json!({"id": "dep_1"})),
        ("POST", "deployments/dep_1/pause", json!({})),
        ("POST", "faults", fault),
        ("DELETE", "faults/1", json!({})),
        ("PATCH", "settings", json!({"latency_ms": 1})),
        ("POST", "clock", json!({"held": true})),
    ] {
        assert_eq!(sim(&simulator, method, path, body).await?.status, 200, "{path}");
        assert_eq!(next(&mut events).await?, 20, "{method} {path}");
    }
    simulator.inject(Fault::connection(ConnectionFault::Reset));
    assert!(open(&simulator, "settings").await.is_err());
    assert_eq!(next(&mut events).await?, 20, "a connection has met a fault");
    simulator.reset()?;
    assert!(until(&mut events, 0).await? <= 2);
    Ok(())
}

#[tokio::test]
async fn an_account_has_a_page_of_its_own() -> Outcome {
    let simulator = with_deployments(1).await?;
    sim(&simulator, "POST", "accounts", json!({"name": "other", "token": "pt-other"})).await?;
    assert_eq!(open(&simulator, "accounts/other/").await?.status(), 200);
    let mut own = open(&simulator, "events").await?;
    let mut other = open(&simulator, "accounts/other/events").await?;
    for events in [&mut own, &mut other] {
        assert_eq!(next(events).await?, 0);
    }
    get(&simulator, "/deployments").await?;
    sim(&simulator, "POST", "accounts/other/deployments", json!({})).await?;
    assert_eq!(next(&mut own).await?, 1);
    assert_eq!(next(&mut other).await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_open_page_does_not_keep_it_from_stopping() -> Outcome {
    let simulator = with_deployments(1).await?;
    let mut events = open(&simulator, "events").await?;
    next(&mut events).await?;
    soon(simulator.shutdown()).await?;
    assert!(next(&mut events).await.is_err());
    Ok(())
}

#[tokio::test]
async fn an_account_that_is_deleted_has_no_more_events() -> Outcome {
    let simulator = with_deployments(0).await?;
    sim(&simulator, "POST", "accounts", json!({"name": "other", "token": "pt-other"})).await?;
    let mut events = open(&simulator, "accounts/other/events").await?;
    assert_eq!(next(&mut events).await?, 0);
    assert_eq!(ask(&simulator, "DELETE", "accounts/other").await?.status, 200);
    while soon(events.chunk()).await??.is_some() {}
    Ok(())
}
