//! The index: one compact record for each resource, and which resources name which deployment. One policy
//! for each place that a copy can come from. No I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    memory::Memory,
    resource::{Resource, ResourceKey},
};
use crate::{
    api::{DeploymentId, Reason},
    fair_queue::Lane,
};

/// Where a copy of a resource came from. Copies come in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A list that began at this mark: how things were then. It may be older than what is held, after etcd was
    /// restored, but not older than what was taken in since it began.
    List(Mark),
    /// A watch event: inserts, and replaces what is older.
    Watch,
    /// A read: replaces what is older, and inserts nothing. Its answer may come after the watch has told of
    /// the deletion.
    Read,
    /// The answer of our own status apply: as a read, and what it says is no work.
    Apply,
}

/// A point in the row of lists and copies. 0: before all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub u64);

/// What a copy of a resource changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: an older copy, or one that says what is known.
    None,
    /// There is something to do.
    Work,
}

/// All resources of the watched namespaces.
#[derive(Default)]
pub struct Index {
    /// Behind pointers: a table keeps spare room, and that should not be as large as these are.
    resources: BTreeMap<ResourceKey, Arc<Resource>>,
    /// Which resources name each deployment: nearly always one.
    bound: BTreeSet<(DeploymentId, ResourceKey)>,
    /// The names of namespaces, each kept once: thousands of resources share them.
    namespaces: BTreeSet<Arc<str>>,
    mark: Mark,
}

impl Index {
    /// The mark of a list that begins from now on.
    pub fn mark(&mut self) -> Mark {
        self.mark.0 += 1;
        self.mark
    }

    /// Takes a copy in, as the policy of its source says.
    pub fn apply(&mut self, mut resource: Resource, source: Source) -> Change {
        resource.taken_in = self.mark;
        if let Source::List(list) = source {
            resource.listed = list;
        }
        let Some(held) = self.resources.get(&resource.key) else {
            if matches!(source, Source::Read | Source::Apply) {
                return Change::None;
            }
            self.insert(resource);
            return Change::Work;
        };
        let is_newer = match source {
            Source::List(list) => resource.version > held.version || held.taken_in < list,
            Source::Watch | Source::Read | Source::Apply => resource.version > held.version,
        };
        if !is_newer {
            if let Source::List(list) = source {
                self.keep(&resource.key, list);
            }
            return Change::None;
        }
        if held.uid != resource.uid {
            // The name came back as another object, and maybe for another deployment.
            let key = resource.key.clone();
            self.remove(&key);
            self.insert(resource);
            return Change::Work;
        }
        let resource = resource.after(held);
        let is_same = if source == Source::Apply {
            // Another writer's fields may stand beside ours.
            resource.asks_the_same(held) && resource.memory == held.memory
        } else {
            resource.is_same_work(held)
        };
        self.resources.insert(resource.key.clone(), Arc::new(resource));
        if is_same { Change::None } else { Change::Work }
    }

    fn insert(&mut self, mut resource: Resource) {
        let namespace = &mut resource.key.namespace;
        if let Some(known) = self.namespaces.get(namespace) {
            *namespace = known.clone();
        } else {
            self.namespaces.insert(namespace.clone());
        }
        self.bound.insert((resource.deployment.clone(), resource.key.clone()));
        self.resources.insert(resource.key.clone(), Arc::new(resource));
    }

    /// The list that began at this mark has brought this object: what is held stands.
    pub fn keep(&mut self, key: &ResourceKey, list: Mark) {
        if let Some(held) = self.resources.get_mut(key) {
            Arc::make_mut(held).listed = list;
        }
    }

    fn remove(&mut self, key: &ResourceKey) -> Option<DeploymentId> {
        let resource = self.resources.remove(key)?;
        let id = resource.deployment.clone();
        self.bound.remove(&(id.clone(), key.clone()));
        let namespace = resource.key.namespace.clone();
        let first_key = ResourceKey { namespace: namespace.clone(), ..FIRST_KEY.clone() };
        let next = self.resources.range(first_key..).next();
        if next.is_none_or(|(key, _)| key.namespace != namespace) {
            self.namespaces.remove(&namespace);
        }
        Some(id)
    }

    /// Forgets the object of this uid, if the key still holds it. Returns the deployment that it named.
    pub fn remove_uid(&mut self, key: &ResourceKey, uid: &str) -> Option<DeploymentId> {
        let same = self.resources.get(key).is_some_and(|held| &*held.uid == uid);
        if same { self.remove(key) } else { None }
    }

