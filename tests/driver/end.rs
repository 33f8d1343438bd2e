//! The end of the process: what is under way ends, and is told.

use std::time::Duration;

use apiserver::{Entry, Failure, Match, Verb};
use qoder_operator::{
    leader::Claim,
    reconcile::{events::Event, recorder::recorder},
    resources::Resource,
};
use qoder_simulator::{Fault, Operation};
use serde_json::{Value, json};

use crate::{
    bed::{Bed, NAMESPACE, POLL, Setup, in_virtual_time, later},
    publishing::of,
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_sigterm_during_a_post_leaves_its_status_and_its_event() {
    in_virtual_time(async {
        let mut bed = fleet(3).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        let slow = bed.server.on(Match::verb(Verb::Create).of("events"));
        let _rule = slow.delay(SECOND);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        bed.flip("r1", false);
        later(2 * SECOND, move || post.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
        assert_eq!(bed.events("r0"), ["Paused"]);
        assert_eq!(bed.writes(), ["pause 0 200"]);
    });
}

#[test]
fn events_that_cannot_be_published_do_not_keep_the_process() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let _rule =
            bed.server.on(Match::verb(Verb::Create).of("events")).always().silence_request();
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        let before = tokio::time::Instant::now();
        bed.stop().await.unwrap();
        assert!(before.elapsed() <= 6 * SECOND, "{:?}", before.elapsed());
    });
}

#[test]
fn a_sigterm_begins_no_new_write() {
    in_virtual_time(async {
        let mut bed = fleet(30).await;
        for i in 0..30 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(SECOND / 4).await;
        let before = bed.wire.sent(Kind::Write).len();
        bed.stop().await.unwrap();
        let after = bed.wire.sent(Kind::Write).len();
        assert!(after <= before + 1, "{before} and then {after}");
        assert_eq!(bed.writes().len(), after);
    });
}

/// kube's recorder remembers each event for six minutes, and patches one that comes again. What it remembers is
/// bounded: after many others, one that comes again is a new one.
#[test]
fn what_the_recorder_remembers_is_bounded() {
    in_virtual_time(async {
        let bed = fleet(1).await;
        let object = serde_json::from_value(bed.object("r0")).unwrap();
        let resource = Resource::new(&object, tokio::time::Instant::now()).unwrap();
        let (recorder, publisher) = recorder(bed.server.client(), Claim::always());
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let publish = |version: u64| {
            let event = Event {
                is_warning: false,
                reason: "Paused",
                action: "Pause",
                note: "it is paused".to_owned(),
            };
            recorder.publish(&Resource { version, ..resource.clone() }, event);
        };
        // The first again at once, then many others, then the first again.
        [0].into_iter().chain(0..600).chain([0]).for_each(publish);
        stop.send_replace(true);
        publisher.run(stopped).await;

        let is_first = |entry: &Entry| {
            entry.body["regarding"]["resourceVersion"] == "0" || entry.verb == Verb::Patch
        };
        let writes = bed.server.writes().into_iter().filter(|entry| entry.resource == "events");
        let first: Vec<_> = writes.filter(is_first).map(|entry| entry.verb).collect();
        assert_eq!(first, [Verb::Create, Verb::Patch, Verb::Create]);
    });
}

#[test]
fn a_status_that_failed_before_the_sigterm_is_told_at_the_end() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let failing = bed.server.on(Match::status_patches()).always().fail(Failure::internal());
        bed.flip("r0", true);
        bed.pass(SECOND / 2).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        assert_eq!(bed.ready("r0"), "True InSync*", "it is not told yet");
        failing.lift();
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

#[test]
fn a_write_that_ends_while_a_pass_publishes_is_told_before_the_end() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        let apply = bed.server.on(Match::status_patches()).hold();
        bed.flip("r0", true);
        // It takes long: a pass says so, and Kubernetes is slow to take it.
        apply.arrived().await;
        post.release();
        bed.pass(SECOND / 10).await;
        later(SECOND, move || apply.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

#[test]
fn a_write_whose_first_pass_could_not_publish_is_told_before_the_end() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        let younger = Match::status_patches().name("younger");
        let broken = bed.server.on(younger).always().fail(Failure::internal());
        // Something to say about the one, in the pass that writes for the other.
        bed.server.hold_watches();
        bed.flip("r0", true);
        bed.apply("younger", 0, Some(true));
        bed.server.release_watches();
        bed.pass(SECOND / 2).await;
        broken.lift();
        later(SECOND / 100, move || post.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

#[test]
fn a_fresh_read_that_is_answered_after_a_sigterm_begins_no_write() {
    in_virtual_time(async {
        let mut bed = fleet(10).await;
        let read = bed.server.on(Match::verb(Verb::Get).of("qoderdeployments")).always().hold();
        for i in 0..10 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(SECOND).await;
        later(SECOND, move || read.lift());
        bed.stop().await.unwrap();
        assert_eq!(bed.writes(), [""; 0]);
    });
}

#[test]
fn the_end_takes_no_longer_than_the_grace_of_the_pod() {
    in_virtual_time(async {
        let mut bed = fleet(16).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        for i in 0..16 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(2 * SECOND).await;
        assert_eq!(bed.wire.sent(Kind::Write).len(), 16);
        let _rule = bed.server.on(Match::status_patches()).always().silence_request();
        post.release();
        let before = tokio::time::Instant::now();
        bed.stop().await.unwrap();
        assert!(before.elapsed() <= 60 * SECOND, "{:?}", before.elapsed());
    });
}

#[test]
fn the_end_takes_no_longer_than_the_grace_of_the_pod_also_with_several_resources_of_a_deployment() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let _rule = bed.server.on(Match::status_patches()).always().silence_request();
        bed.server.hold_watches();
        bed.flip("r0", true);
        for i in 0..6 {
            bed.apply(&format!("younger{i}"), 0, Some(true));
        }
        bed.server.release_watches();
        let post = bed.wire.hold(Kind::Write, Moment::Before);
        bed.pass(SECOND).await;
        let before = tokio::time::Instant::now();
        bed.stop().await.unwrap();
        post.release();
        assert!(before.elapsed() <= 75 * SECOND, "{:?}", before.elapsed());
    });
}

