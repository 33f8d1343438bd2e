//! A Kubernetes API that is slow, or refuses.

use std::time::Duration;

use apiserver::{Match, Verb};

use crate::{bed::in_virtual_time, waits::fleet};

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
