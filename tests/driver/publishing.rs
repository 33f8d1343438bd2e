//! Statuses that Kubernetes is slow to take, or refuses: they are sent beside the passes, one at a time for each
//! resource.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use serde_json::json;

use crate::{
    bed::{Bed, NAMESPACE, POLL, in_virtual_time, later},
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

/// The status applies of this resource.
pub fn of(name: &str) -> Match {
    Match::status_patches().name(name)
}

/// Two deployments; drift of `r0` is tolerated.
async fn tolerant() -> Bed {
    let bed = fleet(2).await;
    bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
    bed.until("r0", "True InSync", SECOND).await;
    bed
}

#[test]
fn the_status_of_another_resource_that_is_slow_to_be_taken_delays_no_later_write() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let _slow = bed.server.on(of("younger")).always().silence_request();
        bed.apply("younger", 0, Some(true));
        bed.pass(SECOND).await;
        bed.flip("r0", true);
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"], "{}", bed.ready("r0"));
    });
}

#[test]
fn a_write_that_ended_is_told_although_another_resources_status_hangs() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        let _slow = bed.server.on(of("younger")).always().silence_request();
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        bed.apply("younger", 0, Some(true));
        bed.pass(SECOND).await;
        post.release();
        bed.pass(4 * SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

#[test]
fn a_namespace_whose_statuses_hang_does_not_delay_a_flip_in_another() {
    in_virtual_time(async {
        let bed = fleet(100).await;
        let bad = Match::status_patches().namespace("bad");
        let _slow = bed.server.on(bad).always().silence_request();
        for i in 0..48 {
            let metadata = json!({ "namespace": "bad", "name": format!("b{i}") });
            let spec = json!({ "deploymentID": bed.ids[50 + i] });
            let object = json!({ "metadata": metadata, "spec": spec });
            bed.server.deployments().apply(object).unwrap();
        }
        bed.pass(SECOND).await;
        bed.flip("r0", true);
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"], "{}", bed.ready("r0"));
    });
}

#[test]
fn what_is_to_be_said_while_a_status_is_on_its_way_is_said_after_it() {
    in_virtual_time(async {
        let bed = tolerant().await;
        let slow = bed.server.on(of("r0")).hold();
        bed.simulator.set_paused(&bed.ids[0], true);
        slow.arrived().await;
        let before = bed.status_writes("r0").len();
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.annotate("r0", "reconcile-requested-at", "1");
        bed.pass(SECOND).await;
        assert_eq!(bed.status_writes("r0").len(), before, "one at a time");
        slow.release();
        bed.pass(SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync");
        assert_eq!(bed.object("r0")["status"]["lastHandledReconcileRequest"], "1");
        assert_eq!(bed.status_writes("r0").len(), before + 1, "what is so now");
    });
}

/// The status that stands is what is to be said, and the one on its way is not.
#[test]
fn what_stands_is_said_again_after_a_status_on_its_way_that_is_wrong_by_now() {
    in_virtual_time(async {
        let bed = tolerant().await;
        let slow = bed.server.on(of("r0")).hold();
        bed.simulator.set_paused(&bed.ids[0], true);
        slow.arrived().await;
        bed.pass(SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], false);
        // Another resource makes the operator look.
        bed.apply("watcher", 0, None);
        bed.until("watcher", "True Observed", SECOND).await;
        slow.release();
        bed.pass(SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync");
        assert_eq!(bed.events("r0"), ["DriftDetected"]);
    });
}

#[test]
fn a_status_that_is_refused_is_tried_more_and_more_rarely_although_others_are_taken() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let refused = bed.server.on(of("younger")).always().fail(Failure::internal());
        bed.apply("younger", 0, Some(true));
        for i in 0..6 {
            bed.pass(10 * SECOND).await;
            bed.annotate("r0", "reconcile-requested-at", &i.to_string());
        }
        bed.pass(SECOND).await;
        assert_eq!(bed.object("r0")["status"]["lastHandledReconcileRequest"], "5");
        let tries = refused.arrivals();
        // After 1, 2, 4, 8, 16 and 32 s, each up to a quarter less.
        assert!((6..=7).contains(&tries), "{tries} tries in a minute");
    });
}

#[test]
fn a_status_that_stands_although_its_answer_was_lost_is_no_failure_any_more() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        for round in 0..4 {
            let lost = bed.server.on(of("r0")).drop_answer();
            bed.annotate("r0", "reconcile-requested-at", &round.to_string());
            lost.arrived().await;
            bed.pass(POLL).await;
        }
        let refused = bed.server.on(of("r0")).always().fail(Failure::internal());
        bed.annotate("r0", "reconcile-requested-at", "now");
        bed.pass(2 * SECOND).await;
        assert_eq!(refused.arrivals(), 2, "the second one after a second");
    });
}

