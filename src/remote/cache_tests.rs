use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    qoder::RemoteStatus,
    remote::{PausedBy, ReadFailure, fixtures::*},
};

pub(super) const HAND: Answer = Answer::Paused(PausedBy::Hand);

/// What the deployment is like when this is the answer.
pub(super) fn shown(answer: Answer) -> Option<Deployment> {
    let status = match answer {
        Answer::NotFound | Answer::Forbidden => return None,
        Answer::Paused(_) => RemoteStatus::Paused,
        _ => RemoteStatus::Active,
    };
    Some(deployment(status))
}

/// When everything is due.
pub(super) fn far(start: Instant) -> Instant {
    start + Duration::from_secs(3600)
}

/// A read that started then says so.
pub(super) fn see(cache: &mut Cache, n: u32, answer: Answer, started: Instant) -> bool {
    cache.observe(&id(n), shown(answer), read(answer, started))
}

/// The answer of a write of ours, as asked.
pub(super) fn wrote(answer: Answer, started: Instant, ended: Instant) -> Observed {
    Observed { valid_from: ended, is_written: true, ..read(answer, started) }
}

pub(super) fn fail(cache: &mut Cache, n: u32, started: Instant) -> bool {
    let trouble = Trouble { cause: ReadFailure::Unavailable, code: "503" };
    let failed = FailedRead { trouble, started, ended: started, jitter: 0.0 };
    cache.fail(&id(n), failed, &TIMES)
}

fn cache() -> (Cache, Instant) {
    let mut cache = Cache::default();
    let now = Instant::now();
    cache.bind(&id(1), None, now);
    (cache, now)
}

#[test]
fn only_news_wakes_anyone() {
    let (mut cache, start) = cache();
    let active = || Some(deployment(RemoteStatus::Active));
    assert!(cache.observe(&id(1), active(), read(Answer::Active, start)), "the first look");
    assert!(!cache.observe(&id(1), active(), read(Answer::Active, start + SECOND)), "nothing new");
    let paused = read(Answer::Paused(PausedBy::Hand), start + 2 * SECOND);
    assert!(cache.observe(&id(1), Some(deployment(RemoteStatus::Paused)), paused), "it differs");
}

#[test]
fn one_that_is_out_of_reach_is_known_as_it_was_and_one_that_is_gone_is_not_known() {
    for (answer, is_known) in [(Answer::Forbidden, true), (Answer::NotFound, false)] {
        let (mut cache, start) = cache();
        see(&mut cache, 1, Answer::Active, start);
        assert!(see(&mut cache, 1, answer, start + SECOND));
        let entry = cache.get(&id(1)).unwrap();
        assert_eq!(entry.last_known.is_some(), is_known);
    }
}

#[test]
fn what_a_status_says_last_stands_until_the_first_look() {
    let (mut cache, start) = cache();
    let known = |cache: &Cache| {
        let entry = cache.get(&id(1)).unwrap();
        entry.last_known.as_ref().map(|known| known.status.clone())
    };
    for status in [RemoteStatus::Active, RemoteStatus::Paused] {
        cache.bind(&id(1), Some(deployment(status.clone())), start);
        cache.bind(&id(1), None, start);
        assert_eq!(known(&cache), Some(status));
    }
    see(&mut cache, 1, HAND, start);
    cache.bind(&id(1), Some(deployment(RemoteStatus::Active)), start);
    assert_eq!(known(&cache), Some(RemoteStatus::Paused));
}

#[test]
fn a_first_look_that_contradicts_a_status_right_after_a_takeover_is_looked_at_again() {
    let (mut cache, start) = cache();
    cache.bind(&id(1), Some(deployment(RemoteStatus::Active)), start);
    cache.expect_echoes(start + SECOND);
    assert!(!see(&mut cache, 1, HAND, start));
    assert!(cache.get(&id(1)).unwrap().observed.is_none());
    assert_eq!(cache.next_demand(start), Some(start + SECOND));
    assert!(see(&mut cache, 1, HAND, start + SECOND), "that is no echo any more");

    let (mut cache, start) = self::cache();
    cache.bind(&id(1), Some(deployment(RemoteStatus::Active)), start);
    cache.expect_echoes(start + SECOND);
    assert!(see(&mut cache, 1, Answer::Active, start), "it agrees");
}

