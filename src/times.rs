//! The times that the operator keeps, most of them derived from two flags, so that a test with small
//! ones runs the shipped arithmetic.

use std::time::Duration;

/// The two flags that other times follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// P, `--poll-interval`: how often the remote fleet is read.
    pub poll_interval: Duration,
    /// T, `--request-timeout`: how long one exchange with the API may take.
    pub request_timeout: Duration,
}

impl Times {
    /// How long demands for a read are gathered before the cheapest plan for them is made.
    pub const DEMAND_DELAY: Duration = Duration::from_millis(20);
    /// How often the token file is read again.
    pub const TOKEN_REREAD: Duration = Duration::from_secs(10);
    /// How long a new generation may go unanswered before its status says `Progressing`.
    pub const PROGRESS: Duration = Duration::from_secs(3);
    /// How long a granted permit to write is kept for its deployment.
    pub const PERMIT: Duration = Duration::from_secs(1);
    /// How long after our own write a read that contradicts it is taken for one that lags.
    pub const ECHO: Duration = Duration::from_secs(2);
    /// How long no write is served until those that wait for their turn stand still, and say so; and how long a call
    /// is not answered until it counts as hanging.
    pub const STANDSTILL: Duration = Duration::from_secs(2);
    /// How long nothing is read after a list and a look have failed, if no poll comes before.
    pub const NEXT_LOOK: Duration = Duration::from_secs(60);
    /// The least time between the starts of two pages of a list; the vendor asks for it.
    pub const PAGE_SPACING: Duration = Duration::from_millis(100);
    /// How long passes and writes that are under way may take at the end of the process.
    pub const LAST_WRITES: Duration = Duration::from_secs(58);
    /// How long the statuses may take, at the end of the process, of what the last writes have changed.
    pub const LAST_STATUSES: Duration = Duration::from_secs(10);
    /// How long events may take to be published at the end of the process.
    pub const LAST_EVENTS: Duration = Duration::from_secs(5);
    /// How long it may take to give the lead back at the end of the process.
    pub const LAST_RELEASE: Duration = Duration::from_secs(3);
    /// How long the last traces may take after all else has ended.
    pub const LAST_TRACES: Duration = Duration::from_secs(2);
    /// When a release of the lead that has failed is tried again.
    pub const RELEASE_AGAIN: Duration = Duration::from_millis(100);
    /// How long one call to the Kubernetes API may take.
    pub const KUBERNETES_CALL: Duration = Duration::from_secs(10);
    /// The same at the end of the process: so that one that is lost can be tried again.
    pub const LAST_CALL: Duration = Duration::from_secs(4);
    /// How long an answer of the Kubernetes API may say nothing, a watch included.
    pub const KUBERNETES_SILENCE: Duration = Duration::from_secs(60);
    /// The least time between the beginnings of two watches of one kind in one place.
    pub const WATCH_SPACING: Duration = Duration::from_millis(500);
    /// How long a status that is being published may keep a worker.
    pub const SLOW_STATUS: Duration = Duration::from_millis(250);
    /// How long it may take to connect, to either API.
    pub const CONNECT: Duration = Duration::from_secs(5);
    /// How long a connection is silent until TCP asks whether the other side is still there, and
    /// how long it waits for each answer.
    pub const KEEPALIVE: Duration = Duration::from_secs(15);
    /// How often TCP asks until the connection is given up.
    pub const KEEPALIVE_RETRIES: u32 = 3;
    /// How long an unused connection is kept: over a default poll, and less than the minute after
    /// which many load balancers drop one.
    pub const CONNECTION_IDLE: Duration = Duration::from_secs(45);
    /// How long a rate that a 429 has lowered is kept before more is tried.
    pub const RATE_CAUTION: Duration = Duration::from_secs(23);
    /// How long a wait that the API has asked for is met no more until it counts as over.
    pub const CALM: Duration = Duration::from_secs(60);
    /// One poll in so many reads everything; those between may read the rarer half only.
    pub const FULL_POLL: u32 = 20;
    /// Failures in a row that open the breaker.
    pub const BREAKER_FAILURES: u32 = 5;

