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
mod kept;
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
  permit
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
        assert_eq!(traces(), [FLIP, FLIP]);
        for (trace, id) in kept::ids().into_iter().zip(&bed.ids) {
            assert!(trace.iter().all(|of| of == id), "{id}: {trace:?}");
        }
    });
}

#[test]
fn what_a_list_has_shown_is_a_trace_with_a_link_to_it() {
    in_virtual_time(async {
        let bed = fleet(1).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        bed.rest().await;
        assert_eq!(
            traces(),
            [
                "list\n  GET /deployments 200\n",
                "poll -> list\n  queue\n  pass\n  status PausedByPlatform\n    PATCH qoderdeployments/{name}/status 200\n  queue\n  pass\n",
            ]
        );
    });
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
fn a_request_that_fails_says_how_and_the_next_try_is_a_trace_of_its_own() {
    in_virtual_time(async {
        let bed = fleet(1).await;
        let refused = Match::verb(Verb::Patch).of("qoderdeployments");
        let refused =
            bed.server.on(refused).times(1).fail(Failure::new(500, "Planted", "remote text"));
        bed.simulator.inject(Fault::respond(500).on(Operation::Pause).times(1));
        bed.flip("r0", true);
        bed.until("r0", "True InSync", 90 * SECOND).await;
        bed.rest().await;
        drop(refused);
        let all = traces().concat();
        assert!(all.contains("POST /deployments/{id}/pause 500 500 failed"), "{all}");
        assert!(all.contains("PATCH qoderdeployments/{name}/status 500 500 failed"), "{all}");
        assert!(all.contains("\ntimer\n"), "{all}");
        let said = kept::said();
        for secret in ["pt-obviously-fake", "remote text"] {
            assert!(!said.contains(secret), "{said}");
        }
    });
}
