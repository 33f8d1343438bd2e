//! Metadata: what the server writes there, and what it refuses.

use serde_json::{Map, Value, json};

use crate::{
    failure::{Cause, Failure},
    json::Fields as _,
    kind::Kind,
    store::{Key, Store},
};

/// A text of the metadata; empty where it is absent.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    let field = object.get("metadata").and_then(|metadata| metadata.get(name));
    field.and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn finalizers(object: &Value) -> Vec<String> {
    let list = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

pub(crate) fn is_deleted(object: &Value) -> bool {
    !text(object, "deletionTimestamp").is_empty()
}

/// The metadata of an object that begins.
pub(crate) fn begin(object: &mut Value, kind: &Kind, key: &Key, store: &mut Store) {
    let uid = store.fresh_uid();
    let time = store.clock.timestamp();
    let metadata = object.at("metadata");
    for gone in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"] {
        metadata.unset(gone);
    }
    metadata.set("namespace", json!(key.namespace));
    metadata.set("uid", json!(uid));
    metadata.set("creationTimestamp", json!(time));
    if kind.has_status {
        metadata.set("generation", json!(1));
    }
}

/// Drops what the Go type of metadata does not write: what is empty.
pub(crate) fn drop_empty(object: &mut Value) {
    if object.get("metadata").is_some_and(Value::is_object) {
        object.at("metadata").fields().retain(|_, field| {
            !field.as_array().is_some_and(Vec::is_empty)
                && !field.as_object().is_some_and(Map::is_empty)
        });
    }
}

/// What no write changes.
pub(crate) fn keep(old: &Value, object: &mut Value) {
    let before = |name: &str| old.pointer(&format!("/metadata/{name}")).cloned();
    let (uid, namespace) = (text(object, "uid").to_owned(), text(object, "namespace").to_owned());
    let kept =
        ["creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"];
    let metadata = object.at("metadata");
    for name in kept {
        metadata.put(name, before(name));
    }
    if uid.is_empty() {
        metadata.set("uid", before("uid").unwrap_or_default());
    }
    if namespace.is_empty() {
        metadata.set("namespace", before("namespace").unwrap_or_default());
    }
}

fn type_of<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn check_type(kind: &Kind, object: &Value) -> Result<(), Failure> {
    let (version, name) = (type_of(object, "apiVersion"), type_of(object, "kind"));
    if version != kind.api_version() {
        let expected = kind.api_version();
        return Err(Failure::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    if name != kind.name {
        let why = format!("must be {}", kind.name);
        let cause = Cause { field: "kind".to_owned(), ..Cause::invalid("", &json!(name), &why) };
        return Err(Failure::invalid_as(kind.group, name, text(object, "name"), &[cause]));
    }
    Ok(())
}

pub(crate) fn check_namespace(object: &Value, namespace: &str) -> Result<(), Failure> {
    let given = text(object, "namespace");
    if given.is_empty() || given == namespace {
        return Ok(());
    }
    let message =
        "the namespace of the provided object does not match the namespace sent on the request";
    Err(Failure::bad_request(message))
}

pub(crate) fn check_name(object: &Value, key: &Key) -> Result<(), Failure> {
    let given = text(object, "name");
    if given == key.name {
        return Ok(());
    }
    let on_url = &key.name;
    Err(Failure::bad_request(format!(
        "the name of the object ({given}) does not match the name on the URL ({on_url})"
    )))
}

pub(crate) fn check_applied(kind: &Kind, applied: &Value, key: &Key) -> Result<(), Failure> {
    let (version, name) = (type_of(applied, "apiVersion"), type_of(applied, "kind"));
    if version != kind.api_version() || name != kind.name {
        let message = format!("invalid object type: {version}, Kind={name}");
        return Err(Failure::bad_request(message));
    }
    if applied.pointer("/metadata/managedFields").is_some_and(|managed| !managed.is_null()) {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    check_namespace(applied, &key.namespace)?;
    if text(applied, "name").is_empty() { Ok(()) } else { check_name(applied, key) }
}

pub(crate) fn untyped(kind: &Kind, applied: &Value, why: &str) -> Failure {
    let (namespace, name) = (text(applied, "namespace"), text(applied, "name"));
    let message = format!(
        "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {why}",
        kind.api_version(),
        kind.name
    );
    Failure::new(500, "", message)
}

pub(crate) fn rejected_patch() -> Failure {
    let message = "the server rejected our request due to an error in our request";
    Failure::new(422, "Invalid", message).with(json!({}))
}

pub(crate) fn unsupported_media_type() -> Failure {
    const TAKEN: &str = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/apply-patch+cbor";
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {TAKEN}"
    );
    Failure::new(415, "UnsupportedMediaType", message)
}

/// What cannot change in an update.
pub(crate) fn check_update(old: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for name in ["uid"] {
        if text(old, name) != text(object, name) {
            let value = json!(text(object, name));
            let cause = Cause::invalid(&format!("metadata.{name}"), &value, "field is immutable");
            // The real server checks the metadata twice.
            causes.extend([cause.clone(), cause]);
        }
    }
    if is_deleted(old) {
        let before = finalizers(old);
        let added: Vec<_> =
            finalizers(object).into_iter().filter(|name| !before.contains(name)).collect();
        if !added.is_empty() {
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
            );
            let cause = Cause::forbidden("metadata.finalizers", &why);
            causes.extend([cause.clone(), cause]);
        }
    }
    causes
}

/// What a name is, in the words of the real server.
const A_NAME: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Whether the name is one.
pub(crate) fn check_names(object: &Value) -> Vec<Cause> {
    let name = text(object, "name");
    if name.is_empty() {
        return vec![Cause::required("metadata.name", "name or generateName is required")];
    }
    let is_part = |part: &str| {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(is_plain)
            && part.ends_with(is_plain)
            && part.chars().all(|c| is_plain(c) || c == '-')
    };
    if name.len() <= 253 && name.split('.').all(is_part) {
        return Vec::new();
    }
    vec![Cause::invalid("metadata.name", &json!(name), A_NAME)]
}

pub(crate) fn check_preconditions(
    kind: &Kind,
    name: &str,
    options: &Value,
    object: &Value,
) -> Result<(), Failure> {
    for (field, of, shown) in
        [("uid", "uid", "UID"), ("resourceVersion", "resourceVersion", "ResourceVersion")]
    {
        let wanted = options.pointer(&format!("/preconditions/{field}")).and_then(Value::as_str);
        let actual = text(object, of);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != actual) {
            let happened = if field == "uid" { "deleted and then recreated" } else { "modified" };
            let why = format!(
                "the {shown} in the precondition ({wanted}) does not match the {shown} in record ({actual}). The object might have been {happened}"
            );
            let resource = format!("{}.{}", kind.name, kind.group);
            let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
            let details = json!({"name": name, "group": kind.group, "kind": kind.name});
            return Err(Failure::new(409, "Conflict", message).with(details));
        }
    }
    Ok(())
}
