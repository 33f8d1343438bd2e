use std::{
    convert::Infallible,
    future::{Ready, pending, ready},
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::{Full, StreamBody};
use kube::{Api, api::WatchParams};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{Instant, sleep, timeout},
};
use tower::service_fn;

use super::*;
use crate::api::QoderDeployment;

/// Longer than anything here may take, on the paused clock.
const HOUR: Duration = Duration::from_secs(3600);

/// One line of a watch.
fn event() -> http_body::Frame<Bytes> {
    let object = json!({
        "apiVersion": "cloud.qoder.com/v1alpha1",
        "kind": "QoderDeployment",
        "metadata": { "name": "nightly" },
        "spec": { "deploymentID": "dep_019ec55a2b687b3f94eee77dd77e4b2a" },
    });
    let event = json!({ "type": "MODIFIED", "object": object });
    http_body::Frame::data(format!("{event}\n").into())
}

type Answer<B> = Ready<Result<Response<B>, Infallible>>;

/// An API that answers every request with such a body.
fn answering<B>(body: impl Fn() -> B + Clone + Send + 'static) -> Client
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let answer = move |_: Request<Body>| -> Answer<B> { ready(Ok(Response::new(body()))) };
    bounded(service_fn(answer), "default")
}

fn deployments(client: Client) -> Api<QoderDeployment> {
    Api::default_namespaced(client)
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_head_never_comes_is_an_error_after_ten_seconds() {
    let silent = |_: Request<Body>| pending::<Result<Response<Full<Bytes>>, Infallible>>();
    let api = deployments(bounded(service_fn(silent), "default"));

    let start = Instant::now();
    let read = timeout(HOUR, api.get("nightly")).await.expect("it ends").unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 10, "{read}");

    let start = Instant::now();
    let watch = timeout(HOUR, api.watch(&WatchParams::default(), "0")).await.expect("it ends");
    assert!(watch.is_err());
    assert_eq!(start.elapsed().as_secs(), 10, "the start of a watch");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_is_an_error_within_a_minute() {
    let once =
        || StreamBody::new(stream::iter([Ok::<_, Infallible>(event())]).chain(stream::pending()));
    let api = deployments(answering(once));

    let start = Instant::now();
    let read = timeout(HOUR, api.get("nightly")).await.expect("it ends");
    assert!(read.is_err(), "an answer that does not end");
    assert!(start.elapsed().as_secs() <= 60, "{:?}", start.elapsed());

    let mut events = Box::pin(api.watch(&WatchParams::default(), "0").await.unwrap());
    assert!(events.next().await.unwrap().is_ok());
    let start = Instant::now();
    let silence = timeout(HOUR, events.next()).await.expect("it ends").unwrap();
    assert!(matches!(silence, Err(kube::Error::ReadEvents(_))), "{silence:?}");
    assert!(start.elapsed().as_secs() <= 60, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_keeps_sending_is_never_cut() {
    let steady = || {
        StreamBody::new(stream::unfold((), |()| async {
            sleep(Duration::from_secs(59)).await;
            Some((Ok::<_, Infallible>(event()), ()))
        }))
    };
    let api = deployments(answering(steady));
    let start = Instant::now();
    let events = Box::pin(api.watch(&WatchParams::default(), "0").await.unwrap());
    let seen: Vec<_> = events.take(100).try_collect().await.unwrap();
    assert_eq!(seen.len(), 100);
    assert_eq!(start.elapsed().as_secs(), 5900);
}

/// `/proc/self/net/tcp` has every socket with the timer that runs on it: 02 is keepalive. It is
/// read in parts, so a socket may be in it more than once.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_are_kept_alive() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = client(&Config::new(format!("http://127.0.0.1:{port}").parse().unwrap())).unwrap();

    let request = Request::get("/version").body(Vec::new()).unwrap();
    let request = tokio::spawn(async move { client.request_text(request).await });
    let (mut connection, _) = listener.accept().await.unwrap();
    connection.read_u8().await.unwrap();
    let end = format!(":{port:04X}");
    let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let fields = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let timers: Vec<_> = fields
        .filter(|fields| fields[2].ends_with(&end))
        .map(|fields| fields[5].to_owned())
        .collect();
    assert!(!timers.is_empty() && timers.iter().all(|it| it.starts_with("02:")), "{timers:?}");

    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
    assert_eq!(request.await.unwrap().unwrap(), "hi");
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_begin_with_a_pause_and_nothing_else_waits() {
    let client = answering(Full::<Bytes>::default);
    let (api, start) = (deployments(client.clone()), Instant::now());
    let elsewhere: Api<QoderDeployment> = Api::namespaced(client, "elsewhere");
    let params = WatchParams::default();
    for millis in [0, 500, 1000] {
        api.watch(&params, "0").await.unwrap().for_each(|_| ready(())).await;
        assert!(api.get("nightly").await.is_err(), "an empty answer");
        assert_eq!(start.elapsed().as_millis(), millis);
    }
    elsewhere.watch(&params, "0").await.unwrap().for_each(|_| ready(())).await;
    assert_eq!(start.elapsed().as_millis(), 1000, "a watch of another place");
}
