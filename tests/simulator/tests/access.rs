//! Tokens, error envelopes, rate limits, idempotency keys, and paths that the API does not have.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use common::{Answer, Outcome, get, in_dialect, post, request, verb, with_deployments};
use http::Request;
use qoder_simulator::{Config, Dialect, Operation, Simulator, Token};
use serde_json::json;

async fn send(
    simulator: &Simulator,
    request: http::request::Builder,
    body: &'static str,
) -> Result<Answer, Box<dyn Error>> {
    let request = request.body(Bytes::from_static(body.as_bytes()))?;
    Ok(simulator.handle(request).await?.into())
}

#[tokio::test]
async fn only_a_known_bearer_token_is_let_in() -> Outcome {
    let simulator = with_deployments(1).await?;
    let list = || Request::builder().uri("/api/v1/cloud/deployments");
    for (name, value, status) in [
        ("authorization", "Bearer pt-simulator", 200),
        ("authorization", "bearer pt-simulator", 200),
        ("authorization", "Bearer pt-somebody-else", 401),
        ("authorization", "Basic pt-simulator", 401),
        ("authorization", "pt-simulator", 401),
        ("x-api-key", "pt-simulator", 401),
        ("x-nothing", "-", 401),
    ] {
        let answer = send(&simulator, list().header(name, value), "").await?;
        assert_eq!(answer.status, status, "{name}: {value}");
        if status == 401 {
            assert_eq!(answer.error_type(), "authentication_error");
        }
        let entry = simulator.journal().pop().ok_or("no entry")?;
        assert_eq!(entry.authorized, status == 200);
    }
    let journal = serde_json::to_string(&simulator.journal())?;
    assert!(!journal.contains("pt-"), "{journal}");
    Ok(())
}

