//! Merges what somebody applies into an object, and takes out what they apply no more.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::fields::{FieldSet, List, child, is_atomic, items, list_of};

/// `old` with what `applied` says; `None` is absent.
pub(crate) fn merge(old: Option<&Value>, applied: Option<&Value>, schema: &Value) -> Option<Value> {
    match (old, applied) {
        (old, None) => old.cloned(),
        (Some(Value::Object(old)), Some(Value::Object(new)))
            if !is_atomic(schema, &Value::Object(Map::new())) =>
        {
            let mut merged = old.clone();
            for (name, field) in new {
                let field = merge(old.get(name), Some(field), child(schema, name).0);
                if let Some(field) = field {
                    merged.insert(name.clone(), field);
                }
            }
            Some(Value::Object(merged))
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => match list_of(schema) {
            List::Atomic => Some(Value::Array(new.clone())),
            kind => Some(Value::Array(merge_lists(old, new, &kind, items(schema)))),
        },
        (_, Some(new)) => Some(new.clone()),
    }
}

/// In the order of the applied list, with items that only the old one has where they were.
fn merge_lists(old: &[Value], new: &[Value], kind: &List<'_>, schema: &Value) -> Vec<Value> {
    let index =
        |list: &[Value]| -> Vec<String> { list.iter().map(|item| kind.element(item)).collect() };
    let (of_old, of_new) = (index(old), index(new));
    let find = |elements: &[String], list: &[Value], element: &String| {
        elements.iter().position(|it| it == element).and_then(|at| list.get(at).cloned())
    };
    let merged = |element: &String| {
        let (old, new) = (find(&of_old, old, element), find(&of_new, new, element));
        merge(old.as_ref(), new.as_ref(), schema)
    };
    let mut shared = of_new.iter().filter(|element| of_old.contains(element));
    let mut next_shared = shared.next();
    let (mut out, mut done) = (Vec::new(), BTreeSet::new());
    let (mut left, mut right) = (of_old.iter().peekable(), of_new.iter().peekable());
    loop {
        match (left.peek().copied(), right.peek().copied()) {
            (None, None) => return out,
            (Some(l), Some(r)) if l == r => {
                done.insert(r);
                out.extend(merged(r));
                left.next();
                right.next();
                next_shared = shared.next();
                continue;
            }
            (Some(l), Some(_))
                if of_new.contains(l) && next_shared.is_some_and(|next| next != l) =>
            {
                left.next();
                continue;
            }
            _ => {}
        }
        if let Some(l) = left.peek().copied() {
            if !of_new.contains(l) {
                out.extend(merged(l));
                left.next();
                continue;
            }
            if done.contains(l) {
                left.next();
            }
        }
        if let Some(r) = right.next() {
            done.insert(r);
            out.extend(merged(r));
            if next_shared == Some(r) {
                next_shared = shared.next();
            }
        }
    }
}

/// Takes out of a merged object what its manager had applied (`last`) and nobody has now (`claimed`),
/// in the three steps of the real server: everything that was applied is taken out; what somebody
/// claims comes back; what the manager never had comes back.
pub(crate) fn prune(merged: &Value, last: &FieldSet, claimed: &FieldSet, schema: &Value) -> Value {
    let last = last.with_parents();
    let all = FieldSet::of(merged, schema).with_parents();
    let left = |object: &Value| FieldSet::of(object, schema).with_parents();
    let without = |gone: &FieldSet| {
        let mut object = merged.clone();
        remove(&mut object, gone, schema);
        object
    };
    let pruned = without(&last);
    let pruned = without(&all.without(&left(&pruned).union(&claimed.with_parents())));
    without(&all.without(&left(&pruned)).common(&last))
}

/// Removes the fields of `gone` with all that they have. What is left empty is null.
fn remove(object: &mut Value, gone: &FieldSet, schema: &Value) {
    // Items before what they have: their fields tell them apart.
    let mut paths: Vec<_> = gone.0.iter().collect();
    paths.sort_by_key(|path| path.len());
    for path in paths {
        remove_one(object, path, schema);
    }
}

fn remove_one(at: &mut Value, path: &[String], schema: &Value) {
    let Some((element, rest)) = path.split_first() else { return };
    if let (Some(name), Some(fields)) = (element.strip_prefix("f:"), at.as_object_mut()) {
        let Some(field) = fields.get_mut(name) else { return };
        let schema = child(schema, name).0;
        if rest.is_empty() {
            fields.remove(name);
            return;
        }
        let had_some = !is_empty(field);
        remove_one(field, rest, schema);
        if had_some && is_empty(field) {
            *field = Value::Null;
        }
    } else if let Some(list) = at.as_array_mut() {
        let kind = list_of(schema);
        let Some(index) = list.iter().position(|item| kind.element(item) == *element) else {
            return;
        };
        if rest.is_empty() {
            list.remove(index);
        } else if let Some(item) = list.get_mut(index) {
            remove_one(item, rest, items(schema));
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(Map::is_empty) && value.as_array().is_none_or(Vec::is_empty)
}
