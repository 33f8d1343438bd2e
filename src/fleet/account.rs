//! One credential: whether it is usable, what it may send when, and whose turn to write it is.
//! Pure but for reading the token: time is an argument.

use std::{collections::HashMap, sync::Arc};

use http::StatusCode;
use tokio::time::Instant;

use super::{
    budget::{Budget, Ending, Kind, Rates},
    turns::{Lane, Turns},
};
use crate::{
    api::DeploymentId,
    qoder::{ApiError, SendError, Token, TokenError, TokenSource},
    times::Times,
};

/// The credential and its budget.
pub struct Account {
    times: Times,
    source: TokenSource,
    token: Option<Token>,
    /// Counts the tokens, so that what was refused to one is tried again with the next.
    epoch: u64,
    rejected: Option<Rejected>,
    budget: Budget,
    turns: Turns<DeploymentId>,
    /// Turns granted and not used yet, each until when.
    granted: HashMap<DeploymentId, Instant>,
}

/// The API answered 401.
#[derive(Debug, Clone, Copy)]
struct Rejected {
    since: Instant,
    probes: u32,
    probe_at: Instant,
    probing: bool,
}

/// What the credential is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// There is a token, and nothing says that it is bad.
    Usable,
    /// There is none.
    Missing,
    /// The API has answered 401 since then.
    Rejected {
        /// Since when.
        since: Instant,
    },
}

/// The right to send one request, with the credential as it was when the right was given.
pub struct Pass {
    /// The token.
    pub token: Token,
    /// Which token it is: what it meets with says nothing about a later one.
    pub epoch: u64,
}

/// Whether a read may be sent.
pub enum Admission {
    /// Now. The read counts as sent.
    Now(Pass),
    /// Not before this time; ask again.
    At(Instant),
    /// Not before the credential changes or a request ends; ask again then.
    Closed,
}

/// Whether a write may be sent.
pub enum Turn {
    /// Now.
    Yours(Pass),
    /// The key waits, and is brought back by [`Account::grant`].
    Wait,
}

impl Account {
    /// An account that has not read its token yet.
    #[must_use]
    pub fn new(source: TokenSource, rates: Rates, times: Times) -> Self {
        Self {
            times,
            source,
            token: None,
            epoch: 0,
            rejected: None,
            budget: Budget::new(rates, times),
            turns: Turns::default(),
            granted: HashMap::new(),
        }
    }

    /// Reads the token again. Returns whether it changed.
    ///
    /// # Errors
    /// There is no usable token now.
    pub fn reload(&mut self) -> Result<bool, TokenError> {
        let (token, error) = match self.source.load() {
            Ok(token) => (Some(token), None),
            Err(error) => (None, Some(error)),
        };
        let changed = token != self.token;
        if changed {
            self.token = token;
            self.epoch += 1;
            self.rejected = None;
        }
        error.map_or(Ok(changed), Err)
    }

    /// What the credential is worth.
    #[must_use]
    pub fn worth(&self) -> Worth {
        match (&self.token, self.rejected) {
            (None, _) => Worth::Missing,
            (Some(_), Some(Rejected { since, .. })) => Worth::Rejected { since },
            (Some(_), None) => Worth::Usable,
        }
    }

    /// Counts the tokens seen so far.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the breaker is open.
    #[must_use]
    pub fn is_breaker_open(&self) -> bool {
        self.budget.is_open()
    }

