//! One credential and what it may send when: the gate of the token, the budget, the permits to write.
//! Every request has a ticket, and every ticket ends. Pure, except for reading the token.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::Instant;

use super::{
    budget::{Budget, Kind, Obstacle, Rates, Sent},
    credential::{Credential, CredentialState, Gate, Verdict},
    ending::Ending,
    permits::Permits,
    probe::ProbeId,
};
use crate::{
    api::DeploymentId,
    fair_queue::Lane,
    qoder::{ApiError, Token, TokenError, TokenSource},
    times::Times,
};

/// The credential and what it may send.
pub struct Account {
    credential: Credential,
    budget: Budget,
    permits: Permits,
}

/// One request that may be sent now, and counts as sent. To be handed to [`Account::ended`], or to
/// [`Account::let_go`].
pub struct Ticket {
    /// The token to send it with.
    pub token: Token,
    /// Which token that is: how it is answered says nothing about a later one.
    pub epoch: u32,
    kind: Kind,
    sent: Sent,
    probe: Option<ProbeId>,
}

/// Whether a request may be sent.
pub enum Admission {
    Now(Ticket),
    /// Not before this time; ask again.
    At(Instant),
    /// Not before the credential changes or a request ends; ask again then.
    Closed,
}

impl Account {
    /// An account that has not read its token yet.
    #[must_use]
    pub fn new(source: TokenSource, rates: Rates, times: Times) -> Self {
        Self {
            credential: Credential::new(source, times),
            budget: Budget::new(rates, times),
            permits: Permits::default(),
        }
    }

    /// Reads the token again. Returns whether it changed.
    ///
    /// # Errors
    /// There is no usable token now.
    pub fn reload(&mut self, now: Instant) -> Result<bool, TokenError> {
        self.credential.reload(now)
    }

    /// What the credential is worth, and which it is.
    #[must_use]
    pub fn credential(&self) -> CredentialState {
        self.credential.state()
    }

    /// A term as the leader begins: nobody waits for a permit, or has one, and how the API answered in the one before
    /// says nothing any more.
    pub fn begin_term(&mut self, now: Instant) {
        self.permits = Permits::default();
        self.credential.begin_term(now);
        self.budget.begin_term();
    }

