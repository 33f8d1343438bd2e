//! One run: both servers, the processes, and what a script lets happen to them, on one simulated clock.

use std::{collections::BTreeMap, time::Duration};

use apiserver::ApiServer;
use qoder_simulator::{Config, Simulator, Token};
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{Instant, advance, sleep_until},
};

use crate::{
    gate::Gate,
    link::{AGAIN, STATUS_AGAIN},
    monitor::{Monitor, Violation},
    net::Net,
    replica::{Replica, Surroundings, TOKEN},
    rest,
    script::{Event, MENDED, NAMES, RIGHT, ROUND, Script, TRUSTED},
};

pub const NAMESPACE: &str = "agents";
/// How often promises are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long a process may take to its end before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A line for each message and each step.
    pub log: String,
    /// What was broken, if anything.
    pub violation: Option<Violation>,
    /// How much time was simulated.
    pub simulated: Duration,
    /// How many requests were sent to change the remote, and how many statuses were applied.
    pub writes: (usize, usize),
}

/// What a world has on its agenda.
pub(crate) enum Act {
    Step(Event),
    /// All trouble is over.
    Mend,
    /// Nothing says any more that the token is not accepted.
    Trusted,
    /// Everything has to be right in this round. If it is for good, something is asked of all resources.
    Check(u32),
    /// What was asked for then has been done, and nothing happens from now on.
    Done,
    /// Nothing has happened.
    Calm,
    Begin(usize),
    Open(Gate),
    RemoteBack,
    Usual,
    NoLag,
    NoLimit,
    Accept,
    ReleaseWatches,
    ServerBack,
}

pub(crate) struct World {
    pub around: Surroundings,
    pub ids: Vec<String>,
    pub resources: usize,
    pub is_crowd: bool,
    clocks: [u32; 2],
    pub replicas: [Option<Replica>; 2],
    numbers: [usize; 2],
    /// Those that were told to end.
    ending: [Option<JoinHandle<()>>; 2],
    begun: usize,
    agenda: BTreeMap<(Duration, usize), Act>,
    count: usize,
    begin: Instant,
    pub is_server_up: bool,
    /// Some answers of the remote show once more what was so long ago.
    pub shows_stale: bool,
    /// For how long nobody does anything from now on.
    pub suspended: Duration,
    /// What had been written when everything was right.
    calm: Option<(usize, usize)>,
}

/// Plays a script to its end, or until something is broken.
#[must_use]
pub fn play(script: &Script) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let violation = |what: String| Outcome {
        log: String::new(),
        violation: Some(Violation { property: "the world begins", at: Duration::ZERO, what }),
        simulated: Duration::ZERO,
        writes: (0, 0),
    };
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            match World::begin(script).await {
                Ok(world) => world.run().await,
                Err(error) => violation(error),
            }
        }),
        Err(error) => violation(error.to_string()),
    }
}

impl World {
    async fn begin(script: &Script) -> Result<Self, String> {
        let config = Config {
            token: TOKEN.to_owned(),
            start_time: "2026-07-01T02:00:00Z".parse().ok(),
            ..Config::with_deployments(script.deployments)
        };
        let simulator = Simulator::start(config).await.map_err(|error| error.to_string())?;
        let ids = simulator.ids();
        let monitor = Monitor::new(ids.clone());
        for (n, id) in ids.iter().enumerate() {
            let document = simulator.deployment(id).unwrap_or_default();
            monitor.outside(n, &document);
        }
        let around = Surroundings {
            server: ApiServer::new(),
            simulator,
            net: Net::new(script.seed),
            monitor,
            is_pair: script.is_pair,
            patience: script.patience,
            seed: script.seed,
        };
        let mut world = Self {
            around,
            ids,
            resources: script.resources,
            is_crowd: script.is_crowd,
            clocks: script.clocks,
            replicas: [None, None],
            numbers: [0, 0],
            ending: [None, None],
            begun: 0,
            agenda: BTreeMap::new(),
            count: 0,
            begin: Instant::now(),
            is_server_up: true,
            shows_stale: false,
            suspended: Duration::ZERO,
            calm: None,
        };
        for place in world.places() {
            world.start(place);
        }
        for event in &script.events {
            world.at(event.at, Act::Step(event.clone()));
        }
        for round in 0..script.rounds {
            world.at(ROUND * round + MENDED, Act::Mend);
            world.at(ROUND * round + TRUSTED, Act::Trusted);
            world.at(ROUND * round + RIGHT, Act::Check(round));
            let idle = if round + 1 == script.rounds { script.idle } else { Duration::ZERO };
            world.at(ROUND * (round + 1) + idle, Act::Calm);
        }
        Ok(world)
    }

    fn places(&self) -> std::ops::Range<usize> {
        if self.around.is_pair { 0..2 } else { 0..1 }
    }

    pub fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    pub fn at(&mut self, at: Duration, act: Act) {
        self.count += 1;
        self.agenda.insert((at, self.count), act);
    }

    pub fn later(&mut self, span: Duration, act: Act) {
        self.at(self.now() + span, act);
    }

    async fn run(mut self) -> Outcome {
        let mut look = LOOK;
        while let Some((&(next, _), _)) = self.agenda.first_key_value() {
            if self.around.monitor.violation().is_some() {
                break;
            }
            if look < next {
                sleep_until(self.begin + look).await;
                look += LOOK;
                self.look();
                continue;
            }
            sleep_until(self.begin + next).await;
            if let Some((_, act)) = self.agenda.pop_first() {
                self.act(act);
            }
            let suspended = std::mem::take(&mut self.suspended);
            if !suspended.is_zero() {
                // Nothing runs until the clock is there.
                advance(suspended).await;
            }
        }
        let simulated = self.now();
        let monitor = self.around.monitor;
        let (violation, writes) = (monitor.violation(), monitor.writes());
        Outcome { log: monitor.take_log(), violation, simulated, writes }
    }

