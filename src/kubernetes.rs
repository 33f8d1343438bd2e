//! The client of the Kubernetes API, with every wait bounded. It is built only here.
//!
//! The client that kube builds by itself waits without end for the head of an answer and for the
//! next event of a watch, keeps connections that are long dead, repeats what its caller has
//! reasons not to repeat, and does not heed `NO_PROXY`. Its watcher begins a watch that has ended at
//! once again at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response, Uri};
use http_body::Body as HttpBody;
use hyper_util::{
    client::{
        legacy::{
            Client as HttpClient,
            connect::{
                Connect, HttpConnector,
                proxy::{SocksV5, Tunnel},
            },
        },
        proxy::matcher::{Intercept, Matcher},
    },
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt as _},
    config::InferConfigError,
};
use tokio::time::{Instant, sleep_until};
use tower::{BoxError, Service, ServiceBuilder, filter::AsyncPredicate, timeout::TimeoutLayer};
use tower_http::timeout::ResponseBodyTimeoutLayer;

use crate::{lock::lock, loopback::is_loopback, times::Times};

/// The most of an answer that is read at once, in bytes. hyper's own bound is 400 KiB, and what the first list of a large
/// fleet has taken is not given back. The head of an answer has to fit in.
const READ_BUFFER: usize = 64 * 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a kubeconfig nor the files of a Pod.
    #[error("failed to find out where Kubernetes is")]
    NotFound(#[from] InferConfigError),
    /// What was found cannot be used: a certificate or a credential.
    #[error("failed to set up the client of Kubernetes")]
    Unusable(#[from] kube::Error),
    /// The URL is not shown: it may have a password.
    #[error(
        "failed to use the proxy for Kubernetes: expected an http, https or socks5 URL; check proxy-url in the kubeconfig, and HTTPS_PROXY"
    )]
    Proxy,
}

/// The client for what `KUBECONFIG` names, or for the cluster that this Pod is in.
///
/// # Errors
/// [`ClientError`].
pub async fn infer() -> Result<Client, ClientError> {
    client(&Config::infer().await?)
}

/// The client for this configuration. There is no retry in it: each caller has its own.
///
/// # Errors
/// [`ClientError`].
pub fn client(config: &Config) -> Result<Client, ClientError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(Times::CONNECT));
    tcp.set_keepalive(Some(Times::KEEPALIVE));
    tcp.set_keepalive_interval(Some(Times::KEEPALIVE));
    tcp.set_keepalive_retries(Some(Times::KEEPALIVE_RETRIES));

    let Some(proxy) = proxy(config)? else {
        return over(config.rustls_https_connector_with_connector(tcp)?, config);
    };
    let url = proxy.uri().clone();
    match url.scheme_str() {
        Some("http") => {
            let tunnel = authorized(Tunnel::new(url, tcp), &proxy);
            over(config.rustls_https_connector_with_connector(tunnel)?, config)
        }
        Some("https") => {
            // The proxy has a certificate of its own; that of the cluster does not concern it.
            let tls = Config::new(url.clone()).rustls_https_connector_with_connector(tcp)?;
            let tunnel = authorized(Tunnel::new(url, tls), &proxy);
            over(config.rustls_https_connector_with_connector(tunnel)?, config)
        }
        Some("socks5" | "socks5h") => {
            let mut tunnel = SocksV5::new(url, tcp);
            if let Some((user, password)) = proxy.raw_auth() {
                tunnel = tunnel.with_auth(user.to_owned(), password.to_owned());
            }
            over(config.rustls_https_connector_with_connector(tunnel)?, config)
        }
        _ => Err(ClientError::Proxy),
    }
}

fn authorized<C>(tunnel: Tunnel<C>, proxy: &Intercept) -> Tunnel<C> {
    match proxy.basic_auth() {
        Some(credential) => tunnel.with_auth(credential.clone()),
        None => tunnel,
    }
}

/// The layers of kube's own client, without its retry.
fn over<C>(connector: C, config: &Config) -> Result<Client, ClientError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let http = HttpClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Times::CONNECTION_IDLE)
        .http1_max_buf_size(READ_BUFFER)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(bounded(service, &config.default_namespace))
}

/// This service as a client whose every wait has a bound: for the head of an answer, which is also
/// the start of a watch, and for the next piece of a body.
pub fn bounded<S, B>(service: S, default_namespace: &str) -> Client
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let service = ServiceBuilder::new()
        .filter_async(WatchStarts::default())
        .layer(ResponseBodyTimeoutLayer::new(Times::KUBERNETES_SILENCE))
        .layer(TimeoutLayer::new(Times::KUBERNETES_CALL))
        .service(service);
    Client::new(service, default_namespace)
}

/// When the last watch of each path began: the next one waits. What ends each watch at once, a proxy for example, is
/// not asked again and again without a pause.
#[derive(Clone, Default)]
struct WatchStarts(Arc<Mutex<BTreeMap<String, Instant>>>);

impl AsyncPredicate<Request<Body>> for WatchStarts {
    type Future = BoxFuture<'static, Result<Request<Body>, BoxError>>;
    type Request = Request<Body>;

    fn check(&mut self, request: Request<Body>) -> Self::Future {
        let start = self.next(request.uri());
        async move {
            if let Some(at) = start {
                sleep_until(at).await;
            }
            Ok(request)
        }
        .boxed()
    }
}

impl WatchStarts {
    /// When this watch may begin. `None`: it is no watch.
    fn next(&self, uri: &Uri) -> Option<Instant> {
        uri.query().filter(|query| query.split('&').any(|pair| pair == "watch=true"))?;
        let now = Instant::now();
        let starts = &mut *lock(&self.0);
        let last = starts.entry(uri.path().to_owned());
        let next = last.and_modify(|last| *last = now.max(*last + Times::WATCH_SPACING));
        Some(*next.or_insert(now))
    }
}

/// The proxy on the way, if any.
///
/// kube puts `proxy-url` of the kubeconfig, or else `HTTPS_PROXY`, into the configuration, and does
/// not say which. A URL that both name is taken for the environment's.
fn proxy(config: &Config) -> Result<Option<Intercept>, ClientError> {
    let Some(url) = &config.proxy_url else {
        // Inside a cluster its API is reached directly.
        return Ok(None);
    };
    if !is_of_environment(url) {
        // Whoever names a proxy for this one cluster means it, also for a loopback address: that is
        // then the proxy's own machine.
        let named = Matcher::builder().all(url.to_string()).build();
        return named.intercept(&config.cluster_url).map(Some).ok_or(ClientError::Proxy);
    }
    if config.cluster_url.host().is_some_and(is_loopback) {
        return Ok(None);
    }
    Ok(Matcher::from_env().intercept(&config.cluster_url))
}

fn is_of_environment(url: &Uri) -> bool {
    ["HTTPS_PROXY", "https_proxy"].into_iter().any(|variable| {
        std::env::var(variable)
            .is_ok_and(|value| value.parse().is_ok_and(|named: Uri| named == *url))
    })
}

#[cfg(test)]
#[path = "kubernetes_tests.rs"]
mod tests;
