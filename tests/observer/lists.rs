//! When lists fail and single reads do not, when nothing that answers is the API, and when pages are
//! too large for a while.

use std::time::Duration;

use proptest::{collection::vec, prelude::*, sample::Index};
use qoder_operator::times::Times;
use qoder_simulator::{Dialect, Fault, Operation};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    bed::{Bed, Call, POLL, Read, in_virtual_time},
    log::{keep_log, log},
    world::{World, bound_worlds, cases, worlds},
};

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn where_lists_fail_everything_gets_a_look_of_its_own(
        world in bound_worlds(2..=60, 0..=100),
        // The last one is answered before the story ends.
        demands in vec((0..285_000_u64, any::<Index>()), 1..30),
        is_refused in any::<bool>(),
    ) {
        in_virtual_time(reads_one_by_one(&world, &demands, is_refused))?;
    }

    #[test]
    fn a_wrong_address_is_not_hammered(
        world in worlds(1..=120, 0..=100), after in prop_oneof![Just(0), 0..60_000_u64], is_forbidden in any::<bool>(),
    ) {
        in_virtual_time(is_not_hammered(&world, Duration::from_millis(after), is_forbidden))?;
    }
}

fn first_pages(calls: &[Call]) -> usize {
    let is_first = |call: &&Call| matches!(call.read, Read::List { is_first: true, .. });
    calls.iter().filter(is_first).count()
}

/// What was called in this poll.
fn in_poll(bed: &Bed, poll: u32) -> Vec<Call> {
    let span = POLL * poll..POLL * (poll + 1);
    bed.calls().into_iter().filter(|call| span.contains(&call.at)).collect()
}

async fn reads_one_by_one(
    world: &World,
    demands: &[(u64, Index)],
    is_refused: bool,
) -> Result<(), TestCaseError> {
    const BROKEN: u32 = 10;
    keep_log();
    let bed = Bed::new(world).await;
    // One page of each list makes no sense: the last one, if it has several.
    let pages = world.pages(world.deployments.len());
    if is_refused || pages == 1 {
        let fault = if is_refused { Fault::respond(403) } else { Fault::respond(200).html() };
        bed.simulator.inject(fault.on(Operation::List).always());
    } else {
        bed.trouble.lock().unwrap().later_pages = true;
    }
    bed.observe();
    let mut demands: Vec<_> =
        demands.iter().map(|(at, index)| (*at, index.get(&bed.ids))).collect();
    demands.sort();
    let mut demands = demands.into_iter().peekable();
    let mut demanded = Vec::new();
    for at in (0..).step_by(100).map(Duration::from_millis) {
        if at >= BROKEN * POLL {
            break;
        }
        while let Some((at, id)) = demands.next_if(|(next, _)| Duration::from_millis(*next) < at) {
            sleep_until(bed.start + Duration::from_millis(at)).await;
            demanded.push(bed.demand(id));
        }
        sleep_until(bed.start + at).await;
        // The first poll has found out what lists are worth: no later one makes anything unreadable.
        let is_unreadable = |id| bed.known(id).is_some_and(|entry| entry.failure.is_some());
        prop_assert!(at < POLL || !bed.ids.iter().any(is_unreadable), "after {:?}", at);
    }
    for demand in &demanded {
        let deadline = demand.since + world.promptly();
        prop_assert!(bed.is_met(demand, deadline), "{:?} at {:?}", demand, bed.start);
    }
    let said = "lists of deployments fail, and single reads are answered";
    prop_assert_eq!(log().matches(said).count(), 1, "{}", log());
    prop_assert!(!log().contains("are tried again"));
    for poll in 1..BROKEN {
        prop_assert_eq!(first_pages(&in_poll(&bed, poll)), 1, "poll {}", poll);
    }
    let last_poll = bed.start + (BROKEN - 1) * POLL;
    for id in &bed.ids {
        let seen = bed.known(id).unwrap().observed.unwrap();
        prop_assert!(seen.started >= last_poll, "{:?}", id);
    }

    // The next poll finds out that lists work again.
    bed.simulator.clear_faults();
    bed.trouble.lock().unwrap().later_pages = false;
    sleep_until(bed.start + (BROKEN + 3) * POLL - Duration::from_millis(1)).await;
    prop_assert_eq!(log().matches("lists of deployments are tried again").count(), 1);
    let gets = |calls: Vec<Call>| calls.iter().any(|call| matches!(call.read, Read::Get(_)));
    prop_assert!(!gets(in_poll(&bed, BROKEN + 1)) && !gets(in_poll(&bed, BROKEN + 2)));
    bed.check_pages()
}