#[test]
fn a_failed_read_answers_a_demand_only_if_it_started_after_it() {
    let (mut cache, start) = cache();
    assert!(fail(&mut cache, 1, start), "the first");
    cache.demand(&id(1), start + 2 * SECOND);
    assert!(!fail(&mut cache, 1, start + SECOND));
    assert!(cache.is_demanded(&id(1)));
    assert!(fail(&mut cache, 1, start + 2 * SECOND), "as demanded");
    assert!(!cache.is_demanded(&id(1)));
}

#[test]
fn all_that_was_not_seen_since_is_demanded() {
    let (mut cache, start) = cache();
    cache.bind(&id(2), None, start);
    see(&mut cache, 1, Answer::Active, start);
    see(&mut cache, 2, HAND, start + SECOND);
    cache.demand_listed(start + SECOND);
    assert!(cache.is_demanded(&id(1)) && !cache.is_demanded(&id(2)));
    assert_eq!(cache.demanded_places(start + SECOND).collect::<Vec<_>>(), [Place::Active]);
    assert_eq!(cache.demanded_places(start).count(), 0, "not yet");
    assert_eq!(cache.next_demand(start), Some(start + SECOND));
    assert_eq!(cache.next_demand(start + SECOND), None, "that is due now");
}

#[test]
fn a_demand_is_answered_only_by_a_read_that_started_after_it() {
    let (mut cache, start) = cache();
    cache.observe(&id(1), Some(deployment(RemoteStatus::Active)), read(Answer::Active, start));
    cache.demand(&id(1), start + 2 * SECOND);
    let early = read(Answer::Active, start + SECOND);
    assert!(!cache.observe(&id(1), Some(deployment(RemoteStatus::Active)), early));
    assert_eq!(cache.demands(far(start)), [(id(1), Place::Active)]);
    let late = read(Answer::Active, start + 2 * SECOND);
    assert!(cache.observe(&id(1), Some(deployment(RemoteStatus::Active)), late));
    assert_eq!(cache.demands(far(start)), []);
}

#[test]
fn a_read_that_started_before_the_end_of_a_write_does_not_replace_its_answer() {
    let (mut cache, start) = cache();
    let wrote = wrote(HAND, start + SECOND, start + 3 * SECOND);
    cache.observe(&id(1), shown(HAND), wrote);
    assert!(!see(&mut cache, 1, Answer::Active, start + 2 * SECOND));
    assert_eq!(cache.get(&id(1)).unwrap().observed, Some(wrote));
    assert_eq!(cache.next_demand(start), None, "it says nothing at all");
}

#[test]
fn a_read_that_fails_and_started_before_the_end_of_a_write_does_not_hide_its_answer() {
    let (mut cache, start) = cache();
    let wrote = wrote(HAND, start + SECOND, start + 3 * SECOND);
    cache.observe(&id(1), shown(HAND), wrote);
    assert!(!fail(&mut cache, 1, start + 2 * SECOND));
    let entry = cache.get(&id(1)).unwrap();
    assert_eq!((entry.observed, entry.failure.is_some()), (Some(wrote), false));
    assert!(fail(&mut cache, 1, start + 4 * SECOND), "one that started after it does");

    // The other way round: the answer of the write ends the failures of reads that started before.
    cache.observe(&id(1), shown(HAND), self::wrote(HAND, start + SECOND, start + 5 * SECOND));
    assert!(cache.get(&id(1)).unwrap().failure.is_none());
}

#[test]
fn failures_in_a_row_are_one_story_that_an_observation_ends() {
    let (mut cache, start) = cache();
    assert!(fail(&mut cache, 1, start), "the first of its row");
    assert!(!fail(&mut cache, 1, start + SECOND));
    let failure = cache.get(&id(1)).unwrap().failure.as_deref().copied().unwrap();
    assert_eq!((failure.first, failure.count), (start, 2));
    assert_eq!(failure.retry_at, start + SECOND + 2 * SECOND, "the backoff doubles");

    let read = read(Answer::Active, start + 2 * SECOND);
    assert!(cache.observe(&id(1), Some(deployment(RemoteStatus::Active)), read), "it recovers");
    assert!(cache.get(&id(1)).unwrap().failure.is_none());
    assert!(!fail(&mut cache, 1, start + SECOND), "a failure from before says nothing now");
}

