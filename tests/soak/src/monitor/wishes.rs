//! What was asked for, and has to be done: not to do it is no way to keep the other promises.

use std::time::Duration;

use serde_json::Value;

use super::{
    Monitor, State,
    object::{Object, text},
};

/// How long a read may lag behind the remote, and a bit.
const LAG: Duration = Duration::from_secs(2);

/// A deployment as it is.
#[derive(Debug, Default)]
pub struct Truth {
    is_paused: bool,
    is_by_platform: bool,
    /// Since when.
    since: Duration,
    /// When it was last active, and when it was last paused.
    last: [Option<Duration>; 2],
    /// A person has asked for a resume that is not there yet.
    is_resume_due: bool,
}

impl Truth {
    fn becomes(&mut self, is_paused: bool, is_by_platform: bool, now: Duration) {
        self.last[usize::from(self.is_paused)] = Some(now);
        if (self.is_paused, self.is_by_platform) != (is_paused, is_by_platform) {
            (self.is_paused, self.is_by_platform, self.since) = (is_paused, is_by_platform, now);
            self.is_resume_due = false;
        }
    }
}

impl State {
    /// A deployment is so from now on.
    pub fn becomes(&mut self, n: usize, document: &Value) {
        let now = self.now();
        let is_by_platform = document["paused_reason"]["type"] == "error";
        if let Some(account) = self.accounts.get_mut(n) {
            account.truth.becomes(text(&document["status"]) == "paused", is_by_platform, now);
        }
    }

    /// Whether a change of what is asked for makes a resume due.
    pub fn note_resume(&mut self, name: &str, before: Option<&Object>, after: Option<&Object>) {
        let now = self.now();
        let is_resume = match (before, after) {
            (Some(before), Some(after)) if before.uid == after.uid => {
                let is_known = before.observed_generation == before.generation
                    && !before.is_disabled
                    && !after.is_disabled;
                // Back and forth counts where the one way was gone.
                let is_back = before.paused == Some(true) && before.reason == "InSync";
                let is_asked = is_back || before.resume_request() != after.resume_request();
                is_known && is_asked && after.paused == Some(false)
            }
            _ => false,
        };
        for n in [before, after].into_iter().flatten().filter_map(|object| object.deployment) {
            let is_owner = self.owner(n).is_some_and(|(owner, _)| owner == name);
            let stale = self.stale;
            if let Some(Truth { is_paused, is_by_platform, since, is_resume_due, .. }) =
                self.accounts.get_mut(n).map(|account| &mut account.truth)
            {
                let is_seen = now > *since + LAG && stale.is_none_or(|stale| *since > stale);
                *is_resume_due = is_resume && is_owner && *is_paused && *is_by_platform && is_seen;
            }
        }
    }

    /// Whether the owner's wish of this generation was ever so. A look may show what was so a moment before it began.
    pub fn was_reached(&self, n: usize) -> bool {
        let (Some(account), Some((_, object))) = (self.accounts.get(n), self.owner(n)) else {
            return true;
        };
        let Some(wish) = object.paused else { return true };
        let Truth { is_paused, last, .. } = account.truth;
        let last = if is_paused == wish { Some(self.now()) } else { last[usize::from(wish)] };
        let is_shown_stale = self.stale.is_some_and(|stale| stale >= object.generation_made);
        is_shown_stale || last.is_some_and(|last| last + LAG >= object.generation_made)
    }

    /// A person has asked for a resume that is not there yet.
    pub fn is_resume_due(&self, n: usize) -> bool {
        self.accounts.get(n).is_some_and(|account| account.truth.is_resume_due)
    }
}

impl Monitor {
    /// Some answers show, until now, what was so long ago.
    pub fn shows_stale(&self) {
        let mut state = self.state();
        state.stale = Some(state.now());
    }
}
