//! Every status that can be published, over every settlement, every remote and what stood before:
//! the conventions of conditions and of kstatus, transition times, messages, and the CRD's bounds.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the impossible should stop there"
)]

mod inputs;
#[path = "../knowledge/mod.rs"]
mod knowledge;

use std::collections::{BTreeSet, HashSet};

use inputs::{REMOTE_TEXT, readys, remotes};
use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        JSONSchemaProps, JSONSchemaPropsOrArray,
    },
    jiff::Timestamp,
};
use qoder_operator::{
    api::{
        Condition, ConditionStatus, ConditionType, LastReached, NEVER_OBSERVED, QoderDeployment,
        QoderDeploymentStatus, Reason, Wish, crd,
    },
    qoder::Deployment,
    reconcile::{
        settle::{Kind, Ready},
        snapshot::Hindrance,
        status::{Contents, render},
    },
    remote::Obstacle,
    resources::{Memory, Resource, mirror::last_known},
};
use serde_json::{Value, json};
use testbed::{Kstatus, kstatus};
use tokio::time::Instant;

const ID: &str = "dep_1";
/// The generation at hand.
const GENERATION: i64 = 3;

fn time(hour: u8) -> Timestamp {
    format!("2026-07-01T{hour:02}:00:00Z").parse().unwrap()
}

/// The object as the API server has it: with a status that went there and back.
fn object(status: &QoderDeploymentStatus) -> QoderDeployment {
    let object = json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": { "namespace": "ns", "name": "a", "uid": "u", "generation": GENERATION },
        "spec": { "deploymentID": ID, "paused": true },
        "status": status,
    });
    serde_json::from_value(object).unwrap()
}

fn resource(object: &QoderDeployment) -> Resource {
    Resource::new(object, Instant::now()).unwrap()
}

/// A memory with everything in it, as long as it may be.
fn memory() -> Memory {
    Memory {
        has_status: true,
        last_reached: Some(LastReached { wish: Wish::Active, generation: 2 }),
        resume_handled: Some("é".repeat(64).into()),
        reconcile_handled: Some("é".repeat(64).into()),
    }
}

/// What stands before anything was published.
fn nothing() -> QoderDeploymentStatus {
    QoderDeploymentStatus { observed_generation: NEVER_OBSERVED, ..Default::default() }
}

/// Publishes over what stands.
fn publish(
    before: &QoderDeploymentStatus,
    ready: Ready,
    remote: Option<&Deployment>,
    now: Timestamp,
) -> QoderDeploymentStatus {
    render(&resource(&object(before)), &memory(), contents(ready, remote, now))
}

fn contents(ready: Ready, last_known: Option<&Deployment>, now: Timestamp) -> Contents<'_> {
    Contents { ready, last_known, owner: Some("older"), hindrance: None, now }
}

#[test]
fn every_reason_of_ready_is_reached() {
    let reached: HashSet<_> = readys().iter().map(|ready| ready.reason).collect();
    let of_paused = [Reason::PausedManually, Reason::Running, Reason::NotObserved];
    let all = Reason::ALL.iter().copied().filter(|reason| !of_paused.contains(reason));
    assert_eq!(reached, all.collect());
}

/// What may stand: nothing, or a status of the generation before, one for each set of conditions.
fn before(readys: &[Ready], remotes: &[Option<Deployment>]) -> Vec<QoderDeploymentStatus> {
    let mut before = vec![nothing()];
    let mut seen = HashSet::new();
    for remote in remotes {
        for ready in readys {
            let mut stood = publish(&nothing(), *ready, remote.as_ref(), time(1));
            stood.observed_generation = GENERATION - 1;
            let conditions = stood.conditions.iter();
            let statuses = conditions.map(|one| (one.kind.clone(), one.status.clone()));
            if seen.insert(statuses.collect::<Vec<_>>()) {
                before.push(stood);
            }
        }
    }
    before
}

#[tokio::test]
async fn every_status_over_every_other_keeps_the_conventions() {
    let (readys, remotes) = (readys(), remotes().await);
    let before = before(&readys, &remotes);
    assert_eq!(before.len(), 1 + 4 * 3, "nothing, or each way of Ready with each of Paused");
    for stood in &before {
        for remote in &remotes {
            for ready in &readys {
                let status = publish(stood, *ready, remote.as_ref(), time(2));
                check_conditions(&status, *ready);
                check_times(stood, &status);

                let published = object(&status);
                assert_eq!(published.status.as_ref(), Some(&status), "there and back");
                let again = publish(&status, *ready, remote.as_ref(), time(3));
                assert_eq!(again, status, "nothing new");
                assert_eq!(again.digest(), resource(&published).published.digest);
            }
        }
    }
}

