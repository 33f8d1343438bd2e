//! What a person finds with `kubectl logs` and one grep.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use qoder_operator::qoder::TokenSource;
use qoder_simulator::{Dialect, Fault, Operation};
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use crate::{
    bed::{Bed, POLL, Setup, TOKEN, in_virtual_time},
    log::{keep_log, keep_log_of, log},
    waits::{fleet, fleet_of},
};

const SECOND: Duration = Duration::from_secs(1);

pub fn lines(word: &str) -> Vec<String> {
    log().lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
}

#[test]
fn a_change_of_ready_is_one_line_with_the_old_and_the_new_reason() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        keep_log();
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        bed.pass(10 * POLL).await;
        let changes = lines("Ready has changed");
        assert_eq!(changes.len(), 1, "{changes:?}");
        for part in [
            " INFO ",
            "namespace=agents",
            "name=r0",
            &format!("deployment_id={}", bed.ids[0]),
            "generation=1",
            "before=\"InSync\"",
            "now=\"PausedByPlatform\"",
            "why=\"dep_",
            "The error is agent_archived_error.",
        ] {
            assert!(changes[0].contains(part), "{part}: {}", changes[0]);
        }
    });
}

#[test]
fn an_idle_operator_logs_nothing() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        keep_log();
        bed.pass(3600 * SECOND).await;
        assert_eq!(log(), "");
    });
}

#[test]
fn an_outage_is_told_once_and_so_is_its_end_and_not_for_each_resource() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        keep_log();
        bed.simulator.inject(Fault::respond(502).always());
        bed.until("r19", "Unknown RemoteUnavailable", 10 * POLL).await;
        bed.pass(20 * POLL).await;
        let begins = lines("the Qoder API fails");
        assert_eq!(begins.len(), 1, "{begins:?}");
        assert!(begins[0].contains(" WARN ") && begins[0].contains("502"), "{begins:?}");
        bed.simulator.clear_faults();
        bed.until("r19", "True InSync", 10 * POLL).await;
        assert_eq!(lines("the Qoder API serves requests again").len(), 1);
        assert_eq!(lines("Ready has changed"), [""; 0]);
    });
}

#[test]
fn a_wait_that_the_api_asks_for_is_told_once() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        keep_log();
        bed.simulator.inject(Fault::respond(429).header("retry-after", "60").on(Operation::List));
        bed.pass(5 * POLL).await;
        assert_eq!(lines("has asked the operator to wait").len(), 1);
        assert_eq!(lines("serves requests again").len(), 1);
    });
}

