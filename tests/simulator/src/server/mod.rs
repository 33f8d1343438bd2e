//! The server: an accept loop of our own, so that connections can really be reset.

mod body;
mod socket;

use std::future::pending;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::exchange::{Core, Delivery};
use crate::{control, wire};
use body::Body;
use socket::{Ending, Socket, Watched};

/// How long a stopping server lets requests finish.
const GRACE: Duration = Duration::from_millis(500);
/// A longer body of a request to the API is cut there, as the API does; it then fails to parse.
const MAX_BODY: usize = 4 << 20;
/// A longer body of a request to `/_sim/` is refused.
const MAX_CONTROL_BODY: usize = 16 << 20;

/// Reads a certificate chain and its key from PEM.
///
/// # Errors
///
/// If a file cannot be read or holds no such thing, or if the two do not belong together.
pub fn tls(certificates: &Path, key: &Path) -> io::Result<Arc<rustls::ServerConfig>> {
    let failed = |file: &Path, error: &dyn std::fmt::Display| {
        io::Error::other(format!("failed to read {}: {error}", file.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(certificates, &error))?;
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key_der))
        .map_err(|error| {
            let [chain, key] = [certificates, key].map(Path::display);
            io::Error::other(format!("failed to use {chain} with the key {key}: {error}"))
        })?;
    Ok(Arc::new(config))
}

/// Serves connections until `stop` says so or its sender is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    core: Arc<Core>,
    mut stop: watch::Receiver<bool>,
) {
    let tls = tls.map(TlsAcceptor::from);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.changed() => break,
        };
        // An accept fails when the client is gone already, or for want of file descriptors: then a pause helps.
        let Ok((tcp, _)) = accepted else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (tls, core, stop) = (tls.clone(), Arc::clone(&core), stop.clone());
        connections.spawn(async move {
            // Without it the answers of small requests may wait for an acknowledgement.
            let _ = tcp.set_nodelay(true);
            match tls {
                None => connection(tcp, core, stop).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        connection(stream, core, stop).await;
                    }
                }
            }
        });
    }
    drop(listener);
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection(socket: impl Socket, core: Arc<Core>, mut stop: watch::Receiver<bool>) {
    let ending = Arc::new(Ending::default());
    let service = service_fn(|request| {
        let (core, ending) = (Arc::clone(&core), Arc::clone(&ending));
        // Boxed, because the connection must not be pinned: it is taken apart for a reset.
        Box::pin(answer(request, core, ending)) as Pin<Box<dyn Future<Output = _> + Send>>
    });
    let socket = TokioIo::new(Watched::new(socket, Arc::clone(&ending)));
    let mut connection = http1::Builder::new().serve_connection(socket, service);
    tokio::select! {
        _ = &mut connection => {}
        () = ending.reset.notified() => {
            let socket = connection.into_parts().io.into_inner();
            // The socket is dropped right after, and sends RST.
            let _ = socket.tcp().set_zero_linger();
        }
        // Dropped, it sends FIN.
        () = ending.sent.notified() => {}
        _ = stop.changed() => {
            Pin::new(&mut connection).graceful_shutdown();
            let _ = timeout(GRACE, connection).await;
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    core: Arc<Core>,
    ending: Arc<Ending>,
) -> Result<Response<Body>, hyper::Error> {
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(header::HOST) {
        return Ok(wire::html_response(StatusCode::BAD_REQUEST).map(body::whole));
    }
    let (parts, body) = request.into_parts();
    let is_control = control::is_control(&parts.uri);
    let (body, is_whole) = read(body, if is_control { MAX_CONTROL_BODY } else { MAX_BODY }).await?;
    if is_control && !is_whole {
        return Ok(control::too_large(MAX_CONTROL_BODY).map(body::whole));
    }
    let request = Request::from_parts(parts, body);
    if let Some(response) = control::answer(&core, &request) {
        return Ok(response.map(body::whole));
    }
    match core.exchange(request).await {
        Delivery::Whole(response) => Ok(response.map(body::whole)),
        Delivery::Reset => {
            ending.reset.notify_one();
            pending().await
        }
        Delivery::Truncated(response) => {
            let length = response.body().len();
            Ok(announced(response, length).map(|body| body::half(&body, ending)))
        }
        Delivery::Padded(response, bytes) => {
            let length = bytes.max(response.body().len());
            Ok(announced(response, length).map(|body| body::padded(body, length)))
        }
        Delivery::Endless(response) => Ok(response.map(|_| body::endless())),
        Delivery::Drip(response, each) => {
            let length = response.body().len();
            Ok(announced(response, length).map(|body| body::drip(body, each)))
        }
    }
}

/// Announces the length of a body that comes in pieces.
fn announced<B>(mut response: Response<B>, length: usize) -> Response<B> {
    let length = HeaderValue::from(length);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    response
}

/// Reads a request's body to its end, keeps it up to the limit, and tells whether that is all.
async fn read(mut body: Incoming, limit: usize) -> Result<(Bytes, bool), hyper::Error> {
    let mut read = Vec::new();
    let mut is_whole = true;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let kept = data.len().min(limit - read.len());
            is_whole &= kept == data.len();
            read.extend_from_slice(data.get(..kept).unwrap_or_default());
        }
    }
    Ok((read.into(), is_whole))
}
