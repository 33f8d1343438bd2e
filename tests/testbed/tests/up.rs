//! `testbed up` as a person runs it.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, ensure};
use kube::api::{Api, ListParams};
use kube::config::Kubeconfig;
use qoder_operator::api::QoderDeployment;
use testbed::Result;
use testbed::access::client;
use testbed::process::workspace_binary;

#[tokio::test]
async fn nothing_is_left_of_a_control_plane_whose_owner_is_killed() -> Result<()> {
    if env::var_os("KUBECONFIG_TEST").is_some() {
        writeln!(
            io::stderr(),
            "SKIPPED: a control plane is not started beside the one of KUBECONFIG_TEST"
        )?;
        return Ok(());
    }
    let mut owner =
        Owner(Command::new(workspace_binary("testbed")?).arg("up").stdout(Stdio::piped()).spawn()?);
    let kubeconfig = owner.exported_kubeconfig()?;
    let folder = kubeconfig.parent().context("a kubeconfig without a folder")?;
    let client = client(Kubeconfig::read_from(&kubeconfig)?).await?;
    let resources = Api::<QoderDeployment>::default_namespaced(client);
    assert!(resources.list(&ListParams::default()).await?.items.is_empty());
    assert!(is_used(folder)?);

    owner.0.kill()?;
    let start = Instant::now();
    while folder.exists() || is_used(folder)? {
        ensure!(
            start.elapsed() < Duration::from_secs(30),
            "{} is still there or used",
            folder.display()
        );
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

struct Owner(Child);

impl Owner {
    fn exported_kubeconfig(&mut self) -> Result<PathBuf> {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().context("no pipe")?).read_line(&mut line)?;
        let path = line.trim_end().strip_prefix("export KUBECONFIG=").context("no export line")?;
        Ok(path.into())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a process has the folder in its command line: etcd, the API server, their supervisors.
fn is_used(folder: &Path) -> Result<bool> {
    let folder = folder.to_str().context("a folder that is not UTF-8")?;
    let processes = fs::read_dir("/proc")?
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    Ok(processes.into_iter().any(|arguments| String::from_utf8_lossy(&arguments).contains(folder)))
}
