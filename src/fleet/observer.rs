//! The observer owns all remote reads: for each poll and for each handful of demands it follows
//! the cheapest plan. What it sees goes into the cache; what changed wakes its readers.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Answer, Cache, ReadFailure, Remote,
    cache::Observed,
    observation::{answer_of_error, failure_of_error},
    plan::{Need, Place, Plan, Size, Wanted, plan},
};
use crate::{
    api::DeploymentId,
    lock::lock,
    qoder::{ApiError, Deployment, Item, ListQuery, RemoteStatus, Scope, SendError},
    times::Times,
};

/// The largest page to ask for: what the first generation of the API allows.
const LARGEST_PAGE: usize = 1000;
/// What both generations allow.
const SAFE_PAGE: usize = 100;
/// A list that has more pages than this is taken for one without an end.
const MOST_PAGES: usize = 2000;
/// GETs under way at once.
const GETS_AT_ONCE: usize = 16;

/// Called with each deployment that someone should look at.
pub type Wake = Arc<dyn Fn(&DeploymentId) + Send + Sync>;

/// Reads the remote.
pub struct Observer {
    remote: Arc<Remote>,
    cache: Mutex<Cache>,
    times: Times,
    wake: Wake,
    demanded: Notify,
    list_wanted: Notify,
    size: Mutex<Size>,
}

impl Observer {
    /// An observer that reads through `remote` and calls `wake` for what changed.
    #[must_use]
    pub fn new(remote: Arc<Remote>, times: Times, wake: Wake) -> Self {
        Self {
            remote,
            cache: Mutex::default(),
            times,
            wake,
            demanded: Notify::new(),
            list_wanted: Notify::new(),
            size: Mutex::new(Size { live: 0, active: 0, paused: 0, page: LARGEST_PAGE }),
        }
    }

    /// What is known, for as long as nothing is awaited.
    pub fn cache(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }

    /// Asks for a read of this deployment that starts at this time or later.
    pub fn demand(&self, id: &DeploymentId, newer_than: Instant) {
        self.cache().demand(id, newer_than);
        self.demanded.notify_one();
    }

    /// Reads for ever. To be started once the resources are known: what is bound decides what is
    /// cheap.
    pub async fn run(self: Arc<Self>) {
        tokio::join!(self.poll(), self.serve_demands());
    }

    async fn poll(&self) {
        let mut next = Instant::now();
        let mut polls_until_full = 0;
        loop {
            let is_poll = tokio::select! {
                () = sleep_until(next) => true,
                () = self.list_wanted.notified() => false,
            };
            let need = match (is_poll, polls_until_full) {
                (false, _) => Need::Demanded,
                (true, 0) => Need::Everything,
                (true, _) => Need::Changes,
            };
            if is_poll {
                next = Instant::now() + self.times.poll_interval;
            }
            let seen = match plan(need, self.wanted(need), self.size()) {
                Plan::Gets if is_poll => {
                    self.demand_all();
                    Some(Scope::Live)
                }
                Plan::Nothing | Plan::Gets => None,
                Plan::List(scope) => self.list(scope).await.then_some(scope),
            };
            if seen == Some(Scope::Live) {
                polls_until_full = Times::FULL_POLL;
            }
            if is_poll {
                polls_until_full = polls_until_full.saturating_sub(1);
            } else {
                // What was not worth a list any more, or is left open by it, is planned anew: it
                // may have shown another half than was meant, or have come to nothing.
                self.demanded.notify_one();
            }
        }
    }

    fn wanted(&self, need: Need) -> Wanted {
        match need {
            Need::Demanded => self.cache().demands().into_iter().map(|(_, place)| place).collect(),
            Need::Changes | Need::Everything => self.cache().places().collect(),
        }
    }

    fn demand_all(&self) {
        let now = Instant::now();
        let listed = self.cache().listed();
        for id in &listed {
            self.demand(id, now);
        }
    }

    fn size(&self) -> Size {
        *lock(&self.size)
    }

    async fn serve_demands(self: &Arc<Self>) {
        let mut gets = JoinSet::new();
        let mut under_way = HashSet::new();
        loop {
            tokio::select! {
                () = self.demanded.notified() => sleep(Times::GATHER).await,
                Some(ended) = gets.join_next() => {
                    // A panic in a read is not the end of all reads.
                    match ended {
                        Ok(id) => { under_way.remove(&id); }
                        Err(error) => {
                            tracing::error!(%error, "a read panicked");
                            if gets.is_empty() { under_way.clear(); }
                        }
                    }
                }
            }
            let mut demands = self.cache().demands();
            demands.retain(|(id, _)| !under_way.contains(id));
            let wanted: Wanted = demands.iter().map(|(_, place)| *place).collect();
            if let Plan::List(scope) = plan(Need::Demanded, wanted, self.size()) {
                self.list_wanted.notify_one();
                demands.retain(|(_, place)| !place.is_in(scope));
            }
            // What a person waits for goes before the looks at suspects.
            demands.sort_by_key(|(_, place)| *place == Place::Nowhere);
            demands.truncate(GETS_AT_ONCE.saturating_sub(gets.len()));
            for (id, _) in demands {
                under_way.insert(id.clone());
                let observer = Arc::clone(self);
                gets.spawn(async move {
                    observer.get(&id).await;
                    id
                });
            }
        }
    }

