//! The server: its state, and the handle that tests hold.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::Client;
use tokio::sync::{Notify, watch};

use crate::{
    failure::Failure,
    feed::{Delivery, Feed},
    journal::Entry,
    kind::{Kind, kinds},
    objects::Objects,
    request::{Request, Verb},
    rule::{Fate, Kept, Match, Moment, On},
    service::Service,
    store::Store,
    watches::Watch,
    write::{Reply, write},
};

/// Who the client is, in messages about rights.
const USER: &str = "system:serviceaccount:qoder-operator:qoder-operator";

/// A Kubernetes API server in memory. A clone is the same server.
#[derive(Clone)]
pub struct ApiServer {
    state: Arc<Mutex<State>>,
}

/// Everything that there is. No future holds it while it waits.
pub(crate) struct State {
    pub store: Store,
    pub feeds: Vec<Feed>,
    pub rules: Vec<Kept>,
    pub journal: Vec<Entry>,
    denied: Vec<Match>,
    user: String,
    streams_lists: bool,
    pub holds_watches: bool,
    pub latency: Duration,
    pub is_up: bool,
    /// It goes down. All are woken in the order in which they came.
    pub outage: Arc<Notify>,
    /// Changes up to this revision have been told to the watches.
    pub told: watch::Sender<u64>,
    ids: u64,
}

pub(crate) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for ApiServer {
    fn default() -> Self {
        Self::new()
    }
}

impl ApiServer {
    /// An empty one, which streams lists and allows everything.
    #[must_use]
    pub fn new() -> Self {
        let store = Store::new();
        let state = State {
            told: watch::Sender::new(store.revision()),
            store,
            feeds: Vec::new(),
            rules: Vec::new(),
            journal: Vec::new(),
            denied: Vec::new(),
            user: USER.to_owned(),
            streams_lists: true,
            holds_watches: false,
            latency: Duration::ZERO,
            is_up: true,
            outage: Arc::default(),
            ids: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A client. It does not try again by itself, and belongs to the runtime that calls this.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.service(), "default")
    }

    /// What a client sends its requests to, for one that is built with layers of its own.
    #[must_use]
    pub fn service(&self) -> Service {
        Service(Arc::clone(&self.state))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// `QoderDeployment`s, as users with rights of their own see and change them.
    #[must_use]
    pub fn deployments(&self) -> Objects {
        let [kind, _, _] = kinds();
        self.objects(kind)
    }

    /// `Event`s.
    #[must_use]
    pub fn events(&self) -> Objects {
        let [_, kind, _] = kinds();
        self.objects(kind)
    }

    /// `Lease`s.
    #[must_use]
    pub fn leases(&self) -> Objects {
        let [_, _, kind] = kinds();
        self.objects(kind)
    }

    fn objects(&self, kind: &'static Kind) -> Objects {
        Objects { server: self.clone(), kind }
    }

    /// What shall happen to requests that match.
    pub fn on(&self, which: Match) -> On {
        On { server: self.clone(), which, skips: 0, times: Some(1) }
    }

    /// All answers come so much later, from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Takes away the right to what matches: 403. On an open watch it has no effect.
    pub fn deny(&self, which: Match) {
        self.state().denied.push(which);
    }

    /// Gives all rights back.
    pub fn allow_all(&self) {
        self.state().denied.clear();
    }

    /// Whose rights they are: the user's name in messages.
    pub fn set_user(&self, user: &str) {
        user.clone_into(&mut self.state().user);
    }

    /// Whether lists can be streamed; where not, a request for it is refused with 422.
    pub fn set_streaming_lists(&self, streams: bool) {
        self.state().streams_lists = streams;
    }

    /// Forgets the history: what is older than now is 410 Gone.
    pub fn compact(&self) {
        self.state().store.compact();
    }

    /// Stops the server: every connection breaks, and nobody can connect. What it stores stays.
    pub fn stop(&self) {
        let mut state = self.state();
        state.is_up = false;
        for feed in &mut state.feeds {
            feed.sever();
        }
        state.outage.notify_waiters();
    }

    /// Starts it again.
    pub fn start(&self) {
        self.state().is_up = true;
    }

    /// All requests so far.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.state().journal.clone()
    }

