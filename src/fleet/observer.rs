//! The observer owns all remote reads: one full LIST for each poll, a GET where one is demanded,
//! whichever is cheaper. What it sees goes into the cache; what changed wakes its readers.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Answer, Cache, ReadFailure, Remote,
    cache::{Demands, Observed},
    observation::{answer_of_error, failure_of_error},
    plan::{Plan, plan},
};
use crate::{
    api::DeploymentId,
    qoder::{ApiError, Deployment, Item, ListQuery, Page, SendError},
    times::Times,
};

/// The largest page to ask for: what the first generation of the API allows.
const LARGEST_PAGE: u32 = 1000;
/// What both generations allow.
const SAFE_PAGE: u32 = 100;
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
    paging: Mutex<Paging>,
}

/// What the pages so far have taught.
#[derive(Debug, Clone, Copy)]
struct Paging {
    /// Entries to ask for.
    limit: u32,
    /// How many pages the last full list had.
    pages: usize,
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
            paging: Mutex::new(Paging { limit: LARGEST_PAGE, pages: 1 }),
        }
    }

    /// What is known, for as long as nothing is awaited.
    pub fn cache(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }

    /// Asks for a read of this deployment that starts from now on.
    pub fn demand(&self, id: &DeploymentId) {
        self.cache().demand(id, Instant::now());
        self.demanded.notify_one();
    }

    /// Reads for ever. To be started once the resources are known: what is bound decides what is
    /// cheap.
    pub async fn run(self: Arc<Self>) {
        tokio::join!(self.poll(), self.serve_demands());
    }

    async fn poll(&self) {
        let mut next = Instant::now();
        loop {
            let list_wanted = tokio::select! {
                () = sleep_until(next) => false,
                () = self.list_wanted.notified() => true,
            };
            next = Instant::now() + self.times.poll_interval;
            // Those known to be in no list wait for the slow look, which is a demand.
            let listed = self.cache().listed();
            match plan(listed.len(), self.pages()) {
                Plan::Nothing => {}
                Plan::Gets if !list_wanted => {
                    for id in &listed {
                        self.demand(id);
                    }
                }
                Plan::Gets | Plan::List => self.list().await,
            }
        }
    }

    fn pages(&self) -> usize {
        lock(&self.paging).pages
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
            let Demands { mut listed, unlisted } = self.cache().demands();
            listed.retain(|id| !under_way.contains(id));
            if plan(listed.len(), self.pages()) == Plan::List {
                self.list_wanted.notify_one();
                listed.clear();
            }
            // What a person waits for goes before the looks at suspects.
            let mut wanted: Vec<_> = listed.into_iter().chain(unlisted).collect();
            wanted.retain(|id| !under_way.contains(id));
            wanted.truncate(GETS_AT_ONCE.saturating_sub(gets.len()));
            for id in wanted {
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
            Ok(deployment) => self.saw(deployment, called.started),
            Err(error) => match answer_of_error(&error) {
                Ok(answer) => self.learned(id, answer, None, called.started),
                // The credential's trouble is the account's, and not this deployment's.
                Err(ReadFailure::Unauthorized) => {}
                Err(cause) => self.failed(std::slice::from_ref(id), cause, called.started),
            },
        }
    }

    /// One full list. Pages shift: what it lacks becomes a suspect, and gets a look of its own.
    async fn list(&self) {
        let started = Instant::now();
        let mut query = ListQuery { limit: lock(&self.paging).limit, cursor: None };
        let mut cursors = HashSet::new();
        let mut pages = 0;
        loop {
            let next_page = Instant::now() + Times::PAGE_SPACING;
            let called = self.remote.list(&query).await;
            let page = match called.result {
                Ok(page) => page,
                Err(error) => match smaller_page(&error, query.limit) {
                    Some(limit) => {
                        query.limit = limit;
                        lock(&self.paging).limit = limit;
                        continue;
                    }
                    None => return self.list_failed(failure_of_error(&error), started),
                },
            };
            pages += 1;
            let next = self.take_in(page, called.started);
            let Some(cursor) = next else { break };
            if pages == MOST_PAGES || !cursors.insert(cursor.clone()) {
                tracing::warn!(pages, "the list of deployments has no end");
                return self.list_failed(ReadFailure::AnswerInvalid, started);
            }
            query.cursor = Some(cursor);
            sleep_until(next_page).await;
        }
        lock(&self.paging).pages = pages;
        if self.cache().list_ended(started, Instant::now()) {
            self.demanded.notify_one();
        }
    }

    fn take_in(&self, page: Page, started: Instant) -> Option<crate::qoder::Cursor> {
        for item in page.items {
            match item {
                Item::Deployment(deployment) => self.saw(deployment, started),
                Item::Invalid(id) => self.failed(&[id], ReadFailure::AnswerInvalid, started),
            }
        }
        page.next
    }

    fn list_failed(&self, cause: ReadFailure, started: Instant) {
        if cause != ReadFailure::Unauthorized {
            let unseen = self.cache().unseen_since(started);
            self.failed(&unseen, cause, started);
        }
    }

    fn saw(&self, deployment: Deployment, started: Instant) {
        let id = deployment.id.clone();
        self.learned(&id, Answer::from(&deployment), Some(deployment), started);
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

/// The page size to try instead: 100 for good after a 400, half after a page over the limit.
fn smaller_page(error: &ApiError, limit: u32) -> Option<u32> {
    match error {
        ApiError::Send(SendError::TooLarge(_)) if limit > 1 => Some(limit / 2),
        error if limit > SAFE_PAGE && error.status() == Some(http::StatusCode::BAD_REQUEST) => {
            Some(SAFE_PAGE)
        }
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held is reported where it happened; what is known still holds.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
