//! The decision: one pure, total function from a situation to a step and a verdict.

use super::situation::{Age, BeforeWrite, CredentialState, Knowledge, Situation};
use crate::{
    api::{DriftPolicy, Wish},
    qoder::Verb,
    remote::{Answer, PausedBy, ReadFailure},
};

/// What to do and what to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What to do now.
    pub step: Step,
    /// What the situation is, once the step is done or could not be done.
    pub verdict: Verdict,
}

/// The one thing to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Nothing,
    Observe,
    /// Pause or unpause it.
    Write(Verb),
}

/// What the situation is: one for each row of the table of `docs/design.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Row 1: it is going away; leave what stands.
    Deleting,
    /// Row 2.
    DuplicateOwner,
    /// Row 3.
    CredentialMissing,
    /// Row 3.
    CredentialRejected,
    /// Row 4: not observed yet.
    Observing,
    /// Row 5: it cannot be read, for so long.
    Unreadable(ReadFailure, Age),
    /// Row 6.
    Forbidden,
    /// Row 6.
    NotFound,
    /// Row 6.
    Archived,
    /// Row 7.
    Disabled,
    /// Row 8.
    Observed,
    /// Row 9.
    UnknownStatus,
    /// Row 10.
    InSync,
    /// Rows 7, 8, 10 and 12 while a request that is under way, or whose outcome is unknown, could still change
    /// it.
    MayStillChange,
    /// Row 11.
    PausedByPlatform,
    /// Row 12.
    DriftTolerated,
    /// Row 13.
    Contested,
    /// Row 14.
    WriteRefused,
    /// Rows 11 and 15: it differs, and this verb is what it takes.
    Pending(Verb),
}

impl Verdict {
    /// Ready=True.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Disabled | Self::Observed | Self::InSync | Self::DriftTolerated)
    }
}

/// Decides. The first row that fits wins.
#[must_use]
pub fn decide(s: &Situation) -> Decision {
    let say = |verdict| Decision { step: Step::Nothing, verdict };
    // The end of a write makes every read void that started before: until then none is worth asking for.
    let is_under_way = s.before_write == BeforeWrite::UnderWay;
    let look = if is_under_way { Step::Nothing } else { Step::Observe };
    let observe = Decision { step: look, verdict: Verdict::Observing };

    if s.deleting {
        return say(Verdict::Deleting);
    }
    if s.duplicate {
        return say(Verdict::DuplicateOwner);
    }
    match s.credential {
        CredentialState::Missing => return say(Verdict::CredentialMissing),
        CredentialState::Rejected(Age::Stale) => return say(Verdict::CredentialRejected),
        CredentialState::Rejected(Age::WithinGrace) => {
            // What was seen too long ago does not stand merely because a 401 has come since.
            let age = match s.knowledge {
                Knowledge::Failed { age, .. } => age,
                Knowledge::Nothing | Knowledge::Known { .. } => Age::WithinGrace,
            };
            return say(Verdict::Unreadable(ReadFailure::Unauthorized, age));
        }
        CredentialState::Usable => {}
    }
    let (answer, fresh) = match s.knowledge {
        Knowledge::Nothing => return observe,
        Knowledge::Failed { cause, age, due } => {
            let step = if due { look } else { Step::Nothing };
            return Decision { step, verdict: Verdict::Unreadable(cause, age) };
        }
        Knowledge::Known { answer, fresh } => (answer, fresh),
    };
    let decision = judge(s, answer);
    match decision.step {
        // A write may answer an older observation: its own answer is the newer one.
        Step::Write(_) => decision,
        // The write that is under way will tell.
        _ if is_under_way && matches!(decision.verdict, Verdict::Pending(_)) => decision,
        _ if !fresh => observe,
        _ if decision.verdict.is_ready() && s.may_still_change(answer) => {
            say(Verdict::MayStillChange)
        }
        _ => decision,
    }
}

/// Rows 6 to 15: what an answer means for this resource.
fn judge(s: &Situation, answer: Answer) -> Decision {
    let say = |verdict| Decision { step: Step::Nothing, verdict };
    match answer {
        Answer::Forbidden => return say(Verdict::Forbidden),
        Answer::NotFound => return say(Verdict::NotFound),
        Answer::Archived => return say(Verdict::Archived),
        _ if s.disabled => return say(Verdict::Disabled),
        _ if s.wish == Wish::Unmanaged => return say(Verdict::Observed),
        Answer::UnknownStatus => return say(Verdict::UnknownStatus),
        Answer::Active | Answer::Paused(_) => {}
    }
    let verb = if s.wish == Wish::Paused { Verb::Pause } else { Verb::Unpause };
    if answer.is_as_asked(verb) {
        return say(Verdict::InSync);
    }
    if answer == Answer::Paused(PausedBy::Platform) {
        return if s.is_resume_asked_for() {
            write(s, verb)
        } else {
            say(Verdict::PausedByPlatform)
        };
    }
    let is_drift = s.is_drift();
    if is_drift && s.policy == DriftPolicy::Warn {
        return say(Verdict::DriftTolerated);
    }
    if is_drift && s.held {
        return say(Verdict::Contested);
    }
    write(s, verb)
}

/// Rows 14 and 15: it differs. A write before it and W make it wait; a refusal makes it stop.
fn write(s: &Situation, verb: Verb) -> Decision {
    if s.writes_refused {
        return Decision { step: Step::Nothing, verdict: Verdict::WriteRefused };
    }
    let wait = s.before_write != BeforeWrite::Nothing || s.opposite_may_land(verb);
    Decision {
        step: if wait { Step::Nothing } else { Step::Write(verb) },
        verdict: Verdict::Pending(verb),
    }
}
