//! Mistakes of a client that the API would not let pass.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use common::{Outcome, get, in_dialect, minimal, post, with_deployments};
use qoder_simulator::Dialect;
use serde_json::{Map, Value, json};

#[tokio::test]
async fn a_create_that_breaks_the_contract_names_the_field() -> Outcome {
    let simulator = with_deployments(0).await?;
    let schedule = |key: &str, value: Value| {
        let mut schedule = json!({"type": "cron", "expression": "0 0 * * *", "timezone": "UTC"});
        schedule[key] = value;
        schedule
    };
    let event = |event: Value| json!([event]);
    for (field, value, reason) in [
        ("type", json!("deployment"), "unknown field"),
        ("agent", json!({"id": "agent_1", "type": "robot"}), "type agent"),
        ("agent", json!({"id": "agent_1", "type": "agent", "version": -1}), "version"),
        ("agent", json!({"id": "agent_1", "type": "agent", "version": 0}), "version"),
        ("agent", json!({"id": "agent_1", "type": "agent", "version": 1.5}), "version"),
        ("agent", json!({"id": "agent_1", "type": "agent", "name": "x"}), "unknown key \"name\""),
        ("agent", json!("agent_"), "agent_"),
        ("environment_id", json!(""), "env_"),
        ("environment_id", json!("env_"), "env_"),
        ("environment_id", json!("prod"), "env_"),
        ("initial_events", event(json!({"type": "user.message", "content": 7})), "[0]"),
        ("initial_events", event(json!({"type": "user.message"})), "content"),
        ("initial_events", event(json!({"type": "user.message", "content": []})), "content"),
        (
            "initial_events",
            event(json!({"type": "user.message", "content": [{"type": "sound"}]})),
            "text, image",
        ),
        (
            "initial_events",
            event(json!({"type": "user.message", "content": [{"type": "text"}]})),
            "content",
        ),
        (
            "initial_events",
            event(json!({"type": "system.message", "content": [{"type": "image"}]})),
            "(text)",
        ),
        (
            "initial_events",
            event(json!({"type": "user.message", "content": "x", "role": "y"})),
            "role",
        ),
        (
            "initial_events",
            event(json!({"type": "user.define_outcome", "max_iterations": 21})),
            "1 to 20",
        ),
        (
            "initial_events",
            event(json!({"type": "user.define_outcome", "rubric": {"type": "x"}})),
            "rubric",
        ),
        ("initial_events", event(json!("go")), "object"),
        ("resources", json!([{"type": "file", "file_id": "f"}, {"type": "floppy"}]), "[1]"),
        ("resources", json!([{"type": "git_repository"}]), "url"),
        ("resources", json!([{"type": "file", "file_id": "f", "password": "x"}]), "password"),
        (
            "resources",
            json!([{"type": "git_repository", "url": "u", "checkout": {"type": "tag"}}]),
            "checkout",
        ),
        (
            "resources",
            json!([{"type": "memory_store", "memory_store_id": "m", "access": "all"}]),
            "access",
        ),
        ("resources", json!([7]), "object"),
        ("vault_ids", json!([""]), "ids"),
        ("schedule", schedule("jitter", json!(1)), "jitter"),
        ("schedule", schedule("upcoming_runs_at", json!([])), "upcoming_runs_at"),
        ("schedule", schedule("expression", json!("+5 * * * *")), "+5"),
        ("schedule", json!(7), "object"),
        ("metadata", json!({"cas_config": {"stats": {"total_runs": 9}}}), "stats"),
        ("metadata", json!({"cas_config": {"config": {"timeout_ms": -1}}}), "numbers"),
        ("metadata", json!({"cas_config": null}), "object"),
        ("budget", json!({"type": "limit", "max_credit_cost": 7}), "12.50"),
        ("budget", json!({"type": "limit", "max_credit_cost": "0.00"}), "12.50"),
        ("budget", json!({"type": "limit", "max_credit_cost": "1.234"}), "12.50"),
        ("budget", json!({"max_credit_cost": "1"}), "type limit"),
    ] {
        let mut body = minimal("new");
        body[field] = value.clone();
        let answer = post(&simulator, "/deployments", body).await?;
        assert_eq!(
            (answer.status, &answer.json["error"]["param"]),
            (400, &json!(field)),
            "{value}"
        );
        let message = answer.json["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(reason), "{value}: {message}");
    }
    assert!(simulator.ids().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_part_of_a_resource_or_a_rubric_that_cannot_be_is_refused() -> Outcome {
    let simulator = with_deployments(0).await?;
    let git = |key: &str, value: Value| json!([{"type": "git_repository", "url": "u", key: value}]);
    let outcome = json!({
        "type": "user.define_outcome", "rubric": {"type": "text", "content": "x", "file_id": "y"},
    });
    for (field, value, reason) in [
        ("resources", git("mount_path", json!(7)), "mount_path"),
        ("resources", git("password", json!(7)), "password that is a string"),
        ("resources", git("checkout", json!({"type": "commit", "sha": "1", "x": 1})), "checkout"),
        ("initial_events", json!([outcome]), "rubric"),
    ] {
        let mut body = minimal("new");
        body[field] = value.clone();
        let answer = post(&simulator, "/deployments", body).await?;
        let message = answer.json["error"]["message"].as_str().unwrap_or_default();
        assert!(answer.status == 400 && message.contains(reason), "{value}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn a_create_that_keeps_the_contract_passes() -> Outcome {
    for dialect in [Dialect::D1, Dialect::D2] {
        let simulator = in_dialect(dialect, 0).await?;
        let full = json!({
            "name": "full", "agent": {"id": "agent_1", "type": "agent", "version": 3}, "environment_id": "env_1",
            "initial_events": [
                {"type": "system.message", "content": [{"type": "text", "text": "be brief"}]},
                {"type": "user.message", "content": [{"type": "text", "text": "go"}, {"type": "image", "source": {}}]},
                {"type": "user.define_outcome", "description": "done", "rubric": {"type": "text", "content": "all"}, "max_iterations": 3},
            ],
            "resources": [
                {"type": "github_repository", "url": "u", "checkout": {"type": "branch", "name": "main"}},
                {"type": "memory_store", "memory_store_id": "m", "access": "read_only", "instructions": "i"},
            ],
            "vault_ids": ["vault_1"], "metadata": {"team": "core", "cas_config": {"config": {"max_retries": 2}}},
            "schedule": {"type": "cron", "expression": "0 0 * * *", "timezone": "UTC"},
            "budget": {"type": "limit", "max_credit_cost": "12.50"}, "environment_variables": "A=1",
        });
        let created = post(&simulator, "/deployments", full).await?;
        assert_eq!(created.status, 200, "{}", created.text);
        assert_eq!(created.json["budget"]["max_credit_cost"], "12.50");
    }
    Ok(())
}

#[tokio::test]
async fn an_agent_without_its_type_is_of_the_older_dialect() -> Outcome {
    for (dialect, status) in [(Dialect::D1, 200), (Dialect::D2, 400)] {
        let simulator = in_dialect(dialect, 0).await?;
        let mut body = minimal("new");
        body["agent"] = json!({"id": "agent_1", "version": 1});
        assert_eq!(post(&simulator, "/deployments", body).await?.status, status);
    }
    Ok(())
}

#[tokio::test]
async fn metadata_has_sixteen_keys_however_they_come() -> Outcome {
    let simulator = with_deployments(1).await?;
    let url = format!("/deployments/{}", simulator.ids().concat());
    let keys = |keys: std::ops::Range<i32>, value: Value| {
        let metadata: Map<_, _> = keys.map(|n| (format!("k{n}"), value.clone())).collect();
        json!({"metadata": metadata})
    };
    assert_eq!(post(&simulator, &url, keys(0..15, json!("x"))).await?.status, 200);
    let refused = post(&simulator, &url, keys(15..30, json!("x"))).await?;
    assert_eq!((refused.status, &refused.json["error"]["param"]), (400, &json!("metadata")));
    assert_eq!(post(&simulator, &url, keys(0..14, Value::Null)).await?.status, 200);
    let taken = post(&simulator, &url, keys(15..30, json!("x"))).await?;
    assert_eq!((taken.status, &taken.json["metadata"]["k14"]), (200, &json!("x")));
    Ok(())
}

#[tokio::test]
async fn an_update_is_looked_at_from_the_outside_in() -> Outcome {
    let simulator = with_deployments(0).await?;
    let taken = simulator.add(json!({"name": "taken"}))?;
    let archived = simulator.add(json!({}))?;
    simulator.archive(&archived);
    for (id, body, status) in [
        ("dep_unknown", json!({"name": "taken"}), 404),
        ("dep_unknown", json!({"nmae": 7}), 404),
        (&*archived, json!({"nmae": 7}), 409),
        (&*archived, json!({"name": "taken"}), 409),
        (&*taken, json!({"nmae": 7}), 400),
        (&*taken, json!({"name": "taken"}), 200),
    ] {
        let answer = post(&simulator, &format!("/deployments/{id}"), body.clone()).await?;
        assert_eq!(answer.status, status, "{id} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_text_is_no_id() -> Outcome {
    let simulator = with_deployments(1).await?;
    for path in ["/deployments/%ff", "/deployments/%ff/runs"] {
        let answer = get(&simulator, path).await?;
        assert_eq!((answer.status, answer.error_type()), (404, "not_found_error"));
    }
    Ok(())
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_those_that_it_has() -> Outcome {
    let simulator = with_deployments(0).await?;
    for (method, path, status, allow) in [
        ("DELETE", "/deployments/dep_1", 405, Some("GET, POST")),
        ("GET", "/deployments/search", 405, Some("POST")),
        ("POST", "/deployment_runs", 405, Some("GET")),
        ("GET", "/agents", 404, None),
    ] {
        let request = common::request(method, path).body(bytes::Bytes::new())?;
        let answer: common::Answer = simulator.handle(request).await?.into();
        let told = answer.headers.get("allow").and_then(|allow| allow.to_str().ok());
        assert_eq!((answer.status, told), (status, allow), "{method} {path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_list_of_runs_refuses_what_no_run_can_be() -> Outcome {
    let simulator = with_deployments(1).await?;
    let own = format!("/deployments/{}/runs", simulator.ids().concat());
    for list in ["/deployment_runs", &own] {
        for (query, status, param) in [
            ("trigger_type=retry", 200, Value::Null),
            ("status=pending", 200, Value::Null),
            ("trigger_type=cron", 400, json!("trigger_type")),
            ("status=paused", 400, json!("status")),
        ] {
            let answer = get(&simulator, &format!("{list}?{query}")).await?;
            assert_eq!(
                (answer.status, &answer.json["error"]["param"]),
                (status, &param),
                "{query}"
            );
        }
    }
    Ok(())
}
