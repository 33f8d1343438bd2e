//! How much may be sent and when: even spacing at a rate that 429s lower and calm raises again, a
//! ring of the last sends, the server's `Retry-After`, and a breaker. Pure: time is an argument.

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

/// How much more is tried, each second, until the next 429 or the configured rate.
const RECOVERY: f64 = 1.4;
/// The window that the limits are kept in: a second, and a little room for jitter on the way.
const WINDOW: Duration = Duration::from_millis(1010);
/// How far below what the server let through the next rate is: right at it, jitter is a 429.
const MARGIN: f64 = 0.99;

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

    /// When a write that was promised may leave: the window of one second has room for it, and the
    /// server has not asked to wait meanwhile.
    #[must_use]
    pub fn window(&self, now: Instant) -> Instant {
        let waits = [self.writes.window(0), self.throttled_until];
        waits.into_iter().flatten().fold(now, Instant::max)
    }

    /// A write is promised to someone now, who sends it some milliseconds later: the next one is a
    /// space away from the promise, and not from what became of it.
    pub fn promised(&mut self, now: Instant) {
        self.writes.take_slot(now);
    }

    /// A request of this kind is sent now.
    pub fn sent(&mut self, kind: Kind, now: Instant) {
        self.probing = self.probe_at.is_some();
        match kind {
            Kind::Read => {
                self.reads.take_slot(now);
                self.reads.sent(now);
            }
            // It has had its slot since it was promised.
            Kind::Write => self.writes.sent(now),
        }
    }

    /// A request of this kind has ended. `jitter` is in 0..1.
    pub fn ended(&mut self, kind: Kind, ending: Ending, now: Instant, jitter: f64) {
        self.probing = false;
        match ending {
            Ending::Answered => {
                match kind {
                    Kind::Read => self.reads.passed(now),
                    Kind::Write => self.writes.passed(now),
                }
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
                // Whatever is refused during a wait was sent before it, and says nothing new.
                if self.throttled_until.is_none_or(|until| now >= until) {
                    match kind {
                        Kind::Read => self.reads.lower(now, now + wait),
                        Kind::Write => self.writes.lower(now, now + wait),
                    }
                }
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
    /// The configured rate: in no window of a second is more sent.
    per_second: usize,
    /// The last sends, as many as a window may have.
    sent: VecDeque<Instant>,
    /// When the requests of the last second were answered that the server let through.
    passed: VecDeque<Instant>,
    /// The slot of the last request, in a row of evenly spaced ones.
    slot: Option<Instant>,
    /// After a 429: the rate that was found to pass, and until when it is kept.
    lowered: Option<(f64, Instant)>,
}

impl Rate {
    fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1) as usize;
        Self {
            per_second,
            sent: VecDeque::new(),
            passed: VecDeque::new(),
            slot: None,
            lowered: None,
        }
    }

    fn earliest(&self, promised: usize, now: Instant) -> Instant {
        [self.next_slot(now), self.window(promised)].into_iter().flatten().fold(now, Instant::max)
    }

    fn next_slot(&self, now: Instant) -> Option<Instant> {
        let spacing = Duration::from_secs(1).div_f64(self.at(now));
        self.slot.map(|slot| slot + spacing)
    }

    /// Takes the next slot. One that is taken late does not delay those after it, or timers would
    /// eat into the rate; after a pause a new row begins.
    fn take_slot(&mut self, now: Instant) {
        let spacing = Duration::from_secs(1).div_f64(self.at(now));
        let due = self.next_slot(now).filter(|due| now < *due + spacing);
        self.slot = Some(due.unwrap_or(now));
    }

    /// The rate at this time, in requests per second.
    fn at(&self, now: Instant) -> f64 {
        let configured = f64::from(u32::try_from(self.per_second).unwrap_or(u32::MAX));
        let Some((lowered, kept_until)) = self.lowered else {
            return configured;
        };
        let calm = now.saturating_duration_since(kept_until).as_secs_f64();
        (lowered * RECOVERY.powf(calm)).min(configured)
    }

    /// The server has had enough. A lowered rate that it has borne until now is good; else what
    /// it let through in the last second is what it lets through.
    fn lower(&mut self, now: Instant, free_at: Instant) {
        let borne = self.lowered.filter(|(_, kept_until)| now >= *kept_until);
        let rate = borne.map_or_else(|| self.let_through(now), |(rate, _)| rate);
        self.lowered = Some((rate, free_at + Times::RATE_CAUTION));
    }

    fn let_through(&self, now: Instant) -> f64 {
        let is_recent =
            |at: &&Instant| now.saturating_duration_since(**at) < Duration::from_secs(1);
        let passed = self.passed.iter().filter(is_recent).count();
        let passed = f64::from(u32::try_from(passed).unwrap_or(u32::MAX));
        (passed.min(self.at(now)) * MARGIN).max(1.0)
    }

    /// The server has let one through.
    fn passed(&mut self, now: Instant) {
        self.passed.push_back(now);
        if self.passed.len() > self.per_second {
            self.passed.pop_front();
        }
    }

    /// When the request leaves the window that has to, before one more may be sent.
    fn window(&self, promised: usize) -> Option<Instant> {
        let first = (self.sent.len() + promised).checked_sub(self.per_second)?;
        self.sent.get(first).map(|first| *first + WINDOW)
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
