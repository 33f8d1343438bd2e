//! What the Go types of Kubernetes refuse beyond their schema: what a recorder or an elector could
//! get wrong.

use serde_json::{Value, json};

use crate::{failure::Cause, fields::child, kind::Kind, meta};

/// Causes to refuse an object of a built-in kind; `old` is the object before.
pub(crate) fn check(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    match kind.plural {
        "events" => check_event(object, old),
        "leases" => check_lease(object),
        _ => Vec::new(),
    }
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A field of an event: how its internal type calls it, whether it must be there, and its length.
const EVENT: [(&str, &str, bool, usize); 5] = [
    ("reportingController", "reportingController", true, usize::MAX),
    ("reportingInstance", "reportingInstance", true, 128),
    ("action", "action", true, 128),
    ("reason", "reason", true, 128),
    ("note", "message", false, 1024),
];

/// Why an empty text is no qualified name.
const NO_NAME: [&str; 2] = [
    "name part must be non-empty",
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
];

/// What an update leaves as it is, in the order in which it is checked.
const IMMUTABLE: [(&str, &str); 7] = [
    ("reason", "reason"),
    ("note", "message"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("reportingController", "reportingController"),
    ("reportingInstance", "reportingInstance"),
];

fn check_event(event: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let namespace = event.pointer("/regarding/namespace").and_then(Value::as_str);
    let namespace = namespace.unwrap_or_default();
    if namespace.is_empty() && !matches!(meta::text(event, "namespace"), "default" | "kube-system")
    {
        let why = "does not match event.namespace";
        causes.push(Cause::invalid("involvedObject.namespace", &json!(namespace), why));
    }
    for (name, shown, is_required, most) in EVENT {
        let value = text(event, name);
        if is_required && value.is_empty() {
            causes.push(Cause::required(shown, ""));
        }
        if name == "reportingController" && value.is_empty() {
            causes.extend(NO_NAME.map(|why| Cause::invalid(shown, &json!(""), why)));
        }
        if value.len() > most {
            let why = format!("can have at most {most} characters");
            causes.push(Cause::invalid(shown, &json!(""), &why));
        }
    }
    let kind = text(event, "type");
    if !matches!(kind, "Normal" | "Warning") {
        let why = format!("has invalid value: {kind}");
        causes.push(Cause::invalid("type", &json!(""), &why));
    }
    let series = event.get("series");
    if let Some(series) = series.filter(|_| series != old.and_then(|old| old.get("series"))) {
        if series.get("count").and_then(Value::as_i64).unwrap_or_default() < 2 {
            causes.push(Cause::invalid("series.count", &json!(""), "should be at least 2"));
        }
        if text(series, "lastObservedTime").is_empty() {
            causes.push(Cause::required("series.lastObservedTime", ""));
        }
    }
    let Some(old) = old else { return causes };
    for (name, shown) in IMMUTABLE {
        if event.get(name) != old.get(name) {
            causes.push(Cause::invalid(shown, &json!(text(event, name)), "field is immutable"));
        }
    }
    causes
}

fn check_lease(lease: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let bounds = [
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, "must be greater than or equal to 0"),
    ];
    for (name, least, why) in bounds {
        let value = lease.pointer(&format!("/spec/{name}"));
        if let Some(value) = value.filter(|value| value.as_i64().is_some_and(|it| it < least)) {
            causes.push(Cause::invalid(&format!("spec.{name}"), value, why));
        }
    }
    causes
}

/// The layout of times to the microsecond, as Go says it.
const MICRO: &str = "2006-01-02T15:04:05.000000Z07:00";

/// The first time that is not one to the microsecond, in Go's words.
pub(crate) fn bad_time(value: &Value, schema: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => {
            fields.iter().find_map(|(name, field)| bad_time(field, child(schema, name).0))
        }
        Value::String(text) if schema.get("x-time").is_some() => {
            let rest = text.get(19..).unwrap_or_default();
            let digits = rest.get(1..7).unwrap_or_default();
            let is_micro = rest.starts_with('.')
                && digits.len() == 6
                && digits.bytes().all(|digit| digit.is_ascii_digit());
            (!is_micro).then(|| {
                format!("parsing time {text:?} as {MICRO:?}: cannot parse {rest:?} as \".000000\"")
            })
        }
        _ => None,
    }
}
