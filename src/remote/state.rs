//! What is held for one credential, under one lock: so that one look at it is one moment, and what
//! belongs together changes together. No I/O.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    account::{Account, Ticket},
    budget::Obstacle,
    cache::Cache,
    credential::CredentialState,
    entry::Entry,
    ledger::Ledger,
    observation::{Answer, Observed},
    plan::{Lists, Need, Plan, Size, Wanted, plan},
    write::{End, Outcome, Write},
    writes::Writes,
};
use crate::{
    api::DeploymentId,
    context::Context,
    fair_queue::Lane,
    leader::Start,
    qoder::{ApiError, Deployment, Operation},
    times::Times,
};

/// The largest page to ask for: what the first generation of the API allows.
const LARGEST_PAGE: usize = 1000;

/// Everything that is held for one credential.
pub struct State {
    pub account: Account,
    pub cache: Cache,
    pub ledger: Ledger,
    /// What the next plan depends on.
    pub size: Size,
    /// Why there is no token, as it was logged last.
    pub token_error: Option<String>,
    /// What keeps all requests back, as it was logged last, and when it was met last.
    pub obstacle_told: Option<(Obstacle, Instant)>,
    /// How the last request that failed has ended, for the log.
    pub last_error: Option<&'static str>,
    /// No write begins any more: the process ends.
    pub are_writes_closed: bool,
    /// No list is asked for before this: a useless one has asked to wait.
    pub lists_wait_until: Option<Instant>,
    /// Until when what the leader before has sent may still take effect, to any deployment.
    pub presumed_until: Option<Instant>,
    /// How far the last list of all deployments has come.
    pub list: Option<ListProgress>,
}

/// How far a list has come that shows every deployment.
#[derive(Debug, Clone, Copy)]
pub struct ListProgress {
    pub started: Instant,
    /// When its last page came; before the first one, when it started.
    pub moved: Instant,
}

/// Before the first list.
const UNKNOWN_SIZE: Size = Size {
    live: 0,
    active: 0,
    paused: 0,
    page: LARGEST_PAGE,
    largest_page: LARGEST_PAGE,
    lists: Lists::Work,
};

/// What is known of one deployment and of the way to it, at one moment.
#[derive(Clone)]
pub struct View {
    /// What was seen of it. `None`: it is not bound.
    pub entry: Option<Entry>,
    /// When it was looked at last; before the first look, since when that is waited for.
    pub looked_at: Option<Instant>,
    /// What is remembered of our writes to it.
    pub writes: Writes,
    pub credential: CredentialState,
    /// Why nothing may be sent for now, if so.
    pub obstacle: Option<Obstacle>,
    /// Those that wait for a permit to write stand still.
    pub is_stuck: bool,
    /// No write begins any more: the process ends.
    pub are_writes_closed: bool,
    /// Until when what the leader before has sent may still take effect.
    pub presumed_until: Option<Instant>,
    /// How far the last list of all deployments has come.
    pub list: Option<ListProgress>,
}

/// What all rests on that is said of a deployment: another look, or a write that begins or ends, makes it another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    look: Option<Instant>,
    write: [Option<Instant>; 2],
}

impl View {
    /// What is known rests on this.
    #[must_use]
    pub fn basis(&self) -> Basis {
        let observed = self.entry.as_ref().and_then(|entry| entry.observed);
        Basis {
            look: observed.map(|look| look.valid_from),
            write: [self.writes.under_way_since(), self.writes.ended()],
        }
    }
}

/// A write that was sent, and has ended.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    pub write: &'a Write,
    pub ticket: &'a Ticket,
    pub started: Instant,
    pub ended: Instant,
}

