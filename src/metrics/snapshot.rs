//! What is counted at each scrape, and the text of all metrics.

use std::time::Duration;

use prometheus_client::encoding::text::encode;

use super::{
    Metrics, QUEUE,
    labels::{DeploymentState, ReadyReason},
};

/// What is counted at each scrape, and not at each change.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// This process acts: it leads, or there is no election.
    pub leads: bool,
    /// Keys in the work queue.
    pub queue_depth: usize,
    /// Deployments that wait for a permit to write.
    pub writes_waiting: usize,
    pub breaker_open: bool,
    /// Deployments that resources name.
    pub observed_deployments: usize,
    /// The age of the oldest observation of those that a poll reads.
    pub observation_age: Duration,
    /// The flag.
    pub poll_interval: Duration,
    /// For how long the watch that has been failing longest has; zero: none is.
    pub watch_failing: Duration,
    /// Resources by condition and its status.
    pub conditions: Vec<(&'static str, &'static str, usize)>,
    /// Resources by the reason of their condition Ready.
    pub reasons: Vec<(&'static str, usize)>,
}

impl Metrics {
    /// All metrics as `OpenMetrics` text.
    ///
    /// # Errors
    /// A metric cannot be written.
    pub fn encode(&self, snapshot: &Snapshot) -> Result<String, std::fmt::Error> {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.queue_depth.get_or_create(&QUEUE).set(count(snapshot.queue_depth));
        self.leads.get_or_create(&self.lease).set(i64::from(snapshot.leads));
        self.writes_waiting.set(count(snapshot.writes_waiting));
        self.breaker_open.set(i64::from(snapshot.breaker_open));
        self.observed_deployments.set(count(snapshot.observed_deployments));
        self.observation_age.set(snapshot.observation_age.as_secs_f64());
        self.poll_interval.set(snapshot.poll_interval.as_secs_f64());
        self.watch_failing.set(snapshot.watch_failing.as_secs_f64());
        self.deployments.clear();
        for (condition, status, n) in &snapshot.conditions {
            let state = DeploymentState { condition, status };
            self.deployments.get_or_create(&state).set(count(*n));
        }
        for (reason, n) in &snapshot.reasons {
            self.ready_reasons.get_or_create(&ReadyReason { reason }).set(count(*n));
        }
        let mut text = String::new();
        let registry = self.registry.lock().map_err(|_| std::fmt::Error)?;
        encode(&mut text, &registry)?;
        Ok(text)
    }
}
