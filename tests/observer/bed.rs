//! The shipped observer above a simulator in the same process: no socket carries a request, and
//! time passes as fast as nothing happens.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use proptest::prelude::*;
use qoder_operator::{
    api::DeploymentId,
    context::Context,
    env::Env,
    qoder::{BaseUrl, Client, Token, TokenSource},
    remote::{Account, Answer, Entry, PausedBy, Rates, Remote},
    times::Times,
};
use qoder_simulator::{Config, Operation, Simulator};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    in_process::{InProcess, Trouble, is_first, limit},
    world::World,
};

/// P.
pub const POLL: Duration = Duration::from_secs(30);
pub const TIMES: Times = Times { poll_interval: POLL, request_timeout: Duration::from_secs(15) };
const TOKEN: &str = "pt-obviously-fake";

/// The observer called for someone to look at a deployment, who found this.
struct Woken {
    at: Instant,
    /// When the read started that was seen last.
    started: Option<Instant>,
}

/// Someone wants a look at a deployment that starts now or later.
#[derive(Debug, Clone)]
pub struct Demand {
    pub id: DeploymentId,
    pub since: Instant,
}

/// The observer, and the API that it reads.
#[derive(Clone)]
pub struct Bed {
    pub simulator: Simulator,
    pub remote: Arc<Remote>,
    /// All deployments of the account, the oldest first.
    pub ids: Vec<DeploymentId>,
    /// When the simulator started: the zero of its journal.
    pub start: Instant,
    /// What is wrong below the client.
    pub trouble: Arc<Mutex<Trouble>>,
    woken: Arc<Mutex<HashMap<DeploymentId, Vec<Woken>>>>,
    /// Those that wait to be looked at again.
    retried: Arc<Mutex<HashSet<DeploymentId>>>,
}

impl Bed {
    /// An observer that does not run yet, with what is bound bound.
    pub async fn new(world: &World) -> Self {
        Self::with(world, TIMES).await
    }

    /// The same, with other flags.
    pub async fn with(world: &World, times: Times) -> Self {
        let start = Instant::now();
        let partials = world.deployments.iter();
        let simulator = Simulator::start(Config {
            token: TOKEN.to_owned(),
            deployments: partials
                .map(|(paused, _)| json!({"status": if *paused { "paused" } else { "active" }}))
                .collect(),
            dialect: world.dialect,
            latency: world.latency,
            ..Config::default()
        });
        let simulator = simulator.await.unwrap();
        let ids = simulator.ids();
        let ids: Vec<_> =
            ids.iter().map(|id| DeploymentId::try_from(id.as_str()).unwrap()).collect();

        let trouble = Arc::default();
        let in_process = InProcess {
            simulator: simulator.clone(),
            largest_page: world.largest_page,
            timeout: times.request_timeout,
            trouble: Arc::clone(&trouble),
        };
        let base_url = BaseUrl::parse(&simulator.base_url(), false).unwrap();
        let env = Env::seeded(0, Timestamp::UNIX_EPOCH);
        let client = Client::new(Arc::new(in_process), base_url, None, env.clone());
        let source = TokenSource::Environment(Token::parse(TOKEN.as_bytes()));
        let rates = Rates { reads_per_second: 50, writes_per_second: 20 };
        let account = Account::new(source, rates, times);
        let (wake, woken_ids) = mpsc::unbounded_channel();
        let wake = move |id: &DeploymentId, _| wake.send(id.clone()).unwrap();
        let context = Context::new(env, times);
        let remote = Arc::new(Remote::new(client, account, Arc::new(wake), context));

        let (woken, retried) = (Arc::default(), Arc::default());
        let bed = Self { simulator, remote, ids, start, trouble, woken, retried };
        for (id, (_, bound)) in bed.ids.iter().zip(&world.deployments) {
            if *bound {
                bed.remote.bind(id, None);
            }
        }
        tokio::spawn(bed.clone().work(woken_ids));
        bed
    }

    /// Lets the observer run.
    pub fn observe(&self) {
        self.remote.all_are_bound();
        tokio::spawn(Arc::clone(&self.remote).observe());
    }

    /// Does what a worker does: looks at what it is called for, and after a failed read asks for
    /// another one when it is due.
    async fn work(self, mut woken_ids: mpsc::UnboundedReceiver<DeploymentId>) {
        while let Some(id) = woken_ids.recv().await {
            let Some(entry) = self.known(&id) else { continue };
            let started = entry.observed.map(|seen| seen.started);
            let woken = Woken { at: Instant::now(), started };
            self.woken.lock().unwrap().entry(id.clone()).or_default().push(woken);
            if entry.failure.is_some() && self.retried.lock().unwrap().insert(id.clone()) {
                tokio::spawn(self.clone().retry(id));
            }
        }
    }

