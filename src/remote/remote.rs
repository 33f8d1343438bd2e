//! The API behind one credential. All that is held for the credential is held here; two of these know
//! nothing of each other.

use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    account::Account,
    bound::Bound,
    credential::CredentialState,
    state::{State, View, Wake},
    write::Requester,
};
use crate::{
    api::DeploymentId,
    context::Context,
    env::Env,
    fair_queue::Lane,
    leader::Start,
    lock::lock,
    qoder::{Client, Deployment, Verb},
    times::Times,
    traces::{Cause, Traces},
};

/// The API behind one credential.
pub struct Remote {
    pub(super) client: Client,
    state: Mutex<State>,
    wake: Wake,
    pub(super) context: Context,
    /// Something changed for the read that waits for its admission: a request ended, a token came.
    pub(super) read_freed: Notify,
    /// Held by the read that is to be admitted next.
    pub(super) admission: tokio::sync::Mutex<()>,
    /// The same for the grant of permits, or a deployment has begun to wait for one.
    pub(super) permit_wanted: Notify,
    demanded: Notify,
    pub(super) bound: watch::Sender<Bound>,
    pub(super) credential: watch::Sender<CredentialState>,
}

/// What is counted over all deployments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Those that resources name.
    pub deployments: usize,
    /// The age of the oldest look, of those that polls make.
    pub oldest_observation: Duration,
    /// Those that wait for a permit.
    pub writes_waiting: usize,
    pub is_breaker_open: bool,
}

impl Remote {
    /// The API as `client` speaks it, behind `account`. Calls `wake` for what someone should look at. Reads
    /// the token.
    #[must_use]
    pub fn new(client: Client, account: Account, wake: Wake, context: Context) -> Self {
        let credential = account.credential();
        let remote = Self {
            client,
            state: Mutex::new(State::new(account)),
            wake,
            context,
            read_freed: Notify::new(),
            admission: tokio::sync::Mutex::default(),
            permit_wanted: Notify::new(),
            demanded: Notify::new(),
            bound: watch::Sender::default(),
            credential: watch::Sender::new(credential),
        };
        remote.reload_token();
        remote
    }

    /// All that is held, for as long as nothing is awaited.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn env(&self) -> &Env {
        &self.context.env
    }

    pub(super) fn times(&self) -> &Times {
        &self.context.times
    }

    /// What is under way, for whoever follows traces.
    #[must_use]
    pub fn traces(&self) -> &Traces {
        &self.context.traces
    }

    /// Someone should look at this deployment.
    pub(super) fn wake(&self, id: &DeploymentId, lane: Lane) {
        self.traces().begin(id, Cause::Poll);
        self.traces().link(id);
        (self.wake)(id, lane);
    }

    /// Returns when a read is demanded. For one caller.
    pub(super) async fn demanded(&self) {
        self.demanded.notified().await;
    }

    /// The demands have to be planned (again).
    pub(super) fn plan_again(&self) {
        self.demanded.notify_one();
    }

    /// One deployment as it is known now.
    #[must_use]
    pub fn view(&self, id: &DeploymentId, now: Instant) -> View {
        self.state().view(id, now)
    }

    /// Whether a write to this deployment has begun, and not ended.
    #[must_use]
    pub fn is_write_under_way(&self, id: &DeploymentId) -> bool {
        self.state().ledger.is_under_way(id)
    }

    /// Whether it waits for a permit.
    #[must_use]
    pub fn awaits_permit(&self, id: &DeploymentId) -> bool {
        self.state().account.asked_since(id).is_some()
    }

    /// A term as the leader begins.
    pub fn begin_term(&self, start: Start) {
        self.state().begin_term(start, Instant::now());
    }

    /// A term has ended, and nothing of it goes on.
    pub fn end_term(&self) {
        self.state().end_term(Instant::now());
    }

    /// For how long what was sent may still take effect: the next leader has to heed it.
    #[must_use]
    pub fn may_land(&self) -> Duration {
        self.state().may_land(Instant::now(), self.times())
    }

    /// Keeps track of a deployment from now on. `last_known` is what a status says of it.
    pub fn bind(&self, id: &DeploymentId, last_known: Option<Deployment>) {
        self.state().cache.bind(id, last_known, Instant::now());
    }

    /// No resource names the deployment any more.
    pub fn unbind(&self, id: &DeploymentId) {
        self.forget_permit(id);
        self.state().unbind(id, Instant::now(), self.times());
    }

    /// Forgets what nobody can need any more.
    pub(super) fn tidy(&self) {
        let State { cache, ledger, .. } = &mut *self.state();
        let now = Instant::now();
        cache.tidy(now);
        ledger.forget(|id| cache.is_bound(id), now, self.times());
    }

    /// Asks for a read of this deployment that starts at this time or later.
    pub fn demand(&self, id: &DeploymentId, newer_than: Instant) {
        self.state().cache.demand(id, newer_than);
        self.plan_again();
    }

    /// Whether a read of this deployment is demanded.
    #[must_use]
    pub fn is_demanded(&self, id: &DeploymentId) -> bool {
        self.state().cache.is_demanded(id)
    }

    /// How often everything is read.
    #[must_use]
    pub fn poll_interval(&self) -> Duration {
        self.times().poll_interval
    }

    /// What is counted over all deployments.
    #[must_use]
    pub fn totals(&self, now: Instant) -> Totals {
        let state = self.state();
        let oldest = state.cache.oldest_look();
        Totals {
            deployments: state.cache.count(),
            oldest_observation: oldest
                .map(|at| now.saturating_duration_since(at))
                .unwrap_or_default(),
            writes_waiting: state.account.waiting(),
            is_breaker_open: state.account.is_breaker_open(),
        }
    }

    pub(super) fn free(&self) {
        self.read_freed.notify_one();
        self.permit_wanted.notify_one();
    }

    /// The owner of a deployment has what it asks for.
    pub fn reached(&self, id: &DeploymentId, owner: &Requester, reconcile_requested: bool) {
        self.state().ledger.reached(id, owner, reconcile_requested);
    }

    /// Takes the note that the meaning of a 409 is still open, and what was asked for.
    pub fn take_conflict(&self, id: &DeploymentId) -> Option<Verb> {
        self.state().ledger.take_conflict(id)
    }
}
