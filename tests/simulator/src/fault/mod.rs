//! Faults to inject: what goes wrong, with which request, and how often.

mod action;
mod build;
mod chance;
mod waiting;

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

pub use action::{Action, Actions, ConnectionFault, Respond};
pub(crate) use waiting::{Faults, Taken};

use crate::access;
use crate::call::Call;
use crate::page::Query;
use crate::route::Operation;

/// Something that goes wrong with requests that match: one of `action`, `sequence` and `connection`.
///
/// Of the faults that match a request, the one that was injected first takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only requests of this operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Only requests with this deployment in their path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only requests with this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Only requests with these headers; their values are compared as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Only requests with these parameters, decoded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Only requests whose JSON body has this in it: objects may have more keys, all else is equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// With how many requests it goes wrong, or how many rounds of a sequence there are; none or 0: until it is cleared.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// How many matching requests are let through first.
    #[serde(default)]
    pub skip: u64,
    /// How likely a matching request is taken, from 0 to 1. Those that are not pass, and count for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What chance begins with: the same seed gives the same choices.
    #[serde(default)]
    pub seed: u64,
    /// What goes wrong: one thing, or several at once.
    #[serde(default, skip_serializing_if = "Actions::is_empty")]
    pub action: Actions,
    /// What goes wrong with one request after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "steps")]
    pub sequence: Vec<Actions>,
    /// What goes wrong with connections, whoever makes them and whatever for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionFault>,
}

#[allow(clippy::unnecessary_wraps, reason = "serde wants the type of the field")]
fn once() -> Option<u64> {
    Some(1)
}

fn steps<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Actions>, D::Error> {
    let steps = Vec::deserialize(from)?;
    if steps.is_empty() { Err(de::Error::custom("a sequence of no steps")) } else { Ok(steps) }
}

impl Fault {
    /// Refuses what cannot happen.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let kinds = [!self.action.is_empty(), !self.sequence.is_empty(), self.connection.is_some()];
        if kinds.iter().filter(|is_given| **is_given).count() != 1 {
            return Err("a fault has one of action, sequence and connection".to_owned());
        }
        if self.connection.is_some() {
            return self.check_connection();
        }
        if self.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return Err("probability must be 0 to 1".to_owned());
        }
        self.steps().iter().try_for_each(Actions::check)?;
        for (name, value) in &self.headers {
            action::check_header(name, value)?;
        }
        let Some(operation) = self.operation else { return Ok(()) };
        if self.id.is_some() && !operation.has_id() {
            return Err(format!("{} has no deployment in its path", operation.name()));
        }
        let impossible = self.actions().find(|action| !action.is_possible_with(operation));
        let Some(action) = impossible else { return Ok(()) };
        let names: Vec<_> = action.operations().iter().map(|operation| operation.name()).collect();
        let (own, others) = (operation.name(), names.join(", "));
        Err(format!("this cannot go wrong with {own}, only with {others}"))
    }

    /// A connection has nothing yet that could match.
    fn check_connection(&self) -> Result<(), String> {
        let any = Self {
            times: self.times,
            skip: self.skip,
            connection: self.connection,
            ..Self::nothing()
        };
        if self.connection == Some(ConnectionFault::Bandwidth(0)) {
            Err("bytes_per_second must be 1 or more; for none there is accept_delay_ms".to_owned())
        } else if *self == any {
            Ok(())
        } else {
            Err("with connection there are only times and skip: no request is known yet".to_owned())
        }
    }

    fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps().iter().flat_map(Actions::iter)
    }

    /// What goes wrong with one request after the other.
    pub(crate) fn steps(&self) -> &[Actions] {
        if self.sequence.is_empty() { std::slice::from_ref(&self.action) } else { &self.sequence }
    }

    /// Whether a request is one that this goes wrong with.
    pub(crate) fn matches(&self, call: &Call) -> bool {
        let Call { route, headers, query, body, .. } = call;
        self.connection.is_none()
            && self.actions().all(|action| action.is_possible_with(route.operation))
            && self.operation.is_none_or(|operation| operation == route.operation)
            && (self.id.is_none() || self.id == route.id)
            && (self.token.is_none() || self.token.as_deref() == access::sent_token(headers))
            && self.matches_headers(headers)
            && self.matches_query(query)
            && self.body.as_ref().is_none_or(|part| {
                serde_json::from_slice(body).is_ok_and(|body| is_part_of(part, &body))
            })
    }

    fn matches_headers(&self, headers: &HeaderMap) -> bool {
        self.headers.iter().all(|(name, value)| {
            headers.get_all(name).iter().any(|sent| sent.as_bytes() == value.as_bytes())
        })
    }

    fn matches_query(&self, query: &str) -> bool {
        let query = Query::parse(query);
        self.query.iter().all(|(key, value)| query.get(key) == Some(value))
    }
}

/// Whether all of `part` is in `whole`.
fn is_part_of(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| is_part_of(part, whole))),
        (part, whole) => part == whole,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Action, ConnectionFault, Fault, is_part_of};
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
        assert_eq!(
            read(json!({"sequence": [{"respond": {"status": 503}}, "ok", ["stale", {"delay_ms": 5}]]}))?
                .steps()
                .len(),
            3
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
            Fault::delay(second).and(Action::Truncate),
            Fault::zombie(second),
            Fault::drip(second),
            Fault::oversized(9),
            Fault::merge(json!({"id": "dep_other"})),
            Fault::drop_item("dep_1"),
            Fault::cursor_loop(),
            Fault::new(Action::Stale).id("dep_1"),
            Fault::sequence([Action::ResetBefore, Action::Ok]).chance(0.5, 7),
            Fault::connection(ConnectionFault::Bandwidth(100)),
        ] {
            let text = serde_json::to_string(&fault)?;
            assert_eq!(serde_json::from_str::<Fault>(&text)?, fault, "{text}");
        }
        Ok(())
    }

    #[test]
    fn a_part_of_a_body_may_lack_keys_and_nothing_else() {
        let whole = json!({"a": {"b": 1, "c": [1, 2]}, "d": null});
        for (part, expected) in [
            (json!({}), true),
            (json!({"a": {"b": 1}}), true),
            (json!({"d": null}), true),
            (json!({"a": {"c": [1]}}), false),
            (json!({"e": null}), false),
            (json!([]), false),
        ] {
            assert_eq!(is_part_of(&part, &whole), expected, "{part}");
        }
    }
}
