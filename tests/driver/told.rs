//! What is written while nothing changes: once.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};
use serde_json::json;

use crate::{
    bed::in_virtual_time,
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_pause_that_hangs_each_time_is_told_once() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        let _held = bed.wire.hold(Kind::Write, Moment::Before);
        let before = bed.status_writes("r0").len();
        bed.flip("r0", true);
        bed.pass(3600 * SECOND).await;
        let writes = bed.status_writes("r0").len() - before;
        let tries = bed.wire.sent(Kind::Write).len();
        assert!(writes <= 10, "{writes} status writes in an hour, {tries} tries");
    });
}

#[test]
fn a_pause_that_is_answered_401_each_time_is_told_once_and_why() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.inject(Fault::respond(401).on(Operation::Pause).always());
        let before = bed.status_writes("r0").len();
        bed.flip("r0", true);
        bed.pass(3600 * SECOND).await;
        let writes = bed.status_writes("r0").len() - before;
        assert!(writes <= 10, "{writes} status writes in an hour");
        assert!(
            bed.message("r0").contains("401") || bed.message("r0").contains("token"),
            "{}",
            bed.message("r0")
        );
    });
}

/// The request needs a look, and what the annotation said is not true until then.
#[test]
fn reconciliation_that_goes_on_with_a_request_says_nothing_in_between() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.annotate("r0", "reconcile", "disabled");
        bed.until("r0", "True ReconcileDisabled", SECOND).await;
        bed.pass(60 * SECOND).await;
        let before = bed.status_writes("r0").len();
        bed.edit("r0", |object| {
            object["metadata"]["annotations"] =
                json!({ "cloud.qoder.com/reconcile-requested-at": "1" });
        });
        bed.until("r0", "True InSync", SECOND).await;
        assert_eq!(bed.status_writes("r0").len() - before, 1);
    });
}