#[test]
fn why_there_is_no_token_is_told_at_the_start_and_when_it_changes() {
    in_virtual_time(async {
        keep_log();
        let folder = std::env::temp_dir().join(format!("qoder-logs-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("token");
        let token = TokenSource::File(file.clone());
        let mut bed = Bed::prepare(Setup { token, ..Setup::with(1) }).await;
        bed.apply("r0", 0, Some(false));
        bed.run();
        bed.pass(60 * SECOND).await;
        let told = lines("there is no usable token");
        assert_eq!(told.len(), 1, "{told:?}");
        let cause = format!("failed to read the token file {}: No such file", file.display());
        assert!(told[0].contains(&cause) && told[0].contains("ERROR"), "{told:?}");
        assert_eq!(bed.ready("r0"), "False CredentialMissing");
        assert!(bed.message("r0").contains("--token-file names does not exist"));
        assert_eq!(bed.events("r0"), ["CredentialMissing"]);

        std::fs::write(&file, "pt-obviously fake").unwrap();
        bed.pass(60 * SECOND).await;
        let told = lines("there is no usable token");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].contains("byte 12") && !told[1].contains("obviously"), "{told:?}");
        assert!(bed.message("r0").contains("has a character that no token has"));

        std::fs::write(&file, TOKEN).unwrap();
        bed.pass(20 * SECOND).await;
        assert_eq!(lines("loaded the token").len(), 1);
        std::fs::write(&file, "pt-obviously-fake-too").unwrap();
        bed.pass(20 * SECOND).await;
        assert_eq!(lines("loaded another token").len(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn the_age_of_the_observations_grows_in_an_outage_that_was_there_before_the_start() {
    in_virtual_time(async {
        let mut bed = Bed::prepare(Setup::with(1)).await;
        bed.simulator.inject(Fault::respond(502).always());
        bed.apply("r0", 0, Some(false));
        bed.run();
        bed.pass(600 * SECOND).await;
        let age = bed.counted().observation_age;
        assert!((595 * SECOND..=600 * SECOND).contains(&age), "{age:?}");
        bed.simulator.clear_faults();
        bed.until("r0", "True InSync", 2 * POLL).await;
        assert!(bed.counted().observation_age <= POLL);
    });
}

#[test]
fn the_age_of_the_observations_stays_within_two_polls_while_all_is_well() {
    in_virtual_time(async {
        // More than a page: a poll lists the rarer half, and all of them only each twentieth time.
        let mut setup = Setup::with(150);
        setup.simulator.dialect = Dialect::D2;
        let bed = fleet_of(150, setup).await;
        for _ in 0..60 {
            bed.pass(POLL).await;
            let age = bed.counted().observation_age;
            assert!(age <= 2 * POLL, "{age:?}: the alert on it would fire");
        }
    });
}

#[test]
fn a_write_says_what_it_answers_in_its_event_and_in_the_log() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        keep_log();
        bed.flip("r0", true);
        bed.until("r0", "True InSync", SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.pass(2 * POLL).await;
        bed.flip("r0", false);
        bed.until("r0", "True InSync", SECOND).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        bed.annotate("r0", "resume-requested-at", "monday");
        bed.until("r0", "True InSync", SECOND).await;
        bed.pass(SECOND).await;

        let notes: Vec<_> = bed
            .server
            .events()
            .list()
            .iter()
            .filter(|event| event["action"] != "Observe")
            .map(|event| event["note"].as_str().unwrap().replace(&bed.ids[0], "it"))
            .collect();
        assert_eq!(
            notes,
            [
                "it is paused, as spec.paused says",
                "it was changed by someone else, and is paused again",
                "it is resumed, as spec.paused says",
                "it is resumed, as the annotation cloud.qoder.com/resume-requested-at asks: monday",
            ]
        );
        let causes = lines("changed the deployment");
        for (line, cause) in
            causes.iter().zip(["Spec", "Drift", "Spec", "ResumeRequest(\"monday\")"])
        {
            assert!(line.contains(&format!("cause={cause}")), "{line}");
        }
        assert_eq!(causes.len(), 4);
    });
}

#[test]
fn a_watch_that_fails_is_told_once_with_what_to_do_and_so_is_its_end() {
    for (code, says) in [
        (401, "does not accept the operator's credential"),
        (403, "apply deploy/base/rbac.yaml"),
        (404, "apply crds/qoderdeployments.yaml"),
    ] {
        in_virtual_time(async {
            let bed = fleet(3).await;
            keep_log();
            let watches = Match::verb(Verb::Watch).of("qoderdeployments");
            let failing = bed.server.on(watches).always().fail(Failure::new(
                code,
                "Planted",
                "page not found",
            ));
            bed.pass(600 * SECOND).await;
            let told = lines("the watch of QoderDeployments fails");
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(" WARN ") && told[0].contains(says), "{told:?}");
            assert!(!told[0].contains("Status {"), "no dump: {told:?}");
            failing.lift();
            bed.pass(60 * SECOND).await;
            bed.flip("r0", true);
            bed.until("r0", "True InSync", SECOND).await;
            assert_eq!(lines("the watch works again").len(), 1);
        });
    }
}

#[test]
fn a_crd_that_was_installed_a_moment_ago_is_no_warning() {
    in_virtual_time(async {
        keep_log();
        let mut bed = Bed::prepare(Setup::with(1)).await;
        let starting = Failure::new(429, "TooManyRequests", "storage is (re)initializing");
        let watches = Match::verb(Verb::Watch).of("qoderdeployments");
        let _starting = bed.server.on(watches).times(2).fail(starting);
        bed.apply("r0", 0, Some(false));
        bed.run();
        bed.until("r0", "True InSync", 60 * SECOND).await;
        assert_eq!(lines(" WARN "), [""; 0]);
        assert_eq!(lines("sets up the kind").len(), 1);
    });
}

#[test]
fn a_pass_says_at_debug_what_it_knew_and_decided_and_when_the_next_one_is_due() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        keep_log_of(LevelFilter::DEBUG);
        bed.simulator.inject(Fault::respond(500).on(Operation::Pause).always());
        bed.flip("r0", true);
        bed.pass(SECOND / 2).await;
        let decided = lines("decided");
        let last = decided.iter().rfind(|line| line.contains("name=r0")).unwrap();
        for part in [
            &format!("pass{{deployment_id={}}}", bed.ids[0]),
            "verdict=Pending(Pause)",
            "before_write: Backoff",
            "ready=\"PausePending\"",
            "again_in=Some(",
        ] {
            assert!(last.contains(part), "{part}: {last}");
        }
    });
}

/// What a person finds in the log of a calm fleet after its watch has healed.
#[test]
fn the_end_of_a_row_of_failures_of_an_idle_watch_is_told() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        keep_log();
        let watches = Match::verb(Verb::Watch).of("qoderdeployments");
        let failing = bed.server.on(watches).always().fail(Failure::new(403, "Forbidden", "no"));
        bed.pass(300 * SECOND).await;
        failing.lift();
        bed.pass(75 * SECOND).await;
        assert_eq!(bed.missing(), [""; 0]);
        assert_eq!(lines("the watch works again").len(), 1, "{}", log());
    });
}

