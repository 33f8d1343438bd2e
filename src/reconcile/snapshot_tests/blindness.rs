//! Nothing that was seen too long ago is told as what is.

use proptest::prelude::*;

use super::{random::story, *};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// With no failure recorded, too: who waits for admission, for a probe or behind a `Retry-After` cannot look.
    #[test]
    fn who_has_not_looked_for_too_long_says_that_nothing_is_well(story in story(), part in 0.0..3.0) {
        let (world, now) = story.world(Instant::now());
        let entry = world.cache.get(&world.resource.deployment).unwrap();
        let looked_at = world.cache.looked_at(&world.resource.deployment).unwrap();
        let is_stalled = entry.observed.is_some_and(|seen| seen.answer.is_stalled());
        let patience = if is_stalled {
            world.times.slow_look() + world.times.grace()
        } else {
            world.times.longest_blindness()
        };
        let blind = now.max(looked_at + patience + patience.mul_f64(part));
        let (decision, settled) = world.pass(blind, story.is_waiting);
        prop_assert!(!decision.verdict.is_ready(), "{decision:?}");
        let is_well = settled.ready.is_none_or(|ready| ready.status == ConditionStatus::True);
        prop_assert!(!is_well || world.resource.deleting, "{decision:?} {settled:?}");
    }
}

#[test]
fn a_look_is_too_old_after_the_grace_and_a_poll_whatever_the_flags_say() {
    let start = Instant::now();
    for (poll, timeout) in [(1000, 100), (1000, 300_000), (30_000, 15_000), (3_600_000, 100)] {
        let times = Times {
            poll_interval: Duration::from_millis(poll),
            request_timeout: Duration::from_millis(timeout),
        };
        let world = World { times, ..World::seen(Answer::Paused(PausedBy::Hand), start).reached() };
        let blind = start + times.grace() + times.poll_interval;
        let says = |now| world.pass(now, false).1.ready.map(|ready| ready.reason);
        assert_eq!(around(blind, says), [Some(Reason::InSync), Some(Reason::RemoteUnavailable)]);
        assert_eq!(world.pass(blind, false).0.step, Step::Observe);
    }
}
