//! What the remote answers, in any order: the newer end wins, nobody is believed who is not the API, and our own
//! echo is no drift.

use std::time::Duration;

use qoder_simulator::{Fault, Operation, Settings};
use serde_json::json;

use crate::{
    bed::{Bed, POLL, in_virtual_time},
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn while_lists_fail_and_gets_are_answered_everything_is_read_by_gets() {
    for fault in [Fault::respond(403), Fault::empty(), Fault::respond(500)] {
        in_virtual_time(async {
            let bed = Bed::with(5).await;
            bed.simulator.inject(fault.on(Operation::List).always());
            for i in 0..5 {
                bed.apply(&format!("r{i}"), i, Some(false));
            }
            for i in 0..5 {
                bed.until(&format!("r{i}"), "True InSync", 2 * POLL).await;
            }
            bed.forget();
            bed.simulator.set_paused(&bed.ids[3], true);
            bed.pass(2 * POLL).await;
            assert_eq!(bed.remote(3), "active", "drift is seen and corrected");
            let lists = bed.calls().iter().filter(|call| call.starts_with("list")).count();
            assert!(lists <= 3, "{:?}", bed.calls());
            for i in 0..5 {
                assert_eq!(bed.ready(&format!("r{i}")), "True InSync");
            }
            // When lists are back, they are used again.
            bed.simulator.clear_faults();
            bed.pass(2 * POLL).await;
            bed.forget();
            bed.pass(10 * POLL).await;
            assert!(bed.calls().len() <= 11, "{:?}", bed.calls());
        });
    }
}

#[test]
fn a_read_that_fails_during_a_post_does_not_hide_its_answer() {
    for list_ends_first in [true, false] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            let post = bed.wire.hold(Kind::Write, Moment::After);
            bed.pass(28 * SECOND).await;
            bed.flip("r0", true);
            bed.pass(SECOND).await;
            // The poll's list begins while the POST is under way, and fails.
            let list = bed.wire.hold(Kind::List, Moment::After);
            bed.simulator.inject(Fault::respond(500).on(Operation::List));
            bed.pass(2 * SECOND).await;
            let (first, second) = if list_ends_first { (list, post) } else { (post, list) };
            first.release();
            bed.pass(SECOND / 10).await;
            second.release();
            bed.pass(SECOND / 10).await;
            assert_eq!(bed.ready("r0"), "True InSync", "the POST has said it");
            // What the POST has said is good enough for the next one.
            bed.flip("r0", false);
            bed.pass(SECOND / 2).await;
            assert_eq!(bed.calls(), ["pause 0 200", "list 500", "unpause 0 200"]);
        });
    }
}

#[test]
fn a_pause_by_the_platform_right_after_our_resume_is_not_lifted_a_second_time() {
    for delay in [Duration::ZERO, SECOND, 3 * SECOND] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            bed.flip("r0", true);
            bed.until("r0", "True InSync", SECOND).await;
            let post = bed.wire.hold(Kind::Write, Moment::After);
            bed.flip("r0", false);
            bed.pass(SECOND / 2).await;
            // The unpause has taken effect, its answer is on the way, and a run fails.
            bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
            post.release();
            bed.pass(delay).await;
            bed.annotate("r1", "reconcile-requested-at", "1");
            bed.annotate("r0", "reconcile-requested-at", "1");
            bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
            bed.pass(3 * POLL).await;
            assert_eq!(bed.writes(), ["pause 0 200", "unpause 0 200"]);
        });
    }
}

#[test]
fn reads_that_lag_our_own_write_are_no_drift() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        let lag = Settings { read_lag: 1900 * SECOND / 1000, ..bed.simulator.settings() };
        bed.simulator.set_settings(lag).unwrap();
        for round in 0..4 {
            bed.flip("r0", round % 2 == 0);
            bed.pass(SECOND / 2).await;
            bed.annotate("r0", "reconcile-requested-at", &round.to_string());
            bed.annotate("r1", "reconcile-requested-at", &round.to_string());
            bed.annotate("r2", "reconcile-requested-at", &round.to_string());
            bed.pass(POLL).await;
            assert_eq!(bed.ready("r0"), "True InSync");
        }
        let flips = ["pause 0 200", "unpause 0 200", "pause 0 200", "unpause 0 200"];
        assert_eq!(bed.writes(), flips);
        assert_eq!(bed.events("r0"), ["Paused", "Resumed", "Paused", "Resumed"]);
    });
}