async fn is_not_hammered(
    world: &World,
    after: Duration,
    is_forbidden: bool,
) -> Result<(), TestCaseError> {
    let bed = Bed::new(world).await;
    let wrong = Fault::respond(if is_forbidden { 403 } else { 404 }).html().always();
    if after.is_zero() {
        bed.simulator.inject(wrong.clone());
    }
    bed.observe();
    sleep(after).await;
    bed.simulator.inject(wrong);
    sleep(40 * POLL).await;
    let bound = world.count(|_, is_bound| is_bound);
    let first = u32::try_from(after.as_secs() / POLL.as_secs()).unwrap() + 1;
    for poll in first..first + 39 {
        let calls = in_poll(&bed, poll).len();
        // A list and one look; or, if it is so few that lists are not worth it, a look at each with the
        // poll, and another one of each that the backoff brings: five while it is short.
        let again = if poll < first + 2 { 5 } else { 1 };
        let is_listed = first_pages(&in_poll(&bed, poll)) > 0;
        let looks = if is_listed { 1 } else { bound * (1 + again) };
        prop_assert!(calls <= 1 + looks, "{} calls in poll {}", calls, poll);
    }
    Ok(())
}

#[test]
fn pages_get_smaller_down_to_ten_and_are_full_again_after_some_full_polls() {
    in_virtual_time(async {
        let world = World { dialect: Dialect::D1, ..World::of(vec![(false, true); 60], 1000) };
        let bed = Bed::new(&world).await;
        bed.observe();
        sleep(POLL / 2).await;
        bed.trouble.lock().unwrap().too_large = 10;
        let limits = |from: Duration| {
            let calls = bed.calls().into_iter().filter(move |call| call.at >= from);
            let limits = calls.filter_map(|call| match call.read {
                Read::List { limit, .. } => Some(limit),
                Read::Get(_) | Read::Write => None,
            });
            limits.collect::<Vec<_>>()
        };
        sleep(4 * POLL).await;
        assert_eq!(bed.trouble.lock().unwrap().too_large, 0, "it is over");
        let tried = limits(POLL / 2);
        assert_eq!(tried[..8], [1000, 500, 250, 125, 62, 31, 15, 10]);
        assert!(tried.iter().all(|limit| *limit >= 10), "{tried:?}");
        for id in &bed.ids {
            let seen = bed.known(id).unwrap().observed.unwrap();
            assert!(Instant::now() - seen.valid_from <= 5 * POLL);
        }

        // Each full poll that is complete tries pages of twice the size.
        let over = bed.start.elapsed();
        sleep(POLL * Times::FULL_POLL * 8).await;
        let tried = limits(over);
        assert!(tried.is_sorted(), "{tried:?}");
        assert_eq!(tried.last(), Some(&1000), "{tried:?}");
    });
}

/// So many active deployments, all bound, and pages of a hundred without latency.
fn active(count: usize) -> World {
    World::of(vec![(false, true); count], 100)
}

/// The pages that were asked for, and how many of them were first ones.
fn pages(bed: &Bed) -> (usize, usize) {
    let calls = bed.calls();
    let lists = calls.iter().filter(|call| matches!(call.read, Read::List { .. })).count();
    (lists, first_pages(&calls))
}

#[test]
fn a_page_that_is_throttled_once_is_asked_for_again_and_twice_ends_the_list() {
    in_virtual_time(async {
        for (times, is_whole, expected) in [(1, true, (6, 1)), (2, false, (4, 1))] {
            let bed = Bed::new(&active(450)).await;
            let throttle = Fault::respond(429).header("retry-after", "1").on(Operation::List);
            // The first page is refused for its size, which leads to pages of a hundred.
            bed.simulator.inject(throttle.skip(3).times(times));
            bed.observe();
            sleep(POLL / 6).await;
            let seen = bed.ids.iter().filter(|id| bed.answer(id).is_some()).count();
            assert_eq!(seen == bed.ids.len(), is_whole, "{times}");
            let (all, first) = pages(&bed);
            // The one that was too large is a first page, too.
            assert_eq!((all - 1, first - 1), expected, "{times}: {:?}", bed.calls());
        }
    });
}

