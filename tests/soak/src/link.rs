//! The way of one process to the Kubernetes API.

use std::{
    future::pending,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use apiserver::{Failure, Service};
use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::client::Body;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    gate::Gate,
    monitor::{Asked, Monitor},
    net::{Class, Fate, Net},
};

/// How long a call that gets no answer may take, and the next try after it.
pub const AGAIN: Duration = Duration::from_secs(20);
/// The same of a status that has failed again and again.
pub const STATUS_AGAIN: Duration = Duration::from_secs(80);
/// How long it may take until a watch that says nothing is given up.
pub const SILENCE: Duration = Duration::from_secs(80);

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// What a client sends its requests to.
#[derive(Clone)]
pub struct Link {
    pub process: usize,
    pub server: Service,
    pub net: Net,
    pub gate: Gate,
    pub monitor: Monitor,
}

fn asked(request: &Request<Bytes>) -> Asked {
    let path = request.uri().path();
    let parts: Vec<_> = path.trim_matches('/').split('/').collect();
    let at = |plural: &str| parts.iter().position(|part| *part == plural);
    let named =
        |plural: &str| at(plural).and_then(|n| parts.get(n + 1)).map(|name| (*name).to_owned());
    let class = if request.uri().query().is_some_and(|query| query.contains("watch=")) {
        Class::Watch
    } else if at("leases").is_some() {
        Class::Lease
    } else if at("events").is_some() {
        Class::Event
    } else if request.method() == Method::PATCH {
        Class::Status
    } else {
        Class::Read
    };
    let body = serde_json::from_slice(request.body()).unwrap_or_default();
    Asked { class, name: named("qoderdeployments"), body, at: Instant::now() }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

fn refusal(code: u16) -> Answer {
    let failure = Failure::new(code, "ServiceUnavailable", "a fault");
    let body = Full::new(Bytes::from(failure.body().to_string()));
    let mut answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    answer
}

impl Link {
    async fn exchange(mut self, request: Request<Bytes>) -> io::Result<Answer> {
        let asked = asked(&request);
        if self.gate.now().is_frozen {
            self.gate.open(|now| !now.is_frozen).await;
            return Err(reset());
        }
        self.monitor.asks(self.process, &asked);
        if self.gate.now().is_cut {
            return pending().await;
        }
        let fate = self.net.fate(asked.class);
        let disturbs = match fate {
            Fate::Passes => None,
            // No status waits for an event.
            _ if asked.class == Class::Event => None,
            _ if asked.class == Class::Status => Some(STATUS_AGAIN),
            Fate::Late(by) | Fate::LateAnswer(by) => Some(by + AGAIN),
            Fate::SilentAfter if asked.class == Class::Watch => Some(SILENCE),
            _ => Some(AGAIN),
        };
        if let Some(lasts) = disturbs {
            self.monitor.disturb_for(asked.name.as_deref(), lasts);
        }
        sleep(self.net.latency(asked.class)).await;
        match fate {
            Fate::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
            Fate::LostBefore => return Err(reset()),
            Fate::SilentBefore => return pending().await,
            Fate::Late(by) => sleep(by).await,
            Fate::Answered(code) => return Ok(refusal(code)),
            _ => {}
        }
        if self.gate.now().is_forgotten {
            return pending().await;
        }
        let request = request.map(Body::from);
        let answer = tower::Service::call(&mut self.server, request).await?;
        if asked.class == Class::Watch {
            sleep(self.net.latency(asked.class)).await;
            self.gate.open(|now| !now.is_frozen && !now.is_cut).await;
            return Ok(answer.map(|body| self.watched(body)));
        }
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        let object: Value = serde_json::from_slice(&body).unwrap_or_default();
        self.monitor.served(self.process, &asked, head.status, &object);
        match fate {
            Fate::LostAfter => return Err(reset()),
            Fate::SilentAfter => return pending().await,
            Fate::LateAnswer(by) => sleep(by).await,
            _ => {}
        }
        sleep(self.net.latency(asked.class)).await;
        if self.gate.now().is_cut {
            return pending().await;
        }
        self.gate.open(|now| !now.is_frozen).await;
        self.monitor.told(self.process, &asked, head.status, &object);
        let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
        Ok(Response::from_parts(head, body))
    }

    /// Its events take their time, and wait where the process cannot be reached.
    fn watched(self, body: UnsyncBoxBody<Bytes, io::Error>) -> UnsyncBoxBody<Bytes, io::Error> {
        let frames = stream::unfold((self, body), |(link, mut body)| async move {
            let frame = body.frame().await;
            sleep(link.net.latency(Class::Watch)).await;
            link.gate.open(|now| !now.is_frozen && !now.is_cut).await;
            Some((frame?, (link, body)))
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

impl tower::Service<Request<Body>> for Link {
    type Response = Answer;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Answer>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let link = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.map_err(io::Error::other)?;
            let request = Request::from_parts(head, body);
            // What was sent takes effect, also when nobody waits for it any more.
            tokio::spawn(link.exchange(request)).await.map_err(io::Error::other)?
        })
    }
}
