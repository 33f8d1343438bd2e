//! How a simulator begins.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::settings::{Quirks, Settings};
use crate::wire::Dialect;

/// The token that is accepted unless another one is configured.
pub const DEFAULT_TOKEN: &str = "pt-simulator";

/// How a simulator begins.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The one token that is accepted, with all rights; [`accept_tokens`](crate::Simulator::accept_tokens) replaces it.
    pub token: String,
    /// Deployments to begin with, the oldest first: each a JSON object with the fields that differ from the template.
    pub deployments: Vec<Value>,
    /// The wire shape.
    pub dialect: Dialect,
    /// How long every request takes.
    pub latency: Duration,
    /// How long reads do not see a write; zero: they see it at once.
    pub read_lag: Duration,
    /// GETs answered in any window of one second; 0 is no limit.
    pub reads_per_second: u32,
    /// POSTs answered in any window of one second; 0 is no limit.
    pub writes_per_second: u32,
    /// Serve https with this; [`tls`](crate::tls()) reads it from files.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Answers that the documentation leaves open.
    pub quirks: Quirks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: DEFAULT_TOKEN.to_owned(),
            deployments: Vec::new(),
            dialect: Dialect::default(),
            latency: Duration::ZERO,
            read_lag: Duration::ZERO,
            reads_per_second: 0,
            writes_per_second: 0,
            tls: None,
            quirks: Quirks::default(),
        }
    }
}

impl Config {
    /// The default with that many active deployments.
    #[must_use]
    pub fn with_deployments(count: usize) -> Self {
        Self { deployments: vec![json!({}); count], ..Self::default() }
    }

    /// What of it can be changed later.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            dialect: self.dialect,
            latency: self.latency,
            read_lag: self.read_lag,
            reads_per_second: self.reads_per_second,
            writes_per_second: self.writes_per_second,
            quirks: self.quirks,
        }
    }
}
