//! How messages fare, on the way to either side: one place that draws their latency and their fate.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;

/// Kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// To the remote: one deployment.
    Get,
    /// A page.
    List,
    /// A pause or an unpause.
    Post,
    /// To the Kubernetes API: one object.
    Read,
    /// The beginning of a watch.
    Watch,
    /// An apply to a status.
    Status,
    Event,
    Lease,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and so does its answer.
    Passes,
    /// There is no connection to send it on.
    Refused,
    /// The connection breaks before it has an effect.
    LostBefore,
    /// The connection breaks after it.
    LostAfter,
    /// It has no effect, and nothing is heard.
    SilentBefore,
    /// It has its effect, and nothing is heard.
    SilentAfter,
    /// It has its effect so much later.
    Late(Duration),
    /// It is answered so much later.
    LateAnswer(Duration),
    /// It has its effect, and is answered so much later. If it was a resume, the agent is gone: the platform pauses the
    /// deployment again at once. For the remote only.
    RunFails(Duration),
    /// It has no effect, and is answered with this code. For the Kubernetes API only.
    Answered(u16),
}

struct Rule {
    class: Class,
    fate: Fate,
    skip: usize,
    times: usize,
}

struct State {
    rng: Rng,
    rules: Vec<Rule>,
    remote: Duration,
    kubernetes: Duration,
    is_remote_away: bool,
}

/// The network. A clone is the same one.
#[derive(Clone)]
pub struct Net(Arc<Mutex<State>>);

/// What every message takes at most, where nothing is slow.
const USUAL: Duration = Duration::from_millis(40);

impl Net {
    pub fn new(seed: u64) -> Self {
        let rng = Rng::with_seed(seed ^ 0x6e65_7477_6f72_6b73);
        let (remote, kubernetes) = (USUAL, USUAL);
        let state = State { rng, rules: Vec::new(), remote, kubernetes, is_remote_away: false };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many of the messages to come fare like this, after so many more.
    pub fn rule(&self, class: Class, fate: Fate, skip: usize, times: usize) {
        self.state().rules.push(Rule { class, fate, skip, times });
    }

    pub fn set_remote_away(&self, is_away: bool) {
        self.state().is_remote_away = is_away;
    }

    pub fn slow(&self, remote: Duration, kubernetes: Duration) {
        let mut state = self.state();
        (state.remote, state.kubernetes) = (remote, kubernetes);
    }

    /// Everything is as usual.
    pub fn mend(&self) {
        let mut state = self.state();
        state.rules.clear();
        (state.remote, state.kubernetes, state.is_remote_away) = (USUAL, USUAL, false);
    }

    /// How the next message of this class fares.
    pub fn fate(&self, class: Class) -> Fate {
        let mut state = self.state();
        if state.is_remote_away && matches!(class, Class::Get | Class::List | Class::Post) {
            return Fate::Refused;
        }
        for rule in state.rules.iter_mut().filter(|rule| rule.class == class && rule.times > 0) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return rule.fate;
        }
        Fate::Passes
    }

    /// How long one way takes.
    pub fn latency(&self, class: Class) -> Duration {
        let mut state = self.state();
        let most = match class {
            Class::Get | Class::List | Class::Post => state.remote,
            _ => state.kubernetes,
        };
        most.mul_f64(state.rng.f64() / 2.0)
    }
}
