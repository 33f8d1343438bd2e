//! What one process has sent and seen.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use qoder_operator::leader::Claim;

use super::object::Object;

/// What a look has shown of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub status: String,
    /// Empty: there is none.
    pub reason: String,
    pub name: String,
}

/// A look at a deployment that was answered.
#[derive(Debug, Clone)]
pub struct Observation {
    pub started: Duration,
    pub shown: Shown,
}

/// What one process knows of one deployment.
#[derive(Default)]
pub struct Known {
    /// The last ones, in the order of their answers.
    pub looks: VecDeque<Observation>,
    /// When the last write ended that may have done something; its own answer is a look that began before.
    pub write_ended: Option<Duration>,
    /// What that answer said, if it said anything.
    pub write_said: Option<Observation>,
    pub under_way: usize,
}

pub struct Process {
    pub claim: Claim,
    /// How long after a renewal nobody else leads. `None`: there is no election.
    pub lease: Option<Duration>,
    /// Until when nobody else leads, by the renewals that the API server has taken.
    pub leads_until: Option<Duration>,
    pub known: Vec<Known>,
    /// Each resource as it was last read, and when.
    pub read: BTreeMap<String, (Duration, Object)>,
    reads: VecDeque<Duration>,
    writes: VecDeque<Duration>,
}

/// More looks than there can be within the time that one counts for.
const LOOKS: usize = 64;
const SECOND: Duration = Duration::from_secs(1);

impl Process {
    pub fn new(claim: Claim, lease: Option<Duration>, deployments: usize) -> Self {
        let known = (0..deployments).map(|_| Known::default()).collect();
        Self {
            claim,
            lease,
            leads_until: None,
            known,
            read: BTreeMap::new(),
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    /// A request is sent. Returns how many of its kind were sent within one second.
    pub fn count(&mut self, is_write: bool, now: Duration) -> usize {
        let sent = if is_write { &mut self.writes } else { &mut self.reads };
        while sent.front().is_some_and(|first| *first + SECOND <= now) {
            sent.pop_front();
        }
        sent.push_back(now);
        sent.len()
    }
}

impl Known {
    pub fn look(&mut self, observation: Observation) {
        self.looks.push_back(observation);
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
    }

    /// What the newest look has shown.
    pub fn newest(&self) -> Option<&Observation> {
        self.looks.iter().max_by_key(|look| look.started)
    }
}
