//! A fair queue: keys in lanes, and within a lane round robin over namespaces, so that one
//! namespace with ten thousand keys does not delay the only key of another. No clock, no runtime.

use std::{collections::BTreeMap, sync::Arc};

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

/// Keys that wait, each once. No key is compared with all the others: at the start of a term every deployment waits, and
/// moves to a better lane when a list shows it.
#[derive(Debug, Clone)]
pub struct FairQueue<K> {
    lanes: [Namespaces<K>; 3],
    /// Where each key waits.
    waiting: BTreeMap<K, Place>,
    /// The last number that was given: to a key, or to the turn of a namespace.
    last: u64,
}

#[derive(Debug, Clone)]
struct Place {
    lane: Lane,
    namespace: Arc<str>,
    /// Its own, among the keys of the namespace.
    number: u64,
}

/// The namespaces that have keys in a lane.
#[derive(Debug, Clone)]
struct Namespaces<K> {
    /// The least number goes first.
    turns: BTreeMap<u64, Arc<str>>,
    namespaces: BTreeMap<Arc<str>, Namespace<K>>,
}

#[derive(Debug, Clone)]
struct Namespace<K> {
    /// Its own, among namespaces.
    turn: u64,
    /// The least number goes first.
    keys: BTreeMap<u64, K>,
}

impl<K> Default for FairQueue<K> {
    fn default() -> Self {
        Self {
            lanes: std::array::from_fn(|_| Namespaces {
                turns: BTreeMap::new(),
                namespaces: BTreeMap::new(),
            }),
            waiting: BTreeMap::new(),
            last: 0,
        }
    }
}

impl<K: Clone + Ord> FairQueue<K> {
    /// Lets the key wait. One that waits already keeps its place, or moves to the end of a better lane.
    pub fn push(&mut self, key: K, lane: Lane, namespace: &Arc<str>) {
        if self.waiting.get(&key).is_some_and(|present| present.lane <= lane) {
            return;
        }
        self.remove(&key);
        let number = self.number();
        if let Some(namespaces) = self.lanes.get_mut(lane as usize) {
            namespaces.push(key.clone(), namespace, number);
        }
        self.waiting.insert(key, Place { lane, namespace: namespace.clone(), number });
    }

    /// The key whose turn it is.
    pub fn pop(&mut self) -> Option<K> {
        let turn = self.number();
        let key = self.lanes.iter_mut().find_map(|namespaces| namespaces.pop(turn))?;
        self.waiting.remove(&key);
        Some(key)
    }

    /// The key waits no more. Returns whether it did.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(place) = self.waiting.remove(key) else { return false };
        if let Some(namespaces) = self.lanes.get_mut(place.lane as usize) {
            namespaces.remove(&place);
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

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl<K> Namespaces<K> {
    fn push(&mut self, key: K, name: &Arc<str>, number: u64) {
        let namespace = self.namespaces.entry(name.clone()).or_insert_with(|| {
            self.turns.insert(number, name.clone());
            Namespace { turn: number, keys: BTreeMap::new() }
        });
        namespace.keys.insert(number, key);
    }

    /// The key whose turn it is. The next turn of its namespace has this number.
    fn pop(&mut self, turn: u64) -> Option<K> {
        let (_, name) = self.turns.pop_first()?;
        let namespace = self.namespaces.get_mut(&name)?;
        let (_, key) = namespace.keys.pop_first()?;
        if namespace.keys.is_empty() {
            self.namespaces.remove(&name);
        } else {
            namespace.turn = turn;
            self.turns.insert(turn, name);
        }
        Some(key)
    }

    fn remove(&mut self, Place { namespace: name, number, .. }: &Place) {
        let Some(namespace) = self.namespaces.get_mut(name) else { return };
        namespace.keys.remove(number);
        if namespace.keys.is_empty() {
            self.turns.remove(&namespace.turn);
            self.namespaces.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, cmp::Ordering};

    use super::*;

    thread_local! {
        static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    /// A key that counts how often one was compared.
    #[derive(Clone, Debug)]
    struct Counted(usize);

    impl Ord for Counted {
        fn cmp(&self, other: &Self) -> Ordering {
            COMPARED.set(COMPARED.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counted {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other).is_eq()
        }
    }

    impl Eq for Counted {}

    #[test]
    fn ten_thousand_keys_that_move_to_a_better_lane_are_not_compared_with_each_other() {
        const KEYS: usize = 10_000;
        let ns = Arc::from("ns");
        let mut queue = FairQueue::default();
        for lane in [Lane::Report, Lane::Drift, Lane::Spec] {
            // As a list shows them: in another order than theirs.
            for n in 0..KEYS {
                queue.push(Counted(n * 7_919 % KEYS), lane, &ns);
            }
        }
        for n in (0..KEYS).step_by(2) {
            assert!(queue.remove(&Counted(n)));
        }
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), KEYS / 2);
        let compared = COMPARED.get();
        assert!(compared < 5 * KEYS * 100, "{compared}");
    }

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
        let is_empty = |lane: &Namespaces<_>| lane.turns.is_empty() && lane.namespaces.is_empty();
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
