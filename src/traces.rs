//! Traces: one for each time that there is something to do for a deployment, from what caused it until its status tells of
//! it. They are spans of `tracing`, which `telemetry` sends on if it is told to; where it is not, nothing is kept here.

use std::{collections::BTreeMap, sync::Mutex};

use tracing::{Span, field::Empty, info_span};

use crate::{api::DeploymentId, lock::lock};

/// The target of spans that are for traces only: no log line shows them.
pub const TARGET: &str = "qoder_operator::traces";

/// What a trace begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A list or a watch has brought a resource.
    Watch,
    /// A poll has shown something, or has not shown anything for too long.
    Poll,
    /// It was time to look again.
    Timer,
    /// The credential has changed.
    Credential,
    /// This replica begins to lead.
    Start,
}

impl Cause {
    /// The name of the trace's first span.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch event",
            Self::Poll => "poll",
            Self::Timer => "timer",
            Self::Credential => "credential",
            Self::Start => "start",
        }
    }
}

/// The traces that have begun and not ended, at most one for each deployment.
#[derive(Default)]
pub struct Traces(Mutex<BTreeMap<DeploymentId, Trace>>);

struct Trace {
    /// The first span. All others are in it.
    root: Span,
    /// The wait for a worker.
    queue: Option<Span>,
    /// The wait for a permit to write.
    permit: Option<Span>,
}

impl Drop for Trace {
    /// The first span ends now, after those in it. Without this it would have ended when it was last entered.
    fn drop(&mut self) {
        (self.queue, self.permit) = (None, None);
        self.root.in_scope(|| {});
    }
}

impl Traces {
    /// There is something to do for this deployment. What comes while a trace of it lasts belongs to that one.
    pub fn begin(&self, id: &DeploymentId, cause: Cause) {
        let mut traces = lock(&self.0);
        if traces.contains_key(id) {
            return;
        }
        let root = info_span!(target: TARGET, parent: None, "trace", otel.name = cause.as_str(), deployment_id = %id);
        if !root.is_disabled() {
            traces.insert(id.clone(), Trace { root, queue: None, permit: None });
        }
    }

    /// It waits for a worker.
    pub fn queued(&self, id: &DeploymentId) {
        if let Some(Trace { root, queue, .. }) = lock(&self.0).get_mut(id) {
            queue.get_or_insert_with(|| info_span!(target: TARGET, parent: &*root, "queue"));
        }
    }

    /// A worker takes it. What nothing else has caused, its time has.
    pub fn taken(&self, id: &DeploymentId) {
        self.begin(id, Cause::Timer);
        if let Some(trace) = lock(&self.0).get_mut(id) {
            trace.queue = None;
        }
    }

    /// It waits for a permit to write, or does so no longer.
    pub fn awaits_permit(&self, id: &DeploymentId, waits: bool) {
        if let Some(Trace { root, permit, .. }) = lock(&self.0).get_mut(id) {
            *permit = waits.then(|| {
                let wait = || info_span!(target: TARGET, parent: &*root, "permit");
                permit.take().unwrap_or_else(wait)
            });
        }
    }

    /// The first span of its trace; outside of one, none.
    #[must_use]
    pub fn of(&self, id: &DeploymentId) -> Span {
        lock(&self.0).get(id).map_or_else(Span::none, |trace| trace.root.clone())
    }

    /// What happens here, for many deployments at once or before there was a trace, has told something of it.
    pub fn link(&self, id: &DeploymentId) {
        let (root, here) = (self.of(id), Span::current());
        if !here.is_disabled() && here != root {
            root.follows_from(&here);
        }
    }

    /// All is done and told, unless it is queued again.
    pub fn end(&self, id: &DeploymentId) {
        let mut traces = lock(&self.0);
        if traces.get(id).is_some_and(|trace| trace.queue.is_none()) {
            traces.remove(id);
        }
    }

    /// Nothing of this goes on.
    pub fn end_all(&self) {
        lock(&self.0).clear();
    }
}

/// The span of one HTTP request, a child of what happens here. `name` is the method, and what it is sent to, without ids.
#[must_use]
pub fn request(method: &'static str, name: &'static str, template: &'static str) -> Span {
    info_span!(
        target: TARGET,
        "request",
        otel.name = name,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method,
        url.template = template,
        http.response.status_code = Empty,
        error.type = Empty,
        server.address = Empty,
        server.port = Empty,
        request_id = Empty,
        deployment_id = Empty,
        namespace = Empty,
        name = Empty,
    )
}

/// A request was answered.
pub fn answered(request: &Span, code: u16) {
    request.record("http.response.status_code", i64::from(code));
}

/// A request has failed, in a word: never what the other side has written.
pub fn failed(request: &Span, why: &str) {
    request.record("error.type", why);
    request.record("otel.status_code", "ERROR");
}
