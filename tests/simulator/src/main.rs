//! The simulator as a process: flags, the base URL on standard output, and a clean stop.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use qoder_simulator::{Config, DEFAULT_TOKEN, Dialect, Quirks, Simulator};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

/// The Qoder deployment API on one machine, for tests without an account.
///
/// The first line on standard output is the base URL that a client needs.
/// What happens behind a client's back is ruled by the control API under /_sim/, which needs no token.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "SIMULATOR_LISTEN", default_value = "127.0.0.1:0", value_parser = address)]
    listen: SocketAddr,
    /// The token that is accepted.
    #[arg(long, env = "SIMULATOR_TOKEN", default_value = DEFAULT_TOKEN, hide_env_values = true)]
    token: String,
    /// Begin with that many active deployments.
    #[arg(long, env = "SIMULATOR_DEPLOYMENTS", value_name = "N", conflicts_with = "seed")]
    deployments: Option<usize>,
    /// Begin with the deployments in this file: a JSON array of objects, each with the fields that differ from the template.
    #[arg(long, env = "SIMULATOR_SEED", value_name = "FILE.json")]
    seed: Option<PathBuf>,
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
    /// Serve https with this certificate chain, a PEM file.
    #[arg(long, env = "SIMULATOR_TLS_CERT", value_name = "FILE.pem", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, a PEM file.
    #[arg(long, env = "SIMULATOR_TLS_KEY", value_name = "FILE.pem", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    quirks: Quirks,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
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
    let simulator = Simulator::start(args.config()?)
        .await
        .map_err(|error| format!("failed to start: {error}"))?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", simulator.base_url())?;
    stdout.flush()?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    simulator.shutdown().await;
    Ok(())
}

impl Args {
    fn config(self) -> Result<Config, Box<dyn Error>> {
        let seeds = self.seed.as_deref().map(read_seeds).transpose()?;
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificates), Some(key)) => Some(qoder_simulator::tls(&certificates, &key)?),
            _ => None,
        };
        let config = Config::with_deployments(self.deployments.unwrap_or_default());
        Ok(Config {
            listen: self.listen,
            token: self.token,
            deployments: seeds.unwrap_or(config.deployments),
            dialect: self.dialect,
            latency: self.latency,
            read_lag: self.read_lag,
            reads_per_second: self.reads_per_second,
            writes_per_second: self.writes_per_second,
            tls,
            quirks: self.quirks,
        })
    }
}

fn read_seeds(file: &Path) -> Result<Vec<Value>, String> {
    let failed = |problem| format!("failed to read the seed file {}: {problem}", file.display());
    let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| {
        failed(format!("it is not a JSON array of objects, like [{{\"id\": \"dep_1\"}}]: {error}"))
    })
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
