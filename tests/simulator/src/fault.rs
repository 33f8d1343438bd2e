//! Faults to inject: what goes wrong, with which request, and how often.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::route::{Operation, Route};
use crate::wire::millis;

/// Something that goes wrong with requests that match.
///
/// Of the faults that match a request, the one that was injected first takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only requests of this operation.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// Only requests with this deployment in their path.
    #[serde(default)]
    pub id: Option<String>,
    /// With how many requests it goes wrong; none or 0: until the fault is cleared.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// How many matching requests are let through first.
    #[serde(default)]
    pub skip: u64,
    /// What goes wrong.
    pub action: Action,
}

#[allow(clippy::unnecessary_wraps, reason = "serde wants the type of the field")]
fn once() -> Option<u64> {
    Some(1)
}

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

impl Fault {
    /// A fault of any request, once.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self { operation: None, id: None, times: once(), skip: 0, action }
    }

    /// [`Action::Respond`] with a status; it becomes 500 if it is not one.
    #[must_use]
    pub fn respond(status: u16) -> Self {
        Self::new(Action::Respond(Respond {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: Vec::new(),
            body: None,
        }))
    }

    /// Adds a header to the answer of [`Fault::respond`]; what HTTP does not allow as one is left out.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Action::Respond(respond) = &mut self.action {
            respond.headers.push((name.into(), value.into()));
        }
        self
    }

    /// Sets the body of the answer of [`Fault::respond`].
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        if let Action::Respond(respond) = &mut self.action {
            respond.body = Some(body.into());
        }
        self
    }

    /// Gives the answer of [`Fault::respond`] a page of HTML for a body, as a gateway does.
    #[must_use]
    pub fn html(self) -> Self {
        self.header("content-type", "text/html")
            .body("<html><body><h1>The gateway could not reach the service</h1></body></html>\n")
    }

    /// [`Action::ResetBefore`].
    #[must_use]
    pub fn reset_before() -> Self {
        Self::new(Action::ResetBefore)
    }

    /// [`Action::ResetAfter`].
    #[must_use]
    pub fn reset_after() -> Self {
        Self::new(Action::ResetAfter)
    }

    /// [`Action::HangBefore`].
    #[must_use]
    pub fn hang_before() -> Self {
        Self::new(Action::HangBefore)
    }

    /// [`Action::HangAfter`].
    #[must_use]
    pub fn hang_after() -> Self {
        Self::new(Action::HangAfter)
    }

    /// [`Action::Delay`].
    #[must_use]
    pub fn delay(by: Duration) -> Self {
        Self::new(Action::Delay(by))
    }

    /// [`Action::Zombie`].
    #[must_use]
    pub fn zombie(after: Duration) -> Self {
        Self::new(Action::Zombie(after))
    }

    /// [`Action::Empty`].
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Action::Empty)
    }

    /// [`Action::Truncate`].
    #[must_use]
    pub fn truncate() -> Self {
        Self::new(Action::Truncate)
    }

    /// [`Action::Merge`].
    #[must_use]
    pub fn merge(patch: Value) -> Self {
        Self::new(Action::Merge(patch))
    }

    /// [`Action::Oversized`].
    #[must_use]
    pub fn oversized(bytes: usize) -> Self {
        Self::new(Action::Oversized(bytes))
    }

    /// [`Action::Endless`].
    #[must_use]
    pub fn endless() -> Self {
        Self::new(Action::Endless)
    }

    /// [`Action::Drip`].
    #[must_use]
    pub fn drip(each: Duration) -> Self {
        Self::new(Action::Drip(each))
    }

    /// [`Action::Stale`].
    #[must_use]
    pub fn stale() -> Self {
        Self::new(Action::Stale)
    }

    /// [`Action::DropItem`].
    #[must_use]
    pub fn drop_item(id: impl Into<String>) -> Self {
        Self::new(Action::DropItem(id.into())).on(Operation::List)
    }

    /// [`Action::DuplicateItem`].
    #[must_use]
    pub fn duplicate_item(id: impl Into<String>) -> Self {
        Self::new(Action::DuplicateItem(id.into())).on(Operation::List)
    }

    /// [`Action::CursorLoop`], until cleared.
    #[must_use]
    pub fn cursor_loop() -> Self {
        Self::new(Action::CursorLoop).on(Operation::List).always()
    }

    /// [`Action::EndlessPages`], until cleared.
    #[must_use]
    pub fn endless_pages() -> Self {
        Self::new(Action::EndlessPages).on(Operation::List).always()
    }

    /// Only requests of this operation.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only requests with this deployment in their path.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// With that many requests; 0: until the fault is cleared.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Until the fault is cleared.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Lets that many matching requests through first.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Whether a request is one that this goes wrong with.
    pub(crate) fn matches(&self, route: &Route) -> bool {
        self.operation.is_none_or(|operation| operation == route.operation)
            && (self.id.is_none() || self.id == route.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Fault;
    use crate::route::Operation;

    #[test]
    fn a_fault_reads_as_it_is_documented() -> Result<(), serde_json::Error> {
        let read = |json| serde_json::from_value::<Fault>(json);
        assert_eq!(read(json!({"action": "reset_before"}))?, Fault::reset_before());
        assert_eq!(
            read(
                json!({"operation": "pause", "times": null, "action": {"respond": {"status": 503}}})
            )?,
            Fault::respond(503).on(Operation::Pause).always()
        );
        assert!(read(json!({"operaton": "pause", "action": "stale"})).is_err());
        assert!(read(json!({"action": {"respond": {"status": 99}}})).is_err());
        Ok(())
    }

    #[test]
    fn every_fault_survives_its_json() -> Result<(), serde_json::Error> {
        let second = std::time::Duration::from_secs(1);
        for fault in [
            Fault::respond(503).header("retry-after", "soon").html(),
            Fault::delay(second),
            Fault::zombie(second),
            Fault::drip(second),
            Fault::oversized(9),
            Fault::merge(json!({"id": "dep_other"})),
            Fault::drop_item("dep_1"),
            Fault::cursor_loop(),
        ] {
            let text = serde_json::to_string(&fault)?;
            assert_eq!(serde_json::from_str::<Fault>(&text)?, fault, "{text}");
        }
        Ok(())
    }
}
