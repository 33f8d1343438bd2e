//! The watch: silent, unanswered, without rights.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};

use crate::{
    bed::{Bed, NAMESPACE, POLL, Setup, in_virtual_time},
    log::keep_log,
    logs::lines,
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_watch_whose_connection_goes_silent_is_noticed_within_a_minute() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.server.watches().iter().for_each(apiserver::Watch::silence);
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 66 * SECOND).await;
    });
}

#[test]
fn a_watch_request_that_nobody_answers_is_made_again() {
    in_virtual_time(async {
        let mut bed = Bed::prepare(Setup::with(1)).await;
        let _rule = bed.server.on(Match::verb(Verb::Watch)).silence_request();
        bed.run();
        bed.apply("nightly", 0, Some(true));
        bed.until("nightly", "True InSync", 15 * SECOND).await;
    });
}

#[test]
fn one_namespace_that_may_not_be_listed_does_not_keep_the_others() {
    in_virtual_time(async {
        let namespaces = vec!["closed".to_owned(), NAMESPACE.to_owned()];
        let mut bed = Bed::prepare(Setup { namespaces, ..Setup::with(1) }).await;
        for verb in [Verb::List, Verb::Watch] {
            bed.server.deny(Match::verb(verb).of("qoderdeployments").namespace("closed"));
        }
        bed.run();
        bed.apply("nightly", 0, Some(true));
        bed.until("nightly", "True InSync", 5 * SECOND).await;
        let missing = bed.missing();
        assert_eq!(missing.len(), 1);
        assert!(missing[0].contains("namespace closed"), "{missing:?}");

        bed.server.allow_all();
        bed.pass(10 * SECOND).await;
        assert!(bed.missing().is_empty(), "{:?}", bed.missing());
    });
}

#[test]
fn a_watch_that_lags_behind_is_listed_again_and_nothing_is_lost() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.server.hold_watches();
        bed.flip("r0", true);
        bed.delete("r1");
        bed.pass(SECOND).await;
        bed.server.compact();
        bed.server.watches().iter().for_each(apiserver::Watch::expire);
        bed.server.release_watches();
        bed.until("r0", "True InSync", 10 * SECOND).await;
        bed.forget();
        bed.simulator.set_paused(&bed.ids[1], true);
        bed.pass(2 * POLL).await;
        assert_eq!(bed.remote(1), "paused", "nobody owns it any more");
        assert_eq!(bed.ready("r2"), "True InSync");
    });
}

#[test]
fn an_idle_watch_ends_by_itself_before_its_silence_is_taken_for_a_lost_connection() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let before = bed.server.journal().len();
        bed.pass(Duration::from_secs(3600)).await;
        let after: Vec<_> = bed.server.journal().split_off(before);
        assert!(after.iter().all(|entry| entry.verb == Verb::Watch), "{after:?}");
        // One every 45 s; cut off by the bound it would be one a minute.
        assert!((79..=81).contains(&after.len()), "{}", after.len());
    });
}

#[test]
fn a_streamed_list_that_was_made_before_our_status_does_not_win_over_it() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        // The watch ends, and the server makes the answer of the next list while the POST is under way.
        let list =
            bed.server.on(Match::verb(Verb::Watch).of("qoderdeployments")).always().hold_answer();
        bed.server.compact();
        bed.server.watches().iter().for_each(apiserver::Watch::expire);
        bed.pass(2 * SECOND).await;
        bed.server.hold_watches();
        post.release();
        bed.until("r0", "True InSync", SECOND).await;
        let before = bed.status_writes("r0").len();
        list.lift();
        // What the server had to say then: two resources and the end of the list.
        let watch = bed.server.watches().pop().unwrap();
        (0..3).for_each(|_| watch.release_one());
        bed.pass(2 * SECOND).await;
        assert_eq!(bed.status_writes("r0").len(), before, "it has been said");
    });
}

#[test]
fn a_namespace_whose_rights_go_away_costs_few_calls_and_heals() {
    in_virtual_time(async {
        let namespaces = vec!["closed".to_owned(), NAMESPACE.to_owned()];
        let mut bed = Bed::prepare(Setup { namespaces, ..Setup::with(3) }).await;
        bed.run();
        bed.apply("nightly", 0, Some(true));
        let spec = serde_json::json!({ "deploymentID": bed.ids[1], "paused": true });
        let metadata = serde_json::json!({ "namespace": "closed", "name": "other" });
        let manifest = serde_json::json!({ "metadata": metadata, "spec": spec });
        bed.server.deployments().apply(manifest).unwrap();
        bed.until("nightly", "True InSync", 5 * SECOND).await;
        bed.pass(2 * SECOND).await;
        for verb in [Verb::List, Verb::Watch, Verb::Get, Verb::Patch] {
            bed.server.deny(Match::verb(verb).of("qoderdeployments").namespace("closed"));
        }
        bed.server.watches().iter().for_each(apiserver::Watch::sever);
        bed.simulator.set_paused(&bed.ids[1], false);
        let before = bed.server.journal().len();
        bed.pass(600 * SECOND).await;
        let calls = bed.server.journal().len() - before;
        assert!(calls <= 250, "{calls}");
        assert_eq!(bed.remote(1), "active");
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.pass(POLL + SECOND).await;
        assert_eq!(bed.remote(0), "paused");
        bed.server.allow_all();
        bed.pass(70 * SECOND).await;
        assert_eq!(bed.remote(1), "paused");
    });
}

