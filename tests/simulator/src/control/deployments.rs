//! Deployments behind the client's back.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Done;
use super::request::{Asked, Refusal, bad, unknown, wait, wait_time};
use crate::account::Account;
use crate::exchange::Core;
use crate::runs::Outcome;

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

/// What to wait for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    until: Option<Until>,
    timeout_ms: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Until {
    Active,
    Paused,
    Archived,
    Gone,
}

impl Until {
    fn is_so(self, deployment: Option<&Value>) -> bool {
        let status = |status: &str| deployment.is_some_and(|seen| seen["status"] == status);
        match self {
            Self::Active => status("active"),
            Self::Paused => status("paused"),
            Self::Archived => deployment.is_some_and(|seen| !seen["archived_at"].is_null()),
            Self::Gone => deployment.is_none(),
        }
    }
}

pub(super) async fn answer(
    account: &Account,
    asked: &Asked<'_>,
    segments: &[&str],
) -> Result<Done, Refusal> {
    let core = &account.core();
    let done = match (asked.method(), segments) {
        ("GET", []) => list(core, asked)?,
        ("POST", []) => add(core, asked)?,
        ("GET", [id]) => get(account, asked, id).await?,
        ("PATCH", [id]) => {
            let fields: Map<String, Value> = asked.read(r#"{"description": "new"}"#)?;
            changed(core, id, core.patch(id, fields))?
        }
        ("DELETE", [id]) => {
            core.delete(id).ok_or_else(|| unknown(id))?;
            json!({})
        }
        ("POST", [id, "pause"]) => changed(core, id, core.set_paused(id, true))?,
        ("POST", [id, "unpause"]) => changed(core, id, core.set_paused(id, false))?,
        ("POST", [id, "archive"]) => changed(core, id, core.archive(id))?,
        ("POST", [id, "pause_by_error"]) => {
            let PausedBy { error_type } = asked.read(r#"{"type": "agent_archived_error"}"#)?;
            changed(core, id, core.pause_by_error(id, &error_type))?
        }
        ("POST", [id, "run"]) => {
            let example = r#"{"outcome": {"failed": "agent_archived_error"}}"#;
            let Fire { outcome } = asked.read_or_default(example)?;
            let fired = core.fire(id, outcome).ok_or_else(|| unknown(id))?;
            fired.map_err(|problem| {
                Refusal::new(StatusCode::CONFLICT, format!("{id} does not run: {problem}"))
            })?
        }
        _ => return Err(asked.unknown()),
    };
    Ok(done.into())
}

/// Which deployments to show; absent: their ids.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    newest: Option<usize>,
}

fn list(core: &Core, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let List { newest } = asked.query()?;
    let ids = core.ids();
    Ok(match newest {
        None => json!({"ids": ids}),
        Some(newest) => {
            let newest = ids.iter().rev().take(newest);
            let shown: Vec<Value> = newest.filter_map(|id| core.deployment(id)).collect();
            json!({"deployments": shown})
        }
    })
}

async fn get(account: &Account, asked: &Asked<'_>, id: &str) -> Result<Value, Refusal> {
    let Wait { until, timeout_ms } = asked.query()?;
    // A reset may come while it is waited.
    let seen = || account.core().deployment(id);
    match until {
        Some(until) => {
            wait(account.changed(), wait_time(timeout_ms), || until.is_so(seen().as_ref())).await;
        }
        None if timeout_ms.is_some() => {
            return Err(bad("timeout_ms is how long to wait for until: until=paused"));
        }
        None => {}
    }
    seen().ok_or_else(|| unknown(id))
}

/// Adds one deployment, or an array of them.
fn add(core: &Core, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let partials = match asked.read(r#"{"id": "dep_1"}"#)? {
        Value::Array(partials) => partials,
        partial => vec![partial],
    };
    let ids = core.add(&partials).map_err(|error| bad(&error.to_string()))?;
    Ok(json!({"ids": ids}))
}

fn changed(core: &Core, id: &str, found: Option<()>) -> Result<Value, Refusal> {
    found.and_then(|()| core.deployment(id)).ok_or_else(|| unknown(id))
}
