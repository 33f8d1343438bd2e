//! What kubectl, Flux and Helm say of a resource, as functions: no story needs those programs.

use kube::Resource;
use qoder_operator::api::{Condition, QoderDeployment};

/// The verdict of kstatus, which Flux and Helm 4 follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kstatus {
    /// Being deleted.
    Terminating,
    /// Not there yet: they wait.
    InProgress,
    /// As wished.
    Current,
    /// They stop waiting and report a failure.
    Failed,
}

/// kstatus of a custom resource: the first rule that fits wins, conditions in their order.
#[must_use]
pub fn kstatus(object: &QoderDeployment) -> Kstatus {
    if object.meta().deletion_timestamp.is_some() {
        return Kstatus::Terminating;
    }
    let Some(status) = &object.status else {
        return Kstatus::Current;
    };
    if object.meta().generation.is_some_and(|generation| generation != status.observed_generation) {
        return Kstatus::InProgress;
    }
    let early = status.conditions.iter().filter(|condition| condition.status == "True");
    let early = early.filter_map(|condition| match condition.kind.as_str() {
        "Reconciling" => Some(Kstatus::InProgress),
        "Stalled" => Some(Kstatus::Failed),
        _ => None,
    });
    early.into_iter().next().unwrap_or(match ready(object) {
        Some(ready) if ready.status != "True" => Kstatus::InProgress,
        _ => Kstatus::Current,
    })
}

/// Whether `kubectl wait --for=condition=Ready` would end: Ready is True, and it is not an answer
/// to an older generation.
#[must_use]
pub fn is_ready(object: &QoderDeployment) -> bool {
    let generation = object.meta().generation.unwrap_or_default();
    ready(object)
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation >= generation)
}

/// The condition Ready, if there is one.
#[must_use]
pub fn ready(object: &QoderDeployment) -> Option<&Condition> {
    object.status.as_ref()?.conditions.iter().find(|condition| condition.kind == "Ready")
}

#[cfg(test)]
mod tests {
    use std::slice;

    use serde_json::{Value, json};

    use super::*;
    use crate::Result;

    /// A condition with an observed generation of its own.
    fn condition(kind: &str, status: &str, generation: i64) -> Value {
        json!({
            "type": kind, "status": status, "observedGeneration": generation,
            "lastTransitionTime": "2026-06-14T08:58:01Z", "reason": "Test", "message": "",
        })
    }

    fn object(status: Option<Value>) -> Result<QoderDeployment> {
        let mut object = json!({
            "apiVersion": "cloud.qoder.com/v1alpha1",
            "kind": "QoderDeployment",
            "metadata": {"name": "a", "generation": 2},
            "spec": {"deploymentID": "dep_1"},
        });
        if let (Some(status), Some(fields)) = (status, object.as_object_mut()) {
            fields.insert("status".to_owned(), status);
        }
        Ok(serde_json::from_value(object)?)
    }

    /// The vectors that Flux, Helm and kubectl agree on for an object of generation 2.
    #[test]
    fn the_ten_vectors() -> Result<()> {
        use Kstatus::{Current, Failed, InProgress};
        let with = |generation: i64, conditions: &[Value]| {
            Some(json!({"observedGeneration": generation, "conditions": conditions}))
        };
        let [yes, no, unknown] =
            ["True", "False", "Unknown"].map(|status| condition("Ready", status, 2));
        let [reconciling, stalled] =
            ["Reconciling", "Stalled"].map(|kind| condition(kind, "True", 2));
        let vectors = [
            ("1 no status", None, Current, false),
            ("2 the schema's default", Some(json!({"observedGeneration": -1})), InProgress, false),
            ("3 no conditions", with(2, &[]), Current, false),
            ("4 Ready Unknown", with(2, &[unknown]), InProgress, false),
            ("4 Ready False", with(2, slice::from_ref(&no)), InProgress, false),
            ("5 Ready", with(2, &[yes]), Current, true),
            ("6 Stalled", with(2, &[stalled.clone(), no.clone()]), Failed, false),
            (
                "7 Reconciling first",
                with(2, &[reconciling.clone(), stalled.clone(), no.clone()]),
                InProgress,
                false,
            ),
            ("7 Stalled first", with(2, &[stalled, reconciling, no]), Failed, false),
            ("8 an older generation", with(1, &[condition("Ready", "True", 1)]), InProgress, false),
            ("9 an older condition", with(2, &[condition("Ready", "True", 1)]), Current, false),
            ("10 restored", with(3, &[condition("Ready", "True", 3)]), InProgress, true),
        ];
        for (vector, status, expected, waits_no_more) in vectors {
            let object = object(status)?;
            assert_eq!(kstatus(&object), expected, "{vector}");
            assert_eq!(is_ready(&object), waits_no_more, "{vector}");
        }
        Ok(())
    }

    #[test]
    fn a_deletion_comes_before_everything() -> Result<()> {
        let mut object = object(Some(json!({"observedGeneration": 1})))?;
        object.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-06-14T08:58:01Z"))?);
        assert_eq!(kstatus(&object), Kstatus::Terminating);
        Ok(())
    }
}
