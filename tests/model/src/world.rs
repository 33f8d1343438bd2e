//! A world: a cluster, a remote, the network between them, and an operator; and everything that can happen next.

use qoder_operator::{
    api::{DriftPolicy, Wish},
    qoder::Verb,
};
use std::{
    hash::{Hash, Hasher},
    sync::LazyLock,
    time::Duration,
};
use tokio::time::Instant;

use crate::{
    bug::Bug,
    cluster::Object,
    fingerprint::fingerprint,
    limits::Limits,
    monitor::Monitor,
    operator::{Operator, Publishing, TIMES},
    remote::Remote,
};

/// The least time between two moments.
pub(super) const TICK: Duration = Duration::from_nanos(1);

/// When all worlds begin.
static BEGINNING: LazyLock<Instant> = LazyLock::new(|| Instant::now() + Duration::from_secs(3600));

/// A world at one moment.
#[derive(Clone)]
pub struct World {
    pub now: Instant,
    pub left: Limits,
    /// By name. The API server's.
    pub objects: [Option<Object>; 2],
    pub(super) uids: u8,
    pub remote: Remote,
    /// Requests that nobody waits for any more, and until when they may still take effect.
    pub(super) orphans: Vec<(Verb, Instant)>,
    /// Statuses of a process that has ended.
    pub(super) late: Vec<(usize, Publishing)>,
    pub operator: Operator,
    pub monitor: Monitor,
    /// Of all of the above.
    fingerprint: u64,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    // The users.
    Wish(usize, Wish),
    Create(usize, Wish),
    Delete(usize),
    AskForResume(usize),
    AskForReconcile(usize),
    ChangePolicy(usize),
    Switch(usize),
    // The others.
    Human,
    Platform,
    Archive,
    // The Kubernetes API.
    Deliver(usize),
    FreshRead,
    FreshReadAnswered,
    StatusLands(usize),
    StatusAnswered(usize),
    StatusLost(usize),
    LateStatusLands(usize),
    // The remote API.
    Look,
    LookAnswered,
    LookFails,
    Gap,
    WriteLands,
    WriteAnswered,
    WriteLost,
    WriteGivenUp,
    OrphanLands(usize),
    // The process.
    Crash,
    Release,
    // Nothing but time.
    Wait,
}

const ALL: [Action; 24] = [
    Action::Human,
    Action::Platform,
    Action::Archive,
    Action::FreshRead,
    Action::FreshReadAnswered,
    Action::Look,
    Action::LookAnswered,
    Action::LookFails,
    Action::Gap,
    Action::WriteLands,
    Action::WriteAnswered,
    Action::WriteLost,
    Action::WriteGivenUp,
    Action::OrphanLands(0),
    Action::OrphanLands(1),
    Action::OrphanLands(2),
    Action::LateStatusLands(0),
    Action::LateStatusLands(1),
    Action::Crash,
    Action::Release,
    Action::Wait,
    Action::AskForResume(0),
    Action::AskForReconcile(0),
    Action::ChangePolicy(0),
];

/// What can happen to one resource.
fn of_resource(name: usize) -> [Action; 10] {
    [
        Action::Wish(name, Wish::Paused),
        Action::Wish(name, Wish::Active),
        Action::Wish(name, Wish::Unmanaged),
        Action::Create(name, Wish::Paused),
        Action::Create(name, Wish::Active),
        Action::Delete(name),
        Action::Deliver(name),
        Action::StatusLands(name),
        Action::StatusAnswered(name),
        Action::StatusLost(name),
    ]
}

/// Everything that could happen in any world.
pub fn actions() -> impl Iterator<Item = Action> {
    ALL.into_iter().chain([Action::Switch(0)]).chain(of_resource(0)).chain(of_resource(1))
}

impl World {
    /// One resource with this wish that nobody has answered, and the remote as it is.
    #[must_use]
    pub fn new(
        remote: Remote,
        wish: Wish,
        policy: DriftPolicy,
        left: Limits,
        bug: Option<Bug>,
    ) -> Self {
        let now = *BEGINNING;
        let objects = [Some(Object { policy, ..Object::new(1, wish, now) }), None];
        let mut world = Self {
            now,
            left,
            operator: Operator::start(&objects, None, now, bug),
            objects,
            uids: 1,
            remote,
            orphans: Vec::new(),
            late: Vec::new(),
            monitor: Monitor::new(1),
            fingerprint: 0,
        };
        world.pass();
        world.note_truth();
        world.fingerprint = world.print();
        world
    }

    pub(super) fn pass(&mut self) {
        self.operator.pass(self.now, &mut self.monitor);
    }

    pub(super) fn tick(&mut self) {
        self.now += TICK;
    }

    /// Who owns the deployment, by the API server.
    #[must_use]
    pub fn owner(&self) -> Option<&Object> {
        let wanting = self.objects.iter().flatten().filter(|object| object.wish != Wish::Unmanaged);
        wanting.min_by_key(|object| object.uid)
    }