    fn look(&mut self) {
        let can_act = |replica: &Replica| {
            let now = replica.gate.now();
            replica.claim.is_held() && !now.is_frozen && !now.is_cut
        };
        let has_leader = self.is_server_up && self.replicas.iter().flatten().any(can_act);
        self.around.monitor.look(has_leader);
        if let Some(why) = self.replicas.iter_mut().flatten().find_map(Replica::ended) {
            self.around.monitor.breaks("nothing dies", why);
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Step(event) => {
                self.around.monitor.note(&format!("{:?}", event.step));
                self.happens(&event.step);
            }
            Act::Mend => self.mend(),
            Act::Trusted => rest::check_token(self),
            Act::Check(round) => {
                let is_for_good = rest::check(self, "convergence");
                self.around.monitor.settle_accounts();
                if is_for_good {
                    self.around.monitor.note("something is asked of all resources");
                    let within = self.ask(round);
                    self.later(within, Act::Done);
                }
            }
            Act::Done => {
                rest::check(self, "promptness");
                self.around.net.mend();
                self.around.monitor.settle_accounts();
                self.calm = Some(self.around.monitor.writes());
            }
            Act::Calm => {
                let (before, after) = (self.calm.take(), self.around.monitor.writes());
                if let Some(before) = before.filter(|before| *before != after) {
                    let what = format!("requests and statuses: {before:?}, then {after:?}");
                    self.around.monitor.breaks("S8 calm", what);
                }
            }
            Act::Begin(place) => self.start(place),
            Act::Open(gate) => {
                self.around.monitor.note("a process is in reach again");
                gate.set(|now| (now.is_frozen, now.is_cut) = (false, false));
                self.around.monitor.disturb(AGAIN);
            }
            Act::RemoteBack => self.around.net.set_remote_away(false),
            Act::Usual => {
                self.around.net.mend();
                self.around.monitor.disturb(Duration::ZERO);
            }
            Act::NoLag => self.set(|settings| settings.read_lag = Duration::ZERO),
            Act::NoLimit => self.set(|settings| settings.writes_per_second = 0),
            Act::Accept => self.around.simulator.accept_tokens([Token::new(TOKEN)]),
            Act::ReleaseWatches => {
                self.around.server.release_watches();
                self.around.monitor.disturb(Duration::ZERO);
            }
            Act::ServerBack => {
                self.around.server.start();
                self.is_server_up = true;
                self.around.monitor.disturb(STATUS_AGAIN);
            }
        }
    }

    pub fn set(&self, change: impl FnOnce(&mut qoder_simulator::Settings)) {
        let mut settings = self.around.simulator.settings();
        change(&mut settings);
        if let Err(error) = self.around.simulator.set_settings(settings) {
            self.around.monitor.breaks("the world works", error.to_string());
        }
    }

    fn mend(&mut self) {
        self.around.monitor.note("all is mended");
        self.around.simulator.clear_faults();
        if std::mem::take(&mut self.shows_stale) {
            self.around.monitor.shows_stale();
        }
        for act in [Act::Usual, Act::NoLag, Act::NoLimit, Act::Accept] {
            self.act(act);
        }
        self.act(Act::ReleaseWatches);
        self.act(Act::ServerBack);
        let gates: Vec<_> =
            self.replicas.iter().flatten().map(|replica| replica.gate.clone()).collect();
        for gate in gates {
            self.act(Act::Open(gate));
        }
        for place in self.places() {
            self.start(place);
        }
    }

    /// Starts a process in this place, if there is none. Where there is no election, the last one has to end before.
    fn start(&mut self, place: usize) {
        if self.replicas[place].is_some() {
            return;
        }
        let is_ending = self.ending[place].as_ref().is_some_and(|task| !task.is_finished());
        if is_ending && !self.around.is_pair {
            self.later(Duration::from_secs(1), Act::Begin(place));
            return;
        }
        self.begun += 1;
        self.numbers[place] = self.begun;
        self.around.monitor.note(&format!("p{} begins", self.begun));
        let replica = Replica::start(&self.around, self.begun, self.clocks[place]);
        if let Some(replica) = &replica {
            self.around.monitor.begins(self.begun, replica.claim.clone(), replica.lease);
        }
        self.replicas[place] = replica;
    }

    /// Ends the process in this place.
    pub fn end(&mut self, place: usize, is_killed: bool) {
        let Some(replica) = self.replicas[place].take() else { return };
        let (monitor, number, is_pair) =
            (self.around.monitor.clone(), self.numbers[place], self.around.is_pair);
        let gate = replica.gate.clone();
        monitor.disturb(Duration::ZERO);
        let ending = async move {
            if is_killed {
                replica.kill().await;
            } else {
                replica.stop(PATIENCE).await;
            }
            // Without election nobody is promised that the last one's requests are waited for.
            gate.set(|now| now.is_forgotten = !is_pair);
            monitor.note(&format!("p{number} has ended"));
            monitor.ended(number);
        };
        self.ending[place] = Some(tokio::spawn(ending));
    }

    /// The resources that are there, one after the other.
    pub fn objects(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let object = |name| Some((name, self.around.server.deployments().get(NAMESPACE, name)?));
        NAMES.into_iter().filter_map(object)
    }

    /// A number that was not there before.
    pub fn fresh(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    /// `kubectl` has done something to a resource.
    pub fn edited(&self, name: &str) {
        let object = self.around.server.deployments().get(NAMESPACE, name).unwrap_or_default();
        self.around.monitor.stored(name, &object);
    }
}
