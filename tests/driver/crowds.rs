//! Many statuses that hang at once: they are bounded, and delay nothing else.

use std::time::Duration;

use apiserver::Match;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    bed::{Bed, Setup, in_virtual_time},
    waits::fleet_of,
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
