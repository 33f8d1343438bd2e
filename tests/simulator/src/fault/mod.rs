//! Faults to inject: what goes wrong, with which request, and how often.

mod action;
mod build;
mod waiting;

use serde::{Deserialize, Serialize};

pub use action::{Action, Respond};
pub(crate) use waiting::Faults;

use crate::route::{Operation, Route};

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

impl Fault {
    /// Refuses what cannot happen.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let possible = self.action.operations();
        if let Some(operation) = self.operation
            && !(possible.is_empty() || possible.contains(&operation))
        {
            let names: Vec<_> = possible.iter().map(|operation| operation.name()).collect();
            return Err(format!(
                "this cannot go wrong with {}, only with {}",
                operation.name(),
                names.join(", ")
            ));
        }
        self.action.check()
    }

    /// Whether a request is one that this goes wrong with.
    pub(crate) fn matches(&self, route: &Route) -> bool {
        let possible = self.action.operations();
        (possible.is_empty() || possible.contains(&route.operation))
            && self.operation.is_none_or(|operation| operation == route.operation)
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
