//! The elector: keeps the Lease, or waits for it.

mod release;

use std::{future::pending, pin::pin, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::{
    calls::{Calls, LeaseError},
    claim::Claim,
    evaluate::{LeaseTimes, Seen, Start, Step, Term, evaluate},
    lease::{record, renewed},
    standing::{Role, Standing},
};
use crate::{chain::Chain, env::Env, times::Times};

/// What the process leaves behind when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The number of the last term that has really begun.
    pub term: u64,
    /// For how long what was sent may still take effect.
    pub may_land: Duration,
}

/// Keeps the Lease, or waits for it.
pub struct Elector {
    calls: Calls,
    /// Who we are: no other process has it.
    identity: String,
    times: LeaseTimes,
    /// How long a request to the remote lives.
    lifetime: Duration,
    env: Env,
    claim: Claim,
    standing: watch::Sender<Standing>,
    /// The Lease as it was read or written last, and what was seen of it.
    lease: Lease,
    seen: Option<Seen>,
    /// While we lead: until when, if no renewal succeeds.
    leads_until: Option<Instant>,
    /// The last term that we have led.
    term: Term,
    /// How often the Lease had changed hands when we took it last.
    transitions: Option<i32>,
}

impl Elector {
    /// One that has not looked at the Lease yet. `host`: where it runs, for people. `lifetime`: how long a request to the remote
    /// may take effect.
    #[must_use]
    pub fn new(
        client: Client,
        (namespace, name): (&str, &str),
        host: &str,
        times: LeaseTimes,
        lifetime: Duration,
        env: Env,
    ) -> Self {
        let role = Role::Standby(None);
        Self {
            calls: Calls::new(client, namespace, name, times.renew_deadline / 4),
            identity: format!("{host}_{}", env.uuid()),
            times,
            lifetime,
            env,
            claim: Claim::none(),
            standing: watch::Sender::new(Standing { role, failing_since: None, is_blind: true }),
            lease: Lease::default(),
            seen: None,
            leads_until: None,
            term: Term::ONLY,
            transitions: None,
        }
    }

    /// The claim that it keeps.
    #[must_use]
    pub fn claim(&self) -> Claim {
        self.claim.clone()
    }

    /// What this process is, as it changes.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Takes part until told to `leave`; then gives the Lease back, and says in it for how long the next one has to be
    /// careful.
    pub async fn run(mut self, mut leave: watch::Receiver<Option<Left>>) {
        let left = loop {
            let next = {
                let mut once = pin!(self.once());
                tokio::select! {
                    biased;
                    next = &mut once => next,
                    left = has_left(&mut leave) => {
                        // It may be about to take the Lease.
                        let _ = timeout(Times::LAST_RELEASE / 2, once).await;
                        break left;
                    }
                }
            };
            tokio::select! {
                biased;
                left = has_left(&mut leave) => break left,
                () = sleep_until(next) => {}
            }
            if self.leads_until.is_some_and(|until| Instant::now() >= until) {
                self.lose("it could not be renewed in time");
            }
        };
        // Nothing is sent any more.
        self.claim.set(None);
        if self.leads_until.is_some() {
            self.release(left).await;
        }
    }

    /// One try. Returns when the next one is due.
    async fn once(&mut self) -> Instant {
        let started = Instant::now();
        // Whatever hangs does not keep anyone from seeing that the claim has run out.
        let end = self.leads_until.unwrap_or(started + self.times.renew_deadline);
        let tried = timeout_at(end, self.step(started)).await.unwrap_or(Err(LeaseError::Silent));
        self.note_failure(tried.err(), started);
        let mut next = started + self.times.retry_period;
        if self.leads_until.is_none() {
            // Those who wait do not all come at once.
            next -= self.times.retry_period.mul_f64(self.env.jitter() / 4.0);
        }
        self.leads_until.map_or(next, |until| next.min(until))
    }

    /// Says once that tries fail.
    fn note_failure(&mut self, failed: Option<LeaseError>, started: Instant) {
        let is_failing = failed.is_some();
        let was_failing = self.standing.borrow().failing_since.is_some();
        if let Some(error) = failed.filter(|_| !was_failing) {
            tracing::warn!(
                lease = self.calls.name,
                error = %Chain(&error),
                "failed to look after the Lease, and will try again"
            );
        }
        self.standing.send_if_modified(|standing| {
            standing.failing_since =
                is_failing.then_some(standing.failing_since.unwrap_or(started));
            standing.is_blind &= is_failing;
            was_failing != is_failing
        });
    }