    /// How long a status may stand although the deployment cannot be read.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.poll_interval * 3
    }

    /// How old the last look at a deployment may be for Ready=True, where polls renew it.
    #[must_use]
    pub fn longest_blindness(&self) -> Duration {
        self.grace() + self.poll_interval
    }

    /// How often a stalled deployment is looked at.
    #[must_use]
    pub fn slow_look(&self) -> Duration {
        self.poll_interval * 20
    }

    /// Three drift corrections within this time make a deployment contested.
    #[must_use]
    pub fn contested_window(&self) -> Duration {
        self.poll_interval * 20
    }

    /// How long a contested deployment is left alone, the `n`th time (from 0).
    #[must_use]
    pub fn hold(&self, n: u32) -> Duration {
        doubled(self.poll_interval * 20, n, self.hold_memory())
    }

    /// How long a deployment must be calm until its holds are forgotten.
    #[must_use]
    pub fn hold_memory(&self) -> Duration {
        self.poll_interval * 120
    }

    /// How long after the `n`th 401 (from 0) the credential is tried again. It has bounds of its own: a
    /// token that was put right should not wait for a long poll interval.
    #[must_use]
    pub fn credential_probe(&self, n: u32) -> Duration {
        let first = self.poll_interval.min(Duration::from_secs(30));
        doubled(first, n, (self.poll_interval * 20).min(Duration::from_secs(600)))
    }

    /// The longest wait that a server's `Retry-After` is honoured for.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        (self.poll_interval * 20).min(Duration::from_secs(3600))
    }

    /// How long to wait after the `n`th failure in a row (from 0). `jitter` is in 0..1 and takes
    /// up to a quarter off, so that many failures do not come back as one.
    #[must_use]
    pub fn backoff(&self, n: u32, jitter: f64) -> Duration {
        let longest = (self.poll_interval * 2).min(Duration::from_secs(60));
        doubled(Duration::from_secs(1), n, longest).mul_f64(1.0 - jitter / 4.0)
    }

    /// How long the read before a write may take after `n` tries in a row that failed: the first ones short, so that
    /// a status tells of a Kubernetes API that hangs; a slow one is waited for.
    #[must_use]
    pub fn fresh_read(n: u32) -> Duration {
        doubled(Self::STANDSTILL, n, Self::KUBERNETES_CALL)
    }

    /// How often an open breaker lets one request through.
    #[must_use]
    pub fn breaker_probe(&self) -> Duration {
        (self.poll_interval / 3).min(Duration::from_secs(10))
    }

    /// How long a request whose outcome is unknown may still take effect.
    #[must_use]
    pub fn request_lifetime(&self) -> Duration {
        self.request_timeout * 4
    }
}

fn doubled(first: Duration, n: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << n.min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_doubles_doubles_up_to_its_bound() {
        let times = Times { poll_interval: 30 * SECOND, request_timeout: 15 * SECOND };
        let seconds = |f: &dyn Fn(u32) -> Duration| [0, 1, 2, 3, 9].map(|n| f(n).as_secs());
        assert_eq!(seconds(&|n| times.hold(n)), [600, 1200, 2400, 3600, 3600]);
        assert_eq!(seconds(&|n| times.credential_probe(n)), [30, 60, 120, 240, 600]);
        assert_eq!(seconds(&|n| times.backoff(n, 0.0)), [1, 2, 4, 8, 60]);
        assert_eq!(times.backoff(9, 1.0), 45 * SECOND);
        assert_eq!(times.request_lifetime(), 60 * SECOND);
    }

    #[test]
    fn what_follows_from_the_defaults_is_what_the_documents_say() {
        let times = Times { poll_interval: 30 * SECOND, request_timeout: 15 * SECOND };
        assert_eq!(times.grace(), 90 * SECOND);
        assert_eq!(times.longest_blindness(), 120 * SECOND);
        assert_eq!(times.slow_look(), 600 * SECOND);
        assert_eq!(times.contested_window(), 600 * SECOND);
        assert_eq!(times.longest_wait(), 600 * SECOND);
        assert_eq!(times.breaker_probe(), 10 * SECOND);
    }

    #[test]
    fn who_polls_each_hour_does_not_wait_for_hours() {
        let times = Times { poll_interval: 3600 * SECOND, request_timeout: 15 * SECOND };
        assert_eq!(times.breaker_probe(), 10 * SECOND);
        let probes = [0, 1, 4, 5, 99].map(|n| times.credential_probe(n).as_secs());
        assert_eq!(probes, [30, 60, 480, 600, 600]);
        assert_eq!(times.backoff(99, 0.0), 60 * SECOND);
        assert_eq!(times.longest_wait(), 3600 * SECOND);
        assert_eq!(times.slow_look(), 20 * 3600 * SECOND, "what is stalled waits for a person");
    }

    proptest! {
        /// Whatever the flags accept: no wait is without an end that a person would wait for, none is
        /// so short that it hammers, and all of them fit together.
        #[test]
        fn whatever_the_flags_say_every_wait_is_bounded(
            poll in 1_000_u64..=3_600_000, timeout in 100_u64..=300_000, n in any::<u32>(),
            jitter in 0.0..1.0,
        ) {
            let poll = Duration::from_millis(poll);
            let request_timeout = Duration::from_millis(timeout);
            let times = Times { poll_interval: poll, request_timeout };

            prop_assert!(times.breaker_probe() <= (10 * SECOND).min(poll));
            prop_assert!(times.breaker_probe() >= SECOND / 4);

            let probe = |n| times.credential_probe(n);
            prop_assert_eq!(probe(0), poll.min(30 * SECOND));
            prop_assert!(probe(0) <= probe(n) && probe(n) <= (20 * poll).min(600 * SECOND));
            prop_assert!(probe(n.saturating_add(1)) <= 2 * probe(n));
            prop_assert_eq!(probe(u32::MAX), (20 * poll).min(600 * SECOND));

            let backoff = times.backoff(n, jitter);
            prop_assert!(backoff >= SECOND * 3 / 4 && backoff <= (2 * poll).min(60 * SECOND));
            prop_assert!(times.backoff(n.saturating_add(1), 0.0) >= times.backoff(n, 0.0));

            prop_assert_eq!(times.longest_wait(), (20 * poll).min(3600 * SECOND));
            prop_assert_eq!(times.longest_blindness(), times.grace() + poll);
            prop_assert!(probe(0) < times.grace(), "a bad moment of the API is over within the grace");
            prop_assert_eq!(times.request_lifetime(), 4 * request_timeout);
            prop_assert!(times.hold(n) <= times.hold_memory());
        }
    }
}
