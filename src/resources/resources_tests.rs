//! Whatever work a copy uncovers is woken, from every source, and the remote knows what is named.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::{
    context::Context,
    env::Env,
    qoder::{BaseUrl, Client, SendError, Token, TokenSource, Transport},
    remote::{Account, Rates},
    times::Times,
};

/// Nothing here may call the API.
struct Unreachable;

impl Transport for Unreachable {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        panic!("a call to {}", request.uri())
    }
}

pub struct Bed {
    pub resources: Arc<Resources>,
    remote: Arc<Remote>,
    woken: Arc<Mutex<Vec<(String, Lane)>>>,
}

impl Bed {
    pub fn new() -> Self {
        let times = Times {
            poll_interval: Duration::from_secs(30),
            request_timeout: Duration::from_secs(15),
        };
        let rates = Rates { reads_per_second: 50, writes_per_second: 20 };
        let env = Env::seeded(0, Timestamp::UNIX_EPOCH);
        let base_url = BaseUrl::parse("http://127.0.0.1:1/api", false).unwrap();
        let client = Client::new(Arc::new(Unreachable), base_url, None, env.clone());
        let token = TokenSource::Environment(Token::parse(b"pt-obviously-fake"));
        let woken: Arc<Mutex<Vec<_>>> = Arc::default();
        let wake: Wake = {
            let woken = Arc::clone(&woken);
            Arc::new(move |id, lane| lock(&woken).push((id.to_string(), lane)))
        };
        let account = Account::new(token, rates, times);
        let context = Context::new(env, times);
        let remote = Arc::new(Remote::new(client, account, Arc::clone(&wake), context));
        let resources = Arc::new(Resources::new(Arc::default(), Arc::clone(&remote), wake));
        Self { resources, remote, woken }
    }

    /// Takes a copy in, and says what was woken.
    fn takes_in(&self, object: &QoderDeployment, source: Source) -> Vec<(String, Lane)> {
        self.resources.take_in(object, source);
        self.woken()
    }

    pub fn woken(&self) -> Vec<(String, Lane)> {
        std::mem::take(&mut lock(&self.woken))
    }

    fn is_bound(&self, id: &str) -> bool {
        let id = DeploymentId::try_from(id).unwrap();
        let is_named = self.resources.index().is_bound(&id);
        assert_eq!(is_named, self.remote.view(&id, Instant::now()).entry.is_some());
        is_named
    }

    /// The uid of the owner.
    fn owner(&self) -> Option<String> {
        let bound = self.resources.index().bound(&DeploymentId::try_from("dep_1").unwrap());
        super::super::owner(&bound).map(|owner| owner.uid.to_string())
    }
}

/// An object of that name, uid and version, that names a deployment.
pub fn object(name: &str, uid: &str, version: u64, deployment: &str) -> QoderDeployment {
    object_with(name, uid, version, &json!({ "deploymentID": deployment, "paused": true }))
}

fn object_with(name: &str, uid: &str, version: u64, spec: &Value) -> QoderDeployment {
    let day = version.min(9);
    serde_json::from_value(json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": {
            "namespace": "ns", "name": name, "uid": uid, "resourceVersion": version.to_string(),
            "generation": version, "creationTimestamp": format!("2026-07-0{day}T02:00:00Z"),
        },
        "spec": spec,
    }))
    .unwrap()
}

fn is(id: &str, lane: Lane) -> Vec<(String, Lane)> {
    vec![(id.to_owned(), lane)]
}

fn key(name: &str) -> ResourceKey {
    ResourceKey { namespace: "ns".into(), name: name.into() }
}

