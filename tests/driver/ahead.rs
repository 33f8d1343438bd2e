//! A process without election reads while the resources are still listed. Their names come in the order of the alphabet,
//! deployments come the newest first: so of most it is not known yet who names them.

use std::time::Duration;

use apiserver::Watch;
use qoder_simulator::{Dialect, Fault, Operation};

use crate::{
    bed::{Bed, NAMESPACE, POLL, Setup, in_virtual_time},
    replicas::Replica,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);
/// Resources, each of a deployment of its own.
const ALL: usize = 1200;
/// So many are listed when reads begin.
const MANY: usize = 1000;

/// A fleet whose statuses the process before this one has left, and an API server that lists nothing of it yet.
async fn unlisted() -> Bed {
    left_by_another(setup()).await
}

fn setup() -> Setup {
    let mut setup = Setup::with(ALL);
    setup.simulator.dialect = Dialect::D2;
    setup
}

async fn left_by_another(setup: Setup) -> Bed {
    let mut bed = Bed::prepare(setup).await;
    for i in 0..ALL {
        bed.apply(&format!("r{i}"), i, Some(false));
    }
    bed.run();
    bed.pass(5 * SECOND).await;
    is_in_sync(&bed);
    bed.stop().await.unwrap();
    bed.server.hold_watches();
    bed
}

/// The same, and a new process, which is shown so many of the resources. How many writes Kubernetes has had.
async fn restarted(shown: usize) -> (Bed, usize) {
    let mut bed = unlisted().await;
    bed.run();
    bed.rest().await;
    show(&bed, shown);
    let writes = bed.forget();
    (bed, writes)
}

fn show(bed: &Bed, n: usize) {
    let watches: Vec<Watch> = bed.server.watches().into_iter().filter(Watch::is_open).collect();
    assert_eq!(watches.len(), 1);
    (0..n).for_each(|_| watches[0].release_one());
}

fn is_in_sync(bed: &Bed) {
    for i in 0..ALL {
        assert_eq!(bed.ready(&format!("r{i}")), "True InSync", "r{i}");
    }
}

/// The calls of one whole list.
fn one_list() -> Vec<&'static str> {
    let pages = ["list 200"; ALL / 100];
    ["list 400"].into_iter().chain(pages).collect()
}

/// The rest of the resources comes at any moment of the list, and after it.
#[test]
fn whenever_the_last_resource_is_listed_a_restart_is_one_list_and_no_write() {
    for moment in 0..16 {
        in_virtual_time(async move {
            let (bed, writes) = restarted(MANY - 1).await;
            bed.pass(SECOND).await;
            assert_eq!(bed.calls(), [""; 0], "a look at each may be cheaper");
            show(&bed, 1);
            bed.pass(moment * SECOND / 10).await;
            if moment == 15 {
                assert_eq!(bed.calls(), one_list(), "before all are listed");
            }
            bed.server.release_watches();
            bed.pass(5 * SECOND).await;
            is_in_sync(&bed);
            assert_eq!(bed.calls(), one_list(), "moment {moment}");
            assert_eq!(bed.server.writes().len(), writes);
        });
    }
}

/// What has changed while nobody led is seen in what was read ahead, at both ends of the list and of the alphabet.
#[test]
fn drift_that_was_read_ahead_is_corrected_once_all_are_listed() {
    for moment in [0, 3, 7, 15] {
        in_virtual_time(async move {
            let mut bed = unlisted().await;
            let drifted = [0, 1, 500, 998, 999, 1000, 1199];
            for n in drifted {
                bed.simulator.set_paused(&bed.ids[n], true);
            }
            bed.run();
            bed.rest().await;
            bed.forget();
            show(&bed, MANY);
            bed.pass(moment * SECOND / 10).await;
            assert_eq!(bed.writes(), [""; 0], "who owns what is not known yet");
            bed.server.release_watches();
            bed.pass(5 * SECOND).await;
            is_in_sync(&bed);
            let mut besides = bed.calls().split_off(one_list().len());
            besides.sort();
            let mut expected = drifted.map(|n| format!("unpause {n} 200")).to_vec();
            if moment == 15 {
                // What was seen a while ago is looked at again before anything is done about it.
                expected.extend(drifted.map(|n| format!("get {n} 200")));
                expected.sort();
                assert_eq!(besides, expected);
            }
            let mut resumed = bed.writes();
            resumed.sort();
            expected.retain(|call| call.starts_with("unpause"));
            expected.sort();
            assert_eq!(resumed, expected);
        });
    }
}

