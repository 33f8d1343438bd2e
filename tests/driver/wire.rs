//! The way to the remote: the simulator in the same process, and a gate in front of it where a test can hold
//! a request back, before its effect or after it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use qoder_operator::qoder::{SendError, Transport};
use qoder_simulator::Simulator;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GET of one deployment.
    Get,
    /// GET of a page.
    List,
    /// POST.
    Write,
}

impl Kind {
    fn of(request: &Request<Bytes>) -> Self {
        match (request.method(), request.uri().path().ends_with("/deployments")) {
            (&Method::POST, _) => Self::Write,
            (_, true) => Self::List,
            (_, false) => Self::Get,
        }
    }
}

/// When a held request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before it takes effect.
    Before,
    /// With its answer.
    After,
}

#[derive(Clone)]
struct Rule {
    kind: Kind,
    moment: Moment,
    held: Arc<Mutex<Option<Vec<oneshot::Sender<()>>>>>,
}

/// The transport.
#[derive(Clone)]
pub struct Wire {
    simulator: Simulator,
    request_timeout: Duration,
    rules: Arc<Mutex<Vec<Rule>>>,
    /// The next request of this kind breaks the task that sends it.
    breaks: Arc<Mutex<Option<Kind>>>,
    /// When each request left, and what it was.
    sent: Arc<Mutex<Vec<(Instant, Kind)>>>,
}

/// Requests that are held back until this is released or dropped.
pub struct Held(Rule);

impl Held {
    /// Lets go what is held, in the order in which it came, and holds nothing more.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let held = self.0.held.lock().unwrap().take();
        for waiting in held.into_iter().flatten() {
            let _ = waiting.send(());
        }
    }
}

impl Wire {
    pub fn new(simulator: Simulator, request_timeout: Duration) -> Self {
        Self {
            simulator,
            request_timeout,
            rules: Arc::default(),
            breaks: Arc::default(),
            sent: Arc::default(),
        }
    }

    /// Holds all requests of a kind from now on.
    pub fn hold(&self, kind: Kind, moment: Moment) -> Held {
        let rule = Rule { kind, moment, held: Arc::new(Mutex::new(Some(Vec::new()))) };
        self.rules.lock().unwrap().push(rule.clone());
        Held(rule)
    }

    /// The next request of this kind breaks the task that sends it, right after it was sent.
    pub fn break_next(&self, kind: Kind) {
        *self.breaks.lock().unwrap() = Some(kind);
    }

    /// When each request of this kind left.
    pub fn sent(&self, kind: Kind) -> Vec<Instant> {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|(_, sent)| *sent == kind).map(|(at, _)| *at).collect()
    }

    async fn meet(&self, kind: Kind, moment: Moment) {
        let rules = self.rules.lock().unwrap().clone();
        for rule in rules.into_iter().filter(|rule| rule.kind == kind && rule.moment == moment) {
            let (release, released) = oneshot::channel();
            if let Some(held) = &mut *rule.held.lock().unwrap() {
                held.push(release);
            } else {
                continue;
            }
            let _ = released.await;
        }
    }
}

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(async move {
            let kind = Kind::of(&request);
            self.sent.lock().unwrap().push((Instant::now(), kind));
            let breaks = self.breaks.lock().unwrap().take_if(|breaks| *breaks == kind);
            let wire = self.clone();
            // What was sent takes effect, also when nobody waits for it any more.
            let exchange = tokio::spawn(async move {
                wire.meet(kind, Moment::Before).await;
                let answer = wire.simulator.handle(request).await;
                wire.meet(kind, Moment::After).await;
                answer
            });
            assert!(breaks.is_none(), "as it should");
            let answer = timeout(self.request_timeout, exchange).await;
            let answer = answer.map_err(|_| SendError::TimedOut)?.unwrap();
            answer.map_err(|cut| SendError::Broken(cut.into()))
        })
    }
}
