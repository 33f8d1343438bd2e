//! The control API under `/_sim/`: what happens behind the client's back. It needs no token.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::access::Token;
use crate::exchange::Core;
use crate::fault::Fault;
use crate::page::Query;
use crate::runs::Outcome;
use crate::settings::Settings;
use crate::wire::{self, json_response};

/// A control request that cannot be done: the status and what to do about it.
type Refusal = (StatusCode, String);

const PREFIX: &str = "/_sim/";

/// Whether a request is one to the control API.
pub(crate) fn is_control(uri: &Uri) -> bool {
    uri.path().starts_with(PREFIX)
}

/// The answer to a body that is too large.
pub(crate) fn too_large(limit: usize) -> Response<Bytes> {
    let error = format!("the body has more than {limit} bytes, which is the limit");
    json_response(StatusCode::PAYLOAD_TOO_LARGE, &json!({"error": error}))
}

/// Answers a request to `/_sim/`; none: it is not one.
pub(crate) fn answer(core: &Arc<Core>, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let path = request.uri().path().strip_prefix(PREFIX)?;
    let segments: Vec<&str> = path.split('/').collect();
    let done = route(core, request, &segments);
    Some(match done {
        Ok(value) => json_response(StatusCode::OK, &value),
        Err((status, message)) => json_response(status, &json!({"error": message})),
    })
}

fn route(core: &Core, request: &Request<Bytes>, segments: &[&str]) -> Result<Value, Refusal> {
    let body = request.body();
    match (request.method().as_str(), segments) {
        ("GET", ["deployments"]) => Ok(json!({"ids": core.ids()})),
        ("POST", ["deployments"]) => add(core, body),
        ("GET", ["deployments", id]) => core.deployment(id).ok_or_else(|| unknown(id)),
        ("PATCH", ["deployments", id]) => {
            let fields: Map<String, Value> = read(body, r#"{"description": "new"}"#)?;
            changed(core, id, core.patch(id, fields))
        }
        ("DELETE", ["deployments", id]) => {
            core.delete(id).map(|()| json!({})).ok_or_else(|| unknown(id))
        }
        ("POST", ["deployments", id, "pause"]) => changed(core, id, core.set_paused(id, true)),
        ("POST", ["deployments", id, "unpause"]) => changed(core, id, core.set_paused(id, false)),
        ("POST", ["deployments", id, "archive"]) => changed(core, id, core.archive(id)),
        ("POST", ["deployments", id, "pause_by_error"]) => {
            let PausedBy { error_type } = read(body, r#"{"type": "agent_archived_error"}"#)?;
            changed(core, id, core.pause_by_error(id, &error_type))
        }
        ("POST", ["deployments", id, "run"]) => {
            let Fire { outcome } = if body.is_empty() {
                Fire::default()
            } else {
                read(body, r#"{"outcome": {"failed": "agent_archived_error"}}"#)?
            };
            let fired = core.fire(id, outcome).ok_or_else(|| unknown(id))?;
            fired.map_err(|problem| (StatusCode::CONFLICT, format!("{id} does not run: {problem}")))
        }
        ("PUT", ["tokens"]) => {
            let tokens: Vec<Token> = read(body, r#"[{"token": "pt-simulator"}]"#)?;
            tokens.iter().try_for_each(Token::check).map_err(|problem| bad(&problem))?;
            core.api().tokens = tokens;
            Ok(json!({}))
        }
        ("GET", ["settings"]) => value(core.api().settings),
        ("PATCH", ["settings"]) => settings(core, body),
        ("GET", ["faults"]) => value(core.faults().waiting()),
        ("POST", ["faults"]) => {
            let fault: Fault = read(
                body,
                r#"{"operation": "pause", "times": 2, "action": {"respond": {"status": 503}}}"#,
            )?;
            fault.check().map_err(|problem| bad(&problem))?;
            core.faults().inject(fault);
            Ok(json!({}))
        }
        ("DELETE", ["faults"]) => {
            core.faults().clear();
            Ok(json!({}))
        }
        ("GET", ["journal"]) => {
            let query = Query::parse(request.uri().query().unwrap_or_default());
            let since = query.get("since").map_or(Ok(0), str::parse);
            value(core.journal.since(since.map_err(|_| bad("since must be a seq"))?))
        }
        ("DELETE", ["journal"]) => {
            core.journal.clear();
            Ok(json!({}))
        }
        _ => Err((
            StatusCode::NOT_FOUND,
            format!(
                "there is no {} {}; the README lists what there is",
                request.method(),
                request.uri().path()
            ),
        )),
    }
}

/// The body of a pause by the platform.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PausedBy {
    #[serde(rename = "type")]
    error_type: String,
}

/// The body of a run.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fire {
    outcome: Outcome,
}

/// Adds one deployment, or an array of them.
fn add(core: &Core, body: &Bytes) -> Result<Value, Refusal> {
    let partials = match read(body, r#"{"id": "dep_1"}"#)? {
        Value::Array(partials) => partials,
        partial => vec![partial],
    };
    let ids = core.add(&partials).map_err(|error| bad(&error.to_string()))?;
    Ok(json!({"ids": ids}))
}

fn settings(core: &Core, body: &Bytes) -> Result<Value, Refusal> {
    let patch: Value = read(body, r#"{"latency_ms": 50}"#)?;
    let mut api = core.api();
    let mut merged = value(api.settings)?;
    if !patch.is_object() {
        return Err(bad("the settings are an object, like {\"latency_ms\": 50}"));
    }
    wire::merge(&mut merged, &patch);
    let settings: Settings =
        serde_json::from_value(merged).map_err(|error| bad(&error.to_string()))?;
    settings.quirks.check().map_err(|problem| bad(&problem))?;
    api.settings = settings;
    value(settings)
}

fn changed(core: &Core, id: &str, found: Option<()>) -> Result<Value, Refusal> {
    found.and_then(|()| core.deployment(id)).ok_or_else(|| unknown(id))
}

fn value(from: impl serde::Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(from)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Reads a body of JSON; one that can be used is like `example`.
fn read<T: DeserializeOwned>(body: &Bytes, example: &str) -> Result<T, Refusal> {
    if body.is_empty() {
        return Err(bad(&format!("a body is needed, like {example}")));
    }
    serde_json::from_slice(body).map_err(|error| {
        bad(&format!("the body cannot be used: {error}; it must be like {example}"))
    })
}

fn bad(message: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, message.to_owned())
}

fn unknown(id: &str) -> Refusal {
    (StatusCode::NOT_FOUND, format!("there is no deployment {id}"))
}
