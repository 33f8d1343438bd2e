//! Several resources of one deployment, and several deployments of one account.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};

use crate::{
    bed::{Bed, POLL, in_virtual_time},
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

/// `first` owns an active deployment, and `second`, which wants this, does not.
pub async fn two_owners(second: bool) -> Bed {
    let bed = Bed::with(2).await;
    bed.apply("first", 0, Some(false));
    bed.pass(2 * SECOND).await;
    bed.apply("second", 0, Some(second));
    bed.until("second", "False DuplicateOwner", 3 * SECOND).await;
    bed
}

/// A fleet of so many, in which `r0` has met a 429, and `r1` waits behind it.
async fn two_that_wait(n: usize) -> Bed {
    let bed = fleet(n).await;
    bed.simulator.inject(Fault::respond(429).header("retry-after", "30").on(Operation::Pause));
    bed.flip("r0", true);
    bed.pass(SECOND).await;
    bed.flip("r1", true);
    bed.pass(SECOND).await;
    assert_eq!(bed.counted().writes_waiting, 2);
    bed
}

#[test]
fn what_our_own_write_changes_reaches_every_resource_of_the_deployment() {
    in_virtual_time(async {
        let bed = Bed::with(2).await;
        bed.apply("watcher", 0, None);
        bed.pass(2 * SECOND).await;
        bed.apply("owner", 0, Some(false));
        bed.apply("other", 1, Some(false));
        bed.pass(2 * SECOND).await;
        for round in 0..10 {
            let paused = round % 2 == 0;
            bed.flip("owner", paused);
            bed.pass(SECOND).await;
            assert_eq!(bed.ready("owner"), "True InSync");
            let seen = bed.object("watcher")["status"]["status"].clone();
            assert_eq!(seen, if paused { "paused" } else { "active" }, "round {round}");
        }
        assert_eq!(bed.writes().len(), 10);
    });
}

#[test]
fn a_permit_outlives_no_wish() {
    in_virtual_time(async {
        let bed = two_that_wait(3).await;
        // One does not want to any more.
        bed.edit("r0", |object| {
            object["spec"].as_object_mut().unwrap().remove("paused");
        });
        bed.pass(SECOND).await;
        assert_eq!(bed.counted().writes_waiting, 1);
        bed.flip("r2", true);
        bed.until("r1", "True InSync", POLL + 5 * SECOND).await;
        bed.until("r2", "True InSync", 5 * SECOND).await;
        assert_eq!(bed.writes(), ["pause 0 429", "pause 1 200", "pause 2 200"]);
        assert_eq!(bed.ready("r0"), "True Observed");
    });
}

#[test]
fn the_next_owner_takes_over_when_the_first_goes_also_during_its_post() {
    in_virtual_time(async {
        let bed = two_owners(false).await;
        let post = bed.wire.hold(Kind::Write, Moment::After);
        bed.flip("first", true);
        bed.pass(SECOND).await;
        bed.delete("first");
        bed.pass(SECOND).await;
        post.release();
        bed.until("second", "True InSync", 5 * SECOND).await;
        assert_eq!(bed.remote(0), "active", "as the second one says");
        assert_eq!(bed.writes(), ["pause 0 200", "unpause 0 200"]);
    });
}

#[test]
fn a_duplicate_that_owns_now_does_not_say_the_old_thing_through_an_outage() {
    in_virtual_time(async {
        let bed = two_owners(false).await;
        bed.simulator.inject(Fault::respond(500).always());
        bed.pass(POLL).await;
        bed.delete("first");
        bed.pass(SECOND).await;
        assert_ne!(bed.ready("second"), "False DuplicateOwner");
    });
}

#[test]
fn who_is_gone_waits_for_no_permit() {
    in_virtual_time(async {
        let bed = two_that_wait(2).await;
        bed.delete("r0");
        bed.pass(SECOND).await;
        assert_eq!(bed.counted().writes_waiting, 1);
        bed.until("r1", "True InSync", POLL).await;
        assert_eq!(bed.writes(), ["pause 0 429", "pause 1 200"]);
    });
}
