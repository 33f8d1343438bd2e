//! The journal of requests: what a client did, for tests that count calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::route::Operation;

/// One request to the API. It never holds a token.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// 1 for the first request, without gaps.
    pub seq: u64,
    /// When the request was read, since the simulator started; in JSON `at_us`, in microseconds.
    #[serde(rename = "at_us", serialize_with = "micros")]
    pub at: Duration,
    /// What was asked for.
    pub operation: Operation,
    /// The HTTP method.
    pub method: String,
    /// Path and query as they were sent.
    pub path: String,
    /// The deployment in the path.
    pub id: Option<String>,
    /// The status that was answered; none while the request is under way, and if it was cut or left hanging.
    pub status: Option<u16>,
    /// Whether the request changed the state.
    pub effect: bool,
    /// Whether nothing more will happen: it was answered and cut, or the client went away, and no effect is still to come.
    pub finished: bool,
    /// The caller's `x-request-id`.
    pub request_id: Option<String>,
    /// The caller's `user-agent`.
    pub user_agent: Option<String>,
    /// Whether an idempotency key was sent.
    pub has_idempotency_key: bool,
    /// Whether a known token was sent.
    pub authorized: bool,
    /// Length of the request's body in bytes.
    pub body_length: usize,
}

fn micros<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    time.as_micros().serialize(to)
}

/// All entries, and a signal of changes.
#[derive(Debug)]
pub(crate) struct Journal {
    started: Instant,
    log: Mutex<Log>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Log {
    /// Ordered by `seq`.
    entries: Vec<Entry>,
    last_seq: u64,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), log: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Time since the start: on a paused tokio clock it is virtual.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Enters a request; `seq` and `at` are filled in here.
    pub(crate) fn open(self: &Arc<Self>, mut entry: Entry) -> Ticket {
        let mut log = self.lock();
        log.last_seq += 1;
        entry.seq = log.last_seq;
        entry.at = self.elapsed();
        log.entries.push(entry);
        let seq = log.last_seq;
        drop(log);
        self.bump();
        Ticket { journal: Arc::clone(self), seq }
    }

    /// The entries after a `seq`.
    pub(crate) fn since(&self, seq: u64) -> Vec<Entry> {
        let log = self.lock();
        let from = log.entries.partition_point(|entry| entry.seq <= seq);
        log.entries.iter().skip(from).cloned().collect()
    }

    /// Forgets all entries; `seq` goes on.
    pub(crate) fn clear(&self) {
        self.lock().entries.clear();
    }

    /// A counter that moves when a request arrives and when it is finished.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn bump(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to complete an entry. Dropping it finishes the entry, whatever became of the request.
#[derive(Debug)]
pub(crate) struct Ticket {
    journal: Arc<Journal>,
    seq: u64,
}

impl Ticket {
    pub(crate) fn effect(&self) {
        self.edit(|entry| entry.effect = true);
    }

    pub(crate) fn answered(&self, status: u16) {
        self.edit(|entry| entry.status = Some(status));
    }

    fn edit(&self, change: impl FnOnce(&mut Entry)) {
        let mut log = self.journal.lock();
        // A cleared entry is no longer there.
        if let Ok(index) = log.entries.binary_search_by_key(&self.seq, |entry| entry.seq)
            && let Some(entry) = log.entries.get_mut(index)
        {
            change(entry);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.edit(|entry| entry.finished = true);
        self.journal.bump();
    }
}
