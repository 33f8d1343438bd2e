//! Deployments to begin with: partial descriptions over a template that looks like a real one.

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Map, Value, json};

use crate::deployment::{Deployment, UPCOMING};
use crate::input;
use crate::wire;

/// Fields that a description may have beside [`CREATED`].
const OTHERS: [&str; 10] = [
    "id",
    "type",
    "name",
    "metadata",
    "schedule",
    "status",
    "paused_reason",
    "archived_at",
    "created_at",
    "updated_at",
];
/// Fields that a description may set to null.
const NULLABLE: [&str; 4] = ["budget", "schedule", "paused_reason", "archived_at"];

/// Fields that a create has, too.
const CREATED: [&str; 8] = [
    "description",
    "agent",
    "environment_id",
    "environment_variables",
    "initial_events",
    "resources",
    "vault_ids",
    "budget",
];

/// A description of a deployment that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to add the deployment [{index}]{}: {problem}", .name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default())]
pub struct SeedError {
    /// Which of those that were to be added together; the first is 0.
    index: usize,
    /// The name that it was given.
    name: Option<String>,
    problem: String,
}

impl SeedError {
    pub(crate) fn new(index: usize, partial: &Value, problem: String) -> Self {
        Self { index, name: partial["name"].as_str().map(ToOwned::to_owned), problem }
    }
}

/// What a deployment has where its description says nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) created: Timestamp,
}

/// Makes a deployment out of what `partial` says; the template says the rest. Nothing of it is later than `now`. The error is a
/// text for a person.
pub(crate) fn deployment(
    partial: &Value,
    defaults: Defaults<'_>,
    now: Timestamp,
) -> Result<Deployment, String> {
    let Value::Object(fields) = partial else {
        return Err("it must be a JSON object".to_owned());
    };
    let created = check(fields, now)?.unwrap_or(defaults.created);
    let mut document = template(defaults, created, now);
    if document.keys().all(|key| fields.contains_key(key)) {
        // It says all: it is the document of a snapshot.
        document.clone_from(fields);
        check_whole(&mut document)?;
        return Ok(Deployment::new(document));
    }
    for (key, value) in fields {
        match value {
            Value::Null => drop(document.insert(key.clone(), Value::Null)),
            value => wire::merge(document.entry(key.clone()).or_insert(Value::Null), value),
        }
    }
    agree_on_pause(&mut document, fields);
    check_whole(&mut document)?;
    Ok(Deployment::new(document))
}

/// Checks what a typing error would hide; gives `created_at` if there is one.
fn check(fields: &Map<String, Value>, now: Timestamp) -> Result<Option<Timestamp>, String> {
    for (key, value) in fields {
        if !CREATED.iter().chain(&OTHERS).any(|known| known == key) {
            return Err(format!("{key:?} is not a field of a deployment"));
        }
        if value.is_null() && !NULLABLE.contains(&key.as_str()) {
            return Err(format!("{key} must not be null"));
        }
    }
    let text = |key: &str| match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("{key} must be a string")),
    };
    if text("id")?.is_some_and(|id| !is_id(id)) {
        return Err("id must be dep_ and 1 to 64 letters and digits".to_owned());
    }
    text("name")?;
    if text("status")?.is_some_and(|status| !["active", "paused"].contains(&status)) {
        return Err("status must be active or paused".to_owned());
    }
    for key in ["agent", "metadata", "schedule", "paused_reason"] {
        if fields.get(key).is_some_and(|value| !(value.is_object() || value.is_null())) {
            return Err(format!("{key} must be an object"));
        }
    }
    let time = |key: &str| match text(key)? {
        None => Ok(None),
        Some(text) => {
            let time: Timestamp = text
                .parse()
                .map_err(|_| format!("{key} must be a time like 2026-06-14T08:58:01Z"))?;
            if time > now {
                return Err(format!("{key} is {time}, which is later than now ({now:.0})"));
            }
            Ok(Some(time))
        }
    };
    time("archived_at")?;
    time("updated_at")?;
    time("created_at")
}

