//! What is written while nothing changes: once.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};

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
