//! All deployments, in the order in which lists show them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use crate::deployment::Deployment;
use crate::seed::{self, Defaults, SeedError};

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
    last_write: LastWrite,
    /// The writes by the API that no read can have seen, the oldest first.
    recent: Vec<Recent>,
}

/// What a deployment was before the last write to it.
#[derive(Debug)]
enum LastWrite {
    /// There was none since the start.
    Never,
    /// It was not there: that write has made it.
    MadeIt,
    Changed(Box<Deployment>),
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
            Freshness::Stale => match &mut self.last_write {
                LastWrite::Never => Some(&mut self.now),
                LastWrite::MadeIt => None,
                LastWrite::Changed(before) => Some(before),
            },
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
        let oldest = 60 + i64::try_from(partials.len()).unwrap_or(i64::MAX);
        let agos = (0..).map(|younger: i64| oldest - younger);
        let made = agos.map(|ago| now.saturating_sub(ago.seconds()).unwrap_or(now));
        let seeds: Vec<_> = partials.iter().zip(made).collect();
        self.add_all(&seeds, now)?;
        self.last_written = None;
        self.records.values_mut().for_each(|record| record.last_write = LastWrite::Never);
        Ok(())
    }

    /// Adds the deployments that are described, and gives their ids; all of them, or none.
    pub(crate) fn add(
        &mut self,
        partials: &[Value],
        now: Timestamp,
    ) -> Result<Vec<String>, SeedError> {
        let seeds: Vec<_> = partials.iter().map(|partial| (partial, now)).collect();
        self.add_all(&seeds, now)
    }

    fn add_all(
        &mut self,
        seeds: &[(&Value, Timestamp)],
        now: Timestamp,
    ) -> Result<Vec<String>, SeedError> {
        let mut ids = HashSet::new();
        let mut deployments = Vec::new();
        for (index, (partial, created)) in seeds.iter().enumerate() {
            let failed = |problem| SeedError::new(index, partial, problem);
            let number = self.inserted + deployments.len() as u64;
            let id = seed::id(*created, number);
            let name = format!("deployment-{}", number + 1);
            let defaults = Defaults { id: &id, name: &name, created: *created };
            let deployment = seed::deployment(partial, defaults, now).map_err(failed)?;
            let id = deployment.id();
            if self.places.contains_key(id) || !ids.insert(id.to_owned()) {
                return Err(failed(format!("there is another deployment with the id {id}")));
            }
            deployments.push((deployment, *created));
        }
        Ok(deployments
            .into_iter()
            .map(|(deployment, created)| {
                let id = deployment.id().to_owned();
                self.insert(deployment, created, Writer::Hand);
                id
            })
            .collect())
    }

    /// Adds a new deployment.
    pub(crate) fn insert(&mut self, deployment: Deployment, created: Timestamp, writer: Writer) {
        let created = deployment.created.unwrap_or(created);
        let place = Place(created, self.inserted);
        self.inserted += 1;
        self.places.insert(deployment.id().to_owned(), place);
        let mut record =
            Record { now: deployment, last_write: LastWrite::MadeIt, recent: Vec::new() };
        record.keep(None, writer);
        self.records.insert(place, record);
        self.last_written = Some(place);
    }

    /// An id for a deployment that is made at `created`.
    pub(crate) fn next_id(&self, created: Timestamp) -> String {
        let mut ids = (self.inserted..).map(|number| seed::id(created, number));
        // One that is deleted was counted before a snapshot, and not after.
        ids.find(|id| !self.places.contains_key(id)).unwrap_or_default()
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
            record.last_write = LastWrite::Changed(Box::new(before));
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