#[test]
fn a_status_that_has_to_come_first_and_hangs_costs_no_reads_meanwhile() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let broken = bed.server.on(of("r0")).always().fail(Failure::internal());
        bed.flip("r0", true);
        bed.pass(2 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.pass(POLL + SECOND).await;
        broken.lift();
        let hanging = bed.server.on(of("r0")).always().silence_request();
        bed.pass(POLL).await;
        let reads = bed.server.on(Match::verb(Verb::Get).name("r0")).always().notice();
        bed.flip("r0", false);
        bed.pass(60 * SECOND).await;
        assert!(reads.arrivals() <= 12, "{} reads in a minute", reads.arrivals());
        assert_eq!(bed.writes(), ["pause 0 200"], "no status says that it was asked for");
        hanging.lift();
        bed.until("r0", "True InSync", 75 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200", "unpause 0 200"]);
    });
}

#[test]
fn a_name_that_comes_back_while_its_status_hangs_gets_a_status_of_its_own_at_once() {
    in_virtual_time(async {
        let bed = tolerant().await;
        let slow = bed.server.on(of("r0")).hold();
        bed.simulator.set_paused(&bed.ids[0], true);
        slow.arrived().await;
        bed.delete("r0");
        bed.apply("r0", 0, None);
        bed.pass(SECOND).await;
        assert_eq!(bed.ready("r0"), "True Observed");
        slow.release();
        bed.pass(SECOND).await;
        assert_eq!(bed.ready("r0"), "True Observed");
        assert_eq!(bed.events("r0"), [""; 0], "it never stood");
    });
}

#[test]
fn statuses_that_hang_do_not_pile_up() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        let hanging = bed.server.on(of("r0")).always().silence_request();
        bed.flip("r0", true);
        for i in 0..90 {
            bed.annotate("r0", "resume-requested-at", &i.to_string());
            bed.pass(SECOND / 10).await;
        }
        assert_eq!(hanging.arrivals(), 1, "one at a time, whatever happens meanwhile");
        let key = bed.server.deployments().get(NAMESPACE, "r0").unwrap();
        assert_eq!(key["status"]["lastReached"]["generation"], 1);
    });
}

#[test]
fn a_status_that_is_on_its_way_at_a_sigterm_is_waited_for_with_its_event() {
    in_virtual_time(async {
        let mut bed = tolerant().await;
        let slow = bed.server.on(of("r0")).hold();
        bed.simulator.set_paused(&bed.ids[0], true);
        slow.arrived().await;
        later(3 * SECOND, move || slow.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True DriftTolerated");
        assert_eq!(bed.events("r0"), ["DriftDetected"]);
    });
}

/// Drift whose correction hangs is told; when it is done, what stood before is true again.
#[test]
fn a_status_on_its_way_that_is_wrong_by_the_sigterm_is_put_right() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        let slow = bed.server.on(of("r0")).hold();
        bed.simulator.set_paused(&bed.ids[0], true);
        slow.arrived().await;
        post.release();
        bed.pass(SECOND).await;
        assert_eq!(bed.writes(), ["unpause 0 200"]);
        later(SECOND, move || slow.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

#[test]
fn a_status_that_is_refused_at_the_end_is_tried_again_beside_one_that_hangs() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        let _hanging = bed.server.on(of("younger")).always().silence_request();
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        bed.apply("younger", 0, Some(true));
        bed.pass(SECOND).await;
        let _refused = bed.server.on(of("r0")).times(3).fail(Failure::internal());
        later(SECOND, move || post.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

#[test]
fn the_end_does_not_wait_for_the_status_of_a_resource_that_is_gone() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let _refused = bed.server.on(of("r0")).always().fail(Failure::internal());
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        bed.delete("r0");
        bed.pass(SECOND).await;
        let before = tokio::time::Instant::now();
        bed.stop().await.unwrap();
        assert!(before.elapsed() < SECOND, "{:?}", before.elapsed());
    });
}

/// What the watch brings of a resource names no deployment that is one; what is held of it stands.
#[test]
fn a_status_for_a_resource_that_became_unreadable_is_tried_with_growing_waits() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.server.set_latency(SECOND / 100);
        let mut broken = bed.object("r0");
        broken["spec"]["deploymentID"] = json!("no id");
        bed.server.deployments().smuggle(broken);
        let before = bed.status_writes("r0").len();
        bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
        bed.pass(POLL + 60 * SECOND).await;
        let applies = bed.status_writes("r0").len() - before;
        assert!(applies <= 20, "{applies} status applies in a minute");
    });
}

/// `qoder_status_writes_total`: status patches sent to Kubernetes.
#[test]
fn each_status_patch_that_is_sent_is_counted() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let count = bed.metrics.status_writes.get();
        let before = bed.status_writes("r0").len();
        let apply = bed.server.on(of("r0")).hold();
        bed.flip("r0", true);
        apply.arrived().await;
        bed.server.deployments().annotate(NAMESPACE, "r0", "audit.example.com/by", "ci").unwrap();
        apply.release();
        bed.until("r0", "True InSync", SECOND).await;
        let sent = bed.status_writes("r0").len() - before;
        assert_eq!(bed.metrics.status_writes.get() - count, sent as u64);
    });
}

