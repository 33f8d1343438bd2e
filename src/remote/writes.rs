//! What is remembered of our writes to one deployment: what is void since, what may still take effect,
//! who waits and for how long. Pure: time is an argument.

mod landing;

use std::collections::VecDeque;

use tokio::time::Instant;

use super::write::{End, For, LastTry, Outcome, Requester, Write};
use crate::{api::Uid, qoder::Verb, times::Times};

/// Drift corrections within the window that make a deployment contested.
const CORRECTIONS: usize = 3;

/// The writes to one deployment.
#[derive(Debug, Clone, Default, Hash)]
pub struct Writes {
    /// The one that is on its way, and since when.
    under_way: Option<(Verb, Instant)>,
    /// When the last one ended, and for which resource it was.
    last: Option<(Instant, Uid)>,
    /// Until when a pause, and an unpause, whose outcome is unknown may still take effect.
    pause_lands_until: Option<Instant>,
    unpause_lands_until: Option<Instant>,
    /// Failures in a row, and until when the next try waits.
    failures: u32,
    backoff: Option<For<Backoff>>,
    /// How the last try ended, if it failed, or was refused. It stands while the next one is under way.
    last_failure: Option<For<LastTry>>,
    /// The last write was answered with 409, and no look has said yet what that meant; and what it was.
    conflict: Option<Verb>,
    refusal: Option<For<Refusal>>,
    /// How often in a row the last tries were throttled: the account says when the next one is.
    throttled: Option<For<u32>>,
    /// The last drift corrections.
    corrections: VecDeque<Instant>,
    /// How often corrections were held in this row, and until when they are now.
    holds: u32,
    held_until: Option<Instant>,
    /// The last correction, or the end of the hold that it started.
    calm_since: Option<Instant>,
}

/// A write failed: the next waits.
#[derive(Debug, Clone, Copy, Hash)]
struct Backoff {
    until: Instant,
    /// The token, where another one is worth a try at once.
    epoch: Option<u32>,
}

/// The API refused a write: this is believed for a while, with the token that met it.
#[derive(Debug, Clone, Copy, Hash)]
struct Refusal {
    at: Instant,
    until: Instant,
    epoch: u32,
    answer: LastTry,
}

impl Writes {
    /// Whether what a request has shown still holds, by when it started and from when on it counts: not
    /// after a later write of ours, nor past the end of a lost one that it could not see.
    #[must_use]
    pub fn is_valid(&self, started: Instant, valid_from: Instant, now: Instant) -> bool {
        let after_write = self.last.as_ref().is_none_or(|(ended, _)| valid_from >= *ended);
        let ends = [self.pause_lands_until, self.unpause_lands_until];
        let after_lost = ends.into_iter().flatten().all(|end| now < end || started >= end);
        after_write && after_lost
    }

    /// Since when a write is on its way.
    #[must_use]
    pub fn under_way_since(&self) -> Option<Instant> {
        self.under_way.map(|(_, since)| since)
    }

    /// When the last write ended.
    #[must_use]
    pub fn ended(&self) -> Option<Instant> {
        self.last.as_ref().map(|(ended, _)| *ended)
    }

    /// The last write was sent for another resource.
    #[must_use]
    pub fn is_foreign_to(&self, requester: &Requester) -> bool {
        self.last.as_ref().is_some_and(|(_, uid)| *uid != requester.uid)
    }

    /// The next try with this token waits until then.
    #[must_use]
    pub fn backoff_end(&self, requester: &Requester, epoch: u32) -> Option<Instant> {
        let backoff = self.backoff.as_ref()?.get(requester)?;
        backoff.epoch.is_none_or(|met_by| met_by == epoch).then_some(backoff.until)
    }

    /// How often in a row the last tries were throttled.
    #[must_use]
    pub fn throttled(&self, requester: &Requester) -> u32 {
        self.throttled.as_ref().and_then(|count| count.get(requester)).copied().unwrap_or_default()
    }

    /// It was throttled twice in a row: others go before it, again and again.
    #[must_use]
    pub fn goes_behind(&self, requester: &Requester) -> bool {
        self.throttled(requester) > 1
    }

    /// How the last try ended, if it failed, or was refused.
    #[must_use]
    pub fn last_failure(&self, requester: &Requester) -> Option<LastTry> {
        self.last_failure.as_ref()?.get(requester).copied()
    }

    /// How many tries in a row have failed.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Writes of this generation with this token are refused until then. A reconcile that was asked for
    /// after the refusal is worth one more try.
    #[must_use]
    pub fn refused_until(
        &self,
        requester: &Requester,
        epoch: u32,
        asked_for: Option<Instant>,
    ) -> Option<Instant> {
        let Refusal { at, until, epoch: met_by, .. } = *self.refusal.as_ref()?.get(requester)?;
        let stands = met_by == epoch && asked_for.is_none_or(|asked_for| asked_for <= at);
        stands.then_some(until)
    }

