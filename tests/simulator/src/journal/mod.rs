//! The journal of requests: what a client did, for tests that count calls. A ring: it keeps the last ones.

mod entry;
mod filter;
mod lines;
pub(crate) mod verify;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub use entry::Entry;
pub(crate) use entry::{beginning, told_headers};
pub(crate) use filter::Filter;
pub(crate) use lines::Lines;

/// The last entries, and a signal of changes.
#[derive(Debug)]
pub(crate) struct Journal {
    log: Mutex<Log>,
    /// How many are kept.
    most: usize,
    /// Told of each entry that is finished.
    lines: Option<Lines>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Log {
    /// Ordered by `seq`, without gaps.
    entries: VecDeque<Entry>,
    last_seq: u64,
    /// How many entries were left out for want of room.
    dropped: u64,
}

impl Log {
    /// The entries after a `seq`.
    fn later(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.range(from..)
    }
}

impl Journal {
    /// One that keeps so many entries, and prints those that are finished.
    pub(crate) fn new(most: usize, lines: Option<Lines>, changed: watch::Sender<u64>) -> Self {
        Self { log: Mutex::default(), most: most.max(1), lines, changed }
    }

    /// Enters a request; its `seq` is filled in here.
    pub(crate) fn open(self: &Arc<Self>, mut entry: Entry) -> Ticket {
        let mut log = self.lock();
        log.last_seq += 1;
        entry.seq = log.last_seq;
        if log.entries.len() == self.most {
            log.entries.pop_front();
            log.dropped += 1;
        }
        log.entries.push_back(entry);
        let seq = log.last_seq;
        drop(log);
        self.bump();
        Ticket { journal: Arc::clone(self), seq }
    }

    /// Up to `most` entries after a `seq` that the filter lets through.
    pub(crate) fn after(&self, seq: u64, filter: &Filter, most: usize) -> Vec<Entry> {
        let log = self.lock();
        log.later(seq).filter(|entry| filter.fits(entry)).take(most).cloned().collect()
    }

    /// Lets all entries after a `seq` be looked at where they are: copies of them are many megabytes.
    pub(crate) fn look<T>(&self, seq: u64, look: impl FnOnce(Vec<&Entry>) -> T) -> T {
        look(self.lock().later(seq).collect())
    }

    /// How many entries after a `seq` the filter lets through.
    pub(crate) fn count(&self, seq: u64, filter: &Filter) -> usize {
        self.lock().later(seq).filter(|entry| filter.fits(entry)).count()
    }

    /// The `seq` of the newest entry there was.
    pub(crate) fn last_seq(&self) -> u64 {
        self.lock().last_seq
    }

    /// How many entries after a `seq` are no longer there, for want of room.
    pub(crate) fn dropped(&self, seq: u64) -> u64 {
        let log = self.lock();
        let kept = log.entries.len() as u64;
        (log.last_seq - kept).saturating_sub(seq).min(log.dropped)
    }

    /// Forgets all entries; `seq` goes on.
    pub(crate) fn clear(&self) {
        let mut log = self.lock();
        log.entries.clear();
        log.dropped = 0;
    }

    /// Says that something has changed that may be waited for.
    pub(crate) fn bump(&self) {
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
    /// Changes the entry. One that was cleared is no longer there.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Entry)) {
        let mut log = self.journal.lock();
        if let Ok(index) = log.entries.binary_search_by_key(&self.seq, |entry| entry.seq)
            && let Some(entry) = log.entries.get_mut(index)
        {
            change(entry);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.edit(|entry| {
            entry.finished = true;
            if let Some(lines) = &self.journal.lines {
                lines.print(line(entry));
            }
        });
        self.journal.bump();
    }
}

/// One line for people.
fn line(entry: &Entry) -> String {
    let Entry { time, method, path, status, effect, fault, .. } = entry;
    let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let effect = if *effect { " effect" } else { "" };
    let fault = fault.map_or_else(String::new, |fault| format!(" fault={fault}"));
    format!("{time:.3} {method} {path} {status}{effect}{fault}")
}
