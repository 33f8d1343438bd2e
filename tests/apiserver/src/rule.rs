//! Faults: what shall become of requests that match.

use std::{sync::Arc, time::Duration};

use tokio::sync::{oneshot, watch};

use crate::{
    failure::Failure,
    request::{Request, Verb},
    server::ApiServer,
};

/// Which requests. Without any condition: all.
#[derive(Debug, Clone, Default)]
pub struct Match {
    verb: Option<Verb>,
    resource: Option<String>,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

impl Match {
    /// All requests.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Those with this verb.
    #[must_use]
    pub fn verb(verb: Verb) -> Self {
        Self { verb: Some(verb), ..Self::default() }
    }

    /// Server-side applies of the operator's status, and whatever else patches it.
    #[must_use]
    pub fn status_patches() -> Self {
        Self::verb(Verb::Patch).of("qoderdeployments").subresource("status")
    }

    /// Only of this resource, for example `qoderdeployments`.
    #[must_use]
    pub fn of(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    /// Only of this subresource; an empty one: only of the object itself.
    #[must_use]
    pub fn subresource(self, subresource: &str) -> Self {
        Self { subresource: Some(subresource.to_owned()), ..self }
    }

    /// Only in this namespace.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    /// Only of the object with this name.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    pub(crate) fn takes(&self, request: &Request) -> bool {
        let is = |wanted: &Option<String>, actual: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == actual)
        };
        self.verb.is_none_or(|verb| verb == request.verb)
            && is(&self.resource, request.kind.plural)
            && is(&self.subresource, &request.subresource)
            && is(&self.namespace, request.namespace.as_deref().unwrap_or_default())
            && is(&self.name, &request.name)
    }
}

/// What becomes of a request at some point of its way.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It goes on.
    Pass,
    /// It waits for a test to say how it goes on.
    Hold,
    /// It goes on later.
    Delay(Duration),
    /// The connection is lost.
    Drop,
    /// Nothing more is heard of it.
    Silence,
    /// It is answered so.
    Fail(Failure),
    /// The task that waits for it breaks.
    Panic,
}

/// Before it takes effect, or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// A rule as the server keeps it.
pub(crate) struct Kept {
    pub id: u64,
    which: Match,
    pub moment: Moment,
    pub fate: Fate,
    /// How many matches it lets pass first.
    skips: usize,
    /// How many it takes then; `None`: all.
    times: Option<usize>,
    pub held: Vec<oneshot::Sender<Fate>>,
    pub arrivals: Arc<watch::Sender<usize>>,
}

impl Kept {
    /// Whether it concerns this request; it counts.
    pub fn takes(&mut self, request: &Request) -> bool {
        if !self.which.takes(request) || self.times == Some(0) {
            return false;
        }
        if self.skips > 0 {
            self.skips -= 1;
            return false;
        }
        self.times = self.times.map(|times| times - 1);
        true
    }
}

/// What shall happen to requests that match: once, if nothing else is said.
#[must_use]
pub struct On {
    pub(crate) server: ApiServer,
    pub(crate) which: Match,
    pub(crate) skips: usize,
    pub(crate) times: Option<usize>,
}

#[allow(clippy::must_use_candidate, reason = "a rule acts without being looked at")]
impl On {
    /// Only the `n`th match from now on, counted from 1.
    pub fn nth(self, n: usize) -> Self {
        Self { skips: n.saturating_sub(1), ..self }
    }

