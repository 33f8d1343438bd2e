//! Fields in the status that another field manager has put there.

use std::time::Duration;

use apiserver::Failure;
use serde_json::{Value, json};

use crate::{
    bed::{Bed, NAMESPACE, POLL, Setup, in_virtual_time},
    publishing::of,
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

/// A field of the status that we do not set, and that another one owns, stands beside ours for ever.
#[test]
fn a_status_field_of_another_manager_costs_no_endless_row_of_applies() {
    let mut found = Vec::new();
    for field in ["archivedTime", "stalled", "pausedReason"] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            bed.server.set_latency(SECOND / 100);
            let before = bed.status_writes("r0").len();
            bed.server
                .deployments()
                .edit_status(NAMESPACE, "r0", |status| match field {
                    "archivedTime" => status[field] = json!("2026-01-01T00:00:00Z"),
                    "pausedReason" => status[field] = json!({ "type": "manual" }),
                    _ => status["conditions"].as_array_mut().unwrap().push(json!({
                        "type": "Stalled", "status": "False", "reason": "Fine", "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    })),
                })
                .unwrap();
            bed.pass(60 * SECOND).await;
            let applies = bed.status_writes("r0").len() - before;
            if applies > 10 {
                found.push(format!("{field}: {applies} status applies in a calm minute"));
            }
        });
    }
    assert!(found.is_empty(), "{found:?}");
}

/// A backup tool has put the status back, as its own (Velero, `restoreStatus`): it was stalled then.
#[test]
fn what_a_restore_has_put_into_the_status_goes_when_it_does_not_hold() {
    in_virtual_time(async {
        let mut bed = Bed::prepare(Setup::with(1)).await;
        bed.server.set_latency(SECOND / 100);
        bed.apply("r0", 0, Some(false));
        bed.server
            .deployments()
            .edit_status(NAMESPACE, "r0", |status| {
                let condition = |kind: &str, status: &str| {
                    json!({
                        "type": kind, "status": status, "reason": "PausedByPlatform", "message": "",
                        "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
                    })
                };
                *status = json!({
                    "observedGeneration": 1, "desired": "Active", "status": "paused",
                    "pausedReason": { "type": "error" },
                    "conditions": [condition("Ready", "False"), condition("Stalled", "True")],
                });
            })
            .unwrap();
        bed.run();
        bed.until("r0", "True InSync", 3 * SECOND).await;
        bed.pass(60 * SECOND).await;
        let status = bed.object("r0")["status"].clone();
        let conditions = status["conditions"].as_array().unwrap().clone();
        let is_stalled = conditions.iter().any(|one| one["type"] == "Stalled");
        let applies = bed.status_writes("r0").len();
        assert!(
            !is_stalled && status.get("pausedReason").is_none() && applies <= 5,
            "stalled: {is_stalled}, {:?}, {applies} applies in a minute",
            status["pausedReason"]
        );
    });
}

/// As `a_late_echo_of_our_own_status_does_not_undo_what_was_remembered_since`, beside a field of another manager.
#[test]
fn a_late_echo_of_our_own_status_undoes_nothing_also_beside_a_field_of_another_manager() {
    for field in [false, true] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            bed.server.set_latency(SECOND / 100);
            bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
            bed.until("r0", "False PausedByPlatform", POLL + SECOND).await;
            if field {
                bed.server
                    .deployments()
                    .edit_status(NAMESPACE, "r0", |status| {
                        status["archivedTime"] = json!("2026-01-01T00:00:00Z");
                    })
                    .unwrap();
            }
            let post = bed.wire.hold(Kind::Write, Moment::After);
            bed.annotate("r0", "resume-requested-at", "1");
            bed.pass(5 * SECOND / 2).await;
            bed.server.hold_watches();
            let lost = bed.server.on(of("r0")).always().drop_answer();
            bed.until("r0", "False ResumePending", 4 * SECOND).await;
            lost.lift();
            let refused = bed.server.on(of("r0")).always().fail(Failure::internal());
            post.release();
            bed.pass(SECOND).await;
            bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
            bed.pass(POLL).await;
            bed.server.release_watches();
            bed.pass(SECOND).await;
            refused.lift();
            bed.pass(2 * POLL).await;
            assert_eq!(bed.writes(), ["unpause 0 200"], "asked for once; field: {field}");
        });
    }
}

