//! The way to the remote: the simulator in the same process, and a gate in front of it where a test can hold
//! a request back, before its effect or after it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use qoder_operator::qoder::{MaxBody, SendError, Transport};
use qoder_simulator::Simulator;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::death::Death;

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
    /// These requests find nobody to connect to: one of each kind, after so many others of it.
    refused: Arc<Mutex<Vec<(Kind, usize)>>>,
    /// When the process that sends is killed.
    pub death: Death,
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
            refused: Arc::default(),
            death: Death::default(),
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

    /// A request of this kind finds nobody to connect to, after so many others of it.
    pub fn refuse(&self, kind: Kind, after: usize) {
        self.refused.lock().unwrap().push((kind, after));
    }

    /// Whether a request that was to find nobody has not come.
    pub fn is_refusal_pending(&self) -> bool {
        !self.refused.lock().unwrap().is_empty()
    }

    /// Whether this one finds nobody.
    fn refuses(&self, kind: Kind) -> bool {
        let mut refused = self.refused.lock().unwrap();
        let of_kind = refused.iter().position(|(refused, _)| *refused == kind);
        let Some(position) = of_kind else { return false };
        let is_due = refused[position].1 == 0;
        if is_due {
            refused.remove(position);
        } else {
            refused[position].1 -= 1;
        }
        is_due
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
            if self.refuses(kind) {
                return Err(SendError::NotSent("connection refused".into()));
            }
            let limit = request.extensions().get::<MaxBody>().map_or(usize::MAX, |max| max.0);
            let what = format!("{} {}", request.method(), request.uri().path());
            self.sent.lock().unwrap().push((Instant::now(), kind));
            let breaks = self.breaks.lock().unwrap().take_if(|breaks| *breaks == kind);
            let wire = self.clone();
            // What was sent takes effect, also when nobody waits for it any more.
            let exchange = tokio::spawn(async move {
                let death = wire.death.clone();
                let exchange = async move {
                    wire.meet(kind, Moment::Before).await;
                    let answer = wire.simulator.handle(request).await;
                    wire.meet(kind, Moment::After).await;
                    answer
                };
                death.around(what, exchange).await
            });
            assert!(breaks.is_none(), "as it should");
            let answer = timeout(self.request_timeout, exchange).await;
            let answer = answer.map_err(|_| SendError::TimedOut)?.unwrap();
            let answer = answer.map_err(|cut| SendError::Broken(cut.into()))?;
            if answer.body().len() > limit { Err(SendError::TooLarge(limit)) } else { Ok(answer) }
        })
    }
}
