//! The status that stands in the API server, in the compact form that the index keeps. Pure.

use k8s_openapi::jiff::Timestamp;

use crate::api::{Condition, ConditionStatus, ConditionType, QoderDeploymentStatus, Reason};

/// The status that stands in the API server, as far as the next one depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Published {
    /// Of everything but the transition times.
    pub digest: u64,
    /// The generation that it answers.
    pub observed_generation: i64,
    pub ready: Option<(ConditionStatus, Reason)>,
    /// Since when each condition has its status.
    pub transitions: Transitions,
}

/// Since when a condition has its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transition {
    pub status: ConditionStatus,
    /// Seconds since 1970: Kubernetes keeps no more of a time.
    seconds: i64,
}

/// Those of all conditions, in the order of [`ConditionType::ALL`]. In two rows, which are smaller than one of pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Transitions {
    statuses: [Option<ConditionStatus>; 4],
    seconds: [i64; 4],
}

impl Transition {
    /// To this status, then.
    #[must_use]
    pub fn new(status: ConditionStatus, at: Timestamp) -> Self {
        Self { status, seconds: at.as_second() }
    }

    /// When it was.
    #[must_use]
    pub fn at(self) -> Timestamp {
        Timestamp::from_second(self.seconds).unwrap_or_default()
    }
}

impl Transitions {
    fn new(all: [Option<Transition>; 4]) -> Self {
        Self {
            statuses: all.map(|one| Some(one?.status)),
            seconds: all.map(|one| one.map_or(0, |one| one.seconds)),
        }
    }

    /// Each of them, where the condition stands.
    pub fn iter(self) -> impl Iterator<Item = Option<Transition>> {
        let pairs = self.statuses.into_iter().zip(self.seconds);
        pairs.map(|(status, seconds)| Some(Transition { status: status?, seconds }))
    }
}

impl Published {
    /// The compact form of a status.
    #[must_use]
    pub fn new(status: &QoderDeploymentStatus) -> Self {
        let find = |kind: ConditionType| {
            status.conditions.iter().find(|condition| condition.kind == kind.as_str())
        };
        let transition = |kind| {
            let condition = find(kind)?;
            Some(Transition::new(condition.status.parse().ok()?, condition.last_transition_time.0))
        };
        let ready = |condition: &Condition| {
            Some((condition.status.parse().ok()?, condition.reason.parse().ok()?))
        };
        Self {
            digest: status.digest(),
            observed_generation: status.observed_generation,
            ready: find(ConditionType::Ready).and_then(ready),
            transitions: Transitions::new(ConditionType::ALL.map(transition)),
        }
    }
}
