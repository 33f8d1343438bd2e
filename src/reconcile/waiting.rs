//! What a resource that is not done waits for, as a snapshot shows it. Pure.

use super::{settle::Action, snapshot::Snapshot};
use crate::{
    api::Reason,
    qoder::{TokenProblem, Verb},
    remote::{LastTry, Obstacle, Worth},
    resources::Resource,
    times::Times,
};

/// What a resource waits for that a person should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hindrance {
    /// The write under way is not answered for the time being.
    UnderWay,
    /// Nothing may be sent to the API for now.
    Obstacle(Obstacle),
    /// W: a write of this verb that was lost may still take effect.
    MayLand(Verb),
    /// W: the leader before may have sent one that still can.
    Predecessor,
    /// The last write has failed.
    LastTry(LastTry),
    /// Many writes wait for their turn, and none is served.
    Turn,
    /// It cannot be read: how the first read that failed has ended.
    FirstRead(&'static str),
    /// There is no token.
    Token(TokenProblem),
}

impl Snapshot {
    /// What became of the write for this resource. `is_waiting`: the one that the pass wanted got no permit.
    #[must_use]
    pub fn action(&self, resource: &Resource, is_waiting: bool) -> Action {
        let writes = &self.view.writes;
        if writes.under_way_since().is_some() {
            return Action::UnderWay { stuck: self.is_write_stuck() };
        }
        if is_waiting {
            let stuck = self.view.is_stuck || writes.goes_behind(&resource.requester());
            Action::Waiting { stuck }
        } else {
            Action::None
        }
    }

    /// Whether the write that is under way does not end for the time being.
    #[must_use]
    pub fn is_write_stuck(&self) -> bool {
        let since = self.view.writes.under_way_since();
        since.is_some_and(|since| self.now >= since + Times::STANDSTILL)
    }

    /// What may still take effect of this verb.
    fn landing(&self, verb: Verb) -> Option<Hindrance> {
        let may_land = self.view.writes.may_land(verb, self.now);
        let is_presumed = self.view.presumed_until.is_some_and(|until| self.now < until);
        let landing = if is_presumed { Hindrance::Predecessor } else { Hindrance::MayLand(verb) };
        may_land.then_some(landing)
    }

    /// What a resource that has this to say waits for, if a person should know.
    #[must_use]
    pub fn hindrance(&self, resource: &Resource, reason: Reason) -> Option<Hindrance> {
        let obstacle = self.view.obstacle.map(Hindrance::Obstacle);
        let writes = &self.view.writes;
        let last_try = || Some(Hindrance::LastTry(writes.last_failure(&resource.requester())?));
        let under_way = || {
            let is_stuck = self.is_write_stuck();
            // With each try another message would be two for each.
            is_stuck.then(|| last_try().unwrap_or(Hindrance::UnderWay))
        };
        match reason {
            Reason::Progressing => {
                let verbs = [Verb::Pause, Verb::Unpause];
                let lost = verbs.into_iter().find_map(|verb| self.landing(verb));
                under_way().or(lost).or(obstacle)
            }
            Reason::PausePending | Reason::ResumePending if writes.under_way_since().is_some() => {
                under_way()
            }
            Reason::PausePending | Reason::ResumePending => {
                let is_pause = reason == Reason::PausePending;
                let opposite = if is_pause { Verb::Unpause } else { Verb::Pause };
                obstacle
                    .or_else(|| self.landing(opposite))
                    .or_else(last_try)
                    .or(self.view.is_stuck.then_some(Hindrance::Turn))
            }
            Reason::RemoteUnavailable | Reason::RemoteAnswerInvalid => {
                let failure = self.view.entry.as_ref().and_then(|entry| entry.failure.as_deref());
                let first = match self.view.credential.worth {
                    Worth::Rejected { .. } => Some("401"),
                    Worth::Usable | Worth::Missing(_) => failure.map(|failure| failure.first_code),
                };
                first.map(Hindrance::FirstRead).or(obstacle)
            }
            Reason::WriteRefused => {
                Some(Hindrance::LastTry(writes.refusal(&resource.requester())?))
            }
            Reason::CredentialMissing => match self.view.credential.worth {
                Worth::Missing(problem) => Some(Hindrance::Token(problem)),
                Worth::Usable | Worth::Rejected { .. } => None,
            },
            _ => None,
        }
    }
}
