//! The control API under `/_sim/`: what happens behind the client's back. It needs no token.

mod deployments;
mod faults;
mod journal;
mod openapi;
mod page;
mod request;
mod route;
mod snapshot;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Token;
use crate::account::{Account, Accounts};
use crate::server::body::{self, Body};
use crate::settings::Settings;
use crate::wire::{self, json_response};
use request::{Asked, Refusal, bad, named, value};

const PREFIX: &str = "/_sim/";
/// [`PREFIX`] as people type it.
const BARE: &str = "/_sim";

/// Whether a request is one to the control API.
pub(crate) fn is_control(uri: &Uri) -> bool {
    uri.path().starts_with(PREFIX) || uri.path() == BARE
}

/// The answer to a body that is too large.
pub(crate) fn too_large(limit: usize) -> Response<Bytes> {
    let error = format!("the body has more than {limit} bytes, which is the limit");
    json_response(StatusCode::PAYLOAD_TOO_LARGE, &json!({"error": error}))
}

/// Answers a request to `/_sim/`.
pub(crate) async fn answer(accounts: &Accounts, request: &Request<Bytes>) -> Response<Body> {
    let Some(path) = request.uri().path().strip_prefix(PREFIX) else {
        let mut response = json_response(StatusCode::PERMANENT_REDIRECT, &json!({}));
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(PREFIX));
        return response.map(body::whole);
    };
    let segments: Vec<&str> = path.split('/').collect();
    let done = if is_from_elsewhere(request) {
        Err(Refusal::new(StatusCode::FORBIDDEN, "requests from pages of other origins are refused"))
    } else {
        of_accounts(accounts, &Asked::new(request), &segments).await
    };
    match done {
        Ok(Done::Json(value)) => json_response(StatusCode::OK, &value).map(body::whole),
        Ok(Done::Stream(response)) => response,
        Err(Refusal { status, message, allow }) => {
            let mut response = json_response(status, &json!({"error": message}));
            if let Some(allow) = allow {
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
            }
            response.map(body::whole)
        }
    }
}

/// A control request that is done.
enum Done {
    Json(Value),
    Stream(Response<Body>),
}

impl From<Value> for Done {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

/// A browser says where a page comes from whose script has sent the request.
fn is_from_elsewhere(request: &Request<Bytes>) -> bool {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return false };
    let host = origin.split_once("://").map(|(_, host)| host);
    host != text(header::HOST)
}

/// The query of a request that has none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    name: String,
    token: String,
    #[serde(default)]
    deployments: Vec<Value>,
}

/// What a request would not look at is refused: whoever sends it expects something.
fn refuse_unused(asked: &Asked<'_>, segments: &[&str]) -> Result<(), Refusal> {
    let takes_query = asked.is_get()
        && matches!(
            segments,
            [.., "journal" | "snapshot" | "deployments"] | [.., "deployments", _]
        );
    if !takes_query {
        let NoParameters {} = asked.query()?;
    }
    let takes_no_body = match (asked.method(), segments) {
        ("GET" | "DELETE", _) => true,
        ("POST", [.., last]) => ["pause", "unpause", "archive", "release", "reset"].contains(last),
        _ => false,
    };
    if takes_no_body { asked.no_body() } else { Ok(()) }
}

