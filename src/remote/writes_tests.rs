use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::remote::fixtures::*;

pub(super) const STEP: Duration = Duration::from_millis(1);

/// A write for this resource ends so.
fn book(writes: &mut Writes, requester: &Requester, outcome: Outcome, at: Instant) {
    writes.book(&write(requester, Verb::Pause), end(outcome, at), &TIMES);
}

/// A write of this verb is lost.
fn lose(writes: &mut Writes, verb: Verb, at: Instant) {
    writes.book(&write(&of("a"), verb), end(Outcome::Ambiguous, at), &TIMES);
}

/// A drift is corrected.
pub(super) fn corrected(writes: &mut Writes, at: Instant) {
    let write = Write { is_drift: true, ..write(&of("a"), Verb::Pause) };
    writes.book(&write, end(Outcome::Done, at), &TIMES);
}

/// Whether a read that started then still counts.
fn counts(writes: &Writes, started: Instant, now: Instant) -> bool {
    writes.is_valid(started, started, now)
}

#[test]
fn a_read_that_started_before_the_end_of_our_last_write_is_void() {
    let mut writes = Writes::default();
    let ended = Instant::now();
    let later = ended + 9 * STEP;
    assert!(counts(&writes, ended, later), "nothing was written");

    book(&mut writes, &of("a"), Outcome::Done, ended);
    assert!(!counts(&writes, ended - STEP, later));
    assert!(counts(&writes, ended, later));
    assert!(writes.is_valid(ended - 9 * STEP, ended, later), "the write's own answer");

    book(&mut writes, &of("a"), Outcome::Done, later);
    assert!(!counts(&writes, ended, later), "the last write counts");
    assert!(!writes.is_valid(ended - 9 * STEP, ended, later), "also against answers of writes");
}

#[test]
fn what_started_before_a_lost_request_could_land_no_more_is_void_from_then_on() {
    for verb in [Verb::Pause, Verb::Unpause] {
        let mut writes = Writes::default();
        let lost = Instant::now();
        lose(&mut writes, verb, lost);
        let end = lost + TIMES.request_lifetime();
        assert!(counts(&writes, lost, end - STEP), "rule G decides what it is good for");
        assert!(!counts(&writes, end - STEP, end));
        assert!(counts(&writes, end, end));
        assert!(!writes.is_valid(end - STEP, end + STEP, end + STEP), "a write across the end");
    }
}

/// Something that can happen to the writes of one deployment.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Begun(Verb),
    Ended(Verb, Outcome),
    Corrected,
    Reached,
}

fn happenings() -> impl Strategy<Value = Vec<(u64, Happening)>> {
    use Happening::{Begun, Corrected, Ended, Reached};
    let verb = || prop::sample::select(vec![Verb::Pause, Verb::Unpause]);
    let outcome = prop::sample::select(vec![
        Outcome::Done,
        Outcome::NotAsAsked,
        Outcome::NotServed,
        Outcome::NotSent,
        Outcome::Conflict,
        Outcome::Ambiguous,
        Outcome::Ambiguous,
        Outcome::NotTheApi,
        Outcome::Refused,
    ]);
    let one = prop_oneof![
        verb().prop_map(Begun),
        (verb(), outcome).prop_map(|(verb, outcome)| Ended(verb, outcome)),
        Just(Corrected),
        Just(Reached),
    ];
    prop::collection::vec((0_u64..90, one), 0..12)
}

proptest! {
    /// The two ways to say what is void agree: the one that judges, and the one that asks anew.
    #[test]
    fn a_read_counts_if_it_started_when_it_was_asked_to(
        happenings in happenings(), wait in 0_u64..90, ages in prop::collection::vec(0_u64..200, 20)
    ) {
        let mut writes = Writes::default();
        let mut now = Instant::now() + Duration::from_secs(200);
        for (gap, happening) in happenings {
            now += Duration::from_secs(gap);
            match happening {
                Happening::Begun(verb) => writes.begun(verb, now),
                Happening::Ended(verb, outcome) => {
                    writes.book(&write(&of("a"), verb), end(outcome, now), &TIMES);
                }
                Happening::Corrected => corrected(&mut writes, now),
                Happening::Reached => writes.reached(&of("b"), true),
            }
        }
        now += Duration::from_secs(wait);
        let since = writes.valid_since(now);
        prop_assert!(since.is_none_or(|since| since <= now), "a read can answer at once");
        for started in ages.into_iter().map(|age| now - Duration::from_secs(age)).chain(since) {
            let is_asked_for = since.is_none_or(|since| started >= since);
            prop_assert_eq!(counts(&writes, started, now), is_asked_for);
        }
    }
}

