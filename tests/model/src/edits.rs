//! What people do in a world: to the resources, and to the deployment.

use qoder_operator::api::{DriftPolicy, Wish};

use crate::{
    cluster::Object,
    fingerprint::FIRST_VERSION,
    limits::Limits,
    remote::Remote,
    world::{Action, TICK, World},
};

impl World {
    pub(super) fn edit(&mut self, action: Action) -> bool {
        match action {
            Action::Create(name, wish) => self.create(name, wish),
            Action::Delete(name) => self.delete(name),
            Action::Wish(name, _)
            | Action::AskForResume(name)
            | Action::AskForReconcile(name)
            | Action::ChangePolicy(name)
            | Action::Switch(name) => self.change(name, action),
            _ => false,
        }
    }

    fn create(&mut self, name: usize, wish: Wish) -> bool {
        let Some(place @ None) = self.objects.get_mut(name) else { return false };
        // The first one is made again as often as it was deleted.
        if name == 1 && !Limits::take(&mut self.left.seconds) {
            return false;
        }
        self.now += TICK;
        self.uids += 1;
        let mut object = Object::new(self.uids, wish, self.now);
        // Versions are of the whole API server.
        object.version = FIRST_VERSION + 1000 * u64::from(self.uids);
        *place = Some(object);
        self.monitor.allow();
        true
    }

    fn delete(&mut self, name: usize) -> bool {
        let Some(place @ Some(_)) = self.objects.get_mut(name) else { return false };
        // The second one may always go.
        if name == 0 && !Limits::take(&mut self.left.recreations) {
            return false;
        }
        self.now += TICK;
        *place = None;
        self.monitor.allow();
        true
    }

    fn change(&mut self, name: usize, action: Action) -> bool {
        let is_failed = self.remote == Remote::Failed;
        let owner = self.owner().map(|owner| owner.uid);
        let Self { left, monitor, .. } = self;
        let Some(object) = self.objects.get_mut(name).and_then(Option::as_mut) else {
            return false;
        };
        let budget = match action {
            Action::Wish(_, wish) if object.wish == wish => return false,
            Action::Wish(_, Wish::Unmanaged) | Action::Switch(_) => &mut left.switches,
            Action::Wish(..) => &mut left.flips,
            Action::AskForResume(_) => &mut left.resumes,
            Action::AskForReconcile(_) => &mut left.reconciles,
            _ => &mut left.policies,
        };
        if !Limits::take(budget) {
            return false;
        }
        self.now += TICK;
        object.version += 1;
        monitor.allow();
        object.truth.is_resume_due = is_failed
            && owner == Some(object.uid)
            && !object.disabled
            && match action {
                Action::Wish(_, Wish::Active) => {
                    object.wish == Wish::Paused && object.truth.is_told
                }
                Action::AskForResume(_) => object.wish == Wish::Active && object.is_answered(),
                _ => false,
            };
        match action {
            Action::Wish(_, wish) => object.wish = wish,
            Action::AskForResume(_) => object.resume += 1,
            Action::AskForReconcile(_) => object.reconcile += 1,
            Action::Switch(_) => object.disabled = !object.disabled,
            _ if object.policy == DriftPolicy::Warn => object.policy = DriftPolicy::Correct,
            _ => object.policy = DriftPolicy::Warn,
        }
        if matches!(action, Action::Wish(_, Wish::Active) | Action::AskForResume(_)) {
            monitor.allow_lift();
        }
        if matches!(action, Action::Wish(..) | Action::ChangePolicy(_)) {
            object.generation += 1;
            object.made = self.now;
            (object.truth.is_reached, object.truth.is_told) = (false, false);
        }
        true
    }

    pub(super) fn change_remote(&mut self, action: Action) -> bool {
        let (budget, after) = match (action, self.remote) {
            (Action::Human, Remote::Active) => (&mut self.left.humans, Remote::Paused),
            (Action::Human, Remote::Paused | Remote::Failed) => {
                (&mut self.left.humans, Remote::Active)
            }
            (Action::Platform, Remote::Active) => (&mut self.left.platform, Remote::Failed),
            (Action::Archive, Remote::Active | Remote::Paused | Remote::Failed) => {
                (&mut self.left.archives, Remote::Archived)
            }
            _ => return false,
        };
        if !Limits::take(budget) {
            return false;
        }
        self.remote = after;
        self.monitor.allow();
        true
    }
}
