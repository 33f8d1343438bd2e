//! What create and update may say: the checks of request bodies, pure. As strict as the documentation, for a client's mistakes are to show.

mod content;

use serde_json::{Map, Value, json};

use crate::cron::Cron;
use crate::wire::{ApiError, Dialect};

const REQUIRED: [&str; 4] = ["name", "agent", "environment_id", "initial_events"];
/// The most keys of `metadata`, without `cas_config`.
const METADATA_KEYS: usize = 16;
/// The numbers in `metadata.cas_config.config`.
const CAS_NUMBERS: [&str; 3] = ["max_concurrent", "max_retries", "timeout_ms"];

/// What is wrong with a field, as the end of a sentence that begins with its name.
pub(crate) type Checked<T> = Result<T, String>;

/// Reads the body of a create: the fields of the new deployment.
pub(crate) fn create(body: &[u8], dialect: Dialect) -> Result<Map<String, Value>, ApiError> {
    let fields = fields(body, dialect)?;
    for required in REQUIRED {
        if !fields.contains_key(required) {
            return Err(ApiError::invalid_param(required, format!("{required} is required.")));
        }
    }
    Ok(fields)
}

/// Reads the body of an update: the fields to replace.
pub(crate) fn update(body: &[u8], dialect: Dialect) -> Result<Map<String, Value>, ApiError> {
    fields(body, dialect)
}

/// Reads one field of what someone says a deployment is: as a create would keep it.
pub(crate) fn seed(key: &str, value: &Value) -> Checked<Value> {
    field(key, value.clone(), Dialect::D1).map_err(|problem| format!("{key} {problem}"))
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

/// Checks the metadata that an update has led to.
pub(crate) fn merged_metadata(metadata: &Value) -> Result<(), ApiError> {
    let keys = metadata.as_object().into_iter().flat_map(Map::keys);
    if keys.filter(|key| *key != "cas_config").count() > METADATA_KEYS {
        let message = format!("metadata may have {METADATA_KEYS} keys.");
        return Err(ApiError::invalid_param("metadata", message));
    }
    Ok(())
}

fn fields(body: &[u8], dialect: Dialect) -> Result<Map<String, Value>, ApiError> {
    let sent = object(body)?;
    let mut checked = Map::new();
    for (key, value) in sent {
        let value = field(&key, value, dialect)
            .map_err(|problem| ApiError::invalid_param(&key, format!("{key} {problem}.")))?;
        checked.insert(key, value);
    }
    Ok(checked)
}

/// One field of a create or an update, as it is kept.
fn field(key: &str, value: Value, dialect: Dialect) -> Checked<Value> {
    match (key, value) {
        ("name", Value::String(name)) if (1..=256).contains(&name.chars().count()) => {
            Ok(json!(name))
        }
        ("name", _) => Err("must be a string of 1 to 256 characters".to_owned()),
        ("description", Value::Null) => Ok(json!("")),
        ("description" | "environment_variables", value @ Value::String(_)) => Ok(value),
        ("description" | "environment_variables", _) => Err("must be a string".to_owned()),
        ("environment_id", Value::String(id)) if is_id(&id, "env_") => Ok(json!(id)),
        ("environment_id", _) => Err("must be an id that begins with env_".to_owned()),
        ("agent", value) => agent(&value, dialect),
        ("initial_events", Value::Array(events)) => content::initial_events(events),
        ("resources" | "vault_ids", Value::Null) => Ok(json!([])),
        ("resources", Value::Array(resources)) => content::resources(resources),
        ("initial_events" | "resources", _) => Err("must be an array".to_owned()),
        ("vault_ids", Value::Array(ids)) if ids.len() <= 50 && ids.iter().all(is_filled) => {
            Ok(Value::Array(ids))
        }
        ("vault_ids", _) => Err("must be an array of up to 50 ids".to_owned()),
        ("metadata", Value::Object(fields)) => metadata(fields),
        ("metadata", _) => Err("must be an object".to_owned()),
        ("schedule" | "budget", Value::Null) => Ok(Value::Null),
        ("schedule", value) => schedule(&value),
        ("budget", value) => budget(value),
        _ => Err("is an unknown field".to_owned()),
    }
}

fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())
}