#[test]
fn what_is_between_us_and_the_api_refuses_nothing() {
    let answers = [
        Fault::respond(403).html(),
        Fault::respond(404).html(),
        Fault::respond(307),
        Fault::respond(423),
        Fault::respond(425),
        Fault::respond(407).html(),
    ];
    for fault in answers {
        in_virtual_time(async {
            let bed = fleet(2).await;
            bed.simulator.inject(fault.on(Operation::Pause).times(3));
            bed.flip("r0", true);
            bed.pass(SECOND / 2).await;
            assert_eq!(bed.ready("r0"), "False PausePending");
            let message = bed.message("r0");
            assert!(
                message.contains("from something between the operator and the Qoder API"),
                "{message}"
            );
            bed.until("r0", "True InSync", 20 * SECOND).await;
            assert_eq!(bed.writes().len(), 4);
        });
    }
}

#[test]
fn a_reconcile_request_is_echoed_whatever_the_answer_is() {
    in_virtual_time(async {
        let bed = fleet(4).await;
        bed.simulator.archive(&bed.ids[0]);
        bed.simulator.delete(&bed.ids[1]);
        bed.simulator.pause_by_error(&bed.ids[2], "agent_archived_error");
        bed.simulator.inject(Fault::respond(403).on(Operation::Pause).always());
        bed.flip("r3", true);
        bed.pass(21 * POLL).await;
        let stalled = [
            ("r0", "False RemoteArchived"),
            ("r1", "False RemoteNotFound"),
            ("r2", "False PausedByPlatform"),
            ("r3", "False WriteRefused"),
        ];
        let tries = bed.writes().len();
        for (name, ready) in stalled {
            assert_eq!(bed.ready(name), ready);
            bed.annotate(name, "reconcile-requested-at", "now");
        }
        bed.pass(5 * SECOND).await;
        for (name, ready) in stalled {
            assert_eq!(bed.object(name)["status"]["lastHandledReconcileRequest"], "now", "{name}");
            assert_eq!(bed.ready(name), ready);
        }
        assert_eq!(bed.writes().len(), tries + 1, "a refused write is tried once more");
    });
}

#[test]
fn a_request_that_is_refused_leaves_drift_to_be_drift() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.until("r0", "True InSync", SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.until("r0", "True DriftTolerated", 2 * POLL).await;
        bed.simulator.inject(Fault::respond(403).on(Operation::Unpause));
        bed.annotate("r0", "reconcile-requested-at", "1");
        bed.pass(2 * SECOND).await;
        assert_eq!(bed.writes(), ["unpause 0 403"]);
        assert_eq!(bed.object("r0")["status"]["lastHandledReconcileRequest"], "1");
        assert_eq!(bed.ready("r0"), "True DriftTolerated");
    });
}

#[test]
fn what_is_left_after_a_list_has_failed_is_read_although_no_list_is_worth_it_any_more() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.inject(Fault::respond(404).html().on(Operation::List).always());
        bed.simulator.inject(Fault::respond(404).html().on(Operation::Get).always());
        bed.until("r0", "Unknown RemoteAnswerInvalid", 6 * POLL).await;
        // The GET that was to show what it is has failed, too.
        while !bed.calls().pop().unwrap().starts_with("get") {
            bed.pass(SECOND).await;
        }
        // For one deployment a GET is as cheap as a list.
        bed.delete("r1");
        bed.delete("r2");
        bed.simulator.clear_faults();
        bed.simulator.inject(Fault::respond(404).html().on(Operation::List).always());
        bed.until("r0", "True InSync", 3 * POLL).await;
    });
}

#[test]
fn the_answer_of_a_post_says_nothing_to_a_generation_that_came_after_it_was_sent() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        bed.pass(SECOND / 10).await;
        post.release();
        bed.until("r0", "True InSync", SECOND).await;
        assert_eq!(bed.calls(), ["pause 0 200", "get 0 200"]);
    });
}
