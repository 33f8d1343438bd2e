//! An API server, a shell with kubectl and Helm before it, and operators as processes in place of Pods.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client};
use qoder_simulator::{Config, Entry, Operation, Simulator};
use serde_json::json;
use tempfile::TempDir;
use testbed::{
    ControlPlane, Process, Result,
    gitops::{output_of, shell},
    process::workspace_binary,
    tools::Helm,
};
use tokio::task::block_in_place;

/// What is printed where a script has been run to its end.
const END: &str = "(that was all)";

/// A token that the simulator takes.
pub const TOKEN: &str = qoder_simulator::DEFAULT_TOKEN;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub struct Cluster {
    pub control_plane: ControlPlane,
    pub client: Client,
    pub folder: TempDir,
    helm: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Cluster {
    pub async fn start(helm: Helm) -> Result<Self> {
        let control_plane = ControlPlane::start(&[]).await?;
        let client = control_plane.client().await?;
        let folder = tempfile::tempdir_in(control_plane.scratch())?;
        let helm = helm.find().await?;
        // A program that was built is named by its path, one of the PATH by its name.
        let bin = folder.path().join("bin");
        fs::create_dir(&bin)?;
        if helm.is_absolute() {
            std::os::unix::fs::symlink(&helm, bin.join("helm"))?;
        }
        // What is pasted writes files, and not into the repository.
        let mut copy = Command::new("cp");
        let copied = copy.arg("-r").args(["crds", "deploy"]).arg(folder.path());
        let copied = copied.current_dir(root()).status()?;
        ensure!(copied.success(), "cp: {copied}");
        let kubeconfig = serde_yaml_ng::to_string(control_plane.kubeconfig())?;
        fs::write(folder.path().join("kubeconfig"), kubeconfig)?;
        Ok(Self { control_plane, client, folder, helm: bin, variables: BTreeMap::new() })
    }

    /// A variable of the shells to come.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    fn shell(&self) -> Result<Command> {
        // bash and not sh, because people paste into it.
        let mut command = shell(r#"PATH="$BIN:$PATH" exec bash -euo pipefail"#)?;
        command.env("BIN", &self.helm).envs(&self.variables);
        command.current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.env("KUBECONFIG", self.folder.path().join("kubeconfig"));
        for kind in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{kind}_HOME"), self.folder.path().join(kind));
        }
        Ok(command)
    }

    /// The file that a person keeps a token in.
    pub fn keeps_token(&self, name: &str) -> Result<()> {
        Ok(fs::write(self.folder.path().join(name), format!("{TOKEN}\n"))?)
    }

    /// What a person pastes at the root of the repository. No answer within two minutes is a failure.
    pub fn types(&self, script: &str) -> Result<String> {
        // As at a terminal: a command that reads its input would keep the rest from being run.
        let typed = format!("{script}\nprintf %s '{END}'\n");
        let output = block_in_place(|| output_of(&mut self.shell()?, &typed))?;
        let (said, told) =
            (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{script}\n{told}");
        let said =
            said.strip_suffix(END).with_context(|| format!("not run to its end:\n{script}"))?;
        Ok(said.to_owned())
    }

    /// Whether a service account may do this.
    pub fn may(&self, account: &str, what: &str) -> Result<bool> {
        let line = format!(
            "kubectl auth can-i {what} --as system:serviceaccount:{account} 2>/dev/null || true"
        );
        Ok(self.types(&line)?.trim() == "yes")
    }

    /// The operator as the Pods of this Deployment would run it, but for the ways there: it polls each second, and talks to the simulator.
    pub async fn pod(&self, namespace: &str, name: &str, simulator: &Simulator) -> Result<Process> {
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), namespace);
        let pod = deployments.get(name).await?.spec.and_then(|spec| spec.template.spec);
        let pod = pod.context("a Pod")?;
        let account = pod.service_account_name.context("a service account")?;
        let kubeconfig =
            self.control_plane.kubeconfig_of(&self.client, &account, namespace).await?;
        let container = pod.containers.into_iter().next().context("a container")?;
        let variables = container.env.unwrap_or_default().into_iter();

        let file = |suffix: &str| self.folder.path().join(format!("{namespace}.{suffix}"));
        fs::write(file("token"), TOKEN)?;
        fs::write(file("kubeconfig"), serde_yaml_ng::to_string(&kubeconfig)?)?;
        let mut command = Command::new(workspace_binary("qoder-operator")?);
        for (inherited, _) in std::env::vars_os() {
            if inherited.to_string_lossy().starts_with("QODER_") {
                command.env_remove(inherited);
            }
        }
        command
            .arg("run")
            .env("KUBECONFIG", file("kubeconfig"))
            .envs(variables.filter_map(|one| Some((one.name, one.value?))))
            .env("QODER_TOKEN_FILE", file("token"))
            .env("QODER_BASE_URL", simulator.base_url())
            .env("QODER_LISTEN", "127.0.0.1:0")
            .env("QODER_POLL_INTERVAL", "1s")
            .env("QODER_REQUEST_TIMEOUT", "1s");
        Process::spawn(namespace, &command, &file("log"))
    }

    /// Waits until the resource is ready, for at most a minute.
    pub fn ready(&self, namespace: &str, name: &str) -> Result<()> {
        let line =
            format!("kubectl -n {namespace} wait qdep/{name} --for=condition=Ready --timeout=60s");
        self.types(&line).map(drop)
    }
}

/// A simulator that has deployments with these ids, all active.
pub async fn simulator(ids: &[&str]) -> Result<Simulator> {
    let simulator = Simulator::start(Config::with_deployments(0)).await?;
    for id in ids {
        simulator.add(json!({ "id": id, "name": id }))?;
    }
    Ok(simulator)
}

/// Waits until the simulator was asked to list or read this often from now on.
pub async fn reads(simulator: &Simulator, count: usize) -> Result<()> {
    let read = |entry: &Entry| matches!(entry.operation, Operation::List | Operation::Get);
    let now = || simulator.journal().iter().filter(|entry| read(entry)).count();
    let goal = now() + count;
    let done =
        testbed::eventually(Duration::from_secs(60), async || Ok((now() >= goal).then_some(())));
    done.await?.context("nobody reads")
}

/// The writes so far: `pause dep_a 200`.
pub fn writes(simulator: &Simulator) -> Vec<String> {
    let entries = simulator.journal();
    let writes = entries.iter().filter_map(|entry| {
        let verb = match entry.operation {
            Operation::Pause => "pause",
            Operation::Unpause => "unpause",
            _ => return None,
        };
        let status = entry.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        Some(format!("{verb} {} {status}", entry.id.as_deref().unwrap_or("-")))
    });
    writes.collect()
}
