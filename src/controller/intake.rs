//! Copies of resources come in, from the watch and from reads, and go; what they bind follows.

use tokio::time::Instant;

use super::{index::Change, reconciler::Reconciler};
use crate::{
    api::{DeploymentId, QoderDeployment},
    fleet::Lane,
    reconcile::{resource::Resource, status},
};

impl Reconciler {
    /// Takes a copy of a resource into the index: from a list that began at that time, from a watch,
    /// or from a read. Returns the deployment for which there is work; whoever has just done that
    /// work need not do it again.
    pub(super) fn take_in(
        &self,
        object: &QoderDeployment,
        list: Option<Instant>,
    ) -> Option<DeploymentId> {
        let resource = match Resource::new(object, Instant::now()) {
            Ok(resource) => Resource { listed: list, ..resource },
            Err(error) => {
                // The CRD refuses such an object; it can only come from before the CRD.
                tracing::error!(name = object.metadata.name, %error, "ignored a resource");
                return None;
            }
        };
        let id = resource.deployment.clone();
        let known = object.status.as_ref().and_then(status::last_known);
        let (before, change) = {
            let mut index = self.index();
            (index.deployment_of(&resource.key), index.apply(resource))
        };
        self.observer.cache().bind(&id, known);
        if let Some(before) = before.filter(|before| *before != id) {
            self.release(&before);
        }
        (change == Change::Work).then_some(id)
    }

    /// A watch has seen a resource.
    pub(super) fn seen(&self, object: &QoderDeployment, list: Option<Instant>) {
        if let Some(id) = self.take_in(object, list) {
            self.enqueue(&id, Lane::Report);
        }
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, resource: &Resource) {
        let removed = self.index().remove_uid(&resource.key, &resource.uid);
        if let Some(id) = removed {
            self.release(&id);
        }
    }

    /// A resource of this deployment is gone: another one may own it now, or nobody.
    pub(super) fn release(&self, id: &DeploymentId) {
        if self.index().is_bound(id) {
            self.enqueue(id, Lane::Spec);
        } else {
            self.observer.cache().unbind(id);
            self.remote.account().give_back(id);
            self.failures().remove(id);
        }
    }

    /// Puts a deployment into the queue: into the first lane while a resource of it waits for an
    /// answer, else into the given one.
    pub(super) fn enqueue(&self, id: &DeploymentId, lane: Lane) {
        let turn = self.index().turn_of(id);
        if let Some((namespace, is_waiting)) = turn {
            self.queue.add(id, if is_waiting { Lane::Spec } else { lane }, &namespace);
        }
    }

    /// Puts a deployment into the queue for later.
    pub(super) fn enqueue_at(&self, id: &DeploymentId, at: Instant) {
        let turn = self.index().turn_of(id);
        if let Some((namespace, _)) = turn {
            self.queue.add_at(id, &namespace, at);
        }
    }
}
