//! Copies of a resource come late, in any order and from any side: none wins over a newer one, and no work
//! that one of them uncovers is lost.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use serde_json::{Value, json};

use crate::{
    bed::{Bed, NAMESPACE, POLL, in_virtual_time},
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

pub fn reads() -> Match {
    Match::verb(Verb::Get).of("qoderdeployments")
}

#[test]
fn what_arrives_between_our_copy_and_our_status_is_worked_on() {
    for change in ["annotation", "disabled", "deletion"] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            bed.server.hold_watches();
            let apply = bed.server.on(Match::status_patches()).hold();
            bed.simulator.set_paused(&bed.ids[0], true);
            // The drift is corrected, and then the remote name changes: a status is due.
            bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
            bed.pass(POLL).await;
            apply.arrived().await;
            match change {
                "annotation" => bed.annotate("r0", "reconcile-requested-at", "x"),
                "disabled" => bed.annotate("r0", "reconcile", "disabled"),
                _ => {
                    bed.edit("r0", |object| {
                        object["metadata"]["finalizers"] = json!(["example.com/x"]);
                    });
                    bed.delete("r0");
                }
            }
            apply.release();
            bed.pass(SECOND).await;
            let status = bed.object("r0")["status"].clone();
            match change {
                "annotation" => assert_eq!(status["lastHandledReconcileRequest"], "x"),
                "disabled" => assert_eq!(bed.ready("r0"), "True ReconcileDisabled"),
                _ => {
                    // Nothing is written for it any more, although the watch has not told.
                    let before = bed.status_writes("r0").len();
                    bed.simulator.set_paused(&bed.ids[0], true);
                    bed.pass(2 * POLL).await;
                    assert_eq!(bed.status_writes("r0").len(), before);
                    assert_eq!(bed.remote(0), "paused", "a resource that goes corrects nothing");
                }
            }
        });
    }
}

#[test]
fn made_again_for_another_deployment_during_a_post_it_gets_a_status_at_once() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.server.hold_watches();
        bed.delete("r2");
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.server.release_watches();
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        bed.server.hold_watches();
        bed.delete("r0");
        bed.apply("r0", 2, Some(true));
        post.release();
        bed.pass(SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync", "the watch has not told of it");
        assert_eq!(bed.remote(2), "paused");
        assert_eq!(bed.writes(), ["pause 0 200", "pause 2 200"]);
    });
}

#[test]
fn an_applys_answer_after_the_watchs_delete_makes_no_ghost() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let answer = bed.server.on(Match::status_patches()).hold_answer();
        bed.flip("r0", true);
        answer.arrived().await;
        bed.delete("r0");
        bed.pass(SECOND).await;
        answer.release();
        bed.pass(SECOND).await;
        // A ghost would own it: the next one could not.
        bed.apply("heir", 0, Some(false));
        bed.until("heir", "True InSync", 3 * SECOND).await;
        assert_eq!(bed.remote(0), "active");
    });
}

#[test]
fn a_fresh_reads_answer_after_the_watchs_delete_makes_no_ghost() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let answer = bed.server.on(reads()).hold_answer();
        bed.flip("r0", true);
        answer.arrived().await;
        bed.delete("r0");
        bed.pass(SECOND).await;
        answer.release();
        bed.pass(SECOND).await;
        assert_eq!(bed.writes(), [""; 0], "nobody asks for it any more");
        bed.apply("heir", 0, Some(true));
        bed.until("heir", "True InSync", 3 * SECOND).await;
    });
}

#[test]
fn one_404_on_a_status_apply_does_not_make_a_living_resource_forgotten() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let missing = Failure::new(404, "NotFound", "the server could not find the resource");
        let _rule = bed.server.on(Match::status_patches()).fail(missing.clone());
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 5 * SECOND).await;
        // So does one on the fresh read.
        let _rule = bed.server.on(reads()).fail(missing);
        bed.flip("r0", false);
        bed.until("r0", "True InSync", 5 * SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.pass(POLL + SECOND).await;
        assert_eq!(bed.remote(0), "active", "it is still looked after");
        assert_eq!(bed.writes(), ["pause 0 200", "unpause 0 200", "unpause 0 200"]);
    });
}

#[test]
fn what_a_re_list_brings_in_no_readable_form_stands_as_it_was() {
    in_virtual_time(async {
        let bed = Bed::with(1).await;
        bed.apply("older", 0, Some(false));
        bed.pass(2 * SECOND).await;
        bed.apply("younger", 0, Some(true));
        bed.until("younger", "False DuplicateOwner", 3 * SECOND).await;
        let mut broken = bed.object("older");
        broken["spec"]["paused"] = json!("maybe");
        let watches = bed.server.watches();
        watches.iter().for_each(apiserver::Watch::silence);
        bed.server.deployments().smuggle(broken);
        bed.server.compact();
        watches.iter().for_each(apiserver::Watch::expire);
        watches.iter().for_each(apiserver::Watch::sever);
        bed.pass(2 * POLL).await;
        assert_eq!(bed.ready("younger"), "False DuplicateOwner", "the older one still owns it");
        assert_eq!(bed.writes(), [""; 0]);
    });
}