    /// What a refusal said.
    #[must_use]
    pub fn refusal(&self, requester: &Requester) -> Option<LastTry> {
        Some(self.refusal.as_ref()?.get(requester)?.answer)
    }

    /// Drift corrections are held until then.
    #[must_use]
    pub fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// Whether any of this can matter to a resource that is still to come: something may take effect, a read
    /// may be under way that started before the last write ended, or someone else fights for the deployment.
    #[must_use]
    pub fn may_matter(&self, now: Instant, times: &Times) -> bool {
        let is_recent = |(ended, _): &(Instant, _)| now < *ended + times.request_lifetime();
        let last_correction = self.corrections.back().copied();
        let is_fought_for = last_correction.is_some_and(|at| now < at + times.contested_window());
        let is_hold_known = |since: Instant| self.holds > 0 && now < since + times.hold_memory();
        self.under_way.is_some()
            || self.lands_until(now).is_some()
            || self.last.as_ref().is_some_and(is_recent)
            || is_fought_for
            || self.calm_since.is_some_and(is_hold_known)
    }

    /// A write leaves. What kept the last one from it is over.
    pub fn begun(&mut self, verb: Verb, now: Instant) {
        self.under_way = Some((verb, now));
        self.backoff = None;
        // The Kubernetes API has served the read.
        self.last_failure.take_if(|last| last.value().outcome == Outcome::Unread);
    }

    /// A write has ended: the one place that says what follows, for success and for each failure.
    pub fn book(&mut self, write: &Write, end: End, times: &Times) {
        self.under_way = None;
        let Write { verb, requester, .. } = write;
        if !end.outcome.is_nothing() {
            // However it ended: reads that started before are void.
            self.last = Some((end.at, requester.uid.clone()));
        }
        match end.outcome {
            Outcome::Done if write.is_drift => self.corrected(end.at, times),
            Outcome::NotServed => return,
            Outcome::Done => {}
            Outcome::Refused => {
                let until = end.at + times.slow_look();
                let answer = end.last_try();
                let refusal = Refusal { at: end.at, until, epoch: end.epoch, answer };
                self.refusal = Some(For::new(requester, refusal));
                self.last_failure = Some(For::new(requester, answer));
            }
            Outcome::Conflict => {
                self.conflict = Some(*verb);
                self.failed(requester, end, times);
            }
            Outcome::Ambiguous => {
                self.lost(*verb, end.at, times);
                self.failed(requester, end, times);
            }
            Outcome::Throttled => {
                let count = self.throttled(requester).saturating_add(1);
                self.throttled = Some(For::new(requester, count));
                return;
            }
            Outcome::NotAsAsked
            | Outcome::Unauthorized
            | Outcome::NotSent
            | Outcome::Unread
            | Outcome::NotTheApi => self.failed(requester, end, times),
        }
        self.throttled = None;
    }

    fn failed(&mut self, requester: &Requester, end: End, times: &Times) {
        // Reads may be accepted with a token that is refused a write: each try is a bad login.
        let is_unauthorized = end.outcome == Outcome::Unauthorized;
        let wait = if is_unauthorized {
            times.credential_probe(self.failures)
        } else {
            times.backoff(self.failures, end.jitter)
        };
        self.failures = self.failures.saturating_add(1);
        let epoch = is_unauthorized.then_some(end.epoch);
        let backoff = Backoff { until: end.at + wait, epoch };
        self.last_failure = Some(For::new(requester, end.last_try()));
        self.backoff = Some(For::new(requester, backoff));
    }

    fn lost(&mut self, verb: Verb, now: Instant, times: &Times) {
        self.presume_lost(verb, now + times.request_lifetime());
    }

    /// A request of this verb may take effect until then, although nothing is known of one.
    pub fn presume_lost(&mut self, verb: Verb, until: Instant) {
        let lands_until = match verb {
            Verb::Pause => &mut self.pause_lands_until,
            Verb::Unpause => &mut self.unpause_lands_until,
        };
        *lands_until = (*lands_until).max(Some(until));
    }

    /// The third correction within the window starts a hold.
    fn corrected(&mut self, now: Instant, times: &Times) {
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

    pub(super) fn take_conflict(&mut self) -> Option<Verb> {
        self.conflict.take()
    }

    /// The owner has what it asks for: failures are forgotten, and its resource counts as the last writer.
    pub fn reached(&mut self, owner: &Requester, reconcile_requested: bool) {
        self.failures = 0;
        self.backoff = None;
        self.last_failure = None;
        self.refusal = None;
        self.last.iter_mut().for_each(|(_, uid)| *uid = owner.uid.clone());
        if reconcile_requested {
            self.held_until = None;
            self.corrections.clear();
        }
    }
}

#[cfg(test)]
#[path = "writes_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "holds_tests.rs"]
mod holds_tests;
