//! One event is counted once, and as what it is.

use std::time::Duration;

use apiserver::{Failure, Match};
use qoder_operator::metrics::Snapshot;
use qoder_simulator::{Fault, Operation};
use serde_json::json;

use crate::{
    bed::{Bed, POLL, in_virtual_time},
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

/// The series of this name that have counted anything.
fn lines(bed: &Bed, name: &str) -> Vec<String> {
    let text = bed.metrics.encode(&Snapshot::default()).unwrap();
    let counted = text.lines().filter(|line| line.starts_with(name) && !line.ends_with(" 0"));
    let mut counted: Vec<_> = counted.map(str::to_owned).collect();
    // A family has no order.
    counted.sort();
    counted
}

#[test]
fn a_tolerated_drift_whose_status_fails_is_one_drift() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.until("r0", "True InSync", SECOND).await;
        let _rule = bed.server.on(Match::status_patches()).times(3).fail(Failure::internal());
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.until("r0", "True DriftTolerated", 3 * POLL).await;
        assert_eq!(
            lines(&bed, "qoder_drift_total"),
            [r#"qoder_drift_total{action="tolerated"} 1"#]
        );
    });
}

#[test]
fn a_wish_whose_status_fails_takes_effect_once() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let _rule = bed.server.on(Match::status_patches()).times(3).fail(Failure::internal());
        bed.flip("r0", true);
        bed.until("r0", "True InSync", POLL).await;
        assert_eq!(
            lines(&bed, "qoder_time_to_effect_seconds_count"),
            ["qoder_time_to_effect_seconds_count 1"]
        );
    });
}

#[test]
fn a_wish_that_takes_long_is_counted_as_well() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.ready("r0"), "False PausePending");
        post.release();
        bed.until("r0", "True InSync", SECOND).await;
        assert_eq!(
            lines(&bed, "qoder_time_to_effect_seconds_count"),
            ["qoder_time_to_effect_seconds_count 1"]
        );
    });
}

#[test]
fn a_409_that_is_confirmed_is_one_also_with_an_onlooker() {
    in_virtual_time(async {
        let bed = Bed::with(2).await;
        bed.apply("watcher", 0, None);
        bed.pass(2 * SECOND).await;
        bed.apply("owner", 0, Some(false));
        bed.until("owner", "True InSync", 3 * SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.simulator.inject(Fault::respond(409).on(Operation::Pause));
        bed.flip("owner", true);
        bed.until("owner", "True InSync", POLL).await;
        assert_eq!(bed.writes(), ["pause 0 409"]);
        assert_eq!(
            lines(&bed, "qoder_conflict_total"),
            [r#"qoder_conflict_total{meaning="already_reconciled"} 1"#]
        );
    });
}

#[test]
fn a_tolerated_drift_that_outlives_an_outage_is_one_drift() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.until("r0", "True InSync", SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.until("r0", "True DriftTolerated", 3 * POLL).await;
        bed.simulator.inject(Fault::respond(500).always());
        bed.until("r0", "Unknown RemoteUnavailable", 6 * POLL).await;
        bed.simulator.clear_faults();
        bed.until("r0", "True DriftTolerated", 6 * POLL).await;
        assert_eq!(
            lines(&bed, "qoder_drift_total"),
            [r#"qoder_drift_total{action="tolerated"} 1"#]
        );
        assert_eq!(bed.events("r0"), ["DriftDetected"]);
    });
}

#[test]
fn a_wish_that_took_effect_long_ago_takes_none_when_a_switch_or_a_token_is_put_right() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.annotate("r0", "reconcile", "disabled");
        bed.until("r0", "True ReconcileDisabled", SECOND).await;
        bed.pass(3600 * SECOND).await;
        bed.annotate("r0", "reconcile", "enabled");
        bed.until("r0", "True InSync", SECOND).await;
        assert_eq!(
            lines(&bed, "qoder_time_to_effect_seconds_sum"),
            ["qoder_time_to_effect_seconds_sum 0.0"]
        );
    });
}

#[test]
fn a_correction_that_is_held_is_counted_once() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        for _ in 0..4 {
            bed.simulator.set_paused(&bed.ids[0], true);
            bed.pass(2 * POLL).await;
        }
        assert_eq!(bed.ready("r0"), "False Contested");
        bed.pass(4 * POLL).await;
        assert_eq!(
            lines(&bed, "qoder_drift_total"),
            [r#"qoder_drift_total{action="corrected"} 3"#, r#"qoder_drift_total{action="held"} 1"#,]
        );
    });
}
