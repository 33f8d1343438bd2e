//! What is watched over, all the time: each message goes past here, and so does each change by anybody. The first property
//! that is broken is kept, and ends the run.

mod kubernetes;
mod object;
mod process;
mod promises;
mod remote;
mod wishes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use qoder_operator::leader::Claim;
use serde_json::Value;
use tokio::time::Instant;

pub use kubernetes::Asked;
pub use object::Object;
pub use remote::{Call, Ticket};

use object::Version;
use process::Process;
use wishes::Truth;

/// What was broken, when, and what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub property: &'static str,
    pub at: Duration,
    pub what: String,
}

/// The one that watches. A clone is the same one.
#[derive(Clone)]
pub struct Monitor(Arc<Mutex<State>>);

pub(crate) struct State {
    begin: Instant,
    /// What has happened, a line each.
    log: String,
    violation: Option<Violation>,
    /// Deployments, in the order of their numbers.
    ids: Vec<String>,
    accounts: Vec<Deployment>,
    processes: BTreeMap<usize, Process>,
    /// The resources as they are stored.
    objects: BTreeMap<String, Object>,
    /// What each version of a resource was.
    versions: BTreeMap<(String, String), Version>,
    /// Until when something is or was wrong with the Kubernetes API, with the way to it, or with a process.
    disturbed: Duration,
    /// The same of what is about one resource, by its name.
    disturbed_for: BTreeMap<String, Duration>,
    /// Until when answers may have shown what was so long ago.
    stale: Option<Duration>,
    /// Which process led last.
    leader: Option<usize>,
    /// Applies of a status, so far.
    statuses: usize,
}

/// What may be done about a deployment, and what was.
#[derive(Default)]
struct Deployment {
    truth: Truth,
    /// Since when the same resource owns it, or none.
    owned_since: Duration,
    /// The names that it has had.
    names: BTreeSet<String>,
    /// How many more requests may be sent.
    may_send: i64,
    /// How many more pauses by the platform may be lifted.
    may_lift: i64,
    sent: usize,
    /// When the last look at it began that was answered with what it is.
    looked_at: Duration,
    /// How often a status has begun to say that it is left alone.
    holds: u32,
    /// When somebody else last changed it, or a status began to say so.
    hold_began: Duration,
    /// What the API has refused it with, in its own words.
    refusals: BTreeSet<u16>,
}

impl Monitor {
    pub fn new(ids: Vec<String>) -> Self {
        let accounts = ids.iter().map(|_| Deployment::default()).collect();
        Self(Arc::new(Mutex::new(State {
            begin: Instant::now(),
            log: String::new(),
            violation: None,
            ids,
            accounts,
            processes: BTreeMap::new(),
            objects: BTreeMap::new(),
            versions: BTreeMap::new(),
            disturbed: Duration::ZERO,
            disturbed_for: BTreeMap::new(),
            stale: None,
            leader: None,
            statuses: 0,
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of the log.
    pub fn note(&self, what: &str) {
        self.state().note(what);
    }

    /// Ends the run: this does not hold.
    pub fn breaks(&self, property: &'static str, what: String) {
        self.state().demand(false, property, || what);
    }

    pub fn violation(&self) -> Option<Violation> {
        self.state().violation.clone()
    }

    pub fn take_log(&self) -> String {
        std::mem::take(&mut self.state().log)
    }

    /// How many requests were sent to the remote to change it, and how many statuses were applied.
    pub fn writes(&self) -> (usize, usize) {
        let state = self.state();
        (state.accounts.iter().map(|account| account.sent).sum(), state.statuses)
    }

    /// A process begins. `lease`: how long after a renewal of its Lease nobody else leads.
    pub fn begins(&self, process: usize, claim: Claim, lease: Option<Duration>) {
        let mut state = self.state();
        let count = state.ids.len();
        state.processes.insert(process, Process::new(claim, lease, count));
        state.disturb(Duration::ZERO);
    }

    /// A process is no more: what it has learned since the last status is lost.
    pub fn ended(&self, process: usize) {
        let mut state = self.state();
        state.processes.remove(&process);
        state.forget_memory();
        state.disturb(Duration::ZERO);
    }

    /// Something is wrong for so long with the Kubernetes API, with the way to it or with a process; zero: it has just been
    /// mended.
    pub fn disturb(&self, lasts: Duration) {
        self.state().disturb(lasts);
    }

    /// Something is wrong for so long with a message about this resource; `None`: about all of them.
    pub fn disturb_for(&self, name: Option<&str>, lasts: Duration) {
        let mut state = self.state();
        let until = state.now() + lasts;
        match name {
            None => state.disturb(lasts),
            Some(name) => {
                let disturbed = state.disturbed_for.entry(name.to_owned()).or_default();
                *disturbed = until.max(*disturbed);
            }
        }
    }

    /// Somebody else has changed a deployment, or it begins, and is so from now on.
    pub fn outside(&self, deployment: usize, document: &Value) {
        let mut state = self.state();
        let now = state.now();
        state.becomes(deployment, document);
        if let Some(account) = state.accounts.get_mut(deployment) {
            account.may_send += 1;
            account.hold_began = now;
            account.names.extend(document["name"].as_str().map(ToOwned::to_owned));
        }
    }

    /// What may be sent must not be saved up: all is at rest, but for what is corrected at the end of a hold.
    pub fn settle_accounts(&self) {
        let mut state = self.state();
        let held = state.objects.values().filter(|object| object.reason == "Contested");
        let held: BTreeSet<_> = held.filter_map(|object| object.deployment).collect();
        for (n, account) in state.accounts.iter_mut().enumerate() {
            (account.may_send, account.may_lift) = (i64::from(held.contains(&n)), 0);
        }
    }
}

impl State {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn note(&mut self, what: &str) {
        let now = self.now();
        let _ = writeln!(self.log, "{:>11.3} {what}", now.as_secs_f64());
    }

    fn demand(&mut self, holds: bool, property: &'static str, what: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            let violation = Violation { property, at: self.now(), what: what() };
            self.note(&format!("BROKEN {property}: {}", violation.what));
            self.violation = Some(violation);
        }
    }

    fn disturb(&mut self, lasts: Duration) {
        self.disturbed = self.disturbed.max(self.now() + lasts);
    }

    /// Whoever leads now does not know all that the last one knew.
    fn forget_memory(&mut self) {
        for account in &mut self.accounts {
            account.may_send += 1;
            account.may_lift += 1;
        }
    }

    fn number(&self, id: &str) -> Option<usize> {
        self.ids.iter().position(|known| known == id)
    }
}
