//! What `kube::Client` sends requests to: each runs as a task of its own, from its arrival to its
//! answer. A request that was sent takes effect even when its client has given up waiting.

use std::{
    future::pending,
    io,
    panic::resume_unwind,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request as HttpRequest, Response, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::client::Body;
use tokio::{sync::oneshot, time::sleep};

use crate::{
    failure::Failure,
    feed,
    journal::Entry,
    request::{Request, Verb},
    rule::{Fate, Moment},
    server::{State, lock},
    write::Reply,
};

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// A tower service: one request in, one answer out.
#[derive(Clone)]
pub struct Service(pub(crate) Arc<Mutex<State>>);

impl tower_service::Service<HttpRequest<Body>> for Service {
    type Response = Answer;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Answer>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.map_err(io::Error::other)?;
            let request = HttpRequest::from_parts(parts, body);
            tokio::spawn(service.answer(request)).await.map_err(io::Error::other)?
        })
    }
}

impl Service {
    async fn answer(self, http: HttpRequest<Bytes>) -> io::Result<Answer> {
        let outage = Arc::clone(&lock(&self.0).outage).notified_owned();
        if !lock(&self.0).is_up {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let request = match Request::read(&http) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(not_served()),
            Err(failure) => return Ok(refuse(&failure)),
        };
        tokio::select! {
            biased;
            () = outage => Err(io::ErrorKind::ConnectionReset.into()),
            answer = self.on_its_way(request) => answer,
        }
    }

    /// From arrival to answer, through the faults that a test has set.
    async fn on_its_way(&self, request: Request) -> io::Result<Answer> {
        let (entry, rules) = {
            let mut state = lock(&self.0);
            let at = state.store.clock.elapsed();
            state.journal.push(Entry::new(at, &request));
            (state.journal.len() - 1, state.rules_for(&request))
        };
        let of = |moment| rules.iter().filter(move |rule| rule.1 == moment);
        let mut answer = None;
        for (rule, _, fate) in of(Moment::Before) {
            if let Some(failure) = self.meet(*rule, fate.clone()).await? {
                answer = Some(Err(failure));
                break;
            }
        }
        let mut answer = match answer {
            Some(answer) => answer,
            None => self.serve(&request, entry),
        };
        let latency = lock(&self.0).latency;
        if !latency.is_zero() {
            sleep(latency).await;
        }
        for (rule, _, fate) in of(Moment::After) {
            if let Some(failure) = self.meet(*rule, fate.clone()).await? {
                answer = Err(failure);
            }
        }
        let answer = answer.unwrap_or_else(|failure| refuse(&failure));
        if let Some(entry) = lock(&self.0).journal.get_mut(entry) {
            entry.code = Some(answer.status().as_u16());
        }
        Ok(answer)
    }

    /// Meets a rule. `Some`: the answer that it gives.
    async fn meet(&self, rule: u64, fate: Fate) -> io::Result<Option<Failure>> {
        let held = {
            let mut state = lock(&self.0);
            let Some(rule) = state.rules.iter_mut().find(|kept| kept.id == rule) else {
                return Ok(None);
            };
            rule.arrivals.send_modify(|arrivals| *arrivals += 1);
            matches!(fate, Fate::Hold).then(|| {
                let (release, held) = oneshot::channel();
                rule.held.push(release);
                held
            })
        };
        let fate = match held {
            // Without a server there is nobody to release it.
            Some(held) => held.await.unwrap_or(Fate::Drop),
            None => fate,
        };
        match fate {
            Fate::Pass | Fate::Hold => Ok(None),
            Fate::Delay(duration) => {
                sleep(duration).await;
                Ok(None)
            }
            Fate::Drop => Err(io::ErrorKind::ConnectionReset.into()),
            Fate::Silence => pending().await,
            Fate::Fail(failure) => Ok(Some(failure)),
            Fate::Panic => resume_unwind(Box::new("as a test has asked for")),
        }
    }

    /// The effect: at one moment, and whole.
    fn serve(&self, request: &Request, entry: usize) -> Result<Answer, Failure> {
        let mut state = lock(&self.0);
        state.check_rights(request)?;
        if request.verb == Verb::Watch {
            let feed = state.open_feed(request)?;
            let body = StreamBody::new(feed::body(Arc::clone(&self.0), feed));
            return Ok(Response::new(body.boxed_unsync()));
        }
        let before = state.store.revision();
        let reply = state.serve(request)?;
        let changed = state.store.revision() != before;
        if let Some(entry) = state.journal.get_mut(entry) {
            entry.changed = changed;
        }
        Ok(reply.into_answer())
    }
}

fn json(code: u16, body: Vec<u8>) -> Answer {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    let value = header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, value);
    answer
}

impl Reply {
    fn into_answer(self) -> Answer {
        let mut answer = json(self.code, self.body.to_string().into_bytes());
        for warning in self.warnings {
            if let Ok(value) = format!("299 - {warning:?}").parse() {
                answer.headers_mut().append(header::WARNING, value);
            }
        }
        answer
    }
}

fn refuse(failure: &Failure) -> Answer {
    json(failure.code, failure.body().to_string().into_bytes())
}

fn not_served() -> Answer {
    json(404, b"404 page not found\n".to_vec())
}
