//! The settlement: one pure function from a verdict to what the status says and what is remembered. The one
//! place that knows status policy.

use super::{
    decide::{Decision, Verdict, decide},
    situation::{Age, Knowledge, Situation},
};
use crate::{
    api::{ConditionStatus, Reason, Wish},
    qoder::Verb,
    remote::{Answer, ReadFailure},
    resources::{Progress, ReachedChange},
};

/// What became of the write that a decision asks for. How a write ended is in the ledger, and comes back as
/// part of the next situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// There is none to send now.
    None,
    /// It waits for a permit.
    Waiting {
        /// Nobody gets one for the time being.
        stuck: bool,
    },
    /// It is under way.
    UnderWay {
        /// It does not end for the time being.
        stuck: bool,
    },
}

/// What follows from a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What to publish; `None`: leave what stands.
    pub ready: Option<Ready>,
    /// What is remembered.
    pub progress: Progress,
}

/// The condition Ready, and the one that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    pub status: ConditionStatus,
    pub reason: Reason,
    /// Which other condition is True beside it.
    pub kind: Kind,
}

/// What kind of state a resource is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is left to do.
    Done,
    /// Work goes on: `Reconciling`, with the same reason.
    Reconciling,
    /// A person has to do something: `Stalled`, with the same reason.
    Stalled,
}

/// Settles. A status that says that a reconcile request is handled says the rest as it is from then on: nothing
/// would be left to say it by itself.
#[must_use]
pub fn conclude(s: &Situation, decision: Decision, action: Action) -> Settled {
    let settled = settle(s, decision, action);
    if !s.reconcile_requested || !settled.progress.reconcile_handled {
        return settled;
    }
    let handled = Situation { reconcile_requested: false, ..*s };
    let Settled { ready, .. } = settle(&handled, decide(&handled), action);
    Settled { ready, ..settled }
}

/// Settles one decision by itself.
#[must_use]
pub fn settle(s: &Situation, decision: Decision, action: Action) -> Settled {
    let ready = ready(s, decision.verdict, action);
    let reached = match decision.verdict {
        Verdict::InSync | Verdict::Observed => ReachedChange::Set,
        Verdict::DuplicateOwner => ReachedChange::Clear,
        _ => ReachedChange::Keep,
    };
    let progress = Progress {
        reached,
        resume_handled: s.wish != Wish::Active || is_seen_active(s),
        reconcile_handled: is_answered(s, decision.verdict),
        is_told: ready.is_some(),
    };
    Settled { ready, progress }
}

/// A resume request is met when a request that started after it saw the deployment active, and
/// nothing lost can change that.
fn is_seen_active(s: &Situation) -> bool {
    matches!(s.knowledge, Knowledge::Known { answer: Answer::Active, fresh: true })
        && !s.may_still_change(Answer::Active)
}

/// A reconcile request is handled when a look that started after it has answered it, whatever the answer: tools
/// wait for the echo. What is still to be written is no answer.
fn is_answered(s: &Situation, verdict: Verdict) -> bool {
    let has_looked = matches!(s.knowledge, Knowledge::Known { fresh: true, .. });
    match verdict {
        // No look is needed for it.
        Verdict::DuplicateOwner => true,
        Verdict::Deleting
        | Verdict::CredentialMissing
        | Verdict::CredentialRejected
        | Verdict::Observing
        | Verdict::Unreadable(..)
        | Verdict::MayStillChange
        | Verdict::Pending(_) => false,
        Verdict::Forbidden
        | Verdict::NotFound
        | Verdict::Archived
        | Verdict::Disabled
        | Verdict::Observed
        | Verdict::UnknownStatus
        | Verdict::InSync
        | Verdict::PausedByPlatform
        | Verdict::DriftTolerated
        | Verdict::Contested
        | Verdict::WriteRefused => has_looked,
    }
}

fn ready(s: &Situation, verdict: Verdict, action: Action) -> Option<Ready> {
    use ConditionStatus::{False, True, Unknown};
    let done = |reason| Some(Ready { status: True, reason, kind: Kind::Done });
    let stalled = |reason| Some(Ready { status: False, reason, kind: Kind::Stalled });
    let reconciling = |status, reason| Some(Ready { status, reason, kind: Kind::Reconciling });

    match verdict {
        Verdict::Deleting => None,
        Verdict::DuplicateOwner => stalled(Reason::DuplicateOwner),
        Verdict::CredentialMissing => stalled(Reason::CredentialMissing),
        Verdict::CredentialRejected => stalled(Reason::CredentialRejected),
        // Leave what stands, unless nothing stands for this generation and it takes long.
        Verdict::Observing | Verdict::MayStillChange if s.answered || !s.overdue => None,
        Verdict::Observing | Verdict::MayStillChange => reconciling(Unknown, Reason::Progressing),
        Verdict::Unreadable(_, Age::WithinGrace) if s.answered => None,
        Verdict::Unreadable(cause, _) => reconciling(
            Unknown,
            match cause {
                ReadFailure::Unavailable | ReadFailure::Unauthorized => Reason::RemoteUnavailable,
                ReadFailure::AnswerInvalid | ReadFailure::NotTheApi => Reason::RemoteAnswerInvalid,
            },
        ),
        Verdict::Forbidden => stalled(Reason::Forbidden),
        Verdict::NotFound => stalled(Reason::RemoteNotFound),
        Verdict::Archived => stalled(Reason::RemoteArchived),
        Verdict::Disabled => done(Reason::ReconcileDisabled),
        Verdict::Observed => done(Reason::Observed),
        Verdict::UnknownStatus => stalled(Reason::UnknownRemoteStatus),
        Verdict::InSync => done(Reason::InSync),
        Verdict::PausedByPlatform => stalled(Reason::PausedByPlatform),
        Verdict::DriftTolerated => done(Reason::DriftTolerated),
        Verdict::Contested => stalled(Reason::Contested),
        Verdict::WriteRefused => stalled(Reason::WriteRefused),
        Verdict::Pending(_) if !is_pending_told(s, action) => None,
        Verdict::Pending(Verb::Pause) => reconciling(False, Reason::PausePending),
        Verdict::Pending(Verb::Unpause) => reconciling(False, Reason::ResumePending),
    }
}

/// One status write for one flip: while a write is on its way, or comes nearer to its turn, `observedGeneration`
/// already says that the new generation is not done. Where it stands still, the status says so.
/// Drift has the old generation: where its correction has to wait, a standing Ready=True would be a lie.
fn is_pending_told(s: &Situation, action: Action) -> bool {
    let is_late = s.answered || s.overdue;
    match action {
        Action::None => true,
        Action::Waiting { stuck } => s.answered || (is_late && stuck),
        Action::UnderWay { stuck } => is_late && stuck,
    }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