fn is_filled(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// Refuses an object that has other keys than these.
fn only(object: &Map<String, Value>, known: &[&str]) -> Checked<()> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(format!("has an unknown key {unknown:?}")),
        None => Ok(()),
    }
}

/// An agent by id means its latest version. This simulator has no agents: every one has a version 1.
fn agent(value: &Value, dialect: Dialect) -> Checked<Value> {
    let (id, version) = match value {
        Value::String(id) => (id.as_str(), 1),
        Value::Object(agent) => {
            only(agent, &["id", "type", "version"])?;
            let is_typed = match agent.get("type") {
                Some(kind) => kind == "agent",
                None => dialect == Dialect::D1,
            };
            if !is_typed {
                return Err("must have the type agent".to_owned());
            }
            let version = agent.get("version").map_or(Some(1), Value::as_u64);
            let version = version.filter(|version| *version > 0);
            (
                agent.get("id").and_then(Value::as_str).ok_or("needs an id")?,
                version.ok_or("must have a version of 1 or more")?,
            )
        }
        _ => return Err("must be an id or an object".to_owned()),
    };
    if is_id(id, "agent_") {
        Ok(json!({"id": id, "type": "agent", "version": version}))
    } else {
        Err("must have an id that begins with agent_".to_owned())
    }
}

fn metadata(metadata: Map<String, Value>) -> Checked<Value> {
    let own = metadata.iter().filter(|(key, _)| *key != "cas_config");
    if own.clone().count() > METADATA_KEYS {
        return Err(format!("may have {METADATA_KEYS} keys"));
    }
    for (key, value) in own {
        let fits = value.as_str().is_some_and(|text| text.chars().count() <= 512);
        if key.chars().count() > 64 || !(fits || value.is_null()) {
            return Err("may have keys of 64 and string values of 512 characters".to_owned());
        }
    }
    if let Some(cas_config) = metadata.get("cas_config") {
        self::cas_config(cas_config).map_err(|problem| format!(".cas_config {problem}"))?;
    }
    Ok(Value::Object(metadata))
}

/// Its statistics are not for clients to write.
fn cas_config(value: &Value) -> Checked<()> {
    let cas_config = value.as_object().ok_or("must be an object")?;
    only(cas_config, &["session_strategy", "config"])?;
    if cas_config.get("session_strategy").is_some_and(|strategy| !is_filled(strategy)) {
        return Err("must have a session_strategy that is a string".to_owned());
    }
    let Some(config) = cas_config.get("config") else { return Ok(()) };
    let config = config.as_object().ok_or("must have a config that is an object")?;
    only(config, &CAS_NUMBERS)?;
    if config.values().all(Value::is_u64) {
        Ok(())
    } else {
        Err("must have numbers of 0 or more in its config".to_owned())
    }
}

/// Checks a schedule: it has its three writable fields, and no other.
fn schedule(value: &Value) -> Checked<Value> {
    let schedule = value.as_object().ok_or("must be an object or null")?;
    only(schedule, &["type", "expression", "timezone"])?;
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let (Some("cron"), Some(expression), Some(timezone)) =
        (text("type"), text("expression"), text("timezone"))
    else {
        return Err("must have type cron, an expression and a timezone".to_owned());
    };
    Cron::parse(expression, timezone).map_err(|problem| format!("is invalid: {problem}"))?;
    Ok(json!({"type": "cron", "expression": expression, "timezone": timezone}))
}

/// A limit in credits: a decimal of up to twelve and two digits, as a string.
fn budget(value: Value) -> Checked<Value> {
    let budget = value.as_object().ok_or("must be an object or null")?;
    only(budget, &["type", "max_credit_cost"])?;
    let cost = budget.get("max_credit_cost").and_then(Value::as_str).unwrap_or_default();
    let (whole, fraction) = cost.split_once('.').unwrap_or((cost, "0"));
    let are_digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_positive = cost.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    let fits = are_digits(whole, 12) && are_digits(fraction, 2) && is_positive;
    if fits && budget.get("type").is_some_and(|kind| kind == "limit") {
        Ok(value)
    } else {
        Err("must have type limit and a positive max_credit_cost like \"12.50\"".to_owned())
    }
}
