use super::{
    tests::{STEP, corrected},
    *,
};
use crate::remote::fixtures::*;

#[test]
fn the_third_correction_within_the_window_starts_a_hold() {
    let first = Instant::now();
    let end = first + TIMES.contested_window();
    for (third, held_until) in [(end, None), (end - STEP, Some(end - STEP + TIMES.hold(0)))] {
        let mut writes = Writes::default();
        corrected(&mut writes, first);
        corrected(&mut writes, first + STEP);
        assert_eq!(writes.held_until(), None, "two may happen");
        corrected(&mut writes, third);
        assert_eq!(writes.held_until(), held_until);
    }
}

/// Three corrections at once. Returns the end of the hold.
fn contest(writes: &mut Writes, now: Instant) -> Instant {
    for _ in 0..CORRECTIONS {
        corrected(writes, now);
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
        corrected(&mut writes, at);
    }
    writes.reached(&of("a"), true);
    for at in [now + 3 * STEP, now + 4 * STEP] {
        corrected(&mut writes, at);
        assert_eq!(writes.held_until(), None, "they are counted anew");
    }
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
        corrected(&mut writes, at);
    }
    at += TIMES.contested_window();
    assert_eq!(contest(&mut writes, at) - at, TIMES.hold(1));
}
