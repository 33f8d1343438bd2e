//! Faults, each with a handle.

use http::StatusCode;
use serde_json::json;

use super::Done;
use super::request::{Asked, Refusal, bad, value};
use crate::exchange::Core;
use crate::fault::Fault;

const EXAMPLE: &str =
    r#"{"operation": "pause", "times": 2, "action": {"respond": {"status": 503}}}"#;

const OF_NO_ACCOUNT: &str =
    "a connection is of no account yet: POST /_sim/faults takes faults of connections";

pub(super) fn answer(
    core: &Core,
    is_main: bool,
    asked: &Asked<'_>,
    segments: &[&str],
) -> Result<Done, Refusal> {
    let done = match (asked.method(), segments) {
        ("GET", []) => value(core.faults().waiting().collect::<Vec<_>>())?,
        ("POST", []) => {
            let fault: Fault = asked.read(EXAMPLE)?;
            fault.check().map_err(|problem| bad(&problem))?;
            if fault.connection.is_some() && !is_main {
                return Err(bad(OF_NO_ACCOUNT));
            }
            json!({"id": core.faults().inject(fault)})
        }
        ("DELETE", []) => {
            core.faults().clear();
            json!({})
        }
        ("GET", [id]) => value(core.faults().get(handle(id)?).ok_or_else(|| unknown(id))?)?,
        ("DELETE", [id]) => value(core.faults().remove(handle(id)?).ok_or_else(|| unknown(id))?)?,
        ("POST", [id, "release"]) => {
            core.faults().release(handle(id)?).ok_or_else(|| unknown(id))?;
            json!({})
        }
        _ => return Err(asked.unknown()),
    };
    Ok(done.into())
}

fn handle(id: &str) -> Result<u64, Refusal> {
    id.parse().map_err(|_| bad("the id of a fault is a number, as its POST has given it"))
}

fn unknown(id: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no fault {id}"))
}
