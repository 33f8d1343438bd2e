//! What is remembered of our writes to each deployment: it outlives the resource that they were
//! sent for, because the remote does not know resources.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;

use super::resource::Resource;
use crate::{api::DeploymentId, qoder::Verb, times::Times};

/// Drift corrections within the window that make a deployment contested.
const CORRECTIONS: usize = 3;

/// The writes to all deployments.
#[derive(Default)]
pub struct Ledger {
    writes: HashMap<DeploymentId, Box<Writes>>,
}

/// The writes to one deployment.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// When the last one ended, and for which resource it was.
    last: Option<(Instant, Arc<str>)>,
    /// Until when a pause, and an unpause, whose outcome is unknown may still take effect.
    pause_lands_until: Option<Instant>,
    unpause_lands_until: Option<Instant>,
    /// Failures in a row, and until when the next try waits.
    failures: u32,
    backoff: Option<For<Instant>>,
    /// The last write was answered with 409, and no look has said yet what that meant.
    conflict: bool,
    /// The API refused: until when this is believed, and with which token.
    refused: Option<For<(Instant, u64)>>,
    /// The last drift corrections.
    corrections: VecDeque<Instant>,
    /// How often corrections were held in this row, and until when they are now.
    holds: u32,
    held_until: Option<Instant>,
    /// The last correction, or the end of the hold that it started.
    calm_since: Option<Instant>,
}

/// Something that holds for one generation of one resource only.
#[derive(Debug, Clone)]
struct For<T> {
    uid: Arc<str>,
    generation: i64,
    value: T,
}

impl<T: Copy> For<T> {
    fn new(resource: &Resource, value: T) -> Self {
        Self { uid: resource.uid.clone(), generation: resource.generation, value }
    }

    fn get(&self, resource: &Resource) -> Option<T> {
        let same = self.uid == resource.uid && self.generation == resource.generation;
        same.then_some(self.value)
    }
}

impl Ledger {
    /// The writes to one deployment so far.
    #[must_use]
    pub fn get(&self, id: &DeploymentId) -> Writes {
        self.writes.get(id).map(|writes| Writes::clone(writes)).unwrap_or_default()
    }

    /// The writes to one deployment, to note something.
    pub fn note(&mut self, id: &DeploymentId) -> &mut Writes {
        self.writes.entry(id.clone()).or_default()
    }

    /// Takes the note that a 409 waits for its meaning.
    pub fn take_conflict(&mut self, id: &DeploymentId) -> bool {
        self.writes.get_mut(id).is_some_and(|writes| std::mem::take(&mut writes.conflict))
    }

    /// The owner's wish is reached.
    pub fn reached(&mut self, owner: &Resource, reconcile_requested: bool) {
        // Nothing was ever written to most deployments.
        if let Some(writes) = self.writes.get_mut(&owner.deployment) {
            writes.reached(owner, reconcile_requested);
        }
    }
}

impl Writes {
    /// Whether what was learned by a request that started and counted at these times still holds:
    /// not after a later write of ours, nor past the end of a lost one that it could not see.
    #[must_use]
    pub fn is_valid(&self, started: Instant, valid_from: Instant, now: Instant) -> bool {
        let after_write = self.last.as_ref().is_none_or(|(ended, _)| valid_from >= *ended);
        let ends = [self.pause_lands_until, self.unpause_lands_until];
        let after_lost = ends.into_iter().flatten().all(|end| now < end || started >= end);
        after_write && after_lost
    }

    /// What a read has to have started after, to count: the last write, and the end of the last
    /// lost one that can land no more.
    #[must_use]
    pub fn valid_since(&self, now: Instant) -> Option<Instant> {
        let lost = [self.pause_lands_until, self.unpause_lands_until];
        let over = lost.into_iter().flatten().filter(|end| now >= *end);
        over.chain(self.last.as_ref().map(|(ended, _)| *ended)).max()
    }

    /// W and G: a request of this verb whose outcome is unknown may still take effect.
    #[must_use]
    pub fn may_land(&self, verb: Verb, now: Instant) -> bool {
        let until = match verb {
            Verb::Pause => self.pause_lands_until,
            Verb::Unpause => self.unpause_lands_until,
        };
        until.is_some_and(|until| now < until)
    }

    /// The last write was sent for another resource.
    #[must_use]
    pub fn is_foreign_to(&self, resource: &Resource) -> bool {
        self.last.as_ref().is_some_and(|(_, uid)| *uid != resource.uid)
    }

    /// The next try waits until then.
    #[must_use]
    pub fn backoff_end(&self, resource: &Resource) -> Option<Instant> {
        self.backoff.as_ref()?.get(resource)
    }

    /// Writes of this generation with this token are refused until then.
    #[must_use]
    pub fn refused_until(&self, resource: &Resource, epoch: u64) -> Option<Instant> {
        let (until, refused_epoch) = self.refused.as_ref()?.get(resource)?;
        (refused_epoch == epoch).then_some(until)
    }

    /// Drift corrections are held until then.
    #[must_use]
    pub fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// When the first lost request, of those that still may, can take effect no more.
    #[must_use]
    pub fn lands_until(&self, now: Instant) -> Option<Instant> {
        let ends = [self.pause_lands_until, self.unpause_lands_until];
        ends.into_iter().flatten().filter(|end| now < *end).min()
    }

    /// A write has ended, however: reads that started before are void.
    pub fn ended(&mut self, resource: &Resource, now: Instant) {
        self.last = Some((now, resource.uid.clone()));
    }

    /// A write failed: the next try waits. `jitter` is in 0..1.
    pub fn failed(&mut self, resource: &Resource, now: Instant, times: &Times, jitter: f64) {
        let end = now + times.backoff(self.failures, jitter);
        self.failures = self.failures.saturating_add(1);
        self.backoff = Some(For::new(resource, end));
    }

    /// The outcome of a write of this verb is unknown: it may take effect later.
    pub fn lost(&mut self, verb: Verb, now: Instant, times: &Times) {
        let until = Some(now + times.request_lifetime());
        match verb {
            Verb::Pause => self.pause_lands_until = until,
            Verb::Unpause => self.unpause_lands_until = until,
        }
    }

    /// A write was answered with 409.
    pub fn conflicted(&mut self) {
        self.conflict = true;
    }

    /// The API refused a write for good.
    pub fn refused(&mut self, resource: &Resource, epoch: u64, now: Instant, times: &Times) {
        self.refused = Some(For::new(resource, (now + times.slow_look(), epoch)));
    }

    /// A drift correction succeeded. The third within the window starts a hold.
    pub fn corrected(&mut self, now: Instant, times: &Times) {
        if self.calm_since.is_some_and(|since| now >= since + times.hold_memory()) {
            self.holds = 0;
        }
        self.calm_since = Some(now);
        self.corrections.push_back(now);
        self.corrections.retain(|at| now - *at < times.contested_window());
        if self.corrections.len() >= CORRECTIONS {
            let end = now + times.hold(self.holds);
            self.corrections.clear();
            self.holds = self.holds.saturating_add(1);
            self.held_until = Some(end);
            self.calm_since = Some(end);
        }
    }

    /// The owner's wish is reached: failures are forgotten, and it is this resource's state now.
    fn reached(&mut self, resource: &Resource, reconcile_requested: bool) {
        self.failures = 0;
        self.backoff = None;
        self.refused = None;
        if let Some((_, uid)) = &mut self.last {
            *uid = resource.uid.clone();
        }
        if reconcile_requested {
            self.held_until = None;
            self.corrections.clear();
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
