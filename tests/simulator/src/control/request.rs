//! What all control requests have in common: the query, the body, and refusals that say what to do.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::page::Query;

/// A wait that names no time ends after this.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// A control request that cannot be done, and what to do about it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// The methods that would do.
    pub(super) allow: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), allow: None }
    }
}

pub(super) fn bad(message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, message)
}

pub(super) fn unknown(id: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no deployment {id}"))
}

pub(super) fn value(from: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(from)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// A control request.
pub(super) struct Asked<'a> {
    request: &'a Request<Bytes>,
    query: Query<'a>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(request: &'a Request<Bytes>) -> Self {
        Self { request, query: Query::parse(request.uri().query().unwrap_or_default()) }
    }

    pub(super) fn method(&self) -> &str {
        self.request.method().as_str()
    }

    pub(super) fn is_get(&self) -> bool {
        self.request.method() == Method::GET
    }

    /// There is no such thing.
    pub(super) fn unknown(&self) -> Refusal {
        let (method, path) = (self.request.method(), self.request.uri().path());
        let message = format!("there is no {method} {path}; the README lists what there is");
        Refusal::new(StatusCode::NOT_FOUND, message)
    }

    /// There is no such method.
    pub(super) fn not_allowed(&self, allow: &'static str) -> Refusal {
        let (method, path) = (self.request.method(), self.request.uri().path());
        let message = format!("{path} takes {allow}, and not {method}");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Refusal { allow: Some(allow), ..Refusal::new(status, message) }
    }

    /// Refuses a body with anything in it. `echo '{}'` ends with a newline, and kubectl sends it as it is.
    pub(super) fn no_body(&self) -> Result<(), Refusal> {
        let body = self.request.body().trim_ascii();
        if body.is_empty() || [&b"null"[..], b"{}"].contains(&body) {
            return Ok(());
        }
        let (method, path) = (self.request.method(), self.request.uri().path());
        let sent = String::from_utf8_lossy(body.get(..100).unwrap_or(body));
        Err(bad(&format!("{method} {path} takes no body, and this one would be lost: {sent}")))
    }

    /// Reads a body of JSON; one that can be used is like `example`.
    pub(super) fn read<T: DeserializeOwned>(&self, example: &str) -> Result<T, Refusal> {
        let body = self.request.body();
        if body.is_empty() {
            return Err(bad(&format!("a body is needed, like {example}")));
        }
        let mut text = serde_json::Deserializer::from_slice(body);
        let used = serde_path_to_error::deserialize(&mut text)
            .map_err(|error| named(&error))
            .and_then(|used| text.end().map(|()| used).map_err(|error| error.to_string()));
        used.map_err(|error| {
            bad(&format!("the body cannot be used: {error}; it must be like {example}"))
        })
    }

    /// As [`Self::read`]; without a body, the default.
    pub(super) fn read_or_default<T: DeserializeOwned + Default>(
        &self,
        example: &str,
    ) -> Result<T, Refusal> {
        if self.request.body().is_empty() { Ok(T::default()) } else { self.read(example) }
    }

    /// Reads the query as an object. Its values are numbers and truth values where they look like them.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let mut object = Map::new();
        for (key, text) in self.query.iter() {
            let number = serde_json::from_str(text).ok();
            let typed = number.filter(|value: &Value| value.is_u64() || value.is_boolean());
            // Alone, so that what is wrong with it can be told with its name.
            let alone = |value: &Value| json!({ key: value });
            let is_typed = |value: &Value| serde_json::from_value::<T>(alone(value)).is_ok();
            let value = typed.filter(is_typed).unwrap_or_else(|| text.into());
            serde_json::from_value::<T>(alone(&value))
                .map_err(|error| bad(&format!("{key}={text} cannot be used: {error}")))?;
            object.insert(key.to_owned(), value);
        }
        serde_json::from_value(Value::Object(object))
            .map_err(|error| bad(&format!("the query cannot be used: {error}")))
    }
}

/// What is wrong with a value, and where.
pub(super) fn named(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    }
}

/// How long to wait, in the query.
pub(super) fn wait_time(milliseconds: Option<u64>) -> Duration {
    milliseconds.map_or(DEFAULT_WAIT, Duration::from_millis)
}

/// Waits until `is_so`, or until the time is over; looks again whenever something has changed.
pub(super) async fn wait(
    mut changed: watch::Receiver<u64>,
    time: Duration,
    mut is_so: impl FnMut() -> bool,
) {
    // Whether it has come to that, or the time is over: the caller looks.
    let _ = timeout(time, changed.wait_for(|_| is_so())).await;
}
