//! The index: one compact record for each resource, and which resources name which deployment.
//! Filled by watch events as they come, and by copies that a reconcile has read. No I/O.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use tokio::time::Instant;

use crate::{
    api::DeploymentId,
    reconcile::resource::{Memory, Resource, ResourceKey},
};

/// All resources of the watched namespaces.
#[derive(Default)]
pub struct Index {
    /// Behind pointers: tables have room to grow, and these need not be what it is made of.
    resources: HashMap<ResourceKey, Arc<Resource>>,
    /// The resources that name each deployment.
    bound: BTreeMap<DeploymentId, Vec<ResourceKey>>,
    /// The names of namespaces, each kept once: thousands of resources share them.
    namespaces: HashSet<Arc<str>>,
}

/// What a copy of a resource changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: an older copy, or one that says what is known.
    None,
    /// There is something to do.
    Work,
}

impl Index {
    /// Takes a copy in. Copies come from the watch and from reads, in any order: an older one
    /// than the one held is dropped, unless a list brings it, which is how things are.
    pub fn apply(&mut self, resource: Resource) -> Change {
        let is_listed = resource.listed.is_some();
        let Some(held) = self.resources.get(&resource.key) else {
            self.insert(resource);
            return Change::Work;
        };
        if held.uid != resource.uid {
            if !is_listed && resource.version < held.version {
                return Change::None;
            }
            // The name came back as another object, and maybe for another deployment.
            let key = resource.key.clone();
            self.remove(&key);
            self.insert(resource);
            return Change::Work;
        }
        if resource.version <= held.version && !is_listed {
            return Change::None;
        }
        let resource = resource.after(held);
        let change = if resource.is_same_work(held) { Change::None } else { Change::Work };
        self.resources.insert(resource.key.clone(), Arc::new(resource));
        change
    }

    fn insert(&mut self, mut resource: Resource) {
        let namespace = &mut resource.key.namespace;
        if let Some(known) = self.namespaces.get(namespace) {
            *namespace = known.clone();
        } else {
            self.namespaces.insert(namespace.clone());
        }
        // Nearly always the only one.
        let bound =
            self.bound.entry(resource.deployment.clone()).or_insert_with(|| Vec::with_capacity(1));
        bound.push(resource.key.clone());
        self.resources.insert(resource.key.clone(), Arc::new(resource));
    }

    /// Forgets a resource. Returns the deployment that it named.
    pub fn remove(&mut self, key: &ResourceKey) -> Option<DeploymentId> {
        let resource = self.resources.remove(key)?;
        if let Some(bound) = self.bound.get_mut(&resource.deployment) {
            bound.retain(|other| other != key);
            if bound.is_empty() {
                self.bound.remove(&resource.deployment);
            }
        }
        Some(resource.deployment.clone())
    }

    /// Forgets the object of this uid, if the key still holds it.
    pub fn remove_uid(&mut self, key: &ResourceKey, uid: &str) -> Option<DeploymentId> {
        let same = self.resources.get(key).is_some_and(|held| &*held.uid == uid);
        if same { self.remove(key) } else { None }
    }

    /// Forgets what the list of one watch (of one namespace, or of all) did not bring that began at
    /// this time. Returns the deployments that were named.
    pub fn sweep(&mut self, namespace: Option<&str>, list: Instant) -> Vec<DeploymentId> {
        let gone: Vec<_> = self
            .resources
            .values()
            .filter(|held| namespace.is_none_or(|namespace| *held.key.namespace == *namespace))
            .filter(|held| held.listed != Some(list))
            .map(|held| held.key.clone())
            .collect();
        gone.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Keeps what was remembered for this uid.
    pub fn remember(&mut self, key: &ResourceKey, uid: &str, memory: Memory) {
        let held = self.resources.get_mut(key).filter(|held| &*held.uid == uid);
        if let Some(held) = held.filter(|held| held.memory != memory) {
            Arc::make_mut(held).memory = memory;
        }
    }

    /// The resources that name a deployment, oldest first.
    #[must_use]
    pub fn bound(&self, id: &DeploymentId) -> Vec<Arc<Resource>> {
        let keys = self.bound.get(id).map_or(&[][..], Vec::as_slice);
        let mut bound: Vec<_> =
            keys.iter().filter_map(|key| self.resources.get(key)).cloned().collect();
        bound.sort_unstable_by(|a, b| (a.created, &a.uid).cmp(&(b.created, &b.uid)));
        bound
    }

    /// The deployment that the resource at this key names.
    #[must_use]
    pub fn deployment_of(&self, key: &ResourceKey) -> Option<DeploymentId> {
        self.resources.get(key).map(|held| held.deployment.clone())
    }

    /// Whether any resource names this deployment.
    #[must_use]
    pub fn is_bound(&self, id: &DeploymentId) -> bool {
        self.bound.contains_key(id)
    }

    /// All deployments that are named.
    #[must_use]
    pub fn deployments(&self) -> Vec<DeploymentId> {
        self.bound.keys().cloned().collect()
    }

    /// All resources.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values().map(Arc::as_ref)
    }

    /// In which namespace's turn the deployment is worked on, and whether a resource waits for
    /// an answer to a changed spec.
    #[must_use]
    pub fn turn_of(&self, id: &DeploymentId) -> Option<(Arc<str>, bool)> {
        let keys = self.bound.get(id)?;
        let resources = || keys.iter().filter_map(|key| self.resources.get(key));
        let owner = resources().min_by_key(|r| (!r.wants_to_own(), r.created, r.uid.clone()))?;
        Some((owner.key.namespace.clone(), resources().any(|resource| !resource.is_answered())))
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
