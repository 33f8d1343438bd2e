//! Terms: from when this process leads until another one does. What works for the remote lives for one term only.

use std::{future::pending, sync::Arc};

use tokio::sync::watch;

use super::{
    parts::Parts,
    tasks::{Died, Tasks},
    workers::Workers,
};
use crate::{
    fair_queue::Lane,
    leader::{Role, Start, Term},
};

/// The terms in which this process leads.
pub struct Terms {
    /// `None`: one term without an end.
    role: Option<watch::Receiver<Role>>,
}

impl Terms {
    /// Of a process without election.
    pub fn always() -> Self {
        Self { role: None }
    }

    /// Of one with this role.
    pub fn of(role: watch::Receiver<Role>) -> Self {
        Self { role: Some(role) }
    }

    pub fn are_elected(&self) -> bool {
        self.role.is_some()
    }

    /// Returns when a term begins, and how the one before has ended.
    async fn begun(&mut self) -> Term {
        let Some(role) = &mut self.role else {
            return Term::ONLY;
        };
        loop {
            if let Role::Leader(term) = *role.borrow_and_update() {
                return term;
            }
            if role.changed().await.is_err() {
                // The elector has ended: that is told elsewhere.
                pending::<()>().await;
            }
        }
    }

    /// Returns when this term is over.
    async fn is_over(&mut self, term: Term) {
        let is_over = async {
            let role = self.role.as_mut()?;
            role.wait_for(|role| *role != Role::Leader(term)).await.ok().map(drop)
        };
        if is_over.await.is_none() {
            pending::<()>().await;
        }
    }
}

/// Leads, as often as it is this process's turn, until told to stop.
///
/// # Errors
/// A background task of a term has died.
pub async fn lead(
    parts: &Parts,
    workers: &Arc<Workers>,
    terms: &mut Terms,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Died> {
    loop {
        let term = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            term = terms.begun() => term,
        };
        let mut tasks = begin(parts, term.start);
        let is_stopped = tokio::select! {
            biased;
            () = Arc::clone(workers).work(stop.clone()) => true,
            () = terms.is_over(term) => false,
            died = tasks.died() => return Err(died),
        };
        // Nothing of this term goes on.
        tasks.end().await;
        workers.abandon().await;
        if is_stopped {
            return Ok(());
        }
    }
}

/// Begins a term: nothing is known of the remote, and there is something to look at for every deployment.
fn begin(parts: &Parts, start: Start) -> Tasks {
    parts.resources.index().begin_term();
    parts.remote.begin_term(start);
    parts.queue.begin_term();
    let mut tasks = Tasks::default();
    tasks.spawn("observer", Arc::clone(&parts.remote).observe());
    let permits = Arc::clone(&parts.remote);
    tasks.spawn("grant of permits", async move { permits.grant_permits().await });
    tasks.spawn("watch of the credential", follow_credential(parts.clone()));
    tasks
}

/// When the credential changes, every resource has something to say.
async fn follow_credential(Parts { resources, remote, queue }: Parts) {
    let mut changes = remote.credential_changes();
    while changes.changed().await.is_ok() {
        let all = resources.index().deployments();
        for id in &all {
            queue.add(id, Lane::Report);
        }
    }
}
