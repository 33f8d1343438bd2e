use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::{
    api::{
        Condition, ConditionStatus, LastReached, NEVER_OBSERVED, QoderDeploymentSpec,
        QoderDeploymentStatus,
    },
    resources::Transition,
};

const SECOND: Duration = Duration::from_secs(1);

/// A resource that asks for a pause and has no status yet.
fn object() -> QoderDeployment {
    let spec = QoderDeploymentSpec {
        deployment_id: "dep_1".into(),
        paused: Some(true),
        drift_policy: None,
    };
    let mut object = QoderDeployment::new("a", spec);
    object.metadata.namespace = Some("ns".into());
    object.metadata.uid = Some("u".into());
    object.metadata.generation = Some(1);
    object.metadata.resource_version = Some("7".into());
    object.status = Some(QoderDeploymentStatus {
        observed_generation: NEVER_OBSERVED,
        ..QoderDeploymentStatus::default()
    });
    object
}

/// The same, as the core needs it, first seen `now`. For the tests of the other modules, too.
pub(crate) fn resource(now: Instant) -> Resource {
    Resource::new(&object(), now).unwrap()
}

fn annotated(name: &str, value: &str) -> QoderDeployment {
    let mut object = object();
    object.annotations_mut().insert(name.to_owned(), value.to_owned());
    object
}

/// A status with a condition, and with this memory.
fn status(handled: Option<&str>) -> QoderDeploymentStatus {
    QoderDeploymentStatus {
        observed_generation: 1,
        last_reached: Some(LastReached { desired: Wish::Paused, generation: 1 }),
        last_handled_resume_request: handled.map(str::to_owned),
        conditions: vec![Condition {
            kind: "Ready".into(),
            status: "True".into(),
            observed_generation: 1,
            last_transition_time: Timestamp::UNIX_EPOCH.into(),
            reason: "InSync".into(),
            message: String::new(),
        }],
        ..QoderDeploymentStatus::default()
    }
}

#[test]
fn what_did_not_change_was_first_seen_when_it_was_first_seen() {
    let start = Instant::now();
    let name = annotation::RESUME_REQUESTED_AT;
    let older = Resource::new(&annotated(name, "once"), start).unwrap();
    let seen = |request: Option<&Request>| request.unwrap().seen;

    let mut object = annotated(name, "twice");
    let newer = Resource::new(&object, start + SECOND).unwrap().after(&older);
    assert_eq!(newer.generation_seen, start, "the same generation");
    assert_eq!(seen(newer.resume_request.as_deref()), start + SECOND, "another value");

    object.metadata.generation = Some(2);
    let newest = Resource::new(&object, start + 2 * SECOND).unwrap().after(&newer);
    assert_eq!(newest.generation_seen, start + 2 * SECOND, "another generation");
    assert_eq!(seen(newest.resume_request.as_deref()), start + SECOND, "the same value");
}

#[test]
fn the_memory_held_goes_beyond_a_status_that_did_not_change() {
    let now = Instant::now();
    let mut object = object();
    object.status = Some(status(None));
    let mut held = Resource::new(&object, now).unwrap();
    held.memory.resume_handled = Some("ahead".into());

    object.metadata.generation = Some(2);
    let unpublished = Resource::new(&object, now).unwrap().after(&held);
    assert_eq!(unpublished.memory, held.memory);

    object.status = Some(status(Some("of another writer")));
    let foreign = Resource::new(&object, now).unwrap().after(&held);
    assert_eq!(foreign.memory.resume_handled.as_deref(), Some("of another writer"));
    assert_eq!(foreign.published, Published::new(&status(Some("of another writer"))));
}

#[test]
fn a_status_that_was_taken_away_is_no_memory() {
    let now = Instant::now();
    let mut object = object();
    object.status = Some(status(Some("x")));
    let held = Resource::new(&object, now).unwrap();
    for gone in [None, Some(QoderDeploymentStatus::default()), super::tests::object().status] {
        object.status = gone;
        let copy = Resource::new(&object, now).unwrap().after(&held);
        assert_eq!(copy.memory, Memory::default());
    }
}

