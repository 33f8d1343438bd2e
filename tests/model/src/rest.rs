//! What has to be so when a world is at rest: nothing is on its way, and nobody changes anything.

use qoder_operator::api::{ConditionStatus, DriftPolicy, Reason, Wish};

use crate::{
    cluster::{Object, Truth},
    remote::Remote,
    world::World,
};

impl World {
    /// Every wish is reached, or its status says exactly why not.
    #[must_use]
    pub fn is_right_at_rest(&self) -> bool {
        let owner = self.owner().map(|owner| owner.uid);
        self.objects.iter().flatten().all(|object| self.is_answered_right(object, owner))
    }

    fn is_answered_right(&self, object: &Object, owner: Option<u8>) -> bool {
        use ConditionStatus::{False, True};
        let Some(status) = &object.status else { return false };
        if status.observed_generation != object.generation {
            return false;
        }
        let is_requested = |value: u8, handled: &Option<std::sync::Arc<str>>| {
            value > 0 && handled.as_deref() != Some(&*crate::cluster::text(value))
        };
        if is_requested(object.reconcile, &status.memory.reconcile_handled) {
            return false;
        }
        let is_owner = owner == Some(object.uid);
        if object.wish != Wish::Unmanaged && !is_owner {
            return status.ready == (False, Reason::DuplicateOwner);
        }
        if status.shown != Some(self.remote.answer()) {
            return false;
        }
        let reached = self.remote.is_as(object.wish);
        let Truth { is_reached: was_reached, is_resume_due, .. } = object.truth;
        match status.ready {
            (True, Reason::InSync) => object.wish != Wish::Unmanaged && !object.disabled && reached,
            (True, Reason::Observed) => object.wish == Wish::Unmanaged && !object.disabled,
            (True, Reason::ReconcileDisabled) => object.disabled,
            (True, Reason::DriftTolerated) => {
                let is_drift = was_reached && !reached && self.remote != Remote::Archived;
                object.policy == DriftPolicy::Warn && is_drift
            }
            (False, Reason::RemoteArchived) => self.remote == Remote::Archived,
            (False, Reason::PausedByPlatform) => {
                self.remote == Remote::Failed && object.wish == Wish::Active && !is_resume_due
            }
            _ => false,
        }
    }
}
