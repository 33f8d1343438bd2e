//! Two replicas: one leads, and at no time two act.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use qoder_operator::leader::LeaseTimes;
use qoder_simulator::{Fault, Operation};
use serde_json::json;

use crate::{
    bed::{Bed, POLL, Setup, TIMES, in_virtual_time},
    replicas::{LEASE_TIMES, Replica, pair, pair_of, pass},
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

fn holder(bed: &Bed) -> String {
    let lease = bed.server.leases().get("default", "lease").unwrap();
    lease["spec"]["holderIdentity"].as_str().unwrap().to_owned()
}

fn may_land(bed: &Bed) -> String {
    let lease = bed.server.leases().get("default", "lease").unwrap();
    let annotations = &lease["metadata"]["annotations"];
    annotations["cloud.qoder.com/may-land-seconds"].as_str().unwrap().to_owned()
}

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

#[test]
fn a_lease_that_is_deleted_is_made_again_by_the_leader_and_taken_by_nobody_else() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        bed.server.leases().delete("default", "lease").unwrap();
        let without = pass(&bed, &first, &second, 60 * SECOND).await;
        assert_eq!((without, first.leads()), (Duration::ZERO, true));
        assert!(holder(&bed).starts_with("first_"));
    });
}

#[test]
fn a_lease_that_a_stranger_takes_ends_the_lead_and_is_waited_for() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let steal = |lease: &mut serde_json::Value| {
            lease["spec"]["holderIdentity"] = json!("stranger");
            lease["spec"]["leaseDurationSeconds"] = json!(i32::MAX);
        };
        bed.server.leases().edit("default", "lease", steal).unwrap();
        bed.pass(3 * SECOND).await;
        assert!(!first.leads() && !second.leads());
        let without = pass(&bed, &first, &second, 20 * SECOND).await;
        assert!(without > 10 * SECOND && without < 16 * SECOND, "{without:?}");
        assert!(first.leads() || second.leads());
    });
}

#[test]
fn a_renewal_that_is_answered_late_is_worth_nothing() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let renewals = Match::verb(Verb::Update).of("leases");
        let late = bed.server.on(renewals).always().hold_answer();
        late.arrived().await;
        let without = pass(&bed, &first, &second, 12 * SECOND).await;
        assert!(!first.leads() && without > SECOND, "{without:?}");
        late.lift();
        late.release();
        pass(&bed, &first, &second, 30 * SECOND).await;
        assert!(first.leads() || second.leads());
        bed.flip("r0", true);
        pass(&bed, &first, &second, 2 * POLL + TIMES.request_lifetime()).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
    });
}

#[test]
fn a_claim_counts_from_when_the_renewal_was_sent() {
    in_virtual_time(async {
        let long = LeaseTimes { renew_deadline: 12 * SECOND, ..LEASE_TIMES };
        let (bed, first, second) = pair_of(3, long).await;
        let renewals = Match::verb(Verb::Update).of("leases");
        let slow = bed.server.on(renewals).hold_answer();
        slow.arrived().await;
        let next = bed.server.on(Match::verb(Verb::Update).of("leases")).silence_request();
        bed.pass(19 * SECOND / 2).await;
        assert!(first.leads());
        slow.release();
        next.arrived().await;
        first.link.cut();
        pass(&bed, &first, &second, 30 * SECOND).await;
        assert!(second.leads());
    });
}

#[test]
fn one_lost_renewal_costs_no_lead() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let renewals = Match::verb(Verb::Update).of("leases");
        let lost = bed.server.on(renewals).drop_answer();
        lost.arrived().await;
        let without = pass(&bed, &first, &second, 30 * SECOND).await;
        assert_eq!((without, first.leads()), (Duration::ZERO, true));
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
fn a_lead_that_ends_while_something_may_still_land_is_given_back_with_how_long() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let hang = Fault::hang_after().on(Operation::Pause);
        bed.simulator.inject(hang.times(1));
        bed.flip("r0", true);
        bed.pass(20 * SECOND).await;
        first.stop().await;
        assert_eq!(holder(&bed), "");
        let left: u64 = may_land(&bed).parse().unwrap();
        assert!((50..=60).contains(&left), "{left}");
        bed.pass(3 * SECOND).await;
        assert!(second.leads());
        // It waits for what is left, and no longer.
        bed.flip("r0", false);
        bed.pass(SECOND * u32::try_from(left - 5).unwrap()).await;
        assert_eq!(bed.writes(), ["pause 0 -"]);
        let message = bed.object("r0")["status"]["conditions"][0]["message"].clone();
        assert!(message.as_str().unwrap().contains("Another replica led before"), "{message}");
        bed.until("r0", "True InSync", 10 * SECOND).await;
    });
}

