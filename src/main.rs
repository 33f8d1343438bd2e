//! The binary: arguments, start, exit code.

use std::{error::Error, process::ExitCode, sync::Arc};

use qoder_operator::{
    api,
    chain::Chain,
    check::{LeaseOf, NEEDS_KUBERNETES, Report, check_kubernetes, check_remote},
    config::{Cli, Command, RunArgs, unknown_variables},
    context::Context,
    controller::Controller,
    env::Env,
    kubernetes,
    leader::{Claim, Elector},
    metrics::Metrics,
    qoder::{Client, HttpTransport},
    remote::Account,
    server::Server,
    telemetry::{self, Collector},
};
#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

fn main() -> ExitCode {
    keep_out_of_cores();
    let cli = Cli::of_process();
    let result = match cli.command {
        Some(Command::Crd) => api::crd_yaml().map(|yaml| print!("{yaml}")),
        Some(Command::Check(args)) => start(&args, check),
        Some(Command::Run(args)) => start(&args, run),
        None => start(&cli.run, run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qoder-operator: {}", Chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The token is in the memory of the process. So the kernel is to dump no core of it, and to let no other process of the same user read it.
fn keep_out_of_cores() {
    #[cfg(target_os = "linux")]
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        eprintln!("qoder-operator: a core of this process would have the token in it: {error}");
    }
}

/// One thread: it costs less memory than two, with the same latency.
fn start(
    args: &RunArgs,
    command: impl AsyncFnOnce(&RunArgs) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    // kube and reqwest must find the same provider, and neither brings one.
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "failed to install the TLS provider: there is one already")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let collector = Collector::of_environment()?;
        telemetry::init(args.log_format, collector.as_ref());
        for variable in unknown_variables() {
            tracing::warn!(variable, "no flag has this variable; it is ignored");
        }
        let ended = command(args).await;
        if let Some(collector) = collector {
            collector.end().await;
        }
        ended
    })
}

async fn check(args: &RunArgs) -> Result<(), Box<dyn Error>> {
    let mut report = Report::default();
    if let Err(error) = args.lease.times() {
        report.say("leader election", Err(error.to_string()));
    }
    match qoder(args, &Env::real()) {
        Ok(client) => check_remote(&mut report, &args.token_source(), &client).await,
        Err(error) => report.say("Qoder API", Err(Chain(&*error).to_string())),
    }
    match kubernetes::infer().await {
        Ok(client) => {
            let namespace = args.lease.namespace(&client);
            let lease = LeaseOf { namespace, name: &args.lease.lease_name };
            let lease = Some(lease).filter(|_| args.lease.leader_elect);
            check_kubernetes(&mut report, &client, &args.namespaces(), lease).await;
        }
        Err(error) => {
            let why = format!("{}; set KUBECONFIG, or run it in the Pod", Chain(&error));
            report.say("Kubernetes API", Err(why));
            report.skip(NEEDS_KUBERNETES.0, NEEDS_KUBERNETES.1);
        }
    }
    println!("{}", report.text());
    report.result().map_err(Into::into)
}

fn qoder(args: &RunArgs, env: &Env) -> Result<Client, Box<dyn Error>> {
    let base_url = args.checked_base_url()?;
    let transport = Arc::new(HttpTransport::new(args.request_timeout, &base_url)?);
    Ok(Client::new(transport, base_url, args.workspace_id.clone(), env.clone()))
}

async fn run(args: &RunArgs) -> Result<(), Box<dyn Error>> {
    let (metrics, env, times) =
        (Arc::new(Metrics::new(&args.lease.lease_name)), Env::real(), args.times());
    let lease_times = args.lease.times()?;
    let account = Account::new(args.token_source(), args.rates(), times);
    let qoder = qoder(args, &env)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        base_url = args.base_url,
        token = %args.token_source(),
        namespaces = if args.namespaces().is_empty() { "all".to_owned() } else { args.namespaces().join(",") },
        poll_interval = ?args.poll_interval,
        request_timeout = ?args.request_timeout,
        "starting"
    );
    let kubernetes = kubernetes::infer().await?;
    let elector = args.lease.leader_elect.then(|| {
        let namespace = args.lease.namespace(&kubernetes);
        // In a Pod, its name.
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned());
        let client = kubernetes.clone();
        let lease = (namespace, args.lease.lease_name.as_str());
        Elector::new(client, lease, &host, lease_times, times.request_lifetime(), env.clone())
    });
    let claim = elector.as_ref().map_or_else(Claim::always, Elector::claim);
    let context = Context { metrics: Arc::clone(&metrics), claim, ..Context::new(env, times) };
    let mut controller = Controller::new(kubernetes, qoder, account, args.namespaces(), context);
    if let Some(elector) = elector {
        controller = controller.elected(elector);
    }
    let server = Server::bind(args.listen, controller.view(), metrics).await?;

    let (stopper, stop) = watch::channel(false);
    let mut controller = std::pin::pin!(controller.run(stop));
    let mut server = std::pin::pin!(server.run());
    tokio::select! {
        biased;
        ended = controller.as_mut() => Err(ended.err().map_or("the controller ended by itself".into(), Into::into)),
        ended = server.as_mut() => Err(ended.err().map_or("the server ended by itself".into(), Into::into)),
        signal = stop_signal() => {
            tracing::info!(signal = signal?, "stopping: requests in progress are finished");
            stopper.send_replace(true);
            tokio::select! {
                biased;
                ended = controller => Ok(ended?),
                signal = stop_signal() => {
                    Err(format!("ended at once by a second signal, {}: what was under way may have been done or not", signal?).into())
                }
                ended = server => Err(ended.err().map_or("the server ended by itself".into(), Into::into)),
            }
        }
    }
}

async fn stop_signal() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}
