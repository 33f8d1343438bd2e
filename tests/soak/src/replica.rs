//! One process: the shipped operator, whole, with its own clock.

use std::{sync::Arc, time::Duration};

use apiserver::ApiServer;
use futures::FutureExt as _;
use jiff::Timestamp;
use qoder_operator::{
    context::Context,
    controller::{Controller, Died},
    env::Env,
    kubernetes,
    leader::{Claim, Elector, LeaseTimes},
    qoder::{BaseUrl, Client, Token, TokenSource},
    remote::{Account, Rates},
    times::Times,
};
use qoder_simulator::Simulator;
use tokio::{sync::watch, task::JoinHandle};

use crate::{gate::Gate, link::Link, monitor::Monitor, net::Net, wire::Wire};

pub const TOKEN: &str = "pt-obviously-fake";
/// P and T.
pub const TIMES: Times =
    Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };

/// What all processes share.
#[derive(Clone)]
pub struct Surroundings {
    pub server: ApiServer,
    pub simulator: Simulator,
    pub net: Net,
    pub monitor: Monitor,
    pub is_pair: bool,
    /// How many times longer than usual a leader may be silent.
    pub patience: u32,
    pub seed: u64,
}

/// What its name in the Lease begins with.
pub fn identity(process: usize) -> String {
    format!("r{process}")
}

pub struct Replica {
    pub gate: Gate,
    pub claim: Claim,
    /// How long after a renewal of its Lease nobody else leads, whatever their clocks. `None`: there is no election.
    pub lease: Option<Duration>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Died>>,
}

impl Replica {
    /// Starts the `n`th process. `clock`: how fast its clock goes, in thousandths.
    ///
    /// A process whose clock goes fast is one whose every time is short.
    pub fn start(around: &Surroundings, process: usize, clock: u32) -> Option<Self> {
        let scaled = |time: Duration| time * 1000 / clock;
        let times = Times {
            poll_interval: scaled(TIMES.poll_interval),
            request_timeout: scaled(TIMES.request_timeout),
        };
        // Those of client-go, times this.
        let seconds = |n: u32| scaled(Duration::from_secs(1)) * n * around.patience;
        let lease = LeaseTimes {
            lease_duration: seconds(15),
            renew_deadline: seconds(10),
            retry_period: seconds(2),
        };
        let seed = around.seed.wrapping_mul(31).wrapping_add(process as u64);
        // The wall clock of each machine is another one.
        let epoch = Timestamp::from_second(1_782_871_200 + 3_000 * [0, 1, 2][process % 3]).ok()?;
        let env = Env::seeded(seed, epoch);
        let gate = Gate::default();
        let Surroundings { server, simulator, net, monitor, .. } = around.clone();
        let wire = Wire {
            process,
            simulator,
            net: net.clone(),
            gate: gate.clone(),
            monitor: monitor.clone(),
            times,
        };
        let link = Link { process, server: server.service(), net, gate: gate.clone(), monitor };
        let base_url = BaseUrl::parse(&around.simulator.base_url(), false).ok()?;
        let qoder = Client::new(Arc::new(wire), base_url, None, env.clone());
        let rates = Rates { reads_per_second: 50, writes_per_second: 20 };
        let token = TokenSource::Environment(Token::parse(TOKEN.as_bytes()));
        let account = Account::new(token, rates, times);
        let client = kubernetes::bounded(link, "default");
        let mut context = Context::new(env.clone(), times);
        let elector = around.is_pair.then(|| {
            let lifetime = times.request_lifetime();
            let name = identity(process);
            Elector::new(client.clone(), ("default", "lease"), &name, lease, lifetime, env)
        });
        if let Some(elector) = &elector {
            context.claim = elector.claim();
        }
        // It reads ahead of most of them, or of the last ones.
        context.many = 1 + process % 4;
        let claim = context.claim.clone();
        let controller = Controller::new(client, qoder, account, Vec::new(), context);
        let controller = match elector {
            Some(elector) => controller.elected(elector),
            None => controller,
        };
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(controller.run(stopped));
        let lease = around.is_pair.then(|| lease.lease_duration.mul_f64(0.94));
        Some(Self { gate, claim, lease, stop, task })
    }

    /// Why it has ended by itself, if it has.
    pub fn ended(&mut self) -> Option<String> {
        let ended = (&mut self.task).now_or_never()?;
        Some(format!("{ended:?}"))
    }

    /// SIGKILL.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// SIGTERM, and SIGKILL after `patience`, as a Pod is ended.
    pub async fn stop(mut self, patience: Duration) {
        self.stop.send_replace(true);
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.kill().await;
        }
    }
}