/// Checks what a description and the template have led to, as strictly as a create, and keeps what a create would.
fn check_whole(document: &mut Map<String, Value>) -> Result<(), String> {
    if document.get("type").is_none_or(|kind| kind != "deployment") {
        return Err("type must be deployment".to_owned());
    }
    for key in CREATED {
        if let Some(value) = document.get_mut(key) {
            *value = input::seed(key, value)?;
        }
    }
    let mut schedule = document.get("schedule").cloned().unwrap_or_default();
    if let Some(schedule) = schedule.as_object_mut() {
        // What only the platform writes.
        let ran = schedule.remove("last_run_at");
        let upcoming = schedule.remove("upcoming_runs_at");
        if !ran.iter().all(is_time) {
            return Err("schedule must have a last_run_at that is a time".to_owned());
        }
        let are_times = |times: &Vec<Value>| times.len() <= UPCOMING && times.iter().all(is_time);
        if upcoming.is_some_and(|times| !times.as_array().is_some_and(are_times)) {
            return Err(format!("schedule must have upcoming_runs_at of up to {UPCOMING} times"));
        }
    }
    input::seed("schedule", &schedule)?;
    let is_active = document.get("status").is_some_and(|status| status == "active");
    match document.get("paused_reason") {
        Some(reason) if is_active && !reason.is_null() => {
            Err("paused_reason is of a paused deployment, and status is active".to_owned())
        }
        Some(reason) if !is_paused_reason(reason) => {
            let manual = r#"{"type": "manual"}"#;
            let error = r#"{"type": "error", "error": {"type": "agent_archived_error"}}"#;
            Err(format!("paused_reason must be null, {manual}, or like {error}"))
        }
        _ => Ok(()),
    }
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok())
}

fn is_paused_reason(reason: &Value) -> bool {
    let error_type = reason.get("error").and_then(|error| error.get("type"));
    let is_error = error_type
        .filter(|kind| kind.is_string())
        .is_some_and(|kind| *reason == json!({"type": "error", "error": {"type": kind}}));
    reason.is_null() || *reason == json!({"type": "manual"}) || is_error
}

/// The id of a deployment that is made at `created`, after `number` others: like a `UUIDv7`, with a counter for its random part.
pub(crate) fn id(created: Timestamp, number: u64) -> String {
    format!("dep_{:012x}70008{number:015x}", created.as_millisecond())
}

/// Whether a text looks like the id of a deployment.
pub(crate) fn is_id(text: &str) -> bool {
    text.strip_prefix("dep_").is_some_and(|rest| {
        (1..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// `status` and `paused_reason` imply each other where only one of them was given.
fn agree_on_pause(document: &mut Map<String, Value>, given: &Map<String, Value>) {
    let has_reason = given.get("paused_reason").is_some_and(Value::is_object);
    if has_reason && !given.contains_key("status") {
        document.insert("status".to_owned(), json!("paused"));
    }
    if given.get("status").is_some_and(|status| status == "paused")
        && !given.contains_key("paused_reason")
    {
        document.insert("paused_reason".to_owned(), json!({"type": "manual"}));
    }
}

const EXPRESSION: &str = "30 9 * * 1-5";
const TIMEZONE: &str = "Asia/Shanghai";

/// A deployment that ran once, by hand, soon after it was made.
fn template(
    Defaults { id, name, .. }: Defaults<'_>,
    created: Timestamp,
    now: Timestamp,
) -> Map<String, Value> {
    let ran = created.saturating_add(16.seconds()).unwrap_or(created).min(now);
    let ran = wire::whole_seconds(ran);
    let document = json!({
        "id": id,
        "type": "deployment",
        "name": name,
        "description": "Seeded by the simulator",
        "agent": {"id": "agent_019ebb21ef8e7df6a559052c94875160", "type": "agent", "version": 1},
        "environment_id": "env_019e49a1780171daac1e6b01f290ac2b",
        "environment_variables": "",
        "initial_events": [{"type": "user.message", "content": "Generate today's status report"}],
        "resources": [],
        "vault_ids": [],
        "metadata": {"cas_config": {
            "session_strategy": "new_session",
            "config": {"max_concurrent": 1, "max_retries": 0, "timeout_ms": 300_000},
            "stats": {
                "consecutive_failures": 0, "total_failures": 0, "total_runs": 1,
                "last_triggered_at": ran,
            },
        }},
        "schedule": {"type": "cron", "expression": EXPRESSION, "timezone": TIMEZONE, "last_run_at": ran},
        "status": "active",
        "paused_reason": null,
        "archived_at": null,
        "created_at": wire::whole_seconds(created),
        "updated_at": ran,
    });
    match document {
        Value::Object(document) => document,
        _ => Map::new(),
    }
}
