//! The metrics, by the names that dashboards of operators already know where the meaning is the
//! same. Labels are static and few; never an object's name.

mod format;
mod labels;
mod process;
mod register;
mod snapshot;

use std::{
    sync::{Mutex, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use labels::{
    ApiOperation, ApiRequest, ConflictMeaning, Controller, DeploymentState, DriftAction, LeaseName,
    QueueName, ReadyReason, ReconcileResult,
};

pub use format::Format;
pub use snapshot::Snapshot;

use crate::qoder::{CODES, Operation};

/// The metrics of the process.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Which Lease this process leads by.
    lease: LeaseName,
    api_requests: Family<ApiRequest, Counter>,
    api_duration: Family<ApiOperation, Histogram>,
    budget_wait: Histogram,
    reconciles: Family<ReconcileResult, Counter>,
    reconcile_errors: Family<Controller, Counter>,
    reconcile_time: Family<Controller, Histogram>,
    active_workers: Family<Controller, Gauge>,
    leads: Family<LeaseName, Gauge>,
    queue_depth: Family<QueueName, Gauge>,
    queue_duration: Family<QueueName, Histogram>,
    drift: Family<DriftAction, Counter>,
    conflicts: Family<ConflictMeaning, Counter>,
    /// From the first sight of a generation to the remote state that it asks for.
    pub time_to_effect: Histogram,
    /// Status patches sent.
    pub status_writes: Counter,
    /// Tries of a watch that failed.
    pub watch_errors: Counter,
    watch_failing: Gauge<f64, AtomicU64>,
    deployments: Family<DeploymentState, Gauge>,
    ready_reasons: Family<ReadyReason, Gauge>,
    observed_deployments: Gauge,
    observation_age: Gauge<f64, AtomicU64>,
    breaker_open: Gauge,
    writes_waiting: Gauge,
    poll_interval: Gauge<f64, AtomicU64>,
}

const QUEUE: QueueName = QueueName { name: "qoderdeployment" };
const CONTROLLER: Controller = Controller { controller: "qoderdeployment" };

fn histogram() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

impl Metrics {
    /// The metrics of a process that leads by the Lease of this name.
    #[must_use]
    pub fn new(lease: &str) -> Self {
        let mut registry = Registry::default();
        let mut metrics = Self {
            registry: Mutex::default(),
            lease: LeaseName { name: lease.to_owned() },
            api_requests: Family::default(),
            api_duration: Family::new_with_constructor(histogram),
            budget_wait: histogram(),
            reconciles: Family::default(),
            reconcile_errors: Family::default(),
            reconcile_time: Family::new_with_constructor(histogram),
            active_workers: Family::default(),
            leads: Family::default(),
            queue_depth: Family::default(),
            queue_duration: Family::new_with_constructor(histogram),
            poll_interval: Gauge::default(),
            drift: Family::default(),
            conflicts: Family::default(),
            time_to_effect: histogram(),
            status_writes: Counter::default(),
            watch_errors: Counter::default(),
            watch_failing: Gauge::default(),
            deployments: Family::default(),
            ready_reasons: Family::default(),
            observed_deployments: Gauge::default(),
            observation_age: Gauge::default(),
            breaker_open: Gauge::default(),
            writes_waiting: Gauge::default(),
        };
        metrics.register(&mut registry);
        metrics.registry = Mutex::new(registry);
        metrics.create_known();
        metrics
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new("qoder-operator")
    }
}

/// A reconcile under way.
pub struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Every known set of labels exists from the start: what is born at 1 has no increase that an alert could see.
    fn create_known(&self) {
        for operation in Operation::ALL.map(Operation::as_str) {
            for code in CODES {
                drop(self.api_requests.get_or_create(&ApiRequest { operation, code }));
            }
            drop(self.api_duration.get_or_create(&ApiOperation { operation }));
        }
        let Controller { controller } = CONTROLLER;
        for result in ["success", "requeue_after", "error"] {
            drop(self.reconciles.get_or_create(&ReconcileResult { controller, result }));
        }
        drop(self.reconcile_errors.get_or_create(&CONTROLLER));
        drop(self.reconcile_time.get_or_create(&CONTROLLER));
        drop(self.active_workers.get_or_create(&CONTROLLER));
        drop(self.queue_duration.get_or_create(&QUEUE));
        for action in ["corrected", "tolerated", "held"] {
            drop(self.drift.get_or_create(&DriftAction { action }));
        }
        for meaning in ["already_reconciled", "other"] {
            drop(self.conflicts.get_or_create(&ConflictMeaning { meaning }));
        }
    }

    /// One request to the API has ended.
    pub fn api_call(&self, operation: Operation, code: &'static str, duration: Duration) {
        let operation = operation.as_str();
        self.api_requests.get_or_create(&ApiRequest { operation, code }).inc();
        self.api_duration
            .get_or_create(&ApiOperation { operation })
            .observe(duration.as_secs_f64());
    }

    /// The turn of a request to the API has come, so long after it was asked for.
    pub fn budget_waited(&self, duration: Duration) {
        self.budget_wait.observe(duration.as_secs_f64());
    }

    /// A key has waited so long in the work queue.
    pub fn key_waited(&self, duration: Duration) {
        self.queue_duration.get_or_create(&QUEUE).observe(duration.as_secs_f64());
    }

    /// A reconcile is under way until this is dropped, however it ends.
    #[must_use]
    pub fn reconcile_started(&self) -> UnderWay {
        let active = self.active_workers.get_or_create(&CONTROLLER).clone();
        active.inc();
        UnderWay(active)
    }

    /// One reconcile has ended. `result` is `success`, `requeue_after` or `error`.
    pub fn reconcile_ended(&self, result: &'static str, duration: Duration) {
        let Controller { controller } = CONTROLLER;
        self.reconciles.get_or_create(&ReconcileResult { controller, result }).inc();
        self.reconcile_time.get_or_create(&CONTROLLER).observe(duration.as_secs_f64());
        if result == "error" {
            self.reconcile_errors.get_or_create(&CONTROLLER).inc();
        }
    }

    /// Someone else changed the remote. `action` is `corrected`, `tolerated` or `held`.
    pub fn drift(&self, action: &'static str) {
        self.drift.get_or_create(&DriftAction { action }).inc();
    }

    /// A write was answered with 409. `meaning` is `already_reconciled` or `other`.
    pub fn conflict(&self, meaning: &'static str) {
        self.conflicts.get_or_create(&ConflictMeaning { meaning }).inc();
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
