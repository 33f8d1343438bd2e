//! A resource as it is stored, in the few words that properties are about.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::State;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub uid: String,
    pub created: String,
    pub generation: i64,
    /// When this generation was made.
    pub generation_made: Duration,
    /// The number of the deployment.
    pub deployment: Option<usize>,
    pub paused: Option<bool>,
    pub warns: bool,
    pub is_disabled: bool,
    requests: [String; 2],
    /// What it last said of `paused`, when it said anything.
    said: Option<bool>,
    /// Ready: its status and reason, and whether it is about the present generation.
    pub ready: String,
    pub reason: String,
    pub observed_generation: i64,
    /// Since when it says so.
    pub said_since: Duration,
}

/// What a version of a resource was.
#[derive(Debug, Clone)]
pub struct Version {
    pub deployment: Option<usize>,
    pub paused: Option<bool>,
    pub generation: i64,
    pub generation_made: Duration,
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The condition Ready of a status.
pub fn ready(status: &Value) -> (String, String) {
    let conditions = status["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    ready.map_or_else(Default::default, |ready| (text(&ready["status"]), text(&ready["reason"])))
}

/// All that a resource asks for.
fn asks(object: Option<&Object>) -> Option<impl PartialEq> {
    object.map(|o| {
        (o.uid.clone(), o.deployment, o.paused, o.warns, o.is_disabled, o.requests.clone())
    })
}

impl Object {
    fn says(&self) -> (&str, &str, i64) {
        (&self.ready, &self.reason, self.observed_generation)
    }

    pub fn resume_request(&self) -> &str {
        &self.requests[1]
    }
}

impl State {
    pub fn read(&self, object: &Value) -> Object {
        let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
        let annotation =
            |name: &str| text(&metadata["annotations"][format!("cloud.qoder.com/{name}")]);
        let (ready, reason) = ready(status);
        Object {
            uid: text(&metadata["uid"]),
            created: text(&metadata["creationTimestamp"]),
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            generation_made: self.now(),
            deployment: self.number(spec["deploymentID"].as_str().unwrap_or_default()),
            paused: spec["paused"].as_bool(),
            warns: spec["driftPolicy"] == "Warn",
            is_disabled: !matches!(&*annotation("reconcile"), "" | "enabled"),
            requests: [annotation("reconcile-requested-at"), annotation("resume-requested-at")],
            said: spec["paused"].as_bool(),
            ready,
            reason,
            observed_generation: status["observedGeneration"].as_i64().unwrap_or(-1),
            said_since: self.now(),
        }
    }

    /// A resource is stored so from now on; null: it is gone.
    pub fn stored(&mut self, name: &str, object: &Value) {
        let owners = self.owners();
        let before = self.objects.remove(name);
        let mut after = (!object.is_null()).then(|| self.read(object));
        if let Some(after) = &mut after {
            if let Some(before) = before.as_ref().filter(|before| before.uid == after.uid) {
                // Nobody may have seen that it said nothing for a while.
                after.said = after.said.or(before.said);
                if before.generation == after.generation {
                    after.generation_made = before.generation_made;
                }
                if before.says() == after.says() {
                    after.said_since = before.said_since;
                }
            }
            let is_held = |object: &Object| object.reason == "Contested";
            if is_held(after) && !before.as_ref().is_some_and(is_held) {
                self.hold_begins(after.deployment);
            }
            let version = Version {
                deployment: after.deployment,
                paused: after.paused,
                generation: after.generation,
                generation_made: after.generation_made,
            };
            let key = (name.to_owned(), text(&object["metadata"]["resourceVersion"]));
            self.versions.insert(key, version);
        }
        if let Some(after) = &after {
            self.objects.insert(name.to_owned(), after.clone());
        }
        let (now, owners_now) = (self.now(), self.owners());
        for (account, owner) in self.accounts.iter_mut().zip(owners.iter().zip(&owners_now)) {
            if owner.0 != owner.1 {
                account.owned_since = now;
            }
        }
        if asks(before.as_ref()) != asks(after.as_ref()) {
            self.book(before.as_ref(), after.as_ref());
            self.note_resume(name, before.as_ref(), after.as_ref());
        }
    }

    /// What a change of what is asked for allows.
    fn book(&mut self, before: Option<&Object>, after: Option<&Object>) {
        let is_resume = match (before, after) {
            (Some(before), Some(after)) if before.uid == after.uid => {
                before.requests[1] != after.requests[1]
                    || (before.said == Some(true) && after.paused == Some(false))
            }
            _ => false,
        };
        let named = [before, after].into_iter().flatten().filter_map(|object| object.deployment);
        for n in named.collect::<BTreeSet<_>>() {
            if let Some(account) = self.accounts.get_mut(n) {
                account.may_send += 1;
                account.may_lift += i64::from(is_resume);
            }
        }
    }

    /// The uid of the owner of each deployment.
    fn owners(&self) -> Vec<Option<String>> {
        let uid = |n| self.owner(n).map(|(_, owner)| owner.uid.clone());
        (0..self.accounts.len()).map(uid).collect()
    }

    /// The oldest that says `paused`, which is the one with the smallest uid among those of one second.
    pub fn owner(&self, deployment: usize) -> Option<(&String, &Object)> {
        let named = self
            .objects
            .iter()
            .filter(|(_, object)| object.deployment == Some(deployment) && object.paused.is_some());
        named.min_by_key(|(_, object)| (&object.created, &object.uid))
    }
}

impl super::Monitor {
    /// A resource is stored so from now on; null: it is gone.
    pub fn stored(&self, name: &str, object: &Value) {
        self.state().stored(name, object);
    }
}
