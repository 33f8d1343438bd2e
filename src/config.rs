//! The command line. Every flag has an environment twin, and an empty variable is an unset one.

#![allow(clippy::doc_markdown, reason = "--help shows these texts as they are")]

mod lease;

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use clap::{
    Arg, Args, Command as ClapCommand, CommandFactory as _, FromArgMatches as _, Parser,
    Subcommand, ValueEnum, builder::BoolishValueParser,
};
use http::HeaderValue;
use k8s_openapi::jiff::SignedDuration;

pub use lease::LeaseArgs;

use crate::{
    qoder::{BaseUrl, InvalidBaseUrl, Token, TokenSource},
    remote::Rates,
    times::Times,
};

/// What is no flag.
const AROUND: &str = "Kubernetes is found through KUBECONFIG, or from inside the Pod. RUST_LOG sets the level of the \
                      logs, for example qoder_operator=debug. HTTPS_PROXY and NO_PROXY are heeded. \
                      OTEL_EXPORTER_OTLP_ENDPOINT turns on traces.";

/// Pauses and resumes Qoder deployments as QoderDeployment resources say.
///
/// Not affiliated with or endorsed by Qoder.
#[derive(Parser)]
#[command(name = "qoder-operator", version, args_conflicts_with_subcommands = true, after_help = AROUND)]
pub struct Cli {
    /// What to do; without it: run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Runs the operator (the default).
    #[command(after_help = AROUND)]
    Run(Box<RunArgs>),
    /// Prints the CustomResourceDefinition as YAML.
    Crd,
    /// Checks the token, the base URL, the CRD and the rights, and says what to do. Takes the flags of run.
    #[command(after_help = AROUND)]
    Check(Box<RunArgs>),
}

