//! The control API under `/_sim/`: what happens behind the client's back. It needs no token.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::access::Token;
use crate::exchange::Core;
use crate::fault::Fault;
use crate::page::Query;
use crate::settings::Settings;
use crate::wire::{self, json_response};

/// A control request that cannot be done: the status and what to do about it.
type Refusal = (StatusCode, String);

/// Answers a request to `/_sim/`; none: it is not one.
pub(crate) fn answer(core: &Arc<Core>, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let path = request.uri().path().strip_prefix("/_sim/")?;
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
            let patch: Value = read(body)?;
            changed(core, id, core.patch(id, &patch))
        }
        ("DELETE", ["deployments", id]) => {
            core.delete(id).map(|()| json!({})).ok_or_else(|| unknown(id))
        }
        ("POST", ["deployments", id, "pause"]) => changed(core, id, core.set_paused(id, true)),
        ("POST", ["deployments", id, "unpause"]) => changed(core, id, core.set_paused(id, false)),
        ("POST", ["deployments", id, "archive"]) => changed(core, id, core.archive(id)),
        ("POST", ["deployments", id, "pause_by_error"]) => {
            let error: Value = read(body)?;
            let error_type = error.get("type").and_then(Value::as_str);
            let error_type = error_type.ok_or_else(|| {
                bad("the body must be {\"type\": \"agent_archived_error\"} or like it")
            })?;
            changed(core, id, core.pause_by_error(id, error_type))
        }
        ("PUT", ["tokens"]) => {
            core.api().tokens = read::<Vec<Token>>(body)?;
            Ok(json!({}))
        }
        ("GET", ["settings"]) => value(core.api().settings),
        ("PATCH", ["settings"]) => settings(core, body),
        ("GET", ["faults"]) => value(core.faults().waiting()),
        ("POST", ["faults"]) => {
            let fault: Fault = read(body)?;
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

/// Adds one deployment, or an array of them, up to the first that cannot be used.
fn add(core: &Core, body: &Bytes) -> Result<Value, Refusal> {
    let partials = match read(body)? {
        Value::Array(partials) => partials,
        partial => vec![partial],
    };
    let ids: Result<Vec<_>, _> = partials.iter().map(|partial| core.add(partial)).collect();
    let ids = ids.map_err(|error| bad(&error.to_string()))?;
    Ok(json!({"ids": ids}))
}

fn settings(core: &Core, body: &Bytes) -> Result<Value, Refusal> {
    let patch: Value = read(body)?;
    let mut api = core.api();
    let mut merged = value(api.settings)?;
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

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| bad(&format!("the body is not what is needed: {error}")))
}

fn bad(message: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, message.to_owned())
}

fn unknown(id: &str) -> Refusal {
    (StatusCode::NOT_FOUND, format!("there is no deployment {id}"))
}
