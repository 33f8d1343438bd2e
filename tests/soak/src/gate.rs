//! What stands between a process and everything else: it can be frozen, cut off, and dead.

use std::sync::Arc;

use tokio::sync::watch;

/// How a process is, as others see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conditions {
    /// It does nothing. Its clock goes on.
    pub is_frozen: bool,
    /// The Kubernetes API is out of its reach.
    pub is_cut: bool,
    /// It has ended, and what it has sent never lands.
    pub is_forgotten: bool,
}

/// The gate of one process. A clone is the same one.
#[derive(Clone, Default)]
pub struct Gate(Arc<watch::Sender<Conditions>>);

impl Gate {
    pub fn set(&self, change: impl FnOnce(&mut Conditions)) {
        self.0.send_modify(change);
    }

    pub fn now(&self) -> Conditions {
        *self.0.borrow()
    }

    /// Waits until the process is as it should be for a message to reach it.
    pub async fn open(&self, holds: impl Fn(Conditions) -> bool) {
        // It fails when the gate is gone, and this has one.
        let _ = self.0.subscribe().wait_for(|now| holds(*now)).await;
    }
}
