//! Lists and polls that are throttled, slow or hang: what is demanded is read all the same.

use std::time::Duration;

use qoder_simulator::{Config, Fault, Operation, Settings};

use crate::{
    bed::{Bed, Setup, in_virtual_time},
    reads::polled_hourly,
    waits::fleet,
    wire::Kind,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_poll_that_takes_longer_than_its_interval_does_not_keep_demands_waiting() {
    in_virtual_time(async {
        let mut setup = Setup::with(1100);
        setup.times.poll_interval = SECOND;
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        for i in 0..10 {
            bed.apply(&format!("r{i}"), i, Some(i == 0));
        }
        for i in 0..10 {
            let ready = "True InSync";
            bed.until(&format!("r{i}"), ready, 10 * SECOND).await;
        }
        let slow = Settings { latency: 1200 * SECOND / 1000, ..bed.simulator.settings() };
        bed.simulator.set_settings(slow).unwrap();
        bed.pass(30 * SECOND).await;
        bed.forget();
        for i in 1..10 {
            bed.annotate(&format!("r{i}"), "reconcile-requested-at", "now");
        }
        bed.pass(8 * SECOND).await;
        for i in 1..10 {
            let name = format!("r{i}");
            let handled = &bed.object(&name)["status"]["lastHandledReconcileRequest"];
            assert_eq!(handled, "now", "{name}: {:?}", bed.calls());
        }
    });
}

#[test]
fn a_poll_that_is_throttled_once_is_made_again_before_the_next_hour() {
    in_virtual_time(async {
        let bed = polled_hourly(3).await;
        bed.pass(1800 * SECOND).await;
        bed.forget();
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.simulator.inject(Fault::respond(429).header("retry-after", "5").on(Operation::List));
        bed.pass(1800 * SECOND + 300 * SECOND).await;
        assert_eq!(bed.remote(0), "active", "{:?}", bed.calls());
    });
}

#[test]
fn a_list_that_is_throttled_on_its_way_comes_to_its_end() {
    in_virtual_time(async {
        let mut setup = Setup::with(10_000);
        setup.simulator = Config { reads_per_second: 4, ..setup.simulator };
        setup.simulator.dialect = qoder_simulator::Dialect::D2;
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        for i in 0..3 {
            bed.apply(&format!("first{i}"), i, Some(false));
            bed.apply(&format!("last{i}"), 9999 - i, Some(false));
        }
        bed.pass(20 * 60 * SECOND).await;
        let lists = bed.wire.sent(Kind::List).len();
        for i in 0..3 {
            assert_eq!(bed.ready(&format!("first{i}")), "True InSync", "{lists}");
            assert_eq!(bed.ready(&format!("last{i}")), "True InSync", "{lists}");
        }
    });
}

#[test]
fn a_429_that_asks_for_no_wait_at_all_is_tried_with_growing_waits() {
    for asked in ["0", "Wed, 01 Jul 2026 01:00:00 GMT"] {
        in_virtual_time(async {
            let bed = fleet(2).await;
            let sorry = Fault::respond(429).header("retry-after", asked);
            bed.simulator.inject(sorry.on(Operation::Pause).always());
            bed.flip("r0", true);
            bed.pass(300 * SECOND).await;
            let tries = bed.writes().len();
            assert!(tries <= 30, "{asked}: {tries} tries in five minutes");
        });
    }
}

#[test]
fn what_hangs_from_before_the_api_came_back_does_not_keep_the_others() {
    in_virtual_time(async {
        let mut setup = Setup::with(6);
        setup.times.request_timeout = 300 * SECOND;
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        for i in 0..3 {
            bed.apply(&format!("r{i}"), i, Some(false));
        }
        bed.until("r2", "True InSync", 2 * SECOND).await;
        bed.simulator.inject(Fault::hang_before().on(Operation::List).times(1));
        bed.simulator.inject(Fault::hang_before().on(Operation::Get).times(1));
        bed.pass(31 * SECOND).await;
        bed.apply("r3", 3, Some(false));
        bed.apply("r4", 4, Some(false));
        bed.apply("r5", 5, Some(false));
        bed.pass(60 * SECOND).await;
        let ready = ["r3", "r4", "r5"].map(|name| bed.ready(name));
        let done = ready.iter().filter(|ready| *ready == "True InSync").count();
        assert!(done >= 2, "{ready:?} {:?}", bed.calls());
    });
}

#[test]
fn a_poll_that_meets_one_401_is_made_again_before_the_next_hour() {
    in_virtual_time(async {
        let bed = polled_hourly(3).await;
        bed.pass(1800 * SECOND).await;
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.simulator.inject(Fault::respond(401).on(Operation::List));
        bed.pass(1800 * SECOND + 300 * SECOND).await;
        assert_eq!(bed.remote(0), "active", "{:?}", bed.calls());
    });
}

#[test]
fn a_hundred_requests_for_a_look_are_answered_although_a_poll_takes_longer_than_its_interval() {
    in_virtual_time(async {
        // 3000 of 8000 are paused; a page of a hundred takes a second and a half: the poll takes 45 s.
        let mut setup = Setup::with(8000);
        setup.simulator.dialect = qoder_simulator::Dialect::D2;
        let mut bed = Bed::prepare(setup).await;
        for id in bed.ids.iter().take(3000) {
            bed.simulator.set_paused(id, true);
        }
        bed.run();
        for i in 0..100 {
            bed.apply(&format!("p{i}"), i, Some(true));
            bed.apply(&format!("a{i}"), 7900 + i, Some(false));
        }
        bed.pass(30 * SECOND).await;
        let slow = Settings { latency: 1500 * SECOND / 1000, ..bed.simulator.settings() };
        bed.simulator.set_settings(slow).unwrap();
        bed.pass(300 * SECOND).await;
        for i in 0..100 {
            bed.annotate(&format!("a{i}"), "reconcile-requested-at", "now");
        }
        // A full list takes two minutes.
        bed.pass(300 * SECOND).await;
        let done = (0..100)
            .filter(|i| {
                let object = bed.object(&format!("a{i}"));
                object["status"]["lastHandledReconcileRequest"] == "now"
            })
            .count();
        assert_eq!(done, 100);
    });
}
