//! Several replicas of the operator, each with connections of its own, on the two servers of a bed.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use apiserver::Service;
use http::{Method, Request};
use kube::client::Body;
use qoder_operator::{
    context::Context,
    controller::{Controller, Died, View},
    env::Env,
    kubernetes,
    leader::{Claim, Elector, LeaseTimes},
    metrics::{Metrics, Snapshot},
    qoder::{BaseUrl, Client, Token, TokenSource},
    remote::{Account, Rates},
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    bed::{Bed, Setup, TIMES, TOKEN},
    death::Death,
    wire::Wire,
};

const SECOND: Duration = Duration::from_secs(1);

pub const LEASE_TIMES: LeaseTimes = LeaseTimes {
    lease_duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry_period: Duration::from_secs(2),
};

/// One replica.
pub struct Replica {
    pub wire: Wire,
    pub link: Link,
    pub metrics: Arc<Metrics>,
    pub claim: Claim,
    view: View,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Died>>,
}

impl Replica {
    /// Starts one with the times of client-go.
    pub fn start(bed: &Bed, name: &str) -> Self {
        Self::start_with(bed, name, LEASE_TIMES)
    }

    pub fn start_with(bed: &Bed, name: &str, times: LeaseTimes) -> Self {
        let seed = name.bytes().map(u64::from).sum();
        let day = if name == "tomorrow" { 2 } else { 1 };
        let env = Env::seeded(seed, format!("2026-07-0{day}T02:00:00Z").parse().unwrap());
        let base_url = BaseUrl::parse(&bed.simulator.base_url(), false).unwrap();
        let wire = Wire::new(bed.simulator.clone(), TIMES.request_timeout);
        let qoder = Client::new(Arc::new(wire.clone()), base_url, None, env.clone());
        let rates = Rates { reads_per_second: 50, writes_per_second: 20 };
        let token = TokenSource::Environment(Token::parse(TOKEN.as_bytes()));
        let account = Account::new(token, rates, TIMES);
        let death = wire.death.clone();
        let link = Link { server: bed.server.service(), is_cut: Arc::default(), death };
        let client = kubernetes::bounded(link.clone(), "default");
        let elector = Elector::new(
            client.clone(),
            ("default", "lease"),
            name,
            times,
            TIMES.request_lifetime(),
            env.clone(),
        );
        let metrics = Arc::<Metrics>::default();
        let claim = elector.claim();
        let context = Context {
            metrics: Arc::clone(&metrics),
            claim: claim.clone(),
            ..Context::new(env, TIMES)
        };
        let controller =
            Controller::new(client, qoder, account, Vec::new(), context).elected(elector);
        let view = controller.view();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(controller.run(stopped));
        Self { wire, link, metrics, claim, view, stop, task }
    }

    /// Whether it takes itself for the leader.
    pub fn leads(&self) -> bool {
        self.counted().leads
    }

    pub fn counted(&self) -> Snapshot {
        self.view.snapshot()
    }

    /// The lines of `/readyz?verbose`, and whether all is well.
    pub fn checks(&self) -> (Vec<String>, bool) {
        let checks = self.view.checks();
        let is_well = checks.iter().all(|check| check.fault.is_none());
        (checks.into_iter().map(|check| check.name).collect(), is_well)
    }

    /// SIGTERM; returns when it has ended.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap().unwrap();
    }

    /// SIGKILL.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// The way to the API server.
#[derive(Clone)]
pub struct Link {
    server: Service,
    is_cut: Arc<AtomicBool>,
    death: Death,
}

impl Link {
    /// Nothing comes through any more: neither requests nor answers, nor what a watch brings.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// What comes from now on goes through.
    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }
}

type Response = <Service as tower::Service<Request<Body>>>::Response;
type Error = <Service as tower::Service<Request<Body>>>::Error;

impl tower::Service<Request<Body>> for Link {
    type Response = Response;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let link = self.clone();
        let mut server = self.server.clone();
        Box::pin(async move {
            if link.is_cut() {
                return std::future::pending().await;
            }
            let what = format!("{} {}", request.method(), request.uri().path());
            let is_read = request.method() == Method::GET;
            let call = async move { tower::Service::call(&mut server, request).await };
            let answer = if is_read { call.await } else { link.death.around(what, call).await };
            // The answer of a request that is under way when the link is cut never comes.
            if link.is_cut() {
                return std::future::pending().await;
            }
            answer
        })
    }
}

/// Two replicas over so many active deployments with a resource each; the first leads.
pub async fn pair(n: usize) -> (Bed, Replica, Replica) {
    pair_of(n, LEASE_TIMES).await
}

/// The same; the first with these times.
pub async fn pair_of(n: usize, times: LeaseTimes) -> (Bed, Replica, Replica) {
    let bed = Bed::prepare(Setup::with(n)).await;
    let first = Replica::start_with(&bed, "first", times);
    bed.pass(5 * SECOND).await;
    let second = Replica::start(&bed, "second");
    for i in 0..n {
        bed.apply(&format!("r{i}"), i, Some(false));
    }
    bed.until(&format!("r{}", n - 1), "True InSync", 30 * SECOND).await;
    bed.pass(5 * SECOND).await;
    assert!(first.leads() && !second.leads());
    bed.forget();
    (bed, first, second)
}

/// Lets time pass, and looks all the time that not both lead. Returns how long none did.
pub async fn pass(bed: &Bed, first: &Replica, second: &Replica, time: Duration) -> Duration {
    let step = SECOND / 20;
    let mut without = Duration::ZERO;
    for _ in 0..time.as_millis() / step.as_millis() {
        bed.pass(step).await;
        assert!(!(first.claim.is_held() && second.claim.is_held()), "two lead");
        if !first.leads() && !second.leads() {
            without += step;
        }
    }
    without
}