async fn of_accounts(
    accounts: &Accounts,
    asked: &Asked<'_>,
    segments: &[&str],
) -> Result<Done, Refusal> {
    let account = |name: &str| {
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, format!("there is no account {name}"));
        accounts.get(name).ok_or_else(unknown)
    };
    let allow = route::methods(segments).ok_or_else(|| asked.unknown())?;
    if !allow.split(", ").any(|method| method == asked.method()) {
        return Err(asked.not_allowed(allow));
    }
    refuse_unused(asked, segments)?;
    match (asked.method(), segments) {
        ("GET", ["accounts"]) => Ok(json!({"names": accounts.names()}).into()),
        ("POST", ["accounts"]) => {
            let example =
                r#"{"name": "test-1", "token": "pt-test-1", "deployments": [{"id": "dep_1"}]}"#;
            let NewAccount { name, token, deployments } = asked.read(example)?;
            let added = accounts.add(&name, Token::new(token), deployments);
            added.map_err(|problem| bad(&problem))?;
            Ok(json!({"name": name}).into())
        }
        ("DELETE", ["accounts", name]) => {
            account(name)?;
            accounts.remove(name);
            Ok(json!({}).into())
        }
        (_, ["accounts", name, rest @ ..]) if !rest.is_empty() => {
            of_one(accounts, &account(name)?, asked, rest).await
        }
        _ => of_one(accounts, &accounts.main, asked, segments).await,
    }
}

/// The tables of what there is.
async fn of_one(
    accounts: &Accounts,
    account: &Arc<Account>,
    asked: &Asked<'_>,
    segments: &[&str],
) -> Result<Done, Refusal> {
    let done = answer_of_one(accounts, account, asked, segments).await;
    if done.is_ok() && !asked.is_get() {
        // Whoever watches looks again.
        account.core().journal.bump();
    }
    done
}

async fn answer_of_one(
    accounts: &Accounts,
    account: &Arc<Account>,
    asked: &Asked<'_>,
    segments: &[&str],
) -> Result<Done, Refusal> {
    let core = &account.core();
    match (asked.method(), segments) {
        ("GET", [""]) => Ok(Done::Stream(page::page())),
        ("GET", ["openapi", "cloud.yaml"]) => {
            Ok(Done::Stream(openapi::cloud(core.api().settings.dialect)))
        }
        ("GET", ["openapi", "sim.yaml"]) => Ok(Done::Stream(openapi::sim())),
        ("GET", ["events"]) => Ok(Done::Stream(page::events(account))),
        (_, ["deployments", rest @ ..]) => deployments::answer(account, asked, rest).await,
        (_, ["faults", rest @ ..]) => {
            let is_main = Arc::ptr_eq(account, &accounts.main);
            faults::answer(core, is_main, asked, rest)
        }
        (_, ["journal", rest @ ..]) => journal::answer(account, asked, rest).await,
        ("POST", ["verify"]) => journal::verify(core, asked),
        ("POST", ["reset"]) => {
            account.reset().map_err(|error| bad(&error.to_string()))?;
            Ok(json!({}).into())
        }
        ("PUT", ["tokens"]) => {
            let tokens: Vec<Token> = asked.read(r#"[{"token": "pt-simulator"}]"#)?;
            accounts.set_tokens(account, tokens).map_err(|problem| bad(&problem))?;
            Ok(json!({}).into())
        }
        ("GET", ["settings"]) => Ok(value(core.api().settings)?.into()),
        ("PATCH", ["settings"]) => {
            let mut api = core.api();
            api.settings = merged(api.settings, asked)?;
            Ok(value(api.settings)?.into())
        }
        ("GET", ["clock"]) => Ok(value(core.clock().read())?.into()),
        ("POST", ["clock"]) => snapshot::set_clock(core, asked),
        ("GET", ["snapshot"]) => snapshot::answer(core, asked),
        _ => Err(asked.unknown()),
    }
}

fn merged(settings: Settings, asked: &Asked<'_>) -> Result<Settings, Refusal> {
    const EXAMPLE: &str = r#"{"latency_ms": 50}"#;
    let Value::Object(patch) = asked.read(EXAMPLE)? else {
        return Err(bad(&format!("settings are an object, like {EXAMPLE}")));
    };
    let mut merged = value(settings)?;
    if let Some(merged) = merged.as_object_mut() {
        // A null is set, too, and then refused: no setting can be removed.
        wire::set(merged, patch);
    }
    let settings: Settings =
        serde_path_to_error::deserialize(merged).map_err(|error| bad(&named(&error)))?;
    settings.quirks.check().map_err(|problem| bad(&problem))?;
    Ok(settings)
}
