//! What is watched over in a world: the properties of `docs/reliability.md`, each noted when it is broken, for good.

use qoder_operator::{
    api::{ConditionStatus, DriftPolicy, Wish},
    qoder::Verb,
    reconcile::snapshot::Snapshot,
    remote::{Answer, Outcome, PausedBy, Write},
    resources::Resource,
};
use tokio::time::Instant;

use crate::cluster::{Object, Status, Truth};

/// A property that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Property {
    /// S1: no unpause is sent while the resource, as just read, says paused; no pause while it says active.
    NoWrongSend = 1,
    /// Nothing is sent for a resource that is unmanaged or disabled, and no drift corrected that is to be left.
    NoUnaskedSend = 2,
    /// S2 and G: what a status of the owner says is in sync is never undone by a request of ours.
    KeptWord = 4,
    /// S3: no more requests than changes of mind, outside changes, and requests whose end is unknown.
    Economy = 8,
    /// S4: what a status says was looked at after our last write had ended, and, where it is Ready, after the
    /// generation was made.
    Truth = 16,
    /// S7: nothing that was observed for one object is written to another.
    Identity = 32,
    /// A pause by the platform is lifted only where that was asked for, and once.
    PlatformPause = 64,
    /// One request at a time for one deployment.
    OneAtATime = 128,
}

/// What was seen so far.
#[derive(Debug, Clone, Hash)]
pub struct Monitor {
    /// The properties that were broken.
    broken: u16,
    /// How many more requests may be sent.
    may_send: i8,
    /// How many more pauses by the platform may be lifted.
    may_lift: i8,
    /// When our last write ended.
    ended: Option<Instant>,
    /// The last look that was answered: when it started, and from when on it counts against our writes.
    seen: Option<(Instant, Instant)>,
}

impl Monitor {
    pub fn new(may_send: i8) -> Self {
        Self { broken: 0, may_send, may_lift: 0, ended: None, seen: None }
    }

    pub fn holds(&self, property: u16) -> bool {
        self.broken & property == 0
    }

    /// Nothing that follows matters.
    pub fn is_over(&self) -> bool {
        self.broken != 0
    }

    fn demand(&mut self, property: Property, is_kept: bool) {
        if !is_kept {
            self.broken |= property as u16;
        }
    }

    /// Someone changes something: one more request may be sent.
    pub fn allow(&mut self) {
        self.may_send += 1;
    }

    /// Someone asks for a resume.
    pub fn allow_lift(&mut self) {
        self.may_lift += 1;
    }

    /// A process has ended: what it has learned since the last status is lost.
    pub fn crashed(&mut self) {
        self.allow();
        self.allow_lift();
    }

    /// Another process has looked at nothing yet, and has sent nothing.
    pub fn restarted(&mut self) {
        (self.ended, self.seen) = (None, None);
    }

    /// A look was answered.
    pub fn looked(&mut self, started: Instant, valid_from: Instant) {
        if self.seen.is_none_or(|(_, before)| before <= valid_from) {
            self.seen = Some((started, valid_from));
        }
    }

    /// A write leaves for a resource that is held so. `object`: as it was read right before; what the watch has told of
    /// since is newer.
    pub fn sends(&mut self, seen: &Snapshot, write: &Write, held: &Resource, object: &Object) {
        let told = Object {
            wish: held.wish,
            policy: held.policy,
            disabled: held.disabled,
            truth: Truth::default(),
            ..object.clone()
        };
        let object = if held.version > object.version { &told } else { object };
        let verb = write.verb;
        let asked = if verb == Verb::Pause { Wish::Paused } else { Wish::Active };
        let is_asked = object.wish != Wish::Unmanaged && !object.disabled;
        self.demand(Property::NoUnaskedSend, is_asked);
        self.demand(Property::NoWrongSend, !is_asked || object.wish == asked);
        // Where a status has said that it was so, nobody asks for it anew, and nothing was ever sent for another wish, a
        // difference is drift.
        let is_first = (object.uid, object.generation) == (1, 1);
        let is_drift = object.truth.is_told && (object.resume, object.reconcile) == (0, 0);
        let is_left = write.is_drift || (is_drift && is_first);
        self.demand(Property::NoUnaskedSend, !is_left || object.policy != DriftPolicy::Warn);
        self.may_send -= 1;
        self.demand(Property::Economy, self.may_send >= 0);
        let is_under_way = seen.view.writes.under_way_since().is_some();
        self.demand(Property::OneAtATime, !is_under_way);
        // What the API has said, whatever it was taken for.
        let entry = seen.view.entry.as_ref().filter(|entry| entry.observed.is_some());
        let answer = entry.and_then(|entry| entry.last_known.as_deref()).map(Answer::from);
        if verb == Verb::Unpause && answer == Some(Answer::Paused(PausedBy::Platform)) {
            self.may_lift -= 1;
            self.demand(Property::PlatformPause, self.may_lift >= 0);
        }
    }

    /// A write has ended.
    pub fn ended(&mut self, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::Ambiguous => {
                self.allow();
                self.allow_lift();
            }
            Outcome::Done | Outcome::NotAsAsked | Outcome::Refused => {}
            _ => self.allow(),
        }
        if !outcome.is_nothing() {
            self.ended = Some(now);
        }
    }

    /// A status leaves.
    pub fn says(&mut self, resource: &Resource, status: &Status) {
        if status.ready.0 != ConditionStatus::True {
            return;
        }
        let started = self.seen.map(|(started, _)| started);
        let valid_from = self.seen.map(|(_, valid_from)| valid_from);
        self.demand(Property::Truth, self.ended.is_none_or(|ended| valid_from >= Some(ended)));
        self.demand(Property::Truth, started >= Some(resource.generation_seen));
    }

    /// A status is applied to this object.
    pub fn applied(&mut self, resource: &Resource, object: &Object) {
        self.demand(Property::Identity, resource.uid == crate::cluster::uid(object.uid));
    }

    /// A request of ours takes effect.
    pub fn landed(&mut self, verb: Verb, owner: Option<&Object>) {
        let Some(owner) = owner else { return };
        let Some(status) = &owner.status else { return };
        let opposite = if verb == Verb::Pause { Wish::Active } else { Wish::Paused };
        let is_undone = status.is_in_sync()
            && status.observed_generation == owner.generation
            && owner.wish == opposite;
        self.demand(Property::KeptWord, !is_undone);
    }
}
