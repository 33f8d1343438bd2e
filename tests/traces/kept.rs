//! The spans that have ended in this thread, as trees.

use std::{cell::RefCell, collections::HashMap, fmt::Write as _, future::ready, sync::Once};

use opentelemetry::{
    Value,
    trace::{SpanId, Status, TraceId, TracerProvider as _},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use qoder_operator::telemetry;
use tracing_subscriber::prelude::*;

thread_local! {
    static KEPT: RefCell<Vec<SpanData>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct Keeper;

impl SpanExporter for Keeper {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        KEPT.with_borrow_mut(|kept| kept.extend(batch));
        ready(Ok(()))
    }
}

/// Keeps spans from now on.
pub fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let provider = SdkTracerProvider::builder().with_simple_exporter(Keeper).build();
        let traces = telemetry::layer(provider.tracer("test"));
        tracing_subscriber::registry().with(traces).init();
    });
    forget();
}

/// All that the spans tell which were kept.
pub fn everything() -> String {
    KEPT.with_borrow(|kept| format!("{kept:?}"))
}

/// Forgets what was kept.
pub fn forget() {
    KEPT.set(Vec::new());
}

/// The traces in the order in which they began; the spans of each with their ids.
fn sorted() -> Vec<(TraceId, Vec<SpanData>)> {
    let mut spans = KEPT.with_borrow(Clone::clone);
    spans.sort_by_key(|span| span.start_time);
    let mut traces: Vec<(TraceId, Vec<SpanData>)> = Vec::new();
    for span in spans {
        let id = span.span_context.trace_id();
        match traces.iter_mut().find(|(known, _)| *known == id) {
            Some((_, spans)) => spans.push(span),
            None => traces.push((id, vec![span])),
        }
    }
    traces
}

/// Each trace as a tree of names, with the code of an answer, the reason of a status, and what a span is linked to.
pub fn traces() -> Vec<String> {
    let all = sorted();
    let names: HashMap<SpanId, String> = all
        .iter()
        .flat_map(|(_, spans)| spans)
        .map(|span| (span.span_context.span_id(), span.name.to_string()))
        .collect();
    let tree = |spans: &[SpanData]| {
        let first = &spans[0];
        let lasts = |span: &SpanData| {
            span.start_time >= first.start_time && span.end_time <= first.end_time
        };
        assert!(spans.iter().all(lasts), "the first span is not the whole: {spans:#?}");
        let mut text = String::new();
        branch(&mut text, spans, SpanId::INVALID, 0, &names);
        assert_eq!(text.lines().count(), spans.len(), "a span without its parent: {spans:#?}");
        text
    };
    all.iter().map(|(_, spans)| tree(spans)).collect()
}

fn branch(
    text: &mut String,
    spans: &[SpanData],
    parent: SpanId,
    depth: usize,
    names: &HashMap<SpanId, String>,
) {
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        let _ = write!(text, "{}{}", "  ".repeat(depth), span.name);
        for key in ["http.response.status_code", "error.type", "reason"] {
            if let Some(value) = attribute(span, key) {
                let _ = write!(text, " {value}");
            }
        }
        if span.status != Status::Unset {
            text.push_str(" failed");
        }
        for link in span.links.iter() {
            let _ = write!(text, " -> {}", names[&link.span_context.span_id()]);
        }
        text.push('\n');
        branch(text, spans, span.span_context.span_id(), depth + 1, names);
    }
}

fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
    Some(found.value.clone())
}

/// The deployments that the spans of each trace name.
pub fn ids() -> Vec<Vec<String>> {
    let of = |span: &SpanData| attribute(span, "deployment_id").map(|id| id.to_string());
    let ids = |spans: Vec<SpanData>| spans.iter().filter_map(of).collect();
    sorted().into_iter().map(|(_, spans)| ids(spans)).collect()
}

/// All of it as text.
pub fn said() -> String {
    KEPT.with_borrow(|kept| format!("{kept:?}"))
}
