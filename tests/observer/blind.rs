//! Who cannot look says so in time, and a credential that is refused is tried again.

use std::time::Duration;

use proptest::prelude::*;
use qoder_operator::{remote::Worth, times::Times};
use qoder_simulator::Fault;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    bed::{Bed, POLL, TIMES, in_virtual_time},
    world::{World, cases, worlds},
};

/// Timers count milliseconds.
const TICK: Duration = Duration::from_millis(5);

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn whoever_was_not_looked_at_for_too_long_is_woken_by_then(
        world in worlds(1..=30, 0..=50),
        (poll, timeout) in (1_000..=3_600_000_u64, 100..=300_000_u64),
        // In the time of a poll.
        (after, length) in (0.0..25.0, 0.5..12.0),
        trouble in troubles(),
    ) {
        let times = Times {
            poll_interval: Duration::from_millis(poll),
            request_timeout: Duration::from_millis(timeout),
        };
        in_virtual_time(is_woken_by_then(&world, times, (after, length), &trouble))?;
    }
}

fn troubles() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![
        Fault::hang_before(),
        Fault::reset_before(),
        Fault::respond(429).header("retry-after", "600"),
        Fault::respond(503).header("retry-after", "600"),
        Fault::respond(401),
        Fault::respond(500),
        Fault::respond(404).html(),
        Fault::truncate(),
    ])
}

async fn is_woken_by_then(
    world: &World,
    times: Times,
    (after, length): (f64, f64),
    trouble: &Fault,
) -> Result<(), TestCaseError> {
    let bed = Bed::with(world, times).await;
    bed.observe();
    let poll = times.poll_interval;
    sleep(poll.mul_f64(after)).await;
    bed.simulator.inject(trouble.clone().always());
    let limit = times.longest_blindness();
    let end = Instant::now() + poll.mul_f64(length);
    // Of each deployment, whenever it was looked at last: unless it is looked at before, it is woken.
    let mut last: Vec<_> = bed.bound().into_iter().map(|id| (id, bed.start)).collect();
    let mut told = Vec::new();
    let step = (poll / 20).max(Duration::from_millis(50));
    while Instant::now() < end {
        let now = Instant::now();
        for (id, looked_at) in &mut last {
            *looked_at = bed.remote.view(id, now).looked_at.unwrap();
            let due = *looked_at + limit;
            if due + TICK < now && !told.contains(&(id.clone(), due)) {
                prop_assert!(bed.is_woken(id, due, TICK), "{:?} at {:?}", id, due - bed.start);
                told.push((id.clone(), due));
            }
        }
        sleep(step).await;
    }
    // That the trouble was one: none was looked at since.
    let is_long = length > 7.0;
    prop_assert!(!is_long || told.len() >= last.len(), "{:?} of {:?}", told, last);
    Ok(())
}

#[test]
fn each_time_of_blindness_is_told_once() {
    in_virtual_time(async {
        let bed = Bed::new(&all_bound(2)).await;
        bed.observe();
        let limit = TIMES.longest_blindness();
        for _ in 0..3 {
            sleep(3 * POLL).await;
            bed.simulator.inject(Fault::hang_before().always());
            sleep(3 * limit).await;
            for id in &bed.ids {
                let looked_at = bed.remote.view(id, Instant::now()).looked_at.unwrap();
                assert!(bed.is_woken(id, looked_at + limit, TICK));
            }
            bed.simulator.clear_faults();
        }
    });
}

#[test]
fn a_deployment_that_is_looked_at_slowly_is_no_news() {
    in_virtual_time(async {
        let world = all_bound(3);
        let bed = Bed::new(&world).await;
        bed.observe();
        bed.simulator.archive(bed.ids[0].as_str());
        sleep(TIMES.longest_blindness() / 2).await;
        bed.simulator.inject(Fault::hang_before().always());
        let before = Instant::now();
        sleep(2 * TIMES.longest_blindness()).await;
        let is_woken = |n: usize| bed.is_woken(&bed.ids[n], before, 2 * TIMES.longest_blindness());
        assert_eq!([0, 1, 2].map(is_woken), [false, true, true]);
    });
}

fn all_bound(count: usize) -> World {
    World::of(vec![(false, true); count], 1000)
}

/// There is nothing to read, so no read would find out that the credential is good again.
#[test]
fn a_refused_credential_is_tried_again_as_long_as_anything_is_bound() {
    in_virtual_time(async {
        let bed = Bed::new(&all_bound(3)).await;
        bed.observe();
        for id in &bed.ids {
            bed.simulator.archive(id.as_str());
        }
        sleep(2 * POLL).await;
        // One is looked at, and is not bound any more when that was refused.
        bed.simulator.inject(Fault::respond(401).always());
        let asked = bed.demand(&bed.ids[0]);
        sleep(Duration::from_secs(1)).await;
        bed.remote.unbind(&asked.id);
        let worth = || bed.remote.view(&bed.ids[1], Instant::now()).credential.worth;
        assert!(matches!(worth(), Worth::Rejected { .. }));

        let before = bed.calls().len();
        sleep(10 * POLL).await;
        let probes = bed.calls().len() - before;
        assert!((2..=4).contains(&probes), "{probes} probes, ever more rarely");
        assert!(matches!(worth(), Worth::Rejected { .. }));
        bed.simulator.clear_faults();
        sleep(TIMES.credential_probe(probes.try_into().unwrap()) + POLL).await;
        assert_eq!(worth(), Worth::Usable);

        // Nothing is bound: nobody needs to know.
        bed.simulator.inject(Fault::respond(401).always());
        bed.demand(&bed.ids[1]);
        sleep(Duration::from_secs(1)).await;
        assert!(matches!(worth(), Worth::Rejected { .. }));
        for id in &bed.ids {
            bed.remote.unbind(id);
        }
        // The one that waits for the probe already is sent.
        sleep(2 * POLL).await;
        let before = bed.calls().len();
        sleep_until(Instant::now() + 30 * POLL).await;
        assert_eq!(bed.calls().len(), before);
    });
}
