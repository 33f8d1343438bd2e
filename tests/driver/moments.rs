//! SIGTERM at any moment: what was done is told, and nothing is told that was not.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    bed::{NAMESPACE, POLL, in_virtual_time, later},
    waits::fleet,
};

const SECOND: Duration = Duration::from_secs(1);

/// SIGTERM at each hundredth of a second after a flip: what was answered is told, with its event.
#[test]
fn a_sigterm_at_any_moment_leaves_what_was_done_in_the_status_and_in_an_event() {
    for step in 0..60 {
        in_virtual_time(async {
            let mut bed = fleet(3).await;
            bed.slow_down();
            bed.apply("watcher", 0, None);
            bed.until("watcher", "True Observed", 2 * SECOND).await;
            bed.flip("r0", true);
            bed.flip("r1", true);
            bed.pass(step * SECOND / 200).await;
            let before = Instant::now();
            bed.stop().await.unwrap();
            let taken = before.elapsed();
            assert!(taken <= 2 * SECOND, "step {step}: {taken:?}");
            for n in 0..2 {
                let name = format!("r{n}");
                let is_sent = bed.writes().contains(&format!("pause {n} 200"));
                if is_sent {
                    assert_eq!(bed.ready(&name), "True InSync", "step {step}");
                    assert_eq!(bed.events(&name), ["Paused"], "step {step}");
                }
            }
            if bed.writes().contains(&"pause 0 200".to_owned()) {
                assert_eq!(bed.object("watcher")["status"]["status"], "paused", "step {step}");
            }
        });
    }
}

/// The same where the answer is lost or refused.
#[test]
fn a_sigterm_at_any_moment_after_a_lost_write_says_that_it_was_begun() {
    for step in 0..60 {
        in_virtual_time(async {
            let mut bed = fleet(3).await;
            bed.slow_down();
            bed.simulator.inject(Fault::respond(502).on(Operation::Pause).always());
            bed.flip("r0", true);
            bed.pass(step * SECOND / 100).await;
            bed.stop().await.unwrap();
            if !bed.writes().is_empty() {
                assert_ne!(bed.ready("r0"), "True InSync*", "step {step}: {:?}", bed.calls());
            }
        });
    }
}

/// SIGTERM at any moment of a resume that was asked for, with a new generation on its heels.
#[test]
fn a_sigterm_at_any_moment_of_a_resume_leaves_that_it_was_done() {
    let mut lost = Vec::new();
    for heels in [0, 1, 2] {
        for step in 0..40 {
            in_virtual_time(async {
                let mut bed = fleet(2).await;
                bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
                bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
                bed.slow_down();
                bed.annotate("r0", "resume-requested-at", "1");
                let server = bed.server.clone();
                later(SECOND / 10, move || match heels {
                    0 => {}
                    1 => drop(server.deployments().edit(NAMESPACE, "r0", |object| {
                        object["spec"]["driftPolicy"] = json!("Warn");
                    })),
                    _ => drop(server.deployments().annotate(
                        NAMESPACE,
                        "r0",
                        "cloud.qoder.com/reconcile-requested-at",
                        "1",
                    )),
                });
                bed.pass(step * SECOND / 100).await;
                bed.stop().await.unwrap();
                let is_done = bed.writes().contains(&"unpause 0 200".to_owned());
                let handled = &bed.object("r0")["status"]["lastHandledResumeRequest"];
                if is_done && handled != "1" {
                    lost.push((heels, step * 10));
                }
            });
        }
    }
    assert!(lost.is_empty(), "(heels, ms): {lost:?}");
}

/// The same of two flips, one right after the other.
#[test]
fn a_sigterm_at_any_moment_of_two_flips_leaves_no_status_that_lies() {
    for between in [30, 90, 150, 300] {
        for step in 0..60 {
            in_virtual_time(async {
                let mut bed = fleet(2).await;
                bed.slow_down();
                bed.flip("r0", true);
                let server = bed.server.clone();
                later(between * SECOND / 1000, move || {
                    drop(server.deployments().edit(NAMESPACE, "r0", |object| {
                        object["spec"]["paused"] = json!(false);
                    }));
                });
                bed.pass(step * SECOND / 100).await;
                bed.stop().await.unwrap();
                let ready = bed.ready("r0");
                let remote = bed.remote(0);
                let status = bed.object("r0")["status"]["status"].clone();
                let told =
                    status == remote.as_str() || !bed.writes().iter().any(|w| w.contains("200"));
                assert!(
                    told,
                    "{between} ms, step {step}: {ready}, {status}, {remote}, {:?}",
                    bed.calls()
                );
            });
        }
    }
}

/// A drift correction: told, counted and published once, at whatever moment the process is told to end.
#[test]
fn a_sigterm_at_any_moment_of_a_correction_leaves_its_event() {
    for step in 0..60 {
        in_virtual_time(async {
            let mut bed = fleet(2).await;
            bed.server.set_latency(SECOND / 50);
            bed.simulator.set_paused(&bed.ids[0], true);
            bed.annotate("r1", "reconcile-requested-at", "1");
            bed.annotate("r0", "reconcile-requested-at", "1");
            bed.pass(step * SECOND / 200).await;
            bed.stop().await.unwrap();
            let writes = bed.writes().len();
            let events = bed.events("r0").len();
            assert_eq!(writes, events, "step {step}: {:?} {:?}", bed.writes(), bed.events("r0"));
            if writes == 1 {
                assert_eq!(bed.object("r0")["status"]["status"], "active", "step {step}");
            }
        });
    }
}
