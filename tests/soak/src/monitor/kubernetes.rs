//! What goes to the Kubernetes API and comes back.

use http::StatusCode;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Monitor, State,
    object::{ready, text},
};
use crate::{
    net::Class,
    replica::{TOKEN, identity},
};

/// A request to the Kubernetes API.
#[derive(Debug, Clone)]
pub struct Asked {
    pub class: Class,
    /// Of a resource of ours.
    pub name: Option<String>,
    /// Null: none.
    pub body: Value,
    /// When it was sent.
    pub at: Instant,
}

impl Monitor {
    /// A process sends a request.
    pub fn asks(&self, process: usize, asked: &Asked) {
        let mut state = self.state();
        if matches!(asked.class, Class::Watch | Class::Read | Class::Status) {
            let name = asked.name.as_deref().unwrap_or_default();
            state.note(&format!("p{process} {:?} {name}", asked.class));
        }
        if !matches!(asked.class, Class::Status | Class::Event) {
            return;
        }
        state.check_leader(process, || format!("{:?} by p{process}", asked.class));
        let body = asked.body.to_string();
        state.demand(!body.contains(TOKEN), "S5 secrecy", || body);
        if let (Class::Status, Some(name)) = (asked.class, &asked.name) {
            state.statuses += 1;
            state.check_status(process, name, &asked.body);
        }
    }

    /// A request has had its effect.
    pub fn served(&self, process: usize, asked: &Asked, code: StatusCode, object: &Value) {
        let mut state = self.state();
        let holder = text(&asked.body["spec"]["holderIdentity"]);
        let is_holder = holder.starts_with(&format!("{}_", identity(process)));
        if asked.class == Class::Lease && is_holder && code.is_success() {
            state.holds_lease(process, asked.at);
        }
        if asked.class == Class::Status
            && let Some(name) = &asked.name
        {
            let (ready, reason) = ready(&asked.body["status"]);
            let generation = &asked.body["status"]["observedGeneration"];
            let code = code.as_u16();
            state.note(&format!("p{process} status {name} {ready} {reason} {generation} {code}"));
            if code == 200 {
                state.stored(name, object);
            }
        }
    }

    /// The answer reaches the process.
    pub fn told(&self, process: usize, asked: &Asked, code: StatusCode, object: &Value) {
        let (Class::Read, Some(name), 200) = (asked.class, &asked.name, code.as_u16()) else {
            return;
        };
        let mut state = self.state();
        let (now, object) = (state.now(), state.read(object));
        if let Some(reader) = state.processes.get_mut(&process) {
            reader.read.insert(name.clone(), (now, object));
        }
    }
}

impl State {
    /// What a status says has to be so, as far as anybody has looked.
    fn check_status(&mut self, process: usize, name: &str, body: &Value) {
        let version = text(&body["metadata"]["resourceVersion"]);
        self.demand(!version.is_empty(), "S7 identity", || {
            format!("a status of {name} that lands on whatever has its name")
        });
        let Some(version) = self.versions.get(&(name.to_owned(), version)).cloned() else { return };
        let status = &body["status"];
        let (ready, reason) = ready(status);
        let Some(n) = version.deployment else { return };
        let told = text(&status["name"]);
        let is_its_name = told.is_empty()
            || self.accounts.get(n).is_none_or(|account| account.names.contains(&told));
        self.demand(is_its_name, "S7 identity", || {
            format!("the status of {name} has the name {told:?}, which d{n} never had")
        });
        let refusals =
            self.accounts.get(n).map(|account| account.refusals.clone()).unwrap_or_default();
        let is_heard = match &*reason {
            // An id that is none is refused with 400.
            "RemoteNotFound" => refusals.contains(&404) || refusals.contains(&400),
            "Forbidden" => refusals.contains(&403),
            "WriteRefused" => refusals.iter().any(|code| ![401, 409, 429].contains(code)),
            _ => true,
        };
        self.demand(is_heard, "S4 truth", || {
            format!("{name} is {reason}, and the API has said {refusals:?} of d{n}, nothing else")
        });
        let generation = status["observedGeneration"].as_i64().unwrap_or(-1);
        if ready != "True" || generation != version.generation {
            return;
        }
        let state = text(&status["status"]);
        let is_wished = match version.paused {
            Some(true) => state == "paused",
            Some(false) => state == "active",
            None => false,
        };
        self.demand(reason != "InSync" || is_wished, "S4 truth", || {
            format!("{name} is InSync, and {state}")
        });
        let Some(known) = self.processes.get(&process).and_then(|p| p.known.get(n)) else { return };
        let told = (state, text(&status["pausedReason"]["type"]));
        let since_write = known.looks.iter().filter(|look| Some(look.started) >= known.write_ended);
        let is_seen = since_write.chain(&known.write_said).any(|look| {
            look.started >= version.generation_made
                && (&look.shown.status, &look.shown.reason) == (&told.0, &told.1)
        });
        self.demand(is_seen, "S4 truth", || {
            format!(
                "{name} is {ready} {reason} {told:?}, which no look since the last write has shown"
            )
        });
    }
}
