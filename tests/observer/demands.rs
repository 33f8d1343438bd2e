//! Whoever asks for a look gets one that started after the question.

use std::{collections::HashMap, time::Duration};

use proptest::{collection::vec, prelude::*, sample::Index};
use qoder_operator::{api::DeploymentId, remote::Answer};
use qoder_simulator::Fault;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    bed::{Bed, Call, Demand, POLL, Read, TIMES, in_virtual_time},
    world::{World, cases, worlds},
};

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn every_demand_is_met_whatever_happens(
        world in worlds(1..=60, 0..=300),
        events in vec((0..600_000_u64, any::<Index>(), events()), 1..40),
        faults in vec((0..120_000_u64, 1..90_000_u64, faults()), 0..3),
    ) {
        in_virtual_time(whatever_happens(&world, events, &faults))?;
    }

    #[test]
    fn a_demand_stands_until_a_read_that_started_after_it_has_ended(
        world in worlds(1..=60, 50..=2_000),
        demands in vec((0..2_000_u64, any::<Index>()), 1..40),
    ) {
        in_virtual_time(stands_until_it_is_met(&world, &demands))?;
    }
}

/// What someone does to one deployment.
#[derive(Debug, Clone, Copy)]
enum Event {
    Demand,
    DemandAll,
    Pause,
    Resume,
    /// The platform pauses it.
    FailRun,
    Archive,
    Delete,
    /// The next page lacks it.
    Skip,
}

fn events() -> impl Strategy<Value = Event> {
    let changes = [Event::Pause, Event::Resume, Event::FailRun, Event::Archive, Event::Delete];
    prop_oneof![
        Just(Event::Demand),
        Just(Event::DemandAll),
        prop::sample::select(changes.to_vec()),
        Just(Event::Skip),
    ]
}

/// What every request meets with for a while.
fn faults() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![
        Fault::respond(401),
        Fault::respond(429),
        Fault::respond(429).header("retry-after", "20"),
        Fault::respond(500),
        Fault::respond(502).html(),
        Fault::respond(404).html(),
        Fault::hang_before(),
        Fault::reset_before(),
        Fault::truncate(),
        Fault::empty(),
    ])
}

enum Step {
    Do(Event, Index),
    Break(Box<Fault>),
    Mend,
}

async fn whatever_happens(
    world: &World,
    events: Vec<(u64, Index, Event)>,
    faults: &[(u64, u64, Fault)],
) -> Result<(), TestCaseError> {
    let events = events.into_iter().map(|(at, index, event)| (at, Step::Do(event, index)));
    let breaks =
        faults.iter().map(|(at, _, fault)| (*at, Step::Break(Box::new(fault.clone().always()))));
    let mends = faults.iter().map(|(at, span, _)| (at + span, Step::Mend));
    let mut story: Vec<_> = events.chain(breaks).chain(mends).collect();
    story.sort_by_key(|(at, _)| *at);

    // So what a poll has found again was lost.
    prop_assert!(world.promptly() < POLL);
    let bed = Bed::new(world).await;
    bed.observe();
    let mut demands = Vec::new();
    let mut trouble: Option<(Instant, Instant)> = None;
    for (at, step) in story {
        sleep_until(bed.start + Duration::from_millis(at)).await;
        match step {
            Step::Do(event, index) => {
                let id = index.get(&bed.ids);
                demands.extend(happens(&bed, event, id));
                // A cursor may have gone with it, and a list fails.
                if !matches!(event, Event::Delete) {
                    continue;
                }
            }
            Step::Break(fault) => bed.simulator.inject(*fault),
            Step::Mend => bed.simulator.clear_faults(),
        }
        let now = Instant::now();
        trouble = Some((trouble.map_or(now, |(first, _)| first), now));
    }

    let deadline = |demand: &Demand| match trouble {
        None => demand.since + world.promptly(),
        Some((first, last)) => demand.since.max(last) + recovery(world, last - first),
    };
    let last = demands.iter().map(deadline).max().unwrap_or(bed.start);
    sleep_until(last).await;
    for demand in &demands {
        prop_assert!(bed.is_met(demand, deadline(demand)), "{:?} at {:?}", demand, bed.start);
    }
    bed.check_pages()?;

    // One poll in so many reads everything, and the slow look what is in no list, so in the end
    // what is known is what is.
    let is_gone = |id| matches!(bed.answer(id), Some(Answer::Archived | Answer::NotFound));
    for id in bed.bound().iter().filter(|id| is_gone(id)) {
        bed.demand(id);
    }
    sleep(TIMES.slow_look() + POLL).await;
    for id in bed.bound() {
        prop_assert_eq!(bed.answer(&id), Some(bed.truth(&id)), "of {:?}", id);
    }
    Ok(())
}

