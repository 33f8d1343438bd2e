//! How much may be sent and when: a rate for each kind of request, the wait that a 429 or a 503 asks
//! for, and a breaker. Pure: time is an argument.
//!
//! One burst is one event: what was sent before a refusal was booked says nothing new when it is
//! refused too.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    ending::Ending,
    probe::{Probe, ProbeId},
    rate::Rate,
};
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

/// Why nothing may be sent for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// The API has asked to wait, or has answered 429.
    Throttled,
    /// The breaker is open: the API has not answered several times in a row.
    Outage,
}

/// A request that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    kind: Kind,
    at: Instant,
    probe: Option<ProbeId>,
}

/// The budget of one credential.
#[derive(Debug)]
pub struct Budget {
    times: Times,
    reads: Pace,
    writes: Pace,
    /// Nothing is sent before this: the server has asked for it.
    throttled_until: Option<Instant>,
    failures: Row,
    /// The breaker is open, and lets one request through at this time.
    probe_at: Option<Instant>,
    probe: Probe,
}

/// One kind of request: an answer to the other says nothing of its limit.
#[derive(Debug)]
struct Pace {
    rate: Rate,
    /// 429s in a row that asked for no particular wait, and when the last 429 was booked.
    throttles: Row,
    /// Until when that makes it wait.
    waits_until: Option<Instant>,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        Self { rate: Rate::new(per_second), throttles: Row::default(), waits_until: None }
    }
}

/// Events of one kind in a row, a burst of them counted once.
#[derive(Debug, Default)]
struct Row {
    count: u32,
    booked: Option<Instant>,
}

impl Row {
    /// Whether a request that was sent then says something new.
    fn is_news(&self, sent: Instant) -> bool {
        self.booked.is_none_or(|booked| sent >= booked)
    }

    fn book(&mut self, now: Instant) {
        self.count = self.count.saturating_add(1);
        self.note(now);
    }

    /// An event that does not count, but whose burst says nothing more.
    fn note(&mut self, now: Instant) {
        self.booked = Some(now);
    }
}

impl Budget {
    /// A budget of which nothing is used yet.
    #[must_use]
    pub fn new(rates: Rates, times: Times) -> Self {
        Self {
            times,
            reads: Pace::new(rates.reads_per_second),
            writes: Pace::new(rates.writes_per_second),
            throttled_until: None,
            failures: Row::default(),
            probe_at: None,
            probe: Probe::default(),
        }
    }

    /// A term as the leader begins: another process may have been served meanwhile. What was sent counts.
    pub fn begin_term(&mut self) {
        self.throttled_until = None;
        self.failures = Row::default();
        self.probe_at = None;
        self.probe.forget();
        for pace in [&mut self.reads, &mut self.writes] {
            pace.throttles = Row::default();
            pace.waits_until = None;
        }
    }

    /// The earliest time at which one more request of this kind may be sent, besides those that have
    /// `reserved` a place. `None`: the probe of an open breaker is under way; ask again when it has ended.
    #[must_use]
    pub fn earliest(&self, kind: Kind, reserved: usize, now: Instant) -> Option<Instant> {
        let pace = match kind {
            Kind::Read => &self.reads,
            Kind::Write => &self.writes,
        };
        Some(pace.rate.earliest(reserved, now).max(self.open_at(pace, now)?))
    }

    /// When a write that has reserved its place may leave: the window of one second has room for it, and
    /// neither the server nor the breaker has closed meanwhile. `None` as in [`earliest`](Self::earliest).
    #[must_use]
    pub fn window(&self, now: Instant) -> Option<Instant> {
        let open_at = self.open_at(&self.writes, now)?;
        Some(self.writes.rate.window(0).map_or(open_at, |room| room.max(open_at)))
    }

    fn open_at(&self, pace: &Pace, now: Instant) -> Option<Instant> {
        if self.probe.is_under_way() {
            return None;
        }
        let waits = [self.throttled_until, pace.waits_until, self.probe_at];
        Some(waits.into_iter().flatten().fold(now, Instant::max))
    }

    /// A write takes its place now, and leaves some milliseconds later: the next one is a space away from
    /// this, and not from when it leaves.
    pub fn reserve_write(&mut self, now: Instant) {
        self.writes.rate.take_slot(now);
    }

    /// A request of this kind is sent now. A write has reserved its place before.
    pub fn send(&mut self, kind: Kind, now: Instant) -> Sent {
        match kind {
            Kind::Read => {
                self.reads.rate.take_slot(now);
                self.reads.rate.sent(now);
            }
            Kind::Write => self.writes.rate.sent(now),
        }
        let probe = self.probe_at.map(|_| self.probe.begin());
        Sent { kind, at: now, probe }
    }

    /// A request is given up before it has ended: the next one may be the breaker's probe.
    pub fn let_go(&mut self, sent: Sent) {
        self.probe.end(sent.probe);
    }

    /// A request has ended. `jitter` is in 0..1.
    pub fn ended(&mut self, sent: Sent, ending: Ending, now: Instant, jitter: f64) {
        self.probe.end(sent.probe);
        match ending {
            Ending::Answered => {
                self.failures.count = 0;
                self.probe_at = None;
                self.probe.forget();
                let pace = self.pace(sent.kind);
                pace.rate.passed(now);
                if pace.throttles.is_news(sent.at) {
                    pace.throttles.count = 0;
                }
            }
            Ending::Failed(asked) => {
                if self.failures.is_news(sent.at) {
                    self.failures.book(now);
                    if self.failures.count >= Times::BREAKER_FAILURES {
                        self.probe_at = Some(now + self.times.breaker_probe());
                    }
                }
                if let Some(asked) = asked {
                    self.wait(asked, now);
                }
            }
            Ending::Throttled(asked) => {
                let times = self.times;
                let throttles = &mut self.pace(sent.kind).throttles;
                if throttles.is_news(sent.at) {
                    let own = times.backoff(throttles.count, jitter);
                    let free_at = if let Some(asked) = asked {
                        throttles.note(now);
                        now + self.wait(asked, now)
                    } else {
                        throttles.book(now);
                        self.pace(sent.kind).waits_until = Some(now + own);
                        now + own
                    };
                    self.pace(sent.kind).rate.lower(now, free_at);
                } else if let Some(asked) = asked {
                    self.wait(asked, now);
                }
            }
        }
    }

    /// How long a wait that the server asks for is heeded.
    #[must_use]
    pub fn bounded(&self, asked: Duration) -> Duration {
        asked.min(self.times.longest_wait())
    }

    fn wait(&mut self, asked: Duration, now: Instant) -> Duration {
        let wait = self.bounded(asked);
        self.throttled_until = self.throttled_until.max(Some(now + wait));
        wait
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.probe_at.is_some()
    }

    /// Why nothing may be sent for now, if so.
    #[must_use]
    pub fn obstacle(&self, now: Instant) -> Option<Obstacle> {
        let waits = [self.throttled_until, self.reads.waits_until, self.writes.waits_until];
        if waits.into_iter().flatten().any(|until| now < until) {
            return Some(Obstacle::Throttled);
        }
        self.is_open().then_some(Obstacle::Outage)
    }

    fn pace(&mut self, kind: Kind) -> &mut Pace {
        match kind {
            Kind::Read => &mut self.reads,
            Kind::Write => &mut self.writes,
        }
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