#[test]
fn a_sigterm_after_a_write_that_was_dropped_leaves_what_was_done_before_in_the_status() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.annotate("r0", "resume-requested-at", "1");
        bed.pass(SECOND).await;
        // The next pass wants the opposite, and learns from the fresh read that it is not wanted any more.
        let read = bed.server.on(Match::verb(Verb::Get).of("qoderdeployments").name("r0")).hold();
        bed.flip("r0", true);
        bed.pass(SECOND / 2).await;
        post.release();
        read.arrived().await;
        bed.server.hold_watches();
        bed.flip("r0", false);
        later(SECOND, move || read.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.writes(), ["unpause 0 200"]);
        assert_eq!(bed.object("r0")["status"]["lastHandledResumeRequest"], "1");
    });
}

#[test]
fn a_sigterm_while_a_status_meets_a_newer_generation_leaves_what_was_done_in_the_status() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        let apply = bed.server.on(Match::status_patches()).hold();
        bed.annotate("r0", "resume-requested-at", "1");
        apply.arrived().await;
        assert_eq!(bed.writes(), ["unpause 0 200"]);
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        later(SECOND, move || apply.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.object("r0")["status"]["lastHandledResumeRequest"], "1");
    });
}

#[test]
fn a_write_that_takes_long_is_waited_for_and_told_at_once() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        later(12 * SECOND, move || post.release());
        let before = tokio::time::Instant::now();
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
        assert!(before.elapsed() <= 13 * SECOND, "{:?}", before.elapsed());
    });
}

#[test]
fn each_write_is_told_when_it_ends_and_nothing_is_begun_for_who_asks_for_something_then() {
    in_virtual_time(async {
        let mut bed = fleet(3).await;
        for (n, seconds) in [(0, 2), (1, 12)] {
            let slow = Fault::delay(seconds * SECOND).on(Operation::Pause).id(&bed.ids[n]);
            bed.simulator.inject(slow);
            bed.flip(&format!("r{n}"), true);
        }
        bed.pass(SECOND).await;
        let before = bed.status_writes("r2").len();
        let server = bed.server.clone();
        later(SECOND, move || {
            let pause = |object: &mut Value| object["spec"]["paused"] = json!(true);
            server.deployments().edit(NAMESPACE, "r2", pause).unwrap();
        });
        bed.stop().await.unwrap();
        assert_eq!(bed.writes(), ["pause 0 200", "pause 1 200"]);
        assert_eq!([bed.ready("r0"), bed.ready("r1")], ["True InSync", "True InSync"]);
        let at = |name| bed.status_writes(name).last().unwrap().at;
        assert!(at("r1") > at("r0") + 8 * SECOND, "nobody waits for another");
        assert_eq!(bed.status_writes("r2").len(), before);
    });
}

/// As long as the flag allows, and not as long as the Pod has: the write counts for nothing that anybody tells.
#[test]
fn a_write_that_never_ends_does_not_keep_the_process() {
    in_virtual_time(async {
        let mut setup = Setup::with(1);
        setup.times.request_timeout = 300 * SECOND;
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        bed.apply("r0", 0, Some(false));
        bed.until("r0", "True InSync", 2 * SECOND).await;
        let _post = bed.wire.hold(Kind::Write, Moment::Before);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        let before = tokio::time::Instant::now();
        bed.stop().await.unwrap();
        assert!(before.elapsed() <= 75 * SECOND, "{:?}", before.elapsed());
        assert_eq!(bed.ready("r0"), "False PausePending", "it was begun, and nobody knows");
    });
}

/// A write whose outcome is unknown has ended; the look that follows it takes long.
#[test]
fn a_sigterm_while_the_look_after_a_lost_write_is_under_way_leaves_a_status_that_tells_of_it() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        bed.simulator.inject(Fault::respond(503).on(Operation::Pause));
        let _gets = bed.wire.hold(Kind::Get, Moment::Before);
        let _lists = bed.wire.hold(Kind::List, Moment::Before);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 503"]);
        bed.stop().await.unwrap();
        assert_ne!(bed.ready("r0"), "True InSync*", "a pause was sent, and may take effect");
    });
}

