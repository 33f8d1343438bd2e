use std::{
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::*;
use crate::{
    context::Context,
    env::Env,
    lock::lock,
    metrics::Snapshot,
    qoder::{BaseUrl, Client, SendError, Transport, Verb},
    remote::fixtures::*,
};

struct NeverAnswers;

impl Transport for NeverAnswers {
    fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        std::future::pending().boxed()
    }
}

/// An API that never answers, and all who were woken.
struct Bed {
    remote: Arc<Remote>,
    woken: Arc<Mutex<Vec<DeploymentId>>>,
}

impl Bed {
    fn new() -> Self {
        let env = Env::seeded(0, Timestamp::UNIX_EPOCH);
        let base_url = BaseUrl::parse("https://api.invalid", false).unwrap();
        let client = Client::new(Arc::new(NeverAnswers), base_url, None, env.clone());
        let context = Context::new(env, TIMES);
        let woken: Arc<Mutex<Vec<DeploymentId>>> = Arc::default();
        let list = Arc::clone(&woken);
        let wake = Arc::new(move |id: &DeploymentId, _| lock(&list).push(id.clone()));
        let remote = Arc::new(Remote::new(client, account(), wake, context));
        let grants = Arc::clone(&remote);
        tokio::spawn(async move { grants.grant_permits().await });
        Self { remote, woken }
    }

    fn permit(&self, n: u32) -> Option<Permit> {
        self.remote.permit(&id(n), Lane::Spec, &"ns".into())
    }

    /// All permits that there are at a time, and one deployment that waits for the next.
    async fn all_permits(&self) -> Vec<Permit> {
        let mut permits = Vec::new();
        for n in 0..16 {
            permits.push(self.permit(n).unwrap());
            sleep(SECOND / 20).await;
        }
        assert!(self.permit(16).is_none());
        sleep(SECOND / 10).await;
        assert_eq!(*self.woken(), []);
        permits
    }

    /// How many have waited for their turn, and for how many seconds together.
    fn budget_wait(&self) -> (u64, f64) {
        let metrics = &self.remote.context.metrics;
        let text = metrics.encode(&Snapshot::default()).unwrap();
        let sample = |suffix| {
            let name = format!("qoder_api_budget_wait_seconds{suffix} ");
            text.lines().find_map(|line| line.strip_prefix(&name)).unwrap()
        };
        (sample("_count").parse().unwrap(), sample("_sum").parse().unwrap())
    }

    fn woken(&self) -> MutexGuard<'_, Vec<DeploymentId>> {
        lock(&self.woken)
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_permit_wakes_who_waits_for_the_next() {
    for end in ["given up", "not sent", "broken"] {
        let bed = Bed::new();
        let mut permits = bed.all_permits().await;
        let permit = permits.pop().unwrap();
        let sending = |permit| {
            let write = write(&of("a"), Verb::Pause);
            bed.remote.begin_write(permit, write).unwrap()
        };
        match end {
            "given up" => drop(permit),
            "not sent" => drop(sending(permit)),
            _ => assert!(timeout(SECOND / 100, sending(permit).send()).await.is_err()),
        }
        sleep(Duration::from_millis(1)).await;
        assert_eq!(*bed.woken(), [id(16)], "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_a_permit_was_waited_for_is_counted_when_it_is_taken() {
    let bed = Bed::new();
    let mut permits = bed.all_permits().await;
    assert_eq!(bed.budget_wait(), (16, 0.0), "who waits is not counted yet");

    // Its turn comes 100 ms after it has asked.
    drop(permits.pop());
    sleep(Duration::from_millis(1)).await;
    drop(bed.permit(16).unwrap());
    let (count, seconds) = bed.budget_wait();
    assert_eq!(count, 17);
    assert!((seconds - 0.101).abs() < 0.001, "{seconds}");

    // It has not waited again.
    bed.remote.forget_permit(&id(16));
    assert_eq!(bed.remote.state().account.asked_since(&id(16)), None);
}
