//! Watches the resources and keeps the index: one watch for each namespace, or one for all.

use std::{collections::HashSet, pin::pin, sync::Arc};

use futures::TryStreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Resource as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tokio::sync::watch;

use super::reconciler::Reconciler;
use crate::{api::QoderDeployment, reconcile::resource::ResourceKey};

/// One bad object must not stop a list.
type Guarded = DeserializeGuard<QoderDeployment>;

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
    let config = watcher::Config::default().streaming_lists();
    let mut events = pin!(watcher(api, config).default_backoff());
    // The objects that a list under way has brought.
    let mut brought = HashSet::new();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => match event {
                Event::Init => brought.clear(),
                Event::InitApply(object) => {
                    brought.insert(key(object.meta()));
                    take_in(&reconciler, object, true);
                }
                Event::InitDone => {
                    let gone = reconciler.index().sweep(namespace.as_deref(), &brought);
                    gone.iter().for_each(|id| reconciler.release(id));
                    brought = HashSet::new();
                    synced.send_replace(true);
                }
                Event::Apply(object) => take_in(&reconciler, object, false),
                Event::Delete(object) => delete(&reconciler, object.meta()),
            },
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(namespace, %error, "the watch of QoderDeployments failed, and is started again");
            }
        }
    }
}

fn take_in(reconciler: &Reconciler, object: Guarded, is_relist: bool) {
    match object.0 {
        Ok(object) => reconciler.take_in(&object, is_relist),
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