/// The flags of `run`.
#[derive(Args, Clone)]
pub struct RunArgs {
    /// The base URL of the Qoder API.
    #[arg(
        long,
        env = "QODER_BASE_URL",
        default_value = "https://api.qoder.com/api/v1/cloud",
        value_name = "URL"
    )]
    pub base_url: String,

    /// Allow http to another machine. Others can read the token on the way: only for simulators.
    #[arg(long, env = "QODER_ALLOW_INSECURE_HTTP", value_parser = BoolishValueParser::new())]
    pub allow_insecure_http: bool,

    /// The file that holds the token; it is read again when it changes. Without it, the token is taken from the
    /// environment variable QODER_PAT.
    #[arg(long, env = "QODER_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// The id of the workspace; sent with every request as the header qoder-workspace-id.
    #[arg(long, env = "QODER_WORKSPACE_ID", value_parser = workspace_id, value_name = "ID")]
    pub workspace_id: Option<HeaderValue>,

    /// A namespace to watch; repeatable, or separated by commas. Without it: all namespaces.
    #[arg(
        long = "namespace",
        env = "QODER_NAMESPACES",
        value_delimiter = ',',
        value_parser = namespace,
        value_name = "NAMESPACE"
    )]
    namespaces: Vec<String>,

    /// How often the remote deployments are read: 1s to 1h.
    #[arg(long, env = "QODER_POLL_INTERVAL", default_value = "30s", value_parser = poll_interval, value_name = "DURATION")]
    pub poll_interval: Duration,

    /// How long one exchange with the Qoder API may take: 100ms to 5m.
    #[arg(long, env = "QODER_REQUEST_TIMEOUT", default_value = "15s", value_parser = request_timeout, value_name = "DURATION")]
    pub request_timeout: Duration,

    /// How many reads may be sent in any second: 1 to 1000.
    #[arg(long, env = "QODER_READS_PER_SECOND", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub reads_per_second: u32,

    /// How many writes may be sent in any second: 1 to 1000.
    #[arg(long, env = "QODER_WRITES_PER_SECOND", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub writes_per_second: u32,

    #[command(flatten)]
    pub lease: LeaseArgs,

    /// Where probes and metrics are served. [::] is every address, of IPv4 too.
    #[arg(long, env = "QODER_LISTEN", default_value = "[::]:8080", value_parser = listen, value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// How logs are written. auto: text on a terminal, else json.
    #[arg(long, env = "QODER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Cli {
    /// The command line of this process and its environment. Ends the process when they are wrong,
    /// or ask for help.
    #[must_use]
    pub fn of_process() -> Self {
        let matches = without_empty_variables(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// Manifests set variables to nothing where there is nothing to say. clap would take that as a value.
fn without_empty_variables(command: ClapCommand) -> ClapCommand {
    command
        .mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(None) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// Whether this variable is in the environment, and has nothing but white space in it.
pub fn is_empty(variable: impl AsRef<OsStr>) -> bool {
    let value = std::env::var_os(variable);
    value.is_some_and(|value| value.to_str().is_some_and(|text| text.trim().is_empty()))
}

/// What this variable says, if it is set to anything.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.trim().is_empty())
}

/// The variables of the environment that look like the operator's, and are none: a flag that is set by a wrong name is
/// not heeded.
#[must_use]
pub fn unknown_variables() -> Vec<String> {
    let command = Cli::command();
    let known: BTreeSet<_> = command.get_arguments().filter_map(Arg::get_env).collect();
    let is_unknown = |name: &OsString| {
        let of_service = |text: &str| {
            ["QODER_OPERATOR_", "QODER_SIMULATOR_"].iter().any(|of| text.starts_with(of))
        };
        let looks_like_ours =
            |text: &str| text.starts_with("QODER_") && text != "QODER_PAT" && !of_service(text);
        !known.contains(name.as_os_str()) && name.to_str().is_some_and(looks_like_ours)
    };
    let names = std::env::vars_os().map(|(name, _)| name).filter(is_unknown);
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

impl RunArgs {
    /// The namespaces to watch, each once: two watches of one would sweep each other's objects.
    /// None: all.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        let once: BTreeSet<_> = self.namespaces.iter().cloned().collect();
        once.into_iter().collect()
    }

    /// The two times that all others follow from.
    #[must_use]
    pub fn times(&self) -> Times {
        Times { poll_interval: self.poll_interval, request_timeout: self.request_timeout }
    }

    /// The budget.
    #[must_use]
    pub fn rates(&self) -> Rates {
        Rates { reads_per_second: self.reads_per_second, writes_per_second: self.writes_per_second }
    }

    /// The checked base URL.
    ///
    /// # Errors
    /// [`InvalidBaseUrl`].
    pub fn checked_base_url(&self) -> Result<BaseUrl, InvalidBaseUrl> {
        BaseUrl::parse(&self.base_url, self.allow_insecure_http)
    }

    /// Where the token comes from. The environment is read here, once.
    #[must_use]
    pub fn token_source(&self) -> TokenSource {
        if let Some(path) = &self.token_file {
            return TokenSource::File(path.clone());
        }
        let text = std::env::var("QODER_PAT").unwrap_or_default();
        TokenSource::Environment(Token::parse(text.as_bytes()))
    }
}

fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err("a name is empty: remove the comma too many, or leave the flag out for all \
                    namespaces"
            .to_owned());
    }
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.len() > 63 || !name.chars().all(inner) || name.starts_with('-') || name.ends_with('-') {
        return Err(format!(
            "{name:?} is not the name of a namespace: expected up to 63 lower-case letters, digits \
             and hyphens, without a hyphen at an end"
        ));
    }
    Ok(name.to_owned())
}

fn workspace_id(text: &str) -> Result<HeaderValue, String> {
    match HeaderValue::from_str(text.trim()) {
        Ok(id) if !id.is_empty() => Ok(id),
        _ => Err("expected an id, or leave the flag out".to_owned()),
    }
}

fn poll_interval(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_secs(1)..=Duration::from_secs(3600))
}

fn request_timeout(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_millis(100)..=Duration::from_secs(300))
}

/// `1h`, `5m`, `100ms`.
fn friendly(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |it| format!("{it:#}"))
}

