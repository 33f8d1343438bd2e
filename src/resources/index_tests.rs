use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::resources::Memory;

pub(super) fn resource(
    namespace: &str,
    name: &str,
    uid: &str,
    version: u64,
    more: Value,
) -> Resource {
    let mut object = json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": {
            "namespace": namespace, "name": name, "uid": uid, "resourceVersion": version.to_string(),
            "generation": 1, "creationTimestamp": "2026-07-01T02:00:00Z",
        },
        "spec": { "deploymentID": "dep_1", "paused": true },
    });
    merge(&mut object, more);
    Resource::new(&serde_json::from_value(object).unwrap(), Instant::now()).unwrap()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

pub(super) fn id() -> DeploymentId {
    DeploymentId::try_from("dep_1").unwrap()
}

#[test]
fn an_older_copy_is_dropped_unless_a_re_list_says_so() {
    let mut index = Index::default();
    let at = |version, generation| {
        resource("ns", "a", "u", version, json!({ "metadata": { "generation": generation } }))
    };
    assert_eq!(index.apply(at(5, 2), Source::Watch), Change::Work);
    assert_eq!(index.apply(at(4, 1), Source::Watch), Change::None, "the watch lags behind a read");
    assert_eq!(index.bound(&id())[0].generation, 2);
    assert_eq!(index.apply(at(6, 2), Source::Watch), Change::None, "nothing of ours changed");
    let list = index.mark();
    let restored = index.apply(at(3, 1), Source::List(list));
    assert_eq!(restored, Change::Work, "etcd was restored from a backup");
    assert_eq!(index.bound(&id())[0].generation, 1);
}

#[test]
fn first_sights_stay_while_what_was_seen_stays() {
    let mut index = Index::default();
    let annotated = |version, value: &str| {
        let annotations = json!({ "cloud.qoder.com/resume-requested-at": value });
        resource("ns", "a", "u", version, json!({ "metadata": { "annotations": annotations } }))
    };
    let seen = |resource: &Resource| resource.resume_request.as_ref().unwrap().seen;
    index.apply(annotated(1, "x"), Source::Watch);
    let first = index.bound(&id())[0].clone();
    index.apply(annotated(2, "x"), Source::Watch);
    let second = index.bound(&id())[0].clone();
    assert_eq!(second.generation_seen, first.generation_seen);
    assert_eq!(seen(&second), seen(&first));
    assert_eq!(index.apply(annotated(3, "y"), Source::Watch), Change::Work);
    let third = index.bound(&id())[0].clone();
    assert_eq!(third.generation_seen, first.generation_seen);
    assert!(seen(&third) > seen(&first));
}

#[test]
fn what_is_remembered_beyond_the_status_survives_until_another_status_comes() {
    let mut index = Index::default();
    index.apply(resource("ns", "a", "u", 1, json!({})), Source::Watch);
    let ahead = Memory { has_status: true, ..Memory::default() };
    remember(&mut index, "a", &ahead);
    index.apply(resource("ns", "a", "u", 2, json!({ "spec": { "paused": false } })), Source::Watch);
    assert_eq!(index.bound(&id())[0].memory, ahead, "the status is the old one");

    let status = json!({ "observedGeneration": 1, "lastHandledResumeRequest": "z" });
    index.apply(resource("ns", "a", "u", 3, json!({ "status": status })), Source::Watch);
    assert_eq!(index.bound(&id())[0].memory.resume_handled.as_deref(), Some("z"));
}

#[test]
fn a_name_can_come_back_as_another_object_for_another_deployment() {
    let mut index = Index::default();
    index.apply(resource("ns", "a", "u1", 1, json!({})), Source::Watch);
    let other = json!({ "spec": { "deploymentID": "dep_2" } });
    assert_eq!(index.apply(resource("ns", "a", "u2", 9, other), Source::Watch), Change::Work);
    assert!(!index.is_bound(&id()));
    assert_eq!(index.deployments().len(), 1);
    let key = index.iter().next().unwrap().key.clone();
    assert_eq!(index.remove_uid(&key, &"u1".into()), None, "a late delete of the first object");
    assert!(index.remove_uid(&key, &"u2".into()).is_some());
    assert_eq!(index.iter().count(), 0);
}

#[test]
fn the_oldest_comes_first_and_then_the_uid_decides() {
    let mut index = Index::default();
    let born = |time: &str| json!({ "metadata": { "creationTimestamp": time } });
    index.apply(resource("ns", "young", "a", 1, born("2026-07-02T00:00:00Z")), Source::Watch);
    index.apply(resource("other", "twin-b", "c", 1, born("2026-07-01T00:00:00Z")), Source::Watch);
    index.apply(resource("ns", "twin-a", "b", 1, born("2026-07-01T00:00:00Z")), Source::Watch);
    let names: Vec<_> = index.bound(&id()).iter().map(|r| r.key.name.to_string()).collect();
    assert_eq!(names, ["twin-a", "twin-b", "young"]);
}

#[test]
fn a_sweep_forgets_what_one_watchs_re_list_did_not_bring() {
    let mut index = Index::default();
    let [earlier, list] = [index.mark(), index.mark()];
    for (source, namespace, name, uid) in [
        (Source::List(list), "ns", "stays", "a"),
        (Source::List(earlier), "ns", "gone", "b"),
        (Source::Watch, "ns", "never-listed", "c"),
        (Source::Watch, "elsewhere", "x", "d"),
    ] {
        index.apply(resource(namespace, name, uid, 1, json!({})), source);
    }
    index.apply(resource("ns", "stays", "a", 2, json!({})), Source::Watch);
    assert_eq!(index.sweep(Some("ns"), list), [id(), id()]);
    let mut names: Vec<_> = index.iter().map(|r| r.key.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["stays", "x"], "another namespace is another watch's");
}

/// As if this were remembered of the uid `u`.
pub fn remember(index: &mut Index, name: &str, memory: &Memory) {
    let key = resource("ns", name, "u", 1, json!({})).key;
    Arc::make_mut(index.held_mut(&key, &"u".into()).unwrap()).memory = memory.clone();
}
