//! Objects and their history, as etcd keeps them: one counter of revisions for all.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use serde_json::{Value, json};

use crate::{json::Fields as _, kind::Kind, times::Clock};

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub plural: &'static str,
    pub namespace: String,
    pub name: String,
}

/// What a change was, in the words of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One change of one object.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub revision: u64,
    pub kind: ChangeKind,
    pub key: Key,
    /// After the change; of a deletion, before it, with the version of the deletion.
    pub object: Value,
    /// Before it.
    before: Option<Value>,
}

/// A store that begins with a history that is gone.
const FIRST: u64 = 1000;

pub(crate) struct Store {
    objects: BTreeMap<Key, Value>,
    history: Vec<Change>,
    revision: u64,
    /// Changes up to this one are forgotten.
    compacted: u64,
    names: u64,
    /// What is stored without the defaults that readers see: the next write stores them.
    undefaulted: BTreeSet<Key>,
    pub clock: Clock,
}

impl Store {
    pub fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            history: Vec::new(),
            revision: FIRST,
            compacted: FIRST,
            names: 0,
            undefaulted: BTreeSet::new(),
            clock: Clock::start(),
        }
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn compacted(&self) -> u64 {
        self.compacted
    }

    /// Forgets all changes.
    pub fn compact(&mut self) {
        self.compacted = self.revision;
        self.history.clear();
    }

    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    /// All of a kind, or those of a namespace, from a key on, in order.
    pub fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<(&Key, &Value)> {
        let first = Key {
            plural: kind.plural,
            namespace: namespace.unwrap_or_default().to_owned(),
            name: String::new(),
        };
        let rest = self.objects.range((Bound::Included(first), Bound::Unbounded));
        let of_kind = rest.take_while(|(key, _)| {
            key.plural == kind.plural && namespace.is_none_or(|it| it == key.namespace)
        });
        of_kind.collect()
    }

    /// The same as it was at a revision that is not forgotten.
    pub fn list_at(&self, kind: &Kind, namespace: Option<&str>, at: u64) -> Vec<(Key, Value)> {
        let now = self.list(kind, namespace).into_iter();
        let mut then: BTreeMap<_, _> =
            now.map(|(key, object)| (key.clone(), object.clone())).collect();
        let undone = self.history.iter().rev().take_while(|change| change.revision > at);
        for change in undone.filter(|change| change.concerns(kind, namespace)) {
            match &change.before {
                Some(before) => then.insert(change.key.clone(), before.clone()),
                None => then.remove(&change.key),
            };
        }
        then.into_iter().collect()
    }

    /// The changes after a revision.
    pub fn changes_after(&self, revision: u64) -> impl Iterator<Item = &Change> {
        self.history.iter().filter(move |change| change.revision > revision)
    }

    /// Writes an object: it gets the next version.
    pub fn put(&mut self, key: Key, mut object: Value) -> Value {
        self.revision += 1;
        self.undefaulted.remove(&key);
        object.at("metadata").set("resourceVersion", json!(self.revision.to_string()));
        let before = self.objects.insert(key.clone(), object.clone());
        let kind = if before.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.remember(key, kind, object.clone(), before);
        object
    }

    /// Remembers that an object has defaults that are not stored.
    pub fn mark_undefaulted(&mut self, key: Key) {
        self.undefaulted.insert(key);
    }

    pub fn is_undefaulted(&self, key: &Key) -> bool {
        self.undefaulted.contains(key)
    }

    /// Deletes an object, and returns what it was.
    pub fn delete(&mut self, key: &Key) -> Option<Value> {
        let before = self.objects.remove(key)?;
        self.revision += 1;
        let mut last = before.clone();
        last.at("metadata").set("resourceVersion", json!(self.revision.to_string()));
        self.remember(key.clone(), ChangeKind::Deleted, last.clone(), Some(before));
        Some(last)
    }

    fn remember(&mut self, key: Key, kind: ChangeKind, object: Value, before: Option<Value>) {
        self.history.push(Change { revision: self.revision, kind, key, object, before });
    }

    /// A uid that no object had before.
    pub fn fresh_uid(&mut self) -> String {
        self.names += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.names)
    }

    /// The end of a generated name.
    pub fn fresh_suffix(&mut self) -> String {
        self.names += 1;
        format!("{:05x}", self.names)
    }
}

impl Change {
    pub fn concerns(&self, kind: &Kind, namespace: Option<&str>) -> bool {
        self.key.plural == kind.plural && namespace.is_none_or(|it| it == self.key.namespace)
    }
}