/// Three deployments, on an API server that does not stream lists.
async fn paged() -> Bed {
    let mut bed = Bed::prepare(Setup::with(3)).await;
    bed.server.set_streaming_lists(false);
    bed.run();
    for n in 0..3 {
        bed.apply(&format!("r{n}"), n, Some(true));
    }
    bed.until("r2", "True InSync", 5 * SECOND).await;
    bed
}

#[test]
fn where_lists_cannot_be_streamed_they_are_read_in_pages_and_what_they_lack_is_gone() {
    in_virtual_time(async {
        let bed = paged().await;
        assert_eq!(bed.missing(), [""; 0]);
        // What is deleted while nobody watches is not in the next list.
        let again = bed.server.on(Match::verb(Verb::Watch)).always().fail(Failure::internal());
        bed.server.watches().iter().for_each(apiserver::Watch::sever);
        bed.delete("r0");
        bed.server.compact();
        bed.pass(SECOND).await;
        again.lift();
        bed.pass(10 * SECOND).await;
        assert_eq!(bed.counted().observed_deployments, 2);
        bed.flip("r1", false);
        bed.until("r1", "True InSync", 5 * SECOND).await;
    });
}

#[test]
fn what_a_streamed_list_lacks_is_gone() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.server.hold_watches();
        bed.delete("r0");
        bed.server.watches().iter().for_each(apiserver::Watch::sever);
        bed.server.compact();
        bed.server.release_watches();
        bed.pass(10 * SECOND).await;
        assert_eq!(bed.counted().observed_deployments, 2);
    });
}

#[test]
fn a_watch_whose_rights_are_taken_away_is_told_by_readyz_and_by_metrics() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        assert_eq!(bed.metrics.watch_errors.get(), 0);
        for verb in [Verb::List, Verb::Watch] {
            bed.server.deny(Match::verb(verb).of("qoderdeployments"));
        }
        // A watch that is open goes on, for 45 s.
        bed.pass(50 * SECOND).await;
        assert!(bed.metrics.watch_errors.get() > 0);
        let failing = bed.counted().watch_failing;
        assert!(failing > Duration::ZERO && bed.missing().is_empty(), "{failing:?}");
        bed.pass(60 * SECOND).await;
        // From its first failure to its last: a try comes every five seconds.
        let then = bed.counted().watch_failing;
        assert!(then > failing + 54 * SECOND && then <= failing + 60 * SECOND, "{then:?}");
        let missing = bed.missing();
        assert!(missing[0].contains("all namespaces: it has been failing for"), "{missing:?}");
        assert!(missing[0].contains("the operator may not list and watch: apply"), "{missing:?}");

        bed.server.allow_all();
        bed.pass(90 * SECOND).await;
        assert_eq!((bed.missing().len(), bed.counted().watch_failing), (0, Duration::ZERO));
    });
}

/// As `a_watch_whose_rights_are_taken_away_is_told_by_readyz_and_by_metrics`, where lists are read in pages.
#[test]
fn a_paged_list_that_fails_for_ten_minutes_is_told_by_readyz_metrics_and_one_line() {
    in_virtual_time(async {
        let bed = paged().await;
        keep_log();
        for verb in [Verb::List, Verb::Watch] {
            bed.server.deny(Match::verb(verb).of("qoderdeployments"));
        }
        bed.server.compact();
        bed.server.watches().iter().for_each(apiserver::Watch::expire);
        bed.pass(600 * SECOND).await;
        let again = lines("the watch works again").len();
        let fails = lines("the watch of QoderDeployments fails").len();
        let failing = bed.counted().watch_failing;
        let errors = bed.metrics.watch_errors.get();
        assert!(
            !bed.missing().is_empty()
                && failing > 500 * SECOND
                && again == 0
                && fails <= 2
                && errors <= 200,
            "missing {:?}, failing for {failing:?}, {again} x works again, {fails} x fails, {errors} errors",
            bed.missing()
        );
    });
}

/// The same where they are streamed, and the stream breaks before its end.
#[test]
fn a_streamed_list_that_breaks_each_time_is_told_by_readyz_metrics_and_one_line() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        keep_log();
        bed.server.hold_watches();
        bed.server.compact();
        bed.server.watches().iter().for_each(apiserver::Watch::expire);
        bed.server.watches().iter().for_each(apiserver::Watch::release);
        for _ in 0..600 {
            bed.pass(SECOND).await;
            bed.server.watches().iter().for_each(apiserver::Watch::sever);
        }
        let again = lines("the watch works again").len();
        let fails = lines("the watch of QoderDeployments fails").len();
        let failing = bed.counted().watch_failing;
        assert!(
            !bed.missing().is_empty() && failing > 500 * SECOND && again == 0 && fails <= 2,
            "missing {:?}, failing for {failing:?}, {again} x works again, {fails} x fails",
            bed.missing()
        );
    });
}

