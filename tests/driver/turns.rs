//! Whose turn it is while one is refused for ever, and what flaps.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};

use crate::{
    bed::{Bed, POLL, Setup, in_virtual_time},
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_pause_that_is_throttled_for_ever_does_not_keep_anothers_resume_from_its_turn() {
    for wait in ["3", "2", "1"] {
        in_virtual_time(async {
            let bed = fleet(3).await;
            let sorry = Fault::respond(429).header("retry-after", wait);
            bed.simulator.inject(sorry.on(Operation::Pause).always());
            bed.flip("r0", true);
            bed.pass(POLL).await;
            bed.simulator.set_paused(&bed.ids[2], true);
            bed.pass(20 * POLL).await;
            assert_eq!(bed.remote(2), "active", "{wait}: {} writes", bed.writes().len());
        });
    }
}

#[test]
fn writes_that_are_answered_429_wait_longer_and_longer_although_reads_are_answered() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.inject(Fault::respond(429).on(Operation::Pause).always());
        bed.flip("r0", true);
        bed.pass(3600 * SECOND).await;
        let tries = bed.writes().len();
        // 1, 2, 4 s and so on up to 60 s, up to a quarter shorter.
        assert!(tries <= 100, "{tries} in an hour");
    });
}

#[test]
fn while_lists_hang_and_gets_are_answered_no_status_flaps() {
    in_virtual_time(async {
        let mut setup = Setup::with(3);
        setup.times.request_timeout = 300 * SECOND;
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        for i in 0..3 {
            bed.apply(&format!("r{i}"), i, Some(false));
        }
        bed.until("r2", "True InSync", 5 * SECOND).await;
        let before = bed.status_writes("r0").len();
        let _held = bed.wire.hold(Kind::List, Moment::Before);
        bed.pass(40 * POLL).await;
        let writes = bed.status_writes("r0").len() - before;
        assert!(writes <= 2, "{writes} status writes in twenty minutes");
    });
}

#[test]
fn a_write_that_is_answered_401_each_time_is_tried_ever_more_rarely_although_reads_are_accepted() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.inject(Fault::respond(401).on(Operation::Pause).always());
        bed.flip("r0", true);
        bed.pass(3600 * SECOND).await;
        let tries = bed.writes().len();
        assert!(tries <= 30, "{tries} bad logins in an hour");
    });
}
