//! The worlds that are checked: what may happen in them, and how they begin.

use qoder_operator::api::{DriftPolicy, Wish};

use crate::{bug::Bug, limits::Limits, remote::Remote, world::World};

/// A set of worlds with one name.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    pub name: &'static str,
    pub limits: Limits,
}

/// Nothing happens.
const NONE: Limits = Limits {
    flips: 0,
    humans: 0,
    platform: 0,
    archives: 0,
    losses: 0,
    zombies: 0,
    crashes: 0,
    failed_statuses: 0,
    failed_looks: 0,
    gaps: 0,
    recreations: 0,
    seconds: 0,
    resumes: 0,
    reconciles: 0,
    policies: 0,
    switches: 0,
    releases: 0,
    is_status_slow: false,
};

const fn named(name: &'static str, limits: Limits) -> Named {
    Named { name, limits }
}

/// Exhausted in each `make test`.
pub const SMALL: [Named; 18] = [
    named("2 flips", Limits { flips: 2, ..NONE }),
    named("1 flip, slow statuses", Limits { flips: 1, is_status_slow: true, ..NONE }),
    named("1 flip, 1 human", Limits { flips: 1, humans: 1, ..NONE }),
    named("2 humans", Limits { humans: 2, ..NONE }),
    named("1 flip, 1 platform pause", Limits { flips: 1, platform: 1, ..NONE }),
    named("1 human, 1 platform pause", Limits { humans: 1, platform: 1, ..NONE }),
    named("1 flip, 1 archive", Limits { flips: 1, archives: 1, ..NONE }),
    named("1 flip, 1 loss", Limits { flips: 1, losses: 1, ..NONE }),
    named("1 flip, 1 zombie", Limits { flips: 1, zombies: 1, ..NONE }),
    named("1 flip, 1 crash", Limits { flips: 1, crashes: 1, ..NONE }),
    named("1 flip, 1 clean release", Limits { flips: 1, releases: 1, ..NONE }),
    named(
        "1 flip, 1 failed status",
        Limits { flips: 1, failed_statuses: 1, is_status_slow: true, ..NONE },
    ),
    named(
        "1 flip, 1 failed look, 1 gap in a list",
        Limits { flips: 1, failed_looks: 1, gaps: 1, ..NONE },
    ),
    named("1 re-creation", Limits { recreations: 1, is_status_slow: true, ..NONE }),
    named("a second resource", Limits { seconds: 1, ..NONE }),
    named("1 resume request, 1 platform pause", Limits { resumes: 1, platform: 1, ..NONE }),
    named("1 reconcile request, 1 human", Limits { reconciles: 1, humans: 1, ..NONE }),
    named(
        "1 switch, 1 change of policy, 1 human",
        Limits { switches: 1, policies: 1, humans: 1, ..NONE },
    ),
];

/// Checked by `make model`, each for as long as it is told.
pub const LARGE: [Named; 14] = [
    named("3 flips", Limits { flips: 3, ..NONE }),
    named("3 flips, slow statuses", Limits { flips: 3, is_status_slow: true, ..NONE }),
    named("2 flips, 1 human", Limits { flips: 2, humans: 1, ..NONE }),
    named("2 flips, 1 loss", Limits { flips: 2, losses: 1, ..NONE }),
    named("2 flips, 1 zombie", Limits { flips: 2, zombies: 1, ..NONE }),
    named("2 flips, 1 crash", Limits { flips: 2, crashes: 1, ..NONE }),
    named("1 flip, 1 human, 1 zombie", Limits { flips: 1, humans: 1, zombies: 1, ..NONE }),
    named("1 flip, 1 platform pause, 1 loss", Limits { flips: 1, platform: 1, losses: 1, ..NONE }),
    named("1 flip, 1 zombie, 1 crash", Limits { flips: 1, zombies: 1, crashes: 1, ..NONE }),
    named(
        "1 flip, 1 re-creation",
        Limits { flips: 1, recreations: 1, is_status_slow: true, ..NONE },
    ),
    named("1 flip, a second resource", Limits { flips: 1, seconds: 1, ..NONE }),
    named("a second resource, 1 loss", Limits { seconds: 1, losses: 1, ..NONE }),
    named("a second resource, 1 crash", Limits { seconds: 1, crashes: 1, ..NONE }),
    named("4 humans, 1 platform pause", Limits { humans: 4, platform: 1, ..NONE }),
];

impl Named {
    /// These, in each way in which a world can begin.
    #[must_use]
    pub fn begin(self, bug: Option<Bug>) -> Vec<World> {
        let mut worlds = Vec::new();
        for policy in [DriftPolicy::Correct, DriftPolicy::Warn] {
            for remote in [Remote::Active, Remote::Paused, Remote::Failed] {
                for wish in [Wish::Paused, Wish::Active] {
                    worlds.push(World::new(remote, wish, policy, self.limits, bug));
                }
            }
        }
        worlds
    }
}
