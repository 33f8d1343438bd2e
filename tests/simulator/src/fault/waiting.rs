//! The faults that wait for their requests: which one takes a request, and how often.

use std::future::pending;

use serde::Serialize;
use tokio::sync::watch;

use super::chance::Chance;
use super::{Action, Actions, ConnectionFault, Fault};
use crate::call::Call;

/// The faults that wait for their requests.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Waiting>,
    last_id: u64,
}

/// A fault, and what has become of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Waiting {
    /// Its handle.
    id: u64,
    /// How many requests it has taken.
    hits: u64,
    /// Whether it takes no more.
    spent: bool,
    /// As it was given.
    pub(crate) fault: Fault,
    /// How many it has let through first.
    #[serde(skip)]
    skipped: u64,
    /// How often it has come to the end of its sequence.
    #[serde(skip)]
    rounds: u64,
    /// The step of its sequence that comes next.
    #[serde(skip)]
    step: usize,
    #[serde(skip)]
    chance: Chance,
    /// Those that hang by it wait for this.
    #[serde(skip)]
    release: watch::Sender<()>,
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) fault: u64,
    pub(crate) actions: Actions,
    pub(crate) release: Release,
}

/// With this a request that hangs goes on. It counts from when the fault has taken the request, which may be late and hang only then.
#[derive(Clone, Debug)]
pub(crate) struct Release(watch::Receiver<()>);

impl Release {
    pub(crate) async fn comes(&mut self) {
        if self.0.changed().await.is_err() {
            // The fault was taken back, and nobody can release it any more.
            pending::<()>().await;
        }
    }
}

impl Taken {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter()
    }
}

/// How many faults that take no more are still shown.
const SHOWN: usize = 100;

impl Faults {
    /// Adds a fault, and gives its handle.
    pub(crate) fn inject(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        self.waiting.push(Waiting {
            id: self.last_id,
            hits: 0,
            spent: false,
            chance: Chance::new(fault.seed),
            fault,
            skipped: 0,
            rounds: 0,
            step: 0,
            release: watch::Sender::default(),
        });
        self.last_id
    }

    /// Forgets the oldest of those that take no more.
    fn forget_spent(&mut self) {
        let spent = self.waiting.iter().filter(|waiting| waiting.spent).count();
        let mut too_many = spent.saturating_sub(SHOWN);
        self.waiting.retain(|waiting| {
            let goes = waiting.spent && too_many > 0;
            too_many -= usize::from(goes);
            !goes
        });
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Those that still take requests.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter().filter(|waiting| !waiting.spent)
    }

    /// One of them, also if it takes no more.
    pub(crate) fn get(&self, id: u64) -> Option<&Waiting> {
        self.waiting.iter().find(|waiting| waiting.id == id)
    }

    /// Takes one back.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Waiting> {
        let index = self.waiting.iter().position(|waiting| waiting.id == id)?;
        Some(self.waiting.remove(index))
    }

    /// Lets those go on that hang by one of them.
    pub(crate) fn release(&self, id: u64) -> Option<()> {
        self.get(id).map(|waiting| waiting.release.send_replace(()))
    }

    /// What goes wrong with a request; counts it.
    pub(crate) fn take(&mut self, call: &Call) -> Option<Taken> {
        let taken = self.waiting.iter_mut().find_map(|waiting| waiting.take(call))?;
        self.forget_spent();
        Some(taken)
    }

    /// What goes wrong with a connection; counts it.
    pub(crate) fn take_connection(&mut self) -> Option<ConnectionFault> {
        let taken = self.waiting.iter_mut().find_map(|waiting| {
            let fault = waiting.fault.connection.filter(|_| !waiting.spent)?;
            waiting.count().then_some(fault)
        })?;
        self.forget_spent();
        Some(taken)
    }
}

impl Waiting {
    fn take(&mut self, call: &Call) -> Option<Taken> {
        if self.spent || !self.fault.matches(call) {
            return None;
        }
        if let Some(probability) = self.fault.probability
            && !self.chance.happens(probability)
        {
            return None;
        }
        let actions = self.fault.steps().get(self.step).map(Actions::in_order).unwrap_or_default();
        let release = Release(self.release.subscribe());
        self.count().then_some(Taken { fault: self.id, actions, release })
    }

    /// Counts one that matches, and tells whether it is taken.
    fn count(&mut self) -> bool {
        if self.skipped < self.fault.skip {
            self.skipped += 1;
            return false;
        }
        self.hits += 1;
        self.step += 1;
        if self.step >= self.fault.steps().len() {
            self.step = 0;
            self.rounds += 1;
            self.spent = self.fault.times.is_some_and(|times| times > 0 && self.rounds >= times);
        }
        true
    }
}
