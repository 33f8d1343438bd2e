//! The server: an accept loop of our own, so that connections can really be reset.

pub(crate) mod body;
mod socket;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::account::{Account, Accounts};
use crate::exchange::Delivery;
use crate::fault::ConnectionFault;
use crate::{control, wire};
use body::Body;
use socket::{Ending, Socket, Watched};

/// How long a stopping server lets requests finish.
const GRACE: Duration = Duration::from_millis(500);
/// How long it takes until it is worth to try again.
const BREATH: Duration = Duration::from_millis(10);
/// How many connections may wait to be accepted, if the system allows it.
const BACKLOG: u32 = 4096;
/// A longer body of a request to the API is cut there, as the API does; it then fails to parse.
const MAX_BODY: usize = 4 << 20;
/// A longer body of a request to `/_sim/` is refused.
const MAX_CONTROL_BODY: usize = 16 << 20;

/// A fatal alert of TLS 1.2 that says so.
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

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

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    /// The API, and `/_sim/` beside it.
    Both,
    Api,
    Control,
}

/// Serves connections until `stop` says so or its sender is gone.
pub(crate) async fn serve(
    mut listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    accounts: Arc<Accounts>,
    serves: Serves,
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
            sleep(BREATH).await;
            continue;
        };
        // Whoever rules the faults must get through.
        let fault = (serves != Serves::Control)
            .then(|| accounts.main.core().faults().take_connection())
            .flatten();
        if fault.is_some() {
            // Whoever watches sees that it is spent.
            accounts.main.core().journal.bump();
        }
        if let Some(ConnectionFault::Refused(time)) = fault {
            reset(&tcp);
            drop(tcp);
            tokio::select! {
                reopened = refuse(listener, time, &accounts.main) => match reopened {
                    Ok(reopened) => listener = reopened,
                    Err(_) => return,
                },
                _ = stop.changed() => return,
            }
            continue;
        }
        let (tls, accounts, stop) = (tls.clone(), Arc::clone(&accounts), stop.clone());
        connections.spawn(begin(tcp, fault, tls, Visit { accounts, serves, stop }));
    }
    drop(listener);
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

/// Does not listen for a while, or until a reset: connections are refused.
async fn refuse(listener: TcpListener, time: Duration, main: &Account) -> io::Result<TcpListener> {
    let address = listener.local_addr()?;
    let (core, mut changed) = (main.core(), main.changed());
    drop(listener);
    let is_reset = changed.wait_for(|_| !Arc::ptr_eq(&core, &main.core()));
    let _ = timeout(time, is_reset).await;
    loop {
        match listen(address) {
            // Another process has taken the port meanwhile.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => sleep(BREATH).await,
            reopened => return reopened,
        }
    }
}

/// Listens, with room for many that connect at once.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Dropped after this, the socket sends RST.
fn reset(tcp: &TcpStream) {
    let _ = tcp.set_zero_linger();
}

/// What a connection leads to, and until when.
struct Visit {
    accounts: Arc<Accounts>,
    serves: Serves,
    stop: watch::Receiver<bool>,
}

async fn begin(
    mut tcp: TcpStream,
    fault: Option<ConnectionFault>,
    tls: Option<TlsAcceptor>,
    visit: Visit,
) {
    // Without it the answers of small requests may wait for an acknowledgement.
    let _ = tcp.set_nodelay(true);
    let mut bandwidth = None;
    match fault {
        None | Some(ConnectionFault::Refused(_)) => {}
        Some(ConnectionFault::AcceptDelay(time)) => sleep(time).await,
        Some(ConnectionFault::Bandwidth(bytes)) => bandwidth = Some(bytes),
        Some(ConnectionFault::Handshake) if tls.is_some() => {
            // The client says hello first; an alert before that would be taken for an answer to nothing.
            // What is left unread makes the end a reset, in which the alert may be lost.
            let _ = tcp.read(&mut vec![0; 1 << 16]).await;
            let _ = tcp.write_all(&HANDSHAKE_FAILURE).await;
            return;
        }
        Some(ConnectionFault::Reset | ConnectionFault::Handshake) => return reset(&tcp),
    }
    match tls {
        None => connection(tcp, bandwidth, visit).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(tcp).await {
                connection(stream, bandwidth, visit).await;
            }
        }
    }
}

async fn connection(socket: impl Socket, bandwidth: Option<u32>, visit: Visit) {
    let Visit { accounts, serves, mut stop } = visit;
    let ending = Arc::new(Ending::default());
    let service = service_fn(|request| {
        let (accounts, ending) = (Arc::clone(&accounts), Arc::clone(&ending));
        // Boxed, because the connection must not be pinned: it is taken apart for a reset.
        Box::pin(answer(request, accounts, serves, ending))
            as Pin<Box<dyn Future<Output = _> + Send>>
    });
    let socket = TokioIo::new(Watched::new(socket, bandwidth, Arc::clone(&ending)));
    let mut connection = http1::Builder::new().serve_connection(socket, service);
    tokio::select! {
        _ = &mut connection => {}
        () = ending.reset.notified() => {
            let socket = connection.into_parts().io.into_inner();
            // The socket is dropped right after, and sends RST.
            reset(socket.tcp());
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
    accounts: Arc<Accounts>,
    serves: Serves,
    ending: Arc<Ending>,
) -> Result<Response<Body>, hyper::Error> {
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(header::HOST) {
        return Ok(wire::html_response(StatusCode::BAD_REQUEST).map(body::whole));
    }
    let (parts, body) = request.into_parts();
    let is_control = control::is_control(&parts.uri);
    if serves != Serves::Both && is_control != (serves == Serves::Control) {
        return Ok(wire::html_response(StatusCode::NOT_FOUND).map(body::whole));
    }
    let (body, is_whole) = read(body, if is_control { MAX_CONTROL_BODY } else { MAX_BODY }).await?;
    if is_control && !is_whole {
        return Ok(control::too_large(MAX_CONTROL_BODY).map(body::whole));
    }
    let request = Request::from_parts(parts, body);
    if is_control {
        return Ok(control::answer(&accounts, &request).await);
    }
    let core = accounts.of(request.headers()).core();
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
