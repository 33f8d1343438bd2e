//! The shipped operator between a Kubernetes API server in memory and a simulator in the same process, on
//! tokio's paused clock: time passes as fast as nothing happens, and any message can be held back.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use apiserver::{ApiServer, Entry, Objects, Verb};
use qoder_operator::{
    context::Context,
    controller::{Controller, Died, View},
    env::Env,
    kubernetes,
    metrics::{Metrics, Snapshot},
    qoder::{BaseUrl, Client, Token, TokenSource},
    remote::{Account, Rates},
    times::Times,
};
use qoder_simulator::{Config, Operation, Settings, Simulator};
use serde_json::{Value, json};
use testbed::Canary;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    log::{keep_log_of, log},
    wire::Wire,
};

pub const NAMESPACE: &str = "agents";
pub use testbed::canary::TOKEN;

/// P.
pub const POLL: Duration = Duration::from_secs(30);
pub const TIMES: Times = Times { poll_interval: POLL, request_timeout: Duration::from_secs(15) };

/// How a bed begins.
pub struct Setup {
    pub times: Times,
    pub simulator: Config,
    pub namespaces: Vec<String>,
    pub token: TokenSource,
    pub seed: u64,
}

impl Setup {
    /// So many active deployments.
    pub fn with(deployments: usize) -> Self {
        let simulator = Config { token: TOKEN.to_owned(), ..Config::with_deployments(deployments) };
        let token = TokenSource::Environment(Token::parse(TOKEN.as_bytes()));
        Self { times: TIMES, simulator, namespaces: Vec::new(), token, seed: 7 }
    }
}

pub struct Bed {
    pub server: ApiServer,
    pub simulator: Simulator,
    pub wire: Wire,
    /// All deployments of the account, the oldest first.
    pub ids: Vec<String>,
    pub metrics: Arc<Metrics>,
    setup: Setup,
    operator: Option<Running>,
}

struct Running {
    view: View,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Died>>,
}

impl Bed {
    /// A running operator for so many active deployments, and no resource.
    pub async fn with(deployments: usize) -> Self {
        let mut bed = Self::prepare(Setup::with(deployments)).await;
        bed.run();
        bed
    }

    /// Both servers, and no operator yet.
    pub async fn prepare(setup: Setup) -> Self {
        let simulator = Simulator::start(setup.simulator.clone()).await.unwrap();
        Self {
            server: ApiServer::new(),
            wire: Wire::new(simulator.clone(), setup.times.request_timeout),
            ids: simulator.ids(),
            simulator,
            metrics: Arc::default(),
            setup,
            operator: None,
        }
    }

    /// Both sides take a moment for each request: of two things at the same instant none comes first.
    pub fn slow_down(&self) {
        self.server.set_latency(Duration::from_millis(20));
        let slow = Settings { latency: Duration::from_millis(50), ..self.simulator.settings() };
        self.simulator.set_settings(slow).unwrap();
    }

    /// Starts the operator.
    pub fn run(&mut self) {
        let Setup { times, namespaces, token, seed, .. } = &self.setup;
        let env = Env::seeded(*seed, "2026-07-01T02:00:00Z".parse().unwrap());
        let base_url = BaseUrl::parse(&self.simulator.base_url(), false).unwrap();
        let qoder = Client::new(Arc::new(self.wire.clone()), base_url, None, env.clone());
        let rates = Rates { reads_per_second: 50, writes_per_second: 20 };
        let account = Account::new(token.clone(), rates, *times);
        let metrics = Arc::clone(&self.metrics);
        let context = Context { metrics, ..Context::new(env, *times) };
        let client = kubernetes::bounded(self.server.service(), "default");
        let controller = Controller::new(client, qoder, account, namespaces.clone(), context);
        let view = controller.view();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(controller.run(stopped));
        self.operator = Some(Running { view, stop, task });
    }

