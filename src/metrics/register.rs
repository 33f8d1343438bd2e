//! The name of each metric and what it counts: docs/metrics.md is made of this.

use prometheus_client::{
    metrics::info::Info,
    registry::{Registry, Unit},
};

use super::{Metrics, process::Process};

impl Metrics {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "qoder_operator_build",
            "always 1; the version is a label",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        self.register_api(r);
        self.register_work(r);
        self.register_fleet(r);
        r.register_collector(Box::new(Process));
    }

    fn register_api(&self, r: &mut Registry) {
        r.register(
            "qoder_api_requests",
            "requests to the Qoder API; code is the HTTP status (3xx, 4xx, 5xx for rare ones), or dns, connect, tls (nothing was sent), timeout, broken, too_large, invalid",
            self.api_requests.clone(),
        );
        r.register_with_unit(
            "qoder_api_request_duration",
            "seconds that a request to the Qoder API took",
            Unit::Seconds,
            self.api_duration.clone(),
        );
        r.register_with_unit(
            "qoder_api_budget_wait",
            "seconds that a request to the Qoder API, once asked for, waited for its turn: for the rates of --reads-per-second and --writes-per-second, for the API that has asked to wait, for the breaker, or for a token",
            Unit::Seconds,
            self.budget_wait.clone(),
        );
        r.register(
            "qoder_api_breaker_open",
            "1 while the breaker is open: requests are held back but for a probe",
            self.breaker_open.clone(),
        );
        r.register(
            "qoder_conflict",
            "writes that the API itself answered with 409, counted by the look after it",
            self.conflicts.clone(),
        );
        r.register(
            "qoder_writes_waiting",
            "deployments that wait for their turn to be paused or resumed",
            self.writes_waiting.clone(),
        );
    }

    fn register_work(&self, r: &mut Registry) {
        r.register(
            "controller_runtime_reconcile",
            "reconciles of a deployment",
            self.reconciles.clone(),
        );
        r.register(
            "controller_runtime_reconcile_errors",
            "reconciles that ended in an error: the Kubernetes API failed, also to take a status, or a panic was caught",
            self.reconcile_errors.clone(),
        );
        r.register_with_unit(
            "controller_runtime_reconcile_time",
            "seconds that a reconcile took until its statuses were taken, without the write that it began",
            Unit::Seconds,
            self.reconcile_time.clone(),
        );
        r.register(
            "controller_runtime_active_workers",
            "reconciles in progress, and statuses that they publish; a write to the Qoder API is awaited outside of them",
            self.active_workers.clone(),
        );
        r.register(
            "leader_election_master_status",
            "1 while this process acts: it leads, or there is no election; name is that of the Lease",
            self.leads.clone(),
        );
        r.register("workqueue_depth", "deployments in the work queue", self.queue_depth.clone());
        r.register_with_unit(
            "workqueue_queue_duration",
            "seconds that deployments waited in the work queue",
            Unit::Seconds,
            self.queue_duration.clone(),
        );
        r.register(
            "qoder_status_writes",
            "status patches sent to Kubernetes; does not grow while nothing changes",
            self.status_writes.clone(),
        );
        r.register(
            "qoder_watch_errors",
            "failed tries of the watches of QoderDeployments",
            self.watch_errors.clone(),
        );
        r.register_with_unit(
            "qoder_watch_failing",
            "for how long the watch that has been failing longest has, from its first failure to its last, or for how long its list stands still; 0 while none is",
            Unit::Seconds,
            self.watch_failing.clone(),
        );
    }

    fn register_fleet(&self, r: &mut Registry) {
        r.register(
            "qoder_drift",
            "changes by someone else: corrected (and confirmed by the API), tolerated under driftPolicy Warn, or held because there were too many",
            self.drift.clone(),
        );
        r.register_with_unit(
            "qoder_time_to_effect",
            "seconds from the first sight of a generation until its desired state was reached; not for the first one that a resource reaches, nor where paused is absent",
            Unit::Seconds,
            self.time_to_effect.clone(),
        );
        r.register_with_unit(
            "qoder_poll_interval",
            "how often the remote deployments are read: --poll-interval",
            Unit::Seconds,
            self.poll_interval.clone(),
        );
        r.register(
            "qoder_deployments",
            "resources by condition and its status",
            self.deployments.clone(),
        );
        r.register(
            "qoder_ready_reason",
            "resources by the reason of their condition Ready; docs/conditions.md has the reasons",
            self.ready_reasons.clone(),
        );
        r.register(
            "qoder_observed_deployments",
            "remote deployments that resources name",
            self.observed_deployments.clone(),
        );
        r.register_with_unit(
            "qoder_observation_age",
            "age of the oldest look at a deployment, by a read or by a list that would have shown it, of those that each poll looks at (not: forbidden, not found, archived, unknown status); 0 if there is none; grows while the API cannot be read",
            Unit::Seconds,
            self.observation_age.clone(),
        );
    }
}
