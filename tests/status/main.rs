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
mod messages;
mod page;
mod recorded;
mod schema;

use std::{collections::HashSet, sync::Arc};

use inputs::{readys, remotes};
use k8s_openapi::jiff::Timestamp;
use qoder_operator::{
    api::{
        Condition, ConditionStatus, LastReached, NEVER_OBSERVED, QoderDeployment,
        QoderDeploymentStatus, Reason, Wish,
    },
    qoder::{Deployment, PausedReason, RemoteStatus, Schedule},
    reconcile::{
        settle::{Kind, Ready},
        status::{Contents, render},
    },
    resources::{Memory, Resource, mirror::last_known},
};
use serde_json::json;
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
        last_reached: Some(LastReached { desired: Wish::Active, generation: 2 }),
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

/// What a status has room for.
fn cut(remote: Deployment) -> Deployment {
    let to = |most: usize| {
        move |text: Box<str>| text.chars().take(most).collect::<String>().into_boxed_str()
    };
    Deployment {
        status: RemoteStatus::from(&*to(256)(remote.status.as_str().into())),
        paused_reason: remote.paused_reason.map(|reason| {
            let PausedReason { kind, error } = *reason;
            Box::new(PausedReason { kind: to(256)(kind), error: error.map(to(256)) })
        }),
        name: remote.name.map(to(320)),
        schedule: remote.schedule.map(|schedule| {
            let Schedule { expression, timezone } = Schedule::clone(&schedule);
            let (expression, timezone) = (to(256)(expression), timezone.map(to(256)));
            Arc::new(Schedule { expression, timezone })
        }),
        ..remote
    }
}

#[tokio::test]
async fn a_restart_has_nothing_to_publish() {
    for remote in remotes().await {
        for ready in readys() {
            let status = publish(&nothing(), ready, remote.as_ref(), time(1));
            let known = last_known(&status);
            assert_eq!(known, remote.clone().map(cut), "what the status says of the remote");
            assert_eq!(publish(&status, ready, known.as_ref(), time(2)), status);
            assert_eq!(publish(&status, ready, remote.as_ref(), time(2)), status, "the first look");
        }
    }
}
