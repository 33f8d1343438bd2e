//! Many statuses that hang at once: they are bounded, and delay nothing else.

use std::time::Duration;

use apiserver::Match;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    bed::{Bed, POLL, Setup, in_virtual_time, later},
    waits::{fleet, fleet_of},
};

const SECOND: Duration = Duration::from_secs(1);

/// New resources whose statuses hang, and a flip beside them.
#[test]
fn many_new_resources_whose_statuses_hang_do_not_delay_a_flip_in_their_namespace() {
    in_virtual_time(async {
        let bed = fleet_of(2, Setup::with(2002)).await;
        let hanging = bed.server.on(Match::status_patches()).always().silence_request();
        for i in 0..2000 {
            bed.apply(&format!("n{i}"), 2 + i, None);
        }
        bed.pass(SECOND).await;
        bed.flip("r0", true);
        let start = Instant::now();
        while bed.writes().is_empty() {
            bed.pass(SECOND / 10).await;
            assert!(start.elapsed() < 120 * SECOND, "not within two minutes");
        }
        let (waited, most) = (start.elapsed(), hanging.arrivals());
        assert!(waited <= 5 * SECOND, "{waited:?}, {most} applies sent");
    });
}

/// Thirty flips beside many new resources whose statuses hang: permits are granted, and nobody comes to take them.
#[test]
fn thirty_flips_beside_many_new_resources_whose_statuses_hang_are_sent_within_a_minute() {
    in_virtual_time(async {
        let bed = fleet_of(30, Setup::with(2030)).await;
        let hanging = bed.server.on(Match::status_patches()).always().silence_request();
        for i in 0..2000 {
            bed.apply(&format!("n{i}"), 30 + i, None);
        }
        bed.pass(SECOND).await;
        for i in 0..30 {
            bed.flip(&format!("r{i}"), true);
        }
        let mut sent = Vec::new();
        for _ in 0..2 {
            bed.pass(30 * SECOND).await;
            sent.push(bed.writes().len());
        }
        assert!(sent[1] >= 30, "after each 30 s: {sent:?}; {} applies", hanging.arrivals());
    });
}

/// Ten seconds of statuses that hang: each is a connection of its own.
#[test]
fn statuses_that_hang_together_are_bounded() {
    in_virtual_time(async {
        let bed = fleet_of(2, Setup::with(2002)).await;
        let hanging = bed.server.on(Match::status_patches()).always().silence_request();
        for i in 0..2000 {
            bed.apply(&format!("n{i}"), 2 + i, None);
        }
        // None of them has timed out yet.
        bed.pass(19 * SECOND / 2).await;
        assert!(hanging.arrivals() <= 100, "{} at once", hanging.arrivals());
    });
}

/// The same where the others only have something to report: the flips are in a lane of their own.
#[test]
fn thirty_flips_beside_many_reports_that_hang_are_sent_within_five_seconds() {
    in_virtual_time(async {
        let mut bed = Bed::prepare(Setup::with(1030)).await;
        bed.run();
        for i in 0..1030 {
            bed.apply(&format!("r{i}"), i, Some(false));
        }
        bed.pass(60 * SECOND).await;
        assert_eq!(bed.ready("r1029"), "True InSync");
        let hanging = bed.server.on(Match::status_patches()).always().silence_request();
        for i in 30..1030 {
            bed.simulator.patch(&bed.ids[i], json!({ "name": "another" }));
        }
        hanging.arrived().await;
        bed.pass(2 * SECOND).await;
        bed.forget();
        for i in 0..30 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(5 * SECOND).await;
        assert!(bed.writes().len() >= 30, "{} of 30", bed.writes().len());
    });
}

/// Reports that Kubernetes takes slowly, and a flip.
#[test]
fn the_status_of_a_flip_does_not_wait_behind_reports() {
    for seconds in [0, 3] {
        in_virtual_time(async {
            let bed = fleet(500).await;
            let _slow = bed.server.on(Match::status_patches()).always().delay(SECOND);
            let reported = report(&bed, 500);
            bed.pass(POLL).await;
            bed.pass(seconds * SECOND).await;
            assert!(reported(&bed) < 200, "{} reports are done", reported(&bed));
            let name = format!("r{}", 490 + seconds);
            bed.flip(&name, true);
            bed.until(&name, "True InSync", 5 * SECOND).await;
        });
    }
}

