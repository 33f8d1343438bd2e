//! Watches the resources and keeps the index: one watch for each namespace, or one for all.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, TryStreamExt as _, future::OptionFuture};
use kube::{
    Api, Client, Resource as _,
    runtime::{
        WatchStreamExt as _,
        utils::Backoff,
        watcher::{self, Event, watcher},
    },
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    watch_health::{News, WatchHealth},
    watched::Watched,
};
use crate::{
    chain::{Chain, said},
    context::Context,
    env::Env,
    metrics::Metrics,
    resources::{Mark, ResourceKey, Resources, Source, printable},
};

/// The first wait until a watch that failed is started again; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(800);
/// After so long without a failure a watch begins a new row of waits.
const CALM: Duration = Duration::from_secs(30);
/// client-go's backoff grows to 30 s; here people are waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long the server keeps one watch open, in seconds: shorter than the silence that counts as a lost
/// connection.
const WATCH_SECONDS: u32 = 45;

/// How much is logged of why an object cannot be read, in characters: the reason may quote the object.
const LONGEST_ERROR: usize = 256;

/// How many objects a page of a list has where the server cannot stream one.
const PAGE_SIZE: u32 = 100;

/// Watches one namespace (`None`: all) for ever. Says in `health` how it is.
pub async fn watch_resources(
    resources: Arc<Resources>,
    client: Client,
    namespace: Option<String>,
    health: watch::Sender<WatchHealth>,
    Context { env, metrics, .. }: Context,
) {
    let api: Api<Watched> = match &namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let patient = || Patient { env: env.clone(), failures: 0, last: None };
    let streamed = watcher(api.clone(), config.clone().streaming_lists()).backoff(patient());
    let paged = watcher(api, config.page_size(PAGE_SIZE)).backoff(patient());
    let list = Mark::default();
    let mut follower = Follower { resources, namespace, health, metrics, list, streams: true };
    if follower.follow(pin!(streamed)).await == Ended::NotStreamed {
        tracing::info!("the API server does not stream lists; they are read in pages");
        follower.streams = false;
        follower.follow(pin!(paged)).await;
    }
}

/// The waits between tries of a watch: doubling, with jitter.
struct Patient {
    env: Env,
    failures: u32,
    /// When it waited last.
    last: Option<Instant>,
}

impl Iterator for Patient {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if self.last.replace(now).is_none_or(|last| now - last > CALM) {
            self.failures = 0;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(8)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        Some(wait.mul_f64(1.0 - self.env.jitter() / 4.0))
    }
}

impl Backoff for Patient {
    /// An event is no success: each list begins with one, also one that fails.
    fn reset(&mut self) {}
}

/// Why following a watch ended.
#[derive(PartialEq, Eq)]
enum Ended {
    /// The server refuses to stream lists: the feature is off by default in Kubernetes 1.33.
    NotStreamed,
    /// The stream is over, which a watcher's never is.
    Over,
}

/// Follows the events of one watch.
struct Follower {
    resources: Arc<Resources>,
    namespace: Option<String>,
    health: watch::Sender<WatchHealth>,
    metrics: Arc<Metrics>,
    /// The mark of the list that is under way, or of the last one.
    list: Mark,
    /// Whether lists are streamed.
    streams: bool,
}

impl Follower {
    async fn follow(
        &mut self,
        mut events: Pin<&mut impl Stream<Item = watcher::Result<Event<Watched>>>>,
    ) -> Ended {
        loop {
            // A list whose beginning is the next event may be asked for at any time from now on.
            let mark = self.resources.index().mark();
            let event = loop {
                let calm_at = self.health.borrow().calm_at();
                tokio::select! {
                    biased;
                    event = events.try_next() => break event,
                    Some(()) = OptionFuture::from(calm_at.map(sleep_until)) => {
                        self.note(WatchHealth::lives);
                    }
                }
            };
            match event {
                Ok(Some(event)) => self.follow_event(event, mark),
                Ok(None) => return Ended::Over,
                Err(error) if self.streams && is_refusal(&error) => return Ended::NotStreamed,
                Err(error) => self.failed(&error),
            }
        }
    }

    /// Notes a sign of life, and says so after failures.
    fn note(&self, lives: impl FnOnce(&mut WatchHealth) -> bool) {
        let mut is_back = false;
        self.health.send_modify(|health| is_back = lives(health));
        if is_back {
            tracing::info!(namespace = self.namespace, "the watch works again");
        }
    }

    fn failed(&self, error: &watcher::Error) {
        self.metrics.watch_errors.inc();
        let (namespace, error) = (&self.namespace, explain(error));
        let mut news = News::None;
        self.health.send_modify(|health| news = health.failed(&error, Instant::now()));
        match news {
            News::None => {}
            News::Error if error.contains(STARTING) => tracing::info!(
                namespace,
                "the API server sets up the kind; its watch is started again"
            ),
            News::Error => tracing::warn!(
                namespace,
                error,
                "the watch of QoderDeployments fails, and is tried again"
            ),
            News::Blind => tracing::warn!(
                namespace,
                error,
                "the operator sees no changes: the watch of QoderDeployments has been failing for a minute"
            ),
        }
    }

    fn follow_event(&mut self, event: Event<Watched>, mark: Mark) {
        match event {
            Event::Init => {
                self.list = mark;
                self.lists(WatchHealth::list_begins);
            }
            Event::InitApply(object) => {
                self.lists(WatchHealth::lists);
                self.hand_over(object, Source::List(self.list));
            }
            Event::InitDone => {
                self.resources.sweep(self.namespace.as_deref(), self.list);
                self.note(WatchHealth::listed);
            }
            Event::Apply(object) => {
                self.note(WatchHealth::lives);
                self.hand_over(object, Source::Watch);
            }
            Event::Delete(object) => {
                self.note(WatchHealth::lives);
                let metadata = object.meta();
                let uid = metadata.uid.as_deref().unwrap_or_default().into();
                self.resources.delete(&ResourceKey::of(metadata), &uid);
            }
        }
    }

    /// A list that has begun may break before its end, again and again: it is no sign of life.
    fn lists(&self, note: impl FnOnce(&mut WatchHealth, Instant)) {
        self.health.send_if_modified(|health| {
            note(health, Instant::now());
            false
        });
    }

    fn hand_over(&self, object: Watched, source: Source) {
        let invalid = match object.0 {
            Ok(object) => return self.resources.take_in(&object, source),
            Err(invalid) => invalid,
        };
        tracing::error!(
            namespace = invalid.metadata.namespace,
            name = invalid.metadata.name,
            error = printable(&invalid.error, LONGEST_ERROR),
            "ignored a QoderDeployment that cannot be read; check that the CRD is the shipped one"
        );
        if let Source::List(list) = source {
            self.resources.keep(&ResourceKey::of(&invalid.metadata), list);
        }
    }
}

/// What an API server says for a moment after the CRD was installed.
const STARTING: &str = "storage is (re)initializing";

/// Why a watch failed, and what to do where that is known.
fn explain(error: &watcher::Error) -> String {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status,
        other => return format!("{}; does the operator reach the API server?", Chain(other)),
    };
    let advice = match status.code {
        401 => "; the API server does not accept the operator's credential",
        403 => {
            "; the operator may not list and watch: apply deploy/base/rbac.yaml, or deploy/namespaced/rbac.yaml"
        }
        404 => "; the CRD is not installed: apply crds/qoderdeployments.yaml",
        _ => "",
    };
    format!("{}{advice}", said(status))
}

/// 422: `sendInitialEvents` is forbidden where the server does not stream lists.
fn is_refusal(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 422)
}
