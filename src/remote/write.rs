//! One write: what is sent for whom, and what may be concluded from how it ended ("The outcome of a write"
//! in `docs/design.md`).

use tokio::time::Instant;

use super::observation::Answer;
use crate::{
    api::{DeploymentId, Uid},
    qoder::{ApiError, Deployment, Verb},
};

/// A write to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Write {
    pub id: DeploymentId,
    /// What is done to it.
    pub verb: Verb,
    /// For whom.
    pub requester: Requester,
    /// It undoes what someone else did.
    pub is_drift: bool,
}

/// A resource at one generation. This layer knows no more of resources.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requester {
    /// The uid of the resource.
    pub uid: Uid,
    pub generation: i64,
}

/// Something that holds for one generation of one resource only.
#[derive(Debug, Clone, Hash)]
pub(super) struct For<T> {
    requester: Requester,
    value: T,
}

impl<T> For<T> {
    pub(super) fn new(requester: &Requester, value: T) -> Self {
        Self { requester: requester.clone(), value }
    }

    pub(super) fn value(&self) -> &T {
        &self.value
    }

    pub(super) fn get(&self, requester: &Requester) -> Option<&T> {
        (self.requester == *requester).then_some(&self.value)
    }
}

/// What the end of a write lets us conclude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 2xx, and the deployment is as asked.
    Done,
    /// 2xx, and it is not.
    NotAsAsked,
    /// Nothing was sent: something has closed since the permit was granted.
    NotServed,
    /// Nothing was done: 429.
    Throttled,
    /// Nothing was done: 401.
    Unauthorized,
    /// Nothing was sent: connect, DNS or TLS failed.
    NotSent,
    /// Nothing was sent: who asks for it could not be read once more.
    Unread,
    /// 409: already reconciled, if a look confirms it.
    Conflict,
    /// It may have been done, or be done later: timeout, reset, 5xx, a 2xx that makes no sense.
    Ambiguous,
    /// Something between us and the API answered: any other status without the API's own envelope.
    NotTheApi,
    /// The API refused: 403 or another 4xx in its own envelope.
    Refused,
}

impl Outcome {
    /// The API has not done it, nor will: reads that started before are as good as any.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        matches!(
            self,
            Self::NotServed | Self::Throttled | Self::Unauthorized | Self::NotSent | Self::Unread
        )
    }

    /// Sorts how a write of this verb ended.
    #[must_use]
    pub fn of(verb: Verb, result: &Result<Deployment, ApiError>) -> Self {
        let error = match result {
            Ok(deployment) if Answer::from(deployment).is_as_asked(verb) => return Self::Done,
            Ok(_) => return Self::NotAsAsked,
            Err(error) => error,
        };
        match error.status().map(|status| status.as_u16()) {
            Some(401) => Self::Unauthorized,
            Some(429) => Self::Throttled,
            Some(408 | 500..) => Self::Ambiguous,
            Some(_) if !error.is_from_api() => Self::NotTheApi,
            Some(409) => Self::Conflict,
            // These speak of the way or of the moment, whoever says them.
            Some(300..=399 | 407 | 423 | 425) => Self::NotTheApi,
            Some(_) => Self::Refused,
            None if error.not_sent() => Self::NotSent,
            None => Self::Ambiguous,
        }
    }
}

/// How the last try to write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LastTry {
    pub outcome: Outcome,
    /// One of [`CODES`](crate::qoder::CODES); `None`: nothing was sent.
    pub code: Option<&'static str>,
}

/// The end of a write.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// What may be concluded.
    pub outcome: Outcome,
    /// How the request ended, if one was sent: one of [`CODES`](crate::qoder::CODES).
    pub code: Option<&'static str>,
    /// When its answer was there, or it was given up.
    pub at: Instant,
    /// Which token it was sent with.
    pub epoch: u32,
    /// In 0..1.
    pub jitter: f64,
}

impl End {
    pub(super) fn last_try(&self) -> LastTry {
        LastTry { outcome: self.outcome, code: self.code }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::qoder::{ErrorType, RemoteStatus, SendError};

    fn outcome(error: ApiError) -> Outcome {
        Outcome::of(Verb::Pause, &Err(error))
    }

    fn status(code: u16, from_api: Option<ErrorType>) -> Outcome {
        let status = StatusCode::from_u16(code).unwrap();
        outcome(ApiError::Status { status, from_api, retry_after: None })
    }

    #[test]
    fn each_answer_of_the_api_says_what_may_be_concluded() {
        assert_eq!(status(401, Some(ErrorType::Other)), Outcome::Unauthorized);
        assert_eq!(status(429, Some(ErrorType::Other)), Outcome::Throttled);
        for code in [408, 500, 502, 503, 504, 529] {
            assert_eq!(status(code, Some(ErrorType::Other)), Outcome::Ambiguous, "{code}");
        }
        for code in [400, 403, 404, 410, 413, 422] {
            assert_eq!(status(code, Some(ErrorType::Other)), Outcome::Refused, "{code}");
        }
        assert_eq!(status(409, Some(ErrorType::Other)), Outcome::Conflict);
    }

    #[test]
    fn only_the_apis_own_envelope_refuses() {
        for code in [300, 301, 307, 400, 402, 403, 404, 405, 407, 409, 413, 422, 423, 425, 451] {
            assert_eq!(status(code, None), Outcome::NotTheApi, "{code}");
        }
        for code in [307, 407, 423, 425] {
            assert_eq!(status(code, Some(ErrorType::Other)), Outcome::NotTheApi, "{code}");
        }
        for code in [408, 500, 502, 503] {
            assert_eq!(status(code, None), Outcome::Ambiguous, "{code}");
        }
    }

    #[test]
    fn without_an_answer_it_matters_whether_the_request_left() {
        let lost = || std::io::Error::other("x");
        assert_eq!(outcome(SendError::NotSent(lost().into()).into()), Outcome::NotSent);
        for error in [SendError::TimedOut, SendError::Broken(lost().into()), SendError::TooLarge(1)]
        {
            assert_eq!(outcome(error.into()), Outcome::Ambiguous);
        }
        assert_eq!(outcome(ApiError::Invalid("x")), Outcome::Ambiguous);
    }

    #[test]
    fn a_2xx_counts_only_as_what_it_says() {
        let answer = |status| {
            Ok(Deployment {
                status,
                paused_reason: None,
                archived_at: None,
                name: None,
                schedule: None,
            })
        };
        for (verb, paused, active) in [
            (Verb::Pause, Outcome::Done, Outcome::NotAsAsked),
            (Verb::Unpause, Outcome::NotAsAsked, Outcome::Done),
        ] {
            assert_eq!(Outcome::of(verb, &answer(RemoteStatus::Paused)), paused);
            assert_eq!(Outcome::of(verb, &answer(RemoteStatus::Active)), active);
            let later = RemoteStatus::Other("snoozed".into());
            assert_eq!(Outcome::of(verb, &answer(later)), Outcome::NotAsAsked);
        }
    }
}