#[test]
fn a_list_that_leads_back_to_itself_or_never_ends_is_given_up() {
    for (fault, expected) in [(Fault::cursor_loop(), 2), (Fault::endless_pages(), 2001)] {
        in_virtual_time(async {
            keep_log();
            let bed = Bed::new(&active(20)).await;
            bed.simulator.inject(fault.skip(1));
            bed.observe();
            while !log().contains("has no end") {
                sleep(Duration::from_secs(1)).await;
                assert!(bed.start.elapsed() < 10 * POLL, "it goes on for ever");
            }
            // The first page was refused for its size; what comes after the next first page is another list.
            let calls = bed.calls();
            let mut lists =
                calls.split(|call| matches!(call.read, Read::List { is_first: true, .. }));
            let list = lists.nth(2).unwrap();
            let later = list.iter().filter(|call| matches!(call.read, Read::List { .. }));
            assert_eq!(1 + later.count(), expected);
        });
    }
}

#[test]
fn while_a_page_hangs_for_long_each_deployment_gets_a_look_in_each_poll_interval() {
    in_virtual_time(async {
        let second = Duration::from_secs(1);
        let times = Times { poll_interval: 10 * second, request_timeout: 60 * second };
        let bed = Bed::with(&World { dialect: Dialect::D1, ..active(60) }, times).await;
        bed.simulator.inject(Fault::hang_before().on(Operation::List));
        bed.observe();
        sleep(59 * second).await;
        for id in &bed.ids {
            let is_its = |call: &Call| call.read == Read::Get(id.as_str().to_owned());
            let looks: Vec<_> =
                bed.calls().into_iter().filter(is_its).map(|call| call.at.as_secs()).collect();
            // A standstill of 2 s, and then once in 10 s, one after the other.
            let each_is_in_its_turn = looks.iter().enumerate().all(|(turn, at)| {
                let begin = 2 + 10 * u64::try_from(turn).unwrap();
                (begin..begin + 10).contains(at)
            });
            assert!(looks.len() == 6 && each_is_in_its_turn, "{looks:?}");
        }
    });
}

/// A look that hangs since before the list failed shows nothing of lists. Two seconds after its begin another one is
/// sent in its place, and not only with the next poll.
#[test]
fn a_look_that_hangs_does_not_stand_in_for_the_one_that_explores() {
    in_virtual_time(async {
        let bed = Bed::new(&active(450)).await;
        bed.observe();
        sleep(POLL * 59 / 60).await;
        bed.simulator.inject(Fault::hang_before().on(Operation::Get));
        bed.simulator.inject(Fault::respond(503).on(Operation::List).always());
        bed.demand(&bed.ids[0]);
        sleep(Duration::from_millis(500)).await;
        let list_failed = Instant::now();
        sleep(Duration::from_millis(100)).await;
        bed.demand(&bed.ids[1]);
        sleep_until(list_failed + Duration::from_millis(1600)).await;
        let calls = bed.calls();
        let gets = calls.iter().filter(|call| matches!(call.read, Read::Get(_)));
        let at: Vec<_> = gets.map(|call| call.at.as_millis()).collect();
        assert_eq!(at[..2], [29_520, 31_520], "{at:?}");
    });
}

/// Lists are refused, so each deployment is read by itself. Then the address leads to something else: after a few
/// GETs, a list and one GET in a poll show whether it is over. An API whose answers make no sense is still it.
#[test]
fn gets_that_something_else_answers_become_few() {
    in_virtual_time(async {
        for (is_the_api, expected) in [(true, [355, 63, 61]), (false, [25, 2, 2])] {
            let bed = Bed::new(&active(60)).await;
            bed.simulator.inject(Fault::respond(403).on(Operation::List).always());
            bed.observe();
            sleep(POLL / 2).await;
            let fault =
                if is_the_api { Fault::respond(200).html() } else { Fault::respond(404).html() };
            bed.simulator.inject(fault.on(Operation::Get).always());
            sleep(4 * POLL).await;
            let calls: Vec<_> = (1..4).map(|poll| in_poll(&bed, poll).len()).collect();
            assert_eq!(calls, expected, "{is_the_api}");
        }
    });
}
