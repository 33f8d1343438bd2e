//! What every story begins with, and how it looks at what happened.

use std::{path::PathBuf, time::Duration};

use futures::TryStreamExt;
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};
use qoder_operator::api::{Condition, QoderDeployment};
use qoder_simulator::{Config, Entry, Operation, Simulator};
use serde_json::json;
use testbed::{Bed, Operator, Result};

/// A namespace, a simulator and an operator that watches the one and talks to the other.
pub struct Story {
    // The first to go: its log is in the folder of the bed.
    pub operator: Operator,
    pub simulator: Simulator,
    pub bed: Bed,
}

/// What the simulator takes as a token. No story may find it anywhere.
pub use testbed::canary::TOKEN;

/// A simulator of so many deployments, all active, which takes that token.
pub fn config(deployments: usize) -> Config {
    Config { token: TOKEN.to_owned(), ..Config::with_deployments(deployments) }
}

impl Story {
    /// A story with this many deployments, all active, and a running operator.
    pub async fn with(name: &str, deployments: usize) -> Result<Self> {
        Self::of(name, config(deployments)).await
    }

    /// A story with a simulator of its own making.
    pub async fn of(name: &str, config: Config) -> Result<Self> {
        let simulator = Simulator::start(config).await?;
        let bed = Bed::new(name).await?;
        let operator = start(&bed, &simulator).await?;
        Ok(Self { operator, simulator, bed })
    }

    /// The id of the `n`th deployment.
    pub fn id(&self, n: usize) -> String {
        self.simulator.ids()[n].clone()
    }

    /// Applies a resource for the `n`th deployment.
    pub async fn apply(
        &self,
        name: &str,
        n: usize,
        paused: Option<bool>,
    ) -> Result<QoderDeployment> {
        let mut spec = json!({ "deploymentID": self.id(n) });
        if let Some(paused) = paused {
            spec["paused"] = json!(paused);
        }
        Ok(self.bed.apply(name, spec).await?)
    }

    /// Waits until Ready has this status and reason for the present generation.
    pub async fn until(&self, name: &str, status: &str, reason: &str) -> Result<QoderDeployment> {
        let what = format!("Ready={status} {reason}");
        self.bed.wait_until(name, &what, |object| is(object, status, reason)).await
    }

    /// The writes so far, in order: `pause 200`, or `pause -` where no answer was sent.
    pub fn writes(&self) -> Vec<String> {
        let is_write =
            |entry: &Entry| matches!(entry.operation, Operation::Pause | Operation::Unpause);
        self.simulator.journal().iter().filter(|entry| is_write(entry)).map(call).collect()
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<String> {
        self.simulator.journal().iter().map(call).collect()
    }

    /// How many POSTs to the `n`th deployment changed something.
    pub fn effects(&self, n: usize) -> usize {
        let id = self.id(n);
        let entries = self.simulator.journal();
        entries.iter().filter(|entry| entry.effect && entry.id.as_ref() == Some(&id)).count()
    }

    /// The reasons of the events of one type (`Normal`, `Warning`), oldest first.
    pub async fn events(&self, name: &str, kind: &str) -> Result<Vec<String>> {
        let events = self.bed.events(name).await?.into_iter();
        let of_kind = events.filter(|event| event.type_.as_deref() == Some(kind));
        Ok(of_kind.filter_map(|event| event.reason).collect())
    }

    /// The reasons of the warning events, oldest first.
    pub async fn warnings(&self, name: &str) -> Result<Vec<String>> {
        self.events(name, "Warning").await
    }

    /// Waits until a warning event has this reason: events are published beside the work.
    pub async fn until_warned(&self, name: &str, reason: &str) -> Result<()> {
        let events: Api<Event> = Api::namespaced(self.bed.client(), self.bed.namespace());
        let mut seen =
            std::pin::pin!(watcher(events, watcher::Config::default()).applied_objects());
        let found = async {
            while let Some(event) = seen.try_next().await? {
                let about = event.regarding.and_then(|regarding| regarding.name);
                if about.as_deref() == Some(name) && event.reason.as_deref() == Some(reason) {
                    anyhow::ensure!(
                        event.type_.as_deref() == Some("Warning"),
                        "{reason} is no warning"
                    );
                    return Ok(());
                }
            }
            anyhow::bail!("the watch of events ended")
        };
        match tokio::time::timeout(Duration::from_secs(30), found).await {
            Ok(found) => found,
            Err(_) => {
                anyhow::bail!("no event {reason}; there were {:?}", self.warnings(name).await?)
            }
        }
    }

    /// Waits until the journal says so.
    pub async fn until_calls(&self, what: &str, holds: impl Fn(&[Entry]) -> bool) -> Result<()> {
        let mut changed = self.simulator.changed();
        let seen = changed.wait_for(|_| holds(&self.simulator.journal()));
        match tokio::time::timeout(Duration::from_secs(30), seen).await {
            Ok(seen) => seen.map(drop).map_err(Into::into),
            Err(_) => anyhow::bail!(
                "{what} did not happen; the calls were {:?}\n{}",
                self.calls(),
                self.operator.log()
            ),
        }
    }

    /// Lets the operator read the remote that often from now on: what it was going to do by
    /// itself, it has done.
    pub async fn polls(&self, count: usize) -> Result<()> {
        let reads = |entries: &[Entry]| {
            let is_read =
                |entry: &&Entry| matches!(entry.operation, Operation::Get | Operation::List);
            entries.iter().filter(is_read).filter(|entry| entry.finished).count()
        };
        let before = reads(&self.simulator.journal());
        self.until_calls("a poll", |entries| reads(entries) >= before + count).await
    }
}

/// A simulator of one deployment whose certificate nobody vouches for, and the file that it is in.
pub async fn untrusted(bed: &Bed) -> Result<(Simulator, PathBuf)> {
    let issued = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let (certificate, key) = (bed.folder().join("tls.pem"), bed.folder().join("tls-key.pem"));
    std::fs::write(&certificate, issued.cert.pem())?;
    std::fs::write(&key, issued.signing_key.serialize_pem())?;
    let tls = Some(qoder_simulator::tls(&certificate, &key)?);
    let simulator = Simulator::start(Config { tls, ..config(1) }).await?;
    Ok((simulator, certificate))
}

/// An operator with small times that watches the bed and talks to the simulator.
pub async fn start(bed: &Bed, simulator: &Simulator) -> Result<Operator> {
    bed.operator().base_url(&simulator.base_url()).token(TOKEN).start().await
}

fn call(entry: &Entry) -> String {
    let operation = serde_json::to_value(entry.operation).unwrap();
    let status = entry.status.map_or("-".to_owned(), |status| status.to_string());
    format!("{} {status}", operation.as_str().unwrap())
}

/// The condition of this type.
pub fn condition<'a>(object: &'a QoderDeployment, kind: &str) -> Option<&'a Condition> {
    object.status.as_ref()?.conditions.iter().find(|condition| condition.kind == kind)
}

/// Whether Ready has this status and reason for the present generation.
pub fn is(object: &QoderDeployment, status: &str, reason: &str) -> bool {
    condition(object, "Ready").is_some_and(|ready| {
        ready.status == status
            && ready.reason == reason
            && Some(ready.observed_generation) == object.metadata.generation
    })
}

/// `.status.status` and `.status.pausedReason.type`.
pub fn remote(object: &QoderDeployment) -> (Option<&str>, Option<&str>) {
    let status = object.status.as_ref().unwrap();
    (status.status.as_deref(), status.paused_reason.as_ref().map(|reason| reason.kind.as_str()))
}
