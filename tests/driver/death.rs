//! The moment at which a process is killed: just before one of its calls, with it on its way, or just after it.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::watch;

/// How long what is on its way takes, when its sender is dead: longer than it takes until another one leads.
pub const ON_THE_WAY: Duration = Duration::from_secs(45);

/// When, of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It never leaves.
    Before,
    /// It takes effect long after its sender has died.
    OnTheWay,
    /// It has taken effect, and nobody gets the answer.
    After,
}

/// What one process does that others can see, call by call; and at which of them it dies.
#[derive(Clone)]
pub struct Death(Arc<Mutex<State>>);

struct State {
    calls: Vec<String>,
    at: Option<(usize, Moment)>,
    is_dead: watch::Sender<bool>,
}

impl Default for Death {
    fn default() -> Self {
        let is_dead = watch::Sender::new(false);
        Self(Arc::new(Mutex::new(State { calls: Vec::new(), at: None, is_dead })))
    }
}

impl Death {
    /// It dies at its `n`th call, from 0.
    pub fn set(&self, n: usize, moment: Moment) {
        self.0.lock().unwrap().at = Some((n, moment));
    }

    /// Returns when it has died. From then on nothing leaves it, and nothing reaches it.
    pub async fn happens(&self) {
        let mut is_dead = self.0.lock().unwrap().is_dead.subscribe();
        let _ = is_dead.wait_for(|is_dead| *is_dead).await;
    }

    pub fn has_happened(&self) -> bool {
        *self.0.lock().unwrap().is_dead.borrow()
    }

    /// Its calls so far, to both sides, by their methods and paths.
    pub fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    /// Makes a call: its answer, unless the process dies at it or is dead.
    pub async fn around<T: Send + 'static>(
        &self,
        what: String,
        call: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let n = {
            let mut state = self.0.lock().unwrap();
            state.calls.push(what);
            state.calls.len() - 1
        };
        if self.dies(n, Moment::Before) {
            return pending().await;
        }
        if self.dies(n, Moment::OnTheWay) {
            tokio::spawn(async move {
                tokio::time::sleep(ON_THE_WAY).await;
                call.await;
            });
            return pending().await;
        }
        let answer = call.await;
        if self.dies(n, Moment::After) { pending().await } else { answer }
    }

    /// Whether it dies now, or has died before.
    fn dies(&self, n: usize, moment: Moment) -> bool {
        let state = self.0.lock().unwrap();
        if state.at == Some((n, moment)) {
            state.is_dead.send_replace(true);
        }
        *state.is_dead.borrow()
    }
}
