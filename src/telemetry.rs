//! What the process tells of itself: logs, as JSON in a cluster and as text on a terminal; and traces, if the
//! environment names a collector.

mod otlp;

use std::io::IsTerminal as _;

use opentelemetry::trace::Tracer;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt as _, LevelFilter, filter_fn},
    fmt,
    prelude::*,
    registry::LookupSpan,
};

pub use otlp::{Collector, InvalidCollector};

use crate::{
    config::{LogFormat, is_empty},
    traces,
};

/// Starts logging to stderr. `RUST_LOG` says what; by default everything of ours from `info`. Traces go to
/// the collector, whatever is logged.
pub fn init(format: LogFormat, collector: Option<&Collector>) {
    // An empty one would mean "error".
    let is_set =
        std::env::var_os(EnvFilter::DEFAULT_ENV).is_some() && !is_empty(EnvFilter::DEFAULT_ENV);
    let given = is_set.then(EnvFilter::try_from_default_env);
    let is_wrong = matches!(given, Some(Err(_)));
    let filter = given.and_then(Result::ok).unwrap_or_else(|| {
        EnvFilter::new("warn,qoder_operator=info,kube_runtime=error,kube_client=error")
    });
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    subscriber(filter, json, collector.map(Collector::tracer)).init();
    if is_wrong {
        tracing::warn!("RUST_LOG cannot be read, and is ignored");
    }
}

/// Who takes what is told. Without a tracer a span that is for traces only is disabled, and costs nothing.
fn subscriber<T>(
    filter: EnvFilter,
    json: bool,
    tracer: Option<T>,
) -> Box<dyn Subscriber + Send + Sync>
where
    T: Tracer<Span: Send + Sync> + Send + Sync + 'static,
{
    let logs = fmt::layer().with_writer(std::io::stderr);
    let logs = if json {
        logs.json().flatten_event(true).with_current_span(false).boxed()
    } else {
        logs.boxed()
    };
    // As a hint of the level, too: without one, each line of each library at any level would be looked at.
    let is_for_logs = filter_fn(is_for_logs).with_max_level_hint(LevelFilter::TRACE);
    let logs = logs.with_filter(filter.and(is_for_logs));
    let registry = tracing_subscriber::registry();
    match tracer {
        // Not an Option as a layer: one that is None wants every span.
        Some(tracer) => Box::new(registry.with(logs).with(layer(tracer))),
        None => Box::new(registry.with(logs)),
    }
}

/// Makes traces of the operator's spans, and of nothing else: neither of log lines, nor of what a library does.
pub fn layer<S, T>(tracer: T) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    T: Tracer<Span: Send + Sync> + Send + Sync + 'static,
{
    let is_ours = |metadata: &Metadata| {
        metadata.is_span() && metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    };
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_context_activation(false)
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_ours).with_max_level_hint(LevelFilter::DEBUG))
}

/// Whether a log line may show this.
#[must_use]
pub fn is_for_logs(metadata: &Metadata) -> bool {
    metadata.target() != traces::TARGET
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::noop::NoopTracer;
    use tracing::subscriber::with_default;

    use super::*;

    #[test]
    fn what_is_only_for_traces_is_made_only_where_they_are_sent() {
        let is_made = |tracer: Option<NoopTracer>| {
            let filter = EnvFilter::new("warn,qoder_operator=info");
            with_default(subscriber(filter, true, tracer), || {
                !traces::request("GET", "GET /", "/").is_disabled()
            })
        };
        assert!(is_made(Some(NoopTracer::new())));
        assert!(!is_made(None));
    }
}
