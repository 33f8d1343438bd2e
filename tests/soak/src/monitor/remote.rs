//! What goes to the remote and comes back.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use qoder_operator::qoder::{SendError, Verb};
use qoder_simulator::{ConnectionCut, Simulator};
use serde_json::Value;

use super::{
    Monitor, State,
    object::text,
    process::{Observation, Shown},
};

/// A request to the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Get(String),
    /// `is_of_half`: of those of one status.
    List {
        is_of_half: bool,
    },
    Post(Verb, String),
}

/// When a request was sent.
#[derive(Debug, Clone, Copy)]
pub struct Ticket(Duration);

/// How long ago a resource may have been read for a write: the read, its answer, and a wait for a connection.
const JUST_READ: Duration = Duration::from_secs(15);

fn shown(document: &Value) -> Shown {
    Shown {
        status: text(&document["status"]),
        reason: text(&document["paused_reason"]["type"]),
        name: text(&document["name"]),
    }
}

impl State {
    fn describe(&self, call: &Call) -> String {
        let number = |id: &str| self.number(id).map_or("d?".to_owned(), |n| format!("d{n}"));
        match call {
            Call::Get(id) => format!("get {}", number(id)),
            Call::List { is_of_half: false } => "list".to_owned(),
            Call::List { is_of_half: true } => "list of half".to_owned(),
            Call::Post(Verb::Pause, id) => format!("pause {}", number(id)),
            Call::Post(Verb::Unpause, id) => format!("unpause {}", number(id)),
        }
    }

    fn check_post(&mut self, process: usize, verb: Verb, n: usize) {
        let now = self.now();
        let Some(sender) = self.processes.get(&process) else { return };
        let Some(known) = sender.known.get(n) else { return };
        let wanted = verb == Verb::Pause;
        let is_asked = sender.read.values().any(|(at, object)| {
            *at + JUST_READ >= now
                && object.deployment == Some(n)
                && object.paused == Some(wanted)
                && !object.is_disabled
        });
        let is_alone = known.under_way == 0;
        let newest = known.newest().map(|look| look.shown.clone());
        let is_lift = !wanted
            && newest
                .as_ref()
                .is_some_and(|shown| shown.status == "paused" && shown.reason == "error");
        self.demand(is_asked, "S1 no wrong send", || {
            format!("{verb:?} of d{n}, which no resource as just read asks for")
        });
        self.check_leader(process, || format!("{verb:?} of d{n} by p{process}"));
        self.demand(is_alone, "one at a time", || format!("{verb:?} of d{n}"));
        let Some(account) = self.accounts.get_mut(n) else { return };
        account.sent += 1;
        account.may_send -= 1;
        account.may_lift -= i64::from(is_lift);
        let (may_send, may_lift) = (account.may_send, account.may_lift);
        self.demand(may_send >= 0, "S3 economy", || {
            format!("{verb:?} of d{n}: nothing has happened since the last one")
        });
        self.demand(!is_lift || may_lift >= 0, "platform pauses", || {
            format!("the pause of d{n} by the platform is lifted, and nobody has asked for it")
        });
    }
}

impl Monitor {
    /// A process sends a request.
    pub fn sends(&self, process: usize, call: &Call) -> Ticket {
        let mut state = self.state();
        let now = state.now();
        let line = format!("p{process} {}", state.describe(call));
        state.note(&line);
        let is_write = matches!(call, Call::Post(..));
        if let Call::Post(verb, id) = call
            && let Some(n) = state.number(id)
        {
            state.check_post(process, *verb, n);
            if let Some(known) = state.processes.get_mut(&process).and_then(|p| p.known.get_mut(n))
            {
                known.under_way += 1;
            }
        }
        if let Some(sender) = state.processes.get_mut(&process) {
            let count = sender.count(is_write, now);
            let most = if is_write { 20 } else { 50 };
            state.demand(count <= most, "S6 budget", || format!("{count} within a second"));
        }
        Ticket(now)
    }

