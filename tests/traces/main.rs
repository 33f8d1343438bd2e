//! What a trace holds: its spans by name, and which is in which. The whole operator in virtual time; each test keeps what
//! ends in its own thread.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

#[path = "../driver/bed.rs"]
#[allow(dead_code, reason = "of the other driver tests")]
mod bed;
#[path = "../driver/death.rs"]
#[allow(dead_code, reason = "of the other driver tests")]
mod death;
mod kept;
mod log;
#[path = "../driver/wire.rs"]
#[allow(dead_code, reason = "of the other driver tests")]
mod wire;

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use bed::{Bed, POLL, Setup, in_virtual_time};
use kept::{forget, keep, traces};
use qoder_simulator::{Fault, Operation};

const SECOND: Duration = Duration::from_secs(1);

/// `n` resources, `r0` and so on, in sync with active deployments; the traces of the start are forgotten.
async fn fleet(n: usize) -> Bed {
    keep();
    let mut bed = Bed::prepare(Setup::with(n)).await;
    bed.run();
    for i in 0..n {
        bed.apply(&format!("r{i}"), i, Some(false));
    }
    for i in 0..n {
        bed.until(&format!("r{i}"), "True InSync", 2 * SECOND).await;
    }
    bed.rest().await;
    forget();
    bed
}

/// What a change of the spec is, from the watch event to the status.
const FLIP: &str = "\
watch event
  queue
  pass
    GET qoderdeployments/{name} 200
  POST /deployments/{id}/pause 200
  queue
  pass
  status InSync
    PATCH qoderdeployments/{name}/status 200
  queue
  pass
";

#[test]
fn a_change_of_the_spec_is_one_trace_from_the_watch_event_to_the_status() {
    in_virtual_time(async {
        let bed = fleet(1).await;
        bed.flip("r0", true);
        bed.until("r0", "True InSync", SECOND).await;
        bed.rest().await;
        assert_eq!(traces(), [FLIP]);
    });
}

#[test]
fn a_trace_that_the_end_of_the_process_meets_has_its_first_span() {
    in_virtual_time(async {
        let mut bed = fleet(1).await;
        // The remote answers after the process is told to end, and the resource has to be looked at again then.
        bed.simulator.inject(Fault::delay(SECOND).on(Operation::Pause));
        bed.flip("r0", true);
        bed.rest().await;
        bed.server.on(Match::status_patches().name("r0")).always().fail(Failure::internal());
        bed.stop().await.unwrap();
        let [first] = &traces()[..] else { panic!("{:?}", traces()) };
        assert!(first.starts_with("watch event\n"), "{first}");
        assert!(first.contains("\n  POST /deployments/{id}/pause 200\n"), "{first}");
    });
}

#[test]
fn two_changes_at_once_are_two_traces_and_neither_has_a_span_of_the_other() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.inject(Fault::delay(SECOND / 10).on(Operation::Pause).always());
        bed.flip("r0", true);
        bed.flip("r1", true);
        for name in ["r0", "r1"] {
            bed.until(name, "True InSync", SECOND).await;
        }
        bed.rest().await;
        // The second one waits for its permit.
        let waits = FLIP.replacen("  pass\n", "  pass\n  permit\n  queue\n  pass\n", 1);
        assert_eq!(traces(), [FLIP, &waits]);
        for (trace, id) in kept::ids().into_iter().zip(&bed.ids) {
            assert!(trace.iter().all(|of| of == id), "{id}: {trace:?}");
        }
    });
}

/// What someone else has changed, from the poll that shows it.
const NEWS: &str = "
  queue
  pass
  status PausedByPlatform
    PATCH qoderdeployments/{name}/status 200
  queue
  pass
";

#[test]
fn what_a_poll_has_shown_is_a_trace_with_a_link_to_the_read() {
    for (fleet_of, read) in
        [(1, ["read", "GET /deployments/{id}"]), (3, ["list", "GET /deployments"])]
    {
        in_virtual_time(async {
            let bed = fleet(fleet_of).await;
            bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
            bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
            bed.rest().await;
            let [name, request] = read;
            let read = format!("{name}\n  {request} 200\n");
            assert_eq!(traces(), [read, format!("poll -> {name}{NEWS}")]);
        });
    }
}

#[test]
fn a_poll_that_shows_nothing_new_is_its_list_alone() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.pass(POLL).await;
        assert_eq!(traces(), ["list\n  GET /deployments 200\n"]);
    });
}

#[test]
fn a_write_that_fails_says_how_and_the_next_try_is_a_trace_of_its_own() {
    in_virtual_time(async {
        let bed = fleet(1).await;
        bed.simulator.inject(Fault::respond(500).on(Operation::Pause).times(1));
        bed.flip("r0", true);
        bed.until("r0", "False PausePending", SECOND).await;
        bed.rest().await;
        let [first] = &traces()[..] else { panic!("{:?}", traces()) };
        assert!(first.starts_with("watch event\n"), "{first}");
        assert!(first.contains("\n  POST /deployments/{id}/pause 500 500 failed\n"), "{first}");
        forget();
        bed.until("r0", "True InSync", 90 * SECOND).await;
        bed.rest().await;
        let again = FLIP.replace("watch event\n  queue\n", "timer\n");
        assert_eq!(traces().iter().filter(|trace| **trace == again).count(), 1, "{:?}", traces());
    });
}

#[test]
fn a_status_that_fails_is_tried_again_in_the_same_trace_and_nothing_tells_of_token_or_answer() {
    in_virtual_time(async {
        let bed = fleet(1).await;
        let patches = Match::verb(Verb::Patch).of("qoderdeployments");
        let failure = Failure::new(500, "Planted", "remote text");
        let _failing = bed.server.on(patches).times(1).fail(failure);
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 90 * SECOND).await;
        bed.rest().await;
        let [trace] = &traces()[..] else { panic!("{:?}", traces()) };
        let patch = |end| format!("    PATCH qoderdeployments/{{name}}/status {end}\n");
        assert!(trace.contains(&patch("500 500 failed")), "{trace}");
        assert!(trace.contains(&patch("200")), "{trace}");
        let said = kept::said();
        for text in ["pt-obviously-fake", "remote text"] {
            assert!(!said.contains(text), "{said}");
        }
    });
}
