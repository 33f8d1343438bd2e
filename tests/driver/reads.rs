//! What is read when, also where polls are rare: nothing waits for long, and nothing is read for nobody.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};

use crate::{
    bed::{Bed, POLL, Setup, in_virtual_time},
    waits::{fleet, fleet_of},
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

/// A fleet of so many that is polled once in an hour.
pub async fn polled_hourly(n: usize) -> Bed {
    let mut setup = Setup::with(n);
    setup.times.poll_interval = Duration::from_secs(3600);
    fleet_of(n, setup).await
}

#[test]
fn after_an_outage_the_only_deployment_left_is_read_again() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.inject(Fault::respond(500).always());
        bed.pass(2 * POLL + POLL / 2).await;
        // One is left: a GET is as cheap as a list, and no list is tried any more.
        bed.delete("r1");
        bed.pass(SECOND).await;
        bed.simulator.clear_faults();
        bed.forget();
        bed.pass(20 * POLL).await;
        assert_eq!(bed.ready("r0"), "True InSync", "{:?}", bed.calls());
    });
}

#[test]
fn after_a_single_401_who_polls_each_hour_does_not_wait_for_the_next_poll() {
    in_virtual_time(async {
        let bed = polled_hourly(2).await;
        bed.simulator.inject(Fault::respond(401).on(Operation::Pause));
        bed.flip("r0", true);
        bed.pass(180 * SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync", "{:?}", bed.calls());
    });
}

#[test]
fn a_request_for_a_look_at_what_no_list_shows_outlives_an_outage() {
    in_virtual_time(async {
        let bed = fleet(3).await;
        bed.simulator.archive(&bed.ids[0]);
        bed.until("r0", "False RemoteArchived", 21 * POLL).await;
        bed.simulator.inject(Fault::respond(500).on(Operation::List).always());
        bed.simulator.inject(Fault::respond(500).on(Operation::Get).always());
        bed.pass(2 * POLL + POLL / 2).await;
        bed.annotate("r0", "reconcile-requested-at", "now");
        bed.pass(POLL / 3).await;
        bed.simulator.clear_faults();
        bed.forget();
        bed.pass(4 * POLL).await;
        let handled = &bed.object("r0")["status"]["lastHandledReconcileRequest"];
        assert_eq!(handled, "now", "{:?}", bed.calls());
    });
}

#[test]
fn waits_that_were_asked_for_are_no_steps_of_our_own_wait() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        let asked = Fault::respond(429).header("retry-after", "1").on(Operation::Pause).times(6);
        bed.simulator.inject(asked);
        bed.simulator.inject(Fault::respond(429).on(Operation::Pause));
        bed.flip("r0", true);
        // Six seconds, and the first step: one.
        bed.until("r0", "True InSync", 12 * SECOND).await;
    });
}

#[test]
fn what_nobody_names_any_more_is_not_read() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.inject(Fault::respond(429).header("retry-after", "20").on(Operation::Pause));
        bed.flip("r0", true);
        bed.pass(SECOND).await;
        bed.annotate("r1", "reconcile-requested-at", "now");
        bed.pass(SECOND).await;
        bed.delete("r1");
        bed.until("r0", "True InSync", POLL).await;
        bed.pass(SECOND).await;
        assert!(!bed.calls().contains(&"get 1 200".to_owned()), "{:?}", bed.calls());
    });
}

#[test]
fn a_hold_outlives_the_resource_as_the_documents_say() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        for _ in 0..3 {
            bed.simulator.set_paused(&bed.ids[0], true);
            bed.pass(POLL + SECOND).await;
        }
        assert_eq!(bed.writes().len(), 3);
        bed.delete("r0");
        bed.pass(4 * POLL).await;
        bed.apply("r0", 0, Some(false));
        bed.until("r0", "True InSync", 3 * SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.until("r0", "False Contested", 2 * POLL).await;
        assert_eq!(bed.writes().len(), 3);
    });
}

#[test]
fn a_list_that_hangs_does_not_keep_what_gets_could_read() {
    in_virtual_time(async {
        let mut setup = Setup::with(4);
        setup.times.request_timeout = Duration::from_secs(300);
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        bed.apply("r0", 0, Some(false));
        bed.apply("r1", 1, Some(false));
        bed.until("r1", "True InSync", 2 * SECOND).await;
        let _held = bed.wire.hold(Kind::List, Moment::Before);
        bed.pass(POLL + SECOND).await;
        bed.apply("r2", 2, Some(false));
        bed.apply("r3", 3, Some(false));
        bed.until("r2", "True InSync", 30 * SECOND).await;
    });
}

#[test]
fn a_look_that_is_throttled_has_shown_nothing_of_lists() {
    in_virtual_time(async {
        let bed = polled_hourly(3).await;
        bed.simulator.inject(Fault::respond(500).on(Operation::List).always());
        let throttled = Fault::respond(429).header("retry-after", "5").on(Operation::Get);
        bed.simulator.inject(throttled);
        for name in ["r0", "r1", "r2"] {
            bed.annotate(name, "reconcile-requested-at", "now");
        }
        bed.pass(12 * SECOND).await;
        for name in ["r0", "r1", "r2"] {
            let handled = &bed.object(name)["status"]["lastHandledReconcileRequest"];
            assert_eq!(handled, "now", "{:?}", bed.calls());
        }
    });
}

#[test]
fn after_an_outage_who_polls_each_hour_does_not_wait_for_the_next_poll() {
    in_virtual_time(async {
        let bed = polled_hourly(3).await;
        bed.simulator.inject(Fault::respond(503).always());
        // Together they are worth a list.
        for name in ["r0", "r1", "r2"] {
            bed.annotate(name, "reconcile-requested-at", "now");
        }
        bed.pass(300 * SECOND).await;
        bed.simulator.clear_faults();
        for name in ["r0", "r1", "r2"] {
            bed.flip(name, true);
        }
        bed.pass(180 * SECOND).await;
        for name in ["r0", "r1", "r2"] {
            assert_eq!(bed.ready(name), "True InSync", "{:?}", bed.calls());
        }
    });
}
