//! The credential: which token there is, what it is worth, and who may try it after a 401. Pure,
//! except for reading the token: time is an argument.

use tokio::time::Instant;

use super::probe::{Probe, ProbeId};
use crate::{
    qoder::{Token, TokenError, TokenProblem, TokenSource},
    times::Times,
};

/// One credential.
pub struct Credential {
    times: Times,
    source: TokenSource,
    token: Option<Token>,
    state: CredentialState,
    rejection: Option<Rejection>,
    probe: Probe,
}

/// What all who depend on the credential need to know. A change of it is news for every resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialState {
    /// What it is worth.
    pub worth: Worth,
    /// Counts the tokens: what one was refused says nothing about the next.
    pub epoch: u32,
    /// Since when all this is so. `None`: since the start.
    pub since: Option<Instant>,
}

/// What the credential is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// There is a token, and nothing says that it is bad.
    Usable,
    /// There is none, and why.
    Missing(TokenProblem),
    /// The API has answered 401 since then.
    Rejected { since: Instant },
}

/// The API answered 401.
#[derive(Debug, Clone, Copy)]
struct Rejection {
    /// Probes that met with it too.
    probes: u32,
    probe_at: Instant,
}

/// Whether a request may go, as far as the credential is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    Probe,
    /// Not before this time.
    At(Instant),
    /// Not before the token changes or the probe under way ends.
    Closed,
}

/// How a request ended, as far as the credential is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 401.
    Rejected,
    /// Any answer from behind the gate.
    Accepted,
    /// No answer, or one that says nothing: 429, 5xx.
    Unclear,
}

impl Credential {
    /// A credential whose token is not read yet.
    pub fn new(source: TokenSource, times: Times) -> Self {
        let state =
            CredentialState { worth: Worth::Missing(TokenProblem::NotRead), epoch: 0, since: None };
        Self { times, source, token: None, state, rejection: None, probe: Probe::default() }
    }

    /// Reads the token again. Returns whether it changed.
    ///
    /// # Errors
    /// There is no usable token now.
    pub fn reload(&mut self, now: Instant) -> Result<bool, TokenError> {
        let (token, error) = match self.source.load() {
            Ok(token) => (Some(token), None),
            Err(error) => (None, Some(error)),
        };
        let is_another = token != self.token;
        let worth = match &error {
            None => Worth::Usable,
            Some(error) => Worth::Missing(error.into()),
        };
        if is_another {
            self.token = token;
            self.rejection = None;
            self.probe.forget();
            self.state.epoch += 1;
            self.set(worth, now);
        } else if error.is_some() {
            // Another reason why there is none.
            self.state.worth = worth;
        }
        error.map_or(Ok(is_another), Err)
    }

    /// A term as the leader begins: the token may have become good meanwhile.
    pub fn begin_term(&mut self, now: Instant) {
        self.probe.forget();
        if self.rejection.take().is_some() {
            self.set(Worth::Usable, now);
        }
    }

    fn set(&mut self, worth: Worth, now: Instant) {
        self.state.worth = worth;
        self.state.since = Some(now);
    }

    pub fn state(&self) -> CredentialState {
        self.state
    }

    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    pub fn gate(&self, now: Instant) -> Gate {
        match (&self.token, &self.rejection) {
            (None, _) => Gate::Closed,
            (Some(_), None) => Gate::Open,
            (Some(_), Some(_)) if self.probe.is_under_way() => Gate::Closed,
            (Some(_), Some(rejection)) if now < rejection.probe_at => Gate::At(rejection.probe_at),
            (Some(_), Some(_)) => Gate::Probe,
        }
    }

    /// While it is rejected: from when on it may be tried again.
    pub fn probe_at(&self) -> Option<Instant> {
        self.rejection.map(|rejection| rejection.probe_at)
    }

    /// A request goes as the probe.
    pub fn begin_probe(&mut self) -> ProbeId {
        self.probe.begin()
    }

    /// The request is given up before it has ended: the next one may be the probe.
    pub fn let_go(&mut self, probe: Option<ProbeId>) {
        self.probe.end(probe);
    }

    /// A request that was sent with the token of `epoch` has ended. A token that was replaced meanwhile
    /// is not judged by what its predecessor was told. While it is rejected, only the probe says
    /// something new: everything else was sent before.
    pub fn ended(&mut self, epoch: u32, probe: Option<ProbeId>, verdict: Verdict, now: Instant) {
        let is_probe = self.probe.end(probe);
        if epoch != self.state.epoch {
            return;
        }
        match (&mut self.rejection, verdict) {
            (None, Verdict::Rejected) => {
                let probe_at = now + self.times.credential_probe(0);
                self.rejection = Some(Rejection { probes: 0, probe_at });
                self.set(Worth::Rejected { since: now }, now);
            }
            (Some(rejection), Verdict::Rejected) if is_probe => {
                rejection.probes = rejection.probes.saturating_add(1);
                rejection.probe_at = now + self.times.credential_probe(rejection.probes);
            }
            (Some(rejection), Verdict::Unclear) if is_probe => {
                rejection.probe_at = now + self.times.credential_probe(rejection.probes);
            }
            (Some(_), Verdict::Accepted) if is_probe => {
                self.rejection = None;
                self.set(Worth::Usable, now);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "credential_tests.rs"]
mod tests;
