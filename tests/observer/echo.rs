//! Reads that lag a write of ours, as those of replicas do.

use std::{sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*};
use qoder_operator::{
    fair_queue::Lane,
    qoder::Verb,
    remote::{Answer, Outcome, PausedBy, Requester, Write},
    times::Times,
};
use qoder_simulator::{Fault, Operation};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    bed::{Bed, Read, in_virtual_time},
    world::{World, bound_worlds, cases},
};

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn what_lags_is_not_taken_for_what_is(
        world in bound_worlds(1..=20, 0..=100),
        // Between two of these, reads show the state before our write.
        (lag, first) in (0..900_u64, 0..1_000_u64),
        demands in vec(0..2_500_u64, 1..12),
        undone in prop::option::of(2_000..6_000_u64),
    ) {
        in_virtual_time(is_not_taken(&world, (lag, first), demands, undone))?;
    }
}

async fn is_not_taken(
    world: &World,
    (lag, first): (u64, u64),
    demands: Vec<u64>,
    undone: Option<u64>,
) -> Result<(), TestCaseError> {
    let bed = Bed::new(world).await;
    bed.observe();
    let id = &bed.ids[0];
    sleep(world.promptly() + Duration::from_secs(1)).await;
    let (verb, asked) = match bed.answer(id) {
        Some(Answer::Active) => (Verb::Pause, Answer::Paused(PausedBy::Hand)),
        _ => (Verb::Unpause, Answer::Active),
    };
    let permit = bed.remote.permit(id, Lane::Spec, &Arc::from("ns")).unwrap();
    let requester = Requester { uid: "uid".into(), generation: 1 };
    let write = Write { id: id.clone(), verb, requester, is_drift: false };
    let (_, outcome) = bed.remote.begin_write(permit, write).unwrap().send().await.unwrap();
    prop_assert_eq!(outcome, Outcome::Done);
    let ended = Instant::now();

    let stale = [Operation::Get, Operation::List].map(|on| Fault::stale().on(on).always());
    let mut steps: Vec<_> = demands.into_iter().map(|at| (at, Step::Demand)).collect();
    steps.extend([(first, Step::Lag), (first + lag, Step::Over)]);
    steps.extend(undone.map(|at| (at, Step::Undo)));
    steps.sort_by_key(|(at, _)| *at);
    for (at, step) in steps {
        while Instant::now() < ended + Duration::from_millis(at) {
            let is_early = Instant::now() < ended + Times::ECHO;
            prop_assert!(!is_early || bed.answer(id) == Some(asked), "{:?}", bed.answer(id));
            sleep(Duration::from_millis(10)).await;
        }
        match step {
            Step::Demand => drop(bed.demand(id)),
            Step::Lag => stale.iter().for_each(|fault| bed.simulator.inject(fault.clone())),
            Step::Over => bed.simulator.clear_faults(),
            Step::Undo => bed.simulator.set_paused(id.as_str(), verb == Verb::Unpause),
        }
    }
    let last = bed.demand(id);
    sleep_until(ended + Times::ECHO + world.promptly()).await;
    sleep_until(last.since + world.promptly()).await;
    prop_assert_eq!(bed.answer(id), Some(bed.truth(id)));
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Demand,
    Lag,
    Over,
    /// Someone else undoes the write.
    Undo,
}

/// Nobody asks for a look, and the write was undone at once: that is noticed all the same, if a read has
/// met with it.
#[test]
fn what_was_taken_for_a_lag_is_looked_at_again() {
    in_virtual_time(async {
        let world = World::of(vec![(false, true)], 1000);
        let bed = Bed::new(&world).await;
        bed.observe();
        let id = &bed.ids[0];
        sleep(Duration::from_secs(1)).await;
        let permit = bed.remote.permit(id, Lane::Spec, &Arc::from("ns")).unwrap();
        let requester = Requester { uid: "uid".into(), generation: 1 };
        let write = Write { id: id.clone(), verb: Verb::Pause, requester, is_drift: false };
        bed.remote.begin_write(permit, write).unwrap().send().await.unwrap();
        let ended = Instant::now();
        bed.simulator.set_paused(id.as_str(), false);
        bed.demand(id);
        sleep_until(ended + Times::ECHO - Duration::from_millis(1)).await;
        assert_eq!(bed.answer(id), Some(Answer::Paused(PausedBy::Hand)));
        sleep(Duration::from_millis(100)).await;
        assert_eq!(bed.answer(id), Some(Answer::Active));
        let looks = bed.calls().into_iter().filter(|call| {
            bed.start + call.at >= ended && call.read == Read::Get(id.as_str().to_owned())
        });
        assert_eq!(looks.count(), 2, "the one that met with it, and one more");
    });
}
