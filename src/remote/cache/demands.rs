//! Which reads are demanded, and from when on they have to start.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Cache, place};
use crate::{api::DeploymentId, remote::plan::Place};

impl Cache {
    /// Whether a read of it is demanded.
    #[must_use]
    pub fn is_demanded(&self, id: &DeploymentId) -> bool {
        self.demands.contains_key(id)
    }

    /// Asks for a read that starts at this time or later.
    pub fn demand(&mut self, id: &DeploymentId, newer_than: Instant) {
        if self.is_bound(id) {
            demand(&mut self.demands, id, newer_than);
        }
    }

    /// Asks for a read of everything that a full list is expected to show, where none is demanded already.
    pub fn demand_listed(&mut self, newer_than: Instant) {
        for (id, entry) in &self.entries {
            let is_seen = entry.observed.is_some_and(|seen| seen.started >= newer_than);
            if !is_seen && place(&self.missed, id, entry) != Place::Nowhere {
                self.demands.entry(id.clone()).or_insert(newer_than);
            }
        }
    }

    /// The deployments for which a read is demanded and may start now, and where they are to be found:
    /// those demanded first come first, but what is in no list comes last.
    #[must_use]
    pub fn demands(&self, now: Instant) -> Vec<(DeploymentId, Place)> {
        let mut due: Vec<_> = self.due(now).collect();
        due.sort_by_key(|(_, since, place)| (*place == Place::Nowhere, *since));
        due.into_iter().map(|(id, _, place)| (id.clone(), place)).collect()
    }

    /// Where those are to be found for which a read is demanded and may start now.
    pub fn demanded_places(&self, now: Instant) -> impl Iterator<Item = Place> {
        self.due(now).map(|(_, _, place)| place)
    }

    fn due(&self, now: Instant) -> impl Iterator<Item = (&DeploymentId, Instant, Place)> {
        let due = self.demands.iter().filter(move |(_, since)| **since <= now);
        due.filter_map(|(id, since)| {
            Some((id, *since, place(&self.missed, id, self.entries.get(id)?)))
        })
    }

    /// When the next read that is demanded for later may start.
    #[must_use]
    pub fn next_demand(&self, now: Instant) -> Option<Instant> {
        self.demands.values().copied().filter(|since| *since > now).min()
    }
}

/// Of two demands the later one counts.
pub(super) fn demand(
    demands: &mut BTreeMap<DeploymentId, Instant>,
    id: &DeploymentId,
    newer_than: Instant,
) {
    let since = demands.entry(id.clone()).or_insert(newer_than);
    *since = newer_than.max(*since);
}
