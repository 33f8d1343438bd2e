//! The simulator as a process: flags, the base URL on standard output, and a clean stop.

use std::error::Error;
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use jiff::Timestamp;
use qoder_simulator::{Config, DEFAULT_TOKEN, Dialect, Quirks, Settings, Simulator, reachable};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// The Qoder deployment API on one machine, for tests without an account.
///
/// The first line on standard output is the base URL that a client needs; with --control-listen the second is that of the control API.
/// What happens behind a client's back is ruled by the control API under /_sim/, which needs no token.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "SIMULATOR_LISTEN", default_value = "127.0.0.1:0", value_parser = address)]
    listen: SocketAddr,
    /// Serve the control API here, over http, and no longer beside the API.
    #[arg(long, env = "SIMULATOR_CONTROL_LISTEN", value_parser = address)]
    control_listen: Option<SocketAddr>,
    /// The token that is accepted.
    #[arg(long, env = "SIMULATOR_TOKEN", default_value = DEFAULT_TOKEN, hide_env_values = true)]
    token: String,
    /// One more account, with its token: it has its own deployments, faults, limits and journal. Can be given several times.
    #[arg(long = "account", env = "SIMULATOR_ACCOUNTS", value_name = "NAME=TOKEN", value_delimiter = ',', hide_env_values = true, value_parser = account)]
    accounts: Vec<(String, String)>,
    /// Begin with that many active deployments.
    #[arg(long, env = "SIMULATOR_DEPLOYMENTS", value_name = "N", conflicts_with = "seed", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100_000))]
    deployments: u32,
    /// Begin with the deployments in this file, JSON or YAML: an array of objects, each with the fields that differ from the template, or what
    /// GET /_sim/snapshot has answered.
    #[arg(long, env = "SIMULATOR_SEED", value_name = "FILE")]
    seed: Option<PathBuf>,
    /// What the clock shows at the start, like 2026-06-14T08:00:00Z; the same start gives the same ids.
    #[arg(long, env = "SIMULATOR_START_TIME", value_name = "TIME", value_parser = time)]
    start_time: Option<Timestamp>,
    /// How many requests the journal keeps: the last ones.
    #[arg(long, env = "SIMULATOR_JOURNAL", default_value_t = 10_000, value_name = "N")]
    journal: usize,
    /// Print a line on standard error for each request.
    #[arg(long, env = "SIMULATOR_LOG", value_parser = BoolishValueParser::new())]
    log: bool,
    #[command(flatten)]
    pace: Pace,
    /// Serve https with this certificate chain, a PEM file.
    #[arg(long, env = "SIMULATOR_TLS_CERT", value_name = "FILE.pem", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, a PEM file.
    #[arg(long, env = "SIMULATOR_TLS_KEY", value_name = "FILE.pem", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    quirks: Quirks,
}

