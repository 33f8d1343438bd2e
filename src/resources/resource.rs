//! One `QoderDeployment` as the core needs it: identity, wish, memory, and a digest of what was published. Not the
//! typed object: ten thousand of these have to be small.

use std::{sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use tokio::time::Instant;

use super::{
    index::Mark,
    memory::{Asked, Memory},
    published::Published,
    sent::Sent,
    text::cut,
    told::Told,
};
use crate::{
    api::{
        ConditionStatus, DeploymentId, DriftPolicy, InvalidDeploymentId, LastReached, MAX_TOKEN,
        QoderDeployment, Reason, Uid, Wish, annotation,
    },
    remote::Requester,
};

/// How long a status waits after someone else has written one.
const REPLACED: Duration = Duration::from_secs(1);

/// Namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

impl ResourceKey {
    /// Of the object with this metadata.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
            name: metadata.name.as_deref().unwrap_or_default().into(),
        }
    }
}

/// One copy of a resource.
#[derive(Debug, Clone, Hash)]
pub struct Resource {
    /// Where it is.
    pub key: ResourceKey,
    /// Which it is: a name can come back as another object.
    pub uid: Uid,
    /// The deployment that it names.
    pub deployment: DeploymentId,
    /// The generation of its spec.
    pub generation: i64,
    /// Its version, comparable with others of the same kind (KEP-5504).
    pub version: u64,
    /// When it was created, in seconds since 1970: Kubernetes keeps no more of a time.
    pub created: i64,
    /// It has a deletionTimestamp.
    pub deleting: bool,
    /// What its spec asks for.
    pub wish: Wish,
    /// What its spec says about drift.
    pub policy: DriftPolicy,
    /// The annotation `reconcile` has another value than `enabled`.
    pub disabled: bool,
    /// It has one that is not known.
    pub has_unknown_switch: bool,
    /// The annotation `resume-requested-at`. Few have one.
    pub resume_request: Option<Box<Request>>,
    pub reconcile_request: Option<Box<Request>>,
    /// The last mark before this copy was taken in.
    pub taken_in: Mark,
    /// The mark of the list that brought it last.
    pub listed: Mark,
    /// When this generation was first seen.
    pub generation_seen: Instant,
    /// The status that stands in the API server.
    pub published: Published,
    /// What has to outlive a reconcile.
    pub memory: Memory,
    /// Which reasons of Ready were told.
    pub told: Told,
    /// When someone else was seen to have written the status.
    pub replaced: Option<Instant>,
    /// What was sent, and is not known to stand. Nearly always nothing.
    pub sent: Option<Box<Sent>>,
}

/// A request annotation.
#[derive(Debug, Clone, Hash)]
pub struct Request {
    /// Its value, the first [`MAX_TOKEN`] characters.
    pub value: Arc<str>,
    /// When this value was first seen.
    pub seen: Instant,
}

impl Resource {
    /// The compact form of an object that is first seen `now`.
    ///
    /// # Errors
    /// The object does not name a deployment.
    pub fn new(object: &QoderDeployment, now: Instant) -> Result<Self, InvalidDeploymentId> {
        let status = object.status.clone().unwrap_or_default();
        let request = |name| {
            let value = object.annotations().get(name)?;
            Some(Box::new(Request { value: cut(value, MAX_TOKEN).into(), seen: now }))
        };
        let published = Published::new(&status);
        let switch = object.annotations().get(annotation::RECONCILE).map(String::as_str);
        let disabled = switch.is_some_and(|value| value != annotation::RECONCILE_ENABLED);
        Ok(Self {
            key: ResourceKey::of(&object.metadata),
            uid: object.metadata.uid.as_deref().unwrap_or_default().into(),
            deployment: DeploymentId::try_from(object.spec.deployment_id.as_str())?,
            generation: object.metadata.generation.unwrap_or_default(),
            version: version(object),
            created: object.creation_timestamp().map_or(0, |time| time.0.as_second()),
            deleting: object.metadata.deletion_timestamp.is_some(),
            wish: object.spec.paused.into(),
            policy: object.spec.drift_policy.unwrap_or_default(),
            disabled,
            has_unknown_switch: disabled && switch != Some(annotation::RECONCILE_DISABLED),
            resume_request: request(annotation::RESUME_REQUESTED_AT),
            reconcile_request: request(annotation::RECONCILE_REQUESTED_AT),
            taken_in: Mark::default(),
            listed: Mark::default(),
            generation_seen: now,
            told: Told::of(published.ready.map(|(_, reason)| reason)),
            published,
            memory: Memory::of(&status),
            replaced: None,
            sent: None,
        })
    }

