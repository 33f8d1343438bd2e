//! How a simulator begins.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
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
    /// Accounts beside the main one: their names and their tokens.
    pub accounts: Vec<(String, String)>,
    /// Where `/_sim/` is served, if not beside the API.
    pub control_listen: Option<SocketAddr>,
    /// What the clock shows at the start; none: the real time.
    pub start_time: Option<Timestamp>,
    /// How many entries each journal keeps: the last ones.
    pub journal: usize,
    /// Whether a line is printed on standard error for each request.
    pub log: bool,
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
            accounts: Vec::new(),
            control_listen: None,
            start_time: None,
            journal: 10_000,
            log: false,
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

    /// Begins with these settings.
    pub fn set(&mut self, settings: Settings) {
        let Settings { dialect, latency, read_lag, reads_per_second, writes_per_second, quirks } =
            settings;
        self.dialect = dialect;
        self.latency = latency;
        self.read_lag = read_lag;
        self.reads_per_second = reads_per_second;
        self.writes_per_second = writes_per_second;
        self.quirks = quirks;
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
