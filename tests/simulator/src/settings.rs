//! What can be set while the simulator runs: dialect, pace, and the answers that the documentation leaves open.

use std::time::Duration;

use clap::builder::BoolishValueParser;
use serde::{Deserialize, Serialize};

use crate::wire::{Dialect, millis};

/// The simulator's behaviour, apart from what it stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The wire shape.
    pub dialect: Dialect,
    /// How long every request takes before it is looked at.
    #[serde(rename = "latency_ms", with = "millis")]
    pub latency: Duration,
    /// How long GET, LIST and search do not see a write by the API; zero: they see it at once.
    #[serde(rename = "read_lag_ms", with = "millis")]
    pub read_lag: Duration,
    /// GETs answered in any window of one second; 0 is no limit.
    pub reads_per_second: u32,
    /// POSTs answered in any window of one second; 0 is no limit.
    pub writes_per_second: u32,
    /// Answers that the documentation leaves open.
    pub quirks: Quirks,
}

/// Answers that the documentation leaves open, with the likeliest one as default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Quirks {
    /// Status of pause, unpause and update of an archived deployment: 409, 400 or 404.
    #[arg(long, env = "SIMULATOR_ARCHIVED_VERB_STATUS", default_value_t = 409, value_parser = one_of(&Quirks::ARCHIVED_VERB))]
    pub archived_verb_status: u16,
    /// Status of GET of an archived deployment: 200 or 404.
    #[arg(long, env = "SIMULATOR_ARCHIVED_GET_STATUS", default_value_t = 200, value_parser = one_of(&Quirks::ARCHIVED_GET))]
    pub archived_get_status: u16,
    /// Status for an id that does not look like one: 404 or 400.
    #[arg(long, env = "SIMULATOR_MALFORMED_ID_STATUS", default_value_t = 404, value_parser = one_of(&Quirks::MALFORMED_ID))]
    pub malformed_id_status: u16,
    /// Status of a successful create: 200 or 201.
    #[arg(long, env = "SIMULATOR_CREATE_STATUS", default_value_t = 200, value_parser = one_of(&Quirks::CREATE))]
    pub create_status: u16,
    /// Whether a second live deployment of the same name is allowed; if not, create and update answer 409.
    #[arg(long, env = "SIMULATOR_DUPLICATE_NAMES", value_parser = BoolishValueParser::new())]
    pub duplicate_names: bool,
}

impl Quirks {
    const ARCHIVED_VERB: [u16; 3] = [409, 400, 404];
    const ARCHIVED_GET: [u16; 2] = [200, 404];
    const MALFORMED_ID: [u16; 2] = [404, 400];
    const CREATE: [u16; 2] = [200, 201];

    /// Refuses a status that is not one of the documented alternatives.
    ///
    /// # Errors
    ///
    /// A text that names the field and its alternatives.
    pub fn check(&self) -> Result<(), String> {
        let fields: [(&str, u16, &[u16]); 4] = [
            ("archived_verb_status", self.archived_verb_status, &Self::ARCHIVED_VERB),
            ("archived_get_status", self.archived_get_status, &Self::ARCHIVED_GET),
            ("malformed_id_status", self.malformed_id_status, &Self::MALFORMED_ID),
            ("create_status", self.create_status, &Self::CREATE),
        ];
        for (field, value, allowed) in fields {
            if !allowed.contains(&value) {
                return Err(format!("quirks.{field} is {value}, it must be one of {allowed:?}"));
            }
        }
        Ok(())
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            archived_verb_status: 409,
            archived_get_status: 200,
            malformed_id_status: 404,
            create_status: 200,
            duplicate_names: false,
        }
    }
}

/// A flag's parser for one of a few numbers.
fn one_of(allowed: &'static [u16]) -> impl Fn(&str) -> Result<u16, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok();
        number
            .filter(|number| allowed.contains(number))
            .ok_or_else(|| format!("must be one of {allowed:?}"))
    }
}