fn check_conditions(status: &QoderDeploymentStatus, ready: Ready) {
    assert_eq!(status.observed_generation, GENERATION);
    assert!(status.conditions.iter().all(|one| one.observed_generation == GENERATION));

    let kinds: &[_] = match ready.kind {
        Kind::Done => &["Ready", "Paused"],
        Kind::Reconciling => &["Ready", "Reconciling", "Paused"],
        Kind::Stalled => &["Ready", "Stalled", "Paused"],
    };
    let is: Vec<_> = status.conditions.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(is, kinds, "always in this order: {ready:?}");

    let (paused, others) = status.conditions.split_last().unwrap();
    assert!(
        others
            .iter()
            .all(|one| one.reason == ready.reason.as_str() && one.message == others[0].message)
    );
    assert_eq!(others[0].status, ready.status.as_str());
    assert!(others.iter().skip(1).all(|one| one.status == "True"));
    let of_paused = match (status.status.as_deref(), status.paused_reason.as_ref()) {
        (Some("active"), _) => ("False", Reason::Running),
        (Some("paused"), Some(reason)) if reason.kind == "manual" => {
            ("True", Reason::PausedManually)
        }
        (Some("paused"), _) => ("True", Reason::PausedByPlatform),
        _ => ("Unknown", Reason::NotObserved),
    };
    assert_eq!(
        (paused.status.as_str(), paused.reason.as_str()),
        (of_paused.0, of_paused.1.as_str())
    );

    let expected = match (ready.status, ready.kind) {
        (ConditionStatus::True, Kind::Done) => Kstatus::Current,
        (ConditionStatus::False | ConditionStatus::Unknown, Kind::Reconciling) => {
            Kstatus::InProgress
        }
        (ConditionStatus::False, Kind::Stalled) => Kstatus::Failed,
        _ => panic!("no such pair: {ready:?}"),
    };
    assert_eq!(kstatus(&object(status)), expected, "{ready:?}");
}

fn check_times(before: &QoderDeploymentStatus, status: &QoderDeploymentStatus) {
    for now in &status.conditions {
        let same = |stood: &&Condition| stood.kind == now.kind && stood.status == now.status;
        let expected = match before.conditions.iter().find(same) {
            Some(stood) => stood.last_transition_time.0,
            None => time(2),
        };
        assert_eq!(now.last_transition_time.0, expected, "{now:?} after {before:?}");
    }
}

#[tokio::test]
async fn messages_name_the_deployment_and_repeat_nothing_of_the_remote() {
    for remote in remotes().await {
        for ready in readys() {
            let status = publish(&nothing(), ready, remote.as_ref(), time(1));
            for condition in &status.conditions {
                let message = &condition.message;
                assert!(!message.contains(REMOTE_TEXT) && !message.contains('é'), "{message}");
                assert!(!message.contains("://"), "no URL: {message}");
                if condition.kind != ConditionType::Paused.as_str() {
                    assert!(message.starts_with(&format!("{ID}: ")), "{message}");
                }
            }
        }
    }
}

#[tokio::test]
async fn only_errors_of_the_platform_that_are_known_are_named() {
    let readys = readys();
    let ready = readys.iter().find(|ready| ready.reason == Reason::PausedByPlatform).unwrap();
    let mut named = 0;
    for remote in remotes().await {
        let is_known = remote.as_ref().is_some_and(|remote| {
            let error = remote.paused_reason.as_ref().and_then(|reason| reason.error.as_deref());
            error == Some("agent_archived_error")
        });
        let status = publish(&nothing(), *ready, remote.as_ref(), time(1));
        let message = &status.conditions.first().unwrap().message;
        assert_eq!(message.contains("The error is agent_archived_error."), is_known, "{message}");
        named += u32::from(is_known);
    }
    assert_eq!(named, 1);
}

#[test]
fn the_owner_is_named_only_where_it_may_be_seen() {
    let readys = readys();
    let ready = readys.iter().find(|ready| ready.reason == Reason::DuplicateOwner).unwrap();
    for (owner, says) in [(Some("older"), "It is older in"), (None, "It is in another namespace.")]
    {
        let resource = resource(&object(&nothing()));
        let contents = Contents { owner, ..contents(*ready, None, time(1)) };
        let status = render(&resource, &memory(), contents);
        let message = &status.conditions.first().unwrap().message;
        assert!(message.contains(says), "{message}");
    }
}