fn happens(bed: &Bed, event: Event, id: &DeploymentId) -> Vec<Demand> {
    let simulator = &bed.simulator;
    let exists = simulator.deployment(id.as_str()).is_some();
    match event {
        Event::Demand if bed.known(id).is_some() => return vec![bed.demand(id)],
        Event::Demand => {}
        Event::DemandAll => return bed.bound().iter().map(|id| bed.demand(id)).collect(),
        Event::Skip => simulator.inject(Fault::drop_item(id.as_str())),
        _ if !exists => {}
        Event::Pause => simulator.set_paused(id.as_str(), true),
        Event::Resume => simulator.set_paused(id.as_str(), false),
        Event::FailRun => simulator.pause_by_error(id.as_str(), "agent_archived_error"),
        Event::Archive => simulator.archive(id.as_str()),
        Event::Delete => simulator.delete(id.as_str()),
    }
    Vec::new()
}

/// How long after trouble of this span a demand is met at the latest: the requests under way time
/// out; the next probe of the credential comes after as long as it was refused, and a poll; a
/// failed read is repeated after two; and what is to be read is read once a second, if a 429 has
/// lowered the rate that far.
fn recovery(world: &World, span: Duration) -> Duration {
    let reads = world.deployments.len() + 2 * world.pages(world.deployments.len());
    let reads = Duration::from_secs(reads.try_into().unwrap());
    TIMES.request_timeout + (span + POLL) + 2 * POLL + reads + world.promptly()
}

async fn stands_until_it_is_met(
    world: &World,
    demands: &[(u64, Index)],
) -> Result<(), TestCaseError> {
    let bed = Bed::new(world).await;
    bed.observe();
    let bound = bed.bound();
    if bound.is_empty() {
        return Ok(());
    }
    let mut open: HashMap<_, Instant> = HashMap::new();
    for (after, index) in demands {
        let next = Instant::now() + Duration::from_millis(*after);
        while Instant::now() < next {
            look_at(&bed, &mut open)?;
            sleep(Duration::from_millis(10)).await;
        }
        let id = index.get(&bound);
        open.insert(id.clone(), bed.demand(id).since);
    }
    sleep(world.promptly()).await;
    look_at(&bed, &mut open)?;
    prop_assert!(open.is_empty(), "{:?}", open);
    Ok(())
}

/// Checks what is known against what is demanded, and takes out what is met.
fn look_at(bed: &Bed, open: &mut HashMap<DeploymentId, Instant>) -> Result<(), TestCaseError> {
    let mut met = Vec::new();
    for (id, since) in &*open {
        let entry = bed.known(id).unwrap();
        let started = entry.observed.map(|seen| seen.started);
        let is_met = started.is_some_and(|started| started >= *since);
        let stands = bed.remote.is_demanded(id);
        prop_assert!(stands || is_met, "{:?} seen {:?}, demanded {:?}", id, started, since);
        if let Some(started) = started.filter(|_| is_met) {
            met.push((id.clone(), started));
        }
    }
    for (id, started) in met {
        open.remove(&id);
        // The time is that of a request which could have shown it.
        let could_show = |call: &Call| match &call.read {
            Read::Get(asked) => asked == id.as_str(),
            Read::List { .. } => true,
            Read::Write => false,
        };
        let calls = bed.calls();
        let mut calls = calls.iter().filter(|call| bed.start + call.at == started);
        prop_assert!(calls.any(could_show), "{:?} at {:?}", id, started);
    }
    Ok(())
}