    /// How many keys wait for their turn to write.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.turns.len()
    }

    fn pass(&self) -> Option<Pass> {
        Some(Pass { token: self.token.clone()?, epoch: self.epoch })
    }

    /// Asks to send one read.
    pub fn admit_read(&mut self, now: Instant) -> Admission {
        let Some(pass) = self.pass() else {
            return Admission::Closed;
        };
        if let Some(rejected) = &self.rejected {
            if rejected.probing {
                return Admission::Closed;
            }
            if now < rejected.probe_at {
                return Admission::At(rejected.probe_at);
            }
        }
        match self.budget.earliest(Kind::Read, 0, now) {
            None => Admission::Closed,
            Some(at) if at > now => Admission::At(at),
            Some(_) => {
                self.budget.sent(Kind::Read, now);
                if let Some(rejected) = &mut self.rejected {
                    rejected.probing = true;
                }
                Admission::Now(pass)
            }
        }
    }

    /// Asks for a turn to write: one that was granted, or a free one if nobody waits; else the
    /// key waits.
    pub fn turn(
        &mut self,
        id: &DeploymentId,
        lane: Lane,
        namespace: &Arc<str>,
        now: Instant,
    ) -> Turn {
        let Some(pass) = self.pass().filter(|_| self.rejected.is_none()) else {
            self.turns.push(id.clone(), lane, namespace);
            return Turn::Wait;
        };
        let granted = self.granted.get(id).is_some_and(|until| now < *until);
        let free = || self.turns.is_empty() && self.next_grant(now).is_some_and(|at| at <= now);
        if granted {
            Turn::Yours(pass)
        } else if free() {
            self.promise(id.clone(), now);
            Turn::Yours(pass)
        } else {
            self.turns.push(id.clone(), lane, namespace);
            Turn::Wait
        }
    }

    fn promise(&mut self, id: DeploymentId, now: Instant) {
        self.budget.promised(now);
        self.granted.insert(id, now + Times::PERMIT);
    }

    /// A turn that was taken is not used: it passes on.
    pub fn give_back(&mut self, id: &DeploymentId) {
        self.granted.remove(id);
        self.turns.remove(id);
    }

    /// When the next one who waits may write. `None`: not before something else changes.
    #[must_use]
    pub fn next_grant(&self, now: Instant) -> Option<Instant> {
        if self.token.is_none() || self.rejected.is_some() {
            return None;
        }
        let promised = self.granted.values().filter(|until| now < **until).count();
        self.budget.earliest(Kind::Write, promised, now)
    }

    /// Grants the next turn, if the time has come, to the one who waits for it longest.
    pub fn grant(&mut self, now: Instant) -> Option<DeploymentId> {
        self.granted.retain(|_, until| now < *until);
        if self.next_grant(now)? > now {
            return None;
        }
        let id = self.turns.pop()?;
        self.promise(id.clone(), now);
        Some(id)
    }

    /// Sends the write whose turn was granted, now if the ring allows it: turns are used some
    /// milliseconds after they were granted, and the ring counts what is really sent.
    ///
    /// # Errors
    /// Not before this time; ask again then.
    pub fn send_write(&mut self, id: &DeploymentId, now: Instant) -> Result<(), Instant> {
        let at = self.budget.window(now);
        if at > now {
            return Err(at);
        }
        self.granted.remove(id);
        self.budget.sent(Kind::Write, now);
        Ok(())
    }

    /// A request that was sent with the token of `epoch` has ended. Returns whether the
    /// credential's worth changed. `jitter` is in 0..1.
    pub fn ended(
        &mut self,
        (kind, epoch): (Kind, u64),
        error: Option<&ApiError>,
        now: Instant,
        jitter: f64,
    ) -> bool {
        let status = error.and_then(ApiError::status);
        let ending = match (error, status) {
            (_, Some(StatusCode::TOO_MANY_REQUESTS)) => {
                Ending::Throttled(error.and_then(ApiError::retry_after))
            }
            (_, Some(status)) if status.is_server_error() => Ending::Failed,
            // An answer that is too large is one.
            (Some(ApiError::Send(SendError::TooLarge(_))), None) => Ending::Answered,
            (Some(ApiError::Send(_)), None) => Ending::Failed,
            _ => Ending::Answered,
        };
        self.budget.ended(kind, ending, now, jitter);
        // A token that was replaced meanwhile is not judged by what its predecessor was told.
        if epoch != self.epoch {
            return false;
        }
        if status == Some(StatusCode::UNAUTHORIZED) {
            let probes = self.rejected.map_or(0, |rejected| rejected.probes + 1);
            let first = self.rejected.is_none();
            self.rejected = Some(Rejected {
                since: self.rejected.map_or(now, |rejected| rejected.since),
                probes,
                probe_at: now + self.times.credential_probe(probes),
                probing: false,
            });
            return first;
        }
        if let Some(rejected) = &mut self.rejected {
            // Only an answer from behind the gate says that the token is good again.
            rejected.probing = false;
            if ending == Ending::Answered {
                self.rejected = None;
                return true;
            }
            rejected.probe_at = now + self.times.credential_probe(rejected.probes);
        }
        false
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
