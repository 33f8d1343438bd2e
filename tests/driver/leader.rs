//! Two replicas: one leads, and at no time two act.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use qoder_operator::leader::LeaseTimes;
use serde_json::json;

use crate::{
    bed::{Bed, POLL, Setup, TIMES, in_virtual_time},
    lease::{edit, holder, may_land},
    replicas::{Replica, pair, pass},
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

fn lease_writes(bed: &Bed) -> usize {
    bed.server.writes().iter().filter(|entry| entry.resource == "leases").count()
}

#[test]
fn one_leads_and_the_other_is_ready_and_touches_nothing() {
    in_virtual_time(async {
        let (bed, first, second) = pair(20).await;
        let (before, leases) = (bed.server.writes().len(), lease_writes(&bed));
        assert_eq!(pass(&bed, &first, &second, 60 * SECOND).await, Duration::ZERO);
        let (after, renewals) = (bed.server.writes().len(), lease_writes(&bed) - leases);
        assert_eq!(after - before, renewals, "nothing but the Lease");
        assert!((29..=31).contains(&renewals), "{renewals} renewals in a minute");

        for i in 0..20 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.until("r19", "True InSync", 5 * SECOND).await;
        assert_eq!(bed.writes().len(), 20);
        for kind in [Kind::List, Kind::Get, Kind::Write] {
            assert_eq!(second.wire.sent(kind), [], "the one that stands by asks for nothing");
        }
        assert_eq!(second.metrics.status_writes.get(), 0);
        let (checks, is_well) = second.checks();
        assert!(is_well && checks[1].contains("stands by; first_"), "{checks:?}");
        let counted = second.counted();
        assert_eq!((counted.observed_deployments, counted.queue_depth), (0, 0));
        assert_eq!(first.counted().observed_deployments, 20);
        assert!(first.checks().0[1].contains("leader election (leads)"));
    });
}

/// The Lease is waited for longer than a new generation may go without a status. One is looked at by itself, and forty by
/// a list.
#[test]
fn what_was_there_long_before_the_first_term_is_not_late_when_it_begins() {
    for n in [1, 40] {
        in_virtual_time(async {
            let bed = Bed::prepare(Setup::with(n)).await;
            bed.slow_down();
            for i in 0..n {
                bed.apply(&format!("r{i}"), i, Some(false));
            }
            let times = LeaseTimes {
                lease_duration: 60 * SECOND,
                renew_deadline: 50 * SECOND,
                retry_period: 6 * SECOND,
            };
            let first = Replica::start_with(&bed, "first", times);
            bed.pass(4 * SECOND).await;
            assert!(!first.leads());
            bed.pass(20 * SECOND).await;
            for i in 0..n {
                assert_eq!(bed.ready(&format!("r{i}")), "True InSync");
            }
            assert_eq!(bed.server.writes().len() - lease_writes(&bed), n);
        });
    }
}

#[test]
fn a_leader_that_is_told_to_end_gives_the_lead_back_and_the_next_one_acts_at_once() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        first.stop().await;
        bed.flip("r0", true);
        bed.pass(2 * SECOND).await;
        assert!(second.leads());
        bed.until("r0", "True InSync", 2 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        assert!(holder(&bed).starts_with("second_"));
    });
}

#[test]
fn a_leader_that_is_killed_is_followed_when_its_lease_is_over_and_what_it_sent_is_waited_for() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        // It dies with a pause on its way.
        let _held = first.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        assert_eq!(bed.remote(0), "paused");
        first.kill().await;
        bed.flip("r0", false);
        bed.pass(12 * SECOND).await;
        assert!(!second.leads());
        bed.pass(5 * SECOND).await;
        assert!(second.leads());
        // It does not know which verbs are on their way: none is sent until none can land.
        bed.pass(TIMES.request_lifetime() * 11 / 12).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        assert_ne!(bed.ready("r0"), "True InSync");
        // Where a status said that all is in sync, that stands.
        assert_eq!(bed.ready("r1"), "True InSync");
        bed.until("r0", "True InSync", 10 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200", "unpause 0 200"]);
    });
}

#[test]
fn after_an_unclean_start_the_verb_that_a_status_stands_for_may_be_sent_again() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        first.kill().await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.flip("r1", true);
        bed.pass(17 * SECOND).await;
        assert!(second.leads());
        // Its first look may be the echo of what the last leader did: it looks again.
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync");
        assert_eq!(bed.writes(), ["unpause 0 200"], "the other way round has to wait");
        bed.until("r1", "True InSync", TIMES.request_lifetime()).await;
        assert_eq!(bed.writes(), ["unpause 0 200", "pause 1 200"]);
    });
}

