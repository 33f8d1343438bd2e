//! The index: one compact record for each resource, and which resources name which deployment. One policy
//! for each place that a copy can come from. No I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, LazyLock},
};

use tokio::time::Instant;

use super::{
    resource::{Resource, ResourceKey},
    rooms::Rooms,
};
use crate::{
    api::{DeploymentId, Uid},
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

/// A point in the sequence of lists and copies. 0: before all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Clone, Default)]
pub struct Index {
    /// Behind pointers: a table keeps spare room, and that should not be as large as these are.
    resources: BTreeMap<ResourceKey, Arc<Resource>>,
    /// Which resources name each deployment: nearly always one.
    bound: BTreeSet<(DeploymentId, ResourceKey)>,
    /// The names of namespaces, each kept once: thousands of resources share them.
    namespaces: BTreeSet<Arc<str>>,
    mark: Mark,
    /// The statuses that are on their way.
    pub rooms: Rooms,
}

impl Index {
    /// A term as the leader begins.
    pub fn begin_term(&mut self, since: Instant, now: Instant) {
        self.resources.values_mut().for_each(|held| Arc::make_mut(held).begin_term(since, now));
        self.rooms = Rooms::default();
    }

    /// How many resources there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.resources.len()
    }

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
    pub fn remove_uid(&mut self, key: &ResourceKey, uid: &Uid) -> Option<DeploymentId> {
        let same = self.resources.get(key).is_some_and(|held| held.uid == *uid);
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
        let released = gone.iter().filter_map(|key| self.remove(key)).collect();
        self.fill_up();
        released
    }

    /// What comes in its order, as a list does, leaves the nodes of a tree half empty. Built anew at once, they are full.
    fn fill_up(&mut self) {
        self.resources = mem::take(&mut self.resources).into_iter().collect();
        self.bound = mem::take(&mut self.bound).into_iter().collect();
    }

    /// What is held of this uid, to note something. (Not its key, nor the deployment that it names.)
    pub fn held_mut(&mut self, key: &ResourceKey, uid: &Uid) -> Option<&mut Arc<Resource>> {
        self.resources.get_mut(key).filter(|held| held.uid == *uid)
    }

    /// Whose turn for a status has come: [`Rooms::next`].
    pub fn next_statuses(&mut self) -> Vec<DeploymentId> {
        let mut rooms = mem::take(&mut self.rooms);
        let next = rooms.next(|id| self.is_bound(id));
        self.rooms = rooms;
        next
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

    /// The version of the copy that is held at this key.
    #[must_use]
    pub fn version_of(&self, key: &ResourceKey) -> Option<u64> {
        self.resources.get(key).map(|held| held.version)
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
    /// for an answer to a changed spec, else the given one. With the copy of the id that is held here: who keeps a turn
    /// keeps no second one.
    #[must_use]
    pub fn turn_of(&self, id: &DeploymentId, lane: Lane) -> Option<(DeploymentId, Arc<str>, Lane)> {
        let bound = self.bound(id);
        let first = owner(&bound).or(bound.first())?;
        let is_waiting = bound.iter().any(|resource| !resource.is_answered());
        let lane = if is_waiting { Lane::Spec } else { lane };
        Some((first.deployment.clone(), first.key.namespace.clone(), lane))
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
