//! Background tasks by name: none may end unasked, so the end or the panic of one is the end of the process.

use std::collections::BTreeMap;

use tokio::task::{self, JoinSet};

/// The tasks. Dropping them ends them.
#[derive(Default)]
pub struct Tasks {
    running: JoinSet<()>,
    names: BTreeMap<task::Id, String>,
}

/// A background task has ended.
#[derive(Debug, thiserror::Error)]
pub enum Died {
    /// It returned.
    #[error("the {0} ended by itself")]
    Ended(String),
    /// It panicked.
    #[error("the {0} panicked")]
    Panicked(String, #[source] task::JoinError),
}

impl Tasks {
    pub fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let handle = self.running.spawn(task);
        self.names.insert(handle.id(), name.into());
    }

    /// Ends them all.
    pub async fn end(mut self) {
        self.running.shutdown().await;
    }

    /// Returns when one has died.
    pub async fn died(&mut self) -> Died {
        let Some(ended) = self.running.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let name = |id| self.names.get(&id).cloned().unwrap_or_default();
        match ended {
            Ok((id, ())) => Died::Ended(name(id)),
            Err(error) => Died::Panicked(name(error.id()), error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_and_the_panic_of_a_task_are_told_by_its_name() {
        let mut tasks = Tasks::default();
        tasks.spawn("one that stays", std::future::pending());
        tasks.spawn("one that ends", async {});
        assert_eq!(tasks.died().await.to_string(), "the one that ends ended by itself");
        tasks.spawn("one that breaks", async { panic!("as it should") });
        assert_eq!(tasks.died().await.to_string(), "the one that breaks panicked");
    }
}
