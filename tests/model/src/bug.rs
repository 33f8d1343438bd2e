//! Bugs to plant: each breaks one rule at one seam, and a world has to refute it.

use qoder_operator::{
    api::Wish,
    qoder::Deployment,
    reconcile::{
        decide::{Decision, Step, Verdict, decide},
        situation::{BeforeWrite, Knowledge, Reached, Situation},
    },
    remote::{Answer, Outcome, PausedBy},
    resources::{Progress, ReachedChange},
};

/// One rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    // Rule Q.
    ActsOnTheHeldCopy,
    DoesNotDecideAgain,
    StoredMemoryOnly,
    // Rules W and G.
    DoesNotWait,
    DoesNotWaitWithPauses,
    DoesNotWaitWithResumes,
    DoesNotGate,
    SendsTwoAtATime,
    // What a read or an answer counts for.
    ReadsCountFromTheirAnswer,
    AnswersCountFromTheirStart,
    AnyReadIsFresh,
    AbsenceIsNotFound,
    // How a write ended.
    LostIsNotSent,
    LostIsDone,
    ConflictIsDone,
    ConflictIsNothing,
    // Memory.
    ReachedBeforeTheAct,
    NothingIsReached,
    ReachedInSpiteOfAll,
    RequestsAreNeverHandled,
    RequestsAreHandledAtOnce,
    EveryStatusReplacesTheMemory,
    // The table.
    ErrorPauseIsManual,
    ArchivedIsPaused,
    DriftComesBeforeThePlatform,
    OpenByWishOnly,
    EveryWishIsOpen,
    DuplicatesAct,
    ForeignWritesAreForgotten,
    DisabledActs,
    UnmanagedIsActive,
    WarnCorrects,
    PlatformPauseIsLifted,
    // The Kubernetes API.
    StatusHasNoVersion,
    // The start.
    NoStartRule,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 35] = [
        Self::ActsOnTheHeldCopy,
        Self::DoesNotDecideAgain,
        Self::StoredMemoryOnly,
        Self::DoesNotWait,
        Self::DoesNotWaitWithPauses,
        Self::DoesNotWaitWithResumes,
        Self::DoesNotGate,
        Self::SendsTwoAtATime,
        Self::ReadsCountFromTheirAnswer,
        Self::AnswersCountFromTheirStart,
        Self::AnyReadIsFresh,
        Self::AbsenceIsNotFound,
        Self::LostIsNotSent,
        Self::LostIsDone,
        Self::ConflictIsDone,
        Self::ConflictIsNothing,
        Self::ReachedBeforeTheAct,
        Self::NothingIsReached,
        Self::ReachedInSpiteOfAll,
        Self::RequestsAreNeverHandled,
        Self::RequestsAreHandledAtOnce,
        Self::EveryStatusReplacesTheMemory,
        Self::ErrorPauseIsManual,
        Self::ArchivedIsPaused,
        Self::DriftComesBeforeThePlatform,
        Self::OpenByWishOnly,
        Self::EveryWishIsOpen,
        Self::DuplicatesAct,
        Self::ForeignWritesAreForgotten,
        Self::DisabledActs,
        Self::UnmanagedIsActive,
        Self::WarnCorrects,
        Self::PlatformPauseIsLifted,
        Self::StatusHasNoVersion,
        Self::NoStartRule,
    ];

    /// What the decision sees instead.
    #[must_use]
    pub fn distort(self, mut s: Situation) -> Situation {
        match self {
            Self::DoesNotWait => {
                s.pause_may_land = false;
                s.unpause_may_land = false;
            }
            Self::SendsTwoAtATime if s.before_write == BeforeWrite::UnderWay => {
                s.before_write = BeforeWrite::Nothing;
                s.pause_may_land = false;
                s.unpause_may_land = false;
            }
            Self::AnyReadIsFresh => {
                if let Knowledge::Known { fresh, .. } = &mut s.knowledge {
                    *fresh = true;
                }
            }
            Self::OpenByWishOnly => {
                let of_wish = |reached: Reached| Reached {
                    this_generation: reached.wish == s.wish,
                    ..reached
                };
                s.last_reached = s.last_reached.map(of_wish);
            }
            Self::EveryWishIsOpen => {
                let of_none = |reached| Reached { this_generation: false, ..reached };
                s.last_reached = s.last_reached.map(of_none);
            }
            Self::DuplicatesAct => s.duplicate = false,
            Self::ForeignWritesAreForgotten => s.foreign_write = false,
            Self::DisabledActs => s.disabled = false,
            Self::UnmanagedIsActive if s.wish == Wish::Unmanaged => s.wish = Wish::Active,
            Self::WarnCorrects => s.policy = qoder_operator::api::DriftPolicy::Correct,
            Self::PlatformPauseIsLifted => s.resume_requested = s.wish == Wish::Active,
            _ => {}
        }
        s
    }

    /// What is decided instead.
    #[must_use]
    pub fn misjudge(self, s: &Situation, decision: Decision) -> Decision {
        let without = |verbs: [bool; 2]| {
            let [pause, unpause] = verbs;
            decide(&Situation {
                pause_may_land: s.pause_may_land && !pause,
                unpause_may_land: s.unpause_may_land && !unpause,
                ..*s
            })
        };
        let is_write = |decision: Decision| matches!(decision.step, Step::Write(_));
        match self {
            // W is not asked for one of the verbs, and G is.
            Self::DoesNotWaitWithPauses if is_write(without([false, true])) => {
                without([false, true])
            }
            Self::DoesNotWaitWithResumes if is_write(without([true, false])) => {
                without([true, false])
            }
            Self::DoesNotGate if decision.verdict == Verdict::MayStillChange => {
                without([true, true])
            }
            Self::DriftComesBeforeThePlatform if decision.verdict == Verdict::PausedByPlatform => {
                let by_hand =
                    Knowledge::Known { answer: Answer::Paused(PausedBy::Hand), fresh: true };
                decide(&Situation { knowledge: by_hand, ..*s })
            }
            _ => decision,
        }
    }

    /// How a write is taken to have ended.
    pub fn mistake(self, outcome: &mut Outcome) {
        *outcome = match (self, *outcome) {
            (Self::LostIsNotSent, Outcome::Ambiguous)
            | (Self::ConflictIsNothing, Outcome::Conflict) => Outcome::NotSent,
            (Self::LostIsDone, Outcome::Ambiguous) | (Self::ConflictIsDone, Outcome::Conflict) => {
                Outcome::Done
            }
            (_, outcome) => outcome,
        };
    }

    /// What a read is taken to say.
    #[must_use]
    pub fn misread(self, answer: Answer, deployment: &Deployment) -> Answer {
        match (self, answer) {
            (Self::ErrorPauseIsManual, Answer::Paused(PausedBy::Platform)) => {
                Answer::Paused(PausedBy::Hand)
            }
            (Self::ArchivedIsPaused, Answer::Archived) => {
                let live = Deployment { archived_at: None, ..deployment.clone() };
                Answer::from(&live)
            }
            _ => answer,
        }
    }

    /// What is remembered instead.
    pub fn forget(self, progress: &mut Progress) {
        match self {
            Self::NothingIsReached if progress.reached == ReachedChange::Set => {
                progress.reached = ReachedChange::Keep;
            }
            Self::ReachedInSpiteOfAll if progress.reached == ReachedChange::Keep => {
                progress.reached = ReachedChange::Set;
            }
            Self::RequestsAreNeverHandled => {
                progress.resume_handled = false;
                progress.reconcile_handled = false;
            }
            Self::RequestsAreHandledAtOnce => {
                progress.resume_handled = true;
                progress.reconcile_handled = true;
            }
            _ => {}
        }
    }
}
