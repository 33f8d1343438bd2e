//! Runs the script on one side.

use std::{collections::BTreeMap, time::Duration};

use futures::{AsyncBufReadExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::{normal, script::Step};

/// How long an event may take that must come.
const SOON: Duration = Duration::from_secs(10);

/// How long to wait for an event that must not come.
const QUIET: Duration = Duration::from_millis(700);

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub code: u16,
    pub warnings: Vec<String>,
    pub body: Value,
}

impl Answer {
    /// The lines that differ.
    pub fn against(&self, ours: &Self) -> String {
        let lines = |answer: &Self| {
            let body = serde_json::to_string_pretty(&answer.body).unwrap();
            let head = format!("{} {:?}", answer.code, answer.warnings);
            std::iter::once(head).chain(body.lines().map(ToOwned::to_owned)).collect::<Vec<_>>()
        };
        let (real, ours) = (lines(self), lines(ours));
        let only = |sign: &str, some: &[String], others: &[String]| {
            let mut others = others.to_vec();
            let lines = some.iter().filter(|line| {
                let found = others.iter().position(|other| other == *line);
                found.map(|at| others.swap_remove(at)).is_none()
            });
            lines.map(|line| format!("  {sign} {}", line.trim())).collect::<Vec<_>>()
        };
        let shown = [only("real", &real, &ours), only("ours", &ours, &real)].concat();
        if shown.is_empty() {
            return format!("  order\n  real {real:?}\n  ours {ours:?}\n");
        }
        shown.join("\n") + "\n"
    }
}

type Lines = BoxStream<'static, std::io::Result<String>>;

/// What a side does around steps.
pub struct Hooks<'a> {
    /// The operator has no right to what it asks for: these see to it.
    pub before_operator: &'a dyn Fn(),
    pub after_operator: &'a dyn Fn(),
    /// Makes the server forget what is old.
    pub age: &'a dyn Fn() -> BoxFuture<'static, ()>,
}

/// A server, and what was learned from it.
pub struct Side {
    administrator: Client,
    operator: Client,
    namespaces: [String; 2],
    /// Raw bodies by label.
    labelled: BTreeMap<String, Value>,
    watches: BTreeMap<String, Lines>,
}

impl Side {
    pub fn new(administrator: Client, operator: Client, namespaces: [&str; 2]) -> Self {
        let namespaces = namespaces.map(ToOwned::to_owned);
        let (labelled, watches) = (BTreeMap::new(), BTreeMap::new());
        Self { administrator, operator, namespaces, labelled, watches }
    }

    /// Runs all steps.
    pub async fn run(&mut self, steps: &[Step], hooks: &Hooks<'_>) -> Vec<Answer> {
        let mut answers = Vec::new();
        for step in steps {
            if step.verb == "AGE" {
                (hooks.age)().await;
                answers.push(Answer { code: 0, warnings: Vec::new(), body: json!(null) });
                continue;
            }
            if step.is_operators {
                (hooks.before_operator)();
            }
            let answer = self.step(step).await;
            if step.is_operators {
                (hooks.after_operator)();
            }
            if let Some(label) = &step.label {
                self.labelled.insert(label.clone(), answer.body.clone());
            }
            answers.push(answer);
        }
        normal::make(&mut answers, &self.namespaces);
        answers
    }

