//! The observer makes all remote reads: for each poll, and for the demands that have gathered, it follows
//! the cheapest plan. What it sees goes into the cache; what has changed is woken.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};
use tracing::{Instrument as _, info_span};

use super::{
    bound::Bound,
    calls::{Called, Read, until},
    entry::FailedRead,
    gets::{GETS_AT_ONCE, Gets},
    observation::{Answer, Observed, ReadFailure, Trouble, answer_of_error, is_of_account},
    plan::{Lists, Need, Plan, Wanted},
    remote::Remote,
};
use crate::{
    api::DeploymentId,
    chain::Chain,
    fair_queue::Lane,
    qoder::{Deployment, Scope},
    times::Times,
    traces,
};

/// Makes the reads of one credential.
pub struct Observer {
    pub(super) remote: Arc<Remote>,
    list_wanted: Notify,
    /// The page of a list that is under way is not answered for the time being.
    pub(super) does_page_hang: AtomicBool,
}

impl Remote {
    /// Reads for ever. It begins once so many deployments are bound that it is plain what is cheap.
    pub async fn observe(self: Arc<Self>) {
        self.until_bound(Bound::Many).await;
        let observer = Arc::new(Observer {
            remote: self,
            list_wanted: Notify::new(),
            does_page_hang: AtomicBool::new(false),
        });
        tokio::join!(
            observer.poll(),
            observer.serve_demands(),
            observer.remote.try_credential(),
            observer.tell_blindness()
        );
    }
}

impl Observer {
    /// Reads everything once in a poll interval, and between polls the lists that demands are worth.
    async fn poll(&self) {
        let mut next = Instant::now();
        let mut polls_until_full = 0;
        let mut was_poll = false;
        loop {
            // In turns: a poll may take longer than its interval.
            let is_poll = tokio::select! {
                biased;
                () = self.list_wanted.notified(), if was_poll => false,
                () = sleep_until(next) => true,
                () = self.list_wanted.notified() => false,
            };
            was_poll = is_poll;
            if !is_poll {
                if let Plan::List(scope) = self.plan(Need::Demanded)
                    && self.list(scope).await
                    && scope == Scope::Live
                {
                    polls_until_full = Times::FULL_POLL;
                }
                // What was no longer worth a list, or what the list has left open, is planned
                // anew: it may have shown the other half, or have failed.
                self.remote.plan_again();
                continue;
            }
            next = Instant::now() + self.remote.times().poll_interval;
            self.remote.tidy();
            let need = if polls_until_full == 0 { Need::Everything } else { Need::Changes };
            if self.read_all(need).await {
                polls_until_full = Times::FULL_POLL;
            }
            polls_until_full = polls_until_full.saturating_sub(1);
        }
    }

    /// One poll. Returns whether it has read everything.
    async fn read_all(&self, need: Need) -> bool {
        match self.plan(need) {
            Plan::Gets => {
                self.note_lists(Lists::unexplored);
                self.demand_all(Instant::now());
                true
            }
            Plan::List(scope) => self.list(scope).await && scope == Scope::Live,
            // The last two are for demands only.
            Plan::Nothing | Plan::Explore | Plan::Wait => false,
        }
    }

    fn plan(&self, need: Need) -> Plan {
        let now = Instant::now();
        let mut state = self.remote.state();
        let wanted: Wanted = match need {
            Need::Demanded => state.cache.demanded_places(now).collect(),
            Need::Changes | Need::Everything => state.cache.places(),
        };
        state.plan(need, wanted, now)
    }

    /// Demands a read of everything that was not seen since; the plan may be a list.
    pub(super) fn demand_all(&self, newer_than: Instant) {
        self.remote.state().cache.demand_listed(newer_than);
        self.remote.plan_again();
    }

    async fn serve_demands(self: &Arc<Self>) {
        let mut gets = Gets::default();
        let mut wake_at: Option<Instant> = None;
        let mut look_again: Option<Instant> = None;
        loop {
            let later = self.remote.state().cache.next_demand(Instant::now());
            tokio::select! {
                biased;
                panicked = gets.ended() => {
                    if let Some((id, error)) = panicked {
                        tracing::error!(deployment_id = %id, error = %Chain(&error), "a read panicked");
                        self.failed(&[id], Trouble::INVALID, Instant::now());
                    }
                }
                () = self.remote.demanded() => sleep(Times::DEMAND_DELAY).await,
                () = until([later, look_again, wake_at].into_iter().flatten().min()) => {}
            }
            let now = Instant::now();
            if look_again.is_some_and(|at| now >= at) {
                look_again = None;
                self.note_lists(Lists::unexplored);
            }
            let (plan, most, mut demands) = self.plan_demands(&gets, now);
            look_again = match plan {
                Plan::Wait => look_again.or(Some(now + Times::NEXT_LOOK)),
                _ => None,
            };
            wake_at = gets.next_hang(now).filter(|_| most < GETS_AT_ONCE);
            demands.truncate(gets.room(most, now));
            if plan == Plan::Explore && !demands.is_empty() {
                self.note_lists(Lists::explored);
            }
            for id in demands {
                let (observer, read) = (Arc::clone(self), id.clone());
                let traced = self.remote.traces().of(&id);
                // Of a poll: nothing is to be done yet.
                let traced = if traced.is_disabled() {
                    info_span!(target: traces::TARGET, "read", deployment_id = %id)
                } else {
                    traced
                };
                gets.begin(id, async move { observer.get(&read).await }.instrument(traced));
            }
        }
    }

