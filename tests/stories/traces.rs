//! Traces as a collector gets them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{ResourceSpans, Span},
};
use prost::Message as _;
use qoder_simulator::Simulator;
use testbed::{Bed, Operator, ReservedPort, Result};
use tokio::{net::TcpListener, sync::watch};

use crate::story::{Story, TOKEN, config};

/// Something that takes traces, and keeps them as they came.
struct Collector {
    address: SocketAddr,
    taken: watch::Receiver<Vec<(HeaderMap, Bytes)>>,
}

impl Collector {
    async fn start() -> Result<Self> {
        Self::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
    }

    fn on(listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr()?;
        let (sender, taken) = watch::channel(Vec::new());
        let take =
            async |State(taken): State<Arc<watch::Sender<_>>>, head: HeaderMap, body: Bytes| {
                taken.send_modify(|taken: &mut Vec<_>| taken.push((head, body)));
            };
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::new(sender));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, taken })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn sent(&self) -> Vec<ResourceSpans> {
        let taken = self.taken.borrow();
        let read = |body: &Bytes| ExportTraceServiceRequest::decode(body.clone()).unwrap();
        taken.iter().flat_map(|(_, body)| read(body).resource_spans).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let sent = self.sent().into_iter().flat_map(|of| of.scope_spans);
        sent.flat_map(|scope| scope.spans).collect()
    }
}

/// The attribute of this name, as text.
fn attribute(span: &Span, name: &str) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

async fn traced(name: &str, endpoint: &str) -> Result<Story> {
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::new(name).await?;
    let operator: Operator = bed
        .operator()
        .base_url(&simulator.base_url())
        .token(TOKEN)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-team=agents")
        .env("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=qoder-operator-0")
        // What is logged has nothing to do with it; the address is needed.
        .env("RUST_LOG", "warn,qoder_operator::server=info,qoder_operator::telemetry=info")
        .start()
        .await?;
    Ok(Story { operator, simulator, bed })
}

/// From active to paused.
async fn flip(story: &Story) -> Result<()> {
    story.apply("nightly", 0, Some(false)).await?;
    story.until("nightly", "True", "InSync").await?;
    story.bed.set_paused("nightly", Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    Ok(())
}

#[tokio::test]
async fn a_collector_gets_one_trace_from_the_watch_event_to_the_status_and_no_token() -> Result<()>
{
    let collector = Collector::start().await?;
    let story = traced("traces", &collector.url()).await?;
    flip(&story).await?;
    // What is not sent yet is sent at the end.
    let status = story.operator.terminate().await?;
    assert!(status.success(), "{status}\n{}", story.operator.log());

    let spans = collector.spans();
    let pause = spans.iter().find(|span| span.name == "POST /deployments/{id}/pause").unwrap();
    let trace: Vec<_> = spans.iter().filter(|span| span.trace_id == pause.trace_id).collect();
    let root = trace.iter().find(|span| span.parent_span_id.is_empty()).unwrap();
    assert_eq!(
        (root.name.as_str(), attribute(root, "deployment_id")),
        ("watch event", story.id(0))
    );
    assert_eq!(pause.parent_span_id, root.span_id);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("url.template", "/deployments/{id}/pause"),
        ("http.response.status_code", "200"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(attribute(pause, name), value, "{name}");
    }
    let status = trace.iter().find(|span| span.name == "status").unwrap();
    assert_eq!(attribute(status, "reason"), "InSync");
    assert_eq!(attribute(status, "name"), "nightly");
    let patch = trace.iter().find(|span| span.name.starts_with("PATCH")).unwrap();
    assert_eq!(patch.parent_span_id, status.span_id);
    assert_eq!(attribute(patch, "http.response.status_code"), "200");
    // The watch may tell of a status before its own answer comes: then all is done.
    let may_end_later =
        |span: &Span| [status.span_id.as_slice(), &patch.span_id].contains(&&*span.span_id);
    let within = |span: &Span| {
        root.start_time_unix_nano <= span.start_time_unix_nano
            && (may_end_later(span) || span.end_time_unix_nano <= root.end_time_unix_nano)
    };
    assert!(trace.iter().all(|span| within(span)), "{trace:#?}");

    let resource = collector.sent().remove(0).resource.unwrap().attributes;
    for name in ["service.name", "service.version", "k8s.pod.name"] {
        assert!(resource.iter().any(|attribute| attribute.key == name), "{name}: {resource:?}");
    }
    for (head, body) in &*collector.taken.borrow() {
        assert_eq!(head["x-team"], "agents");
        let head = format!("{head:?}");
        assert!(!head.contains(TOKEN) && !head.contains("authorization"), "{head}");
        assert!(!body.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()));
    }
    assert!(!story.operator.log().contains("spans"), "{}", story.operator.log());
    Ok(())
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_line_and_so_does_its_return() -> Result<()> {
    let port = ReservedPort::new()?;
    let story = traced("collector-away", &format!("http://{}", port.address())).await?;
    flip(&story).await?;
    assert_eq!(story.writes(), ["pause 200"]);
    let process = story.operator.process();
    let cannot = |line: &str| line.contains("traces cannot be sent").then_some(());
    process.wait_for_line("that it fails", Duration::from_secs(30), cannot).await?;
    // Polls go on, and so do tries.
    story.polls(10).await?;
    let collector = Collector::on(port.listen()?)?;
    let again = |line: &str| line.contains("the collector takes traces again").then_some(());
    process.wait_for_line("that it is back", Duration::from_secs(60), again).await?;
    assert!(!collector.spans().is_empty());
    let log = story.operator.log();
    assert_eq!(log.matches("traces").count(), 2, "{log}");
    Ok(())
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_nothing_but_the_last_two_seconds() -> Result<()> {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let story = traced("collector-silent", &format!("http://{}", silent.local_addr()?)).await?;
    flip(&story).await?;
    assert_eq!(story.writes(), ["pause 200"]);
    let status = story.operator.terminate().await?;
    assert!(status.success(), "{status}");
    let log = story.operator.log();
    assert!(log.contains("some traces could not be sent before the end"), "{log}");
    Ok(())
}

#[tokio::test]
async fn without_a_collector_there_is_no_thread_for_it() -> Result<()> {
    let collector = Collector::start().await?;
    let [with, without] =
        [traced("threads-with", &collector.url()).await?, Story::with("threads-without", 1).await?];
    assert!(threads(&with)?.iter().any(|name| name.starts_with("OpenTelemetry")));
    assert!(!threads(&without)?.iter().any(|name| name.starts_with("OpenTelemetry")));
    Ok(())
}

fn threads(story: &Story) -> Result<Vec<String>> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", story.operator.process().pid()))?;
    tasks.map(|task| Ok(std::fs::read_to_string(task?.path().join("comm"))?)).collect()
}
