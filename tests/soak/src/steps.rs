//! What each step does to a world.

use std::time::Duration;

use apiserver::{ApiServer, Watch};
use qoder_simulator::{Fault, Operation, Simulator, Token};
use serde_json::{Value, json};

use crate::{
    link::{AGAIN, SILENCE},
    net::{Class, Fate},
    script::{Answer, Event, NAMES, Step},
    world::{Act, NAMESPACE, World},
};

impl World {
    pub fn happens(&mut self, step: &Step) {
        match *step {
            Step::Apply { resource, deployment, paused, warns } => {
                self.apply(NAMES[resource], deployment, paused, warns);
            }
            Step::ApplyAll(paused) => {
                for (n, name) in NAMES[..self.resources].iter().enumerate() {
                    if self.around.server.deployments().get(NAMESPACE, name).is_none() {
                        self.apply(name, n % self.ids.len(), Some(paused), false);
                    }
                }
                self.change_minds(|_| paused);
            }
            Step::UndoAll => self.undo_all(),
            Step::Delete(resource) => self.delete(NAMES[resource]),
            Step::Annotate(resource, key) => self.annotate(NAMES[resource], key, None),
            Step::Disable(resource, is_disabled) => {
                let value = if is_disabled { "disabled" } else { "enabled" };
                self.annotate(NAMES[resource], "cloud.qoder.com/reconcile", Some(value));
            }
            Step::Toggle(n, paused) => {
                self.other(n, |simulator, id| simulator.set_paused(id, paused));
            }
            Step::FailRun(n) => {
                if let Some(id) = self.ids.get(n) {
                    self.around.monitor.run_fails(&self.around.simulator, id);
                }
            }
            Step::Rename(n) => {
                let new = format!("name-{}", self.fresh());
                self.other(n, |simulator, id| simulator.patch(id, json!({ "name": new })));
            }
            Step::Archive(n) => self.other(n, Simulator::archive),
            Step::Messages { class, fate, skip, times } => {
                self.around.net.rule(class, fate, skip, times);
            }
            Step::Answers { class, answer, times } => self.answers(class, answer, times),
            Step::RemoteAway(lasts) => {
                self.around.net.set_remote_away(true);
                self.later(lasts, Act::RemoteBack);
            }
            Step::Slow { remote, kubernetes, lasts } => {
                self.around.net.slow(remote, kubernetes);
                self.around.monitor.disturb(lasts);
                self.later(lasts, Act::Usual);
            }
            Step::Lag { by, lasts } => {
                self.set(|settings| settings.read_lag = by);
                self.later(lasts, Act::NoLag);
            }
            Step::Revoke(lasts) => {
                self.around.simulator.accept_tokens([Token::new("pt-another-obviously-fake")]);
                self.later(lasts, Act::Accept);
            }
            Step::Limit { writes, lasts } => {
                self.set(|settings| settings.writes_per_second = writes);
                self.later(lasts, Act::NoLimit);
            }
            Step::HoldWatches(lasts) => {
                self.around.server.hold_watches();
                self.around.monitor.disturb(lasts);
                self.later(lasts, Act::ReleaseWatches);
            }
            Step::CutWatches => self.watches(Watch::sever),
            Step::ExpireWatches => {
                self.around.server.compact();
                self.watches(Watch::expire);
            }
            Step::SilenceWatches => {
                self.watches(Watch::silence);
                // It is noticed within a minute.
                self.around.monitor.disturb(SILENCE);
            }
            Step::ServerAway(lasts) => {
                self.around.server.stop();
                self.is_server_up = false;
                self.later(lasts, Act::ServerBack);
            }
            Step::Kill(place, lasts) => {
                self.end(place, true);
                self.later(lasts, Act::Begin(place));
            }
            Step::Stop(place, lasts) => {
                self.end(place, false);
                self.later(lasts, Act::Begin(place));
            }
            Step::Freeze(place, lasts) => self.shut(place, lasts, true),
            Step::Suspend(lasts) => {
                self.around.monitor.disturb(lasts + AGAIN);
                self.suspended = lasts;
            }
            Step::CutOff(place, lasts) => self.shut(place, lasts, false),
        }
    }

    fn apply(&mut self, name: &str, deployment: usize, paused: Option<bool>, warns: bool) {
        let Some(id) = self.ids.get(deployment).cloned() else { return };
        let deployments = self.around.server.deployments();
        let is_another = |object: &Value| object["spec"]["deploymentID"] != *id;
        if deployments.get(NAMESPACE, name).is_some_and(|object| is_another(&object)) {
            self.delete(name);
        }
        let drift = if warns { "Warn" } else { "Correct" };
        let mut spec = json!({ "deploymentID": id, "driftPolicy": drift });
        if let Some(paused) = paused {
            spec["paused"] = json!(paused);
        }
        self.store(name, &spec);
    }

    /// All resources that say `paused` say this instead.
    fn change_minds(&self, paused: impl Fn(bool) -> bool) {
        for (name, object) in self.objects() {
            let mut spec = object["spec"].clone();
            if let Some(paused) = spec["paused"].as_bool().map(&paused) {
                spec["paused"] = json!(paused);
                self.store(name, &spec);
            }
        }
    }

