//! The plan is chosen anew each time; whoever waits meanwhile is not forgotten.

use std::time::Duration;

use proptest::{collection::vec, prelude::*, sample::Index};
use qoder_operator::{api::DeploymentId, remote::Answer, times::Times};
use qoder_simulator::Fault;
use tokio::time::{Instant, sleep};

use crate::{
    bed::{Bed, Call, Demand, POLL, Read, in_virtual_time},
    world::{World, cases, worlds},
};

proptest! {
    #![proptest_config(cases(10))]

    #[test]
    fn a_switch_of_plans_loses_no_demand(
        world in worlds(3..=300, 0..=100),
        turns in vec((prop_oneof![0..300_u64, 0..40_000_u64], turns()), 1..25),
    ) {
        in_virtual_time(switches_plans(&world, &turns))?;
    }
}

/// Those who wait were to be shown by a full list. Then a list that was under way said how big the
/// account is, and a list of the paused ones was cheaper: it has to leave the active one to a GET.
#[test]
fn what_a_cheaper_list_does_not_show_gets_a_look_of_its_own() {
    in_virtual_time(async {
        let world = World::of([[(false, true); 96].as_slice(), &[(true, true); 24]].concat(), 12);
        let bed = Bed::new(&world).await;
        bed.observe();
        // The first list has shown these already, and is not at its end.
        sleep(Duration::from_secs(1)).await;
        let demands: Vec<_> = bed.ids[95..].iter().map(|id| bed.demand(id)).collect();
        sleep(world.promptly()).await;
        assert!(demands.iter().all(|demand| bed.is_met(demand, Instant::now())));
    });
}

/// A few of those who wait are in no list that is worth its calls: they get a GET each, and the others none.
#[test]
fn a_demanded_list_and_the_gets_beside_it_read_each_deployment_once() {
    in_virtual_time(async {
        let world =
            World::of([[(false, true); 300].as_slice(), &[(true, true); 100]].concat(), 100);
        let bed = Bed::new(&world).await;
        bed.observe();
        sleep(POLL / 2).await;
        let before = bed.calls().len();
        for id in &bed.ids[298..] {
            bed.demand(id);
        }
        sleep(world.promptly()).await;
        let list = Read::List { limit: 100, shows: Some("paused"), is_first: true };
        let gets = bed.ids[298..300].iter().map(|id| Read::Get(id.as_str().to_owned()));
        let expected: Vec<_> = gets.chain([list]).collect();
        let calls = bed.calls();
        let mut reads: Vec<_> = calls[before..].iter().map(|call| &call.read).collect();
        reads.sort_by_key(|read| matches!(read, Read::List { .. }));
        assert_eq!(reads, expected.iter().collect::<Vec<_>>());
    });
}

/// What the API answers with 401 says nothing, and nobody is called to ask again: those who wait
/// for it wait on.
#[test]
fn a_refused_credential_leaves_no_demand_behind() {
    // A list is cheaper for all of them, a GET for each of the few.
    for bound in [60, 3] {
        in_virtual_time(async {
            let world = World::of((0..60).map(|n| (false, n < bound)).collect(), 12);
            let bed = Bed::new(&world).await;
            bed.observe();
            sleep(POLL / 2).await;
            bed.simulator.inject(Fault::respond(401).times(2));
            let demands: Vec<_> = bed.bound().iter().map(|id| bed.demand(id)).collect();
            // The probes of the credential come after one poll, and after two more.
            sleep(3 * POLL + world.promptly()).await;
            assert!(demands.iter().all(|demand| bed.is_met(demand, Instant::now())));
        });
    }
}

/// What changes the plan, and those who wait meanwhile.
#[derive(Debug, Clone)]
enum Turn {
    PauseAll,
    ResumeAll,
    ResumeEverySecond,
    BindAll,
    UnbindAllButThree,
    Demand(Vec<Index>),
    /// All that are paused, and a few others.
    DemandPaused(Vec<Index>),
}

