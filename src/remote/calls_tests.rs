use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use jiff::Timestamp;
use tokio::time::timeout;

use super::*;
use crate::{
    context::Context,
    env::Env,
    qoder::{BaseUrl, Client, SendError, Transport},
    remote::{Worth, fixtures::*},
};

/// Refuses the first `refused` requests with this status, and never answers another.
struct Refuses {
    status: u16,
    refused: usize,
    sent: Arc<AtomicUsize>,
}

impl Transport for Refuses {
    fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        if self.sent.fetch_add(1, Ordering::SeqCst) >= self.refused {
            return std::future::pending().boxed();
        }
        let answer = Response::builder().status(self.status).body(Bytes::new()).unwrap();
        async { Ok(answer) }.boxed()
    }
}

fn remote(status: u16, refused: usize) -> (Remote, Arc<AtomicUsize>) {
    let sent = Arc::default();
    let transport = Refuses { status, refused, sent: Arc::clone(&sent) };
    let env = Env::seeded(0, Timestamp::UNIX_EPOCH);
    let base_url = BaseUrl::parse("https://api.invalid", false).unwrap();
    let client = Client::new(Arc::new(transport), base_url, None, env.clone());
    let context = Context::new(env, TIMES);
    let remote = Remote::new(client, account(), Arc::new(|_, _| {}), context);
    remote.bind(&id(1), None);
    remote.demand(&id(1), Instant::now());
    (remote, sent)
}

/// A read that is dropped before it is answered.
async fn drop_a_read(remote: &Remote) {
    assert!(timeout(SECOND, remote.get(&id(1))).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_the_credential_that_is_dropped_makes_room_for_the_next() {
    let (remote, sent) = remote(401, 1);
    assert!(remote.get(&id(1)).await.unwrap().result.is_err());
    let worth = remote.view(&id(1), Instant::now()).credential.worth;
    assert!(matches!(worth, Worth::Rejected { .. }));
    drop_a_read(&remote).await;
    assert_eq!(sent.load(Ordering::SeqCst), 1, "it was not its time");

    tokio::time::sleep(TIMES.credential_probe(0)).await;
    for probes in [2, 3] {
        drop_a_read(&remote).await;
        assert_eq!(sent.load(Ordering::SeqCst), probes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_the_breaker_that_is_dropped_makes_room_for_the_next() {
    let (remote, sent) = remote(500, 5);
    for _ in 0..5 {
        assert!(remote.get(&id(1)).await.unwrap().result.is_err());
    }
    assert!(remote.totals(Instant::now()).is_breaker_open);
    drop_a_read(&remote).await;
    assert_eq!(sent.load(Ordering::SeqCst), 5);

    tokio::time::sleep(TIMES.breaker_probe()).await;
    for probes in [6, 7] {
        drop_a_read(&remote).await;
        assert_eq!(sent.load(Ordering::SeqCst), probes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_wakes_the_read_that_waits_for_its_end() {
    let (remote, sent) = remote(500, 5);
    for _ in 0..5 {
        assert!(remote.get(&id(1)).await.unwrap().result.is_err());
    }
    tokio::time::sleep(TIMES.breaker_probe()).await;
    let id = id(1);
    let first = timeout(SECOND / 10, remote.get(&id));
    let second = timeout(SECOND, remote.get(&id));
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_err() && second.is_err());
    assert_eq!(sent.load(Ordering::SeqCst), 7);
}
