//! Publishes events. It never fails a reconcile, nor delays it: what cannot be published is
//! dropped, because everything actionable is in the status as well.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource as _,
    runtime::events::{Event, EventType, Recorder as KubeRecorder, Reporter},
};
use tokio::sync::{mpsc, watch};

use super::events;
use crate::{
    api::{FIELD_MANAGER, QoderDeployment},
    chain::Chain,
    leader::Claim,
    resources::Resource,
    times::Times,
};

/// Events that may wait to be published.
const BACKLOG: usize = 1024;

/// kube's recorder remembers each event for six minutes, to fold repeats. After so many a new one takes over, so
/// that a flip of a large fleet does not fill the memory.
const EVENTS_REMEMBERED: usize = 256;

/// Takes events.
#[derive(Clone)]
pub struct Recorder(mpsc::Sender<(ObjectReference, events::Event)>);

/// Publishes them.
pub struct Publisher {
    events: mpsc::Receiver<(ObjectReference, events::Event)>,
    client: Client,
    claim: Claim,
}

/// Both ends.
#[must_use]
pub fn recorder(client: Client, claim: Claim) -> (Recorder, Publisher) {
    let (sender, events) = mpsc::channel(BACKLOG);
    (Recorder(sender), Publisher { events, client, claim })
}

impl Recorder {
    /// Hands an event over.
    pub fn publish(&self, resource: &Resource, event: events::Event) {
        let reference = ObjectReference {
            api_version: Some(QoderDeployment::api_version(&()).into_owned()),
            kind: Some(QoderDeployment::kind(&()).into_owned()),
            namespace: Some(resource.key.namespace.to_string()),
            name: Some(resource.key.name.to_string()),
            uid: Some(resource.uid.to_string()),
            resource_version: Some(resource.version.to_string()),
            ..ObjectReference::default()
        };
        if self.0.try_send((reference, event)).is_err() {
            tracing::debug!("dropped an event: too many wait to be published");
        }
    }
}

impl Publisher {
    /// Publishes until told to stop, and then what is left.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let reporter = Reporter { controller: FIELD_MANAGER.into(), instance: None };
            let recorder = KubeRecorder::new(self.client.clone(), reporter);
            for _ in 0..EVENTS_REMEMBERED {
                let next = tokio::select! {
                    biased;
                    next = self.events.recv() => next,
                    _ = stop.wait_for(|stop| *stop) => self.events.try_recv().ok(),
                };
                let Some((reference, event)) = next else {
                    return;
                };
                if self.claim.is_held() {
                    publish(&recorder, &reference, event).await;
                }
            }
        }
    }
}

async fn publish(recorder: &KubeRecorder, reference: &ObjectReference, event: events::Event) {
    let event = Event {
        type_: if event.is_warning { EventType::Warning } else { EventType::Normal },
        reason: event.reason.to_owned(),
        note: Some(event.note),
        action: event.action.to_owned(),
        secondary: None,
    };
    let published = recorder.publish(&event, reference);
    match tokio::time::timeout(Times::KUBERNETES_CALL, published).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = %Chain(&error), "failed to publish an event"),
        Err(_) => tracing::warn!("failed to publish an event in time"),
    }
}
