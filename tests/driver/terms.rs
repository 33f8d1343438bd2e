//! What one term leaves to the next: nothing that was learned in it, and all that was sent.

use std::time::Duration;

use apiserver::{Match, Verb};
use qoder_simulator::{Fault, Operation};
use serde_json::json;

use crate::{
    bed::{Bed, POLL, in_virtual_time},
    replicas::{Replica, pair, pass},
};

const SECOND: Duration = Duration::from_secs(1);

/// The first is cut off for so long, in which the second leads and all is well again; then the first stands by.
async fn lead_elsewhere(bed: &Bed, first: &Replica, second: &Replica, time: Duration) {
    first.link.cut();
    pass(bed, first, second, 20 * SECOND).await;
    assert!(second.leads());
    bed.simulator.clear_faults();
    pass(bed, first, second, time).await;
    first.link.mend();
    pass(bed, first, second, 60 * SECOND).await;
    assert!(!first.leads());
}

#[test]
fn a_rejection_of_an_earlier_term_keeps_nobody_waiting_in_the_next_one() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        bed.simulator.inject(Fault::respond(401).always());
        bed.pass(960 * SECOND).await;
        lead_elsewhere(&bed, &first, &second, 70 * SECOND).await;
        second.stop().await;
        bed.pass(3 * SECOND).await;
        assert!(first.leads());
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 5 * SECOND).await;
    });
}

#[test]
fn a_rejection_of_an_earlier_term_is_no_news_in_the_next_one() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        bed.simulator.inject(Fault::respond(401).always());
        bed.pass(POLL + 5 * SECOND).await;
        lead_elsewhere(&bed, &first, &second, 300 * SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync");
        let (before, events) = (bed.status_writes("r0").len(), bed.events("r0").len());
        second.stop().await;
        bed.pass(20 * SECOND).await;
        assert!(first.leads());
        assert_eq!(bed.status_writes("r0").len(), before, "the token is good all the time");
        assert_eq!(bed.events("r0").len(), events);
    });
}

#[test]
fn an_outage_and_a_wait_of_an_earlier_term_are_over_in_the_next_one() {
    in_virtual_time(async {
        for fault in [
            Fault::respond(503).always(),
            Fault::respond(429).header("retry-after", "600").times(1),
        ] {
            let (bed, first, second) = pair(3).await;
            bed.simulator.inject(fault);
            bed.pass(4 * POLL).await;
            lead_elsewhere(&bed, &first, &second, 70 * SECOND).await;
            second.stop().await;
            // One more failure is one, and no row.
            bed.simulator.inject(Fault::respond(503));
            let mut open = 0;
            for _ in 0..100 {
                bed.pass(SECOND / 20).await;
                open += usize::from(first.leads() && first.counted().breaker_open);
            }
            assert_eq!(open, 0);
            bed.flip("r0", true);
            bed.until("r0", "True InSync", 5 * SECOND).await;
        }
    });
}

#[test]
fn one_that_stood_by_says_what_the_last_leader_has_seen_and_not_what_stood_when_it_started() {
    in_virtual_time(async {
        for is_killed in [false, true] {
            let (bed, first, second) = pair(3).await;
            bed.flip("r0", true);
            bed.until("r0", "True InSync", 5 * SECOND).await;
            bed.pass(600 * SECOND).await;
            bed.simulator.inject(Fault::respond(503).always());
            if is_killed {
                first.kill().await;
            } else {
                first.stop().await;
            }
            bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
            for _ in 0..3000 {
                bed.pass(SECOND / 20).await;
                let status = bed.object("r0")["status"].clone();
                assert_eq!(status["status"], json!("paused"), "{} {status}", second.leads());
            }
            assert!(second.leads());
        }
    });
}

#[test]
fn what_was_last_known_in_an_earlier_term_is_not_told_in_the_next_one() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        first.link.cut();
        pass(&bed, &first, &second, 20 * SECOND).await;
        bed.flip("r0", true);
        pass(&bed, &first, &second, 90 * SECOND).await;
        first.link.mend();
        pass(&bed, &first, &second, 60 * SECOND).await;
        second.kill().await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        for _ in 0..600 {
            bed.pass(SECOND / 20).await;
            assert_eq!(bed.object("r0")["status"]["status"], json!("paused"));
        }
        assert!(first.leads());
    });
}

#[test]
fn what_was_seen_in_an_earlier_term_is_looked_at_again_before_anything_is_said_of_it() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        lead_elsewhere(&bed, &first, &second, 70 * SECOND).await;
        // Someone pauses it when nobody looks.
        second.kill().await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.simulator.inject(Fault::hang_before().always());
        bed.pass(20 * SECOND).await;
        assert!(first.leads());
        bed.flip("r0", true);
        bed.pass(2 * SECOND).await;
        assert_ne!(bed.ready("r0"), "True InSync", "that would be the look of an earlier term");
        assert_eq!(bed.writes(), [""; 0]);
    });
}

#[test]
fn the_echo_of_the_last_leader_is_no_drift() {
    in_virtual_time(async {
        for policy in ["Warn", "Correct"] {
            let (bed, first, second) = pair(3).await;
            bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!(policy));
            bed.pass(5 * SECOND).await;
            bed.flip("r0", true);
            bed.until("r0", "True InSync", 5 * SECOND).await;
            bed.simulator.inject(Fault::stale().on(Operation::List).times(1));
            first.stop().await;
            bed.pass(10 * SECOND).await;
            assert!(second.leads());
            assert_eq!(bed.events("r0"), ["Paused"]);
            assert_eq!(bed.writes(), ["pause 0 200"]);
        }
    });
}

#[test]
fn a_term_that_was_lost_for_a_moment_goes_on_with_what_it_had_sent() {
    in_virtual_time(async {
        let (bed, first, second) = pair(3).await;
        // No renewal succeeds for a while, and nobody else comes.
        bed.simulator.inject(Fault::hang_before().on(Operation::Pause));
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        let lost = bed.server.on(Match::verb(Verb::Update).of("leases")).always().silence_request();
        let mut lost_it = false;
        for _ in 0..240 {
            bed.pass(SECOND / 20).await;
            lost_it |= !first.leads();
            assert!(!second.leads());
        }
        assert!(lost_it);
        lost.lift();
        bed.pass(3 * SECOND).await;
        assert!(first.leads());
        // The others have nothing to wait for; of this one a pause may still land.
        bed.flip("r1", true);
        bed.until("r1", "True InSync", 5 * SECOND).await;
        bed.flip("r0", false);
        bed.pass(10 * SECOND).await;
        assert_ne!(bed.ready("r0"), "True InSync");
        assert_eq!(bed.writes(), ["pause 0 -", "pause 0 200", "pause 1 200"]);
    });
}
