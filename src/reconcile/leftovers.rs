//! What an apply cannot take away from a status: fields that another manager owns, and that we leave out. Pure.

use serde_json::{Map, Value, json};

use crate::api::{ConditionType, QoderDeploymentStatus};

/// The merge patch that makes the status that stands what was said; `None`: it is that already. Conditions of other
/// controllers stay.
#[must_use]
pub fn leftovers(stands: &QoderDeploymentStatus, said: &QoderDeploymentStatus) -> Option<Value> {
    // A status is plain data: it can always be written.
    let plain = |status: &QoderDeploymentStatus| serde_json::to_value(status).unwrap_or_default();
    let mut patch = absent(&plain(stands), &plain(said));
    let is_left = |kind: &str| {
        ConditionType::is_ours(kind) && said.conditions.iter().all(|ours| ours.kind != kind)
    };
    if stands.conditions.iter().any(|condition| is_left(&condition.kind)) {
        let kept: Vec<_> =
            stands.conditions.iter().filter(|condition| !is_left(&condition.kind)).collect();
        patch.insert("conditions".to_owned(), json!(kept));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// A null for each field that is there and should not be.
fn absent(stands: &Value, said: &Value) -> Map<String, Value> {
    let mut patch = Map::new();
    for (name, value) in stands.as_object().into_iter().flatten() {
        match said.get(name) {
            None => {
                patch.insert(name.clone(), Value::Null);
            }
            Some(said) => {
                let below = absent(value, said);
                if !below.is_empty() {
                    patch.insert(name.clone(), Value::Object(below));
                }
            }
        }
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(value: Value) -> QoderDeploymentStatus {
        serde_json::from_value(value).unwrap()
    }

    fn condition(kind: &str) -> Value {
        json!({
            "type": kind, "status": "True", "reason": "Because", "message": "",
            "lastTransitionTime": "2026-07-01T02:00:00Z",
        })
    }

    #[test]
    fn what_we_do_not_say_goes_and_what_others_say_stays() {
        let said = status(json!({
            "observedGeneration": 1, "status": "paused", "pausedReason": { "type": "manual" },
            "conditions": [condition("Ready"), condition("Paused")],
        }));
        assert_eq!(leftovers(&said, &said), None);

        let mut foreign = said.clone();
        foreign
            .conditions
            .push(status(json!({ "conditions": [condition("Audited")] })).conditions.remove(0));
        assert_eq!(leftovers(&foreign, &said), None, "not ours to say");

        let stands = status(json!({
            "observedGeneration": 1, "status": "paused", "archivedTime": "2026-01-01T00:00:00Z",
            "pausedReason": { "type": "manual", "error": { "type": "unknown_error" } },
            "conditions": [condition("Stalled"), condition("Ready"), condition("Audited"), condition("Paused")],
        }));
        let patch = leftovers(&stands, &said).unwrap();
        let kinds: Vec<_> =
            patch["conditions"].as_array().unwrap().iter().map(|one| &one["type"]).collect();
        assert_eq!(kinds, ["Ready", "Audited", "Paused"]);
        assert_eq!(patch["archivedTime"], Value::Null);
        assert_eq!(patch["pausedReason"], json!({ "error": null }));
        assert_eq!(patch.as_object().unwrap().len(), 3);
    }
}
