//! Lists that are slow, and one GET that goes astray.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};

use crate::{
    bed::{POLL, in_virtual_time},
    waits::fleet,
    wire::Kind,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn pages_that_always_take_two_and_a_half_seconds_cost_one_list_a_poll() {
    in_virtual_time(async {
        let bed = fleet(100).await;
        bed.simulator.inject(Fault::delay(5 * SECOND / 2).on(Operation::List).always());
        bed.pass(3 * POLL).await;
        let count = || (bed.wire.sent(Kind::List).len(), bed.wire.sent(Kind::Get).len());
        let (lists, gets) = count();
        bed.pass(20 * POLL).await;
        let (lists, gets) = (count().0 - lists, count().1 - gets);
        // As the design has it: a list a poll, and at most a GET for each once in a poll interval.
        let is_bounded = lists <= 40 && gets <= 20 * 100;
        assert!(is_bounded, "{lists} lists and {gets} GETs in twenty polls of a calm fleet");
    });
}

#[test]
fn one_get_that_goes_astray_does_not_keep_the_others_while_lists_fail() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        bed.simulator.inject(Fault::respond(500).on(Operation::List).always());
        let astray = Fault::respond(404).html().on(Operation::Get).id(&bed.ids[19]).always();
        bed.simulator.inject(astray);
        bed.pass(6 * POLL).await;
        let mut blind = 0;
        for _ in 0..120 {
            bed.pass(10 * SECOND).await;
            let is_blind = |i: &usize| bed.ready(&format!("r{i}")) != "True InSync";
            blind = blind.max((0..19).filter(is_blind).count());
        }
        assert_eq!(blind, 0, "the others are read");
        let mut slowest = Duration::ZERO;
        for i in 0..19 {
            let name = format!("r{i}");
            bed.annotate(&name, "reconcile-requested-at", "now");
            let start = tokio::time::Instant::now();
            while bed.object(&name)["status"]["lastHandledReconcileRequest"] != "now" {
                bed.pass(SECOND / 10).await;
                assert!(start.elapsed() < 600 * SECOND);
            }
            slowest = slowest.max(start.elapsed());
            bed.pass(7 * SECOND).await;
        }
        assert!(slowest <= 10 * SECOND, "{slowest:?}");
    });
}