#[tokio::test]
async fn a_token_may_lack_rights() -> Outcome {
    let simulator = with_deployments(2).await?;
    let [mine, other] = simulator.ids().try_into().map_err(|_| "two ids")?;
    simulator.accept_tokens([Token::new("pt-simulator").read_only().forbid(&other)]);
    let other = get(&simulator, &format!("/deployments/{other}")).await?;
    assert_eq!((other.status, other.error_type()), (403, "permission_error"));
    assert_eq!(get(&simulator, &format!("/deployments/{mine}")).await?.status, 200);
    assert_eq!(verb(&simulator, &mine, "pause").await?.status, 403);
    simulator.accept_tokens([Token::new("pt-simulator")]);
    assert_eq!(verb(&simulator, &mine, "pause").await?.status, 200);
    simulator.accept_tokens([]);
    assert_eq!(verb(&simulator, &mine, "unpause").await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn d2_names_the_request_in_errors_and_both_echo_the_header() -> Outcome {
    for dialect in [Dialect::D1, Dialect::D2] {
        let simulator = in_dialect(dialect, 0).await?;
        let unknown = request("GET", "/deployments/dep_unknown");
        let answer = send(&simulator, unknown.header("x-request-id", "req-1"), "").await?;
        assert_eq!((answer.status, answer.error_type()), (404, "not_found_error"));
        assert_eq!(answer.headers["x-request-id"], "req-1");
        assert_eq!(answer.json["type"], "error");
        let without = get(&simulator, "/deployments/dep_unknown").await?;
        if dialect == Dialect::D1 {
            assert_eq!(answer.json.get("request_id"), None);
        } else {
            assert_eq!(answer.json["request_id"], "req-1");
            let ours = without.headers["x-request-id"].to_str()?;
            assert_eq!((ours.len(), &without.json["request_id"]), (36, &json!(ours)));
        }
        let entry = simulator.journal().remove(0);
        assert_eq!(entry.request_id.as_deref(), Some("req-1"));
    }
    Ok(())
}

#[tokio::test]
async fn a_path_outside_the_api_is_a_web_servers_404() -> Outcome {
    let simulator = with_deployments(1).await?;
    for path in ["/v1/deployments", "/api/v1/cloud/agents", "/"] {
        let answer = send(&simulator, Request::builder().uri(path), "").await?;
        assert_eq!((answer.status, answer.error_type()), (404, "no envelope"));
        assert!(answer.text.starts_with("<html>"));
    }
    assert_eq!(simulator.journal()[0].operation, Operation::Other);
    Ok(())
}

#[tokio::test]
async fn the_dialects_differ_in_shape() -> Outcome {
    let shown = async |dialect| -> Result<_, Box<dyn Error>> {
        let simulator = in_dialect(dialect, 1).await?;
        simulator.deployment(&simulator.ids()[0]).ok_or_else(|| "none".into())
    };
    let (d1, d2) = (shown(Dialect::D1).await?, shown(Dialect::D2).await?);
    assert!(d1["initial_events"][0]["content"].is_string());
    assert_eq!(d2["initial_events"][0]["content"][0]["type"], "text");
    assert!(d1["metadata"]["cas_config"]["stats"]["next_trigger_at"].is_string());
    assert_eq!(d2["metadata"], json!({}));
    assert_eq!((d1.get("environment_variables"), &d2["environment_variables"]), (None, &json!("")));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rates_are_limited_in_a_sliding_second() -> Outcome {
    let config =
        Config { reads_per_second: 2, writes_per_second: 1, ..Config::with_deployments(1) };
    let simulator = Simulator::start(config).await?;
    let id = simulator.ids().concat();
    for status in [200, 200, 429] {
        assert_eq!(get(&simulator, "/deployments").await?.status, status);
    }
    assert_eq!(verb(&simulator, &id, "pause").await?.status, 200);
    let limited = verb(&simulator, &id, "unpause").await?;
    assert_eq!((limited.status, limited.error_type()), (429, "rate_limit_error"));
    assert_eq!(limited.headers["retry-after"], "1");
    tokio::time::advance(Duration::from_millis(999)).await;
    assert_eq!(get(&simulator, "/deployments").await?.status, 429);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(get(&simulator, "/deployments").await?.status, 200);
    assert_eq!(verb(&simulator, &id, "unpause").await?.status, 200);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_replays_the_first_answer_for_a_day() -> Outcome {
    for header in ["idempotency-key", "x-idempotency-key"] {
        let simulator = with_deployments(1).await?;
        let id = simulator.ids().concat();
        let pause = || request("POST", &format!("/deployments/{id}/pause")).header(header, "key-1");
        assert_eq!(send(&simulator, pause(), "{}").await?.json["status"], "paused");
        assert_eq!(verb(&simulator, &id, "unpause").await?.status, 200);
        let replayed = send(&simulator, pause(), "{}").await?;
        assert_eq!((replayed.status, &replayed.json["status"]), (200, &json!("paused")));
        let active = simulator.deployment(&id).unwrap_or_default();
        assert_eq!(active["status"], "active", "a replay has no effect");
        let reused = send(&simulator, pause(), "").await?;
        assert_eq!((reused.status, reused.error_type()), (409, "conflict_error"));
        let entry = simulator.journal().pop().ok_or("no entry")?;
        assert!(entry.has_idempotency_key);
        tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
        send(&simulator, pause(), "{}").await?;
        let paused = simulator.deployment(&id).unwrap_or_default();
        assert_eq!(paused["status"], "paused");
    }
    Ok(())
}

#[tokio::test]
async fn a_forbidden_deployment_has_no_runs_for_the_token() -> Outcome {
    let simulator = with_deployments(2).await?;
    let [open, closed] = simulator.ids().try_into().map_err(|_| "two ids")?;
    let mut runs = Vec::new();
    for id in [&open, &closed] {
        let run = verb(&simulator, id, "run").await?.json;
        runs.push(run["id"].as_str().unwrap_or_default().to_owned());
    }
    simulator.accept_tokens([Token::new("pt-simulator").forbid(&closed)]);
    assert_eq!(get(&simulator, "/deployment_runs").await?.ids(), [&runs[0]]);
    for (run, status) in [(&runs[0], 200), (&runs[1], 404)] {
        assert_eq!(get(&simulator, &format!("/deployment_runs/{run}")).await?.status, status);
    }
    assert_eq!(get(&simulator, &format!("/deployments/{closed}/runs")).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn an_idempotency_key_goes_with_its_deployment_and_with_a_thousand_others() -> Outcome {
    let simulator = with_deployments(0).await?;
    simulator.add(json!({"id": "dep_1"}))?;
    let pause =
        |key: &str| request("POST", "/deployments/dep_1/pause").header("idempotency-key", key);
    assert_eq!(send(&simulator, pause("a"), "").await?.status, 200);
    simulator.delete("dep_1");
    simulator.add(json!({"id": "dep_1"}))?;
    assert_eq!(send(&simulator, pause("a"), "").await?.status, 200);
    assert_eq!(simulator.deployment("dep_1").unwrap_or_default()["status"], "paused");
    assert_eq!(send(&simulator, pause("a"), "").await?.status, 200, "replayed");
    for n in 0..1000 {
        assert_eq!(send(&simulator, pause(&n.to_string()), "").await?.status, 409);
    }
    assert_eq!(send(&simulator, pause("a"), "").await?.status, 409, "no more kept");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_that_is_used_anew_takes_no_more_room() -> Outcome {
    let simulator = with_deployments(0).await?;
    let create = || request("POST", "/deployments").header("idempotency-key", "a");
    let large = bytes::Bytes::from("x".repeat(3 << 20));
    for _ in 0..4 {
        tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
        assert_eq!(simulator.handle(create().body(large.clone())?).await?.status(), 400);
    }
    assert_eq!(send(&simulator, create(), "").await?.status, 409, "the last one is kept");
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() -> Outcome {
    let simulator = with_deployments(0).await?;
    for body in ["{", "[]"] {
        let answer = send(&simulator, request("POST", "/deployments"), body).await?;
        assert_eq!((answer.status, answer.error_type()), (400, "invalid_request_error"));
    }
    let unknown = post(&simulator, "/deployments/dep_unknown/pause", json!({})).await?;
    assert_eq!((unknown.status, unknown.error_type()), (404, "not_found_error"));
    Ok(())
}
