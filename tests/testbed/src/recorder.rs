//! Counts how often each resource's status changes, from the first moment of its namespace on.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, pin_mut};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, ResourceExt};
use qoder_operator::api::{QoderDeployment, QoderDeploymentStatus};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Result;

/// A watch of one namespace that only counts.
pub(crate) struct Recorder {
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

/// What the watch has brought so far.
#[derive(Default)]
struct Seen {
    begun: bool,
    /// By uid, so that a re-created resource starts at none.
    resources: HashMap<String, Record>,
}

struct Record {
    version: u64,
    status: Option<QoderDeploymentStatus>,
    writes: usize,
}

impl Recorder {
    /// Returns when the watch has begun, so that nothing after it is missed.
    pub(crate) async fn start(api: Api<QoderDeployment>) -> Result<Self> {
        let (sender, mut seen) = watch::channel(Seen::default());
        let task = tokio::spawn(async move {
            let events = watcher(api, Config::default()).default_backoff();
            pin_mut!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::InitDone) => sender.send_modify(|seen| seen.begun = true),
                    Ok(Event::Apply(object) | Event::InitApply(object)) => {
                        sender.send_modify(|seen| seen.add(object));
                    }
                    // An interrupted watch starts again by itself.
                    Ok(Event::Init | Event::Delete(_)) | Err(_) => {}
                }
            }
        });
        let recorder = Self { seen: seen.clone(), task };
        seen.wait_for(|seen| seen.begun).await.context("the recorder's watch ended")?;
        Ok(recorder)
    }

    /// How often the status of this resource changed, up to the version given.
    pub(crate) async fn status_writes(
        &self,
        object: &QoderDeployment,
        deadline: Duration,
    ) -> Result<usize> {
        let uid = object.uid().context("a resource without uid")?;
        let mut seen = self.seen.clone();
        let caught_up = seen.wait_for(|seen| {
            seen.resources.get(&uid).is_some_and(|record| record.version >= version(object))
        });
        let seen = tokio::time::timeout(deadline, caught_up).await;
        let seen = seen.with_context(|| {
            format!("the watch did not bring {} up to date", object.name_any())
        })??;
        Ok(seen.resources.get(&uid).map_or(0, |record| record.writes))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn add(&mut self, object: QoderDeployment) {
        let Some(uid) = object.uid() else { return };
        let version = version(&object);
        let first = Record { version, status: object.status.clone(), writes: 0 };
        let record = self.resources.entry(uid).or_insert(first);
        record.version = version;
        if record.status != object.status {
            record.status = object.status;
            record.writes += 1;
        }
    }
}

/// Resource versions of one resource are comparable numbers.
fn version(object: &QoderDeployment) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
