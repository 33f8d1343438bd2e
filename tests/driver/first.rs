//! The main job, call by call.

use std::time::Duration;

use qoder_simulator::{Dialect, Fault, Operation};

use crate::bed::{Bed, POLL, Setup, in_virtual_time};

#[test]
fn a_flip_is_one_post_one_fresh_read_and_one_status_write() {
    in_virtual_time(async {
        let bed = Bed::with(2).await;
        bed.apply("nightly", 0, Some(true));
        bed.apply("weekly", 1, None);
        bed.until("nightly", "True InSync", Duration::from_secs(2)).await;
        bed.until("weekly", "True Observed", Duration::from_secs(2)).await;
        assert_eq!(bed.writes(), ["pause 0 200"]);
        assert_eq!(bed.status_writes("nightly").len(), 1);
        assert_eq!(bed.remote(0), "paused");

        let before = bed.forget();
        bed.flip("nightly", false);
        bed.until("nightly", "True InSync", Duration::from_secs(2)).await;
        assert_eq!(bed.calls(), ["unpause 0 200"]);
        bed.rest().await;
        let after: Vec<_> = bed.server.writes().split_off(before);
        let after: Vec<_> =
            after.iter().map(|entry| format!("{:?} {}", entry.verb, entry.resource)).collect();
        assert_eq!(after, ["Create events", "Patch qoderdeployments"]);
        assert_eq!(bed.events("nightly"), ["Paused", "Resumed"]);
    });
}

#[test]
fn an_idle_hour_costs_a_read_a_poll_and_no_write() {
    in_virtual_time(async {
        let bed = Bed::with(3).await;
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            bed.apply(name, n, Some(n == 0));
        }
        bed.pass(POLL).await;
        let before = bed.forget();
        bed.pass(Duration::from_secs(3600)).await;
        assert_eq!(bed.server.writes().len(), before);
        assert_eq!(bed.writes().len(), 0);
        assert!((120..=126).contains(&bed.reads()), "{}", bed.reads());
    });
}

#[test]
fn however_long_an_answer_takes_a_flip_is_one_call() {
    in_virtual_time(async {
        let bed = crate::waits::fleet(3).await;
        let slow = qoder_simulator::Settings {
            latency: Duration::from_secs(2),
            ..bed.simulator.settings()
        };
        bed.simulator.set_settings(slow).unwrap();
        for (round, paused) in [true, false, true].into_iter().enumerate() {
            bed.forget();
            bed.flip("r1", paused);
            bed.pass(Duration::from_secs(4)).await;
            assert_eq!(bed.calls().len(), 1, "round {round}: {:?}", bed.calls());
            assert_eq!(bed.ready("r1"), "True InSync");
        }
        // With the first one, three flips.
        assert_eq!(bed.status_writes("r1").len(), 4);
    });
}

/// Forty pages, a tenth of a second apart.
#[test]
fn the_adoption_of_a_fleet_is_one_status_each_however_long_its_list_is() {
    in_virtual_time(async {
        let bed = adopted(40).await;
        bed.pass(Duration::from_secs(20)).await;
        for i in 0..4000 {
            assert_eq!(bed.ready(&format!("r{i}")), "True InSync");
        }
        assert_eq!(bed.server.writes().len(), 4000);
        // The first one asks for more than this generation of the API serves.
        assert_eq!(bed.calls()[0], "list 400");
        assert_eq!(bed.calls()[1..], vec!["list 200"; 40]);
    });
}

#[test]
fn a_list_that_does_not_come_on_is_told_three_seconds_after_its_last_page() {
    in_virtual_time(async {
        let bed = adopted(20).await;
        bed.simulator.inject(Fault::hang_before().on(Operation::List).skip(10).always());
        bed.simulator.inject(Fault::hang_before().on(Operation::Get).always());
        bed.pass(Duration::from_millis(3800)).await;
        // The newest comes first.
        assert_eq!(bed.ready("r1999"), "True InSync");
        assert_eq!(bed.ready("r0"), "none", "0.9 s for the pages that came, and 3 s");
        bed.pass(Duration::from_millis(500)).await;
        assert_eq!(bed.ready("r0"), "Unknown Progressing");
    });
}

/// A fleet of so many pages that was there before the operator.
async fn adopted(pages: usize) -> Bed {
    let mut setup = Setup::with(pages * 100);
    setup.simulator.dialect = Dialect::D2;
    let mut bed = Bed::prepare(setup).await;
    for i in 0..pages * 100 {
        bed.apply(&format!("r{i}"), i, Some(false));
    }
    bed.run();
    bed
}
