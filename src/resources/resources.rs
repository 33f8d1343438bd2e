//! The resources as the operator knows them: copies come in, from lists, watches and reads, and go. The
//! deployments that they name are bound, and woken where there is something to do.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

use super::{
    index::{Change, Index, Mark, Source},
    memory::Progress,
    mirror,
    resource::{Resource, ResourceKey},
};
use crate::{
    api::{DeploymentId, QoderDeployment, Reason, Uid},
    fair_queue::Lane,
    lock::lock,
    remote::{Remote, Wake},
    traces::Cause,
};

/// The resources, and the remote that they bind.
pub struct Resources {
    index: Arc<Mutex<Index>>,
    remote: Arc<Remote>,
    wake: Wake,
}

impl Resources {
    /// The resources of `index`, bound in `remote`. Calls `wake` for what someone should look at.
    #[must_use]
    pub fn new(index: Arc<Mutex<Index>>, remote: Arc<Remote>, wake: Wake) -> Self {
        Self { index, remote, wake }
    }

    /// The index, for as long as nothing is awaited.
    pub fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }

    /// Takes a copy of a resource in. If there is something to do, it is woken here, so that no caller can forget it.
    pub fn take_in(&self, object: &QoderDeployment, source: Source) {
        let resource = match Resource::new(object, Instant::now()) {
            Ok(resource) => resource,
            Err(error) => {
                // The CRD refuses such an object; it can only come from before the CRD.
                let (namespace, name) = (&object.metadata.namespace, &object.metadata.name);
                tracing::error!(namespace, name, %error, "ignored a resource");
                if let Source::List(list) = source {
                    self.index().keep(&ResourceKey::of(&object.metadata), list);
                }
                return;
            }
        };
        let (key, version) = (resource.key.clone(), resource.version);
        let known = object.status.as_ref().and_then(mirror::last_known);
        let (before, change, now) = {
            let mut index = self.index();
            let before = index.deployment_of(&key);
            let change = index.apply(resource, source);
            // An older copy says nothing of what is known.
            let known = known.filter(|_| index.version_of(&key) == Some(version));
            let now = index.deployment_of(&key);
            if let Some(id) = &now {
                self.remote.bind(id, known);
            }
            let is_listed = matches!(source, Source::List(_)) && change == Change::Work;
            if is_listed
                && index.count() == self.remote.many()
                && index.iter().all(Resource::is_answered)
            {
                self.remote.many_are_bound();
            }
            (before, change, now)
        };
        if let Some(before) = before.filter(|before| Some(before) != now.as_ref()) {
            self.release(&before);
        }
        if let Some(id) = now.filter(|_| change == Change::Work) {
            self.remote.traces().begin(&id, Cause::Watch);
            (self.wake)(&id, Lane::Report);
        }
    }

    /// The list that began at this mark has brought an object that cannot be read: what is held of it stands.
    pub fn keep(&self, key: &ResourceKey, list: Mark) {
        self.index().keep(key, list);
    }

    /// A watch says that the object of this uid is gone.
    pub fn delete(&self, key: &ResourceKey, uid: &Uid) {
        let removed = self.index().remove_uid(key, uid);
        if let Some(id) = removed {
            self.release(&id);
        }
    }

    /// The list of one watch (of one namespace, or of all) that began at this mark is complete.
    pub fn sweep(&self, namespace: Option<&str>, list: Mark) {
        let gone = self.index().sweep(namespace, list);
        for id in &gone {
            self.release(id);
        }
    }

    /// A resource of this deployment is gone: another one may own it now, or nobody.
    fn release(&self, id: &DeploymentId) {
        let is_bound = self.index().is_bound(id);
        if !is_bound {
            self.remote.unbind(id);
        }
        self.remote.traces().begin(id, Cause::Watch);
        (self.wake)(id, Lane::Spec);
        // It may have been its turn for a status.
        self.wake_next_statuses();
    }

    /// Wakes those whose turn for a status has come. To be called after each status, and after each pass: who was woken
    /// here may have had no use for it.
    pub fn wake_next_statuses(&self) {
        let next = self.index().next_statuses();
        for id in &next {
            // It has waited for long enough.
            (self.wake)(id, Lane::Drift);
        }
    }

    /// Remembers the progress that was made for a resource, as far as it is still the same object. Returns whether
    /// it has reached the wish of another generation than before.
    #[must_use]
    pub fn remember(&self, resource: &Resource, progress: Progress) -> bool {
        let mut index = self.index();
        let Some(held) = index.held_mut(&resource.key, &resource.uid) else { return false };
        let now = held.memory.after(progress, &resource.asked());
        let has_advanced = now.has_advanced(&held.memory);
        if held.memory != now {
            Arc::make_mut(held).memory = now;
        }
        has_advanced
    }

    /// A status of this digest, with this reason, stands, or has stood. Returns whether it is news. It is none if it was
    /// told before: the answer of an apply may come late, after its echo and after a later status.
    #[must_use]
    pub fn tell(&self, resource: &Resource, digest: u64, reason: Reason) -> bool {
        let mut index = self.index();
        let held = index.held_mut(&resource.key, &resource.uid);
        let Some(held) = held.filter(|held| held.may_tell(digest)) else { return false };
        if let Some(sent) = held.sent.as_ref().filter(|sent| sent.has_untold(digest)) {
            let mut sent = sent.clone();
            sent.tell(digest);
            Arc::make_mut(held).sent = Some(sent);
        }
        let mut told = held.told;
        let is_news = told.tell(reason);
        if held.told != told {
            Arc::make_mut(held).told = told;
        }
        is_news
    }

    /// What is to be said stands: failures of its status are over.
    pub fn stands(&self, resource: &Resource) {
        if resource.sent.as_ref().is_none_or(|sent| sent.failures() == 0) {
            return;
        }
        let mut index = self.index();
        let held = index.held_mut(&resource.key, &resource.uid);
        if let Some(sent) = held.and_then(|held| Arc::make_mut(held).sent.as_mut()) {
            sent.stand();
        }
    }

    /// The version that is held of this resource, if it is the same object.
    #[must_use]
    pub fn held_version(&self, resource: &Resource) -> Option<u64> {
        self.index().held_mut(&resource.key, &resource.uid).map(|held| held.version)
    }
}

#[cfg(test)]
#[path = "resources_tests.rs"]
pub(super) mod tests;