/// Another controller puts a field of ours back as soon as we have written it.
#[test]
fn another_writer_that_answers_at_once_makes_no_busy_loop() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.server.set_latency(SECOND / 100);
        let before = bed.status_writes("r0").len();
        for _ in 0..1000 {
            bed.pass(SECOND / 50).await;
            if bed.object("r0")["status"]["name"] != "theirs" {
                let theirs = |status: &mut serde_json::Value| status["name"] = json!("theirs");
                bed.server.deployments().edit_status(NAMESPACE, "r0", theirs).unwrap();
            }
        }
        let writes = bed.status_writes("r0").len() - before;
        assert!(writes <= 60, "{writes} status writes in twenty seconds");
    });
}

/// Each time that a status of it is on its way, someone else changes it.
#[test]
fn a_resource_that_always_changes_meanwhile_is_written_with_growing_waits() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let held = bed.server.on(of("r0")).always().hold();
        bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
        held.arrived().await;
        for n in 0..6000 {
            bed.annotate("r0", "n", &n.to_string());
            held.release_one();
            bed.pass(SECOND / 100).await;
        }
        assert!((5..=20).contains(&held.arrivals()), "{} applies in a minute", held.arrivals());
        held.lift();
        held.release();
        bed.pass(60 * SECOND).await;
        assert_eq!(bed.object("r0")["status"]["name"], "another");
    });
}

/// Another controller makes two writes each time that it sees ours: the second one of its own over its first.
#[test]
fn another_writer_that_answers_with_two_writes_makes_no_busy_loop() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.server.set_latency(SECOND / 100);
        let before = bed.status_writes("r0").len();
        for _ in 0..1000 {
            bed.pass(SECOND / 50).await;
            let name = bed.object("r0")["status"]["name"].clone();
            let next = match name.as_str() {
                Some("theirs 2") => continue,
                Some("theirs 1") => "theirs 2",
                _ => "theirs 1",
            };
            bed.server.deployments().edit_status(NAMESPACE, "r0", theirs(next.into())).unwrap();
        }
        let writes = bed.status_writes("r0").len() - before;
        assert!(writes <= 60, "{writes} status writes in twenty seconds");
    });
}

/// The answer of our status takes a tenth of a second, and the other controller is faster.
#[test]
fn another_writer_that_answers_before_the_api_server_does_makes_no_busy_loop() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let _slow = bed.server.on(of("r0")).always().delay_answer(SECOND / 10);
        let before = bed.status_writes("r0").len();
        for _ in 0..1000 {
            bed.pass(SECOND / 50).await;
            if bed.object("r0")["status"]["name"] != "theirs" {
                bed.server
                    .deployments()
                    .edit_status(NAMESPACE, "r0", theirs("theirs".into()))
                    .unwrap();
            }
        }
        let writes = bed.status_writes("r0").len() - before;
        assert!(writes <= 60, "{writes} status writes in twenty seconds");
    });
}

/// Each time that a status of it is on its way, someone else changes the status.
#[test]
fn a_status_that_always_changes_meanwhile_is_written_with_waits() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let held = bed.server.on(of("r0")).always().hold();
        bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
        held.arrived().await;
        for n in 0..2000 {
            let name = theirs(format!("theirs {n}"));
            bed.server.deployments().edit_status(NAMESPACE, "r0", name).unwrap();
            held.release_one();
            bed.pass(SECOND / 100).await;
        }
        assert!(held.arrivals() <= 60, "{} applies in twenty seconds", held.arrivals());
    });
}

/// As above: the event of what is so now is published nevertheless.
#[test]
fn an_event_is_published_also_where_another_writer_is_faster_than_the_answer() {
    let mut found = Vec::new();
    for fast in [false, true] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            if fast {
                let rule = bed.server.on(of("r0")).always().delay_answer(SECOND / 10);
                std::mem::forget(rule);
            }
            bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
            for _ in 0..6000 {
                bed.pass(SECOND / 50).await;
                if bed.object("r0")["status"]["name"] != "theirs" {
                    bed.server
                        .deployments()
                        .edit_status(NAMESPACE, "r0", theirs("theirs".into()))
                        .unwrap();
                }
            }
            assert_eq!(bed.ready("r0"), "False PausedByPlatform");
            found.push((fast, bed.events("r0"), bed.status_writes("r0").len()));
        });
    }
    assert!(found.iter().all(|(_, events, _)| !events.is_empty()), "{found:?}");
}

/// Another writer's name for the deployment.
fn theirs(name: String) -> impl FnOnce(&mut Value) {
    move |status| status["name"] = json!(name)
}
