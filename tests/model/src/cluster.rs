//! The Kubernetes side of a world: objects, and the copies of them that the operator takes in.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, LazyLock},
};

use qoder_operator::{
    api::{ConditionStatus, DeploymentId, DriftPolicy, NEVER_OBSERVED, Reason, Uid, Wish},
    remote::Answer,
    resources::{
        Mark, Memory, Published, Resource, ResourceKey, Transitions, resource::Request, told::Told,
    },
};
use tokio::time::Instant;

use crate::fingerprint::FIRST_VERSION;

/// The one deployment of a world.
pub static ID: LazyLock<DeploymentId> = LazyLock::new(|| {
    DeploymentId::try_from("dep_1").unwrap_or_else(|_| unreachable!("it is well-formed"))
});

static KEYS: LazyLock<[ResourceKey; 2]> = LazyLock::new(|| {
    ["a", "b"].map(|name| ResourceKey { namespace: "agents".into(), name: name.into() })
});

/// Texts for uids and for the values of annotations.
static TEXTS: LazyLock<[Arc<str>; 10]> =
    LazyLock::new(|| std::array::from_fn(|n| n.to_string().into()));

/// A small number as a text.
pub fn text(n: u8) -> Arc<str> {
    TEXTS.get(usize::from(n)).unwrap_or_else(|| unreachable!("worlds are small")).clone()
}

/// A small number as a uid.
pub fn uid(n: u8) -> Uid {
    Uid::from(&*text(n))
}

/// The key of a resource, by its place in the world.
pub fn key(name: usize) -> &'static ResourceKey {
    KEYS.get(name).unwrap_or_else(|| unreachable!("there are two names"))
}

/// A `QoderDeployment` as the API server holds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Object {
    pub uid: u8,
    pub version: u64,
    pub generation: i64,
    /// When this generation was made.
    pub made: Instant,
    pub wish: Wish,
    pub policy: DriftPolicy,
    /// `reconcile: disabled`.
    pub disabled: bool,
    /// The values of the two request annotations. 0: none.
    pub resume: u8,
    pub reconcile: u8,
    pub status: Option<Status>,
    pub truth: Truth,
}

/// What nobody in a world is told, and what is judged by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Truth {
    /// The deployment was as this generation asks, at some time since it was made.
    pub is_reached: bool,
    /// A status has said so.
    pub is_told: bool,
    /// A person has asked for a resume of what the platform has paused, and it is not there yet.
    pub is_resume_due: bool,
}

/// What a status says, as far as anything depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Status {
    pub observed_generation: i64,
    pub ready: (ConditionStatus, Reason),
    /// The remote state that it shows.
    pub shown: Option<Answer>,
    pub memory: Memory,
}

impl Status {
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// It says that this wish is reached.
    pub fn is_in_sync(&self) -> bool {
        self.ready == (ConditionStatus::True, Reason::InSync)
    }
}

impl Object {
    /// A new object that nobody has answered.
    pub fn new(uid: u8, wish: Wish, now: Instant) -> Self {
        Self {
            uid,
            version: FIRST_VERSION,
            generation: 1,
            made: now,
            wish,
            policy: DriftPolicy::Correct,
            disabled: false,
            resume: 0,
            reconcile: 0,
            status: None,
            truth: Truth::default(),
        }
    }

    /// A status answers its generation.
    pub fn is_answered(&self) -> bool {
        let answered = self.status.as_ref().map(|status| status.observed_generation);
        answered == Some(self.generation)
    }

    /// The digest of the status that stands.
    pub fn digest(&self) -> u64 {
        self.status.as_ref().map_or(0, Status::digest)
    }

    /// A status is applied. One that changes nothing makes no new version.
    pub fn apply(&mut self, status: &Status) {
        if self.status.as_ref() != Some(status) {
            self.status = Some(status.clone());
            self.version += 1;
            self.truth.is_told |= status.is_in_sync() && self.is_answered();
        }
    }

    /// The copy of it that is first seen now.
    pub fn copy(&self, name: usize, now: Instant) -> Resource {
        let request =
            |value: u8| (value > 0).then(|| Box::new(Request { value: text(value), seen: now }));
        let ready = self.status.as_ref().map(|status| status.ready);
        let observed_generation = self.status.as_ref().map(|status| status.observed_generation);
        Resource {
            key: key(name).clone(),
            uid: uid(self.uid),
            deployment: ID.clone(),
            generation: self.generation,
            version: self.version,
            created: i64::from(self.uid),
            deleting: false,
            wish: self.wish,
            policy: self.policy,
            disabled: self.disabled,
            has_unknown_switch: false,
            resume_request: request(self.resume),
            reconcile_request: request(self.reconcile),
            taken_in: Mark::default(),
            listed: Mark::default(),
            generation_seen: now,
            published: Published {
                digest: self.digest(),
                observed_generation: observed_generation.unwrap_or(NEVER_OBSERVED),
                ready,
                transitions: Transitions::default(),
            },
            memory: self.memory(),
            told: Told::of(ready.map(|(_, reason)| reason)),
            replaced: None,
            sent: None,
        }
    }

    /// What its status remembers.
    pub fn memory(&self) -> Memory {
        self.status.as_ref().map(|status| status.memory.clone()).unwrap_or_default()
    }
}
