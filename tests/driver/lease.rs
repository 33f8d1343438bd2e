//! The Lease: what becomes of its renewals, and of what others do to it.

use std::time::Duration;

use apiserver::{Failure, Match, On, Verb};
use qoder_operator::leader::LeaseTimes;
use qoder_simulator::{Fault, Operation};
use serde_json::{Value, json};

use crate::{
    bed::{Bed, POLL, TIMES, in_virtual_time},
    replicas::{LEASE_TIMES, Replica, pair, pair_of, pass},
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

pub fn holder(bed: &Bed) -> String {
    let lease = bed.server.leases().get("default", "lease").unwrap();
    lease["spec"]["holderIdentity"].as_str().unwrap().to_owned()
}

pub fn may_land(bed: &Bed) -> String {
    let lease = bed.server.leases().get("default", "lease").unwrap();
    let annotations = &lease["metadata"]["annotations"];
    annotations["cloud.qoder.com/may-land-seconds"].as_str().unwrap().to_owned()
}

/// The next renewal, or release.
fn renewal(bed: &Bed) -> On {
    bed.server.on(Match::verb(Verb::Update).of("leases"))
}

/// So the next one is far off.
async fn after_a_renewal(bed: &Bed) {
    renewal(bed).notice().arrived().await;
    bed.pass(SECOND / 20).await;
}

/// Someone else changes its spec.
pub fn edit(bed: &Bed, change: impl FnOnce(&mut Value)) {
    bed.server.leases().edit("default", "lease", |lease| change(&mut lease["spec"])).unwrap();
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
        edit(&bed, |spec| {
            spec["holderIdentity"] = json!("stranger");
            spec["leaseDurationSeconds"] = json!(i32::MAX);
        });
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
        let late = renewal(&bed).always().hold_answer();
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
        let slow = renewal(&bed).hold_answer();
        slow.arrived().await;
        let next = renewal(&bed).silence_request();
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
        let lost = renewal(&bed).drop_answer();
        lost.arrived().await;
        let without = pass(&bed, &first, &second, 30 * SECOND).await;
        assert_eq!((without, first.leads()), (Duration::ZERO, true));
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
fn one_renewal_that_hangs_begins_no_new_term() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        let lost = renewal(&bed).silence_request();
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
        after_a_renewal(&bed).await;
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
            edit(&bed, |spec| spec["holderIdentity"] = holder.clone());
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
fn a_newcomer_that_finds_no_lease_looks_twice() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        second.kill().await;
        after_a_renewal(&bed).await;
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
            after_a_renewal(&bed).await;
            let once = renewal(&bed);
            let _once =
                if is_silent { once.silence_request() } else { once.fail(Failure::internal()) };
            first.stop().await;
            bed.pass(3 * SECOND).await;
            assert!(second.leads(), "{}", holder(&bed));
        }
    });
}
