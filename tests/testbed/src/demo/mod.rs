//! `testbed demo`: the operator at work, on a real API server and a simulated Qoder API.
//!
//! Each step does one thing, shows what it led to, and fails unless exactly that happened.

mod recording;
mod script;
mod simulator;

use std::io::{IsTerminal, stdin};
use std::time::Instant;

use anyhow::Context;

pub use self::recording::Recording;
use self::script::{DEPLOYMENTS, Script};
use self::simulator::Simulator;
use crate::up::{interrupted, write_kubeconfig};
use crate::{Bed, Result};

/// The token that the simulator accepts unless it is told another one.
const TOKEN: &str = "pt-simulator";

/// Runs the demo, then leaves everything running until Ctrl-C, if there is a terminal.
///
/// # Errors
///
/// If one step did not happen as it was announced.
pub async fn demo() -> Result<()> {
    println!("The Qoder operator on a real Kubernetes API server and a simulated Qoder API\n");
    let start = Instant::now();
    let bed = Bed::new("demo").await?;
    let version = bed.client().apiserver_version().await?.git_version;
    println!("  API server   {version}, ready after {:.1} s", start.elapsed().as_secs_f64());
    let simulator = Simulator::start(bed.folder(), DEPLOYMENTS).await?;
    println!("  simulator    {}", simulator.base_url());
    let operator = bed.operator().base_url(simulator.base_url()).token(TOKEN).start().await?;
    println!(
        "  operator     polls every second, with the shipped rights in namespace {}",
        bed.namespace()
    );

    let script = Script::new(&bed, &simulator).await?;
    let played = script.play().await;
    played.with_context(|| {
        format!("the demo failed; the operator's last words:\n{}", operator.process().log_tail())
    })?;

    println!("\nEvery step happened as announced.");
    if stdin().is_terminal() {
        let kubeconfig = bed.folder().join("admin.kubeconfig");
        write_kubeconfig(bed.control_plane(), bed.namespace(), &kubeconfig)?;
        println!("{}", script.invitation(&kubeconfig));
        interrupted().await?;
    }
    Ok(())
}
