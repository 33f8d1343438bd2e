//! `testbed up`: a control plane with the shipped CRD, for a person with kubectl.

use std::fs;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use crate::{ControlPlane, Result, install};

/// Starts it, says how to use it, and waits for Ctrl-C.
///
/// # Errors
///
/// If the control plane cannot be started.
pub async fn up() -> Result<()> {
    let control_plane = ControlPlane::start(&[]).await?;
    install::cluster_wide(&control_plane, &control_plane.client().await?).await?;
    let kubeconfig = control_plane.scratch().join("admin.kubeconfig");
    write_kubeconfig(&control_plane, "default", &kubeconfig)?;
    println!("export KUBECONFIG={}", kubeconfig.display());
    interrupted().await
}

/// Writes an administrator's kubeconfig that begins in `namespace`.
pub(crate) fn write_kubeconfig(
    control_plane: &ControlPlane,
    namespace: &str,
    file: &Path,
) -> Result<()> {
    let mut kubeconfig = control_plane.kubeconfig().clone();
    for context in kubeconfig.contexts.iter_mut().filter_map(|context| context.context.as_mut()) {
        context.namespace = Some(namespace.to_owned());
    }
    Ok(fs::write(file, serde_yaml_ng::to_string(&kubeconfig)?)?)
}

/// Waits for Ctrl-C, or for whoever stops processes politely.
pub(crate) async fn interrupted() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