#[test]
fn a_leader_that_is_cut_off_acts_no_more_before_another_one_does() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        first.link.cut();
        let without = pass(&bed, &first, &second, 30 * SECOND).await;
        assert!(second.leads());
        assert!(without > SECOND && without < 8 * SECOND, "{without:?} without a leader");
        bed.flip("r0", true);
        pass(&bed, &first, &second, 70 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        let reads = first.wire.sent(Kind::List).len();
        first.link.mend();
        pass(&bed, &first, &second, 70 * SECOND).await;
        assert!(second.leads());
        assert_eq!(first.wire.sent(Kind::List).len(), reads, "it stands by");
        // It can win again, in the same process.
        second.stop().await;
        bed.flip("r1", true);
        bed.pass(2 * SECOND).await;
        assert!(first.leads());
        bed.until("r1", "True InSync", 2 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200", "pause 1 200"]);
    });
}

#[test]
fn a_write_under_way_when_the_lead_is_lost_is_the_only_one_and_holds_nothing_in_the_next_term() {
    in_virtual_time(async {
        let (bed, first, second) = pair(20).await;
        let held = first.wire.hold(Kind::Write, Moment::Before);
        for i in 0..20 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(SECOND).await;
        assert_eq!(first.wire.sent(Kind::Write).len(), 16);
        first.link.cut();
        pass(&bed, &first, &second, 30 * SECOND).await;
        assert!(second.leads());
        held.release();
        // What was on its way lands late, and what was not is sent by the next leader.
        pass(&bed, &first, &second, 120 * SECOND).await;
        assert_eq!(bed.writes().len(), 20);
        assert_eq!(bed.ready("r19"), "True InSync");
        first.link.mend();
        bed.pass(10 * SECOND).await;
        second.stop().await;
        for i in 0..20 {
            bed.flip(&format!("r{i}"), false);
        }
        bed.pass(3 * SECOND).await;
        bed.until("r19", "True InSync", 5 * SECOND).await;
        assert_eq!(bed.writes().len(), 40, "permits and probes are free");
    });
}

/// Its clock runs on while it does nothing, as that of a process that was stopped.
#[test]
fn a_leader_that_was_frozen_sends_nothing_when_it_wakes() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        second.kill().await;
        let read = Match::verb(Verb::Get).of("qoderdeployments").name("r0");
        let read = bed.server.on(read).hold();
        let post = first.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.flip("r1", true);
        bed.pass(SECOND).await;
        assert_eq!((read.arrivals(), bed.writes().len()), (1, 1));
        let writes = |bed: &Bed| {
            bed.server.writes().into_iter().filter(|entry| entry.resource != "leases").count()
        };
        let before = writes(&bed);
        let look = bed.server.on(Match::verb(Verb::Get).of("leases")).hold();
        read.release();
        post.release();
        tokio::time::advance(60 * SECOND).await;
        bed.pass(SECOND).await;
        assert_eq!(bed.writes(), ["pause 1 200"], "its claim has run out");
        assert_eq!(writes(&bed) - before, 0, "no status, no event");
        // Nobody else has taken the Lease: it leads again, as one that does not know what was sent.
        look.release();
        bed.pass(SECOND).await;
        assert!(first.leads());
        bed.until("r0", "True InSync", TIMES.request_lifetime() + 5 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 1 200", "pause 0 200"]);
        assert_eq!(bed.ready("r1"), "True InSync");
    });
}

#[test]
fn of_two_that_take_the_lease_at_the_same_moment_one_leads() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let third = Replica::start(&bed, "third");
        bed.pass(5 * SECOND).await;
        first.kill().await;
        let both = bed.server.on(Match::verb(Verb::Update).of("leases")).times(2).hold();
        while both.arrivals() < 2 {
            bed.pass(SECOND / 10).await;
        }
        both.release();
        bed.pass(SECOND).await;
        assert_ne!(second.leads(), third.leads());
    });
}

/// The one that waits has a clock that is a day ahead and too fast, the leader one that is too slow.
#[test]
fn clocks_that_differ_make_no_two_leaders() {
    in_virtual_time(async {
        let bed = Bed::prepare(Setup::with(1)).await;
        let slow = LeaseTimes {
            lease_duration: 14 * SECOND,
            renew_deadline: Duration::from_millis(10_100),
            retry_period: Duration::from_millis(2_020),
        };
        let first = Replica::start_with(&bed, "first", slow);
        bed.apply("r0", 0, Some(false));
        bed.until("r0", "True InSync", 5 * SECOND).await;
        let second = Replica::start(&bed, "tomorrow");
        assert_eq!(pass(&bed, &first, &second, 60 * SECOND).await, Duration::ZERO);
        assert!(first.leads());
        first.link.cut();
        let without = pass(&bed, &first, &second, 30 * SECOND).await;
        assert!(second.leads() && without < 7 * SECOND, "{without:?}");
    });
}

