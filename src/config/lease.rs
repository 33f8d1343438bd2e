//! The flags of the leader election.

use std::time::Duration;

use clap::{Args, builder::BoolishValueParser};

use super::{duration, namespace};
use crate::leader::{InvalidLeaseTimes, LeaseTimes};

/// The flags of the leader election.
#[derive(Args, Clone)]
pub struct LeaseArgs {
    /// Act only while this replica holds the Lease: for two or more replicas.
    #[arg(long, env = "QODER_LEADER_ELECT", value_parser = BoolishValueParser::new())]
    pub leader_elect: bool,

    /// The name of the Lease.
    #[arg(long, env = "QODER_LEASE_NAME", default_value = "qoder-operator", value_parser = lease_name, value_name = "NAME")]
    pub lease_name: String,

    /// The namespace of the Lease. Without it: that of the Pod, or of the kubeconfig's context.
    #[arg(long, env = "QODER_LEASE_NAMESPACE", value_parser = namespace, value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// How long the other replicas wait for a leader that does not renew its Lease: whole seconds, 1s to 1h.
    #[arg(long, env = "QODER_LEASE_DURATION", default_value = "15s", value_parser = any_duration, value_name = "DURATION")]
    pub lease_duration: Duration,

    /// How long a leader acts after the last renewal that succeeded: at most nine tenths of --lease-duration.
    #[arg(long, env = "QODER_RENEW_DEADLINE", default_value = "10s", value_parser = any_duration, value_name = "DURATION")]
    pub renew_deadline: Duration,

    /// How often a leader renews its Lease, and the others look at it: 100ms to half of --renew-deadline.
    #[arg(long, env = "QODER_RETRY_PERIOD", default_value = "2s", value_parser = any_duration, value_name = "DURATION")]
    pub retry_period: Duration,
}

impl LeaseArgs {
    /// Where the Lease is.
    #[must_use]
    pub fn namespace<'a>(&'a self, client: &'a kube::Client) -> &'a str {
        self.lease_namespace.as_deref().unwrap_or(client.default_namespace())
    }

    /// The times of the election.
    ///
    /// # Errors
    /// [`InvalidLeaseTimes`].
    pub fn times(&self) -> Result<LeaseTimes, InvalidLeaseTimes> {
        let Self { lease_duration, renew_deadline, retry_period, .. } = *self;
        LeaseTimes { lease_duration, renew_deadline, retry_period }.checked()
    }
}

fn lease_name(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let is_name = !text.is_empty() && text.len() <= 253 && text.chars().all(inner);
    if is_name && !text.starts_with(['-', '.']) && !text.ends_with(['-', '.']) {
        Ok(text.to_owned())
    } else {
        Err("expected up to 253 lower-case letters, digits, hyphens and dots".to_owned())
    }
}

fn any_duration(text: &str) -> Result<Duration, String> {
    duration(text, Duration::ZERO..=Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_lease_can_have() {
        for good in ["qoder-operator", "a.b", "0"] {
            assert_eq!(lease_name(good).as_deref(), Ok(good));
        }
        for bad in ["", "A", "a_b", "-a", "a.", &"n".repeat(254)] {
            assert!(lease_name(bad).is_err(), "{bad}");
        }
    }
}