    /// A request arrives, and is served at this moment.
    pub async fn lands(
        &self,
        simulator: &Simulator,
        process: usize,
        call: &Call,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, ConnectionCut> {
        let Call::Post(verb, id) = call else { return simulator.handle(request).await };
        let document = || simulator.deployment(id).unwrap_or_default();
        let before = text(&document()["status"]);
        let answer = simulator.handle(request).await;
        let document = document();
        let after = text(&document["status"]);
        let mut state = self.state();
        if before != after
            && let Some(n) = state.number(id)
        {
            state.note(&format!("p{process} d{n} is {after}"));
            state.becomes(n, &document);
            let opposite = *verb == Verb::Unpause;
            let owned_since = state.accounts.get(n).map(|account| account.owned_since);
            let undone = state.owner(n).filter(|(_, owner)| {
                // What it said before another one owned the deployment for a while may be over.
                owned_since.is_none_or(|owned| owner.said_since >= owned)
                    && owner.paused == Some(opposite)
                    && owner.observed_generation == owner.generation
                    && (&*owner.ready, &*owner.reason) == ("True", "InSync")
            });
            let name = undone.map(|(name, _)| name.clone());
            state.demand(name.is_none(), "S2 kept word", || {
                format!("{verb:?} of d{n} undoes what the status of {name:?} says")
            });
        }
        answer
    }

    /// Someone else changes a deployment. Nothing happens to an archived one.
    pub fn other(&self, simulator: &Simulator, id: &str, change: impl FnOnce(&Simulator, &str)) {
        let document = || simulator.deployment(id).unwrap_or_default();
        let number = self.state().number(id);
        if let Some(n) = number.filter(|_| document()["archived_at"].is_null()) {
            change(simulator, id);
            self.outside(n, &document());
        }
    }

    /// A run of this deployment fails, if it is active: the platform pauses it.
    pub fn run_fails(&self, simulator: &Simulator, id: &str) {
        if simulator.deployment(id).is_some_and(|document| document["status"] == "active") {
            self.other(simulator, id, |simulator, id| {
                self.note("a run fails");
                simulator.pause_by_error(id, "agent_archived_error");
            });
        }
    }

    /// The answer reaches the process.
    pub fn answered(
        &self,
        process: usize,
        call: &Call,
        Ticket(started): Ticket,
        answer: &Result<Response<Bytes>, SendError>,
    ) {
        let mut state = self.state();
        let now = state.now();
        let end = match answer {
            Ok(answer) => answer.status().as_u16().to_string(),
            Err(error) => error.to_string(),
        };
        let line = format!("p{process} {} -> {end}", state.describe(call));
        state.note(&line);
        let document = answer.as_ref().ok().filter(|answer| answer.status().is_success());
        let document: Value = document
            .and_then(|answer| serde_json::from_slice(answer.body()).ok())
            .unwrap_or_default();
        if let (Ok(answer), Call::Get(id) | Call::Post(_, id)) = (answer, call)
            && serde_json::from_slice::<Value>(answer.body()).is_ok_and(|it| it["type"] == "error")
            && let Some(n) = state.number(id)
            && let Some(account) = state.accounts.get_mut(n)
        {
            account.refusals.insert(answer.status().as_u16());
        }
        let looks: Vec<(usize, Observation)> = match call {
            Call::List { .. } => document["data"].as_array().into_iter().flatten().collect(),
            _ => vec![&document],
        }
        .into_iter()
        .filter_map(|item| {
            let n = state.number(item["id"].as_str()?)?;
            Some((n, Observation { started, shown: shown(item) }))
        })
        .collect();
        if *call == (Call::List { is_of_half: true }) && document["data"].is_array() {
            // What is not in it is in the other half. It has one page.
            state
                .accounts
                .iter_mut()
                .for_each(|account| account.looked_at = account.looked_at.max(started));
        }
        for (n, look) in looks.iter().cloned() {
            if let Some(account) = state.accounts.get_mut(n) {
                account.looked_at = account.looked_at.max(started);
            }
            if let Some(known) = state.processes.get_mut(&process).and_then(|p| p.known.get_mut(n))
            {
                known.look(look);
            }
        }
        let Call::Post(verb, id) = call else { return };
        let Some(n) = state.number(id) else { return };
        let wanted = if *verb == Verb::Pause { "paused" } else { "active" };
        let said = looks.into_iter().find(|(m, _)| *m == n).map(|(_, look)| look);
        // The API has not done it, nor will.
        let is_nothing = match answer {
            Ok(answer) => [401, 429].contains(&answer.status().as_u16()),
            Err(error) => matches!(error, SendError::NotSent(_)),
        };
        let is_done = said.as_ref().is_some_and(|look| look.shown.status == wanted);
        if let Some(known) = state.processes.get_mut(&process).and_then(|p| p.known.get_mut(n)) {
            known.under_way = known.under_way.saturating_sub(1);
            if !is_nothing {
                known.write_ended = Some(now);
                known.write_said = said;
            }
        }
        let is_clear = answer.as_ref().is_ok_and(|answer| answer.status().is_client_error());
        if let Some(account) = state.accounts.get_mut(n)
            && !is_done
        {
            account.may_send += 1;
            account.may_lift += i64::from(!is_clear || *verb == Verb::Unpause);
        }
    }
}