/// 32 statuses at once, each taken within so long.
#[test]
fn statuses_that_are_taken_slowly_use_the_room_that_there_is() {
    for millis in [600, 2000] {
        in_virtual_time(async {
            let bed = fleet(320).await;
            let slow = Duration::from_millis(millis);
            let _slow = bed.server.on(Match::status_patches()).always().delay(slow);
            let reported = report(&bed, 320);
            while reported(&bed) == 0 {
                bed.pass(SECOND / 10).await;
            }
            bed.pass(slow * 320 / 32 * 3 / 2 + SECOND).await;
            assert_eq!(reported(&bed), 320, "{millis} ms each");
        });
    }
}

/// 32 statuses hang, and all others of the namespace wait for room.
#[test]
fn resources_that_wait_for_room_for_their_status_do_not_spin() {
    in_virtual_time(async {
        let bed = fleet(500).await;
        let _hanging = bed.server.on(Match::status_patches()).always().silence_request();
        let _reported = report(&bed, 500);
        bed.pass(2 * POLL).await;
        let before = passes(&bed);
        bed.pass(60 * SECOND).await;
        let passes = passes(&bed) - before;
        assert!(passes <= 1000, "{passes} passes in a minute that changes nothing");
    });
}

/// 32 reports are on their way at the SIGTERM, and what the last write has changed waits for room.
#[test]
fn a_status_that_waits_for_room_at_the_sigterm_is_told_before_the_end() {
    in_virtual_time(async {
        let mut bed = fleet(60).await;
        let held = bed.server.on(Match::status_patches()).times(32).hold();
        let _reported = report(&bed, 40);
        bed.pass(POLL + SECOND).await;
        bed.flip("r50", true);
        bed.pass(SECOND).await;
        assert_eq!((bed.writes().len(), held.arrivals()), (1, 32));
        later(SECOND, move || held.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r50"), "True InSync");
    });
}

/// All have a new name to report. Returns what counts those whose status has it.
fn report(bed: &Bed, count: usize) -> impl Fn(&Bed) -> usize + use<> {
    for (i, id) in bed.ids.iter().enumerate().take(count) {
        bed.simulator.patch(id, json!({ "name": format!("other {i}") }));
    }
    move |bed| {
        let has_reported = |i: &usize| {
            let name = bed.object(&format!("r{i}"))["status"]["name"].clone();
            name == format!("other {i}")
        };
        (0..count).filter(has_reported).count()
    }
}

/// Passes so far.
fn passes(bed: &Bed) -> usize {
    let text = bed.metrics.encode(&bed.counted()).unwrap();
    let counts =
        text.lines().filter(|line| line.starts_with("controller_runtime_reconcile_total{"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

/// 32 statuses hang, one waits for room; the 32 resources are deleted, and only then their statuses end.
#[test]
fn a_status_that_waits_for_room_is_sent_when_those_before_it_end_after_their_resources() {
    in_virtual_time(async {
        let mut setup = Setup::with(33);
        setup.times.poll_interval = Duration::from_secs(600);
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        let held = bed.server.on(Match::status_patches()).always().hold();
        for i in 0..32 {
            bed.apply(&format!("b{i}"), i, None);
        }
        bed.pass(SECOND).await;
        assert_eq!(held.arrivals(), 32);
        bed.apply("waits", 32, None);
        bed.pass(4 * SECOND).await;
        assert_eq!(held.arrivals(), 32);
        for i in 0..32 {
            bed.delete(&format!("b{i}"));
        }
        bed.pass(SECOND).await;
        held.lift();
        held.release();
        let mut seconds = 0;
        while bed.ready("waits") == "none" && seconds < 3600 {
            bed.pass(SECOND).await;
            seconds += 1;
        }
        assert!(seconds <= 2, "waited for {seconds} s with a free room: {}", bed.ready("waits"));
    });
}

/// As `a_status_that_waits_for_room_is_sent_when_those_before_it_end_after_their_resources`: a flip.
#[test]
fn a_flip_whose_status_waits_for_room_is_told_when_those_before_it_end_after_their_resources() {
    in_virtual_time(async {
        let mut setup = Setup::with(33);
        setup.times.poll_interval = Duration::from_secs(600);
        let bed = fleet_of(33, setup).await;
        let held = bed.server.on(Match::status_patches()).always().hold();
        for i in 0..32 {
            bed.edit(&format!("r{i}"), |object| object["spec"]["driftPolicy"] = json!("Warn"));
        }
        bed.pass(SECOND).await;
        assert_eq!(held.arrivals(), 32);
        bed.flip("r32", true);
        bed.pass(4 * SECOND).await;
        assert_eq!((held.arrivals(), bed.writes().len()), (32, 1));
        for i in 0..32 {
            bed.delete(&format!("r{i}"));
        }
        bed.pass(SECOND).await;
        held.lift();
        held.release();
        bed.until("r32", "True InSync", 5 * SECOND).await;
    });
}
