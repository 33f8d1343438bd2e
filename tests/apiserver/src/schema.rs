//! What a structural schema does to objects: it drops unknown fields and sets defaults.

use serde_json::{Map, Value};

use crate::fields::items;

pub(crate) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

pub(crate) fn keeps_unknown(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields").is_some()
        || schema.get("additionalProperties").is_some()
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(crate) fn is_nullable(schema: &Value) -> bool {
    schema.get("nullable").is_some()
}

/// Drops fields that are null and must not be.
pub(crate) fn drop_nulls(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            let known = properties(schema);
            fields.retain(|name, field| {
                !field.is_null() || known.and_then(|known| known.get(name)).is_none_or(is_nullable)
            });
            for (name, field) in fields.iter_mut() {
                if let Some(schema) = known.and_then(|known| known.get(name)) {
                    drop_nulls(field, schema);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| drop_nulls(item, items(schema))),
        _ => {}
    }
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

pub(crate) fn is_of_type(value: &Value, wanted: &str) -> bool {
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
