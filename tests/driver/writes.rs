//! When a write is sent, and that it is sent once.

use std::time::Duration;

use apiserver::Match;
use qoder_simulator::{Fault, Operation};

use crate::{
    bed::{POLL, in_virtual_time},
    copies::reads,
    messages::add_condition_of_another,
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_status_of_another_resource_that_is_slow_to_be_taken_delays_no_write() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let _slow =
            bed.server.on(Match::status_patches().name("younger")).always().silence_request();
        bed.server.hold_watches();
        bed.flip("r0", true);
        bed.apply("younger", 0, Some(true));
        bed.server.release_watches();
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
    });
}

#[test]
fn a_condition_of_another_controller_beside_ours_lifts_no_pause_of_the_platform_twice() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        add_condition_of_another(&bed);
        bed.pass(SECOND).await;
        // Some seconds before a poll.
        let polls = bed.wire.sent(Kind::List).len();
        while bed.wire.sent(Kind::List).len() == polls {
            bed.pass(SECOND / 10).await;
        }
        bed.pass(22 * SECOND).await;
        let polls = bed.wire.sent(Kind::List).len();
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.annotate("r0", "resume-requested-at", "1");
        bed.pass(SECOND).await;
        // It takes long, and a status says so; its answer takes long, too.
        bed.server.hold_watches();
        let answer = bed.server.on(Match::status_patches().name("r0")).hold_answer();
        answer.arrived().await;
        post.release();
        bed.pass(SECOND / 10).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        // The poll shows it.
        while bed.wire.sent(Kind::List).len() == polls {
            bed.pass(SECOND / 10).await;
        }
        bed.pass(SECOND / 10).await;
        answer.release();
        bed.pass(SECOND).await;
        bed.server.release_watches();
        bed.pass(2 * POLL).await;
        assert_eq!(bed.writes(), ["unpause 0 200"], "it was asked for once");
    });
}

/// A write that meets a short wait (a 429 of another one, no Retry-After) after its fresh read.
#[test]
fn a_write_that_has_to_wait_after_its_fresh_read_reads_again() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.inject(Fault::respond(429).on(Operation::Pause).times(1));
        let read = bed.server.on(reads().name("r1")).hold();
        bed.flip("r1", true);
        read.arrived().await;
        bed.flip("r0", true);
        bed.pass(SECOND / 10).await;
        assert_eq!(bed.writes(), ["pause 0 429"]);
        read.release();
        bed.pass(SECOND / 4).await;
        // Nothing was sent for it yet, and nobody wants it any more.
        assert_eq!(bed.writes(), ["pause 0 429"]);
        bed.flip("r1", false);
        bed.pass(10 * SECOND).await;
        let of_r1: Vec<_> = bed.writes().into_iter().filter(|call| call.contains(" 1 ")).collect();
        assert_eq!(of_r1, [""; 0], "the pause left long after the resource said otherwise");
    });
}
