//! All deployments, in the order in which lists show them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use crate::deployment::Deployment;
use crate::seed::{self, SeedError};

/// The place of a deployment in the order: when it was made, then the order of insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Timestamp, u64);

/// Which state a read shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The present one.
    Fresh,
    /// That of a replica which has not seen the last write: in a GET the last one to this deployment, in a list the last of all.
    Stale,
    /// That of replicas which see a write by the API so long after it; `now` is the time of the read since the start.
    Lagging { now: Duration, by: Duration },
}

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Writer {
    /// A client of the API, at a time since the start. Reads may lag behind it.
    Api { at: Duration, read_lag: Duration },
    /// Someone behind the client's back. Reads see it at once, and what they had not seen before it with it.
    Hand,
}

#[derive(Debug)]
struct Record {
    now: Deployment,
    before_last_write: Option<Deployment>,
    /// The writes by the API that no read can have seen, the oldest first.
    recent: Vec<Recent>,
}

/// When a write was, and what a deployment was before it; `None`: it was not there.
#[derive(Debug)]
struct Recent {
    at: Duration,
    before: Option<Deployment>,
}

impl Record {
    /// Keeps what was before a write, for the reads that will not have seen it.
    fn keep(&mut self, before: Option<Deployment>, writer: Writer) {
        match writer {
            Writer::Hand => self.recent.clear(),
            Writer::Api { at, read_lag } => {
                self.forget_seen(at, read_lag);
                if !read_lag.is_zero() {
                    self.recent.push(Recent { at, before });
                }
            }
        }
    }

    /// What a read sees; `None`: it is not there yet.
    fn seen(&mut self, freshness: Freshness) -> Option<&mut Deployment> {
        match freshness {
            Freshness::Fresh => Some(&mut self.now),
            Freshness::Stale => Some(self.before_last_write.as_mut().unwrap_or(&mut self.now)),
            Freshness::Lagging { now, by } => {
                self.forget_seen(now, by);
                match self.recent.first_mut() {
                    Some(unseen) => unseen.before.as_mut(),
                    None => Some(&mut self.now),
                }
            }
        }
    }

    /// A write that can be seen is seen for ever, and so are those before it, whatever the lag becomes.
    fn forget_seen(&mut self, now: Duration, lag: Duration) {
        let is_seen = |recent: &Recent| recent.at.saturating_add(lag) <= now;
        let count = self.recent.iter().rposition(is_seen).map_or(0, |last| last + 1);
        self.recent.drain(..count);
    }
}

/// The deployments by place and by id.
#[derive(Debug, Default)]
pub(crate) struct Store {
    records: BTreeMap<Place, Record>,
    places: HashMap<String, Place>,
    inserted: u64,
    last_written: Option<Place>,
}

impl Store {
    /// Adds seeds, the oldest first, one second apart before `now` where they do not say when they were made.
    pub(crate) fn seed(&mut self, partials: &[Value], now: Timestamp) -> Result<(), SeedError> {
        let mut ago = 60 + i64::try_from(partials.len()).unwrap_or(i64::MAX);
        for partial in partials {
            self.add(partial, now - ago.seconds())?;
            ago -= 1;
        }
        Ok(())
    }

    /// Adds one deployment that `partial` describes, and gives its id.
    pub(crate) fn add(&mut self, partial: &Value, created: Timestamp) -> Result<String, SeedError> {
        let id = self.next_id(created);
        let name = format!("deployment-{}", self.inserted + 1);
        let deployment = seed::deployment(partial, &id, &name, created)?;
        if self.places.contains_key(deployment.id()) {
            return Err(SeedError::duplicate(deployment.name(), deployment.id()));
        }
        let id = deployment.id().to_owned();
        self.insert(deployment, created, Writer::Hand);
        Ok(id)
    }

    /// Adds a new deployment.
    pub(crate) fn insert(&mut self, deployment: Deployment, created: Timestamp, writer: Writer) {
        let created = created_at(&deployment).unwrap_or(created);
        let place = Place(created, self.inserted);
        self.inserted += 1;
        self.places.insert(deployment.id().to_owned(), place);
        let mut record = Record { now: deployment, before_last_write: None, recent: Vec::new() };
        record.keep(None, writer);
        self.records.insert(place, record);
    }

    /// An id for a deployment that is made at `created`: like a `UUIDv7`, with a counter for its random part.
    pub(crate) fn next_id(&self, created: Timestamp) -> String {
        format!("dep_{:012x}70008{:015x}", created.as_millisecond(), self.inserted)
    }

    /// Where a deployment stands in the order.
    pub(crate) fn place(&self, id: &str) -> Option<Place> {
        self.places.get(id).copied()
    }

    /// One deployment.
    pub(crate) fn get(&mut self, id: &str, freshness: Freshness) -> Option<&mut Deployment> {
        self.records.get_mut(&self.place(id)?)?.seen(freshness)
    }

    /// Changes a deployment, and keeps what it was before if the change succeeds. `None`: there is no such deployment.
    pub(crate) fn write<T, E>(
        &mut self,
        id: &str,
        writer: Writer,
        change: impl FnOnce(&mut Deployment) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let place = self.place(id)?;
        let record = self.records.get_mut(&place)?;
        let mut changed = record.now.clone();
        let result = change(&mut changed);
        if result.is_ok() {
            let before = std::mem::replace(&mut record.now, changed);
            record.keep(Some(before.clone()), writer);
            record.before_last_write = Some(before);
            self.last_written = Some(place);
        }
        Some(result)
    }

    /// Forgets a deployment, as the API itself never does.
    pub(crate) fn remove(&mut self, id: &str) -> Option<()> {
        let place = self.places.remove(id)?;
        self.records.remove(&place).map(drop)
    }

    /// Whether a live deployment other than `except` has this name.
    pub(crate) fn is_taken(&self, name: &str, except: Option<&str>) -> bool {
        let mut live = self.records.values().map(|record| &record.now);
        live.any(|other| !other.archived && other.name() == name && except != Some(other.id()))
    }

    /// Ids, the oldest first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.records.values().map(|record| record.now.id())
    }

    /// Deployments older than a place, or all; the newest first.
    pub(crate) fn older_than(
        &mut self,
        place: Option<Place>,
        freshness: Freshness,
    ) -> impl Iterator<Item = &mut Deployment> {
        let end = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.walk((Bound::Unbounded, end), freshness).rev()
    }

    /// Deployments newer than a place; the oldest first.
    pub(crate) fn newer_than(
        &mut self,
        place: Place,
        freshness: Freshness,
    ) -> impl Iterator<Item = &mut Deployment> {
        self.walk((Bound::Excluded(place), Bound::Unbounded), freshness)
    }

    fn walk(
        &mut self,
        range: (Bound<Place>, Bound<Place>),
        freshness: Freshness,
    ) -> impl DoubleEndedIterator<Item = &mut Deployment> {
        let last_written = self.last_written;
        self.records.range_mut(range).filter_map(move |(place, record)| {
            // A stale list lacks the last write of all, and no other.
            let is_seen = freshness == Freshness::Stale && last_written != Some(*place);
            record.seen(if is_seen { Freshness::Fresh } else { freshness })
        })
    }
}

/// When a deployment says that it was made.
pub(crate) fn created_at(deployment: &Deployment) -> Option<Timestamp> {
    deployment.document().get("created_at")?.as_str()?.parse().ok()
}
