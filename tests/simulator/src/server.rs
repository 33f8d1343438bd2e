//! The server: an accept loop of our own, so that connections can really be reset.

use std::future::pending;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::control;
use crate::exchange::{Core, Delivery};

/// How long a stopping server lets requests finish.
const GRACE: Duration = Duration::from_millis(500);
/// A longer request body is cut there, as the API does; it then fails to parse.
const MAX_BODY: usize = 4 << 20;
/// What one write of an endless body carries.
const SPACES: Bytes = Bytes::from_static(&[b' '; 8192]);

type Body = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

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
        .map_err(io::Error::other)?;
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

/// A stream over a TCP socket.
trait Socket: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn connection(socket: impl Socket, core: Arc<Core>, mut stop: watch::Receiver<bool>) {
    let reset = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (core, reset) = (Arc::clone(&core), Arc::clone(&reset));
        // Boxed, because the connection must not be pinned: it is taken apart for a reset.
        Box::pin(answer(request, core, reset)) as Pin<Box<dyn Future<Output = _> + Send>>
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        _ = &mut connection => {}
        () = reset.notified() => {
            let socket = connection.into_parts().io.into_inner();
            // The socket is dropped right after, and sends RST.
            let _ = socket.tcp().set_zero_linger();
        }
        _ = stop.changed() => {
            Pin::new(&mut connection).graceful_shutdown();
            let _ = timeout(GRACE, connection).await;
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    core: Arc<Core>,
    reset: Arc<Notify>,
) -> Result<Response<Body>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, read(body).await?);
    if let Some(response) = control::answer(&core, &request) {
        return Ok(response.map(whole));
    }
    match core.exchange(request).await {
        Delivery::Whole(response) => Ok(response.map(whole)),
        Delivery::Reset => {
            reset.notify_one();
            pending().await
        }
        Delivery::Truncated(response) => Ok(announced(response).map(truncated)),
        Delivery::Endless(response) => Ok(response.map(|_| endless())),
        Delivery::Drip(response, each) => Ok(announced(response).map(|body| drip(body, each))),
    }
}

/// Announces the length of a body that comes in pieces.
fn announced(mut response: Response<Bytes>) -> Response<Bytes> {
    let length = HeaderValue::from(response.body().len());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    response
}

/// Reads a request's body up to the limit, and cuts it there.
async fn read(mut body: Incoming) -> Result<Bytes, hyper::Error> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > MAX_BODY {
            read.truncate(MAX_BODY);
            break;
        }
    }
    Ok(read.into())
}

fn whole(body: Bytes) -> Body {
    Either::Left(Full::new(body))
}

fn truncated(body: Bytes) -> Body {
    let (mut sender, channel) = Channel::new(1);
    tokio::spawn(async move {
        let half = body.slice(..body.len() / 2);
        // A failed send means that the client is gone, here and below.
        let _ = sender.send_data(half).await;
        sender.abort(io::Error::other("the rest of the body is withheld"));
    });
    Either::Right(channel)
}

fn endless() -> Body {
    let (mut sender, channel) = Channel::new(1);
    tokio::spawn(async move { while sender.send_data(SPACES).await.is_ok() {} });
    Either::Right(channel)
}

fn drip(mut body: Bytes, each: Duration) -> Body {
    let (mut sender, channel) = Channel::new(1);
    tokio::spawn(async move {
        while !body.is_empty() && sender.send_data(body.split_to(1)).await.is_ok() {
            sleep(each).await;
        }
    });
    Either::Right(channel)
}
