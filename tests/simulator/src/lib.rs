//! The Qoder deployment API on one machine, with its faults, for tests without an account.
//!
//! A request goes through these modules, from the socket inwards:
//!
//! - `server`: the accept loop; it can reset, truncate and drip. `control` takes what goes to `/_sim/`.
//! - `account`: whose request it is. Each account has a `Core`, which a reset replaces.
//! - `exchange`: the journal, the fault that waits for this request (`tamper` changes its answer), the latency.
//! - `api`: path, token, rate, rights, then the operation. From here on all is pure: the time is an argument.
//! - `store`, `deployment`, `list`, `runs`, `page`: the state, the verbs, the pages.
//! - `wire`: the shape of answers in both dialects.
//!
//! [`Simulator::handle`] is the same without a socket, for simulations with virtual time.

mod access;
mod account;
mod api;
mod behind;
mod call;
mod clock;
mod config;
mod control;
mod cron;
mod deployment;
mod exchange;
mod fault;
mod input;
mod journal;
mod list;
mod page;
mod route;
mod runs;
mod seed;
mod server;
mod settings;
mod store;
mod tamper;
mod wire;

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use access::Token;
pub use config::{Config, DEFAULT_TOKEN};
pub use exchange::ConnectionCut;
pub use fault::{Action, Actions, ConnectionFault, Fault, Respond};
pub use journal::Entry;
pub use route::Operation;
pub use runs::Outcome;
pub use seed::SeedError;
pub use server::tls;
pub use settings::{Quirks, Settings};
pub use wire::Dialect;

use account::{Account, Accounts, Beginning};
use exchange::Core;
use journal::Lines;
use server::Serves;

/// A running simulator. Clones are handles to the same one; it stops with [`Simulator::shutdown`] or with its last handle.
///
/// All methods but [`Simulator::handle`] are about the main account.
#[derive(Clone, Debug)]
pub struct Simulator {
    accounts: Arc<Accounts>,
    base_url: String,
    control_url: String,
    stop: Arc<watch::Sender<bool>>,
    log: Option<Lines>,
}

impl Simulator {
    /// Starts a simulator, ready for requests when this returns.
    ///
    /// # Errors
    ///
    /// If it cannot listen there, or if a deployment, a token or an account cannot be used.
    #[allow(clippy::unused_async, reason = "it needs a runtime")]
    pub async fn start(config: Config) -> io::Result<Self> {
        config.quirks.check().map_err(invalid_input)?;
        let token = Token::new(config.token.clone());
        token.check().map_err(invalid_input)?;
        let log = config.log.then(Lines::start);
        let main = Account::new(Beginning {
            token,
            settings: config.settings(),
            deployments: config.deployments.into(),
            start_time: config.start_time,
            journal: config.journal,
            log: log.clone(),
        });
        let accounts = Arc::new(Accounts::new(main.map_err(invalid_input)?));
        for (name, token) in config.accounts {
            accounts.add(&name, Token::new(token), Vec::new()).map_err(invalid_input)?;
        }

        let (stop, stopped) = watch::channel(false);
        let serves = if config.control_listen.is_some() { Serves::Api } else { Serves::Both };
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let listener = listen(config.listen)?;
        let origin = format!("{scheme}://{}", reachable(listener.local_addr()?));
        let mut control_url = format!("{origin}/_sim");
        if let Some(address) = config.control_listen {
            let listener = listen(address)?;
            control_url = format!("http://{}/_sim", reachable(listener.local_addr()?));
            let accounts = Arc::clone(&accounts);
            tokio::spawn(server::serve(listener, None, accounts, Serves::Control, stopped.clone()));
        }
        tokio::spawn(server::serve(listener, config.tls, Arc::clone(&accounts), serves, stopped));
        let base_url = format!("{origin}{}", route::PREFIX);
        Ok(Self { accounts, base_url, control_url, stop: Arc::new(stop), log })
    }

    fn core(&self) -> Arc<Core> {
        self.accounts.main.core()
    }

    /// The base URL that a client needs.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// Where the control API is, without a slash at the end.
    #[must_use]
    pub fn control_url(&self) -> String {
        self.control_url.clone()
    }

    /// Everything as at the start: deployments, settings, tokens, runs, limits, faults, journal, clock. Requests that are under way leave
    /// no trace in it.
    ///
    /// # Errors
    ///
    /// If a seed is in the future of the clock as it was at the start: it never is.
    pub fn reset(&self) -> Result<(), SeedError> {
        self.accounts.main.reset()
    }

