//! Logs: JSON in a cluster, text on a terminal.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, is_empty};

/// Starts logging to stderr. `RUST_LOG` says what; by default everything of ours from `info`.
pub fn init(format: LogFormat) {
    // An empty one would mean "error".
    let is_set =
        std::env::var_os(EnvFilter::DEFAULT_ENV).is_some() && !is_empty(EnvFilter::DEFAULT_ENV);
    let given = is_set.then(EnvFilter::try_from_default_env);
    let is_wrong = matches!(given, Some(Err(_)));
    let filter = given.and_then(Result::ok).unwrap_or_else(|| {
        EnvFilter::new("warn,qoder_operator=info,kube_runtime=error,kube_client=error")
    });
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    if json {
        logs.json().flatten_event(true).with_current_span(false).init();
    } else {
        logs.init();
    }
    if is_wrong {
        tracing::warn!("RUST_LOG cannot be read, and is ignored");
    }
}
