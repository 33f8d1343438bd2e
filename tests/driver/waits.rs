//! Who waits says so, and for what; and is woken. One burst of refusals is one event.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use qoder_simulator::{Fault, Operation};
use tokio::time::Instant;

use crate::{
    bed::{Bed, POLL, Setup, TIMES, in_virtual_time},
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

/// `n` resources, `r0` and so on, in sync with active deployments.
pub async fn fleet(n: usize) -> Bed {
    fleet_of(n, Setup::with(n)).await
}

/// The same on a bed that begins so.
pub async fn fleet_of(n: usize, setup: Setup) -> Bed {
    let mut bed = Bed::prepare(setup).await;
    bed.run();
    for i in 0..n {
        bed.apply(&format!("r{i}"), i, Some(false));
    }
    for i in 0..n {
        bed.until(&format!("r{i}"), "True InSync", 2 * SECOND).await;
    }
    bed.forget();
    bed
}

#[test]
fn a_list_that_is_throttled_for_ten_minutes_is_told_within_four_polls_and_heals() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.inject(Fault::respond(429).header("retry-after", "600").on(Operation::List));
        bed.pass(POLL + SECOND).await;
        assert_eq!(bed.ready("r1"), "True InSync", "within the grace");
        bed.pass(4 * POLL).await;
        for name in ["r0", "r1", "r2"] {
            assert_eq!(bed.ready(name), "Unknown RemoteUnavailable");
        }
        // A wish of now says within three seconds that it waits.
        bed.flip("r0", true);
        bed.pass(3 * SECOND + SECOND / 2).await;
        assert_eq!(bed.ready("r0"), "Unknown RemoteUnavailable");
        bed.pass(600 * SECOND).await;
        for name in ["r0", "r1", "r2"] {
            assert_eq!(bed.ready(name), "True InSync");
        }
        assert_eq!(bed.writes(), ["pause 0 200"]);
        assert_eq!(bed.calls()[0], "list 429");
    });
}

#[test]
fn a_write_that_is_throttled_says_within_three_seconds_that_it_waits_and_for_what() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.inject(Fault::respond(429).header("retry-after", "60").on(Operation::Pause));
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync*", "the generation says that it is not answered");
        bed.pass(2 * SECOND + SECOND / 2).await;
        assert_eq!(bed.ready("r0"), "False PausePending");
        assert!(bed.message("r0").contains("429"), "{}", bed.message("r0"));
        // Another one's wish, which has not met the 429, says the same.
        bed.flip("r1", true);
        bed.pass(3 * SECOND + SECOND / 2).await;
        assert_eq!(bed.ready("r1"), "False PausePending");
        assert!(bed.message("r1").contains("429"), "{}", bed.message("r1"));
        bed.until("r0", "True InSync", 60 * SECOND).await;
        bed.until("r1", "True InSync", 5 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 429", "pause 0 200", "pause 1 200"]);
    });
}

#[test]
fn ten_flips_in_flight_that_are_throttled_are_one_step_of_the_wait() {
    in_virtual_time(async {
        let bed = fleet(10).await;
        bed.simulator.inject(Fault::respond(429).on(Operation::Pause).times(10));
        let held = bed.wire.hold(Kind::Write, Moment::After);
        let start = Instant::now();
        for i in 0..10 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(SECOND).await;
        assert_eq!(bed.wire.sent(Kind::Write).len(), 10, "all in flight");
        held.release();
        bed.pass(SECOND / 100).await;
        let refused = Instant::now();
        for i in 0..10 {
            bed.until(&format!("r{i}"), "True InSync", 20 * SECOND).await;
        }
        let next = bed.wire.sent(Kind::Write)[10];
        assert!(next - refused <= SECOND, "{:?}", next - start);
        assert_eq!(bed.writes().len(), 20, "{:?}", bed.writes());
    });
}

#[test]
fn six_401s_in_flight_are_one_and_the_next_probe_comes_after_one_poll() {
    in_virtual_time(async {
        let bed = fleet(6).await;
        bed.simulator.inject(Fault::respond(401).on(Operation::Pause).times(6));
        let held = bed.wire.hold(Kind::Write, Moment::After);
        for i in 0..6 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(SECOND).await;
        assert_eq!(bed.wire.sent(Kind::Write).len(), 6, "all in flight");
        held.release();
        // A hiccup: the token is good again when the probe comes.
        bed.pass(POLL + 5 * SECOND).await;
        for i in 0..6 {
            assert_eq!(bed.ready(&format!("r{i}")), "True InSync");
        }
    });
}

#[test]
fn a_hanging_unpause_keeps_nobody_from_being_told() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        let held = bed.wire.hold(Kind::Write, Moment::Before);
        // More than there are workers: they hang all at once.
        for i in 0..18 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(3 * SECOND + SECOND / 2).await;
        for i in 0..18 {
            assert_eq!(bed.ready(&format!("r{i}")), "False PausePending", "r{i}");
        }
        // A new generation during the call is told of as well.
        bed.flip("r3", false);
        bed.annotate("r18", "reconcile-requested-at", "now");
        bed.pass(3 * SECOND + SECOND / 2).await;
        assert!(!bed.ready("r3").ends_with('*'), "{}", bed.ready("r3"));
        let handled = &bed.object("r18")["status"]["lastHandledReconcileRequest"];
        assert_eq!(handled, "now", "others are served meanwhile");
        held.release();
        for i in 0..20 {
            bed.until(&format!("r{i}"), "True InSync", 3 * POLL).await;
        }
        assert_eq!(bed.remote(3), "active");
    });
}

