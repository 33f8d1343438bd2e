//! The right to act: what each remote write, each status write and each event asks for right before it is sent.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::lock::lock;

/// Whether this process may act now. Clones are of one claim.
#[derive(Debug, Clone, Default)]
pub struct Claim(Option<Arc<Mutex<Option<Instant>>>>);

impl Claim {
    /// Of a process that runs without election: it may always act.
    #[must_use]
    pub fn always() -> Self {
        Self(None)
    }

    /// Of one that takes part in an election, and does not lead yet.
    pub(super) fn none() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether this process may act now. It is asked at the moment of the act, so that one that was frozen, or cut off
    /// from the Kubernetes API, does not act for a leader of the past.
    #[must_use]
    pub fn is_held(&self) -> bool {
        match &self.0 {
            None => true,
            Some(until) => lock(until).is_some_and(|until| Instant::now() < until),
        }
    }

    /// It is held until then, or not at all.
    pub(super) fn set(&self, until: Option<Instant>) {
        if let Some(held) = &self.0 {
            *lock(held) = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_claim_runs_out_by_itself() {
        assert!(Claim::always().is_held());
        let claim = Claim::none();
        let clone = claim.clone();
        assert!(!clone.is_held());
        claim.set(Some(Instant::now() + Duration::from_secs(10)));
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert!(clone.is_held());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!clone.is_held());
        claim.set(Some(Instant::now() + Duration::from_secs(10)));
        claim.set(None);
        assert!(!clone.is_held());
    }
}
