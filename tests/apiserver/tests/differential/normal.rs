//! Makes the answers of both sides comparable. What is not compared as it is, and why:
//!
//! - uids become their order of appearance, and versions their rank among those of objects: they are
//!   fresh, and other things write to a real store between;
//! - times of the server, the ends of generated names, the names of the two namespaces: fresh too;
//! - `managedFields` are sorted, because the real order follows times of a second;
//! - continue tokens, and why one cannot be read: opaque;
//! - numbers of versions in messages, and the object as JSON in the message about an unknown field in
//!   a patch: they are made of the above;
//! - bookmarks but for the one that ends a list (left out in `run.rs`): they come when a server likes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::run::Answer;

/// What must differ becomes what can be compared.
pub fn make(answers: &mut [Answer], namespaces: &[String; 2]) {
    let mut seen = Seen::default();
    for answer in answers.iter_mut() {
        seen.look(&answer.body);
    }
    let uids: BTreeMap<_, _> =
        seen.uids.iter().enumerate().map(|(at, uid)| (uid.clone(), format!("uid-{at}"))).collect();
    for answer in answers {
        change(&mut answer.body, "", &seen.versions);
        let mut text = answer.body.to_string();
        for (uid, shown) in &uids {
            text = text.replace(uid, shown);
        }
        for (namespace, shown) in namespaces.iter().zip(["NAMESPACE-1", "NAMESPACE-2"]) {
            for (left, right) in
                [("\"", "\""), ("\\\"", "\\\""), ("(", "/"), (":", ":"), ("/", "/")]
            {
                let quote = |name: &str| format!("{left}{name}{right}");
                text = text.replace(&quote(namespace), &quote(shown));
            }
        }
        answer.body = serde_json::from_str(&text).unwrap();
    }
}

/// What is in all answers.
#[derive(Default)]
struct Seen {
    uids: Vec<String>,
    /// Of objects: those of lists and bookmarks depend on what else a server writes.
    versions: BTreeSet<u64>,
}

impl Seen {
    fn look(&mut self, value: &Value) {
        if let Some(uid) = value.get("uid").and_then(Value::as_str)
            && !self.uids.iter().any(|seen| seen == uid)
        {
            self.uids.push(uid.to_owned());
        }
        let metadata = value.get("metadata");
        let version = metadata.and_then(|it| it.get("resourceVersion")).and_then(Value::as_str);
        if let (Some(version), true) = (version, metadata.is_some_and(|it| it.get("uid").is_some()))
        {
            self.versions.insert(version.parse().unwrap());
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|field| self.look(field)),
            Value::Array(list) => list.iter().for_each(|item| self.look(item)),
            _ => {}
        }
    }
}

const TIMES: [&str; 3] = ["creationTimestamp", "deletionTimestamp", "time"];

fn change(value: &mut Value, name: &str, versions: &BTreeSet<u64>) {
    match value {
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, field)| change(field, name, versions));
        }
        Value::Array(list) => {
            for item in list.iter_mut() {
                change(item, "", versions);
            }
            if name == "managedFields" {
                list.sort_by_key(|entry| {
                    ["operation", "manager", "subresource"].map(|name| entry[name].to_string())
                });
            }
        }
        Value::String(text) => {
            if name == "resourceVersion" {
                let version: u64 = text.parse().unwrap_or_default();
                *value = json!(format!("rank {}", versions.range(..=version).count()));
            } else if TIMES.contains(&name) {
                *value = json!("a time");
            } else if name == "continue" && !text.is_empty() {
                *value = json!("a token");
            } else if let (true, Some((head, _))) =
                (name == "message", text.split_once("continue key is not valid"))
            {
                // What follows is how the token could not be read.
                *value = json!(head);
            } else if let (true, Some((head, rest))) =
                (name == "message", text.split_once("Invalid value: \"{"))
            {
                // The whole object as JSON, with its times and versions.
                let (_, tail) = rest.rsplit_once("}\": ").unwrap();
                *value = json!(format!("{head}the object: {tail}"));
            } else if name == "message"
                && (text.contains("ResourceVersion in record") || text.contains(", current: "))
            {
                let is_digit = |c: char| c.is_ascii_digit();
                *value = json!(text.split(is_digit).collect::<String>());
            } else if name == "message" && text.contains("too old resource version") {
                *value = json!("too old resource version");
            } else if name == "name" && text.starts_with("generated-") {
                *value = json!("generated-");
            }
        }
        _ => {}
    }
}
