//! What is written while nothing changes: once.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};
use serde_json::json;

use crate::{
    bed::{POLL, Setup, in_virtual_time},
    log::keep_log,
    logs::lines,
    publishing::of,
    waits::{fleet, fleet_of},
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

/// The answer of a status comes after its echo, and after a later status was taken.
#[test]
fn the_late_answer_of_an_older_status_tells_nothing_again() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.until("r0", "True InSync", SECOND).await;
        bed.pass(3 * SECOND).await;
        keep_log();
        let slow = bed.server.on(of("r0")).hold_answer();
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.until("r0", "True DriftTolerated", 2 * POLL).await;
        bed.pass(SECOND).await;
        let told = lines("Ready has changed").len();
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.annotate("r0", "reconcile-requested-at", "1");
        bed.until("r0", "True InSync", 3 * SECOND).await;
        bed.pass(SECOND).await;
        slow.release();
        bed.pass(5 * SECOND).await;
        let changes = lines("Ready has changed");
        let text = bed.metrics.encode(&bed.counted()).unwrap();
        let tolerated: Vec<_> = text.lines().filter(|line| line.contains("tolerated")).collect();
        assert_eq!((told, changes.len()), (1, 2), "{tolerated:?} {changes:#?}");
    });
}

/// The same of an event: the recorder folds what is the same within minutes, so another note.
#[test]
fn the_late_answer_of_an_older_status_publishes_no_event_again() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let slow = bed.server.on(of("r0")).hold_answer();
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        bed.pass(SECOND).await;
        bed.annotate("r0", "resume-requested-at", "1");
        bed.until("r0", "True InSync", 3 * SECOND).await;
        bed.pass(SECOND).await;
        let before = bed.server.writes().iter().filter(|entry| entry.resource == "events").count();
        slow.release();
        bed.pass(10 * SECOND).await;
        let after = bed.server.writes().iter().filter(|entry| entry.resource == "events").count();
        assert_eq!(after - before, 0, "InSync, and an event that it is PausedByPlatform");
    });
}

/// A status that stood for six seconds; its answer came when the next one stood.
#[test]
fn what_a_status_has_said_for_seconds_is_told_although_its_answer_came_late() {
    in_virtual_time(async {
        let mut setup = Setup::with(2);
        setup.times.poll_interval = 5 * SECOND;
        let bed = fleet_of(2, setup).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.until("r0", "True InSync", SECOND).await;
        bed.pass(6 * SECOND).await;
        bed.server.hold_watches();
        let slow = bed.server.on(of("r0")).hold_answer();
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.until("r0", "True DriftTolerated", 6 * SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.pass(6 * SECOND).await;
        assert_eq!(bed.ready("r0"), "True DriftTolerated");
        bed.server.release_watches();
        bed.until("r0", "True InSync", SECOND).await;
        slow.release();
        bed.pass(10 * SECOND).await;
        let text = bed.metrics.encode(&bed.counted()).unwrap();
        let tolerated: Vec<_> = text.lines().filter(|line| line.contains("tolerated")).collect();
        assert_eq!(bed.events("r0"), ["DriftDetected"], "{tolerated:?}");
    });
}