    /// This copy, as the successor of an older copy of the same uid: what did not change keeps the time
    /// at which it was first seen, and only a status that we did not write replaces what is
    /// remembered.
    #[must_use]
    pub fn after(mut self, older: &Self) -> Self {
        let now = self.generation_seen;
        // The same texts: one allocation for all copies.
        self.key = older.key.clone();
        self.uid = older.uid.clone();
        self.deployment = older.deployment.clone();
        self.listed = self.listed.max(older.listed);
        if self.generation == older.generation {
            self.generation_seen = older.generation_seen;
        }
        for (new, old) in [
            (&mut self.resume_request, &older.resume_request),
            (&mut self.reconcile_request, &older.reconcile_request),
        ] {
            if value(new.as_deref()) == value(old.as_deref()) {
                new.clone_from(old);
            }
        }
        // Whoever wrote the status: we have told what we have told.
        self.told = older.told;
        self.sent.clone_from(&older.sent);
        if older.has_written(self.published.digest) {
            self.memory = older.memory.clone();
            self.replaced = older.replaced;
        } else {
            self.replaced = Some(now);
        }
        self
    }

    /// Whether a status of this digest is our own: the one that stands, or one that was sent since.
    fn has_written(&self, digest: u64) -> bool {
        let is_sent = |sent: &Sent| sent.has(digest);
        self.published.digest == digest || self.sent.as_deref().is_some_and(is_sent)
    }

    /// Whether a status of this digest is one to tell of: it stands, or it is one of ours that has stood, and was not
    /// told of then.
    #[must_use]
    pub fn may_tell(&self, digest: u64) -> bool {
        let is_untold = |sent: &Sent| sent.has_untold(digest);
        self.published.digest == digest || self.sent.as_deref().is_some_and(is_untold)
    }

    /// Until when a status waits, because someone else has just written one: two who do not agree change it in turns,
    /// with a pause. After `longest` at the latest.
    #[must_use]
    pub fn calm_at(&self, longest: Duration) -> Option<Instant> {
        Some(self.replaced? + REPLACED.min(longest))
    }

    /// Whether a status of it is on its way.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.is_under_way(self.published.digest))
    }

    /// What it asks for, as far as it can be remembered.
    #[must_use]
    pub fn asked(&self) -> Asked {
        let value =
            |request: &Option<Box<Request>>| request.as_ref().map(|request| request.value.clone());
        Asked {
            wish: LastReached { desired: self.wish, generation: self.generation },
            resume: value(&self.resume_request),
            reconcile: value(&self.reconcile_request),
        }
    }

    /// For the remote: which resource, and which generation of it.
    #[must_use]
    pub fn requester(&self) -> Requester {
        Requester { uid: self.uid.clone(), generation: self.generation }
    }

    /// Whether both ask for the same.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.generation == other.generation
            && self.deleting == other.deleting
            && self.disabled == other.disabled
            && self.has_unknown_switch == other.has_unknown_switch
            && value(self.resume_request.as_deref()) == value(other.resume_request.as_deref())
            && value(self.reconcile_request.as_deref()) == value(other.reconcile_request.as_deref())
    }

    /// Whether a reconcile would see the same in both.
    #[must_use]
    pub fn is_same_work(&self, other: &Self) -> bool {
        self.asks_the_same(other)
            && self.published == other.published
            && self.memory == other.memory
    }

    /// Whether it competes for owning its deployment.
    #[must_use]
    pub fn wants_to_own(&self) -> bool {
        self.wish != Wish::Unmanaged && !self.deleting
    }

    /// The status in place says of this generation that all is in sync.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.is_answered()
            && matches!(self.published.ready, Some((ConditionStatus::True, Reason::InSync)))
    }

    /// A term as the leader begins: whoever led before has told what stands, and nothing is on its way. The looks of this
    /// term begin at `since`: an answered generation is older than they are, a newer one waits for a look from now on.
    pub fn begin_term(&mut self, since: Instant, now: Instant) {
        if self.generation_seen > since {
            self.generation_seen = if self.is_answered() { since } else { now };
        }
        self.told = Told::of(self.published.ready.map(|(_, reason)| reason));
        self.replaced = None;
        self.sent = None;
    }

    /// The status in place answers this generation.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.published.observed_generation == self.generation
    }

    /// Since when `resume-requested-at` is not handled. None before the first status: a backup brings old values along.
    #[must_use]
    pub fn resume_requested(&self) -> Option<Instant> {
        let request = self.resume_request.as_ref().filter(|_| self.memory.has_status)?;
        unhandled(request, self.memory.resume_handled.as_deref())
    }

    /// Since when `reconcile-requested-at` has a value that is not handled.
    #[must_use]
    pub fn reconcile_requested(&self) -> Option<Instant> {
        unhandled(self.reconcile_request.as_ref()?, self.memory.reconcile_handled.as_deref())
    }
}

fn value(request: Option<&Request>) -> Option<&str> {
    request.map(|request| &*request.value)
}

fn unhandled(request: &Request, handled: Option<&str>) -> Option<Instant> {
    (handled != Some(&*request.value)).then_some(request.seen)
}

/// The object's resourceVersion as a number. 0, which is older than any, where it is not one.
#[must_use]
pub fn version(object: &QoderDeployment) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
#[path = "resource_tests.rs"]
pub(crate) mod tests;
