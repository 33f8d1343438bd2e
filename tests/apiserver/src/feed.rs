//! Watches: what each has still to be told, and what a test does to it.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, stream};
use http_body::Frame;
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{
    failure::Failure,
    json::Fields as _,
    kind::Kind,
    options::{Filter, check_options},
    read::parse_version,
    request::Request,
    schema,
    server::{State, lock},
    store::{Change, ChangeKind, Store},
};

/// How often a quiet watch is told the version.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// How long a watch lasts that says nothing about it.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Something to tell.
enum Item {
    Line(Bytes),
    End,
    Broken,
}

/// Whether what waits is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Open,
    Held,
    Silent,
}

/// One open watch.
pub(crate) struct Feed {
    pub id: u64,
    pub kind: &'static Kind,
    pub namespace: Option<String>,
    filter: Filter,
    /// Changes up to this revision are none of its business.
    from: u64,
    queue: VecDeque<Item>,
    pub delivery: Delivery,
    /// How many events may pass although it is held.
    pub passes: usize,
    /// It ends with what waits, and is told nothing more.
    pub is_over: bool,
    bookmarks: bool,
    timeout: Duration,
    changed: Arc<Notify>,
}

/// The object as a watch shows it when nothing but a version is to be said.
fn bookmark(kind: &Kind, version: u64, ends_list: bool) -> Value {
    let mut object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.name,
        "metadata": {"resourceVersion": version.to_string()},
    });
    if kind.built_in {
        // A Go type, with what it always writes.
        schema::default(&mut object, &kind.schema);
    }
    if ends_list {
        object.at("metadata").set("annotations", json!({"k8s.io/initial-events-end": "true"}));
    }
    object
}

fn line(kind: &str, object: &Value) -> Item {
    Item::Line(Bytes::from(format!("{}\n", json!({"type": kind, "object": object}))))
}

impl Feed {
    /// A watch as it begins, with its first events.
    pub fn open(store: &Store, request: &Request, id: u64, streams: bool) -> Result<Self, Failure> {
        check_options(request, streams)?;
        let filter = Filter::read(request)?;
        let seconds = request.query("timeoutSeconds").parse().ok().filter(|seconds| *seconds > 0);
        let mut feed = Self {
            id,
            kind: request.kind,
            namespace: request.namespace.clone(),
            filter,
            from: store.revision(),
            queue: VecDeque::new(),
            delivery: Delivery::Open,
            passes: 0,
            is_over: false,
            bookmarks: matches!(request.query("allowWatchBookmarks"), "true" | "1"),
            timeout: seconds.map_or(LONGEST, Duration::from_secs),
            changed: Arc::default(),
        };
        let (asked, initial) =
            (request.query("resourceVersion"), request.query("sendInitialEvents"));
        let from_start = matches!(asked, "" | "0");
        if initial == "true" || (initial.is_empty() && from_start) {
            for (key, object) in store.list(feed.kind, feed.namespace.as_deref()) {
                if feed.filter.takes(key) {
                    feed.queue.push_back(line("ADDED", object));
                }
            }
            if initial == "true" && feed.bookmarks {
                let object = bookmark(feed.kind, store.revision(), true);
                feed.queue.push_back(line("BOOKMARK", &object));
            }
        } else if !from_start {
            let version = parse_version(asked)?;
            if version < store.compacted() {
                feed.fail(&Failure::too_old(version, store.compacted()));
                return Ok(feed);
            }
            feed.from = version;
            for change in store.changes_after(version) {
                feed.take_in(change);
            }
        }
        Ok(feed)
    }

    /// A change has happened.
    pub fn take_in(&mut self, change: &Change) {
        let is_ours = change.concerns(self.kind, self.namespace.as_deref())
            && self.filter.takes(&change.key)
            && change.revision > self.from;
        if is_ours {
            let kind = match change.kind {
                ChangeKind::Added => "ADDED",
                ChangeKind::Modified => "MODIFIED",
                ChangeKind::Deleted => "DELETED",
            };
            self.push(line(kind, &change.object));
        }
    }

    fn push(&mut self, item: Item) {
        if !self.is_over {
            self.queue.push_back(item);
            self.changed.notify_one();
        }
    }

    /// Tells the version, if the client wants to know.
    pub fn bookmark(&mut self, revision: u64) {
        if self.bookmarks {
            self.push(line("BOOKMARK", &bookmark(self.kind, revision, false)));
        }
    }

    /// Ends it now with an `ERROR` event.
    pub fn fail(&mut self, failure: &Failure) {
        self.finish(line("ERROR", &failure.body()));
        self.queue.push_back(Item::End);
    }

    /// Ends it now, whatever waits.
    pub fn end(&mut self) {
        self.finish(Item::End);
    }

    /// Breaks it now, as when a connection is lost.
    pub fn sever(&mut self) {
        self.finish(Item::Broken);
    }

    fn finish(&mut self, item: Item) {
        self.queue.clear();
        self.delivery = Delivery::Open;
        self.is_over = false;
        self.push(item);
        self.is_over = true;
    }

    /// Whether something waits that a client has not been told.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Something was done to it.
    pub fn stir(&self) {
        self.changed.notify_one();
    }

    fn next(&mut self) -> Option<Item> {
        match self.delivery {
            Delivery::Open => {}
            Delivery::Held if self.passes > 0 && !self.queue.is_empty() => self.passes -= 1,
            Delivery::Held | Delivery::Silent => return None,
        }
        self.queue.pop_front()
    }
}

/// The end of a watch where the client reads.
struct Reader {
    state: Arc<Mutex<State>>,
    id: u64,
    changed: Arc<Notify>,
    deadline: Instant,
    bookmark: Instant,
    is_over: bool,
}

/// The body of the answer.
pub(crate) fn body(
    state: Arc<Mutex<State>>,
    feed: &Feed,
) -> impl Stream<Item = Result<Frame<Bytes>, io::Error>> + Send + use<> {
    let now = Instant::now();
    let reader = Reader {
        state,
        id: feed.id,
        changed: Arc::clone(&feed.changed),
        deadline: now + feed.timeout,
        bookmark: now + BOOKMARKS,
        is_over: false,
    };
    stream::unfold(reader, |mut reader| async { Some((reader.next().await?, reader)) })
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, io::Error>> {
        while !self.is_over {
            let item = {
                let mut state = lock(&self.state);
                // A feed that is not there any more was closed with the server.
                state.feed(self.id).map_or(Some(Item::Broken), Feed::next)
            };
            match item {
                Some(Item::Line(line)) => return Some(Ok(Frame::data(line))),
                Some(Item::End) => self.is_over = true,
                Some(Item::Broken) => {
                    self.is_over = true;
                    return Some(Err(io::ErrorKind::ConnectionReset.into()));
                }
                None => self.wait().await,
            }
        }
        None
    }

    async fn wait(&mut self) {
        tokio::select! {
            biased;
            () = self.changed.notified() => {}
            () = sleep_until(self.deadline) => {
                self.deadline += LONGEST * 1000;
                let mut state = lock(&self.state);
                if let Some(feed) = state.feed(self.id) {
                    feed.push(Item::End);
                    feed.is_over = true;
                }
            }
            () = sleep_until(self.bookmark) => {
                self.bookmark += BOOKMARKS;
                let mut state = lock(&self.state);
                let revision = state.store.revision();
                if let Some(feed) = state.feed(self.id) {
                    feed.bookmark(revision);
                }
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        lock(&self.state).close_feed(self.id);
    }
}