/// What the simulator is like; a snapshot in `--seed` has these too, and wins.
#[derive(Debug, clap::Args)]
struct Pace {
    /// The generation of the wire shape.
    #[arg(long, env = "SIMULATOR_DIALECT", value_enum, default_value_t)]
    dialect: Dialect,
    /// How long every request takes, like 50ms or 1s.
    #[arg(long, env = "SIMULATOR_LATENCY", default_value = "0ms", value_parser = duration)]
    latency: Duration,
    /// How long GET and LIST still show the state before a write, like 2s. The write's own answer shows the new one.
    #[arg(long, env = "SIMULATOR_READ_LAG", default_value = "0ms", value_parser = duration)]
    read_lag: Duration,
    /// GETs answered in any window of one second; 0 is no limit.
    #[arg(long, env = "SIMULATOR_READS_PER_SECOND", default_value_t = 0)]
    reads_per_second: u32,
    /// POSTs answered in any window of one second; 0 is no limit.
    #[arg(long, env = "SIMULATOR_WRITES_PER_SECOND", default_value_t = 0)]
    writes_per_second: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask a running simulator whether it serves: an image from scratch has no curl.
    Healthcheck {
        /// Where it listens.
        #[arg(long, env = "SIMULATOR_LISTEN", default_value = "127.0.0.1:8080", value_parser = address)]
        listen: SocketAddr,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::of_process();
    let done = match args.command {
        Some(Command::Healthcheck { listen }) => healthcheck(listen).await,
        None => run(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qoder-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    // Taken before the base URL is printed: whoever has read it may stop us.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let is_control_apart = args.control_listen.is_some();
    let simulator = Simulator::start(args.config()?)
        .await
        .map_err(|error| format!("failed to start: {error}"))?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", simulator.base_url())?;
    stdout.flush()?;
    if is_control_apart {
        // Whoever wanted only the first line may be gone.
        let _ = writeln!(stdout, "{}", simulator.control_url());
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    simulator.shutdown().await;
    Ok(())
}

/// A bare TCP connection that is answered is enough: with TLS, too, and whatever faults wait for requests.
async fn healthcheck(listen: SocketAddr) -> Result<(), Box<dyn Error>> {
    let address = reachable(listen);
    let connected = timeout(Duration::from_secs(5), TcpStream::connect(address)).await;
    connected
        .map_err(|_| format!("{address} does not answer"))?
        .map_err(|error| format!("failed to connect to {address}: {error}"))?;
    Ok(())
}

/// Compose files and manifests set variables to nothing where there is nothing to say. clap would take that as a value.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(None) } else { arg })
        .mut_subcommands(without_empty_variables)
}

impl Args {
    /// The command line of this process and its environment. Ends the process when they are wrong, or ask for help.
    fn of_process() -> Self {
        let matches = without_empty_variables(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    fn config(self) -> Result<Config, Box<dyn Error>> {
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificates), Some(key)) => Some(qoder_simulator::tls(&certificates, &key)?),
            _ => None,
        };
        let mut config = Config {
            listen: self.listen,
            control_listen: self.control_listen,
            token: self.token,
            accounts: self.accounts,
            start_time: self.start_time,
            journal: self.journal,
            log: self.log,
            dialect: self.pace.dialect,
            latency: self.pace.latency,
            read_lag: self.pace.read_lag,
            reads_per_second: self.pace.reads_per_second,
            writes_per_second: self.pace.writes_per_second,
            tls,
            quirks: self.quirks,
            ..Config::with_deployments(self.deployments as usize)
        };
        if let Some(file) = &self.seed {
            read_seed(file)?.apply(&mut config);
        }
        Ok(config)
    }
}

/// What a seed file has: deployments, or a snapshot.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seed {
    Deployments(Vec<Value>),
    Snapshot { now: Option<Timestamp>, deployments: Vec<Value>, settings: Settings },
}

impl Seed {
    fn apply(self, config: &mut Config) {
        match self {
            Self::Deployments(deployments) => config.deployments = deployments,
            Self::Snapshot { now, deployments, settings } => {
                // Nothing may be later than the start: a clock that was moved begins where it was.
                let moved = now.filter(|now| *now > Timestamp::now());
                config.start_time = config.start_time.or(moved);
                config.deployments = deployments;
                config.set(settings);
            }
        }
    }
}

const SEED_EXAMPLE: &str =
    "it must be an array of deployments, like [{\"id\": \"dep_1\"}], or a snapshot";

fn read_seed(file: &Path) -> Result<Seed, String> {
    let failed = |problem| format!("failed to read the seed file {}: {problem}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let is_yaml = file
        .extension()
        .is_some_and(|extension| ["yaml", "yml"].iter().any(|own| extension == *own));
    let value: Result<Value, String> = if is_yaml {
        serde_yaml_ng::from_str(&text).map_err(|error| error.to_string())
    } else {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    let value = value.map_err(|error| failed(format!("{error}; {SEED_EXAMPLE}")))?;
    serde_json::from_value(value).map_err(|_| failed(SEED_EXAMPLE.to_owned()))
}

/// A time as the API writes it.
fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "must be a time like 2026-06-14T08:00:00Z".to_owned())
}

fn account(text: &str) -> Result<(String, String), String> {
    let (name, token) =
        text.split_once('=').ok_or("must be a name and a token, like test-1=pt-test-1")?;
    Ok((name.to_owned(), token.to_owned()))
}

/// An IP address and a port.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "must be an IP address and a port, like 127.0.0.1:8080, or 0.0.0.0:8080 for all interfaces".to_owned()
    })
}

/// A whole number and a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let milliseconds = text.strip_suffix("ms").and_then(|number| number.parse().ok());
    let seconds = || text.strip_suffix('s').and_then(|number| number.parse().ok());
    milliseconds
        .map(Duration::from_millis)
        .or_else(|| seconds().map(Duration::from_secs))
        .ok_or_else(|| "must be a whole number with ms or s, like 50ms".to_owned())
}
