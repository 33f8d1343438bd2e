//! What can go wrong with a request.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};

use crate::route::Operation;
use crate::wire::millis;

/// The most bytes of an [`Action::Oversized`] answer.
const LARGEST: usize = 1 << 30;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: for one request of a sequence.
    Ok,
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

/// What goes wrong with one request at once, in this order whatever the order in which it is given: what comes late is late
/// (`delay_ms`, `zombie_ms`); what replaces the effect replaces it (`respond`, `reset_before`, `hang_before`); a read is stale;
/// the answer is changed (`merge`, the faults of pages, `empty`); it is delivered (`reset_after`, `hang_after`, `truncate`,
/// `oversized`, `endless`, `drip_ms`). Of two of one kind the first counts, except for changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actions(Vec<Action>);

impl Actions {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Action> {
        self.0.iter()
    }

    /// In the order in which they take place.
    pub(super) fn in_order(&self) -> Self {
        let mut actions = self.0.clone();
        actions.sort_by_key(Action::turn);
        Self(actions)
    }

    /// Refuses what cannot be done at once. The error is a text for a person.
    pub(super) fn check(&self) -> Result<(), String> {
        self.iter().try_for_each(Action::check)?;
        let has = |is: fn(&Action) -> bool| self.iter().any(is);
        if has(|action| matches!(action, Action::Zombie(_)))
            && has(|action| matches!(action, Action::HangBefore | Action::HangAfter))
        {
            return Err("zombie_ms goes on without its client, so it cannot hang".to_owned());
        }
        Ok(())
    }

    pub(super) fn push(&mut self, action: Action) {
        self.0.push(action);
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Action> {
        self.0.last_mut()
    }
}

impl From<Action> for Actions {
    fn from(action: Action) -> Self {
        Self(vec![action])
    }
}

/// One action as it is, several as an array.
impl Serialize for Actions {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [action] => action.serialize(to),
            actions => actions.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Actions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let actions = match Value::deserialize(from)? {
            Value::Array(actions) if actions.is_empty() => {
                return Err(de::Error::custom("no action at all; one that does nothing is \"ok\""));
            }
            Value::Array(actions) => actions,
            action => vec![action],
        };
        let actions = actions.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
        actions.map(Self).map_err(de::Error::custom)
    }
}

/// What goes wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionFault {
    /// It is reset as soon as it is there.
    Reset,
    /// From now on connections are refused for that long: nobody listens. This one is reset.
    #[serde(rename = "refused_ms", with = "millis")]
    Refused(Duration),
    /// Nothing is read from it for that long.
    #[serde(rename = "accept_delay_ms", with = "millis")]
    AcceptDelay(Duration),
    /// Its answers come at so many bytes in a second.
    #[serde(rename = "bytes_per_second")]
    Bandwidth(u32),
    /// The TLS handshake fails; without TLS it is reset.
    Handshake,
}

/// An answer in place of the effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// The HTTP status.
    #[serde(with = "status")]
    pub status: StatusCode,
    /// Headers, in addition to the usual ones or instead of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "headers")]
    pub headers: Vec<(String, String)>,
    /// The body; none: the API's error envelope for a 4xx or 5xx, else an empty body.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "body")]
    pub body: Option<String>,
}

/// Pairs, of which several may have one name; or an object.
fn headers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, String)>, D::Error> {
    let pairs = match Value::deserialize(from)? {
        Value::Object(headers) => headers.into_iter().map(|pair| json!(pair)).collect(),
        pairs => pairs,
    };
    serde_json::from_value(pairs).map_err(|_| {
        de::Error::custom(r#"headers must be like {"retry-after": "3"} or [["retry-after", "3"]]"#)
    })
}

/// A text as it is, or JSON.
fn body<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        json => Some(json.to_string()),
    })
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

    /// It makes the request late.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self, Self::Delay(_) | Self::Zombie(_))
    }

    /// It stands in place of the effect.
    pub(crate) fn is_instead(&self) -> bool {
        matches!(self, Self::Respond(_) | Self::ResetBefore | Self::HangBefore)
    }

    /// It is a way to deliver the answer.
    pub(crate) fn is_delivery(&self) -> bool {
        matches!(
            self,
            Self::ResetAfter
                | Self::HangAfter
                | Self::Truncate
                | Self::Oversized(_)
                | Self::Endless
                | Self::Drip(_)
        )
    }

    /// When its turn is among several at once.
    fn turn(&self) -> u8 {
        match self {
            action if action.is_late() => 0,
            action if action.is_instead() => 1,
            Self::Stale => 2,
            Self::Merge(_) => 3,
            Self::DropItem(_) | Self::DuplicateItem(_) | Self::CursorLoop | Self::EndlessPages => 4,
            Self::Empty => 5,
            _ => 6,
        }
    }

    pub(super) fn is_possible_with(&self, operation: Operation) -> bool {
        let possible = self.operations();
        possible.is_empty() || possible.contains(&operation)
    }

    /// Refuses what cannot be done. The error is a text for a person.
    fn check(&self) -> Result<(), String> {
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
            let parsed = check_header(name, value)?;
            if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(&parsed) {
                return Err(format!(
                    "{name} follows from the body; for one that ends early there is truncate"
                ));
            }
        }
        Ok(())
    }
}

/// Refuses what HTTP does not allow as a header. The error is a text for a person.
pub(super) fn check_header(name: &str, value: &str) -> Result<HeaderName, String> {
    HeaderValue::try_from(value)
        .map_err(|_| format!("{value:?} cannot be the value of the header {name}"))?;
    HeaderName::try_from(name).map_err(|_| format!("{name:?} cannot be the name of a header"))
}