/// A flip while nobody led, a flip while the resources are listed, and a change then that asks for nothing.
#[test]
fn a_change_that_nobody_has_answered_is_answered_by_what_was_seen_since() {
    in_virtual_time(async {
        let mut bed = unlisted().await;
        bed.flip("r99", true);
        bed.run();
        bed.rest().await;
        bed.forget();
        show(&bed, MANY);
        bed.pass(3 * SECOND).await;
        bed.flip("r8", true);
        bed.edit("r9", |object| object["spec"]["driftPolicy"] = "Warn".into());
        bed.server.release_watches();
        bed.pass(5 * SECOND).await;
        is_in_sync(&bed);
        assert_eq!([99, 8, 9].map(|n| bed.remote(n)), ["paused", "paused", "active"]);
        let mut besides = bed.calls().split_off(one_list().len());
        besides.sort();
        assert_eq!(besides, ["get 9 200", "pause 8 200", "pause 99 200"]);
    });
}

/// The rest of the resources comes while a page is on its way.
#[test]
fn a_page_that_is_late_does_not_hold_up_what_was_put_off() {
    in_virtual_time(async {
        let (bed, _) = restarted(MANY).await;
        bed.pass(SECOND / 2).await;
        let page = bed.wire.hold(Kind::List, Moment::After);
        bed.pass(SECOND / 2).await;
        let pages = bed.calls().len();
        assert!(pages < one_list().len());
        bed.server.release_watches();
        bed.pass(SECOND / 2).await;
        // It is on the first page, so it is known.
        bed.flip("r1199", true);
        bed.pass(SECOND / 2).await;
        assert_eq!(bed.calls().split_off(pages), ["pause 1199 200"]);
        page.release();
        bed.pass(3 * SECOND).await;
        is_in_sync(&bed);
        assert_eq!(bed.calls().len(), one_list().len() + 1);
    });
}

#[test]
fn what_was_read_ahead_grows_no_older_than_a_poll() {
    in_virtual_time(async {
        let (bed, writes) = restarted(MANY).await;
        bed.pass(5 * POLL + POLL / 2).await;
        assert_eq!(bed.server.writes().len(), writes);
        let lists = bed.calls().len();
        assert_eq!(lists, one_list().len() + 5 * (one_list().len() - 1), "one in each poll");
        // What the last one has shown of these is not so any more.
        let changed = [0, 999, 1199];
        for n in changed {
            bed.simulator.set_paused(&bed.ids[n], true);
        }
        bed.pass(POLL / 2 + 5 * SECOND).await;
        bed.server.release_watches();
        bed.pass(SECOND).await;
        for n in changed {
            assert_eq!(bed.remote(n), "active", "{n}");
        }
    });
}

/// Nobody is told, and it is read anew once all are listed.
#[test]
fn a_list_that_fails_ahead_was_never_read() {
    in_virtual_time(async {
        let (bed, writes) = restarted(0).await;
        bed.simulator.inject(Fault::respond(500).on(Operation::List).skip(5));
        show(&bed, MANY);
        bed.pass(10 * SECOND).await;
        let failed = ["list 400", "list 200", "list 200", "list 200", "list 200", "list 500"];
        assert_eq!(bed.calls(), failed);
        bed.server.release_watches();
        bed.pass(5 * SECOND).await;
        is_in_sync(&bed);
        assert_eq!(bed.calls().split_off(failed.len()), one_list()[1..]);
        assert_eq!(bed.server.writes().len(), writes);
    });
}

/// Longer than a call may take to count as hanging.
#[test]
fn a_page_that_hangs_ahead_is_replaced_by_looks_once_all_are_listed() {
    in_virtual_time(async {
        let (bed, writes) = restarted(0).await;
        bed.simulator.inject(Fault::hang_before().on(Operation::List).skip(5));
        show(&bed, MANY);
        bed.pass(10 * SECOND).await;
        assert_eq!(bed.calls().len(), 6, "no look at anything by itself");
        bed.server.release_watches();
        bed.pass(4 * SECOND).await;
        assert!(bed.calls().len() > 6, "each that no page has shown gets its own");
        bed.pass(2 * POLL).await;
        is_in_sync(&bed);
        assert_eq!(bed.server.writes().len(), writes);
    });
}

/// Of several lists one may fail and come later.
#[test]
fn who_watches_several_namespaces_reads_nothing_ahead() {
    in_virtual_time(async {
        let mut setup = setup();
        setup.namespaces = vec![NAMESPACE.to_owned(), "other".to_owned()];
        let mut bed = left_by_another(setup).await;
        bed.run();
        bed.rest().await;
        bed.forget();
        let mut watches = bed.server.watches().into_iter();
        let of_it =
            |watch: &Watch| watch.is_open() && watch.namespace().as_deref() == Some(NAMESPACE);
        let watch = watches.rfind(of_it).unwrap();
        (0..MANY).for_each(|_| watch.release_one());
        bed.pass(POLL).await;
        assert_eq!(bed.calls(), [""; 0]);
    });
}

