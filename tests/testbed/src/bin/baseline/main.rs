//! The baseline of the benchmark: an operator for the same resource as such operators are usually
//! written, with kube-rs's `Controller`.
//!
//! Each reconcile reads its deployment with a GET, calls pause or unpause if it differs, and writes
//! the status if that changed. A requeue after a minute finds what others changed.

mod pace;
mod reconcile;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use futures::StreamExt;
use kube::runtime::controller::Controller;
use kube::runtime::watcher;
use kube::{Api, Client, Config};
use qoder_operator::api::QoderDeployment;
use qoder_operator::env::Env;
use qoder_operator::qoder::{BaseUrl, Client as Qoder, HttpTransport, TokenSource};
use tracing::{debug, warn};

use crate::pace::Pace;
use crate::reconcile::{Context, error_policy, reconcile};

/// How long one exchange with the Qoder API may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Pauses and resumes Qoder deployments, the usual way: the baseline of the benchmark
#[derive(Parser)]
struct Arguments {
    /// The base URL of the Qoder API
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// The file that holds the token
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
}

/// One thread, as the operator that it is compared with.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    // kube and reqwest must meet the same provider, and neither brings one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let base_url = BaseUrl::parse(&arguments.base_url, false)?;
    let token = TokenSource::File(arguments.token_file).load().context("there is no token")?;
    let transport = Arc::new(HttpTransport::new(REQUEST_TIMEOUT, &base_url)?);
    let mut config = Config::infer().await?;
    // The control plane is on this machine; no proxy of the environment is to see it.
    config.proxy_url = None;
    let client = Client::try_from(config)?;
    let context = Context {
        client: client.clone(),
        qoder: Qoder::new(transport, base_url, None, Env::real()),
        token,
        pace: Pace::new(),
        failures: std::sync::Mutex::default(),
    };

    let resources = Api::<QoderDeployment>::all(client);
    Controller::new(resources, watcher::Config::default())
        .shutdown_on_signal()
        .run(reconcile, error_policy, Arc::new(context))
        .for_each(async |reconciled| match reconciled {
            Ok((resource, _)) => debug!(%resource, "reconciled"),
            Err(error) => warn!(error = &error as &dyn std::error::Error, "failed to reconcile"),
        })
        .await;
    Ok(())
}