impl State {
    /// Nothing is known.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            cache: Cache::default(),
            ledger: Ledger::default(),
            size: UNKNOWN_SIZE,
            token_error: None,
            obstacle_told: None,
            last_error: None,
            are_writes_closed: false,
            lists_wait_until: None,
            presumed_until: None,
            list: None,
        }
    }

    /// A term as the leader begins: what was asked, granted and learned in the one before is over. What was sent may
    /// still take effect.
    pub fn begin_term(&mut self, start: Start, now: Instant) {
        self.account.begin_term(now);
        self.cache.forget_looks(now);
        self.size = UNKNOWN_SIZE;
        self.are_writes_closed = false;
        self.lists_wait_until = None;
        self.list = None;
        match start {
            // It was ours, and is in the ledger.
            Start::Resumed => {}
            Start::First => self.ledger = Ledger::default(),
            Start::After(may_land) => {
                self.ledger = Ledger::default();
                self.presumed_until = Some(now + may_land);
                // It may have written right before its end.
                self.cache.expect_echoes(now + Times::ECHO);
            }
        }
    }

    /// A term has ended. Until the next one begins the statuses say what is known.
    pub fn end_term(&mut self, now: Instant) {
        self.cache.forget_looks(now);
    }

    /// For how long anything that was sent, here or by the leader before, may still take effect.
    pub fn may_land(&self, now: Instant, times: &Times) -> Duration {
        let until = self.presumed_until.max(self.ledger.may_land_until(now, times));
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// One deployment as it is known now.
    pub fn view(&self, id: &DeploymentId, now: Instant) -> View {
        View {
            entry: self.cache.get(id).cloned(),
            looked_at: self.cache.looked_at(id),
            writes: self.ledger.get(id),
            credential: self.account.credential(),
            obstacle: self.account.obstacle(now),
            is_stuck: self.account.stuck_at().is_some_and(|at| now >= at),
            are_writes_closed: self.are_writes_closed,
            presumed_until: self.presumed_until,
            list: self.list,
        }
    }

    /// No resource names the deployment any more.
    pub fn unbind(&mut self, id: &DeploymentId, now: Instant, times: &Times) {
        self.cache.unbind(id);
        let Self { ledger, cache, .. } = self;
        ledger.forget(|id| cache.is_bound(id), now, times);
    }

    /// How to read what is wanted.
    pub fn plan(&self, need: Need, wanted: Wanted, now: Instant) -> Plan {
        if self.do_lists_wait(now) { Plan::Gets } else { plan(need, wanted, self.size) }
    }

    /// Whether lists have asked to wait, and other requests need not.
    pub fn do_lists_wait(&self, now: Instant) -> bool {
        self.lists_wait_until.is_some_and(|at| now < at)
    }

    pub fn end_read(
        &mut self,
        operation: Operation,
        ticket: &Ticket,
        error: Option<&ApiError>,
        now: Instant,
        jitter: f64,
    ) {
        if operation == Operation::List && self.size.lists.are_to_blame() {
            let asked = self.account.useless_list_ended(ticket, error, now, jitter);
            self.lists_wait_until = asked.map(|wait| now + wait);
        } else {
            self.account.ended(ticket, error, now, jitter);
        }
    }

    /// A write is about to be sent: no other is sent to the deployment until it has ended.
    pub fn begin_write(&mut self, write: &Write, now: Instant) {
        self.ledger.note(&write.id).begun(write.verb, now);
    }

    /// A write that was sent has ended: books all that follows from it, in one step. Its answer is an observation:
    /// of what was asked for when it started, and newer than any read that started before it ended.
    pub fn end_write(
        &mut self,
        Exchange { write, ticket, started, ended }: Exchange<'_>,
        result: &Result<Deployment, ApiError>,
        Context { env, times, .. }: &Context,
    ) -> Outcome {
        let outcome = Outcome::of(write.verb, result);
        self.account.ended(ticket, result.as_ref().err(), ended, env.jitter());
        let code = Some(result.as_ref().map_or_else(ApiError::code, |_| "200"));
        let end = End { outcome, code, at: ended, epoch: ticket.epoch, jitter: env.jitter() };
        self.ledger.note(&write.id).book(write, end, times);
        if let Ok(deployment) = result {
            let observed = Observed {
                answer: Answer::from(deployment),
                started,
                valid_from: ended,
                epoch: ticket.epoch,
                is_written: outcome == Outcome::Done,
            };
            self.cache.observe(&write.id, Some(deployment.clone()), observed);
        }
        outcome
    }

    /// A write that was not sent, or of which nothing more will be heard, has ended.
    pub fn abandon_write(
        &mut self,
        write: &Write,
        outcome: Outcome,
        now: Instant,
        Context { env, times, .. }: &Context,
    ) {
        let epoch = self.account.credential().epoch;
        let end = End { outcome, code: None, at: now, epoch, jitter: env.jitter() };
        self.ledger.note(&write.id).book(write, end, times);
    }
}

/// Called with each deployment that someone should look at.
pub type Wake = Arc<dyn Fn(&DeploymentId, Lane) + Send + Sync>;
