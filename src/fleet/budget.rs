//! How much may be sent and when: even spacing, a ring of the last sends, the server's
//! `Retry-After`, and a breaker. Pure: time is an argument.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::times::Times;

/// How many requests may be sent in any window of one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Reads.
    pub reads_per_second: u32,
    /// Writes.
    pub writes_per_second: u32,
}

/// The two kinds of request that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GET and LIST.
    Read,
    /// Pause and unpause.
    Write,
}

/// How one request ended, as far as the budget cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The API answered: it is there.
    Answered,
    /// It did not answer, or answered 5xx.
    Failed,
    /// 429, with the wait that the server asks for.
    Throttled(Option<Duration>),
}

/// The budget of one credential.
#[derive(Debug)]
pub struct Budget {
    times: Times,
    reads: Rate,
    writes: Rate,
    /// After a 429: nothing before this.
    throttled_until: Option<Instant>,
    /// 429s in a row that asked for no particular wait.
    throttles: u32,
    /// Failures in a row.
    failures: u32,
    /// The breaker is open, and lets one request through at this time.
    probe_at: Option<Instant>,
    /// That one request is under way.
    probing: bool,
}

impl Budget {
    /// A budget that nothing was taken from.
    #[must_use]
    pub fn new(rates: Rates, times: Times) -> Self {
        Self {
            times,
            reads: Rate::new(rates.reads_per_second),
            writes: Rate::new(rates.writes_per_second),
            throttled_until: None,
            throttles: 0,
            failures: 0,
            probe_at: None,
            probing: false,
        }
    }

    /// The earliest time at which one more request of this kind may be sent, besides those
    /// `promised` already. `None`: the probe of an open breaker is under way; ask again when it
    /// has ended.
    #[must_use]
    pub fn earliest(&self, kind: Kind, promised: usize, now: Instant) -> Option<Instant> {
        if self.probing {
            return None;
        }
        let rate = self.rate(kind).earliest(promised, now);
        let waits = [self.throttled_until, self.probe_at];
        Some(waits.into_iter().flatten().fold(rate, Instant::max))
    }

    /// When the window of one second has room for one more write, promises apart.
    #[must_use]
    pub fn window(&self, now: Instant) -> Instant {
        self.writes.window(0).map_or(now, |at| at.max(now))
    }

    /// A write is promised to someone now: the next one is a space away.
    pub fn promised(&mut self, now: Instant) {
        self.writes.promised_at = Some(now);
    }

    /// A request of this kind is sent now.
    pub fn sent(&mut self, kind: Kind, now: Instant) {
        self.probing = self.probe_at.is_some();
        match kind {
            Kind::Read => self.reads.sent(now),
            Kind::Write => self.writes.sent(now),
        }
    }

    /// A request has ended. `jitter` is in 0..1.
    pub fn ended(&mut self, ending: Ending, now: Instant, jitter: f64) {
        self.probing = false;
        match ending {
            Ending::Answered => {
                self.failures = 0;
                self.throttles = 0;
                self.probe_at = None;
            }
            Ending::Failed => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= Times::BREAKER_FAILURES {
                    self.probe_at = Some(now + self.times.breaker_probe());
                }
            }
            Ending::Throttled(asked) => {
                let own = self.times.backoff(self.throttles, jitter);
                self.throttles = self.throttles.saturating_add(1);
                let wait = asked.unwrap_or(own).min(self.times.longest_wait());
                self.throttled_until = self.throttled_until.max(Some(now + wait));
            }
        }
    }

    /// Whether the breaker is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.probe_at.is_some()
    }

    fn rate(&self, kind: Kind) -> &Rate {
        match kind {
            Kind::Read => &self.reads,
            Kind::Write => &self.writes,
        }
    }
}

/// Even spacing and the ring: a token bucket would allow a burst on top, a ring alone settles
/// into bursts.
#[derive(Debug)]
struct Rate {
    per_second: usize,
    spacing: Duration,
    sent: VecDeque<Instant>,
    promised_at: Option<Instant>,
}

impl Rate {
    fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1);
        Self {
            per_second: per_second as usize,
            spacing: Duration::from_secs(1) / per_second,
            sent: VecDeque::new(),
            promised_at: None,
        }
    }

    fn earliest(&self, promised: usize, now: Instant) -> Instant {
        let last = self.sent.back().copied().max(self.promised_at);
        let spaced = last.map(|last| last + self.spacing);
        [spaced, self.window(promised)].into_iter().flatten().fold(now, Instant::max)
    }

    /// When the request leaves the window that has to, before one more may be sent.
    fn window(&self, promised: usize) -> Option<Instant> {
        let first = (self.sent.len() + promised).checked_sub(self.per_second)?;
        self.sent.get(first).map(|first| *first + Duration::from_secs(1))
    }

    fn sent(&mut self, now: Instant) {
        self.sent.push_back(now);
        if self.sent.len() > self.per_second {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
