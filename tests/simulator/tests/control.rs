//! The control API: what it changes, and what it refuses.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::error::Error;

use bytes::Bytes;
use common::{Answer, Outcome, get, with_deployments};
use http::Request;
use qoder_simulator::Simulator;
use serde_json::{Value, json};

async fn sim(
    simulator: &Simulator,
    method: &str,
    path: &str,
    body: Value,
) -> Result<Answer, Box<dyn Error>> {
    let request = Request::builder().method(method).uri(format!("/_sim/{path}"));
    let request = request.body(Bytes::from(body.to_string()))?;
    Ok(simulator.handle(request).await?.into())
}

#[tokio::test]
async fn deployments_change_behind_the_clients_back() -> Outcome {
    let simulator = with_deployments(0).await?;
    let added =
        sim(&simulator, "POST", "deployments", json!([{"id": "dep_1"}, {"id": "dep_2"}])).await?;
    assert_eq!(added.json, json!({"ids": ["dep_1", "dep_2"]}));
    let error = json!({"type": "unknown_error"});
    for (path, body, status, reason) in [
        ("pause", Value::Null, "paused", json!({"type": "manual"})),
        ("pause", Value::Null, "paused", json!({"type": "manual"})),
        ("unpause", Value::Null, "active", Value::Null),
        ("pause_by_error", error.clone(), "paused", json!({"type": "error", "error": error})),
    ] {
        let changed =
            sim(&simulator, "POST", &format!("deployments/dep_1/{path}"), body).await?.json;
        assert_eq!(
            (&changed["status"], &changed["paused_reason"]),
            (&json!(status), &reason),
            "{path}"
        );
    }
    let patched =
        sim(&simulator, "PATCH", "deployments/dep_1", json!({"status": "hibernating"})).await?;
    assert_eq!(patched.json["status"], "hibernating");
    let archived = sim(&simulator, "POST", "deployments/dep_2/archive", Value::Null).await?;
    assert!(archived.json["archived_at"].is_string());
    assert_eq!(sim(&simulator, "DELETE", "deployments/dep_2", Value::Null).await?.status, 200);
    let gone = get(&simulator, "/deployments/dep_2").await?;
    assert_eq!((gone.status, gone.error_type()), (404, "not_found_error"));
    let ids = sim(&simulator, "GET", "deployments", Value::Null).await?;
    assert_eq!(ids.json, json!({"ids": ["dep_1"]}));
    Ok(())
}

#[tokio::test]
async fn a_patch_cannot_lose_a_deployment() -> Outcome {
    let simulator = with_deployments(1).await?;
    let id = simulator.ids().concat();
    simulator.patch(&id, json!({"id": "dep_other", "name": 7}));
    assert_eq!(simulator.ids().concat(), id);
    let seen = get(&simulator, &format!("/deployments/{id}")).await?.json;
    assert_eq!((&seen["id"], &seen["name"]), (&json!(id), &json!(7)));
    Ok(())
}

#[tokio::test]
async fn tokens_settings_and_faults_are_replaced_and_cleared() -> Outcome {
    let simulator = with_deployments(1).await?;
    let id = simulator.ids().concat();
    let path = format!("/deployments/{id}");
    let tokens = json!([{"token": "pt-simulator", "read_only": true, "forbidden": [id]}]);
    sim(&simulator, "PUT", "tokens", tokens).await?;
    assert_eq!(get(&simulator, &path).await?.status, 403);
    sim(&simulator, "PUT", "tokens", json!([{"token": "pt-simulator"}])).await?;

    let settings = json!({"dialect": "d2", "quirks": {"archived_get_status": 404}});
    let settings = sim(&simulator, "PATCH", "settings", settings).await?.json;
    assert_eq!(
        (&settings["latency_ms"], &settings["quirks"]["create_status"]),
        (&json!(0), &json!(200))
    );
    assert_eq!(get(&simulator, &path).await?.json["environment_variables"], "");
    simulator.archive(&id);
    assert_eq!(get(&simulator, &path).await?.status, 404);
    assert_eq!(sim(&simulator, "GET", "settings", Value::Null).await?.json, settings);

    let fault = json!({"operation": "list", "times": 3, "action": {"respond": {"status": 503}}});
    sim(&simulator, "POST", "faults", fault).await?;
    assert_eq!(get(&simulator, "/deployments").await?.status, 503);
    assert_eq!(sim(&simulator, "GET", "faults", Value::Null).await?.json[0]["times"], 2);
    sim(&simulator, "DELETE", "faults", Value::Null).await?;
    assert_eq!(get(&simulator, "/deployments").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn the_journal_is_read_from_a_number_on_and_cleared() -> Outcome {
    let simulator = with_deployments(0).await?;
    for path in ["/deployments", "/deployments/dep_unknown"] {
        get(&simulator, path).await?;
    }
    let journal = sim(&simulator, "GET", "journal", Value::Null).await?.json;
    let operations: Vec<_> =
        journal.as_array().into_iter().flatten().map(|entry| &entry["operation"]).collect();
    assert_eq!(operations, [&json!("list"), &json!("get")]);
    let later = sim(&simulator, "GET", "journal?since=1", Value::Null).await?.json;
    assert_eq!((later.as_array().map(Vec::len), &later[0]["status"]), (Some(1), &json!(404)));
    assert!(later[0]["at_us"].is_u64());
    sim(&simulator, "DELETE", "journal", Value::Null).await?;
    get(&simulator, "/deployments").await?;
    assert_eq!(sim(&simulator, "GET", "journal", Value::Null).await?.json[0]["seq"], 3);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_a_reason() -> Outcome {
    let simulator = with_deployments(1).await?;
    let id = simulator.ids().concat();
    for (method, path, body, status, reason) in [
        ("POST", "deployments/dep_unknown/pause", json!({}), 404, "no deployment dep_unknown"),
        ("DELETE", "deployments/dep_unknown", json!({}), 404, "no deployment dep_unknown"),
        ("POST", &format!("deployments/{id}/pause_by_error"), json!({}), 400, "type"),
        ("POST", "deployments", json!({"nmae": "x"}), 400, "nmae"),
        ("PATCH", "settings", json!({"latency": "1s"}), 400, "latency"),
        ("PATCH", "settings", json!({"quirks": {"create_status": 418}}), 400, "create_status"),
        ("PUT", "tokens", json!([{"read_only": true}]), 400, "token"),
        ("POST", "faults", json!({"action": "explode"}), 400, "explode"),
        ("GET", "journal?since=now", json!({}), 400, "since"),
        ("GET", "secrets", json!({}), 404, "README"),
    ] {
        let answer = sim(&simulator, method, path, body).await?;
        assert_eq!(answer.status, status, "{method} {path}");
        let error = answer.json["error"].as_str().unwrap_or_default();
        assert!(error.contains(reason), "{method} {path}: {error}");
    }
    assert!(simulator.journal().is_empty(), "control requests are not in the journal");
    Ok(())
}
