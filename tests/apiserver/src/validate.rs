//! What a structural schema refuses.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use regex::Regex;
use serde_json::Value;

use crate::{
    failure::Cause,
    fields::{List, items, list_of},
    schema::{is_nullable, is_of_type, join, properties},
};

/// What is wrong with a value, in the order of its fields; `old` is the value before. Messages name
/// fields from `place` on.
pub(crate) fn validate(
    value: &Value,
    old: Option<&Value>,
    schema: &Value,
    place: &str,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    Checking { root: place.len() + usize::from(!place.is_empty()), causes: &mut causes }
        .check(value, old, schema, "");
    causes
}

/// A validation on its way.
struct Checking<'a> {
    /// How much of a path messages leave out.
    root: usize,
    causes: &'a mut Vec<Cause>,
}

impl Checking<'_> {
    fn shown(&self, path: &str) -> String {
        path.get(self.root..).unwrap_or_default().to_owned()
    }

    fn check(&mut self, value: &Value, old: Option<&Value>, schema: &Value, path: &str) {
        if value.is_null() && is_nullable(schema) {
            return;
        }
        let shown = self.shown(path);
        let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        if !is_of_type(value, wanted) {
            let actual = type_of(value);
            let why = format!("{shown} in body must be of type {wanted}: {actual:?}");
            return self.causes.push(Cause {
                is_rule: false,
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
                        self.causes.push(Cause::required(&join(path, name), ""));
                    }
                }
                for (name, schema) in properties(schema).into_iter().flatten() {
                    if let Some(field) = fields.get(name) {
                        let old = old.and_then(|old| old.get(name));
                        self.check(field, old, schema, &join(path, name));
                    }
                }
            }
            Value::Array(list) => self.check_list(list, old, schema, path),
            Value::String(text) => self.check_text(text, schema, path),
            Value::Number(number) => {
                let minimum = schema.get("minimum").and_then(Value::as_f64);
                if let Some(minimum) = minimum.filter(|minimum| number.as_f64() < Some(*minimum)) {
                    let why =
                        format!("{shown} in body should be greater than or equal to {minimum}");
                    self.causes.push(Cause::invalid(path, value, &why));
                }
            }
            _ => {}
        }
        self.check_rules(value, old, schema, path);
    }

    fn check_list(&mut self, list: &[Value], old: Option<&Value>, schema: &Value, path: &str) {
        if let Some(most) = schema.get("maxItems").and_then(Value::as_u64)
            && list.len() as u64 > most
        {
            let message = format!("Too many: {}: must have at most {most} items", list.len());
            self.causes.push(Cause {
                is_rule: false,
                reason: "FieldValueTooMany",
                field: path.to_owned(),
                message,
            });
        }
        let kind = list_of(schema);
        let find = |wanted: &str| {
            let old = old.and_then(Value::as_array).into_iter().flatten();
            old.into_iter().find(|item| kind.element(item) == wanted)
        };
        let mut seen = Vec::new();
        for (index, item) in list.iter().enumerate() {
            let (element, path) = (kind.element(item), format!("{path}[{index}]"));
            self.check(item, find(&element), items(schema), &path);
            if !matches!(kind, List::Atomic) {
                if seen.contains(&element) {
                    let shown = element.get(2..).unwrap_or_default();
                    let message = format!("Duplicate value: {shown}");
                    self.causes.push(Cause {
                        is_rule: false,
                        reason: "FieldValueDuplicate",
                        field: path,
                        message,
                    });
                }
                seen.push(element);
            }
        }
    }

    fn check_text(&mut self, text: &str, schema: &Value, path: &str) {
        let shown = self.shown(path);
        let value = Value::from(text);
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        let length = text.chars().count() as u64;
        if let Some(most) = bound("maxLength").filter(|most| length > *most) {
            let message = format!("Too long: may not be more than {most} bytes");
            self.causes.push(Cause {
                is_rule: false,
                reason: "FieldValueTooLong",
                field: path.to_owned(),
                message,
            });
        }
        if let Some(least) = bound("minLength").filter(|least| length < *least) {
            let why = format!("{shown} in body should be at least {least} chars long");
            self.causes.push(Cause::invalid(path, &value, &why));
        }
        let pattern = schema.get("pattern").and_then(Value::as_str);
        if let Some(pattern) = pattern
            && !compiled(pattern).is_some_and(|regex| regex.is_match(text))
        {
            let why = format!("{shown} in body should match '{pattern}'");
            self.causes.push(Cause::invalid(path, &value, &why));
        }
        if schema.get("format").is_some_and(|format| format == "date-time")
            && text.parse::<k8s_openapi::jiff::Timestamp>().is_err()
        {
            let why = format!("{shown} in body must be of type date-time: {value}");
            let cause = Cause::invalid(path, &value, &why);
            self.causes.push(Cause { reason: "FieldValueTypeInvalid", ..cause });
        }
        let allowed: Vec<_> = strings(schema, "enum").collect();
        if !allowed.is_empty() && !allowed.contains(&text) {
            self.causes.push(Cause::unsupported(path, text, &allowed));
        }
    }

    /// CEL is not there, but the two rules of the CRD are: a pattern, and a field that never changes.
    fn check_rules(&mut self, value: &Value, old: Option<&Value>, schema: &Value, path: &str) {
        let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
        for rule in rules.into_iter().flatten() {
            let text = |name| rule.get(name).and_then(Value::as_str).unwrap_or_default();
            let holds = if text("rule") == "self == oldSelf" {
                old.is_none_or(|old| old == value)
            } else if let Some(pattern) = pattern_of(text("rule")) {
                value.as_str().is_some_and(|text| pattern.is_match(text))
            } else {
                self.causes.push(Cause::forbidden(path, "this server does not know this rule"));
                continue;
            };
            if !holds {
                let cause = match text("reason") {
                    "FieldValueForbidden" => Cause::forbidden(path, text("message")),
                    _ => Cause::invalid(path, value, text("message")),
                };
                self.causes.push(Cause { is_rule: true, ..cause });
            }
        }
    }
}

/// The pattern of the rule `self.matches('PATTERN')`.
fn pattern_of(rule: &str) -> Option<Regex> {
    let pattern = rule.strip_prefix("self.matches('")?.strip_suffix("')")?;
    compiled(pattern)
}

/// A pattern takes far longer to compile than to match, and there are few.
fn compiled(pattern: &str) -> Option<Regex> {
    static KNOWN: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known.get(pattern) {
        return Some(regex.clone());
    }
    let regex = Regex::new(pattern).ok()?;
    known.insert(pattern.to_owned(), regex.clone());
    Some(regex)
}

fn strings<'a>(schema: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    schema.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
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