#[test]
fn one_that_runs_without_statuses_to_wait_for_leads_at_once_and_ends_without_a_lead() {
    in_virtual_time(async {
        let bed = Bed::prepare(Setup::with(1)).await;
        let first = Replica::start(&bed, "first");
        let second = Replica::start(&bed, "second");
        bed.pass(SECOND).await;
        assert!(!first.leads() && !second.leads(), "it may have been deleted just now");
        bed.pass(4 * SECOND).await;
        assert_ne!(first.leads(), second.leads(), "there was no Lease: nobody is waited for");
        let (leader, standby) = if first.leads() { (first, second) } else { (second, first) };
        let writes = lease_writes(&bed);
        standby.stop().await;
        assert_eq!(lease_writes(&bed), writes, "it has nothing to give back");
        leader.stop().await;
        assert_eq!(holder(&bed), "");
    });
}

#[test]
fn what_is_under_way_when_the_lead_is_lost_is_given_up() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let active = || {
            let text = first.metrics.encode(&first.counted()).unwrap();
            let line = text.lines().find(|line| line.starts_with("controller_runtime_active"));
            line.unwrap().rsplit(' ').next().unwrap().to_owned()
        };
        // A status hangs, and begins shortly before the lead is lost.
        let hangs = bed.server.on(Match::status_patches()).always().silence_request();
        let renewals = Match::verb(Verb::Update).of("leases");
        let _lost = bed.server.on(renewals).always().fail(Failure::internal());
        bed.pass(7 * SECOND).await;
        bed.flip("r0", true);
        hangs.arrived().await;
        assert_eq!(active(), "1");
        while first.leads() {
            bed.pass(SECOND / 10).await;
        }
        bed.pass(SECOND / 10).await;
        assert_eq!(active(), "0");
        drop(second);
    });
}

#[test]
fn what_one_leader_has_told_the_next_one_does_not_tell_again() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        bed.edit("r1", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.pass(5 * SECOND).await;
        bed.simulator.set_paused(&bed.ids[1], true);
        bed.until("r1", "True DriftTolerated", 2 * POLL).await;
        bed.pass(5 * SECOND).await;
        let statuses = |bed: &Bed| {
            let names = ["r0", "r1", "r2"];
            names.map(|name| bed.status_writes(name).len()).iter().sum::<usize>()
        };
        let before = statuses(&bed);
        first.stop().await;
        bed.pass(3 * POLL).await;
        assert!(second.leads());
        assert_eq!(bed.events("r0"), ["PausedByPlatform"]);
        assert_eq!(bed.events("r1"), ["DriftDetected"]);
        assert_eq!(statuses(&bed), before, "nothing has changed");
        let text = second.metrics.encode(&second.counted()).unwrap();
        assert!(text.contains("qoder_drift_total{action=\"tolerated\"} 0"), "{text}");
    });
}

#[test]
fn a_standby_that_is_told_to_end_as_it_takes_the_lease_gives_it_back_and_forgets_no_crash() {
    in_virtual_time(async {
        for is_answered in [true, false] {
            let (bed, first, second) = pair(3).await;
            let third = Replica::start(&bed, "third");
            bed.pass(5 * SECOND).await;
            let post = first.wire.hold(Kind::Write, Moment::Before);
            bed.flip("r0", true);
            bed.pass(SECOND).await;
            first.kill().await;
            let take = bed.server.on(Match::verb(Verb::Update).of("leases")).hold_answer();
            take.arrived().await;
            let (winner, other) =
                if holder(&bed).starts_with("second_") { (second, third) } else { (third, second) };
            if is_answered {
                take.release();
                winner.stop().await;
            } else {
                let stopping = tokio::spawn(winner.stop());
                bed.pass(SECOND / 2).await;
                take.release();
                stopping.await.unwrap();
            }
            assert_eq!((holder(&bed), may_land(&bed)), (String::new(), "60".to_owned()));
            bed.pass(4 * SECOND).await;
            assert!(other.leads());
            drop(post);
        }
    });
}

#[test]
fn one_that_cannot_reach_the_lease_is_not_ready() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        bed.server.deny(Match::any().of("leases"));
        let third = Replica::start(&bed, "third");
        bed.pass(5 * SECOND).await;
        let (checks, is_well) = third.checks();
        assert!(!is_well, "it has never seen the Lease: {checks:?}");
        assert!(second.checks().1, "it has, and a moment says nothing");
        bed.pass(120 * SECOND).await;
        assert!(!first.leads() && !second.leads());
        assert!(!second.checks().1);
    });
}

#[test]
fn a_claim_ends_with_the_lead() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        edit(&bed, |spec| spec["holderIdentity"] = json!("stranger"));
        for _ in 0..60 {
            bed.pass(SECOND / 20).await;
            assert_eq!(first.leads(), first.claim.is_held());
        }
        assert!(!first.leads());
        drop(second);
    });
}
