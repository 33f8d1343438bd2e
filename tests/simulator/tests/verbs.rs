//! The state matrix, row by row, and what the verbs change.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use common::{Outcome, get, minimal, post, verb, with_deployments};
use qoder_simulator::{Config, Dialect, Quirks, Simulator};
use serde_json::{Value, json};

/// The example of the pause page, as it is printed there.
const PAUSED_EXAMPLE: &str = r#"{
  "agent": {"id": "agent_019ebb21ef8e7df6a559052c94875160", "type": "agent", "version": 1},
  "archived_at": null,
  "created_at": "2026-06-14T08:58:01Z",
  "description": "Deployment created for API documentation verification",
  "environment_id": "env_019e49a1780171daac1e6b01f290ac2b",
  "id": "dep_019ec55a2b687b3f94eee77dd77e4b2a",
  "initial_events": [{"content": "Generate today's status report", "type": "user.message"}],
  "metadata": {"cas_config": {
    "config": {"max_concurrent": 1, "max_retries": 0, "timeout_ms": 300000},
    "session_strategy": "new_session",
    "stats": {
      "consecutive_failures": 0, "last_triggered_at": "2026-06-14T08:58:17Z",
      "next_trigger_at": "2026-06-15T01:30:00Z", "total_failures": 0, "total_runs": 1
    }
  }},
  "name": "api-doc-verification-deployment-v2",
  "paused_reason": {"type": "manual"},
  "resources": [],
  "schedule": {
    "expression": "30 9 * * 1-5", "last_run_at": "2026-06-14T08:58:17Z", "timezone": "Asia/Shanghai", "type": "cron",
    "upcoming_runs_at": [
      "2026-06-15T01:30:00Z", "2026-06-16T01:30:00Z", "2026-06-17T01:30:00Z", "2026-06-18T01:30:00Z",
      "2026-06-19T01:30:00Z"
    ]
  },
  "status": "paused",
  "type": "deployment",
  "updated_at": "2026-06-14T08:58:22Z",
  "vault_ids": []
}"#;

/// Replaces times, which differ from run to run, by a mark.
fn without_times(value: Value) -> Value {
    match value {
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => json!("a time"),
        Value::Array(items) => items.into_iter().map(without_times).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, without_times(value))).collect()
        }
        other => other,
    }
}

#[tokio::test]
async fn the_answer_to_pause_is_the_documented_one() -> Outcome {
    let example: Value = serde_json::from_str(PAUSED_EXAMPLE)?;
    let seed = json!({
        "id": example["id"], "name": example["name"], "description": example["description"],
        "created_at": example["created_at"],
    });
    let simulator = with_deployments(0).await?;
    let id = simulator.add(seed)?;
    let answer = verb(&simulator, &id, "pause").await?;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json["created_at"], example["created_at"]);
    assert_eq!(without_times(answer.json), without_times(example));
    Ok(())
}

/// Brings a new deployment into the state A (active), P (paused) or X (archived, from active).
async fn in_state(state: char, quirks: Quirks) -> std::io::Result<(Simulator, String)> {
    let config = Config::with_deployments(1);
    let simulator = Simulator::start(Config { quirks, ..config }).await?;
    let id = simulator.ids().concat();
    match state {
        'P' => simulator.set_paused(&id, true),
        'X' => simulator.archive(&id),
        _ => {}
    }
    Ok((simulator, id))
}

fn state_of(deployment: Option<Value>) -> char {
    match deployment {
        Some(deployment) if deployment["archived_at"].is_string() => 'X',
        Some(deployment) if deployment["status"] == "paused" => 'P',
        Some(_) => 'A',
        None => '-',
    }
}

