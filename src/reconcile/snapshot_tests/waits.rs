//! What a resource that is not done waits for.

use super::*;
use crate::reconcile::waiting::Hindrance;

const PENDING: [Reason; 2] = [Reason::PausePending, Reason::ResumePending];

/// Where those that wait for their turn do not stand still.
fn calm(world: &World, now: Instant) -> Snapshot {
    let mut snapshot = world.snapshot(now);
    snapshot.view.is_stuck = false;
    snapshot
}

fn last_try(outcome: Outcome) -> Hindrance {
    Hindrance::LastTry(LastTry { outcome, code: None })
}

#[test]
fn what_a_pending_write_waits_for_is_named_the_account_first() {
    let start = Instant::now();
    let check = |world: &World, expected| {
        for reason in PENDING {
            let named = calm(world, start).hindrance(&world.resource, reason);
            assert_eq!(named, expected, "{reason:?}");
        }
    };
    let mut world = World::seen(Answer::Active, start);
    check(&world, None);
    for outcome in [
        Outcome::NotAsAsked,
        Outcome::NotSent,
        Outcome::Unread,
        Outcome::Conflict,
        Outcome::Unauthorized,
        Outcome::NotTheApi,
        Outcome::Refused,
    ] {
        let mut world = world.clone();
        world.write_ends(outcome, Verb::Pause, start);
        check(&world, Some(last_try(outcome)));
    }
    world.write_ends(Outcome::NotTheApi, Verb::Pause, start);
    let mut begun = world.clone();
    begun.write_begins(Verb::Pause, start);
    check(&begun, None);
    begun.write_begins(Verb::Pause, start - Times::STANDSTILL);
    check(&begun, Some(last_try(Outcome::NotTheApi)));
    let mut first = World::seen(Answer::Active, start);
    first.write_ends(Outcome::Unread, Verb::Pause, start);
    first.write_begins(Verb::Pause, start - Times::STANDSTILL);
    check(&first, Some(Hindrance::UnderWay));
    for obstacle in [Obstacle::Throttled, Obstacle::Outage] {
        world.obstacle = Some(obstacle);
        check(&world, Some(Hindrance::Obstacle(obstacle)));
    }
    world.obstacle = None;
    world.resource.generation += 1;
    // That was the try of another generation.
    check(&world, None);
}

#[test]
fn a_lost_request_of_the_opposite_is_waited_for_and_one_of_the_same_kind_is_the_last_try() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    world.write_ends(Outcome::Ambiguous, Verb::Unpause, start);
    let hindrance = |world: &World, reason, after| {
        calm(world, start + after).hindrance(&world.resource, reason)
    };
    let may_land = Some(Hindrance::MayLand(Verb::Unpause));
    assert_eq!(hindrance(&world, Reason::PausePending, SECOND), may_land);
    assert_eq!(
        hindrance(&world, Reason::ResumePending, SECOND),
        Some(last_try(Outcome::Ambiguous))
    );
    let over = world.times.request_lifetime();
    assert_eq!(hindrance(&world, Reason::PausePending, over), Some(last_try(Outcome::Ambiguous)));
}

#[test]
fn where_no_write_is_served_each_waits_for_its_turn() {
    let start = Instant::now();
    let snapshot = World::seen(Answer::Active, start).snapshot(start);
    assert!(snapshot.view.is_stuck);
    let resource = Arc::clone(&snapshot.bound[0]);
    for reason in PENDING {
        assert_eq!(snapshot.hindrance(&resource, reason), Some(Hindrance::Turn));
    }
    assert_eq!(snapshot.hindrance(&resource, Reason::Progressing), None);
}

#[test]
fn what_cannot_be_read_names_its_first_error_or_what_keeps_all_reads_back() {
    let start = Instant::now();
    let unread = [Reason::RemoteUnavailable, Reason::RemoteAnswerInvalid];
    let mut world = World::seen(Answer::Active, start);
    world.obstacle = Some(Obstacle::Throttled);
    let check = |world: &World, reasons: &[Reason], expected| {
        for reason in reasons {
            let named = calm(world, start).hindrance(&world.resource, *reason);
            assert_eq!(named, expected, "{reason:?}");
        }
    };
    check(&world, &unread, Some(Hindrance::Obstacle(Obstacle::Throttled)));
    check(&world, &[Reason::Progressing], Some(Hindrance::Obstacle(Obstacle::Throttled)));
    world.fails(start + SECOND, SECOND);
    check(&world, &unread, Some(Hindrance::FirstRead("503")));
    let mut rejected = world.clone();
    rejected.credential.worth = Worth::Rejected { since: start };
    check(&rejected, &unread, Some(Hindrance::FirstRead("401")));
    world.write_begins(Verb::Pause, start - Times::STANDSTILL);
    check(&world, &[Reason::Progressing], Some(Hindrance::UnderWay));
}