/// The CRD's storage does not come up.
#[test]
fn a_kind_that_is_set_up_for_ten_minutes_is_two_lines() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        keep_log();
        let watches = Match::verb(Verb::Watch).of("qoderdeployments");
        let starting = Failure::new(429, "TooManyRequests", "storage is (re)initializing");
        let _failing = bed.server.on(watches).always().fail(starting);
        bed.pass(600 * SECOND).await;
        let sees = lines("the operator sees no changes").len();
        assert_eq!((lines("sets up the kind").len(), sees), (1, 1), "{}", log());
    });
}

/// Two API servers behind one address: one says 500 and the other 503.
#[test]
fn a_watch_that_fails_in_two_ways_is_told_once_for_each() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        keep_log();
        let watches = || Match::verb(Verb::Watch).of("qoderdeployments");
        for i in 0..60 {
            let code = if i % 2 == 0 { 500 } else { 503 };
            let failing =
                bed.server.on(watches()).always().fail(Failure::new(code, "Planted", "sorry"));
            bed.pass(6 * SECOND).await;
            failing.lift();
        }
        let sees = lines("the operator sees no changes").len();
        let fails = lines("the watch of QoderDeployments fails").len();
        assert_eq!((fails, sees), (2, 1), "in six minutes: {}", log());
    });
}

/// A wait is over, and the next request fails.
#[test]
fn an_api_that_fails_after_a_wait_is_not_said_to_serve_again() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        keep_log();
        let sorry = Fault::respond(429).header("retry-after", "20").on(Operation::List);
        bed.simulator.inject(sorry.times(1));
        bed.simulator.inject(Fault::respond(503).always());
        bed.pass(20 * POLL).await;
        assert_eq!(lines("the Qoder API has asked").len(), 1);
        assert_eq!(lines("serves requests again"), [""; 0], "nothing was served");
    });
}

/// A write is asked to wait again and again, and everything else is served.
#[test]
fn a_wait_that_only_writes_meet_is_told_once() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        keep_log();
        let sorry = Fault::respond(429).header("retry-after", "3").on(Operation::Pause);
        bed.simulator.inject(sorry.always());
        bed.flip("r0", true);
        bed.pass(3600 * SECOND).await;
        let begins = lines("the Qoder API has asked").len();
        let ends = lines("serves requests again").len();
        assert_eq!((begins, ends), (1, 0), "it is not over");
    });
}

/// The same token is gone for a moment.
#[test]
fn a_token_that_comes_back_is_not_another_one() {
    in_virtual_time(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        let token = TokenSource::File(file.clone());
        let mut bed = Bed::prepare(Setup { token, ..Setup::with(1) }).await;
        bed.apply("r0", 0, Some(false));
        bed.run();
        bed.until("r0", "True InSync", 5 * SECOND).await;
        keep_log();
        std::fs::remove_file(&file).unwrap();
        bed.pass(15 * SECOND).await;
        std::fs::write(&file, TOKEN).unwrap();
        bed.pass(15 * SECOND).await;
        assert_eq!(lines("loaded another token"), [""; 0], "{}", log());
    });
}

/// Each answer is 503 and asks to wait.
#[test]
fn an_outage_that_asks_to_wait_is_told_in_few_lines() {
    in_virtual_time(async {
        let bed = fleet(5).await;
        keep_log();
        bed.simulator.inject(Fault::respond(503).header("retry-after", "5").always());
        bed.pass(60 * POLL).await;
        let waits = lines("the Qoder API has asked the operator to wait").len();
        let silent = lines("the Qoder API does not answer").len();
        let again = lines("serves requests again").len();
        assert!(waits + silent + again <= 3, "{waits} {silent} {again}");
    });
}

/// Lists are throttled for a while now and then, and everything else is served.
#[test]
fn waits_that_come_every_two_polls_are_told_in_few_lines() {
    in_virtual_time(async {
        let bed = fleet(5).await;
        keep_log();
        for _ in 0..30 {
            let wait = Fault::respond(429).header("retry-after", "5").on(Operation::List);
            bed.simulator.inject(wait);
            bed.pass(4 * POLL).await;
        }
        let waits = lines("the Qoder API has asked the operator to wait").len();
        let again = lines("serves requests again").len();
        assert!(waits.abs_diff(again) <= 1, "{waits} {again}");
    });
}

#[test]
fn an_object_that_cannot_be_read_is_one_short_line_whatever_is_in_it() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        keep_log();
        let long = format!("\u{1b}[31m{}", "x".repeat(100_000));
        for (name, field) in [("r0", "paused"), ("r1", "deploymentID")] {
            let mut broken = bed.object(name);
            broken["spec"][field] = json!(long);
            bed.server.deployments().smuggle(broken);
            bed.pass(SECOND).await;
            let lines = lines("ignored a ");
            let of_it: Vec<_> = lines.iter().filter(|line| line.contains(name)).collect();
            assert_eq!(of_it.len(), 1, "{of_it:?}");
            assert!(of_it[0].len() < 1000, "{} bytes", of_it[0].len());
            assert!(!of_it[0].contains('\u{1b}'), "{:?}", of_it[0]);
        }
    });
}
