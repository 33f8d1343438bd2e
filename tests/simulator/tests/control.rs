//! The control API: what it changes, and what it refuses.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use bytes::Bytes;
use common::{Outcome, get, sim, with_deployments};
use http::Request;
use serde_json::{Value, json};

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
async fn deployments_are_added_all_or_none() -> Outcome {
    let simulator = with_deployments(1).await?;
    for (second, reason) in [
        (json!({"name": "x", "staus": "paused"}), r#"[1] "x": "staus""#),
        (json!({"created_at": "9999-01-01T00:00:00Z"}), "[1]: created_at is 9999"),
        (json!({"id": "dep_1"}), "[1]: there is another"),
        (json!(7), "[1]: it must be a JSON object"),
    ] {
        let refused =
            sim(&simulator, "POST", "deployments", json!([{"id": "dep_1"}, second])).await?;
        let error = refused.json["error"].as_str().unwrap_or_default();
        assert!(refused.status == 400 && error.contains(reason), "{error}");
    }
    assert_eq!(simulator.ids().len(), 1);
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_new_deployment_is_in_the_future() -> Outcome {
    let simulator = with_deployments(1).await?;
    let now = jiff::Timestamp::now();
    let added = simulator.add(json!({"created_at": now.to_string()}))?;
    for id in [added, simulator.add(json!({}))?, simulator.ids().concat()] {
        let Some(seen) = simulator.deployment(&id) else { continue };
        for time in [&seen["created_at"], &seen["updated_at"], &seen["schedule"]["last_run_at"]] {
            let time: jiff::Timestamp = time.as_str().ok_or("no time")?.parse()?;
            assert!(time <= jiff::Timestamp::now(), "{time}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_patch_sets_what_it_names() -> Outcome {
    let simulator = with_deployments(1).await?;
    let id = simulator.ids().concat();
    let path = format!("deployments/{id}");
    let before = get(&simulator, &format!("/deployments/{id}")).await?.json;
    let schedule = json!({"schedule": {"expression": "0 0 1 1 *", "timezone": "UTC"}});
    let seen = sim(&simulator, "PATCH", &path, schedule).await?.json;
    let upcoming = &seen["schedule"]["upcoming_runs_at"];
    assert_ne!(upcoming, &before["schedule"]["upcoming_runs_at"]);
    assert!(upcoming[0].as_str().is_some_and(|time| time.ends_with("-01-01T00:00:00Z")));
    assert_eq!(seen["metadata"]["cas_config"]["stats"]["next_trigger_at"], upcoming[0]);

    let seen =
        sim(&simulator, "PATCH", &path, json!({"schedule": {"expression": null}})).await?.json;
    assert_eq!(seen["schedule"].get("expression"), Some(&Value::Null));
    let seen =
        sim(&simulator, "PATCH", &path, json!({"schedule": null, "paused_reason": {}})).await?.json;
    assert_eq!((seen.get("schedule"), &seen["paused_reason"]), (Some(&Value::Null), &json!({})));
    assert_eq!(seen["metadata"]["cas_config"]["stats"].get("next_trigger_at"), None);
    for body in [json!(7), Value::Null, json!([])] {
        assert_eq!(sim(&simulator, "PATCH", &path, body).await?.status, 400);
    }
    assert_eq!(simulator.deployment(&id), Some(seen));
    Ok(())
}

#[tokio::test]
async fn a_scheduled_run_comes_when_it_is_told_to() -> Outcome {
    let simulator = with_deployments(1).await?;
    let id = simulator.ids().concat();
    let run = format!("deployments/{id}/run");
    let due = simulator.deployment(&id).unwrap_or_default()["schedule"]["upcoming_runs_at"].clone();
    for (outcome, status) in [
        (json!({}), "completed"),
        (json!({"outcome": "skipped"}), "skipped"),
        (json!({"outcome": {"failed": "session_rate_limited_error"}}), "failed"),
        (json!({"outcome": {"failed": "agent_archived_error"}}), "failed"),
    ] {
        let shown = sim(&simulator, "POST", &run, outcome).await?.json;
        assert_eq!(
            (&shown["status"], &shown["trigger_context"]["type"]),
            (&json!(status), &json!("schedule"))
        );
        assert_eq!(shown["session_id"].is_string(), status == "completed");
        assert_eq!(shown["error"].is_object(), status == "failed");
    }
    let seen = simulator.deployment(&id).unwrap_or_default();
    let error = json!({"type": "error", "error": {"type": "agent_archived_error"}});
    assert_eq!((&seen["status"], &seen["paused_reason"]), (&json!("paused"), &error));
    let upcoming = seen["schedule"]["upcoming_runs_at"].as_array().ok_or("no times")?;
    assert_eq!((upcoming.len(), upcoming.first()), (5, due.get(4)));
    let stats = &seen["metadata"]["cas_config"]["stats"];
    assert_eq!(
        [&stats["total_runs"], &stats["total_failures"], &stats["consecutive_failures"]],
        [&json!(4), &json!(2), &json!(2)]
    );
    let refused = sim(&simulator, "POST", &run, json!({})).await?;
    assert_eq!(refused.status, 409);
    assert!(refused.json["error"].as_str().is_some_and(|error| error.contains("not active")));

    for (filter, count) in [
        ("", 4),
        ("?status=skipped", 1),
        ("?has_error=true", 2),
        ("?has_error=false", 2),
        ("?trigger_type=schedule", 4),
        ("?trigger_type=manual", 0),
    ] {
        let runs = get(&simulator, &format!("/deployments/{id}/runs{filter}")).await?;
        assert_eq!(runs.ids().len(), count, "{filter}");
    }
    // In the other shape a run names the time for which it was meant.
    sim(&simulator, "PATCH", "settings", json!({"dialect": "d2"})).await?;
    let runs = get(&simulator, &format!("/deployments/{id}/runs")).await?.json;
    assert_eq!(runs["data"][3]["trigger_context"]["scheduled_at"], due[0]);

    simulator.set_paused(&id, false);
    simulator.patch(&id, json!({"schedule": null}));
    let refused = sim(&simulator, "POST", &run, json!({})).await?;
    assert!(refused.json["error"].as_str().is_some_and(|error| error.contains("no schedule")));
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
    let seen = sim(&simulator, "GET", "faults", Value::Null).await?.json;
    assert_eq!((&seen[0]["hits"], &seen[0]["fault"]["times"]), (&json!(1), &json!(3)));
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
        ("PATCH", "settings", json!({"latency": null}), 400, "latency"),
        ("PATCH", "settings", json!({"quirks": {"create": null}}), 400, "create"),
        ("PATCH", "settings", json!({"quirks": {"create_status": 418}}), 400, "create_status"),
        ("PUT", "tokens", json!([{"read_only": true}]), 400, "token"),
        ("POST", "faults", json!({"action": "explode"}), 400, "explode"),
        ("POST", "faults", json!({"action": "explode"}), 400, r#"like {"operation""#),
        ("POST", "faults", json!({"action": {"respond": {"status": 100}}}), 400, "100"),
        ("PUT", "tokens", json!([{"token": ""}]), 400, "visible ASCII"),
        ("PATCH", "settings", json!(7), 400, "latency_ms"),
        ("GET", "journal?since=now", json!({}), 400, "since"),
        ("GET", "secrets", json!({}), 404, "README"),
        ("POST", "secrets", json!({"a": 1}), 404, "README"),
        ("POST", "reset", json!({"seed": "other"}), 400, "POST /_sim/reset takes no body"),
        ("POST", &format!("deployments/{id}/pause"), json!({"type": "x"}), 400, r#"{"type":"x"}"#),
        ("DELETE", "faults", json!({"operation": "pause"}), 400, "would be lost"),
        ("DELETE", "journal?until=7", json!({}), 400, "until"),
    ] {
        let answer = sim(&simulator, method, path, body).await?;
        assert_eq!(answer.status, status, "{method} {path}");
        let error = answer.json["error"].as_str().unwrap_or_default();
        assert!(error.contains(reason), "{method} {path}: {error}");
    }
    assert!(simulator.journal().is_empty(), "control requests are not in the journal");
    Ok(())
}

#[tokio::test]
async fn a_body_with_nothing_in_it_may_end_with_a_newline() -> Outcome {
    let simulator = with_deployments(1).await?;
    for body in ["", "\n", "{}\n", " null \r\n"] {
        let request = Request::builder().method("POST").uri("/_sim/reset");
        let answer = simulator.handle(request.body(Bytes::from(body))?).await?;
        assert_eq!(answer.status(), 200, "{body:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_those_that_it_has() -> Outcome {
    let simulator = with_deployments(0).await?;
    sim(&simulator, "POST", "accounts", json!({"name": "other", "token": "pt-other"})).await?;
    for (method, path, allow) in [
        ("PUT", "deployments", "GET, POST"),
        ("GET", "reset", "POST"),
        ("GET", "accounts/other", "DELETE"),
        ("DELETE", "accounts/other/tokens", "PUT"),
        ("POST", "", "GET"),
    ] {
        let answer = sim(&simulator, method, path, Value::Null).await?;
        let told = answer.headers.get("allow").and_then(|allow| allow.to_str().ok());
        assert_eq!((answer.status, told), (405, Some(allow)), "{method} {path}");
        assert_eq!(answer.error(), format!("/_sim/{path} takes {allow}, and not {method}"));
    }
    let unknown = sim(&simulator, "GET", "accounts/other/accounts", Value::Null).await?;
    assert_eq!((unknown.status, unknown.headers.get("allow")), (404, None));
    Ok(())
}

#[tokio::test]
async fn a_seed_is_as_strict_as_a_create() -> Outcome {
    let simulator = with_deployments(0).await?;
    for (field, value) in [
        ("type", json!("agent")),
        ("description", json!(7)),
        ("agent", json!({"version": 0})),
        ("agent", json!({"name": "x"})),
        ("environment_id", json!("prod")),
        ("environment_variables", json!({})),
        ("initial_events", json!([])),
        ("resources", json!([{"type": "floppy"}])),
        ("vault_ids", json!("vault_1")),
        ("budget", json!({"max_credit_cost": 7})),
        ("schedule", json!({"type": "rate"})),
        ("schedule", json!({"jitter": 1})),
        ("schedule", json!({"expression": 7})),
        ("schedule", json!({"upcoming_runs_at": ["soon"]})),
        ("paused_reason", json!({"type": "weather"})),
        ("paused_reason", json!({"type": "error"})),
    ] {
        let refused = sim(&simulator, "POST", "deployments", json!({field: value})).await?;
        assert_eq!(refused.status, 400, "{field}: {value}");
        assert!(refused.error().contains(field), "{field}: {}", refused.error());
    }
    assert!(simulator.ids().is_empty());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_used_is_named_with_what_would_do() -> Outcome {
    let simulator = with_deployments(0).await?;
    simulator.add(json!({"id": "dep_1"}))?;
    for (method, path, body, told) in [
        ("PATCH", "settings", json!({"latency_ms": "5ms"}), "latency_ms: invalid type"),
        ("PATCH", "settings", json!({"quirks": {"create_status": "x"}}), "quirks.create_status: "),
        ("POST", "verify", json!({"calls": [{"status": "x"}]}), "calls[0].status: "),
        (
            "POST",
            "deployments/dep_1/run",
            json!({"outcome": {"failed": "skipped"}}),
            "the other outcomes are",
        ),
        (
            "POST",
            "deployments",
            json!({"status": "active", "paused_reason": {"type": "manual"}}),
            "status is active",
        ),
        ("PUT", "deployments", Value::Null, "/_sim/deployments takes GET, POST, and not PUT"),
    ] {
        let refused = sim(&simulator, method, path, body).await?;
        assert!((400..500).contains(&refused.status), "{path}: {}", refused.status);
        assert!(refused.error().contains(told), "{path}: {}", refused.error());
    }
    assert_eq!(simulator.deployment("dep_1").unwrap_or_default()["status"], "active");
    let bare = http::Request::get("/_sim").body(Bytes::new())?;
    let bare = simulator.handle(bare).await?;
    assert_eq!((bare.status().as_u16(), &bare.headers()["location"]), (308, &"/_sim/".parse()?));
    Ok(())
}