#[tokio::test]
async fn what_the_newest_status_says_is_what_is_known_before_the_first_look() {
    let bed = Bed::new();
    let says = |version, name: &str| {
        let status = json!({ "status": "paused", "name": name });
        let status = serde_json::from_value(status).unwrap();
        QoderDeployment { status: Some(status), ..object("a", "u", version, "dep_1") }
    };
    let known = || {
        let id = DeploymentId::try_from("dep_1").unwrap();
        let entry = bed.remote.view(&id, Instant::now()).entry.unwrap();
        entry.last_known.as_ref().and_then(|known| known.name.as_deref().map(str::to_owned))
    };
    for (version, name, expected) in [(2, "old", "old"), (4, "new", "new"), (3, "older", "new")] {
        bed.resources.take_in(&says(version, name), Source::Watch);
        assert_eq!(known().as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn whatever_a_copy_uncovers_is_woken_from_every_source() {
    let later = Mark(60);
    for source in [Source::List(later), Source::Watch, Source::Read, Source::Apply] {
        let bed = Bed::new();
        let first = object("a", "u", 1, "dep_1");
        assert_eq!(bed.takes_in(&first, Source::Watch), is("dep_1", Lane::Report));
        assert!(bed.is_bound("dep_1"));
        let changed = object("a", "u", 2, "dep_1");
        assert_eq!(bed.takes_in(&changed, source), is("dep_1", Lane::Report), "{source:?}");
        assert_eq!(bed.takes_in(&changed, source), [], "{source:?}: nothing new");

        let mut again = changed.clone();
        again.metadata.resource_version = Some("3".into());
        assert_eq!(bed.takes_in(&again, source), [], "{source:?}: newer, and says the same");
    }
}

#[tokio::test]
async fn a_late_answer_after_the_deletion_binds_nothing() {
    let bed = Bed::new();
    bed.takes_in(&object("a", "u", 1, "dep_1"), Source::Watch);
    bed.resources.delete(&key("a"), &"u".into());
    assert_eq!(bed.woken(), is("dep_1", Lane::Spec), "so that its place in the queue is forgotten");
    assert!(!bed.is_bound("dep_1"));
    for source in [Source::Read, Source::Apply] {
        assert_eq!(bed.takes_in(&object("a", "u", 2, "dep_1"), source), []);
        assert!(!bed.is_bound("dep_1"));
    }
}

#[tokio::test]
async fn a_name_that_comes_back_for_another_deployment_binds_that_and_lets_the_first_go() {
    let later = Mark(60);
    for source in [Source::List(later), Source::Watch, Source::Read, Source::Apply] {
        let bed = Bed::new();
        bed.takes_in(&object("a", "u", 1, "dep_1"), Source::Watch);
        let woken = bed.takes_in(&object("a", "v", 2, "dep_2"), source);
        assert!(woken.contains(&("dep_2".to_owned(), Lane::Report)), "{source:?} {woken:?}");
        assert!(woken.contains(&("dep_1".to_owned(), Lane::Spec)), "{source:?} {woken:?}");
        assert!(bed.is_bound("dep_2") && !bed.is_bound("dep_1"), "{source:?}");
    }
}

#[tokio::test]
async fn whoever_owns_a_deployment_next_is_woken() {
    let bed = Bed::new();
    bed.takes_in(&object("old", "u1", 1, "dep_1"), Source::Watch);
    bed.takes_in(&object("young", "u2", 2, "dep_1"), Source::Watch);
    assert_eq!(bed.owner().as_deref(), Some("u1"));
    bed.woken();
    bed.resources.delete(&key("old"), &"u2".into());
    assert_eq!(bed.woken(), [], "that is not the object of this name");
    bed.resources.delete(&key("old"), &"u1".into());
    assert_eq!(bed.woken(), is("dep_1", Lane::Spec));
    assert_eq!(bed.owner().as_deref(), Some("u2"));
    assert!(bed.is_bound("dep_1"), "it is still named");

    let observes = object_with("young", "u2", 3, &json!({ "deploymentID": "dep_1" }));
    assert_eq!(bed.takes_in(&observes, Source::Watch), is("dep_1", Lane::Report));
    assert_eq!(bed.owner(), None, "who only observes owns nothing");
}

#[tokio::test]
async fn what_a_list_did_not_bring_is_let_go_and_what_it_brought_unreadable_is_kept() {
    let bed = Bed::new();
    for (name, uid, deployment) in
        [("a", "u1", "dep_1"), ("b", "u2", "dep_2"), ("c", "u3", "dep_3")]
    {
        bed.takes_in(&object(name, uid, 1, deployment), Source::Watch);
    }
    let list = bed.resources.index().mark();
    bed.takes_in(&object("a", "u1", 1, "dep_1"), Source::List(list));
    let nonsense = object("b", "u2", 2, "no id of a deployment");
    assert_eq!(bed.takes_in(&nonsense, Source::List(list)), []);
    bed.resources.keep(&key("c"), list);
    bed.resources.sweep(None, list);
    assert_eq!(bed.woken(), [], "all three were brought");
    let next = bed.resources.index().mark();
    bed.takes_in(&object("a", "u1", 1, "dep_1"), Source::List(next));
    bed.resources.sweep(Some("elsewhere"), next);
    assert_eq!(bed.woken(), []);
    bed.resources.sweep(Some("ns"), next);
    let spec = |id: &str| (id.to_owned(), Lane::Spec);
    assert_eq!(bed.woken(), [spec("dep_2"), spec("dep_3")]);
    assert!(bed.is_bound("dep_1") && !bed.is_bound("dep_2") && !bed.is_bound("dep_3"));
}

/// The wake of a deployment that nothing names is how its key is forgotten.
#[tokio::test]
async fn a_wake_comes_after_the_binding_is_settled() {
    let index: Arc<Mutex<Index>> = Arc::default();
    let seen: Arc<Mutex<Vec<bool>>> = Arc::default();
    let wake: Wake = {
        let (index, seen) = (Arc::clone(&index), Arc::clone(&seen));
        // Takes the index's lock: whoever wakes must not hold it.
        Arc::new(move |id, _| lock(&seen).push(lock(&index).is_bound(id)))
    };
    let remote = Bed::new().remote;
    let resources = Resources::new(index, remote, wake);
    resources.take_in(&object("a", "u", 1, "dep_1"), Source::Watch);
    resources.delete(&key("a"), &"u".into());
    assert_eq!(*lock(&seen), [true, false]);
}

#[tokio::test]
async fn progress_is_of_one_object_only() {
    let bed = Bed::new();
    bed.takes_in(&object("a", "u", 1, "dep_1"), Source::Watch);
    let id = DeploymentId::try_from("dep_1").unwrap();
    let held = || bed.resources.index().bound(&id)[0].clone();
    let first = held();
    let told = Progress {
        reached: super::super::ReachedChange::Set,
        resume_handled: false,
        reconcile_handled: false,
        is_told: true,
    };
    assert_eq!(bed.resources.held_version(&first), Some(1));
    assert!(!bed.resources.remember(&first, told));
    assert!(held().memory.has_status && held().memory.last_reached.is_some());

    bed.takes_in(&object("a", "v", 2, "dep_1"), Source::Watch);
    assert!(!bed.resources.remember(&first, told));
    let digest = first.published.digest;
    assert!(!bed.resources.tell(&first, digest, crate::api::Reason::Contested));
    assert!(!bed.resources.tell(&held(), digest + 1, crate::api::Reason::Contested), "another");
    assert!(bed.resources.tell(&held(), digest, crate::api::Reason::Contested));
    assert!(!bed.resources.tell(&held(), digest, crate::api::Reason::Contested), "it is told");
    bed.resources.stands(&first);
    assert_eq!(bed.resources.held_version(&first), None);
    assert_eq!(
        held().memory,
        super::super::Memory::default(),
        "the name has come back as another object"
    );
    assert_eq!(held().sent, None);
}