#[tokio::test]
async fn every_cell_of_the_state_matrix() -> Outcome {
    for (operation, before, status, after) in [
        ("", 'A', 200, 'A'),
        ("", 'P', 200, 'P'),
        ("", 'X', 200, 'X'),
        ("pause", 'A', 200, 'P'),
        ("pause", 'P', 409, 'P'),
        ("pause", 'X', 409, 'X'),
        ("unpause", 'A', 409, 'A'),
        ("unpause", 'P', 200, 'A'),
        ("unpause", 'X', 409, 'X'),
        ("update", 'A', 200, 'A'),
        ("update", 'P', 200, 'P'),
        ("update", 'X', 409, 'X'),
        ("run", 'A', 200, 'A'),
        ("run", 'P', 409, 'P'),
        ("run", 'X', 409, 'X'),
        ("archive", 'A', 200, 'X'),
        ("archive", 'P', 200, 'X'),
        ("archive", 'X', 409, 'X'),
    ] {
        let (simulator, id) = in_state(before, Quirks::default()).await?;
        let path = format!("/deployments/{id}");
        let answer = match operation {
            "" => get(&simulator, &path).await?,
            "update" => post(&simulator, &path, json!({"description": "new"})).await?,
            operation => verb(&simulator, &id, operation).await?,
        };
        let cell = format!("{operation:?} on {before}");
        assert_eq!(answer.status, status, "{cell}");
        assert_eq!(state_of(simulator.deployment(&id)), after, "{cell}");
        if status == 409 {
            assert_eq!(answer.error_type(), "conflict_error", "{cell}");
        }
        let [entry] = simulator.journal().try_into().map_err(|_| "one entry")?;
        assert_eq!(entry.effect, status == 200 && !operation.is_empty(), "{cell}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_documentation_leaves_open_can_be_chosen() -> Outcome {
    for (status, error_type) in [(400, "invalid_request_error"), (404, "not_found_error")] {
        let quirks = Quirks {
            archived_verb_status: status,
            archived_get_status: 404,
            malformed_id_status: 400,
            create_status: 201,
            duplicate_names: true,
        };
        let (simulator, id) = in_state('X', quirks).await?;
        for operation in ["pause", "unpause"] {
            let answer = verb(&simulator, &id, operation).await?;
            assert_eq!((answer.status, answer.error_type()), (status, error_type));
        }
        assert_eq!(get(&simulator, &format!("/deployments/{id}")).await?.status, 404);
        assert_eq!(get(&simulator, "/deployments/depl_1").await?.status, 400);
        for _ in 0..2 {
            let answer = post(&simulator, "/deployments", minimal("twice")).await?;
            assert_eq!(answer.status, 201);
        }
    }
    let refused =
        Config { quirks: Quirks { create_status: 418, ..Quirks::default() }, ..Config::default() };
    assert!(Simulator::start(refused).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_pause_by_error_keeps_its_reason_and_is_lifted_by_unpause() -> Outcome {
    let simulator = with_deployments(1).await?;
    let id = simulator.ids().concat();
    simulator.pause_by_error(&id, "agent_archived_error");
    let reason = json!({"type": "error", "error": {"type": "agent_archived_error"}});
    assert_eq!(verb(&simulator, &id, "pause").await?.status, 409);
    let seen = get(&simulator, &format!("/deployments/{id}")).await?;
    assert_eq!(seen.json["paused_reason"], reason);
    let resumed = verb(&simulator, &id, "unpause").await?;
    assert_eq!(resumed.json["paused_reason"], Value::Null);
    assert_eq!(resumed.json["status"], "active");
    Ok(())
}

#[tokio::test]
async fn archive_frees_the_name_and_ends_the_schedule() -> Outcome {
    let simulator = with_deployments(0).await?;
    let id = simulator.add(json!({"name": "nightly", "status": "paused"}))?;
    assert_eq!(post(&simulator, "/deployments", minimal("nightly")).await?.status, 409);
    let archived = verb(&simulator, &id, "archive").await?.json;
    let name = archived["name"].as_str().unwrap_or_default();
    let suffix = name.strip_prefix("nightly_archived_").ok_or("no suffix")?;
    assert!(suffix.parse::<u64>().is_ok(), "{name}");
    assert_eq!(archived["status"], "paused");
    assert_eq!(archived["archived_at"], archived["updated_at"]);
    assert_eq!(archived["schedule"]["upcoming_runs_at"], json!([]));
    let stats = &archived["metadata"]["cas_config"]["stats"];
    assert!(stats["next_trigger_at"].is_string());
    assert_eq!(post(&simulator, "/deployments", minimal("nightly")).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn create_checks_its_body_and_makes_an_active_deployment() -> Outcome {
    let simulator = with_deployments(0).await?;
    let created = post(&simulator, "/deployments", minimal("new")).await?.json;
    assert_eq!(created["status"], "active");
    assert_eq!(created["agent"], json!({"id": "agent_1", "type": "agent", "version": 1}));
    assert_eq!(created["schedule"], Value::Null);
    let id = created["id"].as_str().ok_or("no id")?;
    let hex = id.strip_prefix("dep_").ok_or("no prefix")?;
    assert_eq!(hex.len(), 32);
    let made = i64::from_str_radix(&hex[..12], 16)? / 1000;
    let created_at: jiff::Timestamp = created["created_at"].as_str().unwrap_or_default().parse()?;
    assert_eq!(made, created_at.as_second());

    for (field, value) in [
        ("status", json!("paused")),
        ("tunnel_id", json!("t")),
        ("name", json!("")),
        ("agent", json!("nobody")),
        ("initial_events", json!([])),
        ("initial_events", json!([{"type": "user.shout"}])),
        ("schedule", json!({"type": "cron", "expression": "@daily", "timezone": "UTC"})),
        ("metadata", json!({"k": "v".repeat(513)})),
        ("environment_id", Value::Null),
    ] {
        let mut body = minimal("other");
        body[field] = value;
        let answer = post(&simulator, "/deployments", body).await?;
        assert_eq!((answer.status, answer.error_type()), (400, "invalid_request_error"), "{field}");
        assert_eq!(answer.json["error"]["param"], field);
    }
    let nothing = post(&simulator, "/deployments", json!({})).await?;
    assert_eq!((nothing.status, &nothing.json["error"]["param"]), (400, &json!("name")));
    assert_eq!(simulator.ids().len(), 1);
    Ok(())
}

#[tokio::test]
async fn update_merges_and_leaves_the_rest() -> Outcome {
    let simulator = with_deployments(0).await?;
    let id =
        simulator.add(json!({"status": "paused", "metadata": {"team": "core", "old": "x"}}))?;
    let url = format!("/deployments/{id}");
    let schedule = json!({"type": "cron", "expression": "0 0 1 1 *", "timezone": "UTC"});
    let patch = json!({"schedule": schedule, "metadata": {"old": null, "new": "y"}, "description": null,
        "resources": [{"type": "file", "file_id": "f"}, {"type": "git_repository", "url": "u", "password": "obviously-fake"}]});
    let updated = post(&simulator, &url, patch).await?.json;
    assert_eq!(updated["status"], "paused");
    assert_eq!(updated["description"], "");
    assert_eq!(updated["metadata"]["team"], "core");
    assert_eq!(updated["metadata"]["new"], "y");
    assert_eq!(updated["metadata"].get("old"), None);
    assert!(updated["metadata"]["cas_config"].is_object());
    assert_eq!(updated["resources"][1], json!({"type": "git_repository", "url": "u"}));
    assert!(updated["schedule"]["last_run_at"].is_string());
    let upcoming = updated["schedule"]["upcoming_runs_at"].as_array().ok_or("no times")?;
    assert!(
        upcoming
            .iter()
            .all(|time| { time.as_str().is_some_and(|time| time.ends_with("-01-01T00:00:00Z")) })
    );
    let cleared = post(&simulator, &url, json!({"schedule": null})).await?.json;
    assert_eq!(cleared["schedule"], Value::Null);
    assert_eq!(post(&simulator, &url, json!({"status": "active"})).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn runs_are_recorded_and_listed() -> Outcome {
    for dialect in [Dialect::D1, Dialect::D2] {
        let simulator = common::in_dialect(dialect, 2).await?;
        let [first, second] = simulator.ids().try_into().map_err(|_| "two ids")?;
        let mut runs = Vec::new();
        for id in [&first, &first, &second] {
            let run = verb(&simulator, id, "run").await?.json;
            assert_eq!(run.get("status").is_some(), dialect == Dialect::D1);
            runs.push(run["id"].as_str().unwrap_or_default().to_owned());
        }
        let all = get(&simulator, "/deployment_runs").await?;
        assert_eq!(all.ids(), runs.iter().rev().collect::<Vec<_>>());
        let own = get(&simulator, &format!("/deployments/{first}/runs?limit=1")).await?;
        assert_eq!((own.ids(), &own.json["has_more"]), (vec![runs[1].as_str()], &json!(true)));
        let rest = format!("/deployments/{first}/runs?limit=1&after_id={}", runs[1]);
        assert_eq!(get(&simulator, &rest).await?.ids(), [runs[0].as_str()]);
        let none = get(&simulator, "/deployment_runs?trigger_type=schedule").await?;
        assert!(none.ids().is_empty());
        assert_eq!(
            get(&simulator, &format!("/deployments/{second}/runs/{}", runs[0])).await?.status,
            404
        );
        assert_eq!(get(&simulator, &format!("/deployment_runs/{}", runs[0])).await?.status, 200);
        let ran = simulator.deployment(&first).unwrap_or_default();
        assert!(ran["schedule"]["last_run_at"].is_string());
    }
    Ok(())
}
