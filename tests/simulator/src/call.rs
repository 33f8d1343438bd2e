//! What the API is asked, when, and what it answers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use jiff::Timestamp;

use crate::route::{Operation, Route};
use crate::store::Freshness;

/// A request, taken apart.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) route: Route,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// The caller's `x-request-id`, or ours.
    pub(crate) request_id: HeaderValue,
    pub(crate) body: Bytes,
    pub(crate) freshness: Freshness,
}

impl Call {
    /// Whether it may change the state.
    pub(crate) fn is_write(&self) -> bool {
        use Operation as Op;
        matches!(
            self.route.operation,
            Op::Create | Op::Update | Op::Pause | Op::Unpause | Op::Archive | Op::Run
        )
    }
}

/// The times at which a request is looked at: on the calendar, and since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) date: Timestamp,
    pub(crate) elapsed: Duration,
}

/// An answer, and whether the state changed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Bytes>,
    pub(crate) effect: bool,
}

impl Answer {
    /// An answer to a request that changed nothing.
    pub(crate) fn without_effect(response: Response<Bytes>) -> Self {
        Self { response, effect: false }
    }
}
