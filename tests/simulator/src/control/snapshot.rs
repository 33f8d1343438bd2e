//! The state as a whole, as a seed takes it back, and the clock.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::Done;
use super::request::{Asked, Refusal, bad, value};
use crate::exchange::Core;
use crate::server::body;
use crate::wire;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Json,
    Yaml,
}

/// The time, all deployments and the settings.
pub(super) fn answer(core: &Core, asked: &Asked<'_>) -> Result<Done, Refusal> {
    let Ask { format } = asked.query()?;
    let deployments: Vec<_> = core.ids().iter().filter_map(|id| core.document(id)).collect();
    let (now, settings) = (core.now().date, core.api().settings);
    let snapshot = json!({"now": now, "deployments": deployments, "settings": settings});
    match format {
        Format::Json => Ok(snapshot.into()),
        Format::Yaml => {
            let text =
                serde_yaml_ng::to_string(&snapshot).map_err(|error| bad(&error.to_string()))?;
            let response = wire::with_content_type(StatusCode::OK, "application/yaml", text);
            Ok(Done::Stream(response.map(body::whole)))
        }
    }
}

/// How the clock is to be changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    held: Option<bool>,
    now: Option<Timestamp>,
    advance_ms: Option<u64>,
}

pub(super) fn set_clock(core: &Core, asked: &Asked<'_>) -> Result<Done, Refusal> {
    let SetClock { held, now, advance_ms } =
        asked.read(r#"{"held": true, "advance_ms": 3600000}"#)?;
    let reading = {
        let mut shared = core.clock();
        // What is refused changes nothing.
        let mut clock = shared.clone();
        // First, so that a held clock shows exactly the time that it is moved to.
        if let Some(held) = held {
            clock.hold(held);
        }
        if let Some(now) = now {
            clock.advance_to(now).map_err(|problem| bad(&problem))?;
        }
        if let Some(milliseconds) = advance_ms {
            let by = Duration::from_millis(milliseconds);
            clock.advance(by).map_err(|problem| bad(&problem))?;
        }
        *shared = clock;
        shared.read()
    };
    Ok(value(reading)?.into())
}