#[test]
fn a_retry_after_on_503_is_heeded() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let sorry = Fault::respond(503).header("retry-after", "20").on(Operation::Pause);
        bed.simulator.inject(sorry);
        let start = Instant::now();
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 2 * POLL + TIMES.request_lifetime()).await;
        let after: Vec<_> = bed.wire.sent(Kind::Write).iter().map(|at| *at - start).collect();
        let reads: Vec<_> = [Kind::Get, Kind::List]
            .into_iter()
            .flat_map(|kind| bed.wire.sent(kind))
            .filter(|at| *at > start)
            .map(|at| at - start)
            .collect();
        assert!(reads.iter().all(|at| *at >= 20 * SECOND), "{reads:?}");
        assert!(after[1] >= 20 * SECOND, "{after:?}");
    });
}

#[test]
fn whatever_the_poll_interval_and_the_timeout_a_hang_is_told_within_four_polls() {
    for (poll, timeout) in [(1, 15), (10, 15), (30, 15), (30, 300), (300, 1), (3600, 300)] {
        in_virtual_time(async {
            let (poll, timeout) = (Duration::from_secs(poll), Duration::from_secs(timeout));
            let mut setup = Setup::with(3);
            setup.times.poll_interval = poll;
            setup.times.request_timeout = timeout;
            let mut bed = Bed::prepare(setup).await;
            bed.run();
            for i in 0..3 {
                bed.apply(&format!("r{i}"), i, Some(false));
            }
            bed.pass(poll * 3).await;
            assert_eq!(bed.ready("r0"), "True InSync");
            let held = bed.wire.hold(Kind::List, Moment::Before);
            let gets = bed.wire.hold(Kind::Get, Moment::Before);
            bed.pass(poll * 4 + Duration::from_millis(100)).await;
            for i in 0..3 {
                let ready = bed.ready(&format!("r{i}"));
                assert_eq!(ready, "Unknown RemoteUnavailable", "P {poll:?}, T {timeout:?}");
            }
            held.release();
            gets.release();
            for i in 0..3 {
                let latest = timeout + 2 * poll.max(60 * SECOND);
                bed.until(&format!("r{i}"), "True InSync", latest).await;
            }
        });
    }
}

#[test]
fn after_an_outage_at_any_poll_interval_a_flip_is_not_kept_waiting_for_long() {
    in_virtual_time(async {
        let mut setup = Setup::with(2);
        setup.times.poll_interval = Duration::from_secs(3600);
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        bed.apply("r0", 0, Some(false));
        bed.apply("r1", 1, Some(false));
        bed.until("r0", "True InSync", 2 * SECOND).await;
        bed.simulator.inject(Fault::respond(503).always());
        bed.flip("r0", true);
        bed.pass(300 * SECOND).await;
        bed.simulator.clear_faults();
        bed.until("r0", "True InSync", 3 * 60 * SECOND).await;
    });
}

#[test]
fn a_pass_that_fails_is_tried_again_and_again_after_twice_the_wait() {
    in_virtual_time(async {
        let bed = fleet(1).await;
        for round in 0..2 {
            let rule = bed.server.on(Match::status_patches()).always().fail(Failure::internal());
            let before = bed.status_writes("r0").len();
            bed.flip("r0", round == 0);
            bed.pass(20 * SECOND).await;
            let tries: Vec<_> = bed.status_writes("r0").iter().map(|entry| entry.at).collect();
            let waits: Vec<_> =
                tries[before..].windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
            // 1, 2, 4, 8 s and so on, each up to a quarter shorter; and once when the status is overdue.
            assert!((4..=5).contains(&waits.len()), "round {round}: {waits:?}");
            assert!((SECOND * 3 / 4..=SECOND).contains(&waits[0]), "round {round}: {waits:?}");
            assert!((6 * SECOND..=16 * SECOND).contains(&waits[waits.len() - 1]), "{waits:?}");
            rule.lift();
            bed.until("r0", "True InSync", 20 * SECOND).await;
        }
    });
}

#[test]
fn what_waits_for_a_worker_is_counted() {
    in_virtual_time(async {
        let bed = fleet(40).await;
        assert_eq!(bed.counted().queue_depth, 0);
        let reads = bed.server.on(Match::verb(Verb::Get).of("qoderdeployments")).always().hold();
        for i in 0..40 {
            bed.simulator.set_paused(&bed.ids[i], true);
        }
        bed.pass(POLL + SECOND).await;
        for i in 0..40 {
            bed.annotate(&format!("r{i}"), "reconcile-requested-at", "1");
        }
        bed.pass(SECOND / 100).await;
        assert_eq!(bed.counted().queue_depth, 40 - 16, "sixteen are under way at once");
        reads.release();
    });
}

#[test]
fn a_long_row_of_flips_that_moves_costs_one_status_write_each() {
    in_virtual_time(async {
        let bed = fleet(200).await;
        for i in 0..200 {
            bed.flip(&format!("r{i}"), true);
        }
        // Twenty a second: the last one waits for ten seconds.
        bed.pass(11 * SECOND).await;
        for i in 0..200 {
            let name = format!("r{i}");
            assert_eq!(bed.ready(&name), "True InSync");
            // With the one of its start.
            assert_eq!(bed.status_writes(&name).len(), 2, "{name}");
        }
        assert_eq!(bed.writes().len(), 200);
    });
}
