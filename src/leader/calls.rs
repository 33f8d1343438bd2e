//! The calls about the Lease. Each has a bound of its own: one that hangs must not cost the term.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, api::PostParams, core::Status};
use tokio::time::timeout;

/// The Lease, in the Kubernetes API.
pub(super) struct Calls {
    api: Api<Lease>,
    pub(super) name: String,
    limit: Duration,
}

impl Calls {
    /// A call may take so long.
    pub(super) fn new(client: Client, namespace: &str, name: &str, limit: Duration) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned(), limit }
    }

    pub(super) async fn get(&self) -> Result<Option<Lease>, LeaseError> {
        self.within(self.api.get_opt(&self.name)).await
    }

    pub(super) async fn create(&self, lease: &Lease) -> Result<Lease, LeaseError> {
        self.within(self.api.create(&PostParams::default(), lease)).await
    }

    /// Refused if the Lease has another resourceVersion.
    pub(super) async fn replace(&self, lease: &Lease) -> Result<Lease, LeaseError> {
        self.within(self.api.replace(&self.name, &PostParams::default(), lease)).await
    }

    async fn within<T>(
        &self,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, LeaseError> {
        let answer = timeout(self.limit, call).await;
        Ok(answer.map_err(|_| LeaseError::Silent)??)
    }
}

/// Why the Lease was not read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum LeaseError {
    #[error("the Kubernetes API did not answer in time")]
    Silent,
    #[error(transparent)]
    Refused(#[from] Box<Status>),
    #[error(transparent)]
    Failed(kube::Error),
}

impl From<kube::Error> for LeaseError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(status),
            error => Self::Failed(error),
        }
    }
}
