//! What stands between a process and everything else: it can be frozen, cut off, and dead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

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
///
/// It is no watch channel: that wakes those who wait in an order that is drawn anew each time.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<Conditions>, Notify)>);

impl Gate {
    fn conditions(&self) -> MutexGuard<'_, Conditions> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.conditions());
        self.0.1.notify_waiters();
    }

    pub fn now(&self) -> Conditions {
        *self.conditions()
    }

    /// Waits until the process is as it should be for a message to reach it.
    pub async fn open(&self, holds: impl Fn(Conditions) -> bool) {
        loop {
            let changed = self.0.1.notified();
            if holds(self.now()) {
                return;
            }
            changed.await;
        }
    }
}
