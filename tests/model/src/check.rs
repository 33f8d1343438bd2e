//! Checks a world exhaustively, and says how far it came.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use stateright::{Checker as _, HasDiscoveries, Model as _};

use crate::{
    bug::Bug,
    monitor::Property,
    world::{Action, World, actions},
};

/// A set of worlds to begin in, and what is broken in them.
pub struct Model {
    pub worlds: Vec<World>,
    pub bug: Option<Bug>,
    /// What follows from each world where nothing goes wrong.
    fair: Mutex<HashMap<u64, u64>>,
}

/// What a check has found.
#[derive(Debug)]
pub struct Checked {
    /// Worlds that differ.
    pub unique: usize,
    /// There is no other.
    pub is_exhausted: bool,
    /// The properties that do not hold, each with what leads there.
    pub broken: Vec<(&'static str, Vec<Action>)>,
}

impl Model {
    fn goes_on(&self, world: &World) -> bool {
        let Some(next) = world.fair().and_then(|action| world.after(action, self.bug)) else {
            return world.is_right_at_rest();
        };
        let mut fair = self.fair.lock().unwrap_or_else(PoisonError::into_inner);
        fair.insert(world.fingerprint(), next.fingerprint());
        true
    }

    /// Whether what follows where nothing goes wrong goes round in circles somewhere.
    fn is_circular(&self) -> bool {
        let fair = self.fair.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ends = HashSet::new();
        for start in fair.keys() {
            let mut path = Vec::new();
            let mut on_path = HashSet::new();
            let mut at = *start;
            while !ends.contains(&at) {
                if !on_path.insert(at) {
                    return true;
                }
                path.push(at);
                let Some(next) = fair.get(&at) else { break };
                at = *next;
            }
            ends.extend(path);
        }
        false
    }
}

impl stateright::Model for Model {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        self.worlds.clone()
    }

    fn actions(&self, world: &World, into: &mut Vec<Action>) {
        if !world.monitor.is_over() {
            into.extend(actions());
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        world.after(action, self.bug)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        fn holds<const PROPERTY: u16>(_: &Model, world: &World) -> bool {
            world.monitor.holds(PROPERTY)
        }
        vec![
            stateright::Property::always(
                "S1 no wrong send",
                holds::<{ Property::NoWrongSend as u16 }>,
            ),
            stateright::Property::always(
                "no unasked send",
                holds::<{ Property::NoUnaskedSend as u16 }>,
            ),
            stateright::Property::always("S2 kept word", holds::<{ Property::KeptWord as u16 }>),
            stateright::Property::always("S3 economy", holds::<{ Property::Economy as u16 }>),
            stateright::Property::always("S4 truth", holds::<{ Property::Truth as u16 }>),
            stateright::Property::always("S7 identity", holds::<{ Property::Identity as u16 }>),
            stateright::Property::always(
                "platform pauses",
                holds::<{ Property::PlatformPause as u16 }>,
            ),
            stateright::Property::always("one at a time", holds::<{ Property::OneAtATime as u16 }>),
            stateright::Property::always("convergence", Model::goes_on),
        ]
    }
}

/// Checks these worlds until all is seen, a property is broken, or the time is over.
#[must_use]
pub fn check(worlds: Vec<World>, bug: Option<Bug>, limit: Duration, threads: usize) -> Checked {
    let began = Instant::now();
    let model = Model { worlds, bug, fair: Mutex::default() };
    let checker = model
        .checker()
        .threads(threads)
        .timeout(limit)
        .finish_when(HasDiscoveries::Any)
        .spawn_bfs()
        .join();
    let mut broken: Vec<_> =
        checker.discoveries().into_iter().map(|(name, path)| (name, path.into_actions())).collect();
    broken.sort_unstable_by_key(|(name, _)| *name);
    if broken.is_empty() && checker.model().is_circular() {
        broken.push(("convergence (it goes round in circles)", Vec::new()));
    }
    Checked {
        unique: checker.unique_state_count(),
        is_exhausted: began.elapsed() < limit && broken.is_empty(),
        broken,
    }
}
