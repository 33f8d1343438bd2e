//! How one request ended, as far as the budget cares. Pure.

use std::time::Duration;

use http::StatusCode;

use crate::qoder::{ApiError, SendError};

/// How one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The API answered: it is there.
    Answered,
    /// It did not answer, or answered 5xx, with the wait that it asks for.
    Failed(Option<Duration>),
    /// 429, with the wait that it asks for.
    Throttled(Option<Duration>),
}

impl Ending {
    /// How a request with this error ended; `None`: it succeeded.
    #[must_use]
    pub fn of(error: Option<&ApiError>) -> Self {
        // To wait for no time is no wait.
        let asked = error.and_then(ApiError::retry_after).filter(|asked| !asked.is_zero());
        match (error, error.and_then(ApiError::status)) {
            (_, Some(StatusCode::TOO_MANY_REQUESTS)) => Self::Throttled(asked),
            (_, Some(status)) if status.is_server_error() => Self::Failed(asked),
            // An answer that is too large is an answer.
            (Some(ApiError::Send(SendError::TooLarge(_))), None) => Self::Answered,
            (Some(ApiError::Send(_)), None) => Self::Failed(None),
            _ => Self::Answered,
        }
    }
}
