//! The two processes of a control plane, etcd and kube-apiserver, and the files that they need.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use kube::config::{Cluster, Kubeconfig};
use rustix::process::Signal;
use tokio::sync::Mutex;

use crate::access::kubeconfig;
use crate::binaries::Binaries;
use crate::port::ReservedPort;
use crate::{Process, Result, rights};

/// How long SIGKILL may take: the kernel may be busy.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// The two processes and what they share.
#[derive(Debug)]
pub(crate) struct Servers {
    binaries: Binaries,
    /// Everything that they read and write; stories may add to it.
    pub(crate) folder: PathBuf,
    port: ReservedPort,
    /// Flags of the API server beyond the usual ones.
    flags: Vec<String>,
    /// Whether it notes what service accounts do.
    pub(crate) is_audited: bool,
    admin_token: String,
    etcd_url: String,
    /// It goes when this does, and takes the folder along.
    etcd: Process,
    /// The two of etcd: for clients, and for the peers that it does not have.
    _etcd_ports: [ReservedPort; 2],
    api_server: Mutex<Option<Process>>,
}

impl Servers {
    /// Starts both; neither is ready yet.
    pub(crate) async fn start(
        binaries: Binaries,
        flags: &[&str],
        is_audited: bool,
    ) -> Result<Self> {
        // Its removal is the business of etcd's supervisor, which sees this process end in any way.
        let folder = tempfile::Builder::new().prefix("qoder-testbed-").tempdir()?.keep();
        let etcd_ports = [ReservedPort::new()?, ReservedPort::new()?];
        let [etcd_url, peer_url] =
            etcd_ports.each_ref().map(|port| format!("http://{}", port.address()));
        let mut command = Command::new(&binaries.etcd);
        command
            .arg("--data-dir")
            .arg(folder.join("etcd"))
            .arg(format!("--listen-client-urls={etcd_url}"))
            .arg(format!("--advertise-client-urls={etcd_url}"))
            .arg(format!("--listen-peer-urls={peer_url}"))
            .arg(format!("--initial-advertise-peer-urls={peer_url}"))
            .arg(format!("--initial-cluster=default={peer_url}"))
            .args(["--socket-reuse-port", "--unsafe-no-fsync", "--log-level=error"]);
        let etcd = Process::spawn_in("etcd", &command, &folder.join("etcd.log"), &folder)?;

        let admin_token = format!("{:032x}", fastrand::u128(..));
        write_credentials(&folder, &admin_token)?;
        let port = ReservedPort::new()?;
        let api_server = Mutex::default();
        let mut flags: Vec<_> = flags.iter().map(ToString::to_string).collect();
        if is_audited {
            flags.extend(rights::flags(&folder)?);
        }
        let servers = Self {
            binaries,
            folder,
            port,
            flags,
            is_audited,
            admin_token,
            etcd_url,
            etcd,
            _etcd_ports: etcd_ports,
            api_server,
        };
        servers.start_api_server().await?;
        Ok(servers)
    }

    /// Starts the API server on the port that it always had. It is not ready yet.
    pub(crate) async fn start_api_server(&self) -> Result<()> {
        *self.api_server.lock().await = Some(self.spawn_api_server()?);
        Ok(())
    }

    /// Kills the API server.
    pub(crate) async fn stop_api_server(&self) -> Result<()> {
        if let Some(running) = self.api_server.lock().await.take() {
            running.signal(Signal::KILL);
            running.wait(KILL_DEADLINE).await?;
        }
        Ok(())
    }

    pub(crate) fn signal_etcd(&self, signal: Signal) {
        self.etcd.signal(signal);
    }

    fn spawn_api_server(&self) -> Result<Process> {
        let file = |name: &str| self.folder.join(name);
        let flag = |name: &str, path: PathBuf| {
            let mut flag = OsString::from(format!("--{name}="));
            flag.push(path);
            flag
        };
        let mut command = Command::new(&self.binaries.kube_apiserver);
        command
            .args(["--bind-address=127.0.0.1", "--permit-port-sharing"])
            .arg(format!("--secure-port={}", self.port.address().port()))
            .arg(format!("--etcd-servers={}", self.etcd_url))
            .arg(flag("cert-dir", self.folder.clone()))
            .arg(flag("tls-cert-file", file(CERTIFICATE)))
            .arg(flag("tls-private-key-file", file(KEY)))
            .arg(flag("token-auth-file", file(TOKENS)))
            .arg(flag("service-account-key-file", file(CERTIFICATE)))
            .arg(flag("service-account-signing-key-file", file(KEY)))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg("--service-cluster-ip-range=10.0.0.0/24")
            .arg("--authorization-mode=RBAC")
            // There is nobody behind the `kubernetes` service, and a loopback address must not be.
            .arg("--endpoint-reconciler-type=none")
            .args(&self.flags);
        Process::spawn("kube-apiserver", &command, &file("kube-apiserver.log"))
    }

    /// Fails if one of them has ended, with its last words.
    pub(crate) async fn check_running(&self) -> Result<()> {
        let api_server = self.api_server.lock().await;
        for server in [Some(&self.etcd), api_server.as_ref()].into_iter().flatten() {
            if let Some(status) = server.status() {
                bail!("{} ended ({status}):\n{}", server.name(), server.log_tail());
            }
        }
        Ok(())
    }

    /// The last lines of the API server's log.
    pub(crate) async fn log_tail(&self) -> String {
        self.api_server.lock().await.as_ref().map(Process::log_tail).unwrap_or_default()
    }

    /// An administrator's.
    pub(crate) fn kubeconfig(&self) -> Kubeconfig {
        let authority = self.folder.join(CERTIFICATE);
        let cluster = Cluster {
            server: Some(format!("https://{}", self.port.address())),
            certificate_authority: Some(authority.to_string_lossy().into_owned()),
            ..Cluster::default()
        };
        kubeconfig(cluster, &self.admin_token, "default")
    }
}

const CERTIFICATE: &str = "serving.crt";
const KEY: &str = "serving.key";
const TOKENS: &str = "tokens.csv";

/// One key pair serves TLS and signs service account tokens; its certificate is its own authority.
fn write_credentials(folder: &Path, admin_token: &str) -> Result<()> {
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
        .context("failed to make a certificate")?;
    fs::write(folder.join(CERTIFICATE), pair.cert.pem())?;
    fs::write(folder.join(KEY), pair.signing_key.serialize_pem())?;
    fs::write(folder.join(TOKENS), format!("{admin_token},admin,admin,system:masters\n"))?;
    Ok(())
}
