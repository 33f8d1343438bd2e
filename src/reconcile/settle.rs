//! The settlement: one pure function from a verdict to what the status says, what is remembered
//! and when to look again. The one place that knows status and retry policy.

use super::{
    decide::{Decision, Step, Verdict},
    situation::{Age, Knowledge, Situation},
};
use crate::{
    api::{ConditionStatus, Reason, Wish},
    fleet::{Answer, ReadFailure},
    qoder::Verb,
};

/// How the step of a decision ended, as far as it matters here. Failures are in the ledger, and
/// come back as part of the next situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There was none to take, or it failed.
    NotDone,
    /// The write waits for its turn.
    Waiting,
    /// The write succeeded, and its answer is part of the situation.
    Done(Verb),
}

/// What follows from a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What to publish; `None`: leave what stands.
    pub ready: Option<Ready>,
    /// What becomes of `lastReached`.
    pub reached: ReachedChange,
    /// The present value of `resume-requested-at` is handled.
    pub resume_handled: bool,
    /// The present value of `reconcile-requested-at` is handled.
    pub reconcile_handled: bool,
    /// When to look again, if nothing happens before.
    pub again: Again,
}

/// The condition Ready, from which Reconciling and Stalled follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Its status.
    pub status: ConditionStatus,
    /// Its reason.
    pub reason: Reason,
    /// What accompanies it.
    pub progress: Progress,
}

/// What accompanies a condition Ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing: it is done.
    Done,
    /// Reconciling=True: the operator goes on by itself.
    Reconciling,
    /// Stalled=True: a person has to do something.
    Stalled,
}

/// What becomes of `lastReached`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReachedChange {
    /// It stays.
    Keep,
    /// This generation's wish is reached.
    Set,
    /// Another resource decides now.
    Clear,
}

/// When to look again, if neither a watch event nor an observation comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No need: what changes is seen.
    Never,
    /// When the generation is overdue for an answer.
    Overdue,
    /// When a failed read is tried again, or its grace ends.
    Retry,
    /// When the grace of a rejected credential ends.
    CredentialGrace,
    /// At the next slow look at a stalled deployment.
    SlowLook,
    /// When the hold of a contested deployment ends.
    HoldEnd,
    /// When the backoff of a failed write ends, or a lost request cannot land any more.
    WriteFree,
}

/// Settles.
#[must_use]
pub fn settle(s: &Situation, decision: Decision, outcome: Outcome) -> Settled {
    let ready = ready(s, decision, outcome);
    let reached = match decision.verdict {
        Verdict::InSync | Verdict::Observed => ReachedChange::Set,
        Verdict::DuplicateOwner => ReachedChange::Clear,
        _ => ReachedChange::Keep,
    };
    Settled {
        ready,
        reached,
        resume_handled: s.wish != Wish::Active
            || outcome == Outcome::Done(Verb::Unpause)
            || is_seen_active(s),
        reconcile_handled: reached == ReachedChange::Set,
        again: again(s, decision),
    }
}

/// A resume request is met when a request that started after it saw the deployment active, and
/// nothing lost can change that.
fn is_seen_active(s: &Situation) -> bool {
    matches!(s.knowledge, Knowledge::Known { answer: Answer::Active, fresh: true })
        && !s.may_still_change(Answer::Active)
}

fn ready(s: &Situation, decision: Decision, outcome: Outcome) -> Option<Ready> {
    use ConditionStatus::{False, True, Unknown};
    let done = |reason| Some(Ready { status: True, reason, progress: Progress::Done });
    let stalled = |reason| Some(Ready { status: False, reason, progress: Progress::Stalled });
    let reconciling =
        |status, reason| Some(Ready { status, reason, progress: Progress::Reconciling });

    match decision.verdict {
        Verdict::Deleting => None,
        Verdict::DuplicateOwner => stalled(Reason::DuplicateOwner),
        Verdict::CredentialMissing => stalled(Reason::CredentialMissing),
        Verdict::CredentialRejected => stalled(Reason::CredentialRejected),
        // Leave what stands, unless nothing stands for this generation and it takes long.
        Verdict::Observing | Verdict::MayStillChange => {
            (!s.answered && s.overdue).then(|| reconciling(Unknown, Reason::Progressing))?
        }
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
        // One status write for one flip: while it waits for its turn, `observedGeneration`
        // already says that the new generation is not done. Drift has the old generation: a
        // standing Ready=True would be a lie.
        Verdict::Pending(_) if outcome == Outcome::Waiting && !s.answered => None,
        Verdict::Pending(Verb::Pause) => reconciling(False, Reason::PausePending),
        Verdict::Pending(Verb::Unpause) => reconciling(False, Reason::ResumePending),
    }
}

fn again(s: &Situation, decision: Decision) -> Again {
    match decision.verdict {
        Verdict::Observing | Verdict::MayStillChange if !s.answered && !s.overdue => Again::Overdue,
        Verdict::MayStillChange => Again::WriteFree,
        Verdict::Unreadable(ReadFailure::Unauthorized, _) => Again::CredentialGrace,
        Verdict::Unreadable(..) => Again::Retry,
        Verdict::Forbidden
        | Verdict::NotFound
        | Verdict::Archived
        | Verdict::UnknownStatus
        | Verdict::WriteRefused => Again::SlowLook,
        Verdict::Contested => Again::HoldEnd,
        // With a step, the budget brings the key back when its turn has come.
        Verdict::Pending(_) if decision.step == Step::Nothing => Again::WriteFree,
        _ => Again::Never,
    }
}
