//! What to do about the Lease, by what was seen of it and when. Pure.

use std::time::Duration;

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

/// The Lease, as it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it. Empty: it was released.
    pub holder: String,
    /// How long it is to be waited for.
    pub duration: Duration,
    /// The resourceVersion: each renewal has another.
    pub version: String,
}

/// What was seen of the Lease. `None`: there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub record: Option<Record>,
    /// Since when it is so, by our own clock. What the Lease says of time is another machine's.
    pub since: Instant,
    /// There was a Lease before: someone may still act on it.
    pub had_one: bool,
}

impl Seen {
    /// What is seen now, after what was seen before.
    pub fn after(before: Option<&Self>, record: Option<Record>, now: Instant) -> Self {
        let same = before.filter(|before| before.record == record);
        let had_one = before.is_some_and(|before| before.had_one || before.record.is_some());
        Self { record, since: same.map_or(now, |same| same.since), had_one }
    }
}

/// How the lead before has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It was released, with nothing that may still take effect; or there was none.
    Clean,
    /// It was not: what its process has sent may still take effect.
    Unclean,
}

/// From when this process leads until it does not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Counts those of this process.
    pub number: u64,
    /// How the lead before has ended.
    pub start: Start,
}

impl Term {
    /// Of a process that runs without election.
    pub const ONLY: Self = Self { number: 0, start: Start::Clean };
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
    match &seen.record {
        None if !seen.had_one => Step::Create(Start::Clean),
        None if is_over(times.lease_duration) => Step::Create(Start::Unclean),
        Some(record) if record.holder == me => Step::Renew,
        Some(record) if record.holder.is_empty() => Step::Take(Start::Clean),
        Some(record) if is_over(record.duration) => Step::Take(Start::Unclean),
        None | Some(_) => Step::Wait,
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

    fn record(holder: &str, version: &str) -> Record {
        Record { holder: holder.to_owned(), duration: 15 * SECOND, version: version.to_owned() }
    }

    #[test]
    fn each_lease_has_its_step() {
        let since = Instant::now();
        let seen = |record, had_one| Seen { record, since, had_one };
        let held_by = |holder| seen(Some(record(holder, "1")), false);
        for (seen, at_once, later) in [
            (seen(None, false), Step::Create(Start::Clean), Step::Create(Start::Clean)),
            (seen(None, true), Step::Wait, Step::Create(Start::Unclean)),
            (held_by("me"), Step::Renew, Step::Renew),
            (held_by(""), Step::Take(Start::Clean), Step::Take(Start::Clean)),
            (held_by("other"), Step::Wait, Step::Take(Start::Unclean)),
        ] {
            for (after, step) in [(0, at_once), (14, at_once), (15, later), (1000, later)] {
                let now = since + after * SECOND;
                assert_eq!(evaluate("me", &seen, &TIMES, now), step, "{seen:?} after {after} s");
            }
        }
        let short = Record { duration: 3 * SECOND, ..record("other", "1") };
        let short = seen(Some(short), false);
        assert_eq!(
            evaluate("me", &short, &TIMES, since + 3 * SECOND),
            Step::Take(Start::Unclean),
            "its holder has said so"
        );
    }

    #[test]
    fn a_lease_is_as_old_as_its_version_by_our_own_clock() {
        let start = Instant::now();
        let at = |seconds| start + seconds * SECOND;
        let first = Seen::after(None, Some(record("other", "1")), at(0));
        let same = Seen::after(Some(&first), Some(record("other", "1")), at(14));
        assert_eq!((same.since, same.had_one), (at(0), true));
        let renewed = Seen::after(Some(&same), Some(record("other", "2")), at(14));
        assert_eq!(renewed.since, at(14));
        assert_eq!(evaluate("me", &renewed, &TIMES, at(28)), Step::Wait);
        let gone = Seen::after(Some(&renewed), None, at(29));
        assert_eq!((gone.since, gone.had_one), (at(29), true));
        let still = Seen::after(Some(&gone), None, at(35));
        assert_eq!((still.since, still.had_one), (at(29), true));
        let never = Seen::after(None, None, at(0));
        assert!(!never.had_one && !Seen::after(Some(&never), None, at(1)).had_one);
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
        let tight =
            LeaseTimes { renew_deadline: millis(13_500), retry_period: 5 * SECOND, ..TIMES };
        assert_eq!(tight.checked(), Ok(tight));
    }
}