    /// SIGTERM; returns when the operator has ended.
    pub async fn stop(&mut self) -> Result<(), Died> {
        let Running { stop, task, .. } = self.operator.take().unwrap();
        stop.send_replace(true);
        task.await.unwrap()
    }

    /// Returns when the operator has ended by itself.
    pub async fn ended(&mut self) -> Result<(), Died> {
        let Running { task, stop, .. } = self.operator.take().unwrap();
        let ended = task.await.unwrap();
        drop(stop);
        ended
    }

    /// SIGKILL: the operator does nothing more.
    pub async fn kill(&mut self) {
        let Running { task, .. } = self.operator.take().unwrap();
        task.abort();
        let _ = task.await;
    }

    /// What `/readyz` says is missing.
    pub fn missing(&self) -> Vec<String> {
        let checks = self.operator.as_ref().unwrap().view.checks().into_iter();
        checks.filter_map(|check| Some(format!("{}: {}", check.name, check.fault?))).collect()
    }

    /// What the metrics say now.
    pub fn counted(&self) -> Snapshot {
        self.operator.as_ref().unwrap().view.snapshot()
    }

    /// `kubectl apply` of a resource for the `n`th deployment.
    pub fn apply(&self, name: &str, n: usize, paused: Option<bool>) {
        let mut spec = json!({ "deploymentID": self.ids[n] });
        if let Some(paused) = paused {
            spec["paused"] = json!(paused);
        }
        let metadata = json!({ "namespace": NAMESPACE, "name": name });
        self.server.deployments().apply(json!({ "metadata": metadata, "spec": spec })).unwrap();
    }