/// A list that never comes to its end, after a watch that was too old.
#[test]
fn a_streamed_list_that_never_ends_is_told_by_readyz() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.server.hold_watches();
        bed.server.compact();
        bed.server.watches().iter().for_each(apiserver::Watch::expire);
        bed.server.watches().iter().for_each(apiserver::Watch::release);
        bed.pass(63 * SECOND).await;
        assert_eq!(bed.missing().len(), 1);
        assert!(bed.counted().watch_failing >= 60 * SECOND);
    });
}

/// A proxy ends each watch as soon as it has begun.
#[test]
fn watches_that_end_at_once_are_not_begun_again_at_once() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        let before = bed.server.journal().len();
        for _ in 0..1000 {
            bed.pass(SECOND / 100).await;
            bed.server.watches().iter().for_each(apiserver::Watch::close);
        }
        let calls = bed.server.journal().len() - before;
        assert!(calls <= 21, "{calls} watches in ten seconds");
    });
}

/// A list whose pages come, each after nine seconds, is not failing.
#[test]
fn a_list_that_goes_on_slowly_is_not_told_to_fail() {
    in_virtual_time(async {
        let (bed, pages) = listed_in_pages(1000).await;
        for n in 1..9 {
            bed.pass(9 * SECOND).await;
            pages.release_one();
            bed.pass(SECOND / 100).await;
            assert_eq!(pages.arrivals(), n + 1, "the next page is asked for");
            assert_eq!(bed.missing(), [""; 0], "after {} s", 9 * n);
        }
    });
}

/// A list of many slow pages that breaks at its last one, again and again: more than 75 s lie between two failures.
#[test]
fn a_list_that_breaks_after_more_than_75_s_each_time_is_told_by_readyz_and_one_line() {
    in_virtual_time(async {
        let (bed, pages) = listed_in_pages(1000).await;
        keep_log();
        let mut ready = 0;
        for round in 0..8 {
            for _ in 0..9 {
                bed.pass(9 * SECOND).await;
                pages.release_one();
                // From the end of the first round on it has been failing for more than a minute.
                ready += usize::from(round > 0 && bed.missing().is_empty());
            }
            bed.pass(SECOND).await;
            let before = pages.arrivals();
            pages.fail_held(Failure::internal());
            pages.arrived_times(before + 1).await;
        }
        let fails = lines("the watch of QoderDeployments fails").len();
        let again = lines("the watch works again").len();
        assert!(
            ready == 0 && fails <= 2,
            "ready at {ready} of 63 looks; {fails} x fails, {again} x works again"
        );
    });
}

/// Something on the way answers so. Lists are read in pages already: there is no other way left to try.
#[test]
fn a_watch_that_is_refused_is_tried_again_where_lists_are_read_in_pages() {
    in_virtual_time(async {
        let bed = paged().await;
        let refused = bed.server.on(Match::verb(Verb::Watch).of("qoderdeployments")).times(3);
        let refused = refused.fail(Failure::new(422, "Invalid", "not like this"));
        bed.server.watches().iter().for_each(apiserver::Watch::sever);
        refused.arrived_times(3).await;
        bed.flip("r0", false);
        bed.until("r0", "True InSync", 10 * SECOND).await;
    });
}

/// So many resources on an API server that does not stream lists, and what holds each page of the next list back.
async fn listed_in_pages(n: usize) -> (Bed, apiserver::Rule) {
    let mut bed = Bed::prepare(Setup::with(n)).await;
    bed.server.set_streaming_lists(false);
    bed.run();
    for i in 0..n {
        bed.apply(&format!("r{i}"), i, Some(false));
    }
    bed.pass(120 * SECOND).await;
    assert_eq!(bed.ready(&format!("r{}", n - 1)), "True InSync");
    let pages = bed.server.on(Match::verb(Verb::List).of("qoderdeployments")).always().hold();
    bed.server.compact();
    bed.server.watches().iter().for_each(apiserver::Watch::expire);
    pages.arrived().await;
    (bed, pages)
}

/// A few seconds without an API server.
#[test]
fn a_short_outage_of_kubernetes_makes_nobody_unready_later() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        let watches = Match::verb(Verb::Watch).of("qoderdeployments");
        let failing = bed.server.on(watches).always().fail(Failure::internal());
        bed.server.watches().iter().for_each(apiserver::Watch::sever);
        bed.pass(3 * SECOND).await;
        failing.lift();
        for _ in 0..90 {
            bed.pass(SECOND).await;
            assert_eq!(bed.missing(), [""; 0]);
            assert!(bed.counted().watch_failing <= 3 * SECOND);
        }
    });
}
