//! What reading costs while nobody asks for anything.

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::Index};
use qoder_operator::{api::DeploymentId, remote::Answer, times::Times};
use qoder_simulator::Dialect;
use tokio::time::{sleep, sleep_until};

use crate::{
    bed::{Bed, Call, POLL, Read, in_virtual_time},
    world::{World, bound_worlds, cases, worlds},
};

/// Two full ones, and one more.
const POLLS: u32 = Times::FULL_POLL + 2;

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn a_quiet_fleet_costs_what_the_cheapest_plan_does(world in worlds(0..=220, 0..=300)) {
        in_virtual_time(costs_what_the_cheapest_plan_does(&world))?;
    }

    #[test]
    fn a_suspect_gets_one_look_and_no_poll_repeats_it(
        world in bound_worlds(12..=80, 0..=300),
        poll in 0..Times::FULL_POLL,
        changes in prop::collection::vec((any::<Index>(), changes()), 1..8),
    ) {
        in_virtual_time(gets_one_look(&world, poll, &changes))?;
    }
}

async fn costs_what_the_cheapest_plan_does(world: &World) -> Result<(), TestCaseError> {
    let bed = Bed::new(world).await;
    bed.observe();
    sleep_until(bed.start + POLL * POLLS).await;

    let calls = bed.calls();
    let mut pages = Pages { world, known: None };
    for poll in 0..POLLS {
        let span = POLL * poll..POLL * (poll + 1);
        let calls = calls.iter().filter(|call| span.contains(&call.at)).count();
        let expected = pages.cheapest(poll.is_multiple_of(Times::FULL_POLL));
        prop_assert_eq!(calls, expected, "poll {}", poll);
    }
    let lists = calls.iter().filter(|call| matches!(call.read, Read::List { .. }));
    for (page, next) in lists.clone().zip(lists.skip(1)) {
        prop_assert!(next.at >= page.at + Times::PAGE_SPACING, "{:?}, then {:?}", page, next);
    }
    Ok(())
}

/// What a list costs: that depends on what is known of pages.
struct Pages<'a> {
    world: &'a World,
    /// The size of a page that is asked for, and whether it is known how big the account is.
    known: Option<usize>,
}

impl Pages<'_> {
    /// How many calls a poll costs: of everything, or of what has changed.
    fn cheapest(&mut self, everything: bool) -> usize {
        let world = self.world;
        let bound = world.count(|_, is_bound| is_bound);
        let [active, paused] =
            [false, true].map(|paused| world.count(|is_paused, _| is_paused == paused));
        let Some(page) = self.known else {
            // How big the account is, and how big its pages may be, is only known after the first list.
            return if bound > 1 { self.list(1000, active + paused, true) } else { bound };
        };
        let pages = |entries: usize| entries.div_ceil(page).max(1);
        let [all, some_active, some_paused] = [active + paused, active, paused].map(pages);
        // Everything is in a GET for each, or in every page of everything. What is changed since the last
        // poll is also in every page of the one half, or of the other. Of equals the first.
        let lists = [
            (all, active + paused, true),
            (some_paused, paused, false),
            (some_active, active, false),
        ];
        let lists = if everything { &lists[..1] } else { &lists[..] };
        let (pages, entries, is_full) = *lists.iter().min_by_key(|(pages, ..)| *pages).unwrap();
        if bound > pages {
            return self.list(page, entries, is_full);
        }
        // So few that a GET for each does it; or the pages of one half and a GET for each in the other.
        let besides = |paused| world.count(|is_paused, is_bound| is_bound && is_paused != paused);
        let halves = [(some_paused, paused, besides(true)), (some_active, active, besides(false))];
        let (pages, entries, besides) =
            *halves.iter().min_by_key(|(pages, _, besides)| pages + besides).unwrap();
        if bound <= pages + besides { bound } else { self.list(page, entries, false) + besides }
    }

    /// How many calls a list costs. One whose pages were all right tries bigger ones next time.
    fn list(&mut self, page: usize, entries: usize, is_full: bool) -> usize {
        let tried = self.world.tried_pages(page, entries);
        let right = tried.last().copied().unwrap();
        let most = if self.world.dialect == Dialect::D2 { 100 } else { 1000 };
        let grows = is_full && tried.len() == 1;
        self.known = Some(if grows { (2 * page).min(most) } else { right });
        tried.len() - 1 + entries.div_ceil(right).max(1)
    }
}

/// What happens to a deployment between two polls.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// From active to paused, or back.
    Sides,
    Archived,
    Deleted,
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![Just(Change::Sides), Just(Change::Archived), Just(Change::Deleted)]
}

async fn gets_one_look(
    world: &World,
    poll: u32,
    changes: &[(Index, Change)],
) -> Result<(), TestCaseError> {
    let bed = Bed::new(world).await;
    bed.observe();
    sleep(POLL * poll + POLL / 2).await;

    let changed_at = bed.start.elapsed();
    let changes: BTreeMap<usize, Change> =
        changes.iter().map(|(index, change)| (index.index(bed.ids.len()), *change)).collect();
    for (index, change) in &changes {
        let id = bed.ids[*index].as_str();
        match change {
            Change::Sides => bed.simulator.set_paused(id, !world.deployments[*index].0),
            Change::Archived => bed.simulator.archive(id),
            Change::Deleted => bed.simulator.delete(id),
        }
    }
    sleep(POLL * POLLS).await;

    let calls = bed.calls();
    let next_list = calls.iter().find_map(|call| match call.read {
        Read::List { shows, .. } if call.at > changed_at => Some(shows),
        _ => None,
    });
    for (index, id) in bed.ids.iter().enumerate() {
        let was = if world.deployments[index].0 { "paused" } else { "active" };
        let (is_suspect, is_gone) = match changes.get(&index) {
            None => (false, None),
            // A list of the half that it has left should have shown it. Any other list shows it.
            Some(Change::Sides) => (next_list == Some(Some(was)), None),
            Some(Change::Archived) => (true, Some(Answer::Archived)),
            Some(Change::Deleted) => (true, Some(Answer::NotFound)),
        };
        prop_assert_eq!(gets(&calls, id), usize::from(is_suspect), "of {:?}", id);
        if is_gone.is_some() {
            prop_assert_eq!(bed.answer(id), is_gone);
        }
    }

    // The slow look, at what is in no list.
    let gone = |change: &Change| !matches!(change, Change::Sides);
    for (index, _) in changes.iter().filter(|(_, change)| gone(change)) {
        bed.demand(&bed.ids[*index]);
    }
    sleep(POLL * POLLS).await;
    let calls = bed.calls();
    for (index, _) in changes.iter().filter(|(_, change)| gone(change)) {
        prop_assert_eq!(gets(&calls, &bed.ids[*index]), 2, "the suspect's and the slow look");
    }
    Ok(())
}

fn gets(calls: &[Call], id: &DeploymentId) -> usize {
    calls.iter().filter(|call| call.read == Read::Get(id.as_str().to_owned())).count()
}