/// An address, or only a port as `:8080`: every address.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let whole = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    whole.parse().map_err(|_| {
        "expected an address and a port, like [::]:8080, 127.0.0.1:8080, or :8080".to_owned()
    })
}

fn duration(text: &str, range: std::ops::RangeInclusive<Duration>) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    let duration = parsed.ok_or("expected a duration like 30s, 1m30s or 500ms")?;
    if range.contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("expected {} to {}", friendly(*range.start()), friendly(*range.end())))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(args: &[&str]) -> Result<RunArgs, String> {
        let all = std::iter::once("qoder-operator").chain(args.iter().copied());
        Cli::try_parse_from(all).map(|cli| cli.run).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_sound_and_every_flag_has_an_environment_twin() {
        let command = Cli::command();
        command.clone().debug_assert();
        for arg in command
            .get_arguments()
            .filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
        {
            assert!(arg.get_env().is_some(), "--{} has none", arg.get_id());
        }
    }

    #[test]
    fn namespaces_are_trimmed_and_each_is_there_once() {
        let none: [&str; 0] = [];
        assert_eq!(parse(&[]).unwrap().namespaces(), none);
        let args = parse(&["--namespace=b, a", "--namespace", "a,b ", "--namespace=0-9"]).unwrap();
        assert_eq!(args.namespaces(), ["0-9", "a", "b"]);
        let longest = "n".repeat(63);
        assert_eq!(parse(&["--namespace", &longest]).unwrap().namespaces(), [longest]);
    }

    #[test]
    fn what_cannot_be_a_namespace_is_refused() {
        for (bad, says) in [
            ("", "leave the flag out"),
            (" ", "leave the flag out"),
            ("a,", "remove the comma"),
            (",a", "remove the comma"),
            ("a,,b", "remove the comma"),
            ("Agents", "\"Agents\" is not the name of a namespace"),
            ("a b", "not the name"),
            ("a.b", "not the name"),
            ("a_b", "not the name"),
            ("a/b", "not the name"),
            ("*", "not the name"),
            ("-a", "not the name"),
            ("a-", "not the name"),
            ("ä", "not the name"),
            (&"n".repeat(64), "not the name"),
        ] {
            let error = parse(&[&format!("--namespace={bad}")]).err().expect(bad);
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn a_flag_without_a_value_is_refused() {
        for flag in ["--workspace-id=", "--workspace-id= ", "--token-file=", "--listen="] {
            let error = parse(&[flag]).err().expect(flag);
            assert!(error.contains(flag.trim_end_matches([' ', '='])), "{flag}: {error}");
        }
        let error = parse(&["--base-url="]).unwrap().checked_base_url().unwrap_err();
        assert!(error.to_string().contains("base URL"), "{error}");
    }

    #[test]
    fn an_address_may_be_a_port_only() {
        for (text, address) in
            [(":1", "[::]:1"), ("[::1]:2", "[::1]:2"), ("0.0.0.0:3", "0.0.0.0:3")]
        {
            let flag = format!("--listen={text}");
            assert_eq!(parse(&[&flag]).unwrap().listen, address.parse().unwrap());
        }
        let error = parse(&["--listen=8080"]).err().unwrap();
        assert!(error.contains("like [::]:8080"), "{error}");
    }

    #[test]
    fn durations_have_units_and_bounds() {
        let args = parse(&["--poll-interval", "1m30s", "--request-timeout", "500ms"]).unwrap();
        assert_eq!(args.poll_interval, Duration::from_secs(90));
        assert_eq!(args.request_timeout, Duration::from_millis(500));
        for bad in ["30", "0s", "2h", "-1s", "soon"] {
            let error = parse(&[&format!("--poll-interval={bad}")]).err().unwrap();
            assert!(error.contains("--poll-interval"), "{error}");
        }
        let error = parse(&["--poll-interval=2h"]).err().unwrap();
        assert!(error.contains("expected 1s to 1h"), "{error}");
    }
}