    /// How to serve what is demanded: the plan, how many GETs may be under way, and for which deployments. A list that
    /// it takes is asked for.
    fn plan_demands(&self, gets: &Gets, now: Instant) -> (Plan, usize, Vec<DeploymentId>) {
        let (plan, mut demands) = {
            let state = self.remote.state();
            let mut demands = state.cache.demands(now);
            demands.retain(|(id, _)| !gets.has(id));
            let wanted: Wanted = demands.iter().map(|(_, place)| *place).collect();
            (state.plan(Need::Demanded, wanted, now), demands)
        };
        let most = match plan {
            Plan::Nothing | Plan::Gets => GETS_AT_ONCE,
            Plan::List(scope) => {
                self.list_wanted.notify_one();
                if self.does_page_hang.load(Ordering::Relaxed) {
                    1
                } else {
                    demands.retain(|(_, place)| !place.is_in(scope));
                    GETS_AT_ONCE
                }
            }
            Plan::Explore => 1,
            Plan::Wait => 0,
        };
        (plan, most, demands.into_iter().map(|(id, _)| id).collect())
    }

    async fn get(&self, id: &DeploymentId) {
        let Some(Called { result, read }) = self.remote.get(id).await else {
            return self.note_lists(Lists::unexplored);
        };
        match result {
            Ok(deployment) => self.shown(id, deployment, read),
            Err(error) if is_of_account(&error) => return self.note_lists(Lists::unexplored),
            Err(error) => match answer_of_error(&error) {
                Ok(answer) => self.answered(id, answer, None, read),
                Err(trouble) => {
                    if trouble.cause == ReadFailure::NotTheApi {
                        self.note_lists(Lists::get_misled);
                    }
                    return self.failed(std::slice::from_ref(id), trouble, read.started);
                }
            },
        }
        self.note_lists(Lists::get_answered);
    }

    /// Notes something about lists, and says once when they turn out to be useless, or work again.
    pub(super) fn note_lists(&self, change: impl FnOnce(&mut Lists)) {
        let (before, now) = {
            let lists = &mut self.remote.state().size.lists;
            let before = *lists;
            change(lists);
            (before, *lists)
        };
        match (before.are_useless(), now.are_useless()) {
            (false, true) => tracing::warn!(
                "lists of deployments fail, and single reads are answered: each deployment is read by itself"
            ),
            (true, false) => tracing::info!("lists of deployments are tried again"),
            _ => {}
        }
    }

    /// A read has shown this deployment. `read`: when it started, and with which token.
    pub(super) fn shown(&self, id: &DeploymentId, deployment: Deployment, read: Read) {
        self.answered(id, Answer::from(&deployment), Some(deployment), read);
    }

    fn answered(
        &self,
        id: &DeploymentId,
        answer: Answer,
        deployment: Option<Deployment>,
        Read { started, epoch }: Read,
    ) {
        let observed = Observed { answer, started, valid_from: started, epoch, is_written: false };
        let is_news = self.remote.state().cache.observe(id, deployment, observed);
        if is_news {
            self.remote.wake(id, Lane::Drift);
        }
    }

    /// A read of these, which started at this time, has failed.
    pub(super) fn failed(&self, ids: &[DeploymentId], trouble: Trouble, started: Instant) {
        for id in ids {
            let jitter = self.remote.env().jitter();
            let failed = FailedRead { trouble, started, ended: Instant::now(), jitter };
            let is_news = self.remote.state().cache.fail(id, failed, self.remote.times());
            if is_news {
                self.remote.wake(id, Lane::Drift);
            }
        }
    }

    /// Wakes what was looked at too long ago, for whatever reason: nothing else may wake it.
    async fn tell_blindness(&self) {
        let limit = self.remote.times().longest_blindness();
        let mut told: Vec<DeploymentId> = Vec::new();
        loop {
            let now = Instant::now();
            let mut next = now + limit;
            let mut blind = Vec::new();
            for (id, looked_at) in self.remote.state().cache.looks() {
                let end = looked_at + limit;
                if end <= now {
                    blind.push(id.clone());
                } else {
                    next = next.min(end);
                }
            }
            for id in &blind {
                // Both are in the order of the ids.
                if told.binary_search(id).is_err() {
                    self.remote.wake(id, Lane::Drift);
                }
            }
            told = blind;
            sleep_until(next).await;
        }
    }
}
