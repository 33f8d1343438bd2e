//! What can go wrong with a request.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::route::Operation;
use crate::wire::millis;

/// The most bytes of an [`Action::Oversized`] answer.
const LARGEST: usize = 1 << 30;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Another answer in place of the effect, as from a gateway.
    Respond(Respond),
    /// The connection is reset (TCP RST), and nothing was done.
    ResetBefore,
    /// It is done, then the connection is reset.
    ResetAfter,
    /// No answer until the client goes away, and nothing was done.
    HangBefore,
    /// It is done; no answer until the client goes away.
    HangAfter,
    /// It is done that much later, unless the client goes away before.
    #[serde(rename = "delay_ms", with = "millis")]
    Delay(Duration),
    /// It is done that much later, even if the client went away before.
    #[serde(rename = "zombie_ms", with = "millis")]
    Zombie(Duration),
    /// It is done; the body of the answer is empty.
    Empty,
    /// It is done; the body of the answer ends in the middle, before its content-length.
    Truncate,
    /// It is done; the answer is changed by a JSON merge patch.
    Merge(Value),
    /// It is done; the answer is preceded by spaces up to that many bytes.
    Oversized(usize),
    /// It is done; the answer never begins for all the spaces before it.
    Endless,
    /// It is done; the answer comes a byte at a time, each that long after the one before.
    #[serde(rename = "drip_ms", with = "millis")]
    Drip(Duration),
    /// A GET or LIST shows the state before the last write.
    Stale,
    /// A page lacks this id.
    DropItem(String),
    /// A page has this id twice.
    DuplicateItem(String),
    /// A page leads back to itself.
    CursorLoop,
    /// A page says that there is more, behind a cursor never seen before, for ever.
    EndlessPages,
}

/// An answer in place of the effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// The HTTP status.
    #[serde(with = "status")]
    pub status: StatusCode,
    /// Headers, in addition to the usual ones or instead of them.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body; none: the API's error envelope for a 4xx or 5xx, else an empty body.
    #[serde(default)]
    pub body: Option<String>,
}

mod status {
    use http::StatusCode;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(status.as_u16())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<StatusCode, D::Error> {
        let status = u16::deserialize(from)?;
        StatusCode::from_u16(status).map_err(de::Error::custom)
    }
}

impl Action {
    /// The operations with which it can go wrong; empty: with all.
    pub(crate) fn operations(&self) -> &'static [Operation] {
        use Operation as Op;
        match self {
            Self::Stale => &[Op::Get, Op::List, Op::Search],
            Self::DropItem(_) | Self::DuplicateItem(_) => {
                &[Op::List, Op::ListRuns, Op::ListAllRuns, Op::Search]
            }
            // A search has its cursor in the body.
            Self::CursorLoop | Self::EndlessPages => &[Op::List, Op::ListRuns, Op::ListAllRuns],
            _ => &[],
        }
    }

    /// Refuses what cannot be done. The error is a text for a person.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Respond(respond) => respond.check(),
            Self::Oversized(bytes) if *bytes > LARGEST => {
                Err(format!("oversized is {bytes} bytes, the most is {LARGEST}"))
            }
            _ => Ok(()),
        }
    }
}

impl Respond {
    fn check(&self) -> Result<(), String> {
        let Self { status, headers, body } = self;
        if status.is_informational() {
            return Err(format!("the status {} announces an answer and is none", status.as_u16()));
        }
        let has_no_body = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(status);
        if has_no_body && body.as_ref().is_some_and(|body| !body.is_empty()) {
            return Err(format!("an answer with the status {} has no body", status.as_u16()));
        }
        for (name, value) in headers {
            let parsed = HeaderName::try_from(name)
                .map_err(|_| format!("{name:?} cannot be the name of a header"))?;
            HeaderValue::try_from(value)
                .map_err(|_| format!("{value:?} cannot be the value of the header {name}"))?;
            if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(&parsed) {
                return Err(format!(
                    "{name} follows from the body; for one that ends early there is truncate"
                ));
            }
        }
        Ok(())
    }
}
