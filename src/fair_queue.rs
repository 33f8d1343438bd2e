//! A fair queue: keys in lanes, and within a lane round robin over namespaces, so that one
//! namespace with ten thousand keys does not delay the only key of another. No clock, no runtime.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// What a key waits for. The first lane that has a key goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// A person changed something and waits.
    Spec,
    /// The remote changed.
    Drift,
    /// There is only something to report.
    Report,
}

/// Keys that wait, each once.
#[derive(Debug, Clone)]
pub struct FairQueue<K> {
    lanes: [Namespaces<K>; 3],
    /// In which lane each key waits.
    waiting: BTreeMap<K, Lane>,
}

#[derive(Debug, Clone)]
struct Namespaces<K> {
    /// The namespaces that have keys, the next one first.
    order: VecDeque<Arc<str>>,
    keys: BTreeMap<Arc<str>, VecDeque<K>>,
}

impl<K> Default for FairQueue<K> {
    fn default() -> Self {
        Self {
            lanes: std::array::from_fn(|_| Namespaces {
                order: VecDeque::new(),
                keys: BTreeMap::new(),
            }),
            waiting: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Ord> FairQueue<K> {
    /// Lets the key wait. One that waits already keeps its place, or moves to the end of a better lane.
    pub fn push(&mut self, key: K, lane: Lane, namespace: &Arc<str>) {
        if self.waiting.get(&key).is_some_and(|present| *present <= lane) {
            return;
        }
        self.remove(&key);
        self.waiting.insert(key.clone(), lane);
        if let Some(namespaces) = self.lanes.get_mut(lane as usize) {
            namespaces.push(key, namespace);
        }
    }

    /// The key whose turn it is.
    pub fn pop(&mut self) -> Option<K> {
        let key = self.lanes.iter_mut().find_map(Namespaces::pop)?;
        self.waiting.remove(&key);
        Some(key)
    }

    /// The key waits no more. Returns whether it did. It is looked for: this is for the few that do not wait until
    /// their turn has come.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(lane) = self.waiting.remove(key) else { return false };
        if let Some(namespaces) = self.lanes.get_mut(lane as usize) {
            namespaces.remove(key);
        }
        true
    }

    /// The keys that wait, in their own order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.waiting.keys()
    }

    /// How many keys wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl<K: PartialEq> Namespaces<K> {
    fn push(&mut self, key: K, namespace: &Arc<str>) {
        let keys = self.keys.entry(namespace.clone()).or_insert_with(|| {
            self.order.push_back(namespace.clone());
            VecDeque::new()
        });
        keys.push_back(key);
    }

    fn pop(&mut self) -> Option<K> {
        let namespace = self.order.pop_front()?;
        let keys = self.keys.get_mut(&namespace)?;
        let key = keys.pop_front();
        if keys.is_empty() {
            self.keys.remove(&namespace);
        } else {
            self.order.push_back(namespace);
        }
        key
    }

    fn remove(&mut self, key: &K) {
        for (namespace, keys) in &mut self.keys {
            let Some(place) = keys.iter().position(|other| other == key) else { continue };
            keys.remove(place);
            if keys.is_empty() {
                let namespace = namespace.clone();
                self.keys.remove(&namespace);
                self.order.retain(|other| *other != namespace);
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn a_busy_namespace_does_not_delay_another() {
        let (busy, calm) = (Arc::from("busy"), Arc::from("calm"));
        let mut queue = FairQueue::default();
        for key in ["b1", "b2", "b3"] {
            queue.push(key, Lane::Spec, &busy);
        }
        queue.push("c1", Lane::Spec, &calm);
        assert_eq!(drain(&mut queue), ["b1", "c1", "b2", "b3"]);
    }

    #[test]
    fn a_changed_spec_goes_before_drift_and_drift_before_reports() {
        let ns = Arc::from("ns");
        let mut queue = FairQueue::default();
        queue.push("report", Lane::Report, &ns);
        queue.push("drift", Lane::Drift, &ns);
        queue.push("spec", Lane::Spec, &ns);
        assert_eq!(drain(&mut queue), ["spec", "drift", "report"]);
    }

    #[test]
    fn a_key_waits_once_in_its_best_lane() {
        let ns = Arc::from("ns");
        let mut queue = FairQueue::default();
        queue.push("a", Lane::Report, &ns);
        queue.push("b", Lane::Spec, &ns);
        queue.push("a", Lane::Spec, &ns);
        queue.push("a", Lane::Drift, &ns);
        assert_eq!(queue.len(), 2);
        assert_eq!(drain(&mut queue), ["b", "a"]);

        queue.push("a", Lane::Report, &ns);
        queue.remove(&"a");
        assert!(queue.is_empty());
        assert_eq!(drain(&mut queue), [""; 0]);
    }

    #[test]
    fn a_key_that_waits_keeps_its_place_in_its_lane() {
        let ns = Arc::from("ns");
        let mut queue = FairQueue::default();
        for key in ["a", "b", "a"] {
            queue.push(key, Lane::Drift, &ns);
        }
        queue.push("a", Lane::Report, &ns);
        assert_eq!(drain(&mut queue), ["a", "b"]);
    }

    #[test]
    fn a_key_that_was_removed_leaves_nothing_behind() {
        let (ns, calm) = (Arc::from("ns"), Arc::from("calm"));
        let mut queue = FairQueue::default();
        for _ in 0..100 {
            queue.push("a", Lane::Report, &ns);
            queue.push("a", Lane::Spec, &ns);
            assert!(queue.remove(&"a"));
            assert!(!queue.remove(&"a"));
        }
        let is_empty = |lane: &Namespaces<_>| lane.order.is_empty() && lane.keys.is_empty();
        assert!(queue.lanes.iter().all(is_empty));

        // One that comes back goes to the end, and costs its namespace no turn.
        for key in ["a", "b", "c"] {
            queue.push(key, Lane::Spec, &ns);
        }
        queue.remove(&"a");
        queue.push("a", Lane::Spec, &ns);
        queue.push("d", Lane::Spec, &calm);
        assert_eq!(drain(&mut queue), ["b", "d", "c", "a"]);
    }
}