    async fn get(&self, id: &DeploymentId) {
        let called = self.remote.get(id).await;
        match called.result {
            Ok(deployment) => self.saw(id, deployment, called.started),
            Err(error) => match answer_of_error(&error) {
                Ok(answer) => self.learned(id, answer, None, called.started),
                // The credential's trouble is the account's, and not this deployment's.
                Err(ReadFailure::Unauthorized) => {}
                Err(cause) => self.failed(std::slice::from_ref(id), cause, called.started),
            },
        }
    }

    /// One whole list. Pages shift: what it lacks becomes a suspect, and gets a look of its own.
    /// Returns whether it came to its end.
    async fn list(&self, scope: Scope) -> bool {
        let started = Instant::now();
        let mut query = ListQuery { scope, limit: self.size().page, cursor: None };
        let mut cursors = HashSet::new();
        let mut seen = Seen::default();
        let mut next_page = started;
        loop {
            sleep_until(next_page).await;
            let called = self.remote.list(&query).await;
            // From when it really started: it may have waited for its admission.
            next_page = called.started + Times::PAGE_SPACING;
            let page = match called.result {
                Ok(page) => page,
                Err(error) => match smaller_page(&error, query.limit) {
                    Some(limit) => {
                        query.limit = limit;
                        lock(&self.size).page = limit;
                        continue;
                    }
                    None => return self.list_failed(failure_of_error(&error), started),
                },
            };
            self.take_in(page.items, called.started, &mut seen);
            let Some(cursor) = page.next else { break };
            if cursors.len() == MOST_PAGES || !cursors.insert(cursor.clone()) {
                tracing::warn!(pages = cursors.len(), "the list of deployments has no end");
                return self.list_failed(ReadFailure::AnswerInvalid, started);
            }
            query.cursor = Some(cursor);
        }
        seen.update(&mut lock(&self.size), scope);
        if self.cache().list_ended(scope, started) {
            self.demanded.notify_one();
        }
        true
    }

    fn take_in(&self, items: Vec<Item>, started: Instant, seen: &mut Seen) {
        for item in items {
            seen.count(&item);
            match item {
                Item::Deployment(id, deployment) => self.saw(&id, deployment, started),
                Item::Invalid(id) => self.failed(&[id], ReadFailure::AnswerInvalid, started),
            }
        }
    }

    /// No list says anything now: every deployment that one would show is unread.
    fn list_failed(&self, cause: ReadFailure, started: Instant) -> bool {
        if cause != ReadFailure::Unauthorized {
            let unseen = self.cache().unseen_since(Scope::Live, started);
            self.failed(&unseen, cause, started);
        }
        false
    }

    fn saw(&self, id: &DeploymentId, deployment: Deployment, started: Instant) {
        self.learned(id, Answer::from(&deployment), Some(deployment), started);
    }

    fn learned(
        &self,
        id: &DeploymentId,
        answer: Answer,
        deployment: Option<Deployment>,
        started: Instant,
    ) {
        let observed = Observed { answer, started, valid_from: started };
        if self.cache().observe(id, deployment, observed) {
            (self.wake)(id);
        }
    }

    fn failed(&self, ids: &[DeploymentId], cause: ReadFailure, started: Instant) {
        for id in ids {
            let env = (Instant::now(), &self.times, fastrand::f64());
            let news = self.cache().fail(id, cause, started, env);
            if news {
                (self.wake)(id);
            }
        }
    }
}

/// What a list has shown, counted: the next plan depends on it.
#[derive(Default)]
struct Seen {
    live: usize,
    active: usize,
    paused: usize,
}

impl Seen {
    fn count(&mut self, item: &Item) {
        self.live += 1;
        match item {
            Item::Deployment(_, deployment) => match deployment.status {
                RemoteStatus::Active => self.active += 1,
                RemoteStatus::Paused => self.paused += 1,
                RemoteStatus::Other(_) => {}
            },
            Item::Invalid(_) => {}
        }
    }

    fn update(&self, size: &mut Size, scope: Scope) {
        match scope {
            Scope::Live => {
                size.live = self.live;
                size.active = self.active;
                size.paused = self.paused;
            }
            Scope::Active => size.active = self.live,
            Scope::Paused => size.paused = self.live,
        }
    }
}

/// The page size to try instead: 100 for good after a 400, half after a page over the limit.
fn smaller_page(error: &ApiError, limit: usize) -> Option<usize> {
    match error {
        ApiError::Send(SendError::TooLarge(_)) if limit > 1 => Some(limit / 2),
        error if limit > SAFE_PAGE && error.status() == Some(http::StatusCode::BAD_REQUEST) => {
            Some(SAFE_PAGE)
        }
        _ => None,
    }
}