#[test]
fn a_late_echo_of_our_own_status_does_not_undo_what_was_remembered_since() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", POLL + SECOND).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.annotate("r0", "resume-requested-at", "1");
        bed.pass(SECOND).await;
        // While the unpause is under way, a status says so. It takes effect, and its answer is lost; what the
        // unpause changes cannot be published at all.
        bed.server.hold_watches();
        let _lost = bed.server.on(Match::status_patches()).drop_answer();
        let refused = bed.server.on(Match::status_patches()).nth(2).always();
        let refused = refused.fail(Failure::internal());
        bed.pass(4 * SECOND).await;
        assert_eq!(bed.ready("r0"), "False ResumePending");
        post.release();
        bed.pass(SECOND).await;
        // The platform pauses it again; then comes the echo.
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.pass(POLL).await;
        bed.server.release_watches();
        bed.pass(SECOND).await;
        refused.lift();
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        assert_eq!(bed.writes(), ["unpause 0 200"], "it was asked for once");
    });
}

#[test]
fn the_fresh_read_decides_on_both_memories() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        // Another instance has handled the request; its status is not in the watch yet.
        bed.server.hold_watches();
        bed.annotate("r0", "resume-requested-at", "1");
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.server.release_watches();
        bed.server.hold_watches();
        bed.server
            .deployments()
            .edit_status(NAMESPACE, "r0", |status| status["lastHandledResumeRequest"] = json!("1"))
            .unwrap();
        bed.pass(2 * POLL).await;
        assert_eq!(bed.writes(), [""; 0], "the platform's pause is lifted once only");
        bed.server.release_watches();
        bed.until("r0", "False PausedByPlatform", POLL).await;
    });
}

#[test]
fn a_publication_that_meets_a_newer_generation_is_followed_by_a_pass() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.server.hold_watches();
        let apply = bed.server.on(Match::status_patches()).hold();
        bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.pass(POLL + SECOND).await;
        apply.arrived().await;
        bed.flip("r0", true);
        apply.release();
        bed.pass(3 * SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync", "no watch event has come: {:?}", bed.calls());
        assert_eq!(bed.remote(0), "paused");
    });
}

#[test]
fn no_write_is_sent_that_the_resource_as_just_read_does_not_ask_for() {
    for paused in [true, false] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            if !paused {
                bed.flip("r0", true);
                bed.until("r0", "True InSync", SECOND).await;
                bed.forget();
            }
            let read = bed.server.on(reads()).hold();
            bed.flip("r0", paused);
            read.arrived().await;
            bed.server.hold_watches();
            bed.flip("r0", !paused);
            read.release();
            bed.pass(5 * SECOND).await;
            assert_eq!(bed.writes(), [""; 0]);
            assert_eq!(bed.ready("r0"), "True InSync", "no watch event has come");
        });
    }
}

/// The statuses that were taken since so many were sent.
fn taken_since(bed: &Bed, before: usize) -> Vec<Value> {
    let writes = bed.status_writes("r0").into_iter().skip(before);
    writes.filter(|entry| entry.code == Some(200)).map(|entry| entry.body).collect()
}

#[test]
fn a_status_of_the_object_that_was_there_before_is_not_put_on_its_successor() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let apply = bed.server.on(Match::status_patches()).hold();
        bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.pass(POLL + SECOND).await;
        apply.arrived().await;
        let before = bed.status_writes("r0").len();
        bed.delete("r1");
        bed.delete("r0");
        // Its successor has the same generation.
        bed.apply("r0", 1, Some(false));
        apply.release();
        bed.until("r0", "True InSync", 3 * SECOND).await;
        for status in taken_since(&bed, before - 1) {
            assert!(!status.to_string().contains(&bed.ids[0]), "{status}");
        }
    });
}

#[test]
fn a_status_of_the_generation_before_is_not_put_on_the_next() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let apply = bed.server.on(Match::status_patches()).hold();
        bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
        bed.pass(POLL + SECOND).await;
        apply.arrived().await;
        let before = bed.status_writes("r0").len();
        bed.flip("r0", true);
        apply.release();
        bed.until("r0", "True InSync", 3 * SECOND).await;
        for status in taken_since(&bed, before - 1) {
            assert_eq!(status["status"]["observedGeneration"], 2, "{status}");
        }
    });
}

/// A process starts, and its first list is older than the last status of the process before it (a list may be served
/// from a cache that lags). Others wait for their turn.
#[test]
fn the_last_status_of_the_process_before_is_not_overwritten_by_an_older_one() {
    in_virtual_time(async {
        let mut bed = fleet(60).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", POLL + SECOND).await;
        bed.annotate("r0", "resume-requested-at", "1");
        bed.until("r0", "True InSync", 3 * SECOND).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", POLL + 3 * SECOND).await;
        bed.stop().await.unwrap();
        bed.forget();
        for i in 1..60 {
            bed.flip(&format!("r{i}"), true);
        }
        // As it was before that status, and was told to the process that starts.
        let handled = |value| {
            move |status: &mut serde_json::Value| status["lastHandledResumeRequest"] = value
        };
        let objects = bed.server.deployments();
        objects.edit_status(NAMESPACE, "r0", handled(json!("0"))).unwrap();
        let lists = bed.wire.hold(Kind::List, Moment::Before);
        bed.run();
        bed.pass(SECOND).await;
        bed.server.hold_watches();
        objects.edit_status(NAMESPACE, "r0", handled(json!("1"))).unwrap();
        lists.release();
        bed.pass(2 * SECOND).await;
        bed.server.release_watches();
        bed.pass(10 * SECOND).await;
        let resumed: Vec<_> =
            bed.writes().into_iter().filter(|call| call.starts_with("un")).collect();
        assert_eq!(resumed, [""; 0], "it was resumed once, as was asked for");
    });
}
