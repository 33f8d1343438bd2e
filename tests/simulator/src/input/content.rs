//! What an agent is given: the events that a session begins with, and the resources in it.

use serde_json::{Map, Value, json};

use super::{Checked, is_filled, only};

/// Accepted with a resource, and never shown again.
const WRITE_ONLY: [&str; 2] = ["authorization_token", "password"];

/// Checks the events that a session begins with.
pub(super) fn initial_events(events: Vec<Value>) -> Checked<Value> {
    if !(1..=50).contains(&events.len()) {
        return Err("must have 1 to 50 events".to_owned());
    }
    for (index, event) in events.iter().enumerate() {
        self::event(event).map_err(|problem| format!("[{index}] {problem}"))?;
    }
    Ok(Value::Array(events))
}

fn event(event: &Value) -> Checked<()> {
    let fields = event.as_object().ok_or("must be an object")?;
    match fields.get("type").and_then(Value::as_str).unwrap_or_default() {
        "user.message" => {
            only(fields, &["type", "content"])?;
            content(fields, &["text", "image", "document", "redacted"])
        }
        "system.message" => {
            only(fields, &["type", "content"])?;
            content(fields, &["text"])
        }
        "user.define_outcome" => outcome(fields),
        _ => Err("must have one of these types: user.message, user.define_outcome, system.message"
            .to_owned()),
    }
}

/// A text, or a list of blocks.
fn content(event: &Map<String, Value>, kinds: &[&str]) -> Checked<()> {
    let is_block = |block: &Value| {
        let kind = block["type"].as_str().unwrap_or_default();
        kinds.contains(&kind) && (kind != "text" || block["text"].is_string())
    };
    match event.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) if !blocks.is_empty() && blocks.iter().all(is_block) => Ok(()),
        _ => Err(format!(
            "must have a content that is a text or a list of blocks ({})",
            kinds.join(", ")
        )),
    }
}

fn outcome(event: &Map<String, Value>) -> Checked<()> {
    only(event, &["type", "description", "rubric", "max_iterations"])?;
    if event.get("description").is_some_and(|description| !description.is_string()) {
        return Err("must have a description that is a string".to_owned());
    }
    let is_rubric = |rubric: &Value| match rubric["type"].as_str() {
        Some("text") => has_only(rubric, "content") && rubric["content"].is_string(),
        Some("file") => has_only(rubric, "file_id") && is_filled(&rubric["file_id"]),
        _ => false,
    };
    if event.get("rubric").is_some_and(|rubric| !is_rubric(rubric)) {
        return Err("must have a rubric of type text with content, or file with file_id".to_owned());
    }
    let is_count = |count: &Value| count.as_u64().is_some_and(|count| (1..=20).contains(&count));
    if event.get("max_iterations").is_some_and(|count| !is_count(count)) {
        return Err("must have max_iterations of 1 to 20".to_owned());
    }
    Ok(())
}

/// Checks the resources of a session, and keeps what is shown of them.
pub(super) fn resources(mut resources: Vec<Value>) -> Checked<Value> {
    if resources.len() > 500 {
        return Err("may have 500 entries".to_owned());
    }
    for (index, resource) in resources.iter_mut().enumerate() {
        let checked = resource.as_object_mut().ok_or("must be an object".to_owned());
        checked.and_then(self::resource).map_err(|problem| format!("[{index}] {problem}"))?;
    }
    Ok(Value::Array(resources))
}

fn resource(resource: &mut Map<String, Value>) -> Checked<()> {
    let (needed, others): (&str, &[&str]) = match resource
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
    {
        "github_repository" => ("url", &["mount_path", "checkout", "authorization_token"]),
        "git_repository" => ("url", &["mount_path", "checkout", "password"]),
        "file" => ("file_id", &["mount_path"]),
        "memory_store" => ("memory_store_id", &["access", "instructions"]),
        _ => {
            return Err("must have one of these types: github_repository, git_repository, file, memory_store".to_owned());
        }
    };
    only(resource, &[&["type", needed], others].concat())?;
    if !resource.get(needed).is_some_and(is_filled) {
        return Err(format!("needs a {needed}"));
    }
    if resource.get("mount_path").is_some_and(|path| !is_filled(path)) {
        return Err("must have a mount_path that is a path".to_owned());
    }
    if resource.get("checkout").is_some_and(|checkout| !is_checkout(checkout)) {
        return Err("must have a checkout of type branch with name, or commit with sha".to_owned());
    }
    let accesses = [json!("read_write"), json!("read_only")];
    if resource.get("access").is_some_and(|access| !accesses.contains(access)) {
        return Err("must have the access read_write or read_only".to_owned());
    }
    let fits = |text: &str| text.chars().count() <= 4096;
    if resource.get("instructions").is_some_and(|text| !text.as_str().is_some_and(fits)) {
        return Err("may have instructions of 4096 characters".to_owned());
    }
    for secret in WRITE_ONLY {
        if resource.remove(secret).is_some_and(|value| !value.is_string()) {
            return Err(format!("must have a {secret} that is a string"));
        }
    }
    Ok(())
}

fn is_checkout(checkout: &Value) -> bool {
    match checkout["type"].as_str() {
        Some("branch") => has_only(checkout, "name") && is_filled(&checkout["name"]),
        Some("commit") => has_only(checkout, "sha") && is_filled(&checkout["sha"]),
        _ => false,
    }
}

/// Whether an object has a type, this, and nothing else.
fn has_only(object: &Value, key: &str) -> bool {
    object.as_object().is_some_and(|object| only(object, &["type", key]).is_ok())
}
