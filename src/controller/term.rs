//! Terms: from when this process leads until another one does. What works for the remote lives for one term only; before
//! the only one of a process without election it may read ahead.

use std::{future::pending, sync::Arc};

use tokio::{sync::watch, time::Instant};

use super::{
    parts::Parts,
    tasks::{Died, Tasks},
    workers::Workers,
};
use crate::{
    fair_queue::Lane,
    leader::{Role, Standing, Start, Term},
    remote::CredentialState,
    traces::Cause,
};

/// The terms in which this process leads.
pub struct Terms {
    /// `None`: one term without an end.
    standing: Option<watch::Receiver<Standing>>,
    /// What reads ahead of the first term.
    ahead: Option<Reading>,
}

/// What reads for a term.
struct Reading {
    tasks: Tasks,
    since: Instant,
}

impl Terms {
    /// Of a process without election.
    pub fn always() -> Self {
        Self { standing: None, ahead: None }
    }

    /// The same, and what is worth it is read from now on.
    pub fn read_ahead(parts: &Parts) -> Self {
        Self { standing: None, ahead: Some(begin_to_read(parts, Term::ONLY.start)) }
    }

    /// Of one that stands like this in an election.
    pub fn of(standing: watch::Receiver<Standing>) -> Self {
        Self { standing: Some(standing), ahead: None }
    }

    pub fn are_elected(&self) -> bool {
        self.standing.is_some()
    }

    /// Returns when a task has died that reads ahead.
    pub async fn died(&mut self) -> Died {
        match &mut self.ahead {
            Some(ahead) => ahead.tasks.died().await,
            None => pending().await,
        }
    }

    /// Returns when a term begins, and how the one before has ended.
    async fn begun(&mut self) -> Term {
        let Some(standing) = &mut self.standing else {
            return Term::ONLY;
        };
        loop {
            if let Role::Leader(term) = standing.borrow_and_update().role {
                return term;
            }
            if standing.changed().await.is_err() {
                // The elector has ended: that is told elsewhere.
                pending::<()>().await;
            }
        }
    }

    /// Returns when this term is over.
    async fn is_over(&mut self, term: Term) {
        let is_over = async {
            let standing = self.standing.as_mut()?;
            standing.wait_for(|now| now.role != Role::Leader(term)).await.ok().map(drop)
        };
        if is_over.await.is_none() {
            pending::<()>().await;
        }
    }
}

/// Leads, as often as it is this process's turn, until told to stop. Returns the number of the last term that has begun; 0: none
/// has.
///
/// # Errors
/// A background task of a term has died.
pub async fn lead(
    parts: &Parts,
    workers: &Arc<Workers>,
    terms: &mut Terms,
    mut stop: watch::Receiver<bool>,
) -> Result<u64, Died> {
    let mut last = 0;
    loop {
        let term = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(last),
            term = terms.begun() => term,
        };
        last = term.number;
        let ahead = terms.ahead.take();
        let reading = ahead.unwrap_or_else(|| begin_to_read(parts, term.start));
        let mut tasks = begin(parts, reading);
        let is_stopped = tokio::select! {
            biased;
            () = Arc::clone(workers).work(stop.clone()) => true,
            () = terms.is_over(term) => false,
            died = tasks.died() => return Err(died),
        };
        // Nothing of this term goes on.
        tasks.end().await;
        workers.abandon().await;
        parts.queue.end_term();
        if is_stopped {
            return Ok(last);
        }
        parts.remote.end_term();
    }
}

/// Begins to read for a term: nothing is known of the remote.
fn begin_to_read(parts: &Parts, start: Start) -> Reading {
    parts.remote.begin_term(start);
    let mut tasks = Tasks::default();
    tasks.spawn("observer", Arc::clone(&parts.remote).observe());
    Reading { tasks, since: Instant::now() }
}

/// Begins to act: there is something to look at for every deployment.
fn begin(parts: &Parts, Reading { mut tasks, since }: Reading) -> Tasks {
    let changes = parts.remote.credential_changes();
    parts.resources.index().begin_term(since, Instant::now());
    parts.queue.begin_term();
    let permits = Arc::clone(&parts.remote);
    tasks.spawn("grant of permits", async move { permits.grant_permits().await });
    tasks.spawn("watch of the credential", follow_credential(parts.clone(), changes));
    tasks
}

/// When the credential changes, every resource has something to say.
async fn follow_credential(
    Parts { resources, remote, queue }: Parts,
    mut changes: watch::Receiver<CredentialState>,
) {
    while changes.changed().await.is_ok() {
        let all = resources.index().deployments();
        for id in &all {
            remote.traces().begin(id, Cause::Credential);
            queue.add(id, Lane::Report);
        }
    }
}
