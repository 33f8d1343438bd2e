//! What a structural schema does to objects: drops unknown fields, sets defaults, refuses values.

use regex::Regex;
use serde_json::{Map, Value};

use crate::{
    failure::Cause,
    fields::{List, items, list_of},
};

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

fn keeps_unknown(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields").is_some()
        || schema.get("additionalProperties").is_some()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Drops fields that the schema does not have, and returns their paths.
pub(crate) fn prune(value: &mut Value, schema: &Value, path: &str) -> Vec<String> {
    let mut unknown = Vec::new();
    match value {
        Value::Object(fields) => {
            let Some(known) = properties(schema) else { return unknown };
            if !keeps_unknown(schema) {
                let names: Vec<_> =
                    fields.keys().filter(|name| !known.contains_key(*name)).cloned().collect();
                for name in names {
                    fields.remove(&name);
                    unknown.push(join(path, &name));
                }
            }
            for (name, field) in fields.iter_mut() {
                if let Some(schema) = known.get(name) {
                    unknown.extend(prune(field, schema, &join(path, name)));
                }
            }
        }
        Value::Array(list) => {
            for (index, item) in list.iter_mut().enumerate() {
                unknown.extend(prune(item, items(schema), &format!("{path}[{index}]")));
            }
        }
        _ => {}
    }
    unknown
}

/// Sets what is absent and has a default.
pub(crate) fn default(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, schema) in properties(schema).into_iter().flatten() {
                if let Some(absent) = schema.get("default")
                    && fields.get(name).is_none_or(Value::is_null)
                {
                    fields.insert(name.clone(), absent.clone());
                }
                if let Some(field) = fields.get_mut(name) {
                    default(field, schema);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| default(item, items(schema))),
        _ => {}
    }
}

/// What is wrong with a value, in the order of its fields; `old` is the value before.
pub(crate) fn validate(value: &Value, old: Option<&Value>, schema: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(value, old, schema, path, &mut causes);
    causes
}

fn check(value: &Value, old: Option<&Value>, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    if !is_of_type(value, wanted) {
        let actual = type_of(value);
        let why = format!("{path} in body must be of type {wanted}: {actual:?}");
        return causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            field: path.to_owned(),
            message: format!("Invalid value: {actual:?}: {why}"),
        });
    }
    // What was there before stays allowed.
    if old == Some(value) {
        return;
    }
    match value {
        Value::Object(fields) => {
            for name in strings(schema, "required") {
                if !fields.contains_key(name) {
                    causes.push(Cause::required(&join(path, name), ""));
                }
            }
            for (name, schema) in properties(schema).into_iter().flatten() {
                if let Some(field) = fields.get(name) {
                    let old = old.and_then(|old| old.get(name));
                    check(field, old, schema, &join(path, name), causes);
                }
            }
        }
        Value::Array(list) => check_list(list, old, schema, path, causes),
        Value::String(text) => check_text(text, schema, path, causes),
        Value::Number(number) => {
            let minimum = schema.get("minimum").and_then(Value::as_f64);
            if let Some(minimum) = minimum.filter(|minimum| number.as_f64() < Some(*minimum)) {
                let why = format!("{path} in body should be greater than or equal to {minimum}");
                causes.push(Cause::invalid(path, value, &why));
            }
        }
        _ => {}
    }
    check_rules(value, old, schema, path, causes);
}

fn check_list(
    list: &[Value],
    old: Option<&Value>,
    schema: &Value,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    if let Some(most) = schema.get("maxItems").and_then(Value::as_u64)
        && list.len() as u64 > most
    {
        let message = format!("Too many: {}: must have at most {most} items", list.len());
        causes.push(Cause { reason: "FieldValueTooMany", field: path.to_owned(), message });
    }
    let kind = list_of(schema);
    let find = |wanted: &str| {
        let old = old.and_then(Value::as_array).into_iter().flatten();
        old.into_iter().find(|item| kind.element(item) == wanted)
    };
    let mut seen = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let (element, path) = (kind.element(item), format!("{path}[{index}]"));
        check(item, find(&element), items(schema), &path, causes);
        if !matches!(kind, List::Atomic) {
            if seen.contains(&element) {
                let shown = element.get(2..).unwrap_or_default();
                let message = format!("Duplicate value: {shown}");
                causes.push(Cause { reason: "FieldValueDuplicate", field: path, message });
            }
            seen.push(element);
        }
    }
}

