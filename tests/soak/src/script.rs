//! What happens in a world: drawn from a seed, and then data.

use std::time::Duration;

use fastrand::Rng;

use crate::{
    net::{Class, Fate},
    theme::{Theme, as_millis, one_of},
};

/// Names of resources. A script is about the first few of them, or about all: more than may be written to at once.
pub const NAMES: [&str; 18] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r"];
/// How long a round lasts: trouble, then rest, then calm.
pub const ROUND: Duration = Duration::from_secs(20 * 60);
/// In a round, nothing begins after this.
const TROUBLE: Duration = Duration::from_secs(200);
/// In a round, everything is mended at this time, and nobody changes anything after it.
pub const MENDED: Duration = Duration::from_secs(280);
/// In a round, the token has been tried again by this time. Until all is mended it can be refused in four tries, and four
/// minutes after the fourth it is tried again.
pub const TRUSTED: Duration = Duration::from_secs(580);
/// In a round, everything has to be right at this time. If it is, something is asked of all resources.
pub const RIGHT: Duration = Duration::from_secs(17 * 60);

/// Something that happens. What goes on for a while has its end in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `kubectl apply`; where the resource names another deployment, it is deleted before.
    Apply {
        resource: usize,
        deployment: usize,
        paused: Option<bool>,
        warns: bool,
    },
    Delete(usize),
    /// `kubectl apply` of all of them, with this asked of each that is not unmanaged.
    ApplyAll(bool),
    /// Somebody else undoes what each of them asks for.
    UndoAll,
    /// A new value of an annotation of ours, or of somebody else's.
    Annotate(usize, &'static str),
    /// The switch that keeps the operator from acting.
    Disable(usize, bool),

    /// Somebody else changes the remote.
    Toggle(usize, bool),
    FailRun(usize),
    Rename(usize),
    Archive(usize),

    /// Some messages of a kind fare like this.
    Messages {
        class: Class,
        fate: Fate,
        skip: usize,
        times: usize,
    },
    /// The remote answers some requests of a kind so.
    Answers {
        class: Class,
        answer: Answer,
        times: u64,
    },
    /// Nobody can connect to the remote.
    RemoteAway(Duration),
    /// All messages take up to so long.
    Slow {
        remote: Duration,
        kubernetes: Duration,
        lasts: Duration,
    },
    /// Reads of the remote lag behind its writes by so much.
    Lag {
        by: Duration,
        lasts: Duration,
    },
    /// The token is not accepted.
    Revoke(Duration),
    /// So many writes a second.
    Limit {
        writes: u32,
        lasts: Duration,
    },

    HoldWatches(Duration),
    CutWatches,
    ExpireWatches,
    SilenceWatches,
    ServerAway(Duration),

    /// SIGKILL; another one begins in its place after so long.
    Kill(usize, Duration),
    /// SIGTERM; the same.
    Stop(usize, Duration),
    /// SIGSTOP, and SIGCONT after so long.
    Freeze(usize, Duration),
    /// Every process does nothing for so long, and then all that has become due at once: a machine that is suspended.
    Suspend(Duration),
    /// The Kubernetes API is out of reach for this one.
    CutOff(usize, Duration),
}

/// What the remote says instead of an answer, or makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// In the API's own envelope.
    Refuses(u16),
    /// As what stands between.
    Gateway(u16),
    RetryAfter(u16, &'static str),
    Empty,
    Truncated,
    WrongType,
    UnknownStatus,
    AnotherId,
    Stale,
    CursorLoop,
    Redirect,
    Oversized,
}

/// A step, and when it happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub at: Duration,
    pub step: Step,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Script {
    pub seed: u64,
    /// How many deployments the account has.
    pub deployments: usize,
    /// How many resources there may be.
    pub resources: usize,
    /// All of them are there from the beginning, and somebody keeps undoing what they ask for.
    pub is_crowd: bool,
    /// Two replicas, with election; or one, without.
    pub is_pair: bool,
    /// How many times longer than usual a leader may be silent: most of what a pair costs is its Lease.
    pub patience: u32,
    /// How fast the clock of each replica goes, in thousandths.
    pub clocks: [u32; 2],
    pub rounds: u32,
    /// How much longer than usual the calm at the end of the last round is.
    pub idle: Duration,
    /// In order of time.
    pub events: Vec<Event>,
}

impl Script {
    /// What this seed stands for.
    #[must_use]
    pub fn of(seed: u64, rounds: u32) -> Self {
        let mut rng = Rng::with_seed(seed);
        let is_late = seed % 16 == 11;
        let is_pair = rng.u8(..3) > 0 || is_late;
        let clocks = [rng.u32(970..=1030), rng.u32(970..=1030)];
        let patience = if rng.u8(..4) == 0 { 1 } else { 8 };
        let mut theme = Theme::draw(&mut rng, is_pair);
        let mut events = Vec::new();
        if is_late {
            theme.is_late = true;
            (theme.deployments, theme.resources) = (1, 1);
            theme.weights = [60, 10, 30, 0, 40];
        }
        let is_crowd = seed % 16 == 7;
        if is_crowd {
            (theme.deployments, theme.resources) = (NAMES.len(), NAMES.len());
            events.push(Event { at: Duration::ZERO, step: Step::ApplyAll(false) });
        }
        for round in 0..rounds {
            let begin = ROUND * round;
            // Some rounds are busy for a moment, others for minutes.
            let span = one_of(&mut rng, &[Duration::from_millis(400), TROUBLE / 10, TROUBLE]);
            let span = if theme.is_late { TROUBLE } else { span };
            for _ in 0..rng.usize(5..=24) {
                let at = begin + Duration::from_millis(rng.u64(..as_millis(span)));
                events.push(Event { at, step: theme.step(&mut rng) });
            }
        }
        events.sort_by_key(|event| event.at);
        let Theme { deployments, resources, .. } = theme;
        let idle = if seed % 16 == 3 { Duration::from_secs(60 * 60) } else { Duration::ZERO };
        Self {
            seed,
            deployments,
            resources,
            is_crowd,
            is_pair,
            patience,
            clocks,
            rounds,
            idle,
            events,
        }
    }

    /// Only these events, by their number.
    #[must_use]
    pub fn keep(&self, numbers: &[usize]) -> Self {
        let events = numbers.iter().filter_map(|n| self.events.get(*n).cloned()).collect();
        Self { events, ..self.clone() }
    }
}
