//! Whose turn it is while one is refused for ever, and what flaps.

use std::time::Duration;

use apiserver::{Match, Verb};
use qoder_simulator::{Fault, Operation};

use crate::{
    bed::{Bed, POLL, Setup, in_virtual_time},
    waits::{fleet, fleet_of},
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

#[test]
fn those_that_are_read_before_their_write_and_the_writes_under_way_are_sixteen_together() {
    in_virtual_time(async {
        let bed = fleet(30).await;
        let _writes = bed.wire.hold(Kind::Write, Moment::Before);
        let read = |i| Match::verb(Verb::Get).of("qoderdeployments").name(&format!("r{i}"));
        let _reads: Vec<_> = (0..10).map(|i| bed.server.on(read(i)).hold()).collect();
        for i in 0..30 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(3 * SECOND / 2).await;
        assert_eq!(bed.wire.sent(Kind::Write).len(), 6, "ten are read");
    });
}

#[test]
fn those_that_wait_say_so_when_their_row_stands_still_after_it_has_moved() {
    in_virtual_time(async {
        let bed = fleet(100).await;
        bed.simulator.inject(Fault::delay(3 * SECOND / 2).on(Operation::Pause).always());
        for i in 0..100 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(4 * SECOND).await;
        let names = || (0..100).map(|i| format!("r{i}"));
        let told = || names().filter(|name| bed.ready(name) == "False PausePending").count();
        assert_eq!(told(), 0, "they come nearer to their turn");

        bed.simulator.clear_faults();
        bed.simulator.inject(Fault::hang_before().on(Operation::Pause).always());
        bed.pass(5 * SECOND).await;
        let in_sync = names().filter(|name| bed.ready(name) == "True InSync").count();
        let served = bed.writes().iter().filter(|write| write.ends_with("200")).count();
        assert_eq!((in_sync, told()), (served, 100 - served), "nobody is silent");
        let wait = |name: &String| bed.message(name).contains("It waits for its turn");
        assert_eq!(names().filter(wait).count(), 100 - served - 16);
    });
}

#[test]
fn reads_that_are_answered_do_not_hide_that_no_write_is() {
    in_virtual_time(async {
        let mut setup = Setup::with(40);
        setup.times.poll_interval = SECOND;
        let bed = fleet_of(40, setup).await;
        let _held = bed.wire.hold(Kind::Write, Moment::Before);
        for i in 0..40 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(6 * SECOND).await;
        let is_told = |i: &usize| bed.ready(&format!("r{i}")) == "False PausePending";
        assert_eq!((0..40).filter(is_told).count(), 40);
    });
}

#[test]
fn failures_are_forgotten_once_a_write_has_succeeded() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.inject(Fault::respond(403).html().on(Operation::Pause).times(5));
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 60 * SECOND).await;
        bed.simulator.inject(Fault::respond(403).html().on(Operation::Unpause).times(1));
        bed.flip("r0", false);
        bed.until("r0", "True InSync", 2 * SECOND).await;
    });
}