    async fn step(&mut self, started: Instant) -> Result<(), LeaseError> {
        // A leader knows the Lease: it has written it.
        if self.leads_until.is_none() {
            self.look().await?;
        }
        match self.act(started).await {
            // Someone else has written, or deleted it; or we have, and were not told.
            Err(LeaseError::Refused(status)) if [404, 409].contains(&status.code) => {
                self.look().await?;
                self.act(started).await
            }
            result => result,
        }
    }

    /// Reads the Lease.
    async fn look(&mut self) -> Result<(), LeaseError> {
        let lease = self.calls.get().await?;
        self.saw(lease);
        Ok(())
    }

    fn saw(&mut self, lease: Option<Lease>) {
        let record = lease.as_ref().map(|lease| record(lease, &self.times, self.lifetime));
        self.seen = Some(Seen::after(self.seen.as_ref(), record, Instant::now()));
        self.lease = lease.unwrap_or_default();
    }

    /// Does what is to be done about the Lease as it was seen.
    async fn act(&mut self, started: Instant) -> Result<(), LeaseError> {
        let Some(seen) = &self.seen else { return Ok(()) };
        let step = match evaluate(&self.identity, seen, &self.times, Instant::now()) {
            // It was deleted while we lead: our own claim is the only one.
            Step::Wait if self.leads_until.is_some() && seen.record.is_none() => {
                Step::Create(Start::Resumed)
            }
            step => step,
        };
        let start = match step {
            Step::Wait => {
                let holder = seen.record.as_ref().map(|record| record.holder.clone());
                if self.leads_until.is_some() {
                    self.lose("someone else has taken it");
                }
                self.become_standby(holder.filter(|holder| !holder.is_empty()));
                return Ok(());
            }
            Step::Create(start) | Step::Take(start) => start,
            // Since our own term nobody has had it.
            Step::Renew if self.transitions.is_some() && self.transitions == seen.transitions() => {
                Start::Resumed
            }
            // A write has succeeded that nobody heard of.
            Step::Renew => Start::After(self.lifetime),
        };
        let lease = self.renewed();
        let lease = match step {
            Step::Create(_) => self.calls.create(&lease).await?,
            _ => self.calls.replace(&lease).await?,
        };
        self.saw(Some(lease));
        self.lead(started, start);
        Ok(())
    }

    fn renewed(&self) -> Lease {
        let now = self.env.wall_clock();
        let ours = (&self.times, self.lifetime);
        renewed(&self.lease, &self.calls.name, &self.identity, ours, now)
    }

    /// We lead, since the request began that has said so.
    fn lead(&mut self, started: Instant, start: Start) {
        let until = started + self.times.renew_deadline;
        if Instant::now() >= until {
            // It came too late to be worth anything.
            return;
        }
        let was_leader = self.leads_until.replace(until).is_some();
        self.claim.set(Some(until));
        if !was_leader {
            tracing::info!(lease = self.calls.name, identity = self.identity, ?start, "leads");
            self.term = Term { number: self.term.number + 1, start };
            self.transitions = self.seen.as_ref().and_then(Seen::transitions);
            self.set_role(Role::Leader(self.term));
        }
    }

    fn lose(&mut self, why: &str) {
        self.leads_until = None;
        self.claim.set(None);
        tracing::warn!(lease = self.calls.name, why, "has lost the lead, and stands by");
        self.set_role(Role::Standby(None));
    }

    fn become_standby(&self, holder: Option<String>) {
        let leader = holder.as_deref().unwrap_or_default().to_owned();
        if self.set_role(Role::Standby(holder)) {
            tracing::info!(lease = self.calls.name, leader, "stands by");
        }
    }

    /// Returns whether that is news.
    fn set_role(&self, role: Role) -> bool {
        self.standing.send_if_modified(|standing| {
            let is_news = standing.role != role;
            standing.role = role;
            is_news
        })
    }
}

/// Returns what is left when the process is told to end. If nobody is there any more to tell it, that is told elsewhere.
async fn has_left(leave: &mut watch::Receiver<Option<Left>>) -> Left {
    let left = leave.wait_for(Option::is_some).await.ok().and_then(|left| *left);
    match left {
        Some(left) => left,
        None => pending().await,
    }
}
