//! Why an apply cannot be understood: it is typed by the schema before it is merged.

use serde_json::Value;

use crate::{
    fields::{List, child, items, list_of, show},
    schema::{is_of_type, keeps_unknown, properties},
};

/// The first reason, in the real server's words. A null is of every type here.
pub(crate) fn untyped(value: &Value, schema: &Value, path: &str) -> Option<String> {
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    if !value.is_null() && !is_of_type(value, wanted) {
        let expected = match wanted {
            "object" => "map",
            "array" => "list",
            "integer" => "numeric (int or float)",
            other => other,
        };
        return Some(format!("{path}: expected {expected}, got {}", go(value)));
    }
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            let path = format!("{path}.{name}");
            let is_known = properties(schema).is_some_and(|known| known.contains_key(name));
            if !is_known && !keeps_unknown(schema) {
                return Some(format!("{path}: field not declared in schema"));
            }
            untyped(field, child(schema, name).0, &path)
        }),
        Value::Array(list) => untyped_list(list, schema, path),
        _ => None,
    }
}

fn untyped_list(list: &[Value], schema: &Value, path: &str) -> Option<String> {
    let kind = list_of(schema);
    let mut seen = Vec::new();
    for (index, item) in list.iter().enumerate() {
        if let List::Map(keys) = &kind
            && keys.iter().all(|key| item.get(key).is_none())
        {
            return Some(format!(
                "{path}: element {index}: associative list with keys has an element that omits all key fields {keys:?} (and doesn't have default values for any key fields)"
            ));
        }
        let element = match &kind {
            List::Atomic => format!("[{index}]"),
            _ => show(&vec![kind.element(item)]),
        };
        if !matches!(kind, List::Atomic) && seen.contains(&element) {
            return Some(format!("{path}: duplicate entries for key {element}"));
        }
        let why = untyped(item, items(schema), &format!("{path}{element}"));
        if why.is_some() {
            return why;
        }
        seen.push(element);
    }
    None
}

/// As Go prints a value of its JSON library.
fn go(value: &Value) -> String {
    match value {
        Value::String(text) => format!("&{{{text}}}"),
        other => format!("&value.valueUnstructured{{Value:{other}}}"),
    }
}
