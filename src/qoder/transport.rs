//! The seam below the client: one request in, one whole response out. Production has reqwest
//! here; a simulation has whatever answers in its place.

use std::{error::Error as StdError, io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::BaseUrl;
use crate::times::Times;

/// Sends one request. Everything above this trait is the shipped code, in simulations too.
pub trait Transport: Send + Sync {
    /// Sends the request and reads the whole answer, at most [`MaxBody`] (an extension of the
    /// request) bytes of it. Never follows a redirect, never retries.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>>;
}

/// The largest body in bytes that this request's answer may have: a request extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxBody(pub usize);

/// Why there is no whole answer. The difference that matters: was the request sent?
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nothing was sent: connect, DNS or TLS failed.
    #[error("failed to connect")]
    NotSent(#[source] Box<dyn StdError + Send + Sync>),
    /// The request may have arrived, and no answer came in time.
    #[error("failed to get an answer in time")]
    TimedOut,
    /// The request may have arrived, and the connection broke.
    #[error("failed to read the answer")]
    Broken(#[source] Box<dyn StdError + Send + Sync>),
    /// The answer has more than [`MaxBody`] bytes.
    #[error("failed to read the answer: it has more than {0} bytes")]
    TooLarge(usize),
}

/// [`Transport`] over HTTP with reqwest and rustls.
pub struct HttpTransport(reqwest::Client);

impl HttpTransport {
    /// `request_timeout` bounds the whole exchange; connecting has a bound of its own. Requests go
    /// through the proxy that the environment names for this base URL, but not to loopback: the
    /// token would leave the machine in the clear.
    ///
    /// # Errors
    /// The TLS configuration cannot be built.
    pub fn new(request_timeout: Duration, base_url: &BaseUrl) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("qoder-operator/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(request_timeout.min(Times::CONNECT))
            .timeout(request_timeout)
            .tcp_keepalive(Times::KEEPALIVE)
            .tcp_keepalive_interval(Times::KEEPALIVE)
            .tcp_keepalive_retries(Times::KEEPALIVE_RETRIES)
            .pool_idle_timeout(Times::CONNECTION_IDLE)
            .dns_resolver(Arc::new(SystemResolver));
        let client = if base_url.is_loopback() { client.no_proxy() } else { client };
        Ok(Self(client.build()?))
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(async move {
            let limit = request.extensions().get::<MaxBody>().map(|max| max.0);
            let request = reqwest::Request::try_from(request).map_err(classify)?;
            let mut response = self.0.execute(request).await.map_err(classify)?;

            // A buffer that grows would be up to twice as large.
            let said = response.content_length().and_then(|length| usize::try_from(length).ok());
            let said = said.filter(|said| limit.is_some_and(|limit| *said <= limit));
            let mut body = BytesMut::with_capacity(said.unwrap_or_default());
            let cut = |error, after: usize| match classify(error) {
                SendError::Broken(source) => SendError::Broken(Cut { after, source }.into()),
                other => other,
            };
            while let Some(chunk) =
                response.chunk().await.map_err(|error| cut(error, body.len()))?
            {
                if let Some(limit) = limit.filter(|limit| body.len() + chunk.len() > *limit) {
                    return Err(SendError::TooLarge(limit));
                }
                body.extend_from_slice(&chunk);
            }

            let mut whole = Response::new(body.freeze());
            *whole.status_mut() = response.status();
            *whole.headers_mut() = std::mem::take(response.headers_mut());
            Ok(whole)
        })
    }
}

/// The answer began, and its body did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("it ended after {after} bytes")]
struct Cut {
    after: usize,
    source: Box<dyn StdError + Send + Sync>,
}

/// Resolves names as the system does, and says so when that fails: other errors of a connection are alike.
struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(Unresolved)?;
            let addresses: Addrs = Box::new(found.collect::<Vec<_>>().into_iter());
            Ok(addresses)
        })
    }
}

/// The system knows no address of this name.
#[derive(Debug, thiserror::Error)]
#[error("failed to resolve the name")]
struct Unresolved(#[source] io::Error);

/// What kept a request from being sent, as the metric's label says it.
pub(super) fn obstruction(error: &(dyn StdError + 'static)) -> &'static str {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if innermost(error).is::<rustls::Error>() {
            return "tls";
        }
        if error.is::<Unresolved>() {
            return "dns";
        }
        cause = error.source();
    }
    "connect"
}

/// What an I/O error was made of: its source would skip that.
fn innermost<'a>(mut error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    while let Some(within) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        error = within;
    }
    error
}

/// `without_url`: an error's text reaches logs, and a URL has no place there.
fn classify(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        SendError::NotSent(error.into())
    } else if error.is_timeout() {
        SendError::TimedOut
    } else {
        SendError::Broken(error.into())
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