    /// All is right, and something is asked of all resources: another state of each, or a look at each, while one request
    /// to look is lost. Or somebody keeps undoing what a crowd asks for. Returns how long that may take.
    pub fn ask(&mut self, round: u32) -> Duration {
        if self.is_crowd && round % 4 == 2 {
            // Each is seen with the next poll. Three are undone, and the fourth is not.
            for n in 0..4 {
                let at = self.now() + Duration::from_secs(35) * n;
                self.at(at, Act::Step(Event { at, step: Step::UndoAll }));
            }
            return Duration::from_secs(150);
        }
        if round.is_multiple_of(2) {
            self.change_minds(|paused| !paused);
            // No more than is sent within a second, and a second.
            return Duration::from_secs(2);
        }
        // After both of them the remote counts as away, and is left alone until the next poll.
        let class = if round % 4 == 1 { Class::Get } else { Class::List };
        self.around.net.rule(class, Fate::Refused, 0, 1);
        for name in NAMES {
            self.annotate(name, "cloud.qoder.com/reconcile-requested-at", None);
        }
        // Two waits of one second: a list may be tried as well as a GET.
        Duration::from_secs(5)
    }

    fn store(&self, name: &str, spec: &Value) {
        let metadata = json!({ "namespace": NAMESPACE, "name": name });
        let object = json!({ "metadata": metadata, "spec": spec });
        if let Err(failure) = self.around.server.deployments().apply(object) {
            self.around.monitor.breaks("the world works", format!("apply: {failure:?}"));
        }
        self.edited(name);
    }

    fn delete(&self, name: &str) {
        // It may not be there.
        let _ = self.around.server.deployments().delete(NAMESPACE, name);
        self.edited(name);
    }

    fn annotate(&mut self, name: &str, key: &str, value: Option<&str>) {
        let fresh = self.fresh().to_string();
        let value = value.unwrap_or(&fresh);
        // It may not be there.
        let _ = self.around.server.deployments().annotate(NAMESPACE, name, key, value);
        self.edited(name);
    }

    fn other(&self, n: usize, change: impl FnOnce(&Simulator, &str)) {
        if let Some(id) = self.ids.get(n) {
            self.around.monitor.other(&self.around.simulator, id, change);
        }
    }

    fn looks_changed(&self, n: usize) {
        let Some(id) = self.ids.get(n) else { return };
        let document = self.around.simulator.deployment(id).unwrap_or_default();
        self.around.monitor.outside(n, &document);
    }

    fn undo_all(&self) {
        for n in 0..self.ids.len() {
            let wish = self.around.monitor.state().owner(n).and_then(|(_, owner)| owner.paused);
            if let Some(wish) = wish {
                self.other(n, |simulator, id| simulator.set_paused(id, !wish));
            }
        }
    }

    fn watches(&self, each: impl Fn(&Watch)) {
        let server: &ApiServer = &self.around.server;
        server.watches().iter().for_each(each);
        self.around.monitor.disturb(AGAIN);
    }

    fn shut(&mut self, place: usize, lasts: Duration, is_frozen: bool) {
        let Some(replica) = self.replicas.get(place).and_then(Option::as_ref) else { return };
        let gate = replica.gate.clone();
        gate.set(|now| if is_frozen { now.is_frozen = true } else { now.is_cut = true });
        self.around.monitor.disturb(lasts);
        self.later(lasts, Act::Open(gate));
    }

    fn answers(&mut self, class: Class, answer: Answer, times: u64) {
        let operations: &[Operation] = match class {
            Class::Get => &[Operation::Get],
            Class::List => &[Operation::List],
            _ => &[Operation::Pause, Operation::Unpause],
        };
        let another = self.ids.first().cloned().unwrap_or_default();
        for operation in operations {
            let fault = match answer {
                Answer::Refuses(code) => Fault::respond(code),
                Answer::Gateway(code) => Fault::respond(code).html(),
                Answer::RetryAfter(code, after) => {
                    Fault::respond(code).header("retry-after", after)
                }
                Answer::Empty => Fault::empty(),
                Answer::Truncated => Fault::truncate(),
                Answer::WrongType => Fault::merge(json!({ "status": 7 })),
                Answer::UnknownStatus => Fault::merge(json!({ "status": "resting" })),
                Answer::AnotherId => Fault::merge(json!({ "id": another })),
                Answer::Stale => Fault::stale(),
                Answer::CursorLoop => Fault::cursor_loop(),
                Answer::Redirect => {
                    Fault::respond(307).header("location", "http://127.0.0.1:1/elsewhere")
                }
                Answer::Oversized => Fault::oversized(9 << 20),
            };
            let fault = fault.on(*operation).times(times);
            // Some answers are those of a list only, or of a read.
            if fault.check().is_ok() {
                self.around.simulator.inject(fault);
            }
        }
        if answer == Answer::Stale {
            // What is shown once more looks as if somebody had changed it.
            self.shows_stale = true;
            (0..self.ids.len()).for_each(|n| self.looks_changed(n));
        }
    }
}
