//! The resources as a watch of our own shows them, and since when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, ResourceExt};
use qoder_operator::api::QoderDeployment;
use tokio::task::JoinHandle;

use crate::readiness::is_ready;
use crate::{Result, eventually};

/// All resources of the API server, by name: names are unique here.
pub(super) struct Watched {
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    watch: JoinHandle<()>,
}

/// What was last seen of a resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The generation that was Ready last, and when that was seen first.
    ready: Option<(i64, Instant)>,
}

impl Seen {
    /// When this generation became Ready.
    pub(super) fn ready_at(&self, generation: i64) -> Option<Instant> {
        self.ready.filter(|(ready, _)| *ready == generation).map(|(_, at)| at)
    }
}

impl Watched {
    /// Starts to watch.
    pub(super) fn start(client: Client) -> Self {
        let seen = Arc::default();
        let watch = tokio::spawn(follow(client, Arc::clone(&seen)));
        Self { seen, watch }
    }

    /// Waits until this generation of a resource is Ready, and says when it was seen to be.
    pub(super) async fn ready(
        &self,
        name: &str,
        generation: i64,
        deadline: Duration,
    ) -> Result<Instant> {
        let ready = eventually(deadline, async || {
            Ok(lock(&self.seen).get(name).and_then(|seen| seen.ready_at(generation)))
        });
        ready.await?.with_context(|| format!("{name} was not Ready within {deadline:?}"))
    }

    /// Waits until these generations of these resources are Ready; says when the last was.
    pub(super) async fn all_ready(
        &self,
        expected: &[(String, i64)],
        deadline: Duration,
    ) -> Result<Instant> {
        // One that was Ready is not looked at again: it would be a hundred thousand looks, many times a second.
        let mut last = None;
        let mut waiting = expected.iter().peekable();
        let all = eventually(deadline, async || {
            let seen = lock(&self.seen);
            while let Some((name, generation)) = waiting.peek() {
                let ready = seen.get(name).and_then(|seen| seen.ready_at(*generation));
                let Some(ready) = ready else { return Ok(None) };
                last = last.max(Some(ready));
                waiting.next();
            }
            Ok(last)
        });
        let Some(last) = all.await? else {
            let seen = lock(&self.seen);
            let missing = expected.iter().filter(|(name, generation)| {
                seen.get(name).is_none_or(|seen| seen.ready_at(*generation).is_none())
            });
            bail!("{} of {} were not Ready within {deadline:?}", missing.count(), expected.len());
        };
        Ok(last)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

async fn follow(client: Client, seen: Arc<Mutex<HashMap<String, Seen>>>) {
    let events = watcher(Api::<QoderDeployment>::all(client), Config::default()).default_backoff();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        // An interrupted watch starts again by itself.
        let Ok(Event::Apply(object) | Event::InitApply(object)) = event else { continue };
        let generation = object.metadata.generation.unwrap_or_default();
        let mut seen = lock(&seen);
        let entry = seen.entry(object.name_any()).or_insert(Seen { ready: None });
        if !is_ready(&object) {
            entry.ready = None;
        } else if entry.ready_at(generation).is_none() {
            entry.ready = Some((generation, Instant::now()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
