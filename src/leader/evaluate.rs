//! What to do about the Lease, by what was seen of it and when. Pure.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

/// The longest duration of a Lease, in seconds.
pub const LONGEST_DURATION: u64 = 3600;

/// The times of the election, as client-go has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// How long the others wait for a leader that does not renew.
    pub lease_duration: Duration,
    /// How long a leader acts after the last renewal that succeeded.
    pub renew_deadline: Duration,
    /// How often a leader renews, and the others look.
    pub retry_period: Duration,
}

/// These times cannot be safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLeaseTimes {
    /// The Lease keeps its duration in whole seconds.
    #[error("--lease-duration is to be whole seconds, 1s to 1h: the Lease has no others")]
    Duration,
    /// The others would take over while the leader still acts; with a tenth for clocks that differ.
    #[error(
        "--renew-deadline is to be at most nine tenths of --lease-duration: else another one leads while the last one still acts"
    )]
    Deadline,
    /// One renewal that is lost would cost the lead.
    #[error(
        "--retry-period is to be 100ms or more, and at most half of --renew-deadline: else one renewal that fails costs the lead"
    )]
    Period,
}

impl LeaseTimes {
    /// Checks that they are safe together.
    ///
    /// # Errors
    /// [`InvalidLeaseTimes`].
    pub fn checked(self) -> Result<Self, InvalidLeaseTimes> {
        let Self { lease_duration, renew_deadline, retry_period } = self;
        let seconds = lease_duration.as_secs();
        if lease_duration.subsec_nanos() != 0 || !(1..=LONGEST_DURATION).contains(&seconds) {
            Err(InvalidLeaseTimes::Duration)
        } else if renew_deadline * 10 > lease_duration * 9 {
            Err(InvalidLeaseTimes::Deadline)
        } else if retry_period < Duration::from_millis(100) || retry_period * 2 > renew_deadline {
            Err(InvalidLeaseTimes::Period)
        } else {
            Ok(self)
        }
    }
}

/// The duration of a Lease that was given back. client-go writes the same.
pub const RELEASED: Duration = Duration::from_secs(1);

/// The Lease, as it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it. Empty: nobody.
    pub holder: String,
    /// How long it is to be waited for.
    pub duration: Duration,
    /// The time in it and how often it has changed hands: each renewal has another. Not its resourceVersion: whoever
    /// labels it does not hold it.
    pub renewal: (Option<Timestamp>, i32),
    /// For how long what its holder has sent may take effect, once that acts no more.
    pub may_land: Duration,
}

impl Record {
    /// Its holder has given it back: it acts no more.
    fn is_released(&self) -> bool {
        self.holder.is_empty() && self.duration == RELEASED
    }
}

/// What was seen of the Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The Lease. `None`: there is none.
    pub record: Option<Record>,
    /// Since when it is so, by our own clock. What the Lease says of time is another machine's.
    pub since: Instant,
    /// The last Lease that there was: someone may still act on it.
    pub last: Option<Record>,
}

impl Seen {
    /// What is seen now, after what was seen before.
    pub fn after(before: Option<&Self>, record: Option<Record>, now: Instant) -> Self {
        let same = before.filter(|before| before.record == record);
        let last = record.clone().or_else(|| before?.last.clone());
        Self { record, since: same.map_or(now, |same| same.since), last }
    }

    /// How often the Lease has changed hands.
    pub fn transitions(&self) -> Option<i32> {
        Some(self.record.as_ref()?.renewal.1)
    }
}

/// How a term begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// There was no leader before, as far as anyone knows.
    First,
    /// There was one. What it has sent may still take effect for so long.
    After(Duration),
    /// This process led before, and nobody has since.
    Resumed,
}

/// From when this process leads until it does not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Counts those of this process.
    pub number: u64,
    pub start: Start,
}

impl Term {
    /// Of a process that runs without election.
    pub const ONLY: Self = Self { number: 0, start: Start::First };
}

/// What to do about the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make it.
    Create(Start),
    /// Write our name into it.
    Take(Start),
    /// Write a new time into it: it has our name.
    Renew,
    /// Someone else may act.
    Wait,
}

