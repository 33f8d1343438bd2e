//! Each boundary of time that a snapshot knows is told, and looking again is never for nothing.

use proptest::prelude::*;

use super::{random::story, *};

#[test]
fn each_time_to_look_again_is_the_end_of_what_it_waits_for() {
    let start = Instant::now();
    let now = start + STEP;
    let calm = World::seen(Answer::Active, start).reached();
    assert_eq!(calm.next_change(now), None);
    let fresh = World::seen(Answer::Active, start);
    let next = |told| fresh.snapshot(now).next_change(&fresh.resource, told);
    assert_eq!(next(false), Some(start + Times::PROGRESS));
    assert_eq!(next(true), None);

    let check = |expected, change: &dyn Fn(&mut World)| {
        assert_eq!(calm.clone().with(change).next_change(now), Some(expected));
    };
    check(start + TIMES.slow_look(), &|world| world.sees(Answer::NotFound, start));
    check(start + TIMES.grace(), &|world| {
        world.credential.worth = Worth::Rejected { since: start };
    });
    check(start + TIMES.hold(0), &|world| world.is_contested(start));
    check(start - STEP + TIMES.slow_look(), &|world| {
        world.write_ends(Outcome::Refused, Verb::Pause, start - STEP);
    });
    check(start + Times::STANDSTILL, &|world| world.write_begins(Verb::Pause, start));
}

#[test]
fn a_failed_read_is_looked_at_when_its_retry_is_due_or_its_grace_ends() {
    let start = Instant::now();
    let [soon, late] = [STEP, 2 * TIMES.longest_blindness()];
    let world = World::new(start);
    assert_eq!(world.next_change(start), None, "nothing has failed");
    let failed = |retry| world.clone().with(|world| world.fails(start, retry));
    assert_eq!(failed(soon).next_change(start), Some(start + soon));
    let failed = failed(late);
    let grace_end = start + TIMES.longest_blindness();
    assert_eq!(
        around(grace_end, |now| failed.next_change(now)),
        [Some(grace_end), Some(start + late)]
    );
}

#[test]
fn a_write_that_waits_is_looked_at_when_each_of_its_reasons_ends() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    assert_eq!(world.next_change(start), None, "nothing holds it back");
    world.write_ends(Outcome::Ambiguous, Verb::Unpause, start);
    let backoff = start + SECOND;
    let lost = start + TIMES.request_lifetime();
    assert_eq!(around(backoff, |now| world.next_change(now)), [Some(backoff), Some(lost)]);
    assert_eq!(around(lost, |now| world.next_change(now)), [Some(lost), None]);
}

#[test]
fn a_stalled_deployment_that_nobody_can_look_at_is_not_forgotten() {
    let start = Instant::now();
    let look = start + TIMES.slow_look();
    for answer in [Answer::NotFound, Answer::UnknownStatus] {
        let world = World::seen(answer, start).reached();
        let blind = look + TIMES.grace();
        assert_eq!(around(look, |now| world.next_change(now)), [Some(look), Some(blind)]);
        let failed = world.clone().with(|world| world.fails(look, 4 * TIMES.grace()));
        assert_eq!(failed.next_change(look), Some(blind));
        assert_eq!(
            around(blind, |now| failed.knowledge(now)),
            [Age::WithinGrace, Age::Stale].map(|age| super::failed(age, false))
        );
    }
}

/// Worlds that wait for a time, for which, and the verdict.
fn waiting_worlds(start: Instant) -> Vec<(World, Instant, Verdict)> {
    let active = || World::seen(Answer::Active, start);
    let failure = Verdict::Unreadable(ReadFailure::Unavailable, Age::WithinGrace);
    let rejected = Verdict::Unreadable(ReadFailure::Unauthorized, Age::WithinGrace);
    let pending = Verdict::Pending(Verb::Pause);
    let slow_look = start + TIMES.slow_look();
    let backoff = start + SECOND;
    let late = 2 * TIMES.longest_blindness();
    let ends = |outcome, verb| move |world: &mut World| world.write_ends(outcome, verb, start);
    vec![
        (World::new(start), start + Times::PROGRESS, Verdict::Observing),
        (World::new(start).with(|world| world.fails(start, STEP)), start + STEP, failure),
        (
            active().reached().with(|world| world.fails(start + STEP, late)),
            start + TIMES.longest_blindness(),
            failure,
        ),
        (
            active().with(|world| world.credential.worth = Worth::Rejected { since: start }),
            start + TIMES.grace(),
            rejected,
        ),
        (World::seen(Answer::Forbidden, start), slow_look, Verdict::Forbidden),
        (World::seen(Answer::NotFound, start), slow_look, Verdict::NotFound),
        (World::seen(Answer::Archived, start), slow_look, Verdict::Archived),
        (World::seen(Answer::UnknownStatus, start), slow_look, Verdict::UnknownStatus),
        (active().with(ends(Outcome::Refused, Verb::Pause)), slow_look, Verdict::WriteRefused),
        (
            active().reached().with(|world| world.is_contested(start)),
            start + TIMES.hold(0),
            Verdict::Contested,
        ),
        (active().with(ends(Outcome::NotSent, Verb::Pause)), backoff, pending),
        (active().with(ends(Outcome::Ambiguous, Verb::Unpause)), backoff, pending),
        (
            World::seen(Answer::Paused(PausedBy::Hand), start)
                .with(ends(Outcome::Ambiguous, Verb::Unpause)),
            // Then it is overdue, and then the lost request can land no more.
            backoff,
            Verdict::MayStillChange,
        ),
    ]
}

