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
    leader::Claim,
    lock::lock,
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
        let context =
            Context { metrics: Arc::default(), env, times: TIMES, claim: Claim::always() };
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