#[test]
fn of_two_lost_requests_the_first_to_end_is_waited_for() {
    let (mut writes, lost) = (Writes::default(), Instant::now());
    assert_eq!(writes.lands_until(lost), None);
    lose(&mut writes, Verb::Unpause, lost);
    lose(&mut writes, Verb::Pause, lost + STEP);
    let first = lost + TIMES.request_lifetime();
    assert_eq!(writes.lands_until(first - STEP), Some(first));
    assert_eq!(writes.lands_until(first), Some(first + STEP));
    assert_eq!(writes.lands_until(first + STEP), None);
}

#[test]
fn a_backoff_doubles_and_holds_for_its_generation_of_its_resource() {
    let (mut writes, now, failing) = (Writes::default(), Instant::now(), of("a"));
    assert_eq!(writes.backoff_end(&failing, 1), None);
    for seconds in [1, 2, 4] {
        book(&mut writes, &failing, Outcome::NotSent, now);
        assert_eq!(writes.backoff_end(&failing, 1), Some(now + Duration::from_secs(seconds)));
    }
    assert_eq!(writes.backoff_end(&of("b"), 1), None);
    assert_eq!(writes.backoff_end(&Requester { generation: 2, ..failing.clone() }, 1), None);

    writes.reached(&failing, false);
    assert_eq!(writes.backoff_end(&failing, 1), None);
    book(&mut writes, &failing, Outcome::NotSent, now);
    assert_eq!(writes.backoff_end(&failing, 1), Some(now + Duration::from_secs(1)), "a new row");
}

#[test]
fn a_refusal_holds_for_its_generation_of_its_resource_and_its_token() {
    let (mut writes, now, refused) = (Writes::default(), Instant::now(), of("a"));
    let end = End { epoch: 3, ..end(Outcome::Refused, now) };
    writes.book(&write(&refused, Verb::Pause), end, &TIMES);
    let until = |writes: &Writes, requester: &Requester, epoch| {
        writes.refused_until(requester, epoch, None)
    };
    assert_eq!(until(&writes, &refused, 3), Some(now + TIMES.slow_look()));
    assert_eq!(until(&writes, &refused, 4), None, "a new token");
    assert_eq!(until(&writes, &of("b"), 3), None);
    assert_eq!(until(&writes, &Requester { generation: 2, ..refused.clone() }, 3), None);
    assert_eq!(writes.backoff_end(&refused, 1), None, "it is no moment that passes");

    writes.reached(&refused, false);
    assert_eq!(until(&writes, &refused, 3), None, "it was reached all the same");
}

#[test]
fn a_reconcile_that_is_requested_after_a_refusal_is_worth_one_more_try() {
    let (mut writes, now, refused) = (Writes::default(), Instant::now(), of("a"));
    let until = |writes: &Writes, requested| writes.refused_until(&refused, 1, Some(requested));
    book(&mut writes, &refused, Outcome::Refused, now);
    assert_eq!(until(&writes, now - STEP), Some(now + TIMES.slow_look()), "it was tried for that");
    assert_eq!(until(&writes, now + STEP), None);
    book(&mut writes, &refused, Outcome::Refused, now + 2 * STEP);
    let again = now + 2 * STEP + TIMES.slow_look();
    assert_eq!(until(&writes, now + STEP), Some(again), "one");
}

