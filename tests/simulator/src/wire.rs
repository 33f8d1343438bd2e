//! The shape of answers: the two wire dialects, the error envelope, and times.

use http::{HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use bytes::Bytes;

/// The generation of the API documentation that answers follow: the two contradict each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// June 2026: pages of up to 1000, `metadata.cas_config`, no `request_id` in errors.
    #[default]
    D1,
    /// July 2026 and later: pages of up to 100, `page` cursors, `request_id` in errors.
    D2,
}

impl Dialect {
    /// The greatest `limit` of a list.
    pub(crate) fn max_limit(self) -> usize {
        match self {
            Self::D1 => 1000,
            Self::D2 => 100,
        }
    }
}

/// A refusal as the API words it: a status, the parameter at fault, and a text that no client should match on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    message: String,
    param: Option<String>,
    retry_after: Option<HeaderValue>,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, retry_after: None }
    }

    /// 400 for the request as a whole.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400 that names the parameter at fault.
    pub(crate) fn invalid_param(param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), ..Self::invalid(message) }
    }

    /// 401 for a missing, malformed or unknown token.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid API key or token.")
    }

    /// 403 for a good token without the right to do this.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404 for a thing that the API does not know.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found."))
    }

    /// 409 for a request that the present state does not allow.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 429 for too many requests; the limits are per second, so a second helps.
    pub(crate) fn rate_limited(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(HeaderValue::from_static("1")),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, message)
        }
    }

    /// The error that the documentation's table has for a status.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        Self::new(status, status.canonical_reason().unwrap_or("The request failed."))
    }

    fn kind(&self) -> &'static str {
        match self.status.as_u16() {
            400 => "invalid_request_error",
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            409 => "conflict_error",
            429 => "rate_limit_error",
            501 => "feature_not_available",
            _ => "api_error",
        }
    }

    /// The error as an answer; only D2 shows the request's id in the body.
    pub(crate) fn response(&self, dialect: Dialect, request_id: &str) -> Response<Bytes> {
        let mut error = json!({"type": self.kind(), "message": self.message});
        if let (Some(param), Some(error)) = (&self.param, error.as_object_mut()) {
            error.insert("param".to_owned(), json!(param));
        }
        let envelope = match dialect {
            Dialect::D1 => json!({"type": "error", "error": error}),
            Dialect::D2 => json!({"type": "error", "request_id": request_id, "error": error}),
        };
        let mut response = json_response(self.status, &envelope);
        if let Some(seconds) = &self.retry_after {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, seconds.clone());
        }
        response
    }
}

/// An answer with a JSON body.
pub(crate) fn json_response(
    status: StatusCode,
    body: &(impl Serialize + ?Sized),
) -> Response<Bytes> {
    // Nothing that is serialised here can fail: all keys are strings and no writer is involved.
    let body = serde_json::to_vec(body).unwrap_or_default();
    with_content_type(status, "application/json", body)
}

/// An answer as a web server in front of the API gives it: not the API's envelope.
pub(crate) fn html_response(status: StatusCode) -> Response<Bytes> {
    let body = format!(
        "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
    );
    with_content_type(status, "text/html", body)
}

/// What a web server says about a path that it does not have, or does not have with this method.
pub(crate) fn no_such_route(allow: Option<&'static str>) -> Response<Bytes> {
    let Some(allow) = allow else { return html_response(StatusCode::NOT_FOUND) };
    let mut response = html_response(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// An answer with a body of any type.
pub(crate) fn with_content_type(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A time as the API writes it: RFC 3339 in whole seconds with `Z`.
pub(crate) fn whole_seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// A deployment as the dialect shows it. Documents are kept in a superset of both shapes.
pub(crate) fn deployment(document: &Map<String, Value>, dialect: Dialect) -> Map<String, Value> {
    let mut shown = document.clone();
    match dialect {
        Dialect::D1 => {
            shown.remove("environment_variables");
        }
        Dialect::D2 => {
            if let Some(metadata) = shown.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("cas_config");
            }
        }
    }
    let events = shown.get_mut("initial_events").and_then(Value::as_array_mut);
    for content in events
        .into_iter()
        .flatten()
        .filter(|event| event["type"] == "user.message")
        .filter_map(|event| event.get_mut("content"))
    {
        *content = message_content(content.take(), dialect);
    }
    shown
}

/// D1 shows a message of one text as a plain string, D2 as a list of blocks.
fn message_content(content: Value, dialect: Dialect) -> Value {
    match (dialect, content) {
        (Dialect::D2, Value::String(text)) => json!([{"type": "text", "text": text}]),
        (Dialect::D1, Value::Array(blocks)) => match blocks.as_slice() {
            [block] if block["type"] == "text" => block["text"].clone(),
            _ => Value::Array(blocks),
        },
        (_, content) => content,
    }
}

/// Applies an RFC 7396 merge patch.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    if let Some(target) = target.as_object_mut() {
        for (key, value) in patch {
            if value.is_null() {
                target.remove(key);
            } else {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// Sets fields, and within objects only those that are named.
pub(crate) fn set(target: &mut Map<String, Value>, fields: Map<String, Value>) {
    for (key, value) in fields {
        match (target.get_mut(&key), value) {
            (Some(Value::Object(target)), Value::Object(fields)) => set(target, fields),
            (_, value) => drop(target.insert(key, value)),
        }
    }
}

/// Durations as whole milliseconds in JSON.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        time.as_millis().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