    async fn step(&mut self, step: &Step) -> Answer {
        let body = self.fill(&step.body);
        if step.verb == "NEXT" {
            return self.next(&step.path, body.parse().unwrap()).await;
        }
        let is_watch = matches!(step.verb.as_str(), "WATCH" | "OPEN");
        let client = if step.is_operators { &self.operator } else { &self.administrator };
        let answer = client.send(self.request(step, &body)).await;
        let answer = answer.unwrap_or_else(|error| panic!("line {}: {error}", step.line));
        let code = answer.status().as_u16();
        let warnings = answer.headers().get_all("warning").into_iter();
        let warnings = warnings.map(|value| value.to_str().unwrap().to_owned()).collect();
        let body = if is_watch && code == 200 {
            let reader = answer
                .into_body()
                .into_data_stream()
                .map(|data| data.map_err(std::io::Error::other));
            let mut lines: Lines = Box::pin(futures::TryStreamExt::into_async_read(reader).lines());
            if step.verb == "OPEN" {
                self.watches.insert(step.label.clone().unwrap(), lines);
                json!(null)
            } else {
                let mut events = Vec::new();
                while let Some(line) = lines.next().await {
                    events.push(serde_json::from_str(&line.unwrap()).unwrap());
                }
                Value::Array(events)
            }
        } else {
            let bytes = answer.into_body().collect().await.unwrap().to_bytes();
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Answer { code, warnings, body }
    }

    /// The next events of an open watch, and none more. Bookmarks come when a server likes, but for
    /// the one that ends a list.
    async fn next(&mut self, label: &str, count: usize) -> Answer {
        let lines = self.watches.get_mut(label).unwrap();
        let mut events = Vec::new();
        loop {
            let patience = if events.len() < count { SOON } else { QUIET };
            match tokio::time::timeout(patience, lines.next()).await {
                Ok(Some(line)) => {
                    let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
                    let annotations = event.pointer("/object/metadata/annotations");
                    if event["type"] != "BOOKMARK" || annotations.is_some() {
                        events.push(event);
                    }
                }
                Ok(None) => {
                    events.push(json!("the end"));
                    break;
                }
                Err(_) => break,
            }
        }
        let code = u16::from(events.len() == count);
        Answer { code, warnings: Vec::new(), body: Value::Array(events) }
    }

    fn request(&self, step: &Step, body: &str) -> Request<Body> {
        let (method, content_type) = match step.verb.as_str() {
            "GET" | "WATCH" | "OPEN" => (Method::GET, ""),
            "POST" => (Method::POST, "application/json"),
            "PUT" => (Method::PUT, "application/json"),
            "DELETE" => (Method::DELETE, "application/json"),
            "MERGE" => (Method::PATCH, "application/merge-patch+json"),
            "JSON" => (Method::PATCH, "application/json-patch+json"),
            "APPLY" => (Method::PATCH, "application/apply-patch+yaml"),
            other => panic!("line {}: what is {other}?", step.line),
        };
        let path = self.fill(&step.path);
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let mut parts: Vec<_> = path.split('/').collect();
        let namespace = match parts[0] {
            "all" => None,
            "two" => Some(&self.namespaces[1]),
            _ => Some(&self.namespaces[0]),
        };
        if matches!(parts[0], "all" | "two") {
            parts.remove(0);
        }
        let (group, kind, plural) = match parts.remove(0) {
            "qdep" => ("cloud.qoder.com/v1alpha1", "QoderDeployment", "qoderdeployments"),
            "events" => ("events.k8s.io/v1", "Event", "events"),
            "leases" => ("coordination.k8s.io/v1", "Lease", "leases"),
            other => panic!("line {}: what is {other}?", step.line),
        };
        let namespace = namespace.map(|it| format!("/namespaces/{it}")).unwrap_or_default();
        let rest = parts.join("/");
        let is_watch = matches!(step.verb.as_str(), "WATCH" | "OPEN");
        let watch = if is_watch { "watch=true&" } else { "" };
        let uri = format!("/apis/{group}{namespace}/{plural}/{rest}?{watch}{query}");
        // Who wants another type says so.
        let mut body = body.to_owned();
        if matches!(step.verb.as_str(), "POST" | "PUT" | "APPLY") {
            let mut typed: Value = serde_json::from_str(&body).unwrap();
            let fields = typed.as_object_mut().unwrap();
            fields.entry("apiVersion").or_insert_with(|| json!(group));
            fields.entry("kind").or_insert_with(|| json!(kind));
            body = typed.to_string();
        }
        let request = Request::builder().method(method).uri(uri).header("user-agent", "script/1");
        let request = match content_type {
            "" => request,
            _ => request.header("content-type", content_type),
        };
        request.body(Body::from(body.into_bytes())).unwrap()
    }

    /// Replaces `${label.what}` and `${one}`, the name of the first namespace.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap();
            filled.push_str(before);
            filled.push_str(&self.value(name));
            rest = after;
        }
        filled + rest
    }

    fn value(&self, name: &str) -> String {
        let Some((label, what)) = name.split_once('.') else {
            return self.namespaces[usize::from(name == "two")].clone();
        };
        let body = &self.labelled[label];
        let value = match what {
            "rv" => body.pointer("/metadata/resourceVersion").cloned(),
            "uid" => body.pointer("/metadata/uid").cloned(),
            "continue" => body.pointer("/metadata/continue").cloned(),
            "object" => return body.to_string(),
            other => panic!("what is {other}?"),
        };
        let value = value.unwrap_or_else(|| panic!("{name} of {body}"));
        value.as_str().unwrap_or_default().to_owned()
    }
}