    /// Stops listening, lets requests finish for half a second, and closes all connections.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
        if let Some(log) = &self.log {
            log.flush();
        }
    }

    /// The ids of all deployments, the oldest first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.core().ids()
    }

    /// Adds a deployment with the fields that differ from the template, and gives its id.
    ///
    /// # Errors
    ///
    /// If a field is unknown or cannot be used, or the id is taken.
    #[allow(clippy::needless_pass_by_value, reason = "callers write `json!` in place")]
    pub fn add(&self, partial: Value) -> Result<String, SeedError> {
        let ids = self.core().add(&[partial])?;
        Ok(ids.concat())
    }

    /// The deployment as GET answers it.
    #[must_use]
    pub fn deployment(&self, id: &str) -> Option<Value> {
        self.core().deployment(id)
    }

    /// Pauses or resumes by hand, behind the client's back.
    ///
    /// # Panics
    ///
    /// If there is no such deployment, as all methods below that take an id.
    #[track_caller]
    pub fn set_paused(&self, id: &str, paused: bool) {
        found(id, self.core().set_paused(id, paused));
    }

    /// Pauses as the platform does when a run fails with an error of this type.
    #[track_caller]
    pub fn pause_by_error(&self, id: &str, error_type: &str) {
        found(id, self.core().pause_by_error(id, error_type));
    }

    /// Lets the next scheduled run begin now, and end like this. The run is shown as the API shows it.
    ///
    /// # Errors
    ///
    /// A text that says why nothing is scheduled.
    #[track_caller]
    pub fn fire(&self, id: &str, outcome: Outcome) -> Result<Value, &'static str> {
        let fired = self.core().fire(id, outcome);
        found(id, fired.is_some().then_some(()));
        fired.unwrap_or(Err("there is no such deployment"))
    }

    /// Archives behind the client's back.
    #[track_caller]
    pub fn archive(&self, id: &str) {
        found(id, self.core().archive(id));
    }

    /// Makes a deployment unknown, as the API itself never does.
    #[track_caller]
    pub fn delete(&self, id: &str) {
        found(id, self.core().delete(id));
    }

    /// Changes any fields but the id, to values of any type. Objects are merged; null is set, and removes nothing.
    ///
    /// # Panics
    ///
    /// If `fields` is not an object.
    #[track_caller]
    #[allow(clippy::panic, reason = "a test with such a patch is wrong")]
    pub fn patch(&self, id: &str, fields: Value) {
        let Value::Object(fields) = fields else { panic!("not an object of fields: {fields}") };
        found(id, self.core().patch(id, fields));
    }

    /// Replaces the accepted tokens.
    ///
    /// # Panics
    ///
    /// If one cannot be sent, or belongs to another account.
    #[track_caller]
    #[allow(clippy::panic, reason = "a test with such tokens is wrong")]
    pub fn accept_tokens(&self, tokens: impl IntoIterator<Item = Token>) {
        let tokens = tokens.into_iter().collect();
        if let Err(problem) = self.accounts.set_tokens(&self.accounts.main, tokens) {
            panic!("these tokens cannot be used: {problem}");
        }
    }

    /// The present settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.core().api().settings
    }

    /// Replaces the settings.
    ///
    /// # Errors
    ///
    /// If a quirk is not one of the documented alternatives.
    pub fn set_settings(&self, settings: Settings) -> io::Result<()> {
        settings.quirks.check().map_err(invalid_input)?;
        self.core().api().settings = settings;
        Ok(())
    }

    /// Lets something go wrong with requests to come.
    ///
    /// # Panics
    ///
    /// If it is none that can happen: [`Fault::check`].
    #[track_caller]
    #[allow(clippy::panic, reason = "a test with such a fault is wrong")]
    pub fn inject(&self, fault: Fault) {
        if let Err(problem) = fault.check() {
            panic!("this fault cannot happen: {problem}");
        }
        self.core().faults().inject(fault);
    }

    /// The faults that still take requests: a test that ends with one may not have met it.
    #[must_use]
    pub fn pending_faults(&self) -> Vec<Fault> {
        self.core().faults().waiting().map(|waiting| waiting.fault.clone()).collect()
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.core().faults().clear();
    }

    /// All requests since the start or since [`Simulator::clear_journal`], in the order of their arrival.
    ///
    /// # Panics
    ///
    /// If there were more than [`Config::journal`] of them: whoever counts calls would miss some.
    #[must_use]
    #[track_caller]
    pub fn journal(&self) -> Vec<Entry> {
        let journal = &self.core().journal;
        assert_eq!(
            journal.dropped(0),
            0,
            "the journal has dropped entries: Config::journal is how many it keeps"
        );
        journal.after(0, &journal::Filter::default(), usize::MAX)
    }

    /// Forgets all journal entries; their numbers go on.
    pub fn clear_journal(&self) {
        self.core().journal.clear();
    }

    /// A counter that moves when a request arrives and when it is finished, so that tests wait without sleeping.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.accounts.main.changed()
    }

    /// Answers a request without a socket: the same journal, faults and times, on tokio's clock.
    ///
    /// # Errors
    ///
    /// Where the connection would have been cut. A request that hangs never returns.
    pub async fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionCut> {
        if control::is_control(request.uri()) {
            let (parts, body) = control::answer(&self.accounts, &request).await.into_parts();
            let body = body.collect().await.map_err(|_| ConnectionCut::Body)?;
            return Ok(Response::from_parts(parts, body.to_bytes()));
        }
        let core = self.accounts.of(request.headers()).core();
        core.exchange(request).await.without_connection().await
    }
}

#[track_caller]
#[allow(clippy::panic, reason = "a test that names a deployment which does not exist is wrong")]
fn found(id: &str, done: Option<()>) {
    assert!(done.is_some(), "the simulator has no deployment {id}");
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    server::listen(address).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "; another port helps, and 0 takes a free one",
            _ => "",
        };
        io::Error::new(error.kind(), format!("failed to listen on {address}: {error}{advice}"))
    })
}

fn invalid_input(problem: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

/// An address to connect to, for one to listen on: one that listens on all interfaces is reached through loopback.
#[must_use]
pub fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}