    /// Whether there is a token.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.credential.token().is_some()
    }

    /// While the credential is rejected: from when on it may be tried again.
    #[must_use]
    pub fn probe_at(&self) -> Option<Instant> {
        self.credential.probe_at()
    }

    /// Whether the next read would try a rejected credential.
    #[must_use]
    pub fn is_probe_due(&self, now: Instant) -> bool {
        self.credential.gate(now) == Gate::Probe
    }

    #[must_use]
    pub fn is_breaker_open(&self) -> bool {
        self.budget.is_open()
    }

    /// Why nothing may be sent for now, if so.
    #[must_use]
    pub fn obstacle(&self, now: Instant) -> Option<Obstacle> {
        self.budget.obstacle(now)
    }

    /// How many deployments wait for a permit.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.permits.waiting()
    }

    /// From when on those that wait for a permit stand still. `None`: none waits.
    #[must_use]
    pub fn stuck_at(&self) -> Option<Instant> {
        self.permits.stuck_at()
    }

    /// The deployments that wait for a permit.
    #[must_use]
    pub fn all_waiting(&self) -> Vec<DeploymentId> {
        self.permits.all_waiting()
    }

    /// Asks to send one read.
    pub fn admit_read(&mut self, now: Instant) -> Admission {
        let is_probe = match self.credential.gate(now) {
            Gate::Closed => return Admission::Closed,
            Gate::At(at) => return Admission::At(at),
            Gate::Open => false,
            Gate::Probe => true,
        };
        match self.budget.earliest(Kind::Read, 0, now) {
            None => Admission::Closed,
            Some(at) if at > now => Admission::At(at),
            Some(_) => {
                self.ticket(Kind::Read, is_probe, now).map_or(Admission::Closed, Admission::Now)
            }
        }
    }

    fn ticket(&mut self, kind: Kind, is_probe: bool, now: Instant) -> Option<Ticket> {
        let token = self.credential.token()?.clone();
        let probe = is_probe.then(|| self.credential.begin_probe());
        let sent = self.budget.send(kind, now);
        Some(Ticket { token, epoch: self.credential.state().epoch, kind, sent, probe })
    }

    /// Takes a permit to write: one that was granted, or a free one if nobody waits. Else the deployment
    /// waits, and [`grant`](Self::grant) names it when its turn has come.
    pub fn permit(
        &mut self,
        id: &DeploymentId,
        lane: Lane,
        namespace: &Arc<str>,
        now: Instant,
    ) -> bool {
        if self.permits.take(id, now) {
            return true;
        }
        if self.permits.waiting() == 0 && self.next_grant(now).is_some_and(|at| at <= now) {
            self.grant_to(id, now);
            return self.permits.take(id, now);
        }
        self.permits.wait(id, lane, namespace, now);
        false
    }

    /// Since when the deployment has asked for a permit that it has not taken.
    #[must_use]
    pub fn asked_since(&self, id: &DeploymentId) -> Option<Instant> {
        self.permits.since(id)
    }

    fn grant_to(&mut self, id: &DeploymentId, now: Instant) {
        self.budget.reserve_write(now);
        self.permits.grant(id, now);
    }

    /// The deployment has no use for a permit that it waits for, or that nobody has taken. Returns whether there
    /// was one.
    pub fn forget_permit(&mut self, id: &DeploymentId) -> bool {
        self.permits.forget(id)
    }

    /// A permit that was taken is not needed.
    pub fn give_back(&mut self) {
        self.permits.give_back();
    }

    /// When the next permit can be granted. `None`: not before something else changes.
    #[must_use]
    pub fn next_grant(&self, now: Instant) -> Option<Instant> {
        if self.credential.gate(now) != Gate::Open {
            return None;
        }
        let (room_at, reserved) = self.permits.room(now)?;
        Some(self.budget.earliest(Kind::Write, reserved, now)?.max(room_at))
    }

    /// Grants the next permit, if the time has come, to the deployment whose turn it is.
    pub fn grant(&mut self, now: Instant) -> Option<DeploymentId> {
        if self.next_grant(now)? > now {
            return None;
        }
        let id = self.permits.next()?;
        self.grant_to(&id, now);
        Some(id)
    }

    /// Asks to send a write, with a permit that was taken: some milliseconds ago, and what has closed meanwhile
    /// counts.
    pub fn admit_write(&mut self, now: Instant) -> Admission {
        if self.credential.gate(now) != Gate::Open {
            return Admission::Closed;
        }
        match self.budget.window(now) {
            None => Admission::Closed,
            Some(at) if at > now => Admission::At(at),
            Some(_) => match self.ticket(Kind::Write, false, now) {
                None => Admission::Closed,
                Some(ticket) => {
                    self.permits.sent();
                    Admission::Now(ticket)
                }
            },
        }
    }

    /// A request is given up before it has ended.
    pub fn let_go(&mut self, ticket: &Ticket) {
        self.credential.let_go(ticket.probe);
        self.budget.let_go(ticket.sent);
        self.leave(ticket);
    }

    fn leave(&mut self, ticket: &Ticket) {
        if ticket.kind == Kind::Write {
            self.permits.ended();
        }
    }

    /// A request has ended. `jitter` is in 0..1.
    pub fn ended(&mut self, ticket: &Ticket, error: Option<&ApiError>, now: Instant, jitter: f64) {
        let ending = Ending::of(error);
        let verdict = verdict(error, ending);
        self.budget.ended(ticket.sent, ending, now, jitter);
        self.credential.ended(ticket.epoch, ticket.probe, verdict, now);
        if ticket.kind == Kind::Write && verdict == Verdict::Accepted {
            self.permits.served(now);
        }
        self.leave(ticket);
    }

    /// A list has ended, while lists fail and GETs are answered: how it failed says nothing of other requests. Returns
    /// for how long it asks to wait.
    pub fn useless_list_ended(
        &mut self,
        ticket: &Ticket,
        error: Option<&ApiError>,
        now: Instant,
        jitter: f64,
    ) -> Option<Duration> {
        match Ending::of(error) {
            Ending::Answered => {
                self.ended(ticket, error, now, jitter);
                None
            }
            Ending::Failed(asked) | Ending::Throttled(asked) => {
                // As the probe of a rejected token it has shown nothing: the next one waits.
                self.credential.ended(ticket.epoch, ticket.probe, Verdict::Unclear, now);
                self.let_go(ticket);
                asked.map(|asked| self.budget.bounded(asked))
            }
        }
    }
}

fn verdict(error: Option<&ApiError>, ending: Ending) -> Verdict {
    if error.and_then(ApiError::status) == Some(StatusCode::UNAUTHORIZED) {
        return Verdict::Rejected;
    }
    // What answers in the API's place has not looked at the token.
    let is_from_api = error.is_none_or(ApiError::is_from_api);
    if is_from_api && ending == Ending::Answered { Verdict::Accepted } else { Verdict::Unclear }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