    pub fn flip(&self, name: &str, paused: bool) {
        self.edit(name, |object| object["spec"]["paused"] = json!(paused));
    }

    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.server.deployments().edit(NAMESPACE, name, change).unwrap();
    }

    pub fn annotate(&self, name: &str, annotation: &str, value: &str) {
        let key = format!("cloud.qoder.com/{annotation}");
        self.server.deployments().annotate(NAMESPACE, name, &key, value).unwrap();
    }

    pub fn delete(&self, name: &str) {
        self.server.deployments().delete(NAMESPACE, name).unwrap();
    }

    pub fn object(&self, name: &str) -> Value {
        self.server.deployments().get(NAMESPACE, name).unwrap_or_default()
    }

    /// Lets so much time pass, and all that happens in it.
    pub async fn pass(&self, time: Duration) {
        sleep(time).await;
    }

    /// Lets everything happen that needs no time but the gathering of demands.
    pub async fn rest(&self) {
        sleep(Duration::from_millis(500)).await;
    }

    /// Ready, as `True InSync`; with an asterisk if it is not about the present generation.
    pub fn ready(&self, name: &str) -> String {
        let object = self.object(name);
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
        let Some(ready) = ready else { return "none".to_owned() };
        let is_present = ready["observedGeneration"] == object["metadata"]["generation"];
        let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}{}", text("status"), text("reason"), if is_present { "" } else { "*" })
    }

    pub fn message(&self, name: &str) -> String {
        let object = self.object(name);
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready");
        ready.unwrap_or_default()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until Ready is so; at the latest then.
    pub async fn until(&self, name: &str, ready: &str, latest: Duration) {
        let every = Duration::from_millis(10);
        if !self.becomes(|| self.ready(name) == ready, every, latest).await {
            let now = self.ready(name);
            panic!("{name} is {now:?} and not {ready:?} after {latest:?}; {:#?}", self.calls());
        }
    }

    /// Waits until something of `r0` or the first deployment is so, and looks at it that often.
    pub async fn until_so(&self, is_so: impl Fn() -> bool, every: Duration, latest: Duration) {
        if !self.becomes(is_so, every, latest).await {
            let (r0, remote) = (self.ready("r0"), self.remote(0));
            panic!("r0 is {r0}, the remote is {remote}: {:#?}", self.calls());
        }
    }

    /// Waits until it is so, and looks at it that often. Returns whether it was so in time.
    async fn becomes(&self, is_so: impl Fn() -> bool, every: Duration, latest: Duration) -> bool {
        let deadline = Instant::now() + latest;
        while !is_so() {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(every).await;
        }
        true
    }

    /// The calls to the remote so far, as `pause 0 200`: what, for which deployment, the answer.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.simulator.journal().into_iter().map(|entry| {
            let operation = serde_json::to_value(entry.operation).unwrap();
            let id = entry.id.and_then(|id| self.ids.iter().position(|known| *known == id));
            let id = id.map_or(String::new(), |n| format!(" {n}"));
            let status = entry.status.map_or("-".to_owned(), |status| status.to_string());
            format!("{}{id} {status}", operation.as_str().unwrap())
        });
        calls.collect()
    }

    /// Those that are writes.
    pub fn writes(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| call.contains("pause")).collect()
    }

    /// How many reads were made.
    pub fn reads(&self) -> usize {
        let journal = self.simulator.journal();
        let is_read = |operation| matches!(operation, Operation::Get | Operation::List);
        journal.iter().filter(|entry| is_read(entry.operation)).count()
    }

    /// The status applies of this resource so far.
    pub fn status_writes(&self, name: &str) -> Vec<Entry> {
        let journal = self.server.journal().into_iter();
        let is_status = |entry: &Entry| entry.verb == Verb::Patch && entry.subresource == "status";
        journal.filter(|entry| is_status(entry) && entry.name == name).collect()
    }

    /// Forgets what was called so far on both sides, and returns how many writes Kubernetes has had.
    pub fn forget(&self) -> usize {
        self.simulator.clear_journal();
        self.server.writes().len()
    }

    /// `active` or `paused`, as the remote has it.
    pub fn remote(&self, n: usize) -> String {
        let deployment = self.simulator.deployment(&self.ids[n]).unwrap();
        deployment["status"].as_str().unwrap_or_default().to_owned()
    }

    /// The reasons of the events about a resource.
    pub fn events(&self, name: &str) -> Vec<String> {
        let events = self.server.events().list().into_iter();
        let about = events.filter(|event| event["regarding"]["name"] == name);
        about.map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Bed {
    /// The token is in nothing that went to Kubernetes or stands there, in no metric, and not in what `/readyz` says.
    fn leaks_nothing(&self) {
        let canary = Canary::default();
        canary.add(TOKEN);
        let sent = self.server.journal().into_iter().map(|entry| entry.body.to_string());
        let objects = [self.server.deployments(), self.server.events(), self.server.leases()];
        let stands = objects.iter().flat_map(Objects::list).map(|object| object.to_string());
        let mut text: Vec<_> = sent.chain(stands).collect();
        if let Some(Running { view, .. }) = &self.operator {
            text.push(self.metrics.encode(&view.snapshot()).unwrap());
            text.extend(view.checks().iter().map(|check| format!("{check:?}")));
        }
        canary.must_not_be_in("what the operator said", &text.join("\n"));
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.leaks_nothing();
        if let Some(Running { task, .. }) = &self.operator
            && task.is_finished()
            && !std::thread::panicking()
        {
            panic!("the operator ended by itself");
        }
    }
}

/// Does something when so much time has passed, while the story goes on.
pub fn later(time: Duration, act: impl FnOnce() + Send + 'static) {
    tokio::spawn(async move {
        sleep(time).await;
        act();
    });
}

/// Runs one case on a clock of its own. The token is in no line that was logged in it.
pub fn in_virtual_time<T>(case: impl Future<Output = T>) -> T {
    keep_log_of(LevelFilter::INFO);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let ended = runtime.enable_all().start_paused(true).build().unwrap().block_on(case);
    let canary = Canary::default();
    canary.add(TOKEN);
    canary.must_not_be_in("what was logged", &log());
    ended
}

/// Checks cases side by side, on as many threads as there are processors.
pub fn in_parallel<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(case);
                }
            });
        }
    });
}
