//! Everything a decision depends on, as a value: finite, so that the whole product is tested.
//! Times arrive as what they mean (within the grace, held), never as clocks.

use crate::{
    api::{DriftPolicy, Wish},
    qoder::Verb,
    remote::{Answer, ReadFailure},
};

/// One resource, what is known of its deployment, and what is remembered of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a row's condition, named as in the table"
)]
pub struct Situation {
    /// The resource has a deletionTimestamp.
    pub deleting: bool,
    /// An older resource that also has `paused` set names the same deployment.
    pub duplicate: bool,
    /// What the token is worth.
    pub credential: CredentialState,
    /// What is known of the deployment.
    pub knowledge: Knowledge,
    /// The annotation `reconcile` pauses reconciliation.
    pub disabled: bool,
    /// What the spec asks for.
    pub wish: Wish,
    /// What to do about drift.
    pub policy: DriftPolicy,
    /// The last wish that was reached.
    pub last_reached: Option<Reached>,
    /// `reconcile-requested-at` has a value that is not handled.
    pub reconcile_requested: bool,
    /// `resume-requested-at` has a value that is not handled.
    pub resume_requested: bool,
    /// The last write to the deployment was sent for another resource, and this wish was not
    /// reached since.
    pub foreign_write: bool,
    /// Drift corrections are held.
    pub held: bool,
    /// Writes to this deployment are refused for this generation and token.
    pub writes_refused: bool,
    /// What holds the next write back.
    pub before_write: BeforeWrite,
    /// A pause that is under way, or whose outcome is unknown, may still take effect.
    pub pause_may_land: bool,
    /// An unpause that is under way, or whose outcome is unknown, may still take effect.
    pub unpause_may_land: bool,
    /// The status in place answers this generation, and nothing that is known without a look refutes it.
    pub answered: bool,
    /// The generation was seen longer ago than an answer should take.
    pub overdue: bool,
}

/// What the token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialState {
    /// There is one, and nothing says that it is bad.
    Usable,
    /// There is none.
    Missing,
    /// The API answered 401, for so long.
    Rejected(Age),
}

/// How long something has lasted that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Age {
    /// Short enough to let the status stand.
    WithinGrace,
    /// Too long for that.
    Stale,
}

/// What holds the next write back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BeforeWrite {
    Nothing,
    /// The backoff of the last one, which failed.
    Backoff,
    /// The last one, which is under way.
    UnderWay,
}

/// What is known of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing that started after our last write, and no failed try since.
    Nothing,
    /// The last try failed, or there was none for too long.
    Failed {
        /// Why.
        cause: ReadFailure,
        /// How old the last look is.
        age: Age,
        /// It is time for another try.
        due: bool,
    },
    /// An answer.
    Known {
        /// What it says.
        answer: Answer,
        /// Its request started after this generation was first seen (and after the annotation
        /// values were that it has to answer), and it is not due for another look: it may
        /// be published as the answer to this generation.
        fresh: bool,
    },
}

/// The last wish that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub wish: Wish,
    /// It was made by the generation at hand.
    pub this_generation: bool,
}

impl Situation {
    /// The wish of this generation was not reached yet; a difference is not drift.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.last_reached.is_some_and(|reached| reached.this_generation)
            || self.reconcile_requested
            || self.foreign_write
    }

    /// A person asked for a resume: only that lifts a pause by the platform.
    #[must_use]
    pub fn is_resume_asked_for(&self) -> bool {
        let from_paused = self.last_reached.is_some_and(|reached| reached.wish == Wish::Paused);
        self.wish == Wish::Active && (from_paused || self.resume_requested)
    }

    /// A difference is somebody else's doing.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        !self.is_open() && !self.is_resume_asked_for()
    }

    /// W: the opposite of this verb may still land.
    #[must_use]
    pub fn opposite_may_land(&self, verb: Verb) -> bool {
        match verb {
            Verb::Pause => self.unpause_may_land,
            Verb::Unpause => self.pause_may_land,
        }
    }

    /// G: a request whose outcome is unknown could still change what this answer says.
    #[must_use]
    pub fn may_still_change(&self, answer: Answer) -> bool {
        match answer {
            Answer::Active => self.pause_may_land,
            Answer::Paused(_) => self.unpause_may_land,
            _ => self.pause_may_land || self.unpause_may_land,
        }
    }
}