#[test]
fn a_write_under_way_may_land_and_changes_nothing_else() {
    for verb in [Verb::Pause, Verb::Unpause] {
        let (mut writes, begun) = (Writes::default(), Instant::now());
        writes.begun(verb, begun);
        let later = begun + 9 * TIMES.request_lifetime();
        assert_eq!(writes.under_way_since(), Some(begun));
        for other in [Verb::Pause, Verb::Unpause] {
            assert_eq!(writes.may_land(other, later), other == verb);
        }
        assert!(counts(&writes, begun - STEP, later), "reads count as before");
        assert_eq!(writes.valid_since(later), None);
        assert_eq!(writes.lands_until(later), None, "nobody knows when");
        assert_eq!(writes.backoff_end(&of("a"), 1), None);
        assert!(!writes.is_foreign_to(&of("b")));

        writes.book(&write(&of("a"), verb), end(Outcome::Done, later), &TIMES);
        assert_eq!(writes.under_way_since(), None);
        assert!(!writes.may_land(verb, later));
    }
}

#[test]
fn each_end_of_a_write_says_what_is_void_what_may_land_and_who_waits() {
    use Outcome::{
        Ambiguous, Conflict, Done, NotAsAsked, NotSent, NotServed, NotTheApi, Refused, Throttled,
        Unread,
    };
    // Whether earlier reads are void, it may still land, the next try waits, it is a conflict, a refusal.
    for (outcome, expected) in [
        (Done, [true, false, false, false, false]),
        (NotAsAsked, [true, false, true, false, false]),
        (NotServed, [false, false, false, false, false]),
        (Throttled, [false, false, false, false, false]),
        (NotSent, [false, false, true, false, false]),
        (Unread, [false, false, true, false, false]),
        (Conflict, [true, false, true, true, false]),
        (Ambiguous, [true, true, true, false, false]),
        (NotTheApi, [true, false, true, false, false]),
        (Refused, [true, false, false, false, true]),
    ] {
        let (mut writes, begun, a) = (Writes::default(), Instant::now(), of("a"));
        writes.begun(Verb::Pause, begun);
        let ended = begun + STEP;
        book(&mut writes, &a, outcome, ended);
        let said = [
            !counts(&writes, begun, ended),
            writes.may_land(Verb::Pause, ended),
            writes.backoff_end(&a, 1) == Some(ended + TIMES.backoff(0, 0.0)),
            writes.take_conflict() == Some(Verb::Pause),
            writes.refused_until(&a, 1, None).is_some(),
        ];
        assert_eq!(said, expected, "{outcome:?}");
        assert_eq!(writes.under_way_since(), None);
        assert!(!writes.may_land(Verb::Unpause, ended));
        let is_failure = expected[2] || expected[4];
        let last_try = LastTry { outcome, code: Some("418") };
        assert_eq!(writes.last_failure(&a), is_failure.then_some(last_try));
        book(&mut writes, &a, Outcome::Unread, ended);
        assert_eq!(writes.refusal(&a), expected[4].then_some(last_try), "it keeps its answer");
    }
}

#[test]
fn how_often_a_write_was_throttled_is_counted_in_a_row_and_for_its_generation() {
    let (mut writes, now, a) = (Writes::default(), Instant::now(), of("a"));
    for count in 0..3 {
        assert_eq!(writes.throttled(&a), count);
        book(&mut writes, &a, Outcome::Throttled, now);
    }
    book(&mut writes, &a, Outcome::NotServed, now);
    assert_eq!(writes.throttled(&a), 3, "that one was not sent");
    assert_eq!(writes.throttled(&Requester { generation: 2, ..a.clone() }), 0);
    book(&mut writes, &a, Outcome::Conflict, now);
    assert_eq!(writes.throttled(&a), 0);
}

#[test]
fn a_write_that_meets_a_401_again_is_tried_as_rarely_as_the_credential_until_another_token_comes() {
    let (mut writes, now, a) = (Writes::default(), Instant::now(), of("a"));
    for n in 0..3 {
        book(&mut writes, &a, Outcome::Unauthorized, now);
        assert_eq!(writes.backoff_end(&a, 1), Some(now + TIMES.credential_probe(n)));
        assert_eq!(writes.backoff_end(&a, 2), None);
    }
}