#[test]
fn why_there_is_no_token_is_named() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    let named =
        |world: &World| calm(world, start).hindrance(&world.resource, Reason::CredentialMissing);
    assert_eq!(named(&world), None);
    for problem in [TokenProblem::NoFile, TokenProblem::Denied] {
        world.credential.worth = Worth::Missing(problem);
        assert_eq!(named(&world), Some(Hindrance::Token(problem)));
    }
}

#[test]
fn a_refusal_names_its_answer_and_what_is_done_waits_for_nothing() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    world.write_ends(Outcome::Refused, Verb::Pause, start);
    world.obstacle = Some(Obstacle::Outage);
    let waits = [
        Reason::Progressing,
        Reason::PausePending,
        Reason::ResumePending,
        Reason::RemoteUnavailable,
        Reason::RemoteAnswerInvalid,
    ];
    for reason in Reason::ALL.iter().copied().filter(|reason| !waits.contains(reason)) {
        let expected = (reason == Reason::WriteRefused).then_some(last_try(Outcome::Refused));
        let named = calm(&world, start).hindrance(&world.resource, reason);
        assert_eq!(named, expected, "{reason:?}");
    }
}

#[test]
fn after_an_unclean_start_every_verb_may_land_but_the_one_that_a_status_in_sync_rules_out() {
    let start = Instant::now();
    let until = start + TIMES.request_lifetime();
    let may_land = |world: &World, now| {
        let situation = world.at(now);
        (situation.pause_may_land, situation.unpause_may_land)
    };
    let clean = World::seen(Answer::Active, start);
    assert_eq!(may_land(&clean, start), (false, false));
    let unclean = clean.with(|world| world.presumed_until = Some(until));
    let in_sync = unclean.clone().says(ConditionStatus::True, Reason::InSync);
    let active = in_sync.clone().with(|world| world.resource.wish = Wish::Active);
    let older = in_sync.clone().with(|world| world.resource.generation += 1);
    for (world, expected) in [
        (&unclean, (true, true)),
        (&in_sync, (true, false)),
        (&active, (false, true)),
        (&older, (true, true)),
        (&unclean.clone().says(ConditionStatus::True, Reason::DriftTolerated), (true, true)),
    ] {
        assert_eq!(may_land(world, start), expected);
        assert_eq!(may_land(world, until - TICK), expected);
        assert_eq!(may_land(world, until), (false, false));
        assert_eq!(world.knowledge(until), Knowledge::Nothing, "a look from before is void");
    }
}

#[test]
fn whoever_waits_for_its_first_look_in_a_list_is_told_three_seconds_after_its_last_page() {
    let start = Instant::now();
    let list = |started, moved| {
        move |world: &mut World| world.list = Some(ListProgress { started, moved })
    };
    let check = |world: &World, at: Instant| {
        assert!(!world.at(at - TICK).overdue);
        assert!(world.at(at).overdue);
        assert_eq!(world.snapshot(at - TICK).next_change(&world.resource, false), Some(at));
    };
    let world = World::new(start);
    let usual = start + Times::PROGRESS;
    let moved = start + 7 * SECOND;
    check(&world, usual);
    check(&world.clone().with(list(start, moved)), moved + Times::PROGRESS);
    // It began too early to show what is asked for, or has come no further than that was asked.
    check(&world.clone().with(list(start - TICK, moved)), usual);
    check(&world.clone().with(list(start, start)), usual);

    // Its turn was there, or it was seen before: what it waits for may be something else.
    for at in [start + SECOND, start - SECOND] {
        let world = || world.clone().with(list(start, moved));
        assert!(world().with(|world| world.sees(Answer::Active, at)).at(usual).overdue);
        assert!(world().with(|world| world.fails(at, 60 * SECOND)).at(usual).overdue);
    }
}

#[test]
fn before_its_term_begins_nobody_is_late() {
    let start = Instant::now();
    let term = start + 60 * SECOND;
    let world = World::new(start).with(|world| world.cache.forget_looks(term));
    let late = term + Times::PROGRESS;
    assert!(!world.at(term).overdue && !world.at(late - TICK).overdue);
    assert!(world.at(late).overdue);
    assert_eq!(world.snapshot(term).next_change(&world.resource, false), Some(late));

    // A list of the term before has come on in it.
    let list = ListProgress { started: start, moved: start + SECOND };
    assert!(!world.with(|world| world.list = Some(list)).at(late - TICK).overdue);
}
