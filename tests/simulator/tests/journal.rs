//! The journal: a ring of bounded size, what an entry has, what it never has, and how it is sent.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use bytes::Bytes;
use common::{Outcome, ask, get, minimal, post, request, sim, soon, with_deployments};
use qoder_simulator::{Config, Fault, Operation, Simulator};
use serde_json::{Value, json};

async fn keeping(journal: usize) -> std::io::Result<Simulator> {
    Simulator::start(Config { journal, ..Config::with_deployments(1) }).await
}

fn seqs(journal: &Value) -> Vec<u64> {
    let entries = journal.as_array().into_iter().flatten();
    entries.filter_map(|entry| entry["seq"].as_u64()).collect()
}

#[tokio::test]
async fn only_the_last_entries_are_kept_and_it_is_told_how_many_are_not() -> Outcome {
    let simulator = keeping(5).await?;
    for _ in 0..3 {
        get(&simulator, "/deployments").await?;
    }
    let journal = ask(&simulator, "GET", "journal").await?;
    assert_eq!(
        (seqs(&journal.json), &journal.headers["x-sim-dropped"]),
        (vec![1, 2, 3], &"0".parse()?)
    );
    for _ in 0..5 {
        get(&simulator, "/deployments").await?;
    }
    for (query, expected, dropped) in [
        ("", vec![4, 5, 6, 7, 8], "3"),
        ("?since=2", vec![4, 5, 6, 7, 8], "1"),
        ("?since=3", vec![4, 5, 6, 7, 8], "0"),
        ("?since=7", vec![8], "0"),
        ("?since=100", vec![], "0"),
    ] {
        let journal = ask(&simulator, "GET", &format!("journal{query}")).await?;
        assert_eq!(seqs(&journal.json), expected, "{query}");
        assert_eq!(journal.headers["x-sim-dropped"], dropped, "{query}");
    }
    ask(&simulator, "DELETE", "journal").await?;
    get(&simulator, "/deployments").await?;
    let journal = ask(&simulator, "GET", "journal").await?;
    assert_eq!((seqs(&journal.json), &journal.headers["x-sim-dropped"]), (vec![9], &"0".parse()?));
    Ok(())
}

#[tokio::test]
async fn a_test_that_would_miss_entries_is_told() -> Outcome {
    let simulator = keeping(1).await?;
    get(&simulator, "/deployments").await?;
    assert_eq!(simulator.journal().len(), 1);
    get(&simulator, "/deployments").await?;
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulator.journal()));
    assert!(read.is_err());
    simulator.clear_journal();
    assert_eq!(simulator.journal(), []);
    Ok(())
}

