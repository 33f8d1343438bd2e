//! What can go wrong with one call, sorted by what a caller may conclude from it.

use std::time::Duration;

use http::StatusCode;

use super::SendError;

/// One call to the API failed. Carries no remote text.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No whole answer came.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The API answered with a status that is not 2xx.
    #[error("the Qoder API answered {status}{kind}", kind = envelope_text(*.from_api))]
    Status {
        /// The HTTP status.
        status: StatusCode,
        /// The body was the API's own error envelope, and said this.
        from_api: Option<ErrorType>,
        /// How long the server asks to wait, not capped.
        retry_after: Option<Duration>,
    },
    /// A 2xx whose body makes no sense: not JSON, cut short, of the wrong types.
    #[error("the Qoder API's answer makes no sense: {0}")]
    Invalid(&'static str),
}

/// `error.type` of the API's envelope, as far as a decision depends on it (API page, section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// `invalid_request_error`.
    InvalidRequest,
    /// `not_found_error`.
    NotFound,
    /// Any other.
    Other,
}

const fn envelope_text(from_api: Option<ErrorType>) -> &'static str {
    match from_api {
        Some(_) => "",
        None => " without the API's error envelope",
    }
}

impl ApiError {
    /// The HTTP status, if one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the request cannot have had an effect, because it never left.
    #[must_use]
    pub fn not_sent(&self) -> bool {
        matches!(self, Self::Send(SendError::NotSent(_)))
    }

    /// How long the server asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// A static category, for the metric's `code` label.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Send(SendError::NotSent(_)) => "not_sent",
            Self::Send(SendError::TimedOut) => "timeout",
            Self::Send(SendError::Broken(_)) => "broken",
            Self::Send(SendError::TooLarge(_)) => "too_large",
            Self::Invalid(_) => "invalid",
            Self::Status { status, .. } => match status.as_u16() {
                400 => "400",
                401 => "401",
                403 => "403",
                404 => "404",
                409 => "409",
                429 => "429",
                500 => "500",
                502 => "502",
                503 => "503",
                504 => "504",
                other if other < 400 => "3xx",
                other if other < 500 => "4xx",
                _ => "5xx",
            },
        }
    }
}
