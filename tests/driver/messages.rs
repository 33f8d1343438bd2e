//! What a status and an event say, and what stands beside them.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use qoder_simulator::{Fault, Operation};
use serde_json::json;

use crate::{
    bed::{Bed, NAMESPACE, POLL, in_virtual_time},
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

/// Another controller writes a condition of its own into the status of `r0`.
pub fn add_condition_of_another(bed: &Bed) {
    let theirs = json!({
        "type": "Audited", "status": "True", "reason": "Seen", "message": "",
        "lastTransitionTime": "2026-07-01T02:00:00Z", "observedGeneration": 1,
    });
    let add = |status: &mut serde_json::Value| {
        status["conditions"].as_array_mut().unwrap().push(theirs);
    };
    bed.server.deployments().edit_status(NAMESPACE, "r0", add).unwrap();
}

#[test]
fn a_fresh_read_that_failed_once_is_not_blamed_for_a_429_that_came_later() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let read = Match::verb(Verb::Get).of("qoderdeployments");
        let _once = bed.server.on(read).fail(Failure::internal());
        bed.simulator.inject(Fault::respond(429).header("retry-after", "60").on(Operation::Pause));
        bed.flip("r0", true);
        bed.pass(10 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 429"], "the second fresh read was served");
        assert_eq!(bed.ready("r0"), "False PausePending");
        assert!(bed.message("r0").contains("429"), "{}", bed.message("r0"));
    });
}

#[test]
fn a_fresh_read_that_failed_once_is_not_blamed_for_a_post_that_hangs() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let read = Match::verb(Verb::Get).of("qoderdeployments");
        let _once = bed.server.on(read).fail(Failure::internal());
        let _post = bed.wire.hold(Kind::Write, Moment::Before);
        bed.flip("r0", true);
        bed.pass(10 * SECOND).await;
        assert_eq!(bed.wire.sent(Kind::Write).len(), 1, "the second fresh read was served");
        assert!(!bed.message("r0").contains("Kubernetes"), "{}", bed.message("r0"));
    });
}

#[test]
fn a_condition_of_another_controller_beside_ours_takes_no_event_away() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.until("r0", "True InSync", SECOND).await;
        add_condition_of_another(&bed);
        bed.pass(SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.until("r0", "True DriftTolerated", 2 * POLL).await;
        bed.pass(SECOND).await;
        assert_eq!(bed.events("r0"), ["DriftDetected"]);
    });
}

#[test]
fn a_write_that_is_refused_with_429_each_second_says_that_it_waits() {
    for wait in ["2", "1", "0"] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            let sorry = Fault::respond(429).header("retry-after", wait);
            bed.simulator.inject(sorry.on(Operation::Pause).always());
            bed.flip("r0", true);
            bed.pass(60 * SECOND).await;
            assert_eq!(bed.ready("r0"), "False PausePending", "{wait}: {}", bed.writes().len());
        });
    }
}

/// An apply is read as YAML, also where it is JSON.
#[test]
fn no_remote_text_makes_a_status_that_the_api_server_cannot_read() {
    for text in ['\u{7f}', '\u{80}', '\u{85}', '\u{93}', '\u{9f}', '\u{fffe}', '\u{ffff}'] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            bed.simulator.patch(&bed.ids[0], json!({ "name": format!("nightly {text}report") }));
            bed.pass(POLL + SECOND).await;
            assert_eq!(bed.object("r0")["status"]["name"], "nightly \u{fffd}report");
            let writes = bed.status_writes("r0").len();
            bed.pass(2 * POLL).await;
            assert_eq!(bed.status_writes("r0").len(), writes, "it has been said");
        });
    }
}

#[test]
fn a_post_that_is_not_answered_says_that_the_api_does_not_answer() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let _post = bed.wire.hold(Kind::Write, Moment::Before);
        bed.flip("r0", true);
        bed.pass(4 * SECOND).await;
        assert_eq!(bed.ready("r0"), "False PausePending");
        assert!(bed.message("r0").contains("answer"), "{}", bed.message("r0"));
    });
}

