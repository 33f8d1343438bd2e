//! An HTTP proxy between one operator and the API server, on loopback: it answers in the API server's place, loses
//! requests and answers, holds them, and makes watches lag or end.

use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::config::Kubeconfig;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::{Result, access};

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The API server does not hear of it; the answer has this status, reason and `Retry-After`.
    Answer(u16, &'static str, Option<u32>),
    /// The API server does not hear of it, and the connection breaks.
    LoseRequest,
    /// It takes effect, and the connection breaks.
    LoseAnswer,
    /// The API server does not hear of it, and the client hears nothing.
    HoldRequest,
    /// It takes effect, and the client hears nothing.
    HoldAnswer,
}

/// Which requests.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// None: with any method.
    pub method: Option<Method>,
    /// Those whose path ends so; empty: with any path.
    pub path: String,
    /// Only watches.
    pub watches: bool,
}

impl Requests {
    fn take<T>(&self, request: &Request<T>) -> bool {
        self.method.as_ref().is_none_or(|method| method == request.method())
            && request.uri().path().ends_with(&self.path)
            && (!self.watches || is_watch(request))
    }
}

fn is_watch<T>(request: &Request<T>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

#[derive(Debug)]
struct Rule {
    which: Requests,
    /// With how many more; none: until all is cleared.
    left: Option<usize>,
    trouble: Trouble,
    met: watch::Sender<usize>,
}

#[derive(Debug)]
struct Shared {
    rules: Mutex<Vec<Rule>>,
    lag: watch::Sender<Duration>,
    /// Counts how often all watches were broken.
    breaks: watch::Sender<usize>,
}

impl Shared {
    fn trouble<T>(&self, request: &Request<T>) -> Option<Trouble> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let rule =
            rules.iter_mut().find(|rule| rule.left != Some(0) && rule.which.take(request))?;
        rule.left = rule.left.map(|left| left - 1);
        rule.met.send_modify(|met| *met += 1);
        Some(rule.trouble.clone())
    }
}

/// It serves until it is dropped.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// A gateway to the API server of this kubeconfig, and a kubeconfig that leads through it.
    ///
    /// # Errors
    ///
    /// If the kubeconfig is of no use, or there is no free port.
    pub async fn to_api_server(mut kubeconfig: Kubeconfig) -> Result<(Self, Kubeconfig)> {
        let mut config = access::config(kubeconfig.clone()).await?;
        // Whatever the API server answers is for the operator.
        config.default_retry = false;
        let client = Client::try_from(config)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let cluster = kubeconfig.clusters.first_mut().and_then(|named| named.cluster.as_mut());
        let server = cluster.and_then(|cluster| cluster.server.as_mut()).context("no cluster")?;
        *server = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            rules: Mutex::default(),
            lag: watch::Sender::default(),
            breaks: watch::Sender::default(),
        });
        let app = Router::new().fallback(pass).with_state((Arc::clone(&shared), client));
        let serving = tokio::spawn(async move {
            // It ends only when it is dropped.
            let _ = axum::serve(listener, app).await;
        });
        Ok((Self { shared, serving }, kubeconfig))
    }

    /// So many requests have this trouble, or all until [`clear`](Self::clear). The receiver counts those that it has met.
    pub fn inject(
        &self,
        which: Requests,
        left: Option<usize>,
        trouble: Trouble,
    ) -> watch::Receiver<usize> {
        let (met, receiver) = watch::channel(0);
        let rule = Rule { which, left, trouble, met };
        self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
        receiver
    }

    /// Ends all troubles. What is held stays so.
    pub fn clear(&self) {
        self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What watches bring from now on comes so much later.
    pub fn lag(&self, by: Duration) {
        self.shared.lag.send_replace(by);
    }

    /// Breaks the connections of all watches.
    pub fn break_watches(&self) {
        self.shared.breaks.send_modify(|breaks| *breaks += 1);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(
    State((shared, client)): State<(Arc<Shared>, Client)>,
    request: Request<Body>,
) -> Response {
    let trouble = shared.trouble(&request);
    match trouble {
        Some(Trouble::Answer(status, reason, retry_after)) => {
            return refuse(status, reason, retry_after);
        }
        Some(Trouble::LoseRequest) => return broken(),
        Some(Trouble::HoldRequest) => return pending().await,
        _ => {}
    }
    let is_watch = is_watch(&request);
    let (mut parts, body) = request.into_parts();
    // The client makes these anew.
    for name in [header::HOST, header::AUTHORIZATION, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    let Ok(body) = body.collect().await else { return broken() };
    let request = Request::from_parts(parts, kube::client::Body::from(body.to_bytes()));
    let answer = client.send(request).await;
    match (trouble, answer) {
        (Some(Trouble::LoseAnswer), _) | (_, Err(_)) => broken(),
        (Some(Trouble::HoldAnswer), _) => pending().await,
        (_, Ok(answer)) => {
            let (parts, body) = answer.into_parts();
            let body = body.into_data_stream();
            let body = if is_watch {
                Body::from_stream(late(body, &shared))
            } else {
                Body::from_stream(body)
            };
            Response::from_parts(parts, body)
        }
    }
}

fn refuse(code: u16, reason: &str, retry_after: Option<u32>) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "as a story has asked for", "reason": reason, "code": code,
    });
    let json = (header::CONTENT_TYPE, "application/json");
    let code = StatusCode::from_u16(code).unwrap_or_default();
    let mut answer = (code, [json], status.to_string()).into_response();
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

/// An answer whose body breaks at once.
fn broken() -> Response {
    let cut = io::Error::from(io::ErrorKind::ConnectionReset);
    Body::from_stream(stream::iter([std::result::Result::<Bytes, _>::Err(cut)])).into_response()
}

/// What comes, each piece as much later as was said when it came; until all watches are broken.
fn late(
    mut pieces: impl Stream<Item = std::result::Result<Bytes, kube::Error>> + Send + Unpin + 'static,
    shared: &Shared,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (lag, breaks) = (shared.lag.subscribe(), shared.breaks.subscribe());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(piece)) = pieces.next().await {
            if sender.send((Instant::now() + *lag.borrow(), piece)).is_err() {
                // Whoever reads has gone.
                break;
            }
        }
    });
    stream::unfold(Some((receiver, breaks)), |watch| async move {
        let (mut receiver, mut breaks) = watch?;
        let next = async {
            let (at, piece) = receiver.recv().await?;
            sleep_until(at).await;
            Some(piece)
        };
        tokio::select! {
            _ = breaks.changed() => Some((Err(io::ErrorKind::ConnectionReset.into()), None)),
            piece = next => piece.map(|piece| (Ok(piece), Some((receiver, breaks)))),
        }
    })
}