    /// A deployment has one time at which it is looked at again, however often reads of it fail.
    async fn retry(self, id: DeploymentId) {
        while let Some(failure) = self.known(&id).and_then(|entry| entry.failure) {
            if failure.retry_at <= Instant::now() {
                self.demand(&id);
                break;
            }
            sleep_until(failure.retry_at).await;
        }
        self.retried.lock().unwrap().remove(&id);
    }

    pub fn known(&self, id: &DeploymentId) -> Option<Entry> {
        self.remote.view(id, Instant::now()).entry
    }

    /// What the last look said.
    pub fn answer(&self, id: &DeploymentId) -> Option<Answer> {
        Some(self.known(id)?.observed?.answer)
    }

    pub fn bound(&self) -> Vec<DeploymentId> {
        self.ids.iter().filter(|id| self.known(id).is_some()).cloned().collect()
    }

    pub fn demand(&self, id: &DeploymentId) -> Demand {
        let since = Instant::now();
        self.remote.demand(id, since);
        Demand { id: id.clone(), since }
    }

    /// Whether someone was called to look at the deployment, and found an observation there that
    /// started after the demand, all of it until a certain time.
    pub fn is_met(&self, demand: &Demand, deadline: Instant) -> bool {
        self.woken.lock().unwrap().get(&demand.id).into_iter().flatten().any(|woken| {
            woken.at <= deadline && woken.started.is_some_and(|started| started >= demand.since)
        })
    }

    /// Whether someone was called to look at the deployment from then on, within this time.
    pub fn is_woken(&self, id: &DeploymentId, from: Instant, within: Duration) -> bool {
        let woken = self.woken.lock().unwrap();
        let mut woken = woken.get(id).into_iter().flatten();
        woken.any(|woken| woken.at >= from && woken.at <= from + within)
    }

    /// What a look at the deployment would say now.
    pub fn truth(&self, id: &DeploymentId) -> Answer {
        let Some(deployment) = self.simulator.deployment(id.as_str()) else {
            return Answer::NotFound;
        };
        let text = |pointer| deployment.pointer(pointer).and_then(|value| value.as_str());
        match (text("/archived_at"), text("/status"), text("/paused_reason/type")) {
            (Some(_), ..) => Answer::Archived,
            (None, Some("paused"), Some("manual")) => Answer::Paused(PausedBy::Hand),
            (None, Some("paused"), _) => Answer::Paused(PausedBy::Platform),
            _ => Answer::Active,
        }
    }

    /// Each request so far.
    pub fn calls(&self) -> Vec<Call> {
        let calls = self.simulator.journal().into_iter().map(|entry| Call {
            at: entry.at,
            read: match (entry.operation, entry.id) {
                (Operation::Get, Some(id)) => Read::Get(id),
                (Operation::Pause | Operation::Unpause, _) => Read::Write,
                _ => Read::List {
                    limit: limit(&entry.path).unwrap_or_default(),
                    shows: ["active", "paused"]
                        .into_iter()
                        .find(|status| entry.path.contains(&format!("status={status}"))),
                    is_first: is_first(&entry.path),
                },
            },
        });
        calls.collect()
    }

    /// Checks that the pages of each list start apart: the vendor asks for it.
    pub fn check_pages(&self) -> Result<(), TestCaseError> {
        let calls = self.calls();
        let lists = calls.iter().filter(|call| matches!(call.read, Read::List { .. }));
        for (page, next) in lists.clone().zip(lists.skip(1)) {
            let is_another_list = matches!(next.read, Read::List { is_first: true, .. });
            let is_apart = next.at >= page.at + Times::PAGE_SPACING;
            prop_assert!(is_another_list || is_apart, "{:?}, then {:?}", page, next);
        }
        Ok(())
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When, since the simulator started.
    pub at: Duration,
    pub read: Read,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Get(String),
    /// It is none.
    Write,
    /// A page.
    List {
        /// The entries that it may have.
        limit: usize,
        /// The status of what is shown; `None`: everything.
        shows: Option<&'static str>,
        /// Whether it has no cursor.
        is_first: bool,
    },
}

/// Runs one case on a clock of its own.
pub fn in_virtual_time<T>(case: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(case)
}