#[test]
fn a_pause_that_fails_each_time_says_how_its_last_try_ended() {
    for (fault, words) in [
        (Fault::respond(409), "Last try: HTTP 409, and the deployment has not changed"),
        (Fault::respond(500), "Last try: HTTP 500; it may have been done or not"),
        (Fault::respond(403).html(), "Last try: HTTP 403, from something between"),
        (Fault::respond(401), "Last try: HTTP 401, although the token is accepted for reads"),
        (Fault::respond(200).body("{}"), "Last try: an answer that is not one of the API; it may"),
        (Fault::reset_before(), "Last try: the connection broke; it may have been done or not"),
    ] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            bed.simulator.inject(fault.clone().on(Operation::Pause).always());
            let before = bed.status_writes("r0").len();
            bed.flip("r0", true);
            bed.pass(15 * 60 * SECOND).await;
            assert_eq!(bed.ready("r0"), "False PausePending", "{fault:?}");
            assert!(bed.message("r0").contains(words), "{words}: {}", bed.message("r0"));
            assert!(bed.status_writes("r0").len() - before <= 2, "the same is said once");
        });
    }
}

#[test]
fn an_outage_names_the_first_error_and_is_told_once_whatever_else_comes() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.inject(Fault::respond(502).times(1));
        for code in [503, 500, 504] {
            bed.simulator.inject(Fault::respond(code).times(4));
        }
        bed.simulator.inject(Fault::respond(501).always());
        let before = bed.status_writes("r2").len();
        bed.until("r2", "Unknown RemoteUnavailable", 10 * POLL).await;
        assert!(
            bed.message("r2").contains("First error: HTTP 502; the log has the latest."),
            "{}",
            bed.message("r2")
        );
        bed.pass(40 * POLL).await;
        assert!(
            bed.message("r2").contains("First error: HTTP 502; the log has the latest."),
            "{}",
            bed.message("r2")
        );
        assert_eq!(bed.status_writes("r2").len() - before, 1);
    });
}

#[test]
fn a_safety_switch_with_an_unknown_value_pauses_reconciliation_and_names_the_known_ones() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        for value in ["false", "Disabled", "disabled", "enabled"] {
            bed.annotate("r0", "reconcile", value);
            bed.pass(SECOND).await;
            let is_unknown = ["false", "Disabled"].contains(&value);
            let ready = if value == "enabled" { "True InSync" } else { "True ReconcileDisabled" };
            assert_eq!(bed.ready("r0"), ready, "{value}");
            let names_them = bed.message("r0").contains("use disabled or enabled");
            assert_eq!(names_them, is_unknown, "{value}: {}", bed.message("r0"));
        }
        bed.annotate("r0", "reconcile", "false");
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.pass(2 * POLL).await;
        assert_eq!(bed.writes(), [""; 0], "drift is left");
    });
}

#[test]
fn an_owner_in_the_same_namespace_is_named() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.apply("later", 0, Some(true));
        bed.until("later", "False DuplicateOwner", SECOND).await;
        let message = bed.message("later");
        assert!(message.contains("It is qoderdeployment/r0 in this namespace."), "{message}");
    });
}

/// Refused by the Qoder API, and told of Kubernetes.
#[test]
fn a_refusal_is_not_blamed_on_a_fresh_read_that_failed_since() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.annotate("r0", "reconcile-requested-at", "1");
        bed.pass(5 * SECOND).await;
        bed.simulator.inject(
            Fault::respond(403)
                .body(r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#)
                .on(Operation::Pause)
                .always(),
        );
        bed.flip("r0", true);
        bed.until("r0", "False WriteRefused", 5 * SECOND).await;
        let read = Match::verb(Verb::Get).of("qoderdeployments");
        let _down = bed.server.on(read).always().fail(Failure::internal());
        bed.annotate("r0", "reconcile-requested-at", "2");
        bed.pass(5 * SECOND).await;
        // GitOps puts the old value back.
        bed.annotate("r0", "reconcile-requested-at", "1");
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.ready("r0"), "False WriteRefused");
        assert!(bed.message("r0").contains("403"), "{}", bed.message("r0"));
    });
}