/// What nobody has looked at before needs looks of its own, so nothing is read ahead.
#[test]
fn a_new_fleet_is_read_once_it_is_listed() {
    in_virtual_time(async {
        let mut bed = Bed::prepare(setup()).await;
        for i in 0..ALL {
            bed.apply(&format!("r{i}"), i, Some(false));
        }
        bed.server.hold_watches();
        bed.run();
        bed.rest().await;
        show(&bed, ALL);
        bed.pass(POLL).await;
        assert_eq!(bed.calls(), [""; 0]);
        let writes = bed.forget();
        bed.server.release_watches();
        bed.pass(5 * SECOND).await;
        is_in_sync(&bed);
        assert_eq!(bed.calls(), one_list());
        assert_eq!(bed.server.writes().len() - writes, ALL, "one status each");
    });
}

/// Longer than a look may be ago.
#[test]
fn however_long_the_list_of_kubernetes_takes_nobody_is_told_to_wait_for_a_look() {
    in_virtual_time(async {
        let mut bed = Bed::prepare(Setup::with(2)).await;
        bed.apply("r0", 0, Some(false));
        bed.apply("r1", 1, Some(false));
        bed.slow_down();
        bed.server.hold_watches();
        bed.run();
        bed.rest().await;
        show(&bed, 1);
        bed.pass(10 * POLL).await;
        bed.server.release_watches();
        bed.pass(5 * SECOND).await;
        assert_eq!([bed.ready("r0"), bed.ready("r1")], ["True InSync"; 2]);
        assert_eq!(bed.server.writes().len(), 2, "one status each");
        assert_eq!(bed.calls(), ["list 200"]);
    });
}

#[test]
fn who_is_told_to_end_while_it_reads_ahead_ends() {
    in_virtual_time(async {
        let (mut bed, writes) = restarted(MANY).await;
        bed.pass(SECOND / 2).await;
        assert!(!bed.calls().is_empty());
        bed.stop().await.unwrap();
        let calls = bed.calls();
        bed.pass(POLL).await;
        assert_eq!(bed.calls(), calls);
        assert_eq!(bed.server.writes().len(), writes);
    });
}

#[test]
fn who_stands_for_election_reads_nothing_ahead() {
    in_virtual_time(async {
        let bed = unlisted().await;
        bed.forget();
        let _replica = Replica::start(&bed, "a");
        bed.rest().await;
        show(&bed, MANY);
        bed.pass(5 * POLL).await;
        assert_eq!(bed.calls(), [""; 0]);
    });
}

/// Edits while nobody led are among the last that are listed, long before the list ends.
#[test]
fn an_edit_that_is_listed_long_before_the_end_is_answered_by_one_status() {
    in_virtual_time(async {
        let mut bed = unlisted().await;
        for n in 900..1000 {
            bed.edit(&format!("r{n}"), |object| object["spec"]["driftPolicy"] = "Warn".into());
        }
        bed.run();
        bed.rest().await;
        let writes = bed.forget();
        show(&bed, MANY);
        bed.pass(2 * SECOND).await;
        show(&bed, ALL - MANY);
        bed.pass(4 * SECOND).await;
        assert_eq!(bed.calls(), one_list());
        bed.server.release_watches();
        bed.pass(5 * SECOND).await;
        is_in_sync(&bed);
        assert_eq!(bed.server.writes().len(), writes + 100);
    });
}

/// Somebody has paused the whole fleet at the console, and all of it is seen ahead.
#[test]
fn what_contradicts_all_statuses_is_looked_at_again_by_a_list() {
    in_virtual_time(async {
        let mut bed = unlisted().await;
        for id in &bed.ids[..ALL] {
            bed.simulator.set_paused(id, true);
        }
        bed.run();
        bed.rest().await;
        bed.forget();
        show(&bed, MANY);
        bed.pass(3 * SECOND / 2).await;
        assert_eq!(bed.calls(), one_list());
        bed.server.release_watches();
        bed.pass(5 * SECOND).await;
        let calls = bed.calls();
        let count = |kind: &str| calls.iter().filter(|call| call.starts_with(kind)).count();
        assert!(count("get") <= 16, "{} GETs", count("get"));
        assert!(count("list") <= 2 * one_list().len(), "{} pages", count("list"));
    });
}