#[test]
fn the_transition_times_of_a_copy_count_although_its_digest_is_the_same() {
    let mut object = object();
    object.status = Some(status(None));
    let held = Resource::new(&object, Instant::now()).unwrap();
    let moved: Timestamp = "2026-07-01T02:00:00Z".parse().unwrap();
    object.status.as_mut().unwrap().conditions[0].last_transition_time = moved.into();
    let copy = Resource::new(&object, Instant::now()).unwrap().after(&held);
    assert_eq!(
        copy.published.transitions.iter().next(),
        Some(Some(Transition::new(ConditionStatus::True, moved)))
    );
    assert!(!copy.is_same_work(&held));
}

#[test]
fn only_what_a_reconcile_would_see_is_work() {
    let now = Instant::now();
    let held = resource(now);
    assert!(resource(now + SECOND).after(&held).is_same_work(&held));
    let changes: [fn(&mut Resource); 6] = [
        |copy| copy.uid = "v".into(),
        |copy| copy.generation = 2,
        |copy| copy.deleting = true,
        |copy| copy.disabled = true,
        |copy| {
            copy.resume_request =
                Some(Box::new(Request { value: "now".into(), seen: Instant::now() }));
        },
        |copy| copy.memory.has_status = true,
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let mut copy = held.clone();
        change(&mut copy);
        assert!(!copy.is_same_work(&held), "change {place}");
    }
}

#[test]
fn annotation_values_are_cut_at_64_characters() {
    let long = "é".repeat(MAX_TOKEN);
    for (value, kept) in [("now", "now"), (&long, &long), (&format!("{long}é"), &long)] {
        let at = |name| Resource::new(&annotated(name, value), Instant::now()).unwrap();
        let resume = at(annotation::RESUME_REQUESTED_AT).resume_request.unwrap().value;
        let reconcile = at(annotation::RECONCILE_REQUESTED_AT).reconcile_request.unwrap().value;
        assert_eq!(&*resume, kept);
        assert_eq!(&*reconcile, kept);
    }
}

#[test]
fn the_annotation_reconcile_fails_safe() {
    for (value, disabled, is_unknown) in [
        ("enabled", false, false),
        ("disabled", true, false),
        ("disabled ", true, true),
        ("Disabled", true, true),
        ("false", true, true),
        ("", true, true),
    ] {
        let resource =
            Resource::new(&annotated(annotation::RECONCILE, value), Instant::now()).unwrap();
        assert_eq!(
            (resource.disabled, resource.has_unknown_switch),
            (disabled, is_unknown),
            "{value:?}"
        );
    }
}

#[test]
fn before_the_first_status_nothing_asks_for_a_resume() {
    let now = Instant::now();
    let mut object = annotated(annotation::RESUME_REQUESTED_AT, "once");
    assert_eq!(Resource::new(&object, now).unwrap().resume_requested(), None);
    for (handled, asks) in [(None, true), (Some("before"), true), (Some("once"), false)] {
        object.status = Some(status(handled));
        let resource = Resource::new(&object, now).unwrap();
        assert_eq!(resource.resume_requested().is_some(), asks, "{handled:?}");
    }
}

fn with_status(status: QoderDeploymentStatus) -> Resource {
    let mut object = object();
    object.status = Some(status);
    Resource::new(&object, Instant::now()).unwrap()
}

#[test]
fn a_late_echo_of_our_own_status_does_not_replace_the_memory_and_anothers_does() {
    let ours = status(Some("sent by us, and answered by nobody"));
    let mut held = with_status(status(None));
    held.memory.resume_handled = Some("ahead".into());
    held.sent.get_or_insert_default().begin(ours.digest());

    let echo = with_status(ours.clone()).after(&held);
    assert_eq!(echo.memory, held.memory, "it is older than what is remembered");
    assert_eq!(echo.published, Published::new(&ours), "but it is what stands");
    assert_eq!(echo.sent, held.sent, "and others may still come");

    let foreign = with_status(status(Some("of another writer"))).after(&held);
    assert_eq!(foreign.memory.resume_handled.as_deref(), Some("of another writer"));
    held.sent = None;
    let unknown = with_status(ours).after(&held);
    assert_ne!(unknown.memory, held.memory, "nobody here has sent it");
}

#[test]
fn what_is_held_of_a_resource_is_small() {
    assert!(size_of::<Resource>() <= 296, "{}", size_of::<Resource>());
}
