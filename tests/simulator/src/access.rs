//! Who may do what, how often, and what was already answered: the checks before an operation.

use std::collections::{HashMap, HashSet, VecDeque, hash_map::Entry};
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use serde::Deserialize;

use crate::wire::ApiError;

/// A token that is accepted, and its rights.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    #[serde(rename = "token")]
    secret: String,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    forbidden: HashSet<String>,
}

impl Token {
    /// A token with all rights.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self { secret: token.into(), read_only: false, forbidden: HashSet::new() }
    }

    /// Without the right to write: 403 on every POST except search.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Without any right on one deployment: 403.
    #[must_use]
    pub fn forbid(mut self, id: impl Into<String>) -> Self {
        self.forbidden.insert(id.into());
        self
    }

    /// Whether both are the same to a server.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.secret == other.secret
    }

    /// Refuses what no header can carry. The error is a text for a person.
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_token = self.secret.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token && !self.secret.is_empty() {
            Ok(())
        } else {
            Err("a token must be one or more visible ASCII characters, without spaces".to_owned())
        }
    }

    /// The deployments on which this token has no right.
    pub(crate) fn forbidden(&self) -> &HashSet<String> {
        &self.forbidden
    }

    /// Whether this token may do it.
    pub(crate) fn allow(&self, write: bool, id: Option<&str>) -> Result<(), ApiError> {
        if id.is_some_and(|id| self.forbidden.contains(id)) {
            return Err(ApiError::forbidden("The token has no right on this deployment."));
        }
        if write && self.read_only {
            return Err(ApiError::forbidden("The token may only read."));
        }
        Ok(())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Token")
            .field("read_only", &self.read_only)
            .field("forbidden", &self.forbidden)
            .finish_non_exhaustive()
    }
}

/// The token that a request bears among the accepted ones. `x-api-key` is not a way to send one.
pub(crate) fn authenticate<'a>(tokens: &'a [Token], headers: &HeaderMap) -> Option<&'a Token> {
    let sent = sent_token(headers)?;
    tokens.iter().find(|known| known.secret == sent)
}

/// The token that a request bears, known or not.
pub(crate) fn sent_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, sent) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(sent)
}

/// Lets through a number of requests in any window of one second.
#[derive(Debug, Default)]
pub(crate) struct Limiter(VecDeque<Duration>);

impl Limiter {
    const WINDOW: Duration = Duration::from_secs(1);

    /// Counts a request at a time since the start, if it is let through. A rate of 0 is no limit.
    pub(crate) fn admit(&mut self, rate: u32, now: Duration) -> Result<(), ApiError> {
        while self.0.front().is_some_and(|oldest| now >= *oldest + Self::WINDOW) {
            self.0.pop_front();
        }
        if rate > 0 && self.0.len() >= rate as usize {
            return Err(ApiError::rate_limited("Too many requests."));
        }
        if rate > 0 {
            self.0.push_back(now);
        }
        Ok(())
    }
}

/// Answers by idempotency key. A key belongs to a token and to a body, not to a path: the documentation does not bind it.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    by_key: HashMap<(String, String), Replay>,
    /// When each ends, the oldest first. One whose key was used anew is there twice.
    ends: VecDeque<(Duration, (String, String))>,
    /// Of all bodies and answers that are kept.
    bytes: usize,
}

/// The first answer to a key.
#[derive(Debug)]
pub(crate) struct Replay {
    body: Bytes,
    /// The deployment in the path.
    id: Option<String>,
    answer: Response<Bytes>,
    until: Duration,
}

impl Replay {
    pub(crate) fn new(body: Bytes, id: Option<String>, answer: Response<Bytes>) -> Self {
        Self { body, id, answer, until: Duration::ZERO }
    }

    fn bytes(&self) -> usize {
        self.body.len() + self.answer.body().len()
    }
}

impl Replays {
    const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
    /// How many are kept. The oldest go first.
    const MOST: usize = 1000;
    /// How many bytes of bodies and answers are kept. The oldest go first.
    const MOST_BYTES: usize = 8 << 20;

    /// The first answer to this key, or a 409 if the key was used with another body.
    pub(crate) fn find(
        &self,
        token: &Token,
        key: &str,
        body: &Bytes,
        now: Duration,
    ) -> Option<Result<Response<Bytes>, ApiError>> {
        let replay = self.by_key.get(&(token.secret.clone(), key.to_owned()))?;
        if now >= replay.until {
            return None;
        }
        let reused = || ApiError::conflict("The idempotency key was used with another body.");
        Some(if replay.body == body { Ok(replay.answer.clone()) } else { Err(reused()) })
    }

    /// Keeps the first answer to a key.
    pub(crate) fn keep(&mut self, token: &Token, key: &str, replay: Replay, now: Duration) {
        let key = (token.secret.clone(), key.to_owned());
        let until = now + Self::KEPT;
        self.ends.push_back((until, key.clone()));
        self.bytes += replay.bytes();
        let before = self.by_key.insert(key, Replay { until, ..replay });
        self.bytes -= before.as_ref().map_or(0, Replay::bytes);
        let is_over = |(until, _): &(Duration, _)| *until <= now;
        while self.ends.len() > Self::MOST
            || self.bytes > Self::MOST_BYTES
            || self.ends.front().is_some_and(is_over)
        {
            let Some((until, key)) = self.ends.pop_front() else { break };
            if let Entry::Occupied(replay) = self.by_key.entry(key)
                && replay.get().until == until
            {
                self.bytes -= replay.remove().bytes();
            }
        }
    }

    /// Forgets the answers about one deployment.
    pub(crate) fn forget(&mut self, id: &str) {
        self.by_key.retain(|_, replay| replay.id.as_deref() != Some(id));
        self.bytes = self.by_key.values().map(Replay::bytes).sum();
    }
}

/// The key under which the answer is kept, by its present and its old name.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Option<&str> {
    let key = headers.get("idempotency-key").or_else(|| headers.get("x-idempotency-key"))?;
    key.to_str().ok()
}
