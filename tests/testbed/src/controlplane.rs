//! A kube-apiserver and its etcd on loopback ports, or the existing cluster of `KUBECONFIG_TEST`.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use http::Request;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{Api, PostParams};
use kube::config::Kubeconfig;
use rustix::process::Signal;
use tokio::sync::OnceCell;

use crate::access;
use crate::binaries::Binaries;
use crate::rights::Audit;
use crate::servers::Servers;
use crate::source::say;
use crate::{Result, eventually};

/// How long a start may take. Warm it takes 4 s on 2 cores; other builds may be running beside it.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// The environment variable that names an existing cluster's kubeconfig.
const EXISTING: &str = "KUBECONFIG_TEST";

/// A control plane and an administrator's access to it.
#[derive(Debug)]
pub struct ControlPlane {
    kubeconfig: Kubeconfig,
    /// `None`: somebody else's cluster.
    servers: Option<Servers>,
    /// Set once the shipped CRD and cluster roles are there.
    pub(crate) prepared: OnceCell<()>,
}

/// What [`ControlPlane::own`] gives.
#[derive(Debug)]
pub enum Own {
    /// A control plane for this story alone, which it may stop and start.
    Running(Arc<ControlPlane>),
    /// There is none to stop: the tests run on an existing cluster. It was said on standard error.
    Skipped,
}

impl ControlPlane {
    /// The one that all stories of this process share; it ends with the process.
    ///
    /// # Errors
    ///
    /// If none can be started, or `KUBECONFIG_TEST` cannot be read.
    pub async fn shared() -> Result<Arc<Self>> {
        static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
        let shared = SHARED.get_or_try_init(async || match env::var_os(EXISTING) {
            Some(path) => Self::existing(&path).map(Arc::new),
            None => Self::audited(&[]).await.map(Arc::new),
        });
        shared.await.cloned()
    }

    /// One of its own for a story that stops the API server, or that needs flags of it.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub async fn own(flags: &[&str]) -> Result<Own> {
        if env::var_os(EXISTING).is_some() {
            say(&format!(
                "SKIPPED: a story that stops the API server does not run on the cluster of {EXISTING}"
            ));
            return Ok(Own::Skipped);
        }
        Self::audited(flags).await.map(|own| Own::Running(Arc::new(own)))
    }

    /// Starts a new one, its API server with these flags too, in a temporary folder, which is removed when it ends.
    ///
    /// # Errors
    ///
    /// If its executables cannot be found or built, or it is not ready in time.
    pub async fn start(flags: &[&str]) -> Result<Self> {
        Self::start_with(flags, false).await
    }

    /// The same, and it notes what service accounts do: [`audit`](Self::audit).
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn audited(flags: &[&str]) -> Result<Self> {
        Self::start_with(flags, true).await
    }

    async fn start_with(flags: &[&str], is_audited: bool) -> Result<Self> {
        let servers = Servers::start(Binaries::find().await?, flags, is_audited).await?;
        let control_plane = Self {
            kubeconfig: servers.kubeconfig(),
            servers: Some(servers),
            prepared: OnceCell::new(),
        };
        control_plane.ready().await?;
        Ok(control_plane)
    }

    fn existing(path: &OsStr) -> Result<Self> {
        let kubeconfig = Kubeconfig::read_from(path);
        let kubeconfig =
            kubeconfig.with_context(|| format!("failed to read {EXISTING}={}", path.display()))?;
        Ok(Self { kubeconfig, servers: None, prepared: OnceCell::new() })
    }

    /// An administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Kubeconfig {
        &self.kubeconfig
    }

    /// A new administrator's client. It belongs to the async runtime that calls this.
    ///
    /// # Errors
    ///
    /// If the kubeconfig makes no client.
    pub async fn client(&self) -> Result<Client> {
        access::client(self.kubeconfig.clone()).await
    }

    /// The kubeconfig of another user of the same API server, who has this bearer token.
    ///
    /// # Errors
    ///
    /// If an existing cluster's kubeconfig has no current context.
    pub fn kubeconfig_for(&self, token: &str, namespace: &str) -> Result<Kubeconfig> {
        let cluster = access::current_cluster(&self.kubeconfig);
        let cluster = cluster.context("the kubeconfig has no current cluster")?;
        Ok(access::kubeconfig(cluster.clone(), token, namespace))
    }

    /// The kubeconfig of a service account.
    ///
    /// # Errors
    ///
    /// If there is no such account.
    pub async fn kubeconfig_of(
        &self,
        client: &Client,
        account: &str,
        namespace: &str,
    ) -> Result<Kubeconfig> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![],
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
        let token = accounts.create_token_request(account, &PostParams::default(), &request).await;
        let token = token
            .with_context(|| format!("failed to request a token for {namespace}/{account}"))?
            .status
            .context("a token request without status")?;
        self.kubeconfig_for(&token.token, namespace)
    }

    /// What the service accounts of this namespace have done so far. `None`: nobody has noted it, as on an existing
    /// cluster.
    #[must_use]
    pub fn audit(&self, namespace: &str) -> Option<Audit> {
        let servers = self.servers.as_ref().filter(|servers| servers.is_audited)?;
        Some(Audit::new(&servers.folder, namespace))
    }

    /// Where stories keep their own files: they go when the control plane goes.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.servers.as_ref().map_or_else(env::temp_dir, |servers| servers.folder.clone())
    }

    /// Kills the API server. What it stored stays.
    ///
    /// # Errors
    ///
    /// If this is an existing cluster.
    pub async fn stop_api_server(&self) -> Result<()> {
        self.own_servers()?.stop_api_server().await
    }

    /// Starts the API server again, on the same port, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// If this is an existing cluster, or it is not ready in time.
    pub async fn start_api_server(&self) -> Result<()> {
        self.own_servers()?.start_api_server().await?;
        self.ready().await
    }

    /// Stops etcd where it stands (SIGSTOP): the API server listens, and cannot read or write.
    ///
    /// # Errors
    ///
    /// If this is an existing cluster.
    pub fn freeze_etcd(&self) -> Result<()> {
        self.own_servers()?.signal_etcd(Signal::STOP);
        Ok(())
    }

    /// Lets it go on (SIGCONT), and waits until the API server is ready.
    ///
    /// # Errors
    ///
    /// If this is an existing cluster, or it is not ready in time.
    pub async fn thaw_etcd(&self) -> Result<()> {
        self.own_servers()?.signal_etcd(Signal::CONT);
        self.ready().await
    }

    fn own_servers(&self) -> Result<&Servers> {
        self.servers.as_ref().context("an existing cluster is not ours to stop or start")
    }

    async fn ready(&self) -> Result<()> {
        let client = self.client().await?;
        let ready = eventually(START_DEADLINE, async || {
            if let Some(servers) = &self.servers {
                servers.check_running().await?;
            }
            let probe = client.request_text(Request::get("/readyz").body(Vec::new())?);
            Ok(probe.await.ok())
        });
        if ready.await?.is_some() {
            return Ok(());
        }
        let log = match &self.servers {
            Some(servers) => servers.log_tail().await,
            None => String::new(),
        };
        bail!("the API server was not ready within {START_DEADLINE:?}:\n{log}")
    }
}
