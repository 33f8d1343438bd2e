//! The way of one process to the remote: the simulator's own code, and a network in front of it.

use std::future::pending;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use qoder_operator::{
    qoder::{MaxBody, SendError, Transport, Verb},
    times::Times,
};
use qoder_simulator::Simulator;
use tokio::time::{sleep, timeout};

use crate::{
    gate::Gate,
    monitor::{Call, Monitor, Ticket},
    net::{Class, Fate, Net},
};

/// The transport of one process.
#[derive(Clone)]
pub struct Wire {
    pub process: usize,
    pub simulator: Simulator,
    pub net: Net,
    pub gate: Gate,
    pub monitor: Monitor,
    pub times: Times,
}

/// What is asked, of which deployment.
pub fn call(request: &Request<Bytes>) -> Call {
    let path = request.uri().path();
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or_default();
    match (request.method(), last) {
        (&Method::POST, "pause" | "unpause") => {
            let verb = if last == "pause" { Verb::Pause } else { Verb::Unpause };
            Call::Post(verb, parts.next().unwrap_or_default().to_owned())
        }
        (_, "deployments") => {
            let query = request.uri().query().unwrap_or_default();
            Call::List { is_of_half: query.contains("status=") }
        }
        _ => Call::Get(last.to_owned()),
    }
}

fn broken() -> SendError {
    SendError::Broken("the connection broke".into())
}

/// A request that was sent. Who leads no more gives up what it waits for.
struct Sent {
    wire: Wire,
    call: Call,
    /// `None`: it has ended.
    ticket: Option<Ticket>,
}

impl Sent {
    fn ends(&mut self, answer: &Result<Response<Bytes>, SendError>) {
        if let Some(ticket) = self.ticket.take() {
            self.wire.monitor.answered(self.wire.process, &self.call, ticket, answer);
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if self.wire.monitor.leads(self.wire.process) {
            // It has no reason to, or it is killed: that is accounted for elsewhere.
            return;
        }
        self.ends(&Err(SendError::Broken("it is given up".into())));
    }
}

impl Wire {
    /// From the process to the remote and back.
    async fn exchange(
        self,
        call: Call,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, SendError> {
        let class = match call {
            Call::Get(_) => Class::Get,
            Call::List { .. } => Class::List,
            Call::Post(..) => Class::Post,
        };
        let fate = self.net.fate(class);
        sleep(self.net.latency(class)).await;
        match fate {
            Fate::Refused => return Err(SendError::NotSent("connection refused".into())),
            Fate::LostBefore => return Err(broken()),
            Fate::SilentBefore => pending().await,
            Fate::Late(by) => sleep(by).await,
            _ => {}
        }
        if self.gate.now().is_forgotten {
            return pending().await;
        }
        // Nothing in the simulator waits: what it does happens at this moment.
        let answer = self.monitor.lands(&self.simulator, self.process, &call, request).await;
        match fate {
            Fate::LostAfter => return Err(broken()),
            Fate::SilentAfter => pending().await,
            Fate::LateAnswer(by) => sleep(by).await,
            Fate::RunFails(by) => {
                if let Call::Post(Verb::Unpause, id) = &call {
                    self.monitor.run_fails(&self.simulator, id);
                }
                sleep(by).await;
            }
            _ => {}
        }
        sleep(self.net.latency(class)).await;
        answer.map_err(|cut| SendError::Broken(cut.into()))
    }
}

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(async move {
            let call = call(&request);
            if self.gate.now().is_frozen {
                // A process that is frozen sends nothing. What it would have sent is void when it wakes.
                self.gate.open(|now| !now.is_frozen).await;
                return Err(SendError::NotSent("it was frozen".into()));
            }
            let limit = request.extensions().get::<MaxBody>().map_or(usize::MAX, |max| max.0);
            let ticket = Some(self.monitor.sends(self.process, &call));
            let mut sent = Sent { wire: self.clone(), call: call.clone(), ticket };
            let exchange = tokio::spawn(self.clone().exchange(call, request));
            let answer = match timeout(self.times.request_timeout, exchange).await {
                Err(_) => Err(SendError::TimedOut),
                Ok(Ok(Ok(answer))) if answer.body().len() > limit => {
                    Err(SendError::TooLarge(limit))
                }
                Ok(answer) => answer.unwrap_or_else(|_| Err(broken())),
            };
            self.gate.open(|now| !now.is_frozen).await;
            sent.ends(&answer);
            answer
        })
    }
}
