//! A write on its way: it is noted before it is sent, and its end is booked whatever it is.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    account::{Admission, Ticket},
    grants::Permit,
    remote::Remote,
    state::Exchange,
    write::{Outcome, Write},
};
use crate::qoder::Operation;

/// A write that is noted, and has not ended. If it is dropped (its task panics) after it was sent, it counts
/// as lost.
pub struct Sending {
    remote: Arc<Remote>,
    write: Option<Write>,
    permit: Option<Permit>,
    ticket: Option<Ticket>,
}

impl Remote {
    /// Notes the write: from now on no other is sent to the deployment, until this one has ended. `None`: the
    /// process ends, and no write begins any more.
    #[must_use]
    pub fn begin_write(self: &Arc<Self>, permit: Permit, write: Write) -> Option<Sending> {
        {
            let state = &mut self.state();
            if state.are_writes_closed {
                return None;
            }
            state.begin_write(&write, Instant::now());
        }
        let remote = Arc::clone(self);
        Some(Sending { remote, write: Some(write), permit: Some(permit), ticket: None })
    }

    /// The write cannot begin, because who asks for it could not be read: the next try waits a while.
    pub fn put_off(&self, permit: Permit, write: &Write) {
        self.state().abandon_write(write, Outcome::Unread, Instant::now(), &self.context);
        drop(permit);
    }
}

impl Sending {
    /// Sends it. `None`: it was not sent, because something has closed since the permit was granted.
    pub async fn send(mut self) -> Option<(Write, Outcome)> {
        let write = self.write.clone()?;
        self.ticket = self.admitted();
        let Some(ticket) = &self.ticket else {
            self.abandon(Outcome::NotServed);
            return None;
        };
        if let Some(permit) = self.permit.take() {
            permit.spend();
        }
        let started = Instant::now();
        let result = self.remote.client.write(&ticket.token, write.verb, &write.id).await;
        let ended = Instant::now();

        let remote = &self.remote;
        remote.count(Operation::Write(write.verb), result.as_ref().err(), started);
        let exchange = Exchange { write: &write, ticket, started, ended };
        let outcome = remote.state().end_write(exchange, &result, &remote.context);
        // It is booked: there is nothing to abandon.
        self.write = None;
        self.ticket = None;
        self.remote.after_call(result.as_ref().err());
        Some((write, outcome))
    }

    /// The permit is some milliseconds old: what has closed meanwhile counts. The fresh read must not become old:
    /// whatever makes it wait asks for another one.
    fn admitted(&self) -> Option<Ticket> {
        if !self.remote.context.claim.is_held() {
            return None;
        }
        match self.remote.state().account.admit_write(Instant::now()) {
            Admission::Now(ticket) => Some(ticket),
            Admission::At(_) | Admission::Closed => None,
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
        self.permit = None;
        remote.free();
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let was_sent = self.ticket.is_some();
        self.abandon(if was_sent { Outcome::Ambiguous } else { Outcome::NotServed });
    }
}
