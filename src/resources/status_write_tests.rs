use serde_json::json;

use super::*;
use crate::{
    api::{DeploymentId, QoderDeployment},
    resources::{
        Source,
        resources::tests::{Bed, object},
        rooms::STATUSES_AT_ONCE,
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn held(bed: &Bed, name: &str) -> Arc<Resource> {
    let bound = bed.resources.index().bound(&DeploymentId::try_from("dep_1").unwrap());
    bound.into_iter().find(|held| *held.key.name == *name).unwrap()
}

fn begin(bed: &Bed, of: &Arc<Resource>, digest: u64) -> Result<StatusWrite, NotNow> {
    StatusWrite::begin(&bed.resources, of, digest, Lane::Report)
}

fn refusal(begun: Result<StatusWrite, NotNow>) -> Option<NotNow> {
    begun.err()
}

#[tokio::test(start_paused = true)]
async fn one_status_of_a_resource_is_sent_at_a_time() {
    let bed = Bed::new();
    bed.resources.take_in(&object("a", "u", 1, "dep_1"), Source::Watch);
    let copy = held(&bed, "a");
    let write = begin(&bed, &copy, 1).unwrap();
    assert!(held(&bed, "a").is_sending());
    assert_eq!(refusal(begin(&bed, &copy, 2)), Some(NotNow::OneIsOnItsWay));
    bed.resources.take_in(&object("a", "u", 2, "dep_1"), Source::Watch);
    assert!(held(&bed, "a").is_sending(), "a watch ends none");

    write.failed(SECOND);
    let sent = held(&bed, "a").sent.clone().unwrap();
    assert_eq!(sent.failures(), 1);
    assert_eq!(sent.tried_again_at(1, 9 * SECOND), Some(Instant::now() + SECOND));
    bed.resources.stands(&held(&bed, "a"));
    assert_eq!(held(&bed, "a").sent.as_ref().unwrap().failures(), 0, "the row is over");

    begin(&bed, &copy, 3).unwrap().ended();
    assert_eq!(held(&bed, "a").sent, None, "nothing that was sent may come any more");

    bed.resources.take_in(&object("a", "v", 3, "dep_1"), Source::Watch);
    assert_eq!(refusal(begin(&bed, &copy, 4)), Some(NotNow::Gone), "another object");
}

#[tokio::test(start_paused = true)]
async fn a_status_whose_task_breaks_has_failed() {
    let bed = Bed::new();
    bed.resources.take_in(&object("a", "u", 1, "dep_1"), Source::Watch);
    drop(begin(&bed, &held(&bed, "a"), 1).unwrap());
    let sent = held(&bed, "a").sent.clone().unwrap();
    assert_eq!(sent.tried_again_at(1, 9 * SECOND), Some(Instant::now() + AFTER_A_PANIC));
    assert!(!held(&bed, "a").is_sending());
}

/// Its answer may be lost, and another one be on its way by then: the end of the one is not that of the other.
#[tokio::test(start_paused = true)]
async fn a_status_whose_echo_has_come_is_not_waited_for() {
    let bed = Bed::new();
    bed.resources.take_in(&object("a", "u", 1, "dep_1"), Source::Watch);
    let mut echo: QoderDeployment = object("a", "u", 2, "dep_1");
    let status = json!({ "observedGeneration": 1, "lastHandledResumeRequest": "z" });
    echo.status = serde_json::from_value(status).unwrap();
    let digest = echo.status.as_ref().unwrap().digest();
    for has_failed in [true, false] {
        let first = begin(&bed, &held(&bed, "a"), digest).unwrap();
        bed.resources.take_in(&echo, Source::Watch);
        assert!(!held(&bed, "a").is_sending());
        let second = begin(&bed, &held(&bed, "a"), 7).unwrap();
        if has_failed {
            first.failed(SECOND);
        } else {
            first.ended();
        }
        assert!(held(&bed, "a").is_sending());
        second.ended();
        let mut other = object("a", "u", 3, "dep_1");
        other.status = None;
        bed.resources.take_in(&other, Source::Watch);
        echo.metadata.resource_version = Some("4".to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn few_statuses_of_a_namespace_are_on_their_way_at_once() {
    let bed = Bed::new();
    let mut writes = Vec::new();
    for n in 0..=STATUSES_AT_ONCE {
        let name = format!("n{n}");
        bed.resources.take_in(&object(&name, &format!("u{n}"), 1, "dep_1"), Source::Watch);
        match begin(&bed, &held(&bed, &name), 1) {
            Ok(write) => writes.push(write),
            Err(why) => assert_eq!((n, why), (STATUSES_AT_ONCE, NotNow::Crowded)),
        }
    }
    assert_eq!(writes.len(), STATUSES_AT_ONCE);
    let last = held(&bed, &format!("n{STATUSES_AT_ONCE}"));
    // Also of one that is gone: its call is under way until it ends.
    let gone = held(&bed, "n0");
    bed.resources.delete(&gone.key, &gone.uid);
    assert_eq!(refusal(begin(&bed, &last, 1)), Some(NotNow::Crowded));
    drop(writes.remove(0));
    assert!(begin(&bed, &last, 1).is_ok());
}

#[tokio::test(start_paused = true)]
async fn whose_turn_has_come_is_woken_and_if_it_is_gone_by_then_the_next_one() {
    let bed = Bed::new();
    let held = |n: usize| {
        let name = format!("n{n}");
        let id = format!("dep_{n}");
        bed.resources.take_in(&object(&name, &format!("u{n}"), 1, &id), Source::Watch);
        let id = DeploymentId::try_from(id.as_str()).unwrap();
        bed.resources.index().bound(&id).remove(0)
    };
    let all: Vec<_> = (0..STATUSES_AT_ONCE + 3).map(held).collect();
    let mut writes: Vec<_> = all.iter().filter_map(|one| begin(&bed, one, 1).ok()).collect();
    assert_eq!(writes.len(), STATUSES_AT_ONCE);
    bed.woken();
    let turn = |n: usize| (format!("dep_{}", STATUSES_AT_ONCE + n), Lane::Drift);
    bed.resources.wake_next_statuses();
    assert_eq!(bed.woken(), [], "there is no room");
    drop(writes.pop());
    bed.resources.wake_next_statuses();
    assert_eq!(bed.woken(), [turn(0)]);
    let gone = &all[STATUSES_AT_ONCE];
    bed.resources.delete(&gone.key, &gone.uid);
    assert!(bed.woken().contains(&turn(1)));
}