/// What `me` is to do.
#[must_use]
pub fn evaluate(me: &str, seen: &Seen, times: &LeaseTimes, now: Instant) -> Step {
    let is_over = |duration| now >= seen.since + duration;
    match (&seen.record, &seen.last) {
        // If it was deleted just now, whoever leads makes it again within one period.
        (None, None) if is_over(times.retry_period) => Step::Create(Start::First),
        (None, Some(last)) if is_over(last.duration.max(times.lease_duration)) => {
            Step::Create(Start::After(last.may_land))
        }
        (Some(record), _) if record.holder == me => Step::Renew,
        // One that was cleared by someone else is waited for: its holder may not know yet.
        (Some(record), _) if record.is_released() || is_over(record.duration) => {
            Step::Take(Start::After(record.may_land))
        }
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const TIMES: LeaseTimes = LeaseTimes {
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(2),
    };

    const LANDS: Duration = Duration::from_secs(60);

    fn record(holder: &str, renewal: i32) -> Record {
        let renewal = (None, renewal);
        Record { holder: holder.to_owned(), duration: 15 * SECOND, renewal, may_land: LANDS }
    }

    #[test]
    fn each_lease_has_its_step() {
        let since = Instant::now();
        let seen = |record: Option<Record>| Seen { last: record.clone(), record, since };
        let held_by = |holder| record(holder, 1);
        let short = Record { duration: 3 * SECOND, ..held_by("other") };
        let released = Record { duration: RELEASED, may_land: 7 * SECOND, ..held_by("") };
        let after = |seconds| Step::Take(Start::After(seconds * SECOND));
        let first = Step::Create(Start::First);
        for (seen, step, until, then) in [
            (seen(None), Step::Wait, 2, first),
            (seen(Some(held_by("me"))), Step::Renew, 0, Step::Renew),
            (seen(Some(held_by("other"))), Step::Wait, 15, after(60)),
            // Its holder has said so.
            (seen(Some(short)), Step::Wait, 3, after(60)),
            (seen(Some(released)), after(7), 0, after(7)),
            // Someone has cleared it.
            (seen(Some(held_by(""))), Step::Wait, 15, after(60)),
        ] {
            for seconds in [0, 1, 2, 3, 14, 15, 1000] {
                let expected = if seconds < until { step } else { then };
                let now = since + seconds * SECOND;
                assert_eq!(evaluate("me", &seen, &TIMES, now), expected, "{seen:?} {seconds} s");
            }
        }
    }

    #[test]
    fn a_lease_that_vanished_is_waited_for_as_long_as_it_said() {
        let since = Instant::now();
        for (duration, until) in [(60, 60), (3, 15)] {
            let last = Some(Record { duration: duration * SECOND, ..record("other", 1) });
            let seen = Seen { record: None, since, last };
            let at = |seconds| evaluate("me", &seen, &TIMES, since + seconds * SECOND);
            assert_eq!(at(until - 1), Step::Wait);
            assert_eq!(at(until), Step::Create(Start::After(LANDS)));
        }
    }

    #[test]
    fn a_lease_is_as_old_as_its_renewal_by_our_own_clock() {
        let start = Instant::now();
        let at = |seconds| start + seconds * SECOND;
        let first = Seen::after(None, Some(record("other", 1)), at(0));
        let same = Seen::after(Some(&first), Some(record("other", 1)), at(14));
        assert_eq!((same.since, &same.last), (at(0), &same.record));
        let renewed = Seen::after(Some(&same), Some(record("other", 2)), at(14));
        assert_eq!(renewed.since, at(14));
        assert_eq!(evaluate("me", &renewed, &TIMES, at(28)), Step::Wait);
        assert_eq!(renewed.transitions(), Some(2));
        let gone = Seen::after(Some(&renewed), None, at(29));
        assert_eq!(gone.transitions(), None);
        assert_eq!((gone.since, &gone.last), (at(29), &renewed.record));
        let still = Seen::after(Some(&gone), None, at(35));
        assert_eq!((still.since, &still.last), (at(29), &renewed.record));
        let never = Seen::after(None, None, at(0));
        assert_eq!(Seen::after(Some(&never), None, at(1)), never);
    }

    #[test]
    fn times_that_cannot_be_safe_are_refused() {
        assert_eq!(TIMES.checked(), Ok(TIMES));
        let millis = Duration::from_millis;
        for (times, why) in [
            (LeaseTimes { lease_duration: millis(15_500), ..TIMES }, InvalidLeaseTimes::Duration),
            (LeaseTimes { lease_duration: 3601 * SECOND, ..TIMES }, InvalidLeaseTimes::Duration),
            (LeaseTimes { lease_duration: millis(0), ..TIMES }, InvalidLeaseTimes::Duration),
            (LeaseTimes { lease_duration: 10 * SECOND, ..TIMES }, InvalidLeaseTimes::Deadline),
            (LeaseTimes { renew_deadline: millis(13_501), ..TIMES }, InvalidLeaseTimes::Deadline),
            (LeaseTimes { retry_period: millis(5_001), ..TIMES }, InvalidLeaseTimes::Period),
            (LeaseTimes { retry_period: millis(99), ..TIMES }, InvalidLeaseTimes::Period),
        ] {
            assert_eq!(times.checked(), Err(why), "{times:?}");
        }
        for tight in [
            LeaseTimes {
                lease_duration: SECOND,
                renew_deadline: millis(900),
                retry_period: millis(100),
            },
            LeaseTimes { lease_duration: 3600 * SECOND, ..TIMES },
            LeaseTimes { renew_deadline: millis(13_500), retry_period: 5 * SECOND, ..TIMES },
            LeaseTimes { retry_period: 5 * SECOND, ..TIMES },
        ] {
            assert_eq!(tight.checked(), Ok(tight));
        }
    }
}