/// The words of each hindrance, and of no other.
const HINDRANCES: [(Hindrance, &str); 3] = [
    (Hindrance::Obstacle(Obstacle::Throttled), "has asked to wait (429 or Retry-After)"),
    (Hindrance::Obstacle(Obstacle::Outage), "has not answered several times in a row"),
    (Hindrance::NotTheApi, "Something between the operator and the Qoder API answered"),
];

#[test]
fn what_a_resource_waits_for_is_named_where_it_waits_and_nowhere_else() {
    let waits = [Reason::Progressing, Reason::PausePending, Reason::ResumePending];
    let resource = resource(&object(&nothing()));
    let mut named = BTreeSet::new();
    for ready in readys() {
        let message = |hindrance| {
            let contents = Contents { hindrance, ..contents(ready, None, time(1)) };
            let status = render(&resource, &memory(), contents);
            let of_paused = status.conditions.last().unwrap().message.clone();
            assert!(HINDRANCES.iter().all(|(_, words)| !of_paused.contains(words)), "{of_paused}");
            status.conditions.first().unwrap().message.clone()
        };
        let plain = message(None);
        for (hindrance, words) in HINDRANCES {
            let told = message(Some(hindrance));
            assert!(!plain.contains(words), "{plain}");
            assert_eq!(told.contains(words), waits.contains(&ready.reason), "{told}");
            if waits.contains(&ready.reason) {
                named.insert(ready.reason.as_str());
            } else {
                assert_eq!(told, plain);
            }
        }
    }
    assert_eq!(named, waits.map(Reason::as_str).into(), "each of them was tried");
}

#[tokio::test]
async fn a_restart_has_nothing_to_publish() {
    for remote in remotes().await {
        for ready in readys() {
            let status = publish(&nothing(), ready, remote.as_ref(), time(1));
            let known = last_known(&status);
            let again = publish(&nothing(), ready, known.as_ref(), time(1));
            assert_eq!(again, status, "what the status says of the remote");
            assert_eq!(publish(&status, ready, known.as_ref(), time(2)), status);
        }
    }
}

#[tokio::test]
async fn every_status_fits_the_schema_of_the_crd() {
    let crd = crd().unwrap();
    let [version] = crd.spec.versions.as_slice() else { panic!("one version") };
    let whole = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let schema = whole.properties.as_ref().unwrap().get("status").unwrap();
    let mut longest = BTreeSet::new();
    for remote in remotes().await {
        for ready in readys() {
            let status = publish(&nothing(), ready, remote.as_ref(), time(1));
            fits("status", &serde_json::to_value(&status).unwrap(), schema, &mut longest);
        }
    }
    let cut = [
        "status.lastHandledReconcileRequest",
        "status.lastHandledResumeRequest",
        "status.name",
        "status.pausedReason.error.type",
        "status.pausedReason.type",
        "status.schedule.expression",
        "status.schedule.timezone",
        "status.status",
    ];
    assert_eq!(longest, cut.map(str::to_owned).into(), "the longest texts were tried");
}

/// Checks a value against a schema: nothing unknown, nothing missing, nothing out of bounds.
/// Collects the paths of the strings that are as long as they may be.
fn fits(path: &str, value: &Value, schema: &JSONSchemaProps, longest: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let properties = schema.properties.as_ref().unwrap();
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                let schema = properties.get(name).unwrap_or_else(|| panic!("{path}: unknown"));
                fits(&path, value, schema, longest);
            }
            for name in schema.required.iter().flatten() {
                assert!(fields.contains_key(name), "{path}.{name}: missing");
            }
        }
        Value::Array(items) => {
            let Some(JSONSchemaPropsOrArray::Schema(schema_of_one)) = &schema.items else {
                panic!("{path}: no schema of items")
            };
            assert!(i64::try_from(items.len()).unwrap() <= schema.max_items.unwrap(), "{path}");
            for item in items {
                fits(path, item, schema_of_one, longest);
            }
        }
        Value::String(text) => {
            if let Some(values) = &schema.enum_ {
                assert!(values.iter().any(|allowed| allowed.0 == *value), "{path}: {text}");
                return;
            }
            let length = i64::try_from(text.chars().count()).unwrap();
            let most = schema.max_length.unwrap();
            assert!((schema.min_length.unwrap_or(0)..=most).contains(&length), "{path}: {length}");
            if length == most {
                longest.insert(path.to_owned());
            }
        }
        Value::Number(number) => {
            assert!(number.as_f64().unwrap() >= schema.minimum.unwrap(), "{path}: {number}");
        }
        Value::Null | Value::Bool(_) => panic!("{path}: {value} has no place in a status"),
    }
}
