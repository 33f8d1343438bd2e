//! What one read of a deployment says, or why it says nothing.

use tokio::time::Instant;

use crate::qoder::{ApiError, Deployment, ErrorType, RemoteStatus, SendError, Verb};

/// What an observation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// 403.
    Forbidden,
    /// 404, from the API.
    NotFound,
    /// `archived_at` is set, whatever the status says.
    Archived,
    /// A live deployment with `status: active`.
    Active,
    /// A live deployment with `status: paused`.
    Paused(PausedBy),
    /// A live deployment with a status of a later API.
    UnknownStatus,
}

impl Answer {
    /// Whether this is what a write of this verb asks for.
    #[must_use]
    pub fn is_as_asked(self, verb: Verb) -> bool {
        match verb {
            Verb::Pause => matches!(self, Self::Paused(_)),
            Verb::Unpause => self == Self::Active,
        }
    }

    /// Whether the deployment is looked at slowly from now on: a person has to do something first.
    #[must_use]
    pub fn is_stalled(self) -> bool {
        match self {
            Self::Forbidden | Self::NotFound | Self::Archived | Self::UnknownStatus => true,
            Self::Active | Self::Paused(_) => false,
        }
    }

    /// Whether one says active and the other paused.
    #[must_use]
    pub fn is_opposite_of(self, other: Self) -> bool {
        let is_paused = |answer| match answer {
            Self::Active => Some(false),
            Self::Paused(_) => Some(true),
            _ => None,
        };
        is_paused(self).zip(is_paused(other)).is_some_and(|(one, other)| one != other)
    }
}

/// An answer and its stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Observed {
    /// What it says.
    pub answer: Answer,
    /// When its request started: it says nothing about what was asked for later.
    pub started: Instant,
    /// From when on it counts as a look at the remote: the start of a read, the end of a write.
    pub valid_from: Instant,
    /// Which token it was seen with.
    pub epoch: u32,
    /// It is the answer of our own write, and as asked.
    pub is_written: bool,
}

/// Who paused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PausedBy {
    /// The pause endpoint: reason `manual`.
    Hand,
    /// Any other reason, or none.
    Platform,
}

/// Why a deployment could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadFailure {
    /// No answer, 429, 5xx, or any other status that says nothing about the deployment.
    Unavailable,
    /// A 2xx that makes no sense.
    AnswerInvalid,
    /// A 404 without the API's error envelope, or a redirect: the base URL is probably wrong.
    NotTheApi,
    /// 401.
    Unauthorized,
}

/// A read that failed: why, and how the request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trouble {
    pub cause: ReadFailure,
    /// One of [`CODES`](crate::qoder::CODES).
    pub code: &'static str,
}

impl Trouble {
    /// What was answered makes no sense.
    pub const INVALID: Self = Self { cause: ReadFailure::AnswerInvalid, code: "invalid" };
}

impl From<&ApiError> for Trouble {
    fn from(error: &ApiError) -> Self {
        let cause = match error {
            ApiError::Invalid(_) | ApiError::Send(SendError::TooLarge(_)) => {
                ReadFailure::AnswerInvalid
            }
            ApiError::Send(_) => ReadFailure::Unavailable,
            ApiError::Status { status, .. } => match status.as_u16() {
                401 => ReadFailure::Unauthorized,
                300..=399 | 404 => ReadFailure::NotTheApi,
                _ => ReadFailure::Unavailable,
            },
        };
        Self { cause, code: error.code() }
    }
}

impl From<&Deployment> for Answer {
    fn from(deployment: &Deployment) -> Self {
        // `archived_at` first: an archived object keeps its old status.
        if deployment.archived_at.is_some() {
            return Self::Archived;
        }
        match &deployment.status {
            RemoteStatus::Active => Self::Active,
            RemoteStatus::Paused => {
                let reason = deployment.paused_reason.as_ref();
                let by_hand = reason.is_some_and(|reason| *reason.kind == *"manual");
                Self::Paused(if by_hand { PausedBy::Hand } else { PausedBy::Platform })
            }
            RemoteStatus::Other(_) => Self::UnknownStatus,
        }
    }
}

/// What a failed GET of one deployment says: an answer about the deployment, or a failure.
///
/// # Errors
/// The [`Trouble`]: nothing is known of the deployment.
pub fn answer_of_error(error: &ApiError) -> Result<Answer, Trouble> {
    let ApiError::Status { status, from_api, .. } = error else {
        return Err(error.into());
    };
    match (status.as_u16(), from_api) {
        (403, Some(_)) => Ok(Answer::Forbidden),
        // The API may call an id malformed that the CRD's pattern lets through: there is no such
        // deployment either (API page, section 9).
        (404, Some(ErrorType::NotFound)) | (400, Some(ErrorType::InvalidRequest)) => {
            Ok(Answer::NotFound)
        }
        _ => Err(error.into()),
    }
}

/// Whether the trouble is the account's, and says nothing about a deployment: 401, 429.
#[must_use]
pub fn is_of_account(error: &ApiError) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 429))
}
