//! What panics: nothing dies silently, and nothing is lost with it.

use std::time::Duration;

use apiserver::{Match, Verb};

use crate::{
    bed::{POLL, TIMES, in_virtual_time},
    publishing::of,
    waits::fleet,
    wire::Kind,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_background_task_that_breaks_ends_the_operator_and_is_named() {
    in_virtual_time(async {
        let mut bed = fleet(3).await;
        bed.wire.break_next(Kind::List);
        let died = bed.ended().await.unwrap_err();
        assert_eq!(died.to_string(), "the observer panicked");
    });
}

#[test]
fn a_read_that_breaks_is_made_again() {
    in_virtual_time(async {
        let bed = fleet(1).await;
        bed.wire.break_next(Kind::Get);
        bed.annotate("r0", "reconcile-requested-at", "1");
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.object("r0")["status"]["lastHandledReconcileRequest"], "1");
    });
}

#[test]
fn a_write_whose_task_breaks_counts_as_lost_and_is_looked_at() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.wire.break_next(Kind::Write);
        bed.flip("r0", true);
        bed.pass(2 * SECOND).await;
        assert_eq!(bed.remote(0), "paused", "it was sent");
        assert_eq!(bed.ready("r0"), "True InSync", "a look has found it");
        // The opposite waits until the lost one can take effect no more.
        bed.flip("r0", false);
        bed.pass(TIMES.request_lifetime() * 5 / 6).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        bed.until("r0", "True InSync", 2 * POLL).await;
        assert_eq!(bed.remote(0), "active");
    });
}

#[test]
fn a_pass_that_breaks_is_tried_again_and_again_after_twice_the_wait() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let reads = Match::verb(Verb::Get).of("qoderdeployments");
        let broken = bed.server.on(reads).times(3).panic();
        bed.flip("r0", true);
        // After 1, 2 and 4 s, each up to a quarter less.
        bed.pass(5 * SECOND / 10).await;
        assert_eq!(broken.arrivals(), 1);
        bed.pass(3 * SECOND).await;
        assert_eq!(broken.arrivals(), 3);
        assert_eq!(bed.writes(), [""; 0]);
        bed.until("r0", "True InSync", 5 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
    });
}

#[test]
fn a_status_whose_task_breaks_is_sent_again() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let broken = bed.server.on(of("r0")).times(1).panic();
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 2 * SECOND).await;
        assert_eq!((broken.arrivals(), bed.writes().len()), (1, 1));
    });
}
