//! The metrics, by the names that dashboards of operators already know where the meaning is the
//! same. Labels are static and few; never an object's name.

mod labels;
mod snapshot;

use std::{
    sync::{Mutex, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use labels::{
    ApiOperation, ApiRequest, ConflictMeaning, Controller, DeploymentState, DriftAction, LeaseName,
    QueueName, ReadyReason, ReconcileResult,
};

pub use snapshot::Snapshot;

use crate::qoder::{CODES, Operation};

/// The metrics of the process.
pub struct Metrics {
    registry: Mutex<Registry>,
    api_requests: Family<ApiRequest, Counter>,
    api_duration: Family<ApiOperation, Histogram>,
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

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            api_requests: Family::default(),
            api_duration: Family::new_with_constructor(histogram),
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
        metrics.register();
        metrics.create_known();
        metrics
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
    fn register(&self) {
        let Ok(mut r) = self.registry.lock() else {
            return;
        };
        r.register(
            "qoder_operator_build",
            "The build",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        r.register("qoder_api_requests", "Requests to the Qoder API", self.api_requests.clone());
        r.register_with_unit(
            "qoder_api_request_duration",
            "Duration of requests to the Qoder API",
            Unit::Seconds,
            self.api_duration.clone(),
        );
        r.register("controller_runtime_reconcile", "Reconciles", self.reconciles.clone());
        r.register(
            "controller_runtime_reconcile_errors",
            "Reconciles that ended in an error",
            self.reconcile_errors.clone(),
        );
        r.register_with_unit(
            "controller_runtime_reconcile_time",
            "Duration of reconciles",
            Unit::Seconds,
            self.reconcile_time.clone(),
        );
        r.register(
            "controller_runtime_active_workers",
            "Reconciles under way",
            self.active_workers.clone(),
        );
        r.register(
            "leader_election_master_status",
            "Whether this process leads",
            self.leads.clone(),
        );
        r.register("workqueue_depth", "Keys in the work queue", self.queue_depth.clone());
        r.register_with_unit(
            "workqueue_queue_duration",
            "How long keys waited in the work queue",
            Unit::Seconds,
            self.queue_duration.clone(),
        );
        r.register("qoder_drift", "Changes of the remote by others", self.drift.clone());
        r.register(
            "qoder_conflict",
            "Writes that the API answered with 409",
            self.conflicts.clone(),
        );
        r.register_with_unit(
            "qoder_time_to_effect",
            "From the first sight of a generation to its effect",
            Unit::Seconds,
            self.time_to_effect.clone(),
        );
        r.register("qoder_status_writes", "Status patches sent", self.status_writes.clone());
        r.register("qoder_watch_errors", "Failed tries of watches", self.watch_errors.clone());
        r.register_with_unit(
            "qoder_poll_interval",
            "How often the remote is read",
            Unit::Seconds,
            self.poll_interval.clone(),
        );
        r.register_with_unit(
            "qoder_watch_failing",
            "For how long a watch has been failing",
            Unit::Seconds,
            self.watch_failing.clone(),
        );
        r.register("qoder_deployments", "Resources by condition", self.deployments.clone());
        r.register(
            "qoder_ready_reason",
            "Resources by the reason of Ready",
            self.ready_reasons.clone(),
        );
        r.register(
            "qoder_observed_deployments",
            "Deployments that resources name",
            self.observed_deployments.clone(),
        );
        r.register_with_unit(
            "qoder_observation_age",
            "Age of the oldest observation",
            Unit::Seconds,
            self.observation_age.clone(),
        );
        r.register(
            "qoder_api_breaker_open",
            "Whether the breaker is open",
            self.breaker_open.clone(),
        );
        r.register(
            "qoder_writes_waiting",
            "Deployments that wait for a permit to write",
            self.writes_waiting.clone(),
        );
    }

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