    /// Forgets what a list did not bring. It was the list of one watch (of one namespace, or of all), and began at
    /// this mark. Returns the deployments that were named.
    pub fn sweep(&mut self, namespace: Option<&str>, list: Mark) -> Vec<DeploymentId> {
        let gone: Vec<_> = self
            .resources
            .values()
            .filter(|held| namespace.is_none_or(|namespace| *held.key.namespace == *namespace))
            .filter(|held| held.listed != list)
            .map(|held| held.key.clone())
            .collect();
        gone.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Changes what is remembered for this uid. Returns what was before.
    pub fn remember(
        &mut self,
        key: &ResourceKey,
        uid: &str,
        change: impl FnOnce(&Memory) -> Memory,
    ) -> Option<Memory> {
        let held = self.resources.get_mut(key).filter(|held| &*held.uid == uid)?;
        let memory = change(&held.memory);
        if held.memory == memory {
            return Some(memory);
        }
        Some(std::mem::replace(&mut Arc::make_mut(held).memory, memory))
    }

    /// A status with this reason stands for this uid. Returns whether it is news.
    pub fn tell(&mut self, key: &ResourceKey, uid: &str, reason: Reason) -> bool {
        let held = self.resources.get_mut(key).filter(|held| &*held.uid == uid);
        let Some(held) = held else { return false };
        let mut told = held.told;
        let is_news = told.tell(reason);
        if held.told != told {
            Arc::make_mut(held).told = told;
        }
        is_news
    }

    /// A status of this digest is to be sent for this uid. Returns whether it may: one at a time.
    pub fn begin_status(&mut self, key: &ResourceKey, uid: &str, digest: u64) -> bool {
        let held = self.resources.get_mut(key).filter(|held| &*held.uid == uid);
        let Some(held) = held.filter(|held| !held.is_sending()) else { return false };
        Arc::make_mut(held).sent.get_or_insert_default().begin(digest);
        true
    }

    /// The status that was on its way for this uid has ended, and what the server holds now is taken in: nothing that
    /// was sent is on its way any more.
    pub fn end_status(&mut self, key: &ResourceKey, uid: &str) {
        let held = self.resources.get_mut(key).filter(|held| &*held.uid == uid);
        if let Some(held) = held.filter(|held| held.sent.is_some()) {
            Arc::make_mut(held).sent = None;
        }
    }

    /// The status that was on its way for this uid has failed, and waits for so long to be tried again.
    pub fn fail_status(&mut self, key: &ResourceKey, uid: &str, now: Instant, wait: Duration) {
        let held = self.resources.get_mut(key).filter(|held| &*held.uid == uid);
        if let Some(held) = held {
            Arc::make_mut(held).sent.get_or_insert_default().fail(now, wait);
        }
    }

    /// What is to be said of this uid stands: failures of its status are over.
    pub fn stand_status(&mut self, key: &ResourceKey, uid: &str) {
        let held = self.resources.get_mut(key).filter(|held| &*held.uid == uid);
        if let Some(sent) = held.and_then(|held| Arc::make_mut(held).sent.as_mut()) {
            sent.stand();
        }
    }

    /// The resources that name a deployment, oldest first.
    #[must_use]
    pub fn bound(&self, id: &DeploymentId) -> Vec<Arc<Resource>> {
        let keys = self.keys_of(id);
        let mut bound: Vec<_> = keys.filter_map(|key| self.resources.get(key)).cloned().collect();
        bound.sort_unstable_by(|a, b| (a.created, &a.uid).cmp(&(b.created, &b.uid)));
        bound
    }

    fn keys_of(&self, id: &DeploymentId) -> impl Iterator<Item = &ResourceKey> {
        let from = (id.clone(), FIRST_KEY.clone());
        self.bound.range(from..).take_while(move |(other, _)| other == id).map(|(_, key)| key)
    }

    /// The deployment that the resource at this key names.
    #[must_use]
    pub fn deployment_of(&self, key: &ResourceKey) -> Option<DeploymentId> {
        self.resources.get(key).map(|held| held.deployment.clone())
    }

    /// Whether any resource names this deployment.
    #[must_use]
    pub fn is_bound(&self, id: &DeploymentId) -> bool {
        self.keys_of(id).next().is_some()
    }

    /// All deployments that are named.
    #[must_use]
    pub fn deployments(&self) -> Vec<DeploymentId> {
        let mut ids: Vec<_> = self.bound.iter().map(|(id, _)| id.clone()).collect();
        ids.dedup();
        ids
    }

    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values().map(Arc::as_ref)
    }

    /// The namespace in whose turn the deployment is worked on, and the lane: the first while a resource waits
    /// for an answer to a changed spec, else the given one.
    #[must_use]
    pub fn turn_of(&self, id: &DeploymentId, lane: Lane) -> Option<(Arc<str>, Lane)> {
        let bound = self.bound(id);
        let first = owner(&bound).or(bound.first())?;
        let is_waiting = bound.iter().any(|resource| !resource.is_answered());
        let lane = if is_waiting { Lane::Spec } else { lane };
        Some((first.key.namespace.clone(), lane))
    }
}

/// The key before all others.
static FIRST_KEY: LazyLock<ResourceKey> =
    LazyLock::new(|| ResourceKey { namespace: "".into(), name: "".into() });

/// Who owns a deployment: the oldest of those that compete for it. `bound` is sorted, oldest first.
#[must_use]
pub fn owner(bound: &[Arc<Resource>]) -> Option<&Arc<Resource>> {
    bound.iter().find(|resource| resource.wants_to_own())
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "policy_tests.rs"]
mod policy_tests;
