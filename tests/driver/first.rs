//! The main job, call by call.

use std::time::Duration;

use crate::bed::{Bed, POLL, in_virtual_time};

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