/// While a status is on its way, somebody asks for a look, which shows another remote name.
#[test]
fn a_status_that_meets_a_conflict_is_made_anew_of_what_is_known_by_then() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let before = bed.status_writes("r0").len();
        let apply = bed.server.on(of("r0")).hold();
        bed.simulator.patch(&bed.ids[0], json!({ "name": "earlier" }));
        apply.arrived().await;
        bed.pass(SECOND).await;
        bed.simulator.patch(&bed.ids[0], json!({ "name": "later" }));
        bed.annotate("r0", "reconcile-requested-at", "now");
        bed.pass(SECOND).await;
        apply.release();
        bed.pass(SECOND).await;
        let writes = bed.status_writes("r0");
        let names = writes[before..].iter().map(|write| write.body["status"]["name"].clone());
        assert_eq!(names.collect::<Vec<_>>(), ["earlier", "later"]);
    });
}

/// The answer to a status is lost and its echo has come: the next one need not wait for the call to time out.
#[test]
fn a_status_whose_echo_has_come_holds_up_no_other() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let _lost = bed.server.on(of("r0")).times(1).silence_answer();
        bed.flip("r0", true);
        bed.until("r0", "True InSync", SECOND).await;
        bed.flip("r0", false);
        bed.pass(3 * SECOND + SECOND / 2).await;
        assert_eq!(bed.writes(), ["pause 0 200", "unpause 0 200"]);
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

/// A status whose first apply has landed is answered with 409 (a proxy has sent it twice), and the read after it is slow.
#[test]
fn an_old_status_does_not_overwrite_a_newer_one_of_the_same_generation() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", POLL + SECOND).await;
        let conflict =
            bed.server.on(of("r0")).fail_answer(Failure::new(409, "Conflict", "planted"));
        let get = Match::verb(Verb::Get).of("qoderdeployments").name("r0");
        let slow = bed.server.on(get).hold();
        bed.annotate("r0", "reconcile-requested-at", "1");
        conflict.arrived().await;
        slow.arrived().await;
        bed.annotate("r0", "resume-requested-at", "1");
        bed.until("r0", "True InSync", 3 * SECOND).await;
        assert_eq!(bed.object("r0")["status"]["lastHandledResumeRequest"], "1");
        // The agent is still archived: the next run fails, and someone makes the operator look.
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.pass(2 * SECOND).await;
        bed.annotate("r0", "reconcile-requested-at", "2");
        bed.until("r0", "False PausedByPlatform", 3 * SECOND).await;
        assert_eq!(bed.object("r0")["status"]["lastHandledResumeRequest"], "1");
        slow.release();
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.writes(), ["unpause 0 200"], "asked for once; {}", bed.ready("r0"));
    });
}

/// As above, without a proxy: the first apply outlives its call, and lands during the second.
#[test]
fn an_old_status_that_lands_late_does_not_overwrite_a_newer_one() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", POLL + SECOND).await;
        let first = bed.server.on(of("r0")).hold();
        bed.annotate("r0", "reconcile-requested-at", "1");
        first.arrived().await;
        let second = bed.server.on(of("r0")).hold();
        second.arrived().await;
        first.release();
        bed.pass(SECOND / 10).await;
        let landed = bed.object("r0")["status"]["lastHandledReconcileRequest"].clone();
        assert_eq!(landed, "1");
        let get = Match::verb(Verb::Get).of("qoderdeployments").name("r0");
        let slow = bed.server.on(get).hold();
        second.release();
        bed.pass(SECOND / 10).await;
        assert_eq!(slow.arrivals(), 1);
        bed.annotate("r0", "resume-requested-at", "1");
        bed.until("r0", "True InSync", 3 * SECOND).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.pass(2 * SECOND).await;
        bed.annotate("r0", "reconcile-requested-at", "2");
        bed.until("r0", "False PausedByPlatform", 3 * SECOND).await;
        slow.release();
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.writes(), ["unpause 0 200"], "asked for once; {}", bed.ready("r0"));
    });
}

/// The same, of `lastReached`: a drift that is tolerated becomes an open wish, and is corrected.
#[test]
fn an_old_status_does_not_open_a_wish_that_was_reached() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        // A generation whose first status is late, and says that it is not reached.
        let post = bed.wire.hold(Kind::Write, Moment::After);
        let conflict =
            bed.server.on(of("r0")).fail_answer(Failure::new(409, "Conflict", "planted"));
        bed.edit("r0", |object| {
            object["spec"]["paused"] = json!(true);
            object["spec"]["driftPolicy"] = json!("Warn");
        });
        bed.pass(SECOND).await;
        let get = Match::verb(Verb::Get).of("qoderdeployments").name("r0");
        let slow = bed.server.on(get).hold();
        conflict.arrived().await;
        slow.arrived().await;
        assert_eq!(bed.ready("r0"), "False PausePending");
        post.release();
        bed.until("r0", "True InSync", 3 * SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.pass(2 * SECOND + SECOND / 2).await;
        // Another resource makes the operator look.
        bed.apply("watcher", 0, None);
        bed.until("r0", "True DriftTolerated", 3 * SECOND).await;
        slow.release();
        bed.pass(5 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"], "tolerated; {}", bed.ready("r0"));
    });
}