    /// The world after this. `None`: it cannot happen now.
    #[must_use]
    pub fn after(&self, action: Action, bug: Option<Bug>) -> Option<Self> {
        if !self.may(action) {
            return None;
        }
        let mut world = self.clone();
        let world_after = &mut world;
        let can = match action {
            Action::Wish(..)
            | Action::Create(..)
            | Action::Delete(_)
            | Action::AskForResume(_)
            | Action::AskForReconcile(_)
            | Action::ChangePolicy(_)
            | Action::Switch(_) => world_after.edit(action),
            Action::Human | Action::Platform | Action::Archive => world_after.change_remote(action),
            Action::Deliver(name) => world_after.deliver(name),
            Action::FreshRead
            | Action::FreshReadAnswered
            | Action::StatusLands(_)
            | Action::StatusAnswered(_)
            | Action::StatusLost(_)
            | Action::LateStatusLands(_) => world_after.kubernetes(action, bug),
            Action::Look | Action::LookAnswered | Action::LookFails | Action::Gap => {
                world_after.look(action)
            }
            Action::WriteLands
            | Action::WriteAnswered
            | Action::WriteLost
            | Action::WriteGivenUp
            | Action::OrphanLands(_) => world_after.write(action),
            Action::Crash => {
                Limits::take(&mut world_after.left.crashes) && {
                    world_after.restart(false, bug);
                    true
                }
            }
            Action::Release => {
                world_after.is_clean() && Limits::take(&mut world_after.left.releases) && {
                    world_after.restart(true, bug);
                    true
                }
            }
            Action::Wait => world_after.wait(),
        };
        world.note_truth();
        world.fingerprint = world.print();
        can.then_some(world)
    }

    fn note_truth(&mut self) {
        let (remote, owner) = (self.remote, self.owner().map(|owner| owner.uid));
        for object in self.objects.iter_mut().flatten() {
            let is_so = owner == Some(object.uid) && remote.is_as(object.wish);
            object.truth.is_reached |= is_so;
            object.truth.is_resume_due &= remote == Remote::Failed;
        }
    }

    /// Nothing is on its way, and nothing sent can still take effect.
    fn is_clean(&self) -> bool {
        let Operator { write, statuses, writes, fresh, .. } = &self.operator;
        write.is_none()
            && fresh.is_none()
            && statuses.iter().all(Option::is_none)
            && writes.may_land_until(self.now, &TIMES).is_none_or(|until| until <= self.now)
            && self.orphans.is_empty()
    }

    fn restart(&mut self, is_clean: bool, bug: Option<Bug>) {
        self.tick();
        let lives_until = self.now + TIMES.request_lifetime();
        let Operator { write, statuses, .. } = &mut self.operator;
        if let Some(sending) = write.take().filter(|sending| sending.answer.is_none()) {
            self.orphans.push((sending.write.verb, lives_until));
        }
        for (name, place) in statuses.iter_mut().enumerate() {
            if let Some(publishing) = place.take().filter(|publishing| publishing.answer.is_none())
            {
                self.late.push((name, publishing));
            }
        }
        self.monitor.restarted();
        if !is_clean {
            self.monitor.crashed();
        }
        self.operator =
            Operator::start(&self.objects, (!is_clean).then_some(lives_until), self.now, bug);
        self.pass();
    }

    /// Time passes until something changes by that alone. What is on its way does not take so long.
    fn wait(&mut self) -> bool {
        let Operator { look, fresh, write, statuses, .. } = &self.operator;
        if look.is_some()
            || fresh.is_some()
            || write.is_some()
            || statuses.iter().any(Option::is_some)
        {
            return false;
        }
        let orphans = self.orphans.iter().map(|(_, until)| *until).min();
        let next = [self.operator.next_change(self.now), orphans].into_iter().flatten().min();
        let Some(next) = next else { return false };
        self.now = next;
        self.orphans.retain(|(_, until)| *until > next);
        self.late.clear();
        self.pass();
        true
    }

    /// What happens next where nothing goes wrong, and nobody changes anything. `None`: the world is at rest.
    #[must_use]
    pub fn fair(&self) -> Option<Action> {
        let Operator { look, fresh, write, statuses, .. } = &self.operator;
        let publishing = |name: usize| statuses.get(name).and_then(Option::as_ref);
        for name in 0..2 {
            let object = self.objects.get(name).and_then(Option::as_ref);
            let held = self.operator.held(name).map(|held| (&held.uid, held.version));
            let is_behind = match (object, held) {
                (None, None) => false,
                (Some(object), Some((_, version))) => version < object.version,
                _ => true,
            };
            if is_behind {
                return Some(Action::Deliver(name));
            }
            if let Some(publishing) = publishing(name) {
                let is_answered = publishing.answer.is_some();
                return Some(if is_answered {
                    Action::StatusAnswered(name)
                } else {
                    Action::StatusLands(name)
                });
            }
        }
        if let Some(sending) = write {
            let is_answered = sending.answer.is_some();
            return Some(if is_answered { Action::WriteAnswered } else { Action::WriteLands });
        }
        if fresh.is_some() {
            return Some(Action::FreshReadAnswered);
        }
        if look.is_some() {
            return Some(Action::LookAnswered);
        }
        if self.operator.wanted(self.now).is_some() {
            return Some(Action::FreshRead);
        }
        if self.operator.wants_to_look(self.remote.answer(), self.now) {
            return Some(Action::Look);
        }
        let is_waiting = !self.orphans.is_empty() || self.operator.next_change(self.now).is_some();
        is_waiting.then_some(Action::Wait)
    }
}

impl World {
    fn print(&self) -> u64 {
        let Self { now, left, objects, uids, remote, orphans, late, operator, monitor, .. } = self;
        let all = (now, left, objects, uids, remote, (orphans, late, operator, monitor));
        fingerprint(&all, *now, *BEGINNING)
    }

    /// Two worlds of one fingerprint are taken for one.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}
