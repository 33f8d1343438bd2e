//! The way of traces to a collector: OTLP over HTTP, as the variables of OpenTelemetry say. Without an endpoint there is
//! none of it: no thread, no queue, no client.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{config::variable, loopback::is_loopback, times::Times};

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
/// What the specification says of the timeout.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why traces cannot be sent as the environment says.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCollector {
    #[error("{0} is not a URL: expected something like http://collector.example:4318")]
    Endpoint(&'static str),
    #[error(
        "{0} is {1:?}: traces are sent as http/protobuf only, which collectors take at port 4318"
    )]
    Protocol(&'static str, String),
    #[error("failed to build the client for traces")]
    Client(#[from] reqwest::Error),
    #[error("traces cannot be sent as the environment says")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// Where traces go. Dropped without an [end](Self::end), it loses the last ones.
pub struct Collector(SdkTracerProvider);

impl Collector {
    /// The collector that the environment names, if it names one. To be called inside of the runtime that is to send.
    ///
    /// # Errors
    /// [`InvalidCollector`].
    pub fn of_environment() -> Result<Option<Self>, InvalidCollector> {
        let Some((name, endpoint)) = first(ENDPOINTS) else { return Ok(None) };
        let is_off = variable("OTEL_SDK_DISABLED")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
            || variable("OTEL_TRACES_EXPORTER").is_some_and(|text| text == "none");
        if is_off {
            return Ok(None);
        }
        let url = reqwest::Url::parse(&endpoint).ok();
        let url = url.filter(|url| ["http", "https"].contains(&url.scheme()));
        let host = url.as_ref().and_then(reqwest::Url::host_str);
        let host = host.ok_or(InvalidCollector::Endpoint(name))?;
        if let Some((name, other)) = first(PROTOCOLS).filter(|(_, text)| text != "http/protobuf") {
            return Err(InvalidCollector::Protocol(name, other));
        }
        let timeout = first(TIMEOUTS).and_then(|(_, text)| text.parse().ok());
        let client = reqwest::Client::builder()
            .user_agent(concat!("qoder-operator/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout.map_or(TIMEOUT, Duration::from_millis));
        let client = if is_loopback(host) { client.no_proxy() } else { client };
        let sender = Sender { client: client.build()?, runtime: Handle::current() };
        let exporter = OtlpExporter::builder().with_http().with_http_client(sender).build()?;
        let told = Told { exporter, is_failing: AtomicBool::new(false) };
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_span_processor(BatchSpanProcessor::builder(told).build());
        Ok(Some(Self(provider.build())))
    }

    /// For [`layer`](super::layer).
    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("qoder-operator")
    }

    /// Sends the last traces, for a while.
    pub async fn end(self) {
        // It waits for a request of the runtime that waits for it here.
        let ended = spawn_blocking(move || self.0.shutdown_with_timeout(Times::LAST_TRACES)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("some traces could not be sent before the end");
        }
    }
}

/// The first of these variables that says something.
fn first(names: [&'static str; 2]) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| Some((name, variable(name)?)))
}

/// What the environment says of this process, and before that its name and version.
fn resource() -> Resource {
    let ours = [
        KeyValue::new("service.name", "qoder-operator"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let said = Resource::builder();
    let is_named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|text| text.contains("service.name="));
    let [name, version] = ours;
    if is_named { said.with_attribute(version) } else { said.with_attributes([name, version]) }
        .build()
}

/// Sends in the operator's own runtime, for the thread that waits for it.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    runtime: Handle,
}

impl HttpClient for Sender {
    // As async_trait has it.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let mut response = client.execute(request.try_into()?).await?;
            let mut whole = Response::new(Bytes::new());
            *whole.status_mut() = response.status();
            *whole.headers_mut() = std::mem::take(response.headers_mut());
            *whole.body_mut() = response.bytes().await?;
            Ok::<_, reqwest::Error>(whole)
        });
        Box::pin(async move { Ok(sent.await??) })
    }
}

/// Says once when traces cannot be sent, and once when they can be again.
#[derive(Debug)]
struct Told {
    exporter: OtlpExporter,
    is_failing: AtomicBool,
}

impl SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "traces cannot be sent: they are lost until the collector takes them again");
            }
            Ok(()) if was_failing => tracing::info!("the collector takes traces again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