#[test]
fn what_the_leader_before_may_have_sent_is_passed_on_by_one_that_ends_early() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        first.kill().await;
        bed.pass(18 * SECOND).await;
        assert!(second.leads());
        second.stop().await;
        let left: u64 = may_land(&bed).parse().unwrap();
        assert!((50..=60).contains(&left), "{left}");
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
fn one_renewal_that_hangs_begins_no_new_term() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let lost = bed.server.on(Match::verb(Verb::Update).of("leases")).silence_request();
        lost.arrived().await;
        pass(&bed, &first, &second, 12 * SECOND).await;
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 5 * SECOND).await;
    });
}

#[test]
fn one_look_that_hangs_delays_no_standby() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let hung = bed.server.on(Match::verb(Verb::Get).of("leases")).silence_request();
        hung.arrived().await;
        let renewal = bed.server.on(Match::verb(Verb::Update).of("leases")).notice();
        renewal.arrived().await;
        bed.pass(SECOND / 20).await;
        first.kill().await;
        let mut without = Duration::ZERO;
        for _ in 0..1000 {
            if second.leads() {
                break;
            }
            bed.pass(SECOND / 20).await;
            without += SECOND / 20;
        }
        assert!(without <= 17 * SECOND, "{without:?}");
    });
}

#[test]
fn a_lease_that_someone_clears_is_waited_for() {
    in_virtual_time(async {
        for holder in [json!(""), json!(null)] {
            let (bed, first, second) = pair(3).await;
            let hold = first.wire.hold(Kind::Write, Moment::Before);
            bed.flip("r0", true);
            bed.pass(SECOND).await;
            first.link.cut();
            let clear = |lease: &mut serde_json::Value| {
                lease["spec"]["holderIdentity"] = holder.clone();
            };
            bed.server.leases().edit("default", "lease", clear).unwrap();
            bed.flip("r0", false);
            pass(&bed, &first, &second, 20 * SECOND).await;
            assert!(second.leads());
            // What the first has sent is not forgotten.
            assert_ne!(bed.ready("r0"), "True InSync");
            hold.release();
            bed.pass(2 * SECOND).await;
            assert_eq!(bed.remote(0), "paused");
            bed.until("r0", "True InSync", TIMES.request_lifetime() + 5 * SECOND).await;
            assert_eq!(bed.remote(0), "active");
        }
    });
}

#[test]
fn who_labels_the_lease_does_not_hold_it() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        first.kill().await;
        for i in 0..4 {
            bed.pass(5 * SECOND).await;
            bed.server.leases().annotate("default", "lease", "seen", &i.to_string()).unwrap();
        }
        assert!(second.leads());
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
fn a_newcomer_that_finds_no_lease_looks_twice() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        second.kill().await;
        let renewal = bed.server.on(Match::verb(Verb::Update).of("leases")).notice();
        renewal.arrived().await;
        bed.pass(SECOND / 10).await;
        bed.server.leases().delete("default", "lease").unwrap();
        let third = Replica::start(&bed, "third");
        let without = pass(&bed, &first, &third, 10 * SECOND).await;
        assert_eq!((without, first.leads()), (Duration::ZERO, true));
    });
}

#[test]
fn a_long_lease_that_is_deleted_is_waited_for_as_long_as_it_said() {
    in_virtual_time(async {
        let long =
            LeaseTimes { lease_duration: 60 * SECOND, renew_deadline: 50 * SECOND, ..LEASE_TIMES };
        let (bed, first, second) = pair_of(3, long).await;
        first.link.cut();
        bed.server.leases().delete("default", "lease").unwrap();
        pass(&bed, &first, &second, 90 * SECOND).await;
        assert!(second.leads());
    });
}

#[test]
fn a_release_that_fails_once_is_tried_again() {
    in_virtual_time(async {
        for is_silent in [false, true] {
            let (bed, first, second) = pair(3).await;
            let renewal = bed.server.on(Match::verb(Verb::Update).of("leases")).notice();
            renewal.arrived().await;
            bed.pass(SECOND / 10).await;
            let once = bed.server.on(Match::verb(Verb::Update).of("leases"));
            let _once =
                if is_silent { once.silence_request() } else { once.fail(Failure::internal()) };
            first.stop().await;
            bed.pass(3 * SECOND).await;
            assert!(second.leads(), "{}", holder(&bed));
        }
    });
}

#[test]
fn a_claim_ends_with_the_lead() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let steal = |lease: &mut serde_json::Value| {
            lease["spec"]["holderIdentity"] = json!("stranger");
        };
        bed.server.leases().edit("default", "lease", steal).unwrap();
        for _ in 0..60 {
            bed.pass(SECOND / 20).await;
            assert_eq!(first.leads(), first.claim.is_held());
        }
        assert!(!first.leads());
        drop(second);
    });
}
