//! What is remembered ahead of a status, and how many statuses it takes to say it.

use std::time::Duration;

use apiserver::{Failure, Match, Verb};
use serde_json::json;

use crate::{
    bed::{POLL, in_virtual_time},
    siblings::two_owners,
    waits::fleet,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_dropped_write_does_not_forget_what_no_status_says_yet() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.until("r0", "False PausedByPlatform", 2 * POLL).await;
        // The resume that was asked for is done, and no status can say so.
        let broken = bed.server.on(Match::status_patches()).always().fail(Failure::internal());
        bed.annotate("r0", "resume-requested-at", "1");
        bed.pass(3 * SECOND).await;
        assert_eq!(bed.writes(), ["unpause 0 200"]);
        // Somebody pauses it; what the fresh read brings stops the correction.
        let read =
            bed.server.on(Match::verb(Verb::Get).of("qoderdeployments").name("r0")).always().hold();
        bed.simulator.set_paused(&bed.ids[0], true);
        bed.pass(POLL + SECOND).await;
        bed.annotate("r0", "reconcile", "disabled");
        read.lift();
        bed.pass(SECOND).await;
        assert_eq!(bed.writes(), ["unpause 0 200"]);
        // The platform pauses it once more, and the switch is taken away.
        bed.simulator.set_paused(&bed.ids[0], false);
        bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
        bed.pass(2 * POLL).await;
        bed.annotate("r0", "reconcile", "enabled");
        bed.pass(2 * POLL).await;
        broken.lift();
        bed.pass(2 * POLL).await;
        assert_eq!(bed.writes(), ["unpause 0 200"], "once for each time it is asked for");
    });
}

#[test]
fn what_is_switched_on_again_costs_one_status_write() {
    in_virtual_time(async {
        let bed = fleet(2).await;
        bed.annotate("r0", "reconcile", "disabled");
        bed.flip("r0", true);
        bed.until("r0", "True ReconcileDisabled", SECOND).await;
        bed.pass(5 * SECOND).await;
        let before = bed.status_writes("r0").len();
        bed.edit("r0", |object| object["metadata"]["annotations"] = json!({}));
        bed.pass(2 * SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync");
        assert_eq!(bed.writes(), ["pause 0 200"]);
        assert_eq!(bed.status_writes("r0").len(), before + 1);
    });
}

#[test]
fn the_next_owner_costs_one_status_write() {
    in_virtual_time(async {
        let bed = two_owners(true).await;
        bed.pass(5 * SECOND).await;
        let before = bed.status_writes("second").len();
        bed.delete("first");
        bed.pass(2 * SECOND).await;
        assert_eq!(bed.ready("second"), "True InSync");
        assert_eq!(bed.writes(), ["pause 0 200"]);
        assert_eq!(bed.status_writes("second").len(), before + 1);
    });
}
