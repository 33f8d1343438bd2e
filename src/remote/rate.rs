//! How fast one kind of request may be sent: evenly spaced, at a rate that 429s lower and calm raises
//! again, and never more than configured in any second. Pure: time is an argument.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::times::Times;

/// How much more is tried, each second, until the next 429 or the configured rate.
const RECOVERY: f64 = 1.4;
/// The window that the limits are kept in: a second, and a little room for jitter on the way.
const WINDOW: Duration = Duration::from_millis(1010);
/// How far below what the server let through the next rate is: exactly at it, a little jitter would cost a 429.
const MARGIN: f64 = 0.99;

/// Even spacing and the ring: a token bucket would allow a burst on top, a ring alone settles
/// into bursts.
#[derive(Debug)]
pub struct Rate {
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
    /// A rate at which nothing was sent yet.
    pub fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1) as usize;
        Self {
            per_second,
            sent: VecDeque::new(),
            passed: VecDeque::new(),
            slot: None,
            lowered: None,
        }
    }

    /// The earliest time for one more request, besides those `reserved` already.
    pub fn earliest(&self, reserved: usize, now: Instant) -> Instant {
        [self.next_slot(now), self.window(reserved)].into_iter().flatten().fold(now, Instant::max)
    }

    fn next_slot(&self, now: Instant) -> Option<Instant> {
        let spacing = Duration::from_secs(1).div_f64(self.at(now));
        self.slot.map(|slot| slot + spacing)
    }

    /// Takes the next slot. One that is taken late does not delay those after it, or timers would
    /// eat into the rate; after a pause a new row begins.
    pub fn take_slot(&mut self, now: Instant) {
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

    /// The server has refused one. A lowered rate that it has accepted until now is kept; else the
    /// next rate is what it let through in the last second.
    pub fn lower(&mut self, now: Instant, free_at: Instant) {
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
    pub fn passed(&mut self, now: Instant) {
        self.passed.push_back(now);
        if self.passed.len() > self.per_second {
            self.passed.pop_front();
        }
    }

    /// When the window has room for one more, besides those `reserved`. `None`: nothing that was sent is in the way.
    pub fn window(&self, reserved: usize) -> Option<Instant> {
        let first = (self.sent.len() + reserved).checked_sub(self.per_second)?;
        self.sent.get(first).map(|first| *first + WINDOW)
    }

    pub fn sent(&mut self, now: Instant) {
        self.sent.push_back(now);
        if self.sent.len() > self.per_second {
            self.sent.pop_front();
        }
    }
}
