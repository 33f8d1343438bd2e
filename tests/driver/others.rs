//! What one thing that waits does to the others.

use std::time::Duration;

use apiserver::{Match, Verb};
use qoder_simulator::{Dialect, Fault, Operation, Settings};

use crate::{
    bed::{Bed, NAMESPACE, POLL, Setup, in_virtual_time},
    waits::fleet,
    wire::Kind,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_annotation_that_comes_between_the_fresh_read_and_its_answer_delays_no_pause() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let before = bed.status_writes("r0").len();
        let read =
            bed.server.on(Match::verb(Verb::Get).of("qoderdeployments").name("r0")).hold_answer();
        bed.flip("r0", true);
        read.arrived().await;
        // Something of no concern to us; the watch tells it at once.
        bed.server.deployments().annotate(NAMESPACE, "r0", "audit.example.com/by", "ci").unwrap();
        bed.pass(SECOND / 50).await;
        read.release();
        bed.pass(SECOND / 2).await;
        let said = bed.message("r0");
        assert_eq!(bed.writes(), ["pause 0 200"], "{said}");
        assert_eq!(bed.status_writes("r0").len() - before, 1);
    });
}

#[test]
fn a_resource_that_is_touched_each_tenth_of_a_second_is_paused_within_a_minute() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let reads = Match::verb(Verb::Get).of("qoderdeployments");
        let _slow = bed.server.on(reads).always().delay_answer(SECOND / 5);
        bed.flip("r0", true);
        for i in 0..600 {
            let key = "audit.example.com/heartbeat";
            bed.server.deployments().annotate(NAMESPACE, "r0", key, &i.to_string()).unwrap();
            bed.pass(SECOND / 10).await;
        }
        assert_eq!(bed.writes(), ["pause 0 200"], "{}", bed.message("r0"));
    });
}

#[test]
fn while_lists_are_throttled_and_gets_are_answered_nobody_is_blind() {
    in_virtual_time(async {
        let bed = fleet(50).await;
        bed.simulator.inject(Fault::respond(429).on(Operation::List).always());
        let mut blind = 0;
        for _ in 0..120 {
            bed.pass(10 * SECOND).await;
            blind =
                blind.max((0..50).filter(|i| bed.ready(&format!("r{i}")) != "True InSync").count());
        }
        let (lists, gets) = (bed.wire.sent(Kind::List).len(), bed.wire.sent(Kind::Get).len());
        assert_eq!(blind, 0, "{lists} lists, {gets} gets in twenty minutes");
    });
}

#[test]
fn lists_that_ask_to_wait_leave_gets_to_be_answered() {
    for (status, wait) in [(503, 60), (429, 60), (503, 600), (429, 600)] {
        in_virtual_time(async {
            let bed = fleet(10).await;
            let slow = Settings { latency: SECOND / 20, ..bed.simulator.settings() };
            bed.simulator.set_settings(slow).unwrap();
            let header = wait.to_string();
            let sorry = Fault::respond(status).header("retry-after", &header).on(Operation::List);
            bed.simulator.inject(sorry.always());
            // At first everything waits, as asked; and the next poll is a list.
            bed.pass(3 * wait * SECOND + 2 * POLL).await;
            let mut blind = 0;
            let started = bed.wire.sent(Kind::List).len();
            for _ in 0..120 {
                bed.pass(10 * SECOND).await;
                let is_blind = |i: &usize| bed.ready(&format!("r{i}")) != "True InSync";
                blind = blind.max((0..10).filter(is_blind).count());
            }
            let lists = bed.wire.sent(Kind::List).len() - started;
            assert_eq!(blind, 0, "{status}, {wait} s");
            assert!(lists <= 1200 / wait as usize + 2, "{status}, {wait} s: {lists} lists");

            bed.simulator.clear_faults();
            bed.pass(wait * SECOND + POLL).await;
            bed.forget();
            bed.pass(POLL).await;
            assert_eq!(bed.calls(), ["list 200"], "{status}, {wait} s");
        });
    }
}

#[test]
fn one_pause_that_is_throttled_for_ever_does_not_blind_the_others() {
    in_virtual_time(async {
        // Five pages, and none of them is ever refused.
        let mut setup = Setup::with(500);
        setup.simulator.dialect = Dialect::D2;
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        for i in 0..500 {
            bed.apply(&format!("r{i}"), i, Some(false));
        }
        bed.until("r499", "True InSync", 60 * SECOND).await;
        bed.pass(POLL).await;
        bed.simulator.inject(Fault::respond(429).on(Operation::Pause).always());
        bed.flip("r0", true);
        let mut blind = 0;
        for _ in 0..60 {
            bed.pass(10 * SECOND).await;
            let is_blind = |i: &usize| bed.ready(&format!("r{i}")) != "True InSync";
            blind = blind.max((1..500).filter(is_blind).count());
        }
        assert_eq!(blind, 0, "reads are answered all the time");
    });
}

#[test]
fn a_cursor_that_is_refused_once_does_not_make_pages_small_for_good() {
    in_virtual_time(async {
        // Each half has two pages.
        let mut bed = Bed::prepare(Setup::with(2400)).await;
        for id in bed.ids.iter().take(1200) {
            bed.simulator.set_paused(id, true);
        }
        bed.run();
        for i in 0..30 {
            bed.apply(&format!("p{i}"), i, Some(true));
            bed.apply(&format!("a{i}"), 2300 + i, Some(false));
        }
        bed.pass(POLL * 2 + SECOND).await;
        bed.forget();
        bed.pass(POLL * 20).await;
        let before = bed.calls().len();
        // The first page is served; then what its cursor names is archived.
        let sent = bed.wire.sent(Kind::List).len();
        while bed.wire.sent(Kind::List).len() == sent {
            bed.pass(SECOND / 100).await;
        }
        bed.forget();
        bed.simulator.inject(Fault::respond(400).on(Operation::List));
        bed.pass(SECOND).await;
        assert_eq!(bed.calls()[0], "list 400");
        bed.pass(POLL * 20).await;
        bed.forget();
        bed.pass(POLL * 20).await;
        let after = bed.calls().len();
        assert!(after <= before + 5, "{before} calls in twenty polls, and {after} after it");
    });
}
