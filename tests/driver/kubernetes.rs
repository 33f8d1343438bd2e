//! A Kubernetes API that is slow, or refuses.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use serde_json::json;

use crate::{
    bed::{POLL, in_virtual_time},
    waits::fleet,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_fresh_read_that_outlives_its_permit_is_not_thrown_away() {
    in_virtual_time(async {
        let bed = fleet(60).await;
        let reads = Match::verb(Verb::Get).of("qoderdeployments");
        let slow = bed.server.on(reads).always().delay(3 * SECOND / 2);
        for i in 0..60 {
            bed.flip(&format!("r{i}"), true);
        }
        for i in 0..60 {
            bed.until(&format!("r{i}"), "True InSync", 30 * SECOND).await;
        }
        assert_eq!(bed.writes().len(), 60);
        assert_eq!(slow.arrivals(), 60, "one fresh read for each write");
    });
}

#[test]
fn a_write_that_waits_for_kubernetes_says_so() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.server.deny(Match::verb(Verb::Get).of("qoderdeployments"));
        bed.flip("r0", true);
        bed.pass(4 * SECOND).await;
        assert_eq!(bed.ready("r0"), "False PausePending");
        assert!(bed.message("r0").contains("Kubernetes"), "{}", bed.message("r0"));
        bed.pass(60 * SECOND).await;
        let reads = bed.server.journal().iter().filter(|entry| entry.verb == Verb::Get).count();
        assert!(reads <= 8, "{reads} in a minute: each wait is longer than the one before");
        assert_eq!(bed.writes(), [""; 0]);
    });
}

#[test]
fn a_status_whose_answer_is_lost_keeps_its_event() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.until("r0", "True InSync", SECOND).await;
        let _lost = bed.server.on(Match::status_patches()).drop_answer();
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.until("r0", "True DriftTolerated", 3 * POLL).await;
        bed.pass(2 * POLL).await;
        assert_eq!(bed.events("r0"), ["DriftDetected"]);
    });
}

#[test]
fn a_status_that_meets_a_conflict_each_time_is_tried_with_growing_waits() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.server.set_latency(SECOND / 100);
        let conflict = Failure::new(409, "Conflict", "the object has been modified");
        let _rule = bed.server.on(Match::status_patches().name("r0")).always().fail(conflict);
        let before = bed.status_writes("r0").len();
        bed.flip("r0", true);
        bed.pass(30 * SECOND).await;
        let tries = bed.status_writes("r0").len() - before;
        assert!(tries <= 30, "{tries} tries in half a minute");
    });
}

#[test]
fn a_status_that_has_to_come_first_and_fails_is_tried_with_growing_waits() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.server.set_latency(SECOND / 100);
        let broken = bed.server.on(Match::status_patches()).always().fail(Failure::internal());
        // The pause is done, and no status can say so.
        bed.flip("r0", true);
        bed.pass(2 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        // The platform pauses it too; then the resume is asked for, as only our memory knows.
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.pass(POLL + SECOND).await;
        let before = bed.server.journal().len();
        bed.flip("r0", false);
        bed.pass(60 * SECOND).await;
        let calls = bed.server.journal().len() - before;
        assert!(calls <= 60, "{calls} calls to the Kubernetes API in a minute");
        assert_eq!(bed.writes(), ["pause 0 200"], "no status says that it was asked for");
        broken.lift();
        bed.until("r0", "True InSync", 65 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200", "unpause 0 200"]);
    });
}

#[test]
fn a_fresh_read_that_hangs_is_told_within_three_seconds() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let read = Match::verb(Verb::Get).of("qoderdeployments");
        let _rule = bed.server.on(read).always().silence_request();
        bed.flip("r0", true);
        bed.pass(4 * SECOND).await;
        assert_eq!(bed.ready("r0"), "False PausePending");
    });
}
