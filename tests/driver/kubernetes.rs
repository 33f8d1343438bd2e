//! A Kubernetes API that is slow, or refuses.

use std::time::Duration;

use apiserver::{Match, Verb};
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
        let slow = bed.server.on(reads).always().delay(3 * SECOND);
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