fn turns() -> impl Strategy<Value = Turn> {
    prop_oneof![
        Just(Turn::PauseAll),
        Just(Turn::ResumeAll),
        Just(Turn::ResumeEverySecond),
        Just(Turn::BindAll),
        Just(Turn::UnbindAllButThree),
        vec(any::<Index>(), 1..100).prop_map(Turn::Demand),
        vec(any::<Index>(), 1..4).prop_map(Turn::Demand),
        vec(any::<Index>(), 0..4).prop_map(Turn::DemandPaused),
    ]
}

async fn switches_plans(world: &World, turns: &[(u64, Turn)]) -> Result<(), TestCaseError> {
    // So what a poll has found again was lost.
    prop_assert!(world.promptly() < POLL);
    let bed = Bed::new(world).await;
    bed.observe();
    let mut demands: Vec<Demand> = Vec::new();
    for (after, turn) in turns {
        sleep(Duration::from_millis(*after)).await;
        match turn {
            Turn::PauseAll => set_paused(&bed, |_| true),
            Turn::ResumeAll => set_paused(&bed, |_| false),
            Turn::ResumeEverySecond => set_paused(&bed, |n| n.is_multiple_of(2)),
            Turn::BindAll => {
                for id in bed.ids.iter().filter(|id| bed.known(id).is_none()) {
                    bed.remote.bind(id, None);
                    demands.push(bed.demand(id));
                }
            }
            Turn::UnbindAllButThree => {
                for id in bed.ids.iter().skip(3) {
                    bed.remote.unbind(id);
                }
                demands.retain(|demand| bed.known(&demand.id).is_some());
            }
            Turn::Demand(indices) => demands.extend(demand_some(&bed, indices)),
            Turn::DemandPaused(others) => {
                let is_paused = |id: &DeploymentId| matches!(bed.truth(id), Answer::Paused(_));
                let paused = bed.bound().into_iter().filter(|id| is_paused(id));
                demands.extend(paused.map(|id| bed.demand(&id)));
                demands.extend(demand_some(&bed, others));
            }
        }
    }
    sleep(world.promptly()).await;
    for demand in &demands {
        let deadline = demand.since + world.promptly();
        prop_assert!(bed.is_met(demand, deadline), "{:?} at {:?}", demand, bed.start);
    }
    bed.check_pages()
}

fn demand_some(bed: &Bed, indices: &[Index]) -> Vec<Demand> {
    let bound = bed.bound();
    let indices = indices.iter().filter(|_| !bound.is_empty());
    indices.map(|index| bed.demand(index.get(&bound))).collect()
}

fn set_paused(bed: &Bed, is_paused: impl Fn(usize) -> bool) {
    for (n, id) in bed.ids.iter().enumerate() {
        bed.simulator.set_paused(id.as_str(), is_paused(n));
    }
}

/// Everything is looked at once in twenty polls. A list of everything that someone has demanded counts as well; one
/// of the paused ones does not.
#[test]
fn a_demanded_list_of_everything_takes_the_place_of_the_next_full_poll() {
    for is_everything in [true, false] {
        in_virtual_time(async {
            let world =
                World::of([[(false, true); 300].as_slice(), &[(true, true); 30]].concat(), 100);
            let bed = Bed::new(&world).await;
            bed.observe();
            sleep(POLL / 2 * (2 * Times::FULL_POLL - 1)).await;
            let demanded = if is_everything { &bed.ids[..] } else { &bed.ids[300..] };
            for id in demanded {
                bed.demand(id);
            }
            sleep(POLL).await;
            let in_last_poll = |call: &Call| call.at >= POLL * Times::FULL_POLL;
            let calls = bed.calls().into_iter().filter(in_last_poll);
            let is_full = |call: Call| matches!(call.read, Read::List { shows: None, .. });
            assert_eq!(
                calls.clone().any(is_full),
                !is_everything,
                "{:?}",
                calls.collect::<Vec<_>>()
            );
        });
    }
}
