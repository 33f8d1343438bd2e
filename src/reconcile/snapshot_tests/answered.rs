//! Whether the status in place still answers: what refutes it without a look.

use super::*;

/// Each status that can be refuted without a look, and worlds that confirm and refute it.
type Refutable = (Reason, fn(&mut World), fn(&mut World));

const REFUTABLE: [Refutable; 4] = [
    (
        Reason::CredentialMissing,
        |world| world.credential.worth = Worth::Missing(TokenProblem::NoFile),
        |world| world.credential.worth = Worth::Usable,
    ),
    (
        Reason::CredentialRejected,
        |world| {
            let since = world.credential.since.unwrap();
            world.credential.worth = Worth::Rejected { since };
        },
        |world| world.credential.worth = Worth::Usable,
    ),
    (
        Reason::DuplicateOwner,
        |world| world.older = Some(Resource { uid: "older".into(), ..world.resource.clone() }),
        |world| world.older = None,
    ),
    (
        Reason::ReconcileDisabled,
        |world| world.resource.disabled = true,
        |world| world.resource.disabled = false,
    ),
];

#[test]
fn a_status_that_is_refuted_without_a_look_answers_nothing() {
    let start = Instant::now();
    for (reason, confirm, refute) in REFUTABLE {
        let world = World::new(start).reached().says(ConditionStatus::False, reason);
        let confirmed = world.clone().with(confirm).at(start);
        assert!(confirmed.answered && !confirmed.overdue, "{reason:?}");
        assert!(!world.with(refute).at(start).answered, "{reason:?}");
    }
    // The one may follow the other: whichever says what is no longer so is refuted.
    let missing =
        World::new(start).reached().says(ConditionStatus::False, Reason::CredentialMissing);
    let rejected = |world: &mut World| world.credential.worth = Worth::Rejected { since: start };
    assert!(!missing.with(rejected).at(start).answered);
    let rejected =
        World::new(start).reached().says(ConditionStatus::False, Reason::CredentialRejected);
    assert!(
        !rejected
            .with(|world| world.credential.worth = Worth::Missing(TokenProblem::NoFile))
            .at(start)
            .answered
    );
}

#[test]
fn every_other_status_stands_until_a_look() {
    let start = Instant::now();
    for reason in Reason::ALL {
        let is_refutable = REFUTABLE.iter().any(|(refutable, ..)| refutable == reason);
        let world = World::new(start).reached().says(ConditionStatus::False, *reason);
        assert_eq!(world.at(start).answered, !is_refutable, "{reason:?}");
    }
    let mut world = World::new(start).reached();
    world.resource.generation += 1;
    assert!(!world.at(start).answered, "it answers the generation before");
}

#[test]
fn a_refuted_status_is_overdue_three_seconds_after_what_has_refuted_it() {
    let start = Instant::now();
    let changed = start + TIMES.poll_interval;
    for (reason, confirm, refute) in REFUTABLE {
        let mut world = World::new(start).reached().says(ConditionStatus::False, reason);
        match reason {
            Reason::CredentialMissing | Reason::CredentialRejected => {
                world.credential.since = Some(changed);
            }
            // The credential has nothing to do with it: a request came along with the change.
            _ => world.resource.reconcile_request = requested(changed),
        }
        let refuted = world.clone().with(refute);
        let overdue = changed + Times::PROGRESS;
        assert_eq!(around(overdue, |now| refuted.at(now).overdue), [false, true], "{reason:?}");
        let next = |told| refuted.snapshot(changed).next_change(&refuted.resource, told);
        assert_eq!(next(false), Some(overdue), "{reason:?}");
        assert_eq!(next(true), None, "{reason:?}");

        world.confirm_for(confirm, overdue, reason);
    }
}

impl World {
    fn confirm_for(self, confirm: fn(&mut Self), at: Instant, reason: Reason) {
        assert!(!self.with(confirm).at(at).overdue, "{reason:?}");
    }
}

/// With the first credential, which has no beginning, the generation's first sight counts.
#[test]
fn a_generation_that_came_later_waits_from_then() {
    let start = Instant::now();
    let seen = start + TIMES.poll_interval;
    let mut world =
        World::new(start).reached().says(ConditionStatus::False, Reason::CredentialMissing);
    world.resource.generation_seen = seen;
    for since in [None, Some(start)] {
        world.credential.since = since;
        let overdue = seen + Times::PROGRESS;
        assert_eq!(around(overdue, |now| world.at(now).overdue), [false, true], "{since:?}");
    }
}

/// What stood was a person's business, and is no more: it says that work goes on, not that all is well.
#[test]
fn what_is_refuted_gives_way_to_progress() {
    let start = Instant::now();
    for (reason, _, refute) in REFUTABLE {
        let world = World::new(start).reached().says(ConditionStatus::False, reason).with(refute);
        let ready = |now| world.pass(now, false).1.ready.map(|ready| ready.reason);
        let overdue = start + Times::PROGRESS;
        assert_eq!(around(overdue, ready), [None, Some(Reason::Progressing)], "{reason:?}");
    }
}

#[test]
fn a_duplicate_is_who_wants_to_own_and_does_not() {
    let start = Instant::now();
    let world = |older: fn(&mut Resource), wish| {
        let mut world = World::new(start);
        let mut first = Resource { uid: "older".into(), ..world.resource.clone() };
        older(&mut first);
        world.older = Some(first);
        world.resource.wish = wish;
        world.at(start).duplicate
    };
    assert!(world(|_| {}, Wish::Paused) && world(|_| {}, Wish::Active));
    assert!(!world(|_| {}, Wish::Unmanaged), "who only observes always may");
    assert!(!world(|older| older.wish = Wish::Unmanaged, Wish::Paused));
    assert!(!world(|older| older.deleting = true, Wish::Paused));
}
