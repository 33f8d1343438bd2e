//! Probes and metrics. None of them depends on the Qoder API: an outage there is no reason to
//! restart the operator.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    controller::{Check, View},
    metrics::{Format, Metrics},
};

#[derive(Clone)]
struct Served {
    view: View,
    metrics: Arc<Metrics>,
}

/// The server, bound to its address.
pub struct Server {
    listener: TcpListener,
    router: Router,
}

impl Server {
    /// Binds the address.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(address: SocketAddr, view: View, metrics: Arc<Metrics>) -> io::Result<Self> {
        let listener = listen(address).await?;
        tracing::info!(addr = %listener.local_addr()?, "listening");
        let router = Router::new()
            // The answer itself shows that the one thread, on which everything runs, is not stuck.
            .route("/livez", get(|| async { "ok" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics_text))
            .with_state(Served { view, metrics });
        Ok(Self { listener, router })
    }

    /// Serves for ever.
    ///
    /// # Errors
    /// The listener broke.
    pub async fn run(self) -> io::Result<()> {
        axum::serve(self.listener, self.router).await
    }
}

/// Where the kernel knows no IPv6, every address is every one of IPv4.
async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let mut listener = TcpListener::bind(address).await;
    let is_taken = matches!(&listener, Err(error) if error.kind() == io::ErrorKind::AddrInUse);
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && listener.is_err() && !is_taken {
        listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await;
    }
    listener.map_err(|error| {
        io::Error::new(error.kind(), format!("failed to listen on {address} (--listen): {error}"))
    })
}

/// The faults; with `?verbose` every check.
async fn ready(State(served): State<Served>, RawQuery(query): RawQuery) -> Response {
    let checks = served.view.checks();
    let is_ready = checks.iter().all(|check| check.fault.is_none());
    let is_verbose =
        query.is_some_and(|query| query.split('&').any(|name| name.starts_with("verbose")));
    let line = |Check { name, fault }: &Check| match fault {
        Some(fault) => format!("[-] {name}: {fault}"),
        None => format!("[+] {name}: ok"),
    };
    let shown = checks.iter().filter(|check| is_verbose || check.fault.is_some());
    let mut text: Vec<_> = shown.map(line).collect();
    if is_ready {
        text.push("ok".to_owned());
        text.join("\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, text.join("\n")).into_response()
    }
}

async fn metrics_text(State(served): State<Served>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
    match served.metrics.encode(&served.view.snapshot()) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, format.content_type())], format.of(text)).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