fn check_text(text: &str, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let value = Value::from(text);
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
    let length = text.chars().count() as u64;
    if let Some(most) = bound("maxLength").filter(|most| length > *most) {
        let message = format!("Too long: may not be more than {most} bytes");
        causes.push(Cause { reason: "FieldValueTooLong", field: path.to_owned(), message });
    }
    if let Some(least) = bound("minLength").filter(|least| length < *least) {
        let why = format!("{path} in body should be at least {least} chars long");
        causes.push(Cause::invalid(path, &value, &why));
    }
    let pattern = schema.get("pattern").and_then(Value::as_str);
    if let Some(pattern) = pattern
        && !Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
    {
        let why = format!("{path} in body should match '{pattern}'");
        causes.push(Cause::invalid(path, &value, &why));
    }
    if schema.get("format").is_some_and(|format| format == "date-time")
        && text.parse::<k8s_openapi::jiff::Timestamp>().is_err()
    {
        let why = format!("{path} in body must be of type date-time: {value}");
        causes.push(Cause::invalid(path, &value, &why));
    }
    let allowed: Vec<_> = strings(schema, "enum").map(|value| format!("{value:?}")).collect();
    if !allowed.is_empty() && !allowed.contains(&format!("{text:?}")) {
        let message =
            format!("Unsupported value: {value}: supported values: {}", allowed.join(", "));
        causes.push(Cause { reason: "FieldValueNotSupported", field: path.to_owned(), message });
    }
}

/// CEL is not there, but the one rule that says that a field never changes is.
fn check_rules(
    value: &Value,
    old: Option<&Value>,
    schema: &Value,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    for rule in rules.into_iter().flatten() {
        let is_known = rule.get("rule").is_some_and(|rule| rule == "self == oldSelf");
        let message = rule.get("message").and_then(Value::as_str).unwrap_or_default();
        if !is_known {
            causes.push(Cause::forbidden(path, "this server knows one rule only: self == oldSelf"));
        } else if old.is_some_and(|old| old != value) {
            causes.push(Cause::invalid(path, value, message));
        }
    }
}

fn strings<'a>(schema: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    schema.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn is_of_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Why a value cannot be applied at all: an apply is typed before it is merged.
pub(crate) fn untyped(value: &Value, schema: &Value, path: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    if !is_of_type(value, wanted) {
        let (expected, got) = match wanted {
            "object" => ("map", go(value)),
            "array" => ("list", go(value)),
            "boolean" => ("boolean", go(value)),
            "integer" => ("numeric (int or float)", go(value)),
            other => (other, go(value)),
        };
        return vec![format!("{path}: expected {expected}, got {got}")];
    }
    match value {
        Value::Object(fields) => {
            let Some(known) = properties(schema) else { return errors };
            for (name, field) in fields {
                let path = format!("{path}.{name}");
                match known.get(name) {
                    Some(schema) => errors.extend(untyped(field, schema, &path)),
                    None if keeps_unknown(schema) => {}
                    None => errors.push(format!("{path}: field not declared in schema")),
                }
            }
        }
        Value::Array(list) => {
            let kind = list_of(schema);
            let mut seen = Vec::new();
            for (index, item) in list.iter().enumerate() {
                let element = match &kind {
                    List::Atomic => format!("[{index}]"),
                    _ => crate::fields::show(&vec![kind.element(item)]),
                };
                if !matches!(kind, List::Atomic) {
                    if seen.contains(&element) {
                        errors.push(format!("{path}: duplicate entries for key {element}"));
                    }
                    seen.push(element.clone());
                }
                errors.extend(untyped(item, items(schema), &format!("{path}{element}")));
            }
        }
        _ => {}
    }
    errors
}

/// As Go prints a value of its JSON library.
fn go(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => format!("&{{{text}}}"),
        other => format!("&{{{other}}}"),
    }
}
