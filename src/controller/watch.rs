//! Watches the resources and keeps the index: one watch for each namespace, or one for all.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, TryStreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Resource as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        utils::Backoff,
        watcher::{self, DefaultBackoff, Event, watcher},
    },
};
use tokio::{sync::watch, time::Instant};

use super::reconciler::Reconciler;
use crate::{api::QoderDeployment, reconcile::resource::ResourceKey};

/// One bad object must not stop a list.
type Guarded = DeserializeGuard<QoderDeployment>;

/// The longest wait until a watch that failed is started again: client-go's backoff, for people who
/// wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How many objects a page of a list has where the server cannot stream one.
const PAGE_SIZE: u32 = 100;

/// Watches one namespace (`None`: all) for ever. Says in `synced` when its first list is
/// complete.
pub async fn watch_resources(
    reconciler: Arc<Reconciler>,
    client: Client,
    namespace: Option<String>,
    synced: watch::Sender<bool>,
) {
    let api: Api<Guarded> = match &namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let config = watcher::Config::default();
    let streamed =
        watcher(api.clone(), config.clone().streaming_lists()).backoff(Patient::default());
    let paged = watcher(api, config.page_size(PAGE_SIZE)).backoff(Patient::default());
    let mut follower = Follower { reconciler, namespace, synced, list: Instant::now() };
    if follower.follow(pin!(streamed)).await == Ended::NotStreamed {
        tracing::info!("the API server does not stream lists; they are read in pages");
        follower.follow(pin!(paged)).await;
    }
}

/// The default backoff of watches, with [`LONGEST_WAIT`].
#[derive(Default)]
struct Patient(DefaultBackoff);

impl Iterator for Patient {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|wait| wait.min(LONGEST_WAIT))
    }
}

impl Backoff for Patient {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// Why following a watch ended.
#[derive(PartialEq, Eq)]
enum Ended {
    /// The server refuses to stream lists: the feature is off by default in Kubernetes 1.33.
    NotStreamed,
    /// The stream is over, which a watcher's never is.
    Over,
}

/// Follows the events of one watch.
struct Follower {
    reconciler: Arc<Reconciler>,
    namespace: Option<String>,
    synced: watch::Sender<bool>,
    /// When the list began that is under way, or was last.
    list: Instant,
}

impl Follower {
    async fn follow(
        &mut self,
        mut events: Pin<&mut impl Stream<Item = watcher::Result<Event<Guarded>>>>,
    ) -> Ended {
        loop {
            match events.try_next().await {
                Ok(Some(event)) => self.take_in(event),
                Ok(None) => return Ended::Over,
                Err(error) if is_refusal(&error) => return Ended::NotStreamed,
                Err(error) => tracing::warn!(
                    namespace = self.namespace,
                    error = &error as &dyn std::error::Error,
                    "the watch of QoderDeployments failed, and is started again"
                ),
            }
        }
    }

    fn take_in(&mut self, event: Event<Guarded>) {
        match event {
            Event::Init => self.list = Instant::now(),
            Event::InitApply(object) => take_in(&self.reconciler, object, Some(self.list)),
            Event::InitDone => {
                let namespace = self.namespace.as_deref();
                let gone = self.reconciler.index().sweep(namespace, self.list);
                for id in &gone {
                    self.reconciler.release(id);
                }
                self.synced.send_replace(true);
            }
            Event::Apply(object) => take_in(&self.reconciler, object, None),
            Event::Delete(object) => delete(&self.reconciler, object.meta()),
        }
    }
}

/// 422: `sendInitialEvents` is forbidden where the server does not stream lists.
fn is_refusal(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 422)
}

fn take_in(reconciler: &Reconciler, object: Guarded, list: Option<Instant>) {
    match object.0 {
        Ok(object) => reconciler.seen(&object, list),
        Err(invalid) => tracing::error!(
            namespace = invalid.metadata.namespace,
            name = invalid.metadata.name,
            error = invalid.error,
            "ignored a QoderDeployment that cannot be read; check that the CRD is the shipped one"
        ),
    }
}

fn delete(reconciler: &Reconciler, metadata: &ObjectMeta) {
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let removed = reconciler.index().remove_uid(&key(metadata), uid);
    if let Some(id) = removed {
        reconciler.release(&id);
    }
}

fn key(metadata: &ObjectMeta) -> ResourceKey {
    ResourceKey {
        namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
        name: metadata.name.as_deref().unwrap_or_default().into(),
    }
}
