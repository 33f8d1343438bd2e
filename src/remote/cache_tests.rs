use std::time::Duration;

use super::*;
use crate::{fleet::PausedBy, qoder::RemoteStatus};

const TIMES: Times =
    Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };

fn id() -> DeploymentId {
    DeploymentId::try_from("dep_1").unwrap()
}

fn deployment(status: RemoteStatus) -> Deployment {
    Deployment {
        status,
        paused_reason: None,
        archived: false,
        archived_time: None,
        name: None,
        schedule: None,
    }
}

fn read(answer: Answer, started: Instant) -> Observed {
    Observed { answer, started, valid_from: started }
}

fn cache() -> (Cache, Instant) {
    let mut cache = Cache::default();
    cache.bind(&id(), None);
    (cache, Instant::now())
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn only_news_wakes_anyone() {
    let (mut cache, start) = cache();
    let active = || Some(deployment(RemoteStatus::Active));
    assert!(cache.observe(&id(), active(), read(Answer::Active, start)), "the first look");
    assert!(!cache.observe(&id(), active(), read(Answer::Active, start + SECOND)), "nothing new");
    let paused = read(Answer::Paused(PausedBy::Hand), start + 2 * SECOND);
    assert!(cache.observe(&id(), Some(deployment(RemoteStatus::Paused)), paused), "it differs");
}

#[test]
fn a_demand_is_answered_only_by_a_read_that_started_after_it() {
    let (mut cache, start) = cache();
    cache.observe(&id(), Some(deployment(RemoteStatus::Active)), read(Answer::Active, start));
    cache.demand(&id(), start + 2 * SECOND);
    let early = read(Answer::Active, start + SECOND);
    assert!(!cache.observe(&id(), Some(deployment(RemoteStatus::Active)), early));
    assert_eq!(cache.demands(), [(id(), Place::Active)]);
    let late = read(Answer::Active, start + 2 * SECOND);
    assert!(cache.observe(&id(), Some(deployment(RemoteStatus::Active)), late));
    assert_eq!(cache.demands(), []);
}

#[test]
fn a_read_that_started_before_the_end_of_a_write_does_not_replace_its_answer() {
    let (mut cache, start) = cache();
    let wrote = Observed {
        answer: Answer::Paused(PausedBy::Hand),
        started: start + SECOND,
        valid_from: start + 3 * SECOND,
    };
    cache.observe(&id(), Some(deployment(RemoteStatus::Paused)), wrote);
    let overtaken = read(Answer::Active, start + 2 * SECOND);
    assert!(!cache.observe(&id(), Some(deployment(RemoteStatus::Active)), overtaken));
    assert_eq!(cache.get(&id()).unwrap().observed, Some(wrote));
}

#[test]
fn failures_in_a_row_are_one_story_that_an_observation_ends() {
    let (mut cache, start) = cache();
    let env = |now| (now, &TIMES, 0.0);
    let fail = |cache: &mut Cache, at| cache.fail(&id(), ReadFailure::Unavailable, at, env(at));
    assert!(fail(&mut cache, start), "the first of its row");
    assert!(!fail(&mut cache, start + SECOND));
    let failure = cache.get(&id()).unwrap().failure.clone().unwrap();
    assert_eq!((failure.first, failure.count), (start, 2));
    assert_eq!(failure.retry_at, start + SECOND + 2 * SECOND, "the backoff doubles");

    let read = read(Answer::Active, start + 2 * SECOND);
    assert!(cache.observe(&id(), Some(deployment(RemoteStatus::Active)), read), "it recovers");
    assert!(cache.get(&id()).unwrap().failure.is_none());
    assert!(!fail(&mut cache, start + SECOND), "a failure from before says nothing now");
}

#[test]
fn absence_from_a_list_makes_a_suspect_that_only_a_get_can_clear() {
    let (mut cache, start) = cache();
    cache.observe(&id(), Some(deployment(RemoteStatus::Active)), read(Answer::Active, start));
    assert!(!cache.list_ended(Scope::Live, start), "the list has shown it");
    let later = start + SECOND;
    assert!(!cache.list_ended(Scope::Paused, later), "nobody expects it in that half");
    assert!(cache.list_ended(Scope::Active, later));
    assert_eq!(cache.demands(), [(id(), Place::Nowhere)]);

    cache.observe(&id(), None, read(Answer::NotFound, later));
    assert_eq!(cache.demands(), []);
    assert!(!cache.list_ended(Scope::Live, later + SECOND), "its absence is explained");
    cache.demand(&id(), later + SECOND);
    assert_eq!(cache.demands(), [(id(), Place::Nowhere)], "the slow look is a GET");
}
