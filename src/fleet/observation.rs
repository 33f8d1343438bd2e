//! What one read of a deployment says, or why it says nothing.

use crate::qoder::{ApiError, Deployment, ErrorType, RemoteStatus};

/// What an observation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Who paused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl From<&Deployment> for Answer {
    fn from(deployment: &Deployment) -> Self {
        // `archived_at` first: an archived object keeps its old status.
        if deployment.archived {
            return Self::Archived;
        }
        match &deployment.status {
            RemoteStatus::Active => Self::Active,
            RemoteStatus::Paused => {
                let reason = deployment.paused_reason.as_ref();
                let by_hand = reason.is_some_and(|reason| reason.kind == "manual");
                Self::Paused(if by_hand { PausedBy::Hand } else { PausedBy::Platform })
            }
            RemoteStatus::Other(_) => Self::UnknownStatus,
        }
    }
}

/// What a failed GET of one deployment says: an answer about the deployment, or a failure.
///
/// # Errors
/// The [`ReadFailure`]: nothing is known of the deployment.
pub fn answer_of_error(error: &ApiError) -> Result<Answer, ReadFailure> {
    let ApiError::Status { status, from_api, .. } = error else {
        return Err(failure_of_error(error));
    };
    match (status.as_u16(), from_api) {
        (403, Some(_)) => Ok(Answer::Forbidden),
        // The API may call an id malformed that the CRD's pattern lets through: there is no such
        // deployment either (API page, section 9).
        (404, Some(ErrorType::NotFound)) | (400, Some(ErrorType::InvalidRequest)) => {
            Ok(Answer::NotFound)
        }
        _ => Err(failure_of_error(error)),
    }
}

/// Why a read failed.
#[must_use]
pub fn failure_of_error(error: &ApiError) -> ReadFailure {
    match error {
        ApiError::Invalid(_) | ApiError::Send(crate::qoder::SendError::TooLarge(_)) => {
            ReadFailure::AnswerInvalid
        }
        ApiError::Send(_) => ReadFailure::Unavailable,
        ApiError::Status { status, .. } => match status.as_u16() {
            401 => ReadFailure::Unauthorized,
            300..=399 | 404 => ReadFailure::NotTheApi,
            _ => ReadFailure::Unavailable,
        },
    }
}
