//! How Rust tests write a fault.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::{Action, Actions, ConnectionFault, Fault, Respond, once};
use crate::route::Operation;

impl Fault {
    /// A fault of any request, once.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self { action: action.into(), ..Self::nothing() }
    }

    /// One thing with one request, the next with the next, once through.
    #[must_use]
    pub fn sequence(actions: impl IntoIterator<Item = Action>) -> Self {
        Self { sequence: actions.into_iter().map(Actions::from).collect(), ..Self::nothing() }
    }

    /// A fault of the next connection.
    #[must_use]
    pub fn connection(fault: ConnectionFault) -> Self {
        Self { connection: Some(fault), ..Self::nothing() }
    }

    pub(super) fn nothing() -> Self {
        Self {
            operation: None,
            id: None,
            token: None,
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            body: None,
            times: once(),
            skip: 0,
            probability: None,
            seed: 0,
            action: Actions::default(),
            sequence: Vec::new(),
            connection: None,
        }
    }

    /// This too, at once: see [`Actions`].
    #[must_use]
    pub fn and(mut self, action: Action) -> Self {
        self.action.push(action);
        self
    }

    /// Only with this probability; the same seed gives the same choices.
    #[must_use]
    pub fn chance(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = seed;
        self
    }

    /// [`Action::Respond`] with a status; it becomes 500 if it is not one.
    #[must_use]
    pub fn respond(status: u16) -> Self {
        Self::new(Action::Respond(Respond {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: Vec::new(),
            body: None,
        }))
    }

    /// Adds a header to the answer of [`Fault::respond`]; what HTTP does not allow as one is left out.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Some(Action::Respond(respond)) = self.action.last_mut() {
            respond.headers.push((name.into(), value.into()));
        }
        self
    }

    /// Sets the body of the answer of [`Fault::respond`].
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        if let Some(Action::Respond(respond)) = self.action.last_mut() {
            respond.body = Some(body.into());
        }
        self
    }

    /// Gives the answer of [`Fault::respond`] a page of HTML for a body, as a gateway does.
    #[must_use]
    pub fn html(self) -> Self {
        self.header("content-type", "text/html")
            .body("<html><body><h1>The gateway could not reach the service</h1></body></html>\n")
    }

    /// [`Action::ResetBefore`].
    #[must_use]
    pub fn reset_before() -> Self {
        Self::new(Action::ResetBefore)
    }

    /// [`Action::ResetAfter`].
    #[must_use]
    pub fn reset_after() -> Self {
        Self::new(Action::ResetAfter)
    }

    /// [`Action::HangBefore`].
    #[must_use]
    pub fn hang_before() -> Self {
        Self::new(Action::HangBefore)
    }

    /// [`Action::HangAfter`].
    #[must_use]
    pub fn hang_after() -> Self {
        Self::new(Action::HangAfter)
    }

    /// [`Action::Delay`].
    #[must_use]
    pub fn delay(by: Duration) -> Self {
        Self::new(Action::Delay(by))
    }

    /// [`Action::Zombie`].
    #[must_use]
    pub fn zombie(after: Duration) -> Self {
        Self::new(Action::Zombie(after))
    }

    /// [`Action::Empty`].
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Action::Empty)
    }

    /// [`Action::Truncate`].
    #[must_use]
    pub fn truncate() -> Self {
        Self::new(Action::Truncate)
    }

    /// [`Action::Merge`].
    #[must_use]
    pub fn merge(patch: Value) -> Self {
        Self::new(Action::Merge(patch))
    }

    /// [`Action::Oversized`].
    #[must_use]
    pub fn oversized(bytes: usize) -> Self {
        Self::new(Action::Oversized(bytes))
    }

    /// [`Action::Endless`].
    #[must_use]
    pub fn endless() -> Self {
        Self::new(Action::Endless)
    }

    /// [`Action::Drip`].
    #[must_use]
    pub fn drip(each: Duration) -> Self {
        Self::new(Action::Drip(each))
    }

    /// [`Action::Stale`].
    #[must_use]
    pub fn stale() -> Self {
        Self::new(Action::Stale)
    }

    /// [`Action::DropItem`].
    #[must_use]
    pub fn drop_item(id: impl Into<String>) -> Self {
        Self::new(Action::DropItem(id.into())).on(Operation::List)
    }

    /// [`Action::DuplicateItem`].
    #[must_use]
    pub fn duplicate_item(id: impl Into<String>) -> Self {
        Self::new(Action::DuplicateItem(id.into())).on(Operation::List)
    }

    /// [`Action::CursorLoop`], until cleared.
    #[must_use]
    pub fn cursor_loop() -> Self {
        Self::new(Action::CursorLoop).on(Operation::List).always()
    }

    /// [`Action::EndlessPages`], until cleared.
    #[must_use]
    pub fn endless_pages() -> Self {
        Self::new(Action::EndlessPages).on(Operation::List).always()
    }

    /// Only requests of this operation.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only requests with this deployment in their path.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// With that many requests; 0: until the fault is cleared.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Until the fault is cleared.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Lets that many matching requests through first.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }
}