#[test]
fn absence_from_a_list_makes_a_suspect_that_only_a_get_can_clear() {
    let (mut cache, start) = cache();
    cache.observe(&id(1), Some(deployment(RemoteStatus::Active)), read(Answer::Active, start));
    assert!(!cache.list_ended(Scope::Live, start), "the list has shown it");
    let later = start + SECOND;
    assert!(!cache.list_ended(Scope::Paused, later), "nobody expects it in that half");
    assert!(cache.list_ended(Scope::Active, later));
    assert_eq!(cache.demands(far(start)), [(id(1), Place::Nowhere)]);

    cache.observe(&id(1), None, read(Answer::NotFound, later));
    assert_eq!(cache.demands(far(start)), []);
    assert!(!cache.list_ended(Scope::Live, later + SECOND), "its absence is explained");
    cache.demand(&id(1), later + SECOND);
    assert_eq!(cache.demands(far(start)), [(id(1), Place::Nowhere)], "the slow look is a GET");
}

#[test]
fn demands_are_answered_in_the_order_they_came_and_what_is_in_no_list_last() {
    let mut cache = Cache::default();
    let start = Instant::now();
    for n in 1..=5 {
        cache.bind(&id(n), None, start);
    }
    see(&mut cache, 1, Answer::NotFound, start);
    see(&mut cache, 2, Answer::Active, start);
    see(&mut cache, 3, HAND, start);
    for (n, seconds) in [(1, 1), (2, 4), (3, 3), (4, 2), (5, 60)] {
        cache.demand(&id(n), start + seconds * SECOND);
    }
    let order = |now| cache.demands(now).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(order(start), []);
    assert_eq!(order(start + 3 * SECOND), [id(4), id(3), id(1)], "what is due");
    assert_eq!(order(start + 30 * SECOND), [id(4), id(3), id(2), id(1)]);
    assert_eq!(cache.next_demand(start + 30 * SECOND), Some(start + 60 * SECOND));
    let place = cache.demands(far(start)).into_iter().map(|(_, place)| place);
    let expected = [Place::Full, Place::Paused, Place::Active, Place::Full, Place::Nowhere];
    assert_eq!(place.collect::<Vec<_>>(), expected);
}

#[test]
fn the_later_demand_is_kept_and_everything_listed_is_demanded_where_none_is() {
    let (mut cache, start) = cache();
    cache.bind(&id(2), None, start);
    cache.bind(&id(3), None, start);
    see(&mut cache, 3, Answer::NotFound, start);
    cache.bind(&id(4), None, start);
    cache.demand(&id(1), start + 2 * SECOND);
    cache.demand(&id(1), start + SECOND);
    cache.demand(&id(4), start + SECOND);
    cache.demand(&id(4), start + 3 * SECOND);
    cache.demand_listed(start + 5 * SECOND);
    let due = |now| cache.demands(now).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(due(start + SECOND), []);
    assert_eq!(due(start + 2 * SECOND), [id(1)], "it does not wait for longer");
    assert_eq!(due(far(start)), [id(1), id(4), id(2)], "but for what is in no list");
}

#[test]
fn a_term_begins_with_the_same_deployments_and_nothing_known_of_them_but_what_they_were() {
    let (mut cache, start) = cache();
    cache.bind(&id(2), None, start);
    see(&mut cache, 1, HAND, start);
    fail(&mut cache, 2, start);
    cache.demand(&id(1), start + SECOND);
    let later = start + 600 * SECOND;
    assert!(cache.list_ended(Scope::Live, later), "both are missed");
    cache.forget_looks(later);
    for n in [1, 2] {
        let entry = cache.get(&id(n)).unwrap();
        assert!(entry.observed.is_none() && entry.failure.is_none());
        assert_eq!(entry.last_known.is_some(), n == 1, "to recognise it by");
        assert_eq!(cache.looked_at(&id(n)), Some(later), "nobody is blind yet");
        assert!(!cache.is_demanded(&id(n)));
    }
    assert_eq!(cache.count(), 2);
    assert_eq!(cache.places(), Wanted { full: 2, ..Wanted::default() });
}

#[test]
fn what_is_bound_is_known_and_the_oldest_look_is_the_oldest_of_those_that_polls_make() {
    let (mut cache, start) = cache();
    assert!(cache.is_bound(&id(1)) && !cache.is_bound(&id(2)));
    assert_eq!((cache.first(), Cache::default().first()), (Some(&id(1)), None));
    assert_eq!((cache.oldest_look(), Cache::default().oldest_look()), (Some(start), None));
    cache.bind(&id(2), None, start);
    see(&mut cache, 1, Answer::Active, start + 2 * SECOND);
    see(&mut cache, 2, Answer::Archived, start + SECOND);
    assert_eq!(cache.oldest_look(), Some(start + 2 * SECOND), "the other is looked at slowly");
    assert!(!cache.is_demanded(&id(1)));
    cache.demand(&id(1), start);
    assert!(cache.is_demanded(&id(1)));

    // What a status says is known only as long as nothing was seen.
    let known = |cache: &Cache, n| cache.get(&id(n)).unwrap().last_known.is_some();
    cache.bind(&id(3), None, start);
    cache.bind(&id(3), Some(deployment(RemoteStatus::Active)), start);
    assert!(known(&cache, 3));
    cache.bind(&id(4), None, start);
    see(&mut cache, 4, Answer::NotFound, start);
    cache.bind(&id(4), Some(deployment(RemoteStatus::Active)), start);
    assert!(!known(&cache, 4));
}

