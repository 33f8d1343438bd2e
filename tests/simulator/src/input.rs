//! What create, update and seeds may say: the checks of request bodies, pure.

use serde_json::{Map, Value, json};

use crate::cron::Cron;
use crate::wire::ApiError;

const REQUIRED: [&str; 4] = ["name", "agent", "environment_id", "initial_events"];
const EVENT_TYPES: [&str; 3] = ["user.message", "user.define_outcome", "system.message"];
/// Accepted with a resource, and never shown again.
const WRITE_ONLY: [&str; 2] = ["authorization_token", "password"];

/// Reads the body of a create: the fields of the new deployment.
pub(crate) fn create(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let fields = fields(body)?;
    for required in REQUIRED {
        if !fields.contains_key(required) {
            return Err(ApiError::invalid_param(required, format!("{required} is required.")));
        }
    }
    Ok(fields)
}

/// Reads the body of an update: the fields to replace.
pub(crate) fn update(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    fields(body)
}

/// Reads a JSON object; no body at all is an empty one.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::invalid("Request body must be a JSON object.")),
        Err(_) => Err(ApiError::invalid("Request body must be valid JSON.")),
    }
}

fn fields(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let sent = object(body)?;
    let mut checked = Map::new();
    for (key, value) in sent {
        let value = field(&key, value)
            .map_err(|problem| ApiError::invalid_param(&key, format!("{key} {problem}.")))?;
        checked.insert(key, value);
    }
    Ok(checked)
}

/// One field of a create or an update, as it is kept; the error says what is wrong with it.
fn field(key: &str, value: Value) -> Result<Value, String> {
    match (key, value) {
        ("name", Value::String(name)) if (1..=256).contains(&name.chars().count()) => {
            Ok(json!(name))
        }
        ("name", _) => Err("must be a string of 1 to 256 characters".to_owned()),
        ("description", Value::Null) => Ok(json!("")),
        ("description" | "environment_id" | "environment_variables", value @ Value::String(_)) => {
            Ok(value)
        }
        ("description" | "environment_id" | "environment_variables", _) => {
            Err("must be a string".to_owned())
        }
        ("agent", value) => agent(&value),
        ("initial_events", Value::Array(events)) => initial_events(events),
        ("initial_events", _) => Err("must be an array".to_owned()),
        ("resources" | "vault_ids", Value::Null) => Ok(json!([])),
        ("resources", Value::Array(resources)) => self::resources(resources),
        ("vault_ids", Value::Array(ids)) if ids.len() <= 50 && ids.iter().all(Value::is_string) => {
            Ok(Value::Array(ids))
        }
        ("resources" | "vault_ids", _) => Err("must be an array within its bounds".to_owned()),
        ("metadata", Value::Object(metadata)) => self::metadata(metadata),
        ("metadata", _) => Err("must be an object".to_owned()),
        ("schedule", Value::Null) => Ok(Value::Null),
        ("schedule", value) => schedule(&value),
        ("budget", value @ (Value::Null | Value::Object(_))) => Ok(value),
        ("budget", _) => Err("must be an object or null".to_owned()),
        _ => Err("is an unknown field".to_owned()),
    }
}

/// An agent by id means its latest version. This simulator has no agents: every one has a version 1.
fn agent(value: &Value) -> Result<Value, String> {
    let (id, version) = match value {
        Value::String(id) => (id.as_str(), 1),
        Value::Object(agent) => (
            agent.get("id").and_then(Value::as_str).ok_or("needs an id")?,
            agent.get("version").and_then(Value::as_u64).unwrap_or(1),
        ),
        _ => return Err("must be an id or an object".to_owned()),
    };
    if id.starts_with("agent_") {
        Ok(json!({"id": id, "type": "agent", "version": version}))
    } else {
        Err("must have an id that begins with agent_".to_owned())
    }
}

fn initial_events(events: Vec<Value>) -> Result<Value, String> {
    if !(1..=50).contains(&events.len()) {
        return Err("must have 1 to 50 events".to_owned());
    }
    let known = |event: &Value| EVENT_TYPES.iter().any(|kind| event["type"] == *kind);
    if events.iter().all(known) {
        Ok(Value::Array(events))
    } else {
        Err(format!("must have events of these types: {}", EVENT_TYPES.join(", ")))
    }
}

fn resources(mut resources: Vec<Value>) -> Result<Value, String> {
    for resource in &mut resources {
        let resource = resource.as_object_mut().ok_or("must hold objects")?;
        for secret in WRITE_ONLY {
            resource.remove(secret);
        }
    }
    Ok(Value::Array(resources))
}

fn metadata(metadata: Map<String, Value>) -> Result<Value, String> {
    let own = metadata.iter().filter(|(key, _)| *key != "cas_config");
    if own.clone().count() > 16 {
        return Err("may have 16 keys".to_owned());
    }
    for (key, value) in own {
        let fits = value.as_str().is_some_and(|text| text.chars().count() <= 512);
        if key.chars().count() > 64 || !(fits || value.is_null()) {
            return Err("may have keys of 64 and string values of 512 characters".to_owned());
        }
    }
    Ok(Value::Object(metadata))
}

/// Checks a schedule and keeps its three writable fields.
fn schedule(value: &Value) -> Result<Value, String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let (Some("cron"), Some(expression), Some(timezone)) =
        (text("type"), text("expression"), text("timezone"))
    else {
        return Err("must have type cron, an expression and a timezone".to_owned());
    };
    Cron::parse(expression, timezone).map_err(|problem| format!("is invalid: {problem}"))?;
    Ok(json!({"type": "cron", "expression": expression, "timezone": timezone}))
}
