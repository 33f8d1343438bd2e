use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    qoder::Verb,
    remote::{
        fixtures::*,
        write::{Outcome, Write},
    },
};

const STEP: Duration = Duration::from_millis(1);

/// A pause for this resource ends so.
fn book(ledger: &mut Ledger, owner: &Requester, outcome: Outcome, at: Instant) {
    ledger.note(&id(1)).book(&write(owner, Verb::Pause), end(outcome, at), &TIMES);
}

#[test]
fn a_lost_request_may_land_until_its_end_whatever_succeeds_before() {
    let (mut ledger, owner, lost) = (Ledger::default(), of("a"), Instant::now());
    let end = lost + TIMES.request_lifetime();
    book(&mut ledger, &owner, Outcome::Ambiguous, lost);
    book(&mut ledger, &owner, Outcome::Done, lost + STEP);
    ledger.reached(&id(1), &owner, true);

    let writes = ledger.get(&id(1));
    assert!(writes.may_land(Verb::Pause, end - STEP));
    assert!(!writes.may_land(Verb::Pause, end));
    assert!(!writes.may_land(Verb::Unpause, lost), "only what was lost");
}

#[test]
fn a_wish_that_is_reached_makes_its_resource_the_last_writer() {
    let (mut ledger, [first, second]) = (Ledger::default(), ["a", "b"].map(of));
    let id = id(1);
    ledger.reached(&id, &first, false);
    assert_eq!(ledger.count(), 0, "nothing is kept for what was never written");
    assert!(!ledger.get(&id).is_foreign_to(&first));

    book(&mut ledger, &first, Outcome::Done, Instant::now());
    assert!(!ledger.get(&id).is_foreign_to(&first));
    assert!(ledger.get(&id).is_foreign_to(&second));

    ledger.reached(&id, &second, false);
    assert!(ledger.get(&id).is_foreign_to(&first));
    assert!(!ledger.get(&id).is_foreign_to(&second));
}

#[test]
fn a_conflict_is_explained_once() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.take_conflict(&id(1)), None);
    book(&mut ledger, &of("a"), Outcome::Conflict, Instant::now());
    assert_eq!(ledger.take_conflict(&id(1)), Some(Verb::Pause));
    assert_eq!(ledger.take_conflict(&id(1)), None);
}

/// Whether anything is remembered once the ledger was told to forget what is not bound.
fn is_kept(ledger: &mut Ledger, bound: &BTreeSet<DeploymentId>, now: Instant) -> bool {
    ledger.forget(|id| bound.contains(id), now, &TIMES);
    ledger.count() > 0
}

#[test]
fn of_what_is_not_bound_only_what_may_still_matter_is_kept() {
    let (mut now, none, bound) = (Instant::now(), BTreeSet::new(), BTreeSet::from([id(1)]));
    for outcome in [
        Outcome::Done,
        Outcome::NotAsAsked,
        Outcome::Conflict,
        Outcome::Ambiguous,
        Outcome::NotTheApi,
        Outcome::Refused,
    ] {
        let mut ledger = Ledger::default();
        book(&mut ledger, &of("a"), outcome, now);
        let over = now + TIMES.request_lifetime();
        assert!(is_kept(&mut ledger, &none, over - STEP), "{outcome:?}: a read may be under way");
        assert!(is_kept(&mut ledger, &bound, over), "{outcome:?}: it is bound");
        assert!(!is_kept(&mut ledger, &none, over), "{outcome:?}");
        now += STEP;
    }
    for outcome in [
        Outcome::NotServed,
        Outcome::Throttled,
        Outcome::Unauthorized,
        Outcome::NotSent,
        Outcome::Unread,
    ] {
        let mut ledger = Ledger::default();
        book(&mut ledger, &of("a"), outcome, now);
        assert!(is_kept(&mut ledger, &bound, now));
        assert!(!is_kept(&mut ledger, &none, now), "{outcome:?}: nothing was done");
    }
}

#[test]
fn a_write_under_way_is_remembered_as_long_as_it_takes() {
    let (mut ledger, begun, none) = (Ledger::default(), Instant::now(), BTreeSet::new());
    ledger.note(&id(1)).begun(Verb::Pause, begun);
    let ended = begun + 9 * TIMES.request_lifetime();
    assert!(is_kept(&mut ledger, &none, ended));
    book(&mut ledger, &of("a"), Outcome::Ambiguous, ended);
    assert!(is_kept(&mut ledger, &none, ended + TIMES.request_lifetime() - STEP));
    assert!(!is_kept(&mut ledger, &none, ended + TIMES.request_lifetime()));
}

#[test]
fn who_fights_for_a_deployment_is_remembered_although_its_resource_is_gone() {
    let (start, none) = (Instant::now(), BTreeSet::new());
    let mut ledger = Ledger::default();
    let write = Write { is_drift: true, ..write(&of("a"), Verb::Pause) };
    let correct = |ledger: &mut Ledger, at| {
        ledger.note(&id(1)).book(&write, end(Outcome::Done, at), &TIMES);
    };
    correct(&mut ledger, start);
    let window = start + TIMES.contested_window();
    assert!(is_kept(&mut ledger.clone(), &none, window - STEP), "the third may still come");
    assert!(!is_kept(&mut ledger.clone(), &none, window));

    (0..2).for_each(|_| correct(&mut ledger, start));
    let calm = start + TIMES.hold(0) + TIMES.hold_memory();
    assert!(is_kept(&mut ledger.clone(), &none, calm - STEP), "the next hold would be longer");
    assert!(!is_kept(&mut ledger, &none, calm));
}