#[test]
fn an_echo_is_forgotten_when_it_is_over() {
    let (mut cache, start) = cache();
    cache.observe(&id(1), shown(HAND), wrote(HAND, start, start));
    let end = start + Times::ECHO;
    cache.tidy(end - SECOND);
    assert_eq!(cache.echoes.len(), 1);
    cache.tidy(end);
    assert_eq!(cache.echoes.len(), 0);
}

#[test]
fn deployments_that_run_at_the_same_times_share_their_schedule() {
    let daily = |expression: &str| {
        let schedule = Schedule { expression: expression.into(), timezone: Some("UTC".into()) };
        Deployment { schedule: Some(Arc::new(schedule)), ..deployment(RemoteStatus::Active) }
    };
    let (mut cache, start) = cache();
    cache.bind(&id(2), Some(daily("0 9 * * *")), start);
    for (n, expression) in [(1, "0 9 * * *"), (3, "0 8 * * *")] {
        cache.bind(&id(n), None, start);
        cache.observe(&id(n), Some(daily(expression)), read(Answer::Active, start));
    }
    let of = |cache: &Cache, n| {
        let known = cache.get(&id(n)).unwrap().last_known.clone().unwrap();
        known.schedule.clone().unwrap()
    };
    assert!(Arc::ptr_eq(&of(&cache, 1), &of(&cache, 2)));
    assert_eq!(*of(&cache, 3).expression, *"0 8 * * *");

    cache.tidy(start);
    assert_eq!(cache.schedules.len(), 2);
    cache.unbind(&id(3));
    cache.unbind(&id(2));
    cache.tidy(start);
    assert!(cache.schedules.iter().eq([&of(&cache, 1)]), "nobody has the other one");
}

#[test]
fn what_is_known_of_one_deployment_is_small() {
    assert!(size_of::<Entry>() <= 72, "{}", size_of::<Entry>());
    assert!(size_of::<Deployment>() <= 80, "{}", size_of::<Deployment>());
}

/// Something that may change where a deployment is to be found.
#[derive(Debug, Clone)]
enum Change {
    Bind(u32),
    Unbind(u32),
    See(u32, Answer),
    Fail(u32),
    ListEnds(Scope),
    ForgetLooks,
}

fn change() -> impl Strategy<Value = Change> {
    let answers =
        vec![Answer::Active, HAND, Answer::UnknownStatus, Answer::NotFound, Answer::Forbidden];
    let scopes = vec![Scope::Live, Scope::Active, Scope::Paused];
    prop_oneof![
        2 => (0..4_u32).prop_map(Change::Bind),
        1 => (0..4_u32).prop_map(Change::Unbind),
        6 => (0..4_u32, prop::sample::select(answers)).prop_map(|(n, answer)| Change::See(n, answer)),
        1 => (0..4_u32).prop_map(Change::Fail),
        2 => prop::sample::select(scopes).prop_map(Change::ListEnds),
        1 => Just(Change::ForgetLooks),
    ]
}

proptest! {
    #[test]
    fn whatever_has_changed_the_places_are_those_that_a_count_finds(
        changes in prop::collection::vec(change(), 1..40)
    ) {
        let (mut cache, start) = cache();
        for (change, n) in changes.into_iter().zip(1..) {
            let now = start + n * SECOND;
            match change {
                Change::Bind(n) => cache.bind(&id(n), None, now),
                Change::Unbind(n) => cache.unbind(&id(n)),
                Change::See(n, answer) => drop(see(&mut cache, n, answer, now)),
                Change::Fail(n) => drop(fail(&mut cache, n, now)),
                Change::ListEnds(scope) => drop(cache.list_ended(scope, now)),
                Change::ForgetLooks => cache.forget_looks(now),
            }
            let counted: Wanted = cache.placed().map(|(.., place)| place).collect();
            prop_assert_eq!(cache.places(), counted);
        }
    }
}