    /// The requests that were to change something.
    #[must_use]
    pub fn writes(&self) -> Vec<Entry> {
        self.journal().into_iter().filter(|entry| entry.verb.is_write()).collect()
    }

    /// The requests that have changed something.
    #[must_use]
    pub fn changes(&self) -> Vec<Entry> {
        self.journal().into_iter().filter(|entry| entry.changed).collect()
    }

    /// The version of the newest change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.state().store.revision()
    }

    /// The open watches, oldest first.
    #[must_use]
    pub fn watches(&self) -> Vec<Watch> {
        let state = self.state();
        let open = state.feeds.iter().filter(|feed| !feed.is_over);
        let ids: Vec<_> = open.map(|feed| feed.id).collect();
        ids.into_iter().map(|id| Watch { server: self.clone(), id }).collect()
    }

    /// Holds the events of all watches, of open ones and of new ones.
    pub fn hold_watches(&self) {
        let mut state = self.state();
        state.holds_watches = true;
        state.feeds.iter_mut().for_each(|feed| feed.delivery = Delivery::Held);
    }

    /// Delivers what is held, and holds nothing more.
    pub fn release_watches(&self) {
        let mut state = self.state();
        state.holds_watches = false;
        for feed in &mut state.feeds {
            if feed.delivery == Delivery::Held {
                feed.delivery = Delivery::Open;
                feed.stir();
            }
        }
    }
}

impl State {
    pub fn fresh_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub fn feed(&mut self, id: u64) -> Option<&mut Feed> {
        self.feeds.iter_mut().find(|feed| feed.id == id)
    }

    pub fn close_feed(&mut self, id: u64) {
        self.feeds.retain(|feed| feed.id != id);
    }

    /// The rules that concern a request, in the order in which they were made.
    pub fn rules_for(&mut self, request: &Request) -> Vec<(u64, Moment, Fate)> {
        let rules = self.rules.iter_mut().filter_map(|rule| {
            rule.takes(request).then(|| (rule.id, rule.moment, rule.fate.clone()))
        });
        rules.collect()
    }

    /// 403, if the right to this has been taken away.
    pub fn check_rights(&self, request: &Request) -> Result<(), Failure> {
        if self.denied.iter().any(|denied| denied.takes(request)) {
            return Err(request.forbidden(&self.user));
        }
        Ok(())
    }

    /// Does what a request asks, and tells the watches.
    pub fn serve(&mut self, request: &Request) -> Result<Reply, Failure> {
        let reply = match request.verb {
            Verb::Get => crate::read::get(&self.store, request),
            Verb::List => crate::read::list(&self.store, request),
            Verb::Watch => Err(Failure::internal()),
            _ => write(&mut self.store, request),
        };
        self.tell();
        reply
    }

    /// Opens a watch.
    pub fn open_feed(&mut self, request: &Request) -> Result<&Feed, Failure> {
        let id = self.fresh_id();
        let mut feed = Feed::open(&self.store, request, id, self.streams_lists)?;
        if self.holds_watches {
            feed.delivery = Delivery::Held;
        }
        self.feeds.push(feed);
        self.feeds.last().ok_or_else(Failure::internal)
    }

    /// Tells the watches what has happened.
    pub fn tell(&mut self) {
        let told = *self.told.borrow();
        let changes: Vec<_> = self.store.changes_after(told).cloned().collect();
        for change in &changes {
            self.feeds.iter_mut().for_each(|feed| feed.take_in(change));
        }
        if !changes.is_empty() {
            self.told.send_replace(self.store.revision());
        }
    }
}