/// As `a_sigterm_while_a_status_meets_a_newer_generation_...`, with the look for that generation under way.
#[test]
fn a_sigterm_while_a_newer_generation_is_looked_at_leaves_what_was_done_in_the_status() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.annotate("r0", "resume-requested-at", "1");
        bed.pass(SECOND / 2).await;
        bed.edit("r0", |object| object["spec"]["driftPolicy"] = json!("Warn"));
        let gets = bed.wire.hold(Kind::Get, Moment::Before);
        let lists = bed.wire.hold(Kind::List, Moment::Before);
        post.release();
        bed.pass(SECOND / 2).await;
        assert_eq!(bed.writes(), ["unpause 0 200"]);
        bed.stop().await.unwrap();
        gets.release();
        lists.release();
        let handled = bed.object("r0")["status"]["lastHandledResumeRequest"].clone();
        // What it costs: the platform pauses it again, and the next process lifts that too.
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.run();
        bed.pass(10 * SECOND).await;
        assert_eq!(
            (handled, bed.writes()),
            (json!("1"), vec!["unpause 0 200".to_owned()]),
            "one resume for each time it is asked for"
        );
    });
}

/// The same with a write that is due next and waits for its turn.
#[test]
fn a_sigterm_while_the_next_write_waits_for_its_turn_leaves_what_was_done_in_the_status() {
    in_virtual_time(async {
        let mut bed = fleet(40).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.annotate("r0", "resume-requested-at", "1");
        bed.pass(SECOND / 2).await;
        bed.flip("r0", true);
        for i in 1..40 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(SECOND).await;
        // Sixteen are under way: the next ones wait.
        later(SECOND / 100, move || post.release());
        bed.pass(SECOND / 50).await;
        bed.stop().await.unwrap();
        let handled = bed.object("r0")["status"]["lastHandledResumeRequest"].clone();
        assert_eq!(handled, "1", "{}", bed.ready("r0"));
    });
}

/// The resource that no status told of goes while the process ends: there is nothing left to wait for.
#[test]
fn the_end_does_not_wait_for_the_status_of_a_resource_that_goes_meanwhile() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let _refused = bed.server.on(of("r0")).always().fail(Failure::internal());
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        let server = bed.server.clone();
        later(2 * SECOND, move || server.deployments().delete(NAMESPACE, "r0").unwrap());
        let before = tokio::time::Instant::now();
        bed.stop().await.unwrap();
        assert!(before.elapsed() < 4 * SECOND, "{:?}", before.elapsed());
    });
}

/// One connection to Kubernetes is lost at the end.
#[test]
fn one_lost_status_request_at_the_end_does_not_cost_what_the_last_write_did() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        let _once = bed.server.on(of("r0")).times(1).silence_request();
        later(SECOND, move || post.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.writes(), ["pause 0 200"]);
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

/// The Kubernetes API is away for some seconds at the end.
#[test]
fn a_short_outage_of_kubernetes_at_the_end_costs_no_status() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        bed.server.stop();
        let server = bed.server.clone();
        later(SECOND, move || post.release());
        later(6 * SECOND, move || server.start());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

#[test]
fn a_status_that_has_failed_for_minutes_before_the_sigterm_is_told_at_the_end() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let failing = bed.server.on(Match::status_patches()).always().fail(Failure::internal());
        bed.flip("r0", true);
        bed.pass(300 * SECOND).await;
        failing.lift();
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
    });
}

/// A write under way at the SIGTERM, which is answered after a second.
#[test]
fn a_write_that_is_under_way_at_the_sigterm_costs_one_status() {
    in_virtual_time(async {
        let mut bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.pass(SECOND / 2).await;
        let before = bed.status_writes("r0").len();
        later(SECOND, move || post.release());
        bed.stop().await.unwrap();
        assert_eq!(bed.ready("r0"), "True InSync");
        assert_eq!(bed.status_writes("r0").len() - before, 1);
    });
}

/// Sixteen writes hang at the SIGTERM, and statuses are refused.
#[test]
fn the_end_of_the_process_does_not_spin() {
    in_virtual_time(async {
        let mut bed = fleet(20).await;
        let post = bed.wire.hold(Kind::Write, Moment::Before);
        for i in 0..16 {
            bed.flip(&format!("r{i}"), true);
        }
        bed.pass(SECOND).await;
        let _refused = bed.server.on(Match::status_patches()).always().fail(Failure::internal());
        let counted = bed.counted();
        let passes = |bed: &Bed| -> usize {
            let text = bed.metrics.encode(&counted).unwrap();
            let is_count = |line: &&str| line.starts_with("controller_runtime_reconcile_total{");
            let counts = text.lines().filter(is_count);
            counts.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
        };
        let before = passes(&bed);
        later(10 * SECOND, move || post.release());
        bed.stop().await.unwrap();
        let passes = passes(&bed) - before;
        assert!(passes <= 16 * 60, "{passes} passes");
    });
}
