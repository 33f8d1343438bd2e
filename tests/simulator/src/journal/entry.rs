//! One request, as the journal keeps it.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use jiff::Timestamp;
use serde::Serialize;

use crate::route::Operation;

/// How many bytes are kept of a body, a path and a header.
const KEPT: usize = 1024;

/// One request to the API. It never holds a token.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// 1 for the first request, without gaps.
    pub seq: u64,
    /// When the request was read, by the simulator's clock.
    pub time: Timestamp,
    /// When the request was read, since the simulator started; in JSON `at_us`, in microseconds.
    #[serde(rename = "at_us", serialize_with = "micros")]
    pub at: Duration,
    /// What was asked for.
    pub operation: Operation,
    /// The HTTP method.
    pub method: String,
    /// Path and query as they were sent; the first 1024 bytes, as of all texts here.
    pub path: String,
    /// The deployment in the path.
    pub id: Option<String>,
    /// The status that was answered; none while the request is under way, and if it was cut or left hanging.
    pub status: Option<u16>,
    /// Whether the request changed the state.
    pub effect: bool,
    /// Whether nothing more will happen: it was answered and cut, or the client went away, and no effect is still to come.
    pub finished: bool,
    /// The fault that it met.
    pub fault: Option<u64>,
    /// The caller's `x-request-id`.
    pub request_id: Option<String>,
    /// The caller's `user-agent`.
    pub user_agent: Option<String>,
    /// Whether an idempotency key was sent.
    pub has_idempotency_key: bool,
    /// Whether a known token was sent.
    pub authorized: bool,
    /// What else was sent that says how the client works: content type, what it accepts, keys of idempotency, `x-qoder-*`.
    pub headers: BTreeMap<String, String>,
    /// Length of the request's body in bytes.
    pub body_length: usize,
    /// Its first 1024 bytes, as text.
    pub body: String,
    /// Length of the answer's body in bytes, as the API made it.
    pub response_length: Option<usize>,
    /// Its first 1024 bytes, as text.
    pub response_body: Option<String>,
}

fn micros<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    time.as_micros().serialize(to)
}

/// The beginning of what was sent, as text: so many of it are kept that each must be short.
pub(crate) fn beginning(sent: &[u8]) -> String {
    let kept = sent.get(..KEPT).unwrap_or(sent);
    String::from_utf8_lossy(kept).into_owned()
}

/// The headers that say how a client works.
pub(crate) fn told_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let told = |name: &HeaderName| {
        [header::ACCEPT, header::CONTENT_TYPE].contains(name)
            || ["idempotency-key", "x-idempotency-key"].contains(&name.as_str())
            || name.as_str().starts_with("x-qoder-")
    };
    let told = headers.iter().filter(|(name, _)| told(name));
    told.map(|(name, value)| (name.to_string(), beginning(value.as_bytes()))).collect()
}