    /// So many times.
    pub fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Every time.
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }

    /// Nothing happens to it; [`Rule::arrived`] tells that it came.
    pub fn notice(self) -> Rule {
        self.keep(Moment::Before, Fate::Pass)
    }

    /// It waits before it takes effect.
    pub fn hold(self) -> Rule {
        self.keep(Moment::Before, Fate::Hold)
    }

    /// It takes effect, and its answer waits.
    pub fn hold_answer(self) -> Rule {
        self.keep(Moment::After, Fate::Hold)
    }

    /// It is lost without effect: the client sees a broken connection.
    pub fn drop_request(self) -> Rule {
        self.keep(Moment::Before, Fate::Drop)
    }

    /// It takes effect, and its answer is lost: the client sees a broken connection.
    pub fn drop_answer(self) -> Rule {
        self.keep(Moment::After, Fate::Drop)
    }

    /// It is lost without effect, and the client hears nothing, for ever.
    pub fn silence_request(self) -> Rule {
        self.keep(Moment::Before, Fate::Silence)
    }

    /// It takes effect, and the client hears nothing, for ever.
    pub fn silence_answer(self) -> Rule {
        self.keep(Moment::After, Fate::Silence)
    }

    /// It has no effect, and is answered so.
    pub fn fail(self, failure: Failure) -> Rule {
        self.keep(Moment::Before, Fate::Fail(failure))
    }

    /// It takes effect, and is answered so nevertheless.
    pub fn fail_answer(self, failure: Failure) -> Rule {
        self.keep(Moment::After, Fate::Fail(failure))
    }

    /// It has no effect, and the task that waits for its answer panics.
    pub fn panic(self) -> Rule {
        self.keep(Moment::Before, Fate::Panic)
    }

    /// It takes effect later.
    pub fn delay(self, duration: Duration) -> Rule {
        self.keep(Moment::Before, Fate::Delay(duration))
    }

    /// It takes effect, and is answered later.
    pub fn delay_answer(self, duration: Duration) -> Rule {
        self.keep(Moment::After, Fate::Delay(duration))
    }

    fn keep(self, moment: Moment, fate: Fate) -> Rule {
        let (sender, arrivals) = watch::channel(0);
        let (sender, held) = (Arc::new(sender), Vec::new());
        let Self { server, which, skips, times } = self;
        let mut state = server.state();
        let id = state.fresh_id();
        let arrivals_sender = Arc::clone(&sender);
        state.rules.push(Kept { id, which, moment, fate, skips, times, held, arrivals: sender });
        drop(state);
        Rule { server, id, arrivals, _sender: arrivals_sender }
    }
}

/// A rule that a test has set.
#[derive(Clone)]
pub struct Rule {
    server: ApiServer,
    id: u64,
    arrivals: watch::Receiver<usize>,
    /// So that waiting for an arrival never fails.
    _sender: Arc<watch::Sender<usize>>,
}

impl Rule {
    /// Waits until it has met a request; one whose answer is concerned has then taken effect.
    pub async fn arrived(&self) {
        self.arrived_times(1).await;
    }

    /// Waits until it has met so many.
    pub async fn arrived_times(&self, times: usize) {
        // It fails when the sender is gone, and this has one.
        let _ = self.arrivals.clone().wait_for(|arrivals| *arrivals >= times).await;
    }

    /// How many requests it has met.
    #[must_use]
    pub fn arrivals(&self) -> usize {
        *self.arrivals.borrow()
    }

    /// Lets all that it holds go on.
    pub fn release(&self) {
        self.decide(usize::MAX, &Fate::Pass);
    }

    /// Lets the one go on that it holds longest.
    pub fn release_one(&self) {
        self.decide(1, &Fate::Pass);
    }

    /// Breaks the connections of all that it holds. What has not taken effect never will.
    pub fn drop_held(&self) {
        self.decide(usize::MAX, &Fate::Drop);
    }

    /// Answers all that it holds with a failure. What has not taken effect never will.
    pub fn fail_held(&self, failure: Failure) {
        self.decide(usize::MAX, &Fate::Fail(failure));
    }

    /// Ends the rule, and lets all that it holds go on.
    pub fn lift(&self) {
        self.release();
        self.server.state().rules.retain(|rule| rule.id != self.id);
    }

    fn decide(&self, most: usize, fate: &Fate) {
        let mut state = self.server.state();
        let Some(rule) = state.rules.iter_mut().find(|rule| rule.id == self.id) else { return };
        // Whoever has given up waiting does not count.
        rule.held.retain(|held| !held.is_closed());
        let most = most.min(rule.held.len());
        for held in rule.held.drain(..most) {
            // It may end in this moment; then there is nobody to tell.
            let _ = held.send(fate.clone());
        }
    }
}
