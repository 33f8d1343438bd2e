use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::reconcile::resource::tests::resource;

const TIMES: Times =
    Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };
const STEP: Duration = Duration::from_millis(1);

/// Generation 1 of the resource with this uid.
fn of(uid: &str) -> Resource {
    Resource { uid: uid.into(), ..resource(Instant::now()) }
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

    writes.ended(&of("a"), ended);
    assert!(!counts(&writes, ended - STEP, later));
    assert!(counts(&writes, ended, later));
    assert!(writes.is_valid(ended - 9 * STEP, ended, later), "the write's own answer");

    writes.ended(&of("a"), later);
    assert!(!counts(&writes, ended, later), "the last write counts");
    assert!(!writes.is_valid(ended - 9 * STEP, ended, later), "also against answers of writes");
}

#[test]
fn what_started_before_a_lost_request_could_land_no_more_is_void_from_then_on() {
    for verb in [Verb::Pause, Verb::Unpause] {
        let mut writes = Writes::default();
        let lost = Instant::now();
        writes.lost(verb, lost, &TIMES);
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
    Ended,
    Lost(Verb),
    Failed,
    Corrected,
    Reached,
}

fn happenings() -> impl Strategy<Value = Vec<(u64, Happening)>> {
    use Happening::{Corrected, Ended, Failed, Lost, Reached};
    let one = prop_oneof![
        Just(Ended),
        Just(Lost(Verb::Pause)),
        Just(Lost(Verb::Unpause)),
        Just(Failed),
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
                Happening::Ended => writes.ended(&of("a"), now),
                Happening::Lost(verb) => {
                    writes.ended(&of("a"), now);
                    writes.lost(verb, now, &TIMES);
                }
                Happening::Failed => writes.failed(&of("a"), now, &TIMES, 0.5),
                Happening::Corrected => writes.corrected(now, &TIMES),
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
fn a_lost_request_may_land_until_its_end_whatever_succeeds_before() {
    let (mut ledger, owner, lost) = (Ledger::default(), of("a"), Instant::now());
    let end = lost + TIMES.request_lifetime();
    ledger.note(&owner.deployment).lost(Verb::Pause, lost, &TIMES);
    ledger.note(&owner.deployment).ended(&owner, lost + STEP);
    ledger.reached(&owner, true);

    let writes = ledger.get(&owner.deployment);
    assert!(writes.may_land(Verb::Pause, end - STEP));
    assert!(!writes.may_land(Verb::Pause, end));
    assert!(!writes.may_land(Verb::Unpause, lost), "only what was lost");
}

#[test]
fn of_two_lost_requests_the_first_to_end_is_waited_for() {
    let (mut writes, lost) = (Writes::default(), Instant::now());
    assert_eq!(writes.lands_until(lost), None);
    writes.lost(Verb::Unpause, lost, &TIMES);
    writes.lost(Verb::Pause, lost + STEP, &TIMES);
    let first = lost + TIMES.request_lifetime();
    assert_eq!(writes.lands_until(first - STEP), Some(first));
    assert_eq!(writes.lands_until(first), Some(first + STEP));
    assert_eq!(writes.lands_until(first + STEP), None);
}

#[test]
fn a_backoff_doubles_and_holds_for_its_generation_of_its_resource() {
    let (mut writes, now, failing) = (Writes::default(), Instant::now(), of("a"));
    assert_eq!(writes.backoff_end(&failing), None);
    for seconds in [1, 2, 4] {
        writes.failed(&failing, now, &TIMES, 0.0);
        assert_eq!(writes.backoff_end(&failing), Some(now + Duration::from_secs(seconds)));
    }
    assert_eq!(writes.backoff_end(&of("b")), None);
    assert_eq!(writes.backoff_end(&Resource { generation: 2, ..failing.clone() }), None);

    writes.reached(&failing, false);
    assert_eq!(writes.backoff_end(&failing), None);
    writes.failed(&failing, now, &TIMES, 0.0);
    assert_eq!(writes.backoff_end(&failing), Some(now + Duration::from_secs(1)), "a new row");
}

#[test]
fn a_refusal_holds_for_its_generation_of_its_resource_and_its_token() {
    let (mut writes, now, refused) = (Writes::default(), Instant::now(), of("a"));
    writes.refused(&refused, 3, now, &TIMES);
    assert_eq!(writes.refused_until(&refused, 3), Some(now + TIMES.slow_look()));
    assert_eq!(writes.refused_until(&refused, 4), None, "a new token");
    assert_eq!(writes.refused_until(&of("b"), 3), None);
    assert_eq!(writes.refused_until(&Resource { generation: 2, ..refused.clone() }, 3), None);

    writes.reached(&refused, false);
    assert_eq!(writes.refused_until(&refused, 3), None, "it was reached all the same");
}

#[test]
fn the_third_correction_within_the_window_starts_a_hold() {
    let first = Instant::now();
    let end = first + TIMES.contested_window();
    for (third, held_until) in [(end, None), (end - STEP, Some(end - STEP + TIMES.hold(0)))] {
        let mut writes = Writes::default();
        writes.corrected(first, &TIMES);
        writes.corrected(first + STEP, &TIMES);
        assert_eq!(writes.held_until(), None, "two may happen");
        writes.corrected(third, &TIMES);
        assert_eq!(writes.held_until(), held_until);
    }
}

/// Three corrections at once. Returns the end of the hold.
fn contest(writes: &mut Writes, now: Instant) -> Instant {
    for _ in 0..CORRECTIONS {
        writes.corrected(now, &TIMES);
    }
    writes.held_until().unwrap()
}

#[test]
fn each_hold_is_twice_as_long_up_to_its_bound_and_calm_forgets_them() {
    let mut writes = Writes::default();
    let mut now = Instant::now();
    for hold in [20, 40, 80, 120, 120] {
        let end = contest(&mut writes, now);
        assert_eq!(end - now, hold * TIMES.poll_interval);
        now = end;
    }
    let calm = now + TIMES.hold_memory();
    let soon = contest(&mut writes.clone(), calm - STEP);
    assert_eq!(soon - (calm - STEP), TIMES.hold(9), "not calm for long enough");
    assert_eq!(contest(&mut writes, calm) - calm, TIMES.hold(0));
}

#[test]
fn a_reconcile_request_ends_the_hold_and_forgets_the_corrections() {
    let (mut writes, now) = (Writes::default(), Instant::now());
    let end = contest(&mut writes, now);
    writes.reached(&of("a"), false);
    assert_eq!(writes.held_until(), Some(end), "what is reached by itself ends no hold");
    writes.reached(&of("a"), true);
    assert_eq!(writes.held_until(), None);

    for at in [now + STEP, now + 2 * STEP] {
        writes.corrected(at, &TIMES);
    }
    writes.reached(&of("a"), true);
    for at in [now + 3 * STEP, now + 4 * STEP] {
        writes.corrected(at, &TIMES);
        assert_eq!(writes.held_until(), None, "they are counted anew");
    }
}

#[test]
fn a_wish_that_is_reached_makes_its_resource_the_last_writer() {
    let (mut ledger, [first, second]) = (Ledger::default(), ["a", "b"].map(of));
    let id = &first.deployment;
    ledger.reached(&first, false);
    assert!(ledger.writes.is_empty(), "nothing is kept for what was never written");
    assert!(!ledger.get(id).is_foreign_to(&first));

    ledger.note(id).ended(&first, Instant::now());
    assert!(!ledger.get(id).is_foreign_to(&first));
    assert!(ledger.get(id).is_foreign_to(&second));

    ledger.reached(&second, false);
    assert!(ledger.get(id).is_foreign_to(&first));
    assert!(!ledger.get(id).is_foreign_to(&second));
}

#[test]
fn a_conflict_is_explained_once() {
    let (mut ledger, id) = (Ledger::default(), of("a").deployment);
    assert!(!ledger.take_conflict(&id));
    ledger.note(&id).conflicted();
    assert!(ledger.take_conflict(&id));
    assert!(!ledger.take_conflict(&id));
}

#[test]
fn calm_after_a_reconcile_request_forgets_the_holds() {
    let (mut writes, now) = (Writes::default(), Instant::now());
    contest(&mut writes, now);
    writes.reached(&of("a"), true);
    let calm = now + 100 * TIMES.hold_memory();
    assert_eq!(contest(&mut writes, calm) - calm, TIMES.hold(0));
}

#[test]
fn a_fight_below_the_guard_is_no_calm() {
    let (mut writes, now) = (Writes::default(), Instant::now());
    let hold_end = contest(&mut writes, now);
    // Two corrections in each window, through all of the time that calm would take.
    let mut at = hold_end;
    while at < hold_end + TIMES.hold_memory() {
        at += TIMES.contested_window() / 2;
        writes.corrected(at, &TIMES);
    }
    at += TIMES.contested_window();
    assert_eq!(contest(&mut writes, at) - at, TIMES.hold(1));
}