#[tokio::test]
async fn an_entry_whose_request_is_over_after_the_ring_has_passed_it_is_no_trouble() -> Outcome {
    let simulator = keeping(2).await?;
    let id = simulator.ids().concat();
    simulator.inject(Fault::hang_before());
    let own = simulator.clone();
    let path = format!("/deployments/{id}/pause");
    let hanging = tokio::spawn(async move {
        post(&own, &path, json!({})).await.map_err(|error| error.to_string())
    });
    ask(&simulator, "GET", "journal?count=1").await?;
    for _ in 0..2 {
        get(&simulator, "/deployments").await?;
    }
    ask(&simulator, "POST", "faults/1/release").await?;
    assert_eq!(soon(hanging).await???.status, 200);
    assert_eq!(seqs(&ask(&simulator, "GET", "journal").await?.json), [2, 3]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_entry_has_what_was_sent_and_what_was_answered() -> Outcome {
    let start_time = Some("2026-06-14T08:00:00Z".parse()?);
    let simulator = Simulator::start(Config { start_time, ..Config::default() }).await?;
    let body = minimal("nightly").to_string();
    let create = request("POST", "/deployments?dry=no")
        .header("content-type", "application/json")
        .header("accept", "*/*")
        .header("user-agent", "client/1")
        .header("x-request-id", "req-1")
        .header("idempotency-key", "key-1")
        .header("x-qoder-beta", "b")
        .header("cookie", "session=s")
        .body(Bytes::from(body.clone()))?;
    let answer = simulator.handle(create).await?.into_body();
    let entry = ask(&simulator, "GET", "journal").await?.json[0].clone();
    let expected = json!({
        "seq": 1, "time": "2026-06-14T08:00:00Z", "at_us": 0, "operation": "create", "method": "POST",
        "path": "/api/v1/cloud/deployments?dry=no", "id": null, "status": 200, "effect": true,
        "finished": true, "fault": null, "request_id": "req-1", "user_agent": "client/1",
        "has_idempotency_key": true, "authorized": true,
        "headers": {
            "accept": "*/*", "content-type": "application/json", "idempotency-key": "key-1",
            "x-qoder-beta": "b",
        },
        "body_length": body.len(), "body": body,
        "response_length": answer.len(), "response_body": String::from_utf8_lossy(&answer),
    });
    assert_eq!(entry, expected);
    assert_eq!(simulator.journal()[0].operation, Operation::Create);
    Ok(())
}

#[tokio::test]
async fn of_what_is_long_the_beginning_is_kept() -> Outcome {
    let simulator = with_deployments(0).await?;
    let id = simulator.add(json!({"description": "y".repeat(5000)}))?;
    let body = json!({"description": "x".repeat(5000)});
    let sent = body.to_string();
    post(&simulator, &format!("/deployments/{id}"), body).await?;
    get(&simulator, &format!("/deployments?name={}", "n".repeat(9000))).await?;
    let long = "u".repeat(5000);
    let told = request("GET", "/deployments").header("user-agent", &long).header("accept", &long);
    simulator.handle(told.body(Bytes::new())?).await?;
    let journal = simulator.journal();
    let update = &journal[0];
    assert_eq!((update.body_length, update.body.as_str()), (sent.len(), &sent[..1024]));
    assert!(update.response_length.is_some_and(|length| length > 5000));
    assert_eq!(update.response_body.as_ref().map(String::len), Some(1024));
    assert_eq!(journal[1].path.len(), 1024);
    assert_eq!(journal[2].user_agent.as_ref().map(String::len), Some(1024));
    assert_eq!(journal[2].headers["accept"].len(), 1024);
    Ok(())
}

#[tokio::test]
async fn no_token_is_ever_told() -> Outcome {
    let simulator = with_deployments(1).await?;
    for value in ["Bearer pt-simulator", "Bearer pt-wrong", "pt-bare", "Basic pt-basic"] {
        let mut request = request("GET", "/deployments").body(Bytes::new())?;
        request.headers_mut().insert("authorization", value.parse()?);
        request.headers_mut().insert("x-api-key", "pt-key".parse()?);
        request.headers_mut().insert("cookie", "pt-cookie".parse()?);
        simulator.handle(request).await?;
    }
    sim(&simulator, "PUT", "tokens", json!([{"token": "pt-new"}])).await?;
    for path in ["journal", "snapshot", "settings", "deployments", "accounts"] {
        let text = ask(&simulator, "GET", path).await?.text;
        assert!(!text.contains("pt-"), "{path}: {text}");
    }
    let authorized: Vec<_> = simulator.journal().iter().map(|entry| entry.authorized).collect();
    assert_eq!(authorized, [true, false, false, false]);
    assert!(!format!("{simulator:?}").contains("pt-"));
    Ok(())
}

#[tokio::test]
async fn a_long_journal_comes_in_pieces_and_is_whole() -> Outcome {
    let simulator = with_deployments(1).await?;
    for _ in 0..300 {
        get(&simulator, "/deployments").await?;
    }
    let url = format!("{}/journal", simulator.control_url());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut response = client.get(&url).send().await?;
    assert_eq!(response.content_length(), None, "its length is not known before");
    let (mut pieces, mut text) = (0, Vec::new());
    while let Some(piece) = response.chunk().await? {
        pieces += 1;
        text.extend_from_slice(&piece);
    }
    let journal: Value = serde_json::from_slice(&text)?;
    assert_eq!(seqs(&journal), (1..=300).collect::<Vec<_>>());
    assert!(pieces > 2, "{pieces}");
    let none = client.get(format!("{url}?operation=archive")).send().await?.text().await?;
    assert_eq!(none, "[]");
    Ok(())
}

#[tokio::test]
async fn a_fault_that_a_request_met_is_told() -> Outcome {
    let simulator = with_deployments(1).await?;
    simulator.inject(Fault::respond(503).skip(1));
    simulator.inject(Fault::reset_before().on(Operation::Get));
    get(&simulator, "/deployments").await?;
    get(&simulator, "/deployments").await?;
    let _cut = get(&simulator, "/deployments/dep_1").await;
    let met: Vec<_> = simulator
        .journal()
        .iter()
        .map(|entry| (entry.fault, entry.status, entry.finished))
        .collect();
    assert_eq!(met, [(None, Some(200), true), (Some(1), Some(503), true), (Some(2), None, true)]);
    Ok(())
}

#[tokio::test]
async fn what_comes_while_a_journal_is_sent_is_not_in_it() -> Outcome {
    let simulator = with_deployments(0).await?;
    for _ in 0..300 {
        get(&simulator, "/deployments").await?;
    }
    let own = simulator.clone();
    let busy = tokio::spawn(async move {
        while get(&own, "/deployments").await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    let journal = soon(ask(&simulator, "GET", "journal")).await??;
    busy.abort();
    assert_eq!(seqs(&journal.json), (1..=300).collect::<Vec<_>>());
    assert!(simulator.journal().len() > 300, "there was something");
    Ok(())
}
