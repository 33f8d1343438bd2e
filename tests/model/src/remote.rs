//! The remote side of a world: one deployment, and what the API answers.

use qoder_operator::{
    api::Wish,
    qoder::{Deployment, PausedReason, RemoteStatus, Verb},
    remote::{Answer, PausedBy},
};

/// The deployment as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remote {
    Active,
    /// Paused by the pause endpoint.
    Paused,
    /// Paused by the platform, after a run has failed.
    Failed,
    Archived,
}

impl Remote {
    /// A request takes effect. `false`: it conflicts with what is, and nothing changes.
    pub fn take(&mut self, verb: Verb) -> bool {
        let after = match (*self, verb) {
            (Self::Active, Verb::Pause) => Self::Paused,
            (Self::Paused | Self::Failed, Verb::Unpause) => Self::Active,
            _ => return false,
        };
        *self = after;
        true
    }

    /// What a GET shows.
    #[must_use]
    pub fn deployment(self) -> Deployment {
        let paused = |kind: &str| {
            let reason = PausedReason { kind: kind.into(), error: None };
            Some(Box::new(reason))
        };
        let (status, paused_reason) = match self {
            Self::Active => (RemoteStatus::Active, None),
            Self::Paused | Self::Archived => (RemoteStatus::Paused, paused("manual")),
            Self::Failed => (RemoteStatus::Paused, paused("error")),
        };
        let archived_at =
            (self == Self::Archived).then_some(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
        Deployment { status, paused_reason, archived_at, name: None, schedule: None }
    }

    /// It is as this wish asks.
    #[must_use]
    pub fn is_as(self, wish: Wish) -> bool {
        match wish {
            Wish::Paused => matches!(self, Self::Paused | Self::Failed),
            Wish::Active => self == Self::Active,
            Wish::Unmanaged => true,
        }
    }

    #[must_use]
    pub fn answer(self) -> Answer {
        match self {
            Self::Active => Answer::Active,
            Self::Paused => Answer::Paused(PausedBy::Hand),
            Self::Failed => Answer::Paused(PausedBy::Platform),
            Self::Archived => Answer::Archived,
        }
    }
}