/// No hot loop: whoever looks again when told to, finds something else.
#[test]
fn looking_again_when_told_to_really_changes_the_situation() {
    let start = Instant::now();
    for (world, next, verdict) in waiting_worlds(start) {
        let (decision, settled) = world.pass(start, false);
        assert_eq!(decision.verdict, verdict);
        let told = settled.ready.is_some();
        assert_eq!(
            world.snapshot(start).next_change(&world.resource, told),
            Some(next),
            "{verdict:?}"
        );
        looks(world, start);
    }
}

/// Looks, and looks again when told to, until there is nothing more to wait for.
fn looks(mut world: World, start: Instant) {
    let mut now = start;
    for _ in 0..9 {
        let (_, settled) = world.pass(now, false);
        let next = world.snapshot(now).next_change(&world.resource, settled.ready.is_some());
        world = world.after(settled, true);
        let before = world.at(now);
        let Some(next) = next else { return };
        assert!(next > now);
        now = next;
        assert_ne!(world.at(now), before, "the same at {:?}, told so by {settled:?}", now - start);
        // From here on it is the business of the observer, or of the account.
        if world.pass(now, false).0.step != Step::Nothing {
            return;
        }
    }
    panic!("it is looked at again and again: {:#?}", world.at(now));
}

#[test]
fn a_refusal_that_is_over_is_nothing_to_wait_for() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    world.write_ends(Outcome::Refused, Verb::Pause, start);
    world.sees(Answer::NotFound, start + STEP);
    let look = start + STEP + TIMES.slow_look();
    world.sees(Answer::NotFound, look);
    looks(world, look);
}

/// Times between two, and every time that anything could be counted to.
fn instants(story_start: Instant, now: Instant, end: Instant, world: &World) -> Vec<Instant> {
    let times = &world.times;
    let spans = [
        Times::PROGRESS,
        Times::STANDSTILL,
        Times::ECHO,
        times.poll_interval,
        times.grace(),
        times.longest_blindness(),
        times.slow_look(),
        times.slow_look() + times.grace(),
        times.hold(0),
        times.hold(1),
        times.hold_memory(),
        times.request_lifetime(),
        times.backoff(0, 0.0),
        times.backoff(1, 0.0),
    ];
    let last = now.max(end - TICK);
    let between = (1..8).map(|part| now + (last - now) * part / 8);
    let counted = spans.into_iter().flat_map(|span| [story_start + span, now + span]);
    let near = counted.flat_map(|at| [at - TICK, at, at + TICK]);
    let all = between.chain(near).chain([now + TICK, last]);
    all.filter(|at| (now + TICK..=last).contains(at)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Until the next change that is told, nothing changes: neither what is done nor what is said.
    #[test]
    fn between_two_changes_nothing_changes(story in story()) {
        let start = Instant::now();
        let (mut world, mut now) = story.world(start);
        // One change after the other, as the work queue would look again.
        for _ in 0..12 {
            let (_, settled) = world.pass(now, story.is_waiting);
            let is_told = settled.ready.is_some() && story.is_published;
            let seen = world.snapshot(now);
            let next = seen.next_change(&world.resource, is_told);
            prop_assert!(next.is_none_or(|next| next > now), "a look again in the past");
            world = world.after(settled, story.is_published);

            // What a poll should have renewed, and did not, is told by the remote: where it polls, nothing is.
            let is_told = seen.has_failed() || seen.is_stalled();
            let is_polled = story.is_polled && !is_told && seen.is_observed();
            let polled = |at| world.clone().with(|world| {
                if is_polled {
                    world.lists(at);
                }
            });
            let blind = seen.sight_end().filter(|end| !is_polled && !is_told && *end > now);
            let for_ever = now + 400 * world.times.poll_interval + 40 * world.times.request_timeout;
            let end = [next, blind].into_iter().flatten().min().unwrap_or(for_ever);
            let before = polled(now).pass(now, story.is_waiting);
            for at in instants(start, now, end, &world) {
                let after = polled(at).pass(at, story.is_waiting);
                prop_assert_eq!(after, before, "{:?} of {:?} {:#?}", at - now, end - now, world.at(at));
            }
            let Some(next) = next else { return Ok(()) };
            now = next;
        }
        prop_assert!(false, "it is looked at again and again");
    }

    /// What was just said is not taken back by a second look at the same moment.
    #[test]
    fn a_second_look_at_the_same_moment_says_the_same(story in story()) {
        let (world, now) = story.world(Instant::now());
        let (_, settled) = world.pass(now, story.is_waiting);
        let again = world.after(settled, true).pass(now, story.is_waiting).1;
        // Who says that work goes on may be done with it.
        let Some(told) = settled.ready.filter(|ready| ready.kind != Kind::Reconciling) else {
            return Ok(());
        };
        prop_assert!(again.ready.is_none_or(|ready| ready == told), "{told:?}, then {again:?}");
    }

    /// Where nothing hides it, each look again finds another situation.
    #[test]
    fn a_look_again_finds_another_situation(story in story()) {
        let (world, now) = story.world(Instant::now());
        let (_, settled) = world.pass(now, story.is_waiting);
        let seen = world.snapshot(now);
        let is_fresh = matches!(world.knowledge(now), Knowledge::Known { fresh: true, .. });
        let is_hidden = !is_fresh || seen.view.writes.under_way_since().is_some();
        let told = settled.ready.is_some() && story.is_published;
        let Some(next) = seen.next_change(&world.resource, told).filter(|_| !is_hidden) else {
            return Ok(());
        };
        let world = world.after(settled, told);
        prop_assert_ne!(world.at(next), world.at(now));
    }
}
