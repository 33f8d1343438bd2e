//! A write on its way: it is noted before it is sent, waits a moment for its place, and its end is booked
//! whatever it is.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::{
    account::{Admission, Ticket},
    calls::is_unauthorized,
    remote::Remote,
    state::Exchange,
    write::{Outcome, Write},
};
use crate::{fair_queue::Lane, qoder::Operation, times::Times};

/// A write that is noted, and has not ended. If it is dropped (its task panics) after it was sent, it counts
/// as lost.
pub struct Sending {
    remote: Arc<Remote>,
    write: Option<Write>,
    ticket: Option<Ticket>,
}

impl Remote {
    /// Notes the write: from now on no other is sent to the deployment, until this one has ended. To be
    /// called with a permit.
    #[must_use]
    pub fn begin_write(self: &Arc<Self>, write: Write) -> Sending {
        self.state().begin_write(&write, Instant::now());
        Sending { remote: Arc::clone(self), write: Some(write), ticket: None }
    }
}

impl Sending {
    /// Sends it. `None`: it was not sent, because something has closed since the permit was granted.
    pub async fn send(mut self) -> Option<(Write, Outcome)> {
        let write = self.write.clone()?;
        self.ticket = self.admitted(&write).await;
        let Some(ticket) = &self.ticket else {
            self.abandon(Outcome::NotServed);
            return None;
        };
        let started = Instant::now();
        let result = self.remote.send(ticket, write.verb, &write.id).await;
        let ended = Instant::now();

        // It has ended by itself: there is nothing to abandon.
        self.write = None;
        let ticket = self.ticket.take()?;
        let (remote, error) = (&self.remote, result.as_ref().err());
        remote.count(Operation::Write(write.verb), error, started);
        let is_unauthorized = is_unauthorized(error);
        let exchange = Exchange { write: &write, ticket: &ticket, started, ended };
        let outcome = remote.state().end_write(exchange, result, &remote.context);
        remote.after_call(is_unauthorized);
        Some((write, outcome))
    }

    /// The permit is some milliseconds old: what has closed meanwhile counts.
    async fn admitted(&self, write: &Write) -> Option<Ticket> {
        let latest = Instant::now() + Times::PERMIT;
        loop {
            let admission = self.remote.state().account.admit_write(&write.id, Instant::now());
            match admission {
                Admission::Now(ticket) => return Some(ticket),
                Admission::At(at) if at <= latest => sleep_until(at).await,
                Admission::At(_) | Admission::Closed => return None,
            }
        }
    }

    fn abandon(&mut self, outcome: Outcome) {
        let Some(write) = self.write.take() else { return };
        let remote = &self.remote;
        {
            let mut state = remote.state();
            if let Some(ticket) = self.ticket.take() {
                state.account.let_go(&ticket);
            }
            state.abandon_write(&write, outcome, Instant::now(), &remote.context);
        }
        remote.free();
        remote.wake(&write.id, Lane::Spec);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let was_sent = self.ticket.is_some();
        self.abandon(if was_sent { Outcome::Ambiguous } else { Outcome::NotServed });
    }
}
