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
    sync::watch,
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
    is_held: watch::Receiver<bool>,
}

/// The transport.
#[derive(Clone)]
pub struct Wire {
    simulator: Simulator,
    request_timeout: Duration,
    rules: Arc<Mutex<Vec<Rule>>>,
    /// When each request left, and what it was.
    sent: Arc<Mutex<Vec<(Instant, Kind)>>>,
}

/// Requests that are held back until this is released or dropped.
pub struct Held {
    release: watch::Sender<bool>,
}

impl Held {
    pub fn release(self) {
        self.release.send_replace(false);
    }
}

impl Wire {
    pub fn new(simulator: Simulator, request_timeout: Duration) -> Self {
        Self { simulator, request_timeout, rules: Arc::default(), sent: Arc::default() }
    }

    /// Holds all requests of a kind from now on.
    pub fn hold(&self, kind: Kind, moment: Moment) -> Held {
        let (release, is_held) = watch::channel(true);
        self.rules.lock().unwrap().push(Rule { kind, moment, is_held });
        Held { release }
    }

    /// When each request of this kind left.
    pub fn sent(&self, kind: Kind) -> Vec<Instant> {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|(_, sent)| *sent == kind).map(|(at, _)| *at).collect()
    }

    async fn meet(&self, kind: Kind, moment: Moment) {
        let rules = self.rules.lock().unwrap().clone();
        for mut rule in rules.into_iter().filter(|rule| rule.kind == kind && rule.moment == moment)
        {
            // Who drops it releases it.
            let _ = rule.is_held.wait_for(|is_held| !is_held).await;
        }
    }
}

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(async move {
            let kind = Kind::of(&request);
            self.sent.lock().unwrap().push((Instant::now(), kind));
            let wire = self.clone();
            // What was sent takes effect, also when nobody waits for it any more.
            let exchange = tokio::spawn(async move {
                wire.meet(kind, Moment::Before).await;
                let answer = wire.simulator.handle(request).await;
                wire.meet(kind, Moment::After).await;
                answer
            });
            let answer = timeout(self.request_timeout, exchange).await;
            let answer = answer.map_err(|_| SendError::TimedOut)?.unwrap();
            answer.map_err(|cut| SendError::Broken(cut.into()))
        })
    }
}
