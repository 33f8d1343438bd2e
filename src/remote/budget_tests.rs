use proptest::prelude::*;

use super::{
    super::fixtures::{RATES, TIMES},
    *,
};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

proptest! {
    /// Whatever comes whenever, there are never 21 writes in a window of one second.
    #[test]
    fn no_window_of_a_second_has_more_than_its_writes(gaps in prop::collection::vec(0_u64..400, 1..200)) {
        let mut budget = Budget::new(RATES, TIMES);
        let mut now = Instant::now();
        let mut sent: Vec<Instant> = Vec::new();
        for gap in gaps {
            now += millis(gap);
            now = budget.earliest(Kind::Write, 0, now).unwrap();
            budget.reserve_write(now);
            let write = budget.send(Kind::Write, now);
            budget.ended(write, Ending::Answered, now, 0.0);
            sent.push(now);
        }
        for window in sent.windows(21) {
            prop_assert!(window[20] - window[0] >= Duration::from_secs(1));
        }
    }
}

#[test]
fn a_calm_budget_is_free_at_once_and_a_busy_one_is_evenly_spaced() {
    let mut budget = Budget::new(RATES, TIMES);
    let start = Instant::now();
    assert_eq!(budget.earliest(Kind::Write, 0, start), Some(start));
    budget.reserve_write(start);
    budget.send(Kind::Write, start + millis(7));
    let next = budget.earliest(Kind::Write, 0, start + millis(7));
    assert_eq!(next, Some(start + millis(50)), "however long the write took to leave");
    assert_eq!(budget.earliest(Kind::Read, 0, start), Some(start), "reads have their own");
}

#[test]
fn retry_after_is_honoured_and_capped_and_without_it_the_wait_doubles() {
    let mut budget = Budget::new(RATES, TIMES);
    let mut now = Instant::now();
    let mut wait_after = |asked| {
        let read = budget.send(Kind::Read, now);
        budget.ended(read, Ending::Throttled(asked), now, 0.0);
        let before = now;
        now = budget.earliest(Kind::Read, 0, now).unwrap();
        now - before
    };
    assert_eq!(wait_after(Some(millis(7_000))), millis(7_000));
    assert_eq!(wait_after(Some(Duration::from_secs(86_400))), TIMES.longest_wait());
    let own: Vec<_> = (0..3).map(|_| wait_after(None).as_secs()).collect();
    assert_eq!(own, [1, 2, 4], "a wait that is asked for is no step of our own");
}

/// So many failures, one after the other.
fn fail(budget: &mut Budget, count: u32, now: Instant) {
    for _ in 0..count {
        let read = budget.send(Kind::Read, now);
        budget.ended(read, Ending::Failed(None), now, 0.0);
    }
}

#[test]
fn five_failures_open_the_breaker_which_lets_one_probe_through_at_a_time() {
    let mut budget = Budget::new(RATES, TIMES);
    let mut now = Instant::now();
    fail(&mut budget, 4, now);
    assert!(!budget.is_open());
    fail(&mut budget, 1, now);
    assert!(budget.is_open());
    assert_eq!(budget.obstacle(now), Some(Obstacle::Outage));

    let probe_at = now + TIMES.breaker_probe();
    assert_eq!(budget.earliest(Kind::Read, 0, now), Some(probe_at));
    now = probe_at;
    let probe = budget.send(Kind::Read, now);
    assert_eq!(budget.earliest(Kind::Write, 0, now), None, "one probe at a time");
    assert_eq!(budget.window(now), None, "also for who has a permit");
    budget.ended(probe, Ending::Failed(None), now, 0.0);
    assert_eq!(budget.earliest(Kind::Read, 0, now), Some(now + TIMES.breaker_probe()));

    now += TIMES.breaker_probe();
    let probe = budget.send(Kind::Read, now);
    budget.ended(probe, Ending::Answered, now, 0.0);
    assert!(!budget.is_open());
}

#[test]
fn the_end_of_another_request_neither_clears_nor_delays_the_probe() {
    let mut budget = Budget::new(RATES, TIMES);
    let start = Instant::now();
    let others: Vec<_> = (0..3).map(|_| budget.send(Kind::Read, start)).collect();
    let opened = start + millis(100);
    fail(&mut budget, 5, opened);
    budget.ended(others[0], Ending::Failed(None), opened + millis(100), 0.0);
    let probe_at = opened + TIMES.breaker_probe();
    assert_eq!(budget.earliest(Kind::Read, 0, opened), Some(probe_at), "it was sent before");

    let probe = budget.send(Kind::Read, probe_at);
    budget.ended(others[1], Ending::Failed(None), probe_at, 0.0);
    budget.ended(others[2], Ending::Throttled(None), probe_at, 0.0);
    let later = probe_at + Duration::from_secs(3600);
    assert_eq!(budget.earliest(Kind::Read, 0, later), None, "one probe is under way");
    budget.ended(probe, Ending::Failed(None), later, 0.0);
    assert_eq!(budget.earliest(Kind::Read, 0, later), Some(later + TIMES.breaker_probe()));
}

#[test]
fn an_answer_to_anyone_closes_the_breaker_and_nobody_waits_for_the_probe_then() {
    let mut budget = Budget::new(RATES, TIMES);
    let mut now = Instant::now();
    let early = budget.send(Kind::Read, now);
    now += millis(100);
    fail(&mut budget, 5, now);
    now += TIMES.breaker_probe();
    let stale = budget.send(Kind::Read, now);
    budget.ended(early, Ending::Answered, now, 0.0);
    assert!(!budget.is_open());
    now += millis(100);
    assert_eq!(budget.earliest(Kind::Read, 0, now), Some(now));

    // It opens again, and has another probe.
    fail(&mut budget, 5, now);
    now += TIMES.breaker_probe();
    let probe = budget.send(Kind::Read, now);
    budget.let_go(stale);
    assert_eq!(budget.earliest(Kind::Read, 0, now), None, "the stale one clears nothing");
    budget.ended(stale, Ending::Failed(None), now, 0.0);
    assert_eq!(budget.earliest(Kind::Read, 0, now), None);
    budget.let_go(probe);
    assert!(budget.earliest(Kind::Read, 0, now).is_some());
}

/// A server that lets so many through in any window of a second, and asks to wait a second
/// otherwise; a client that always has more to send. Virtual time.
struct Flood {
    budget: Budget,
    now: Instant,
    passed: Vec<Instant>,
    refused: usize,
}

impl Flood {
    fn run(&mut self, limit: usize, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end {
            self.now = self.budget.earliest(Kind::Write, 0, self.now).unwrap();
            self.budget.reserve_write(self.now);
            let write = self.budget.send(Kind::Write, self.now);
            let window = self.now - Duration::from_secs(1);
            let in_window = self.passed.iter().rev().take_while(|at| **at > window).count();
            let answered = self.now + millis(20);
            if in_window < limit {
                self.passed.push(self.now);
                self.budget.ended(write, Ending::Answered, answered, 0.5);
            } else {
                self.refused += 1;
                let asked = Ending::Throttled(Some(Duration::from_secs(1)));
                self.budget.ended(write, asked, answered, 0.5);
            }
        }
    }
}

#[test]
fn under_a_lower_limit_nearly_all_of_it_is_used_and_after_it_the_full_rate_is_back() {
    let now = Instant::now();
    let budget = Budget::new(RATES, TIMES);
    let mut flood = Flood { budget, now, passed: vec![], refused: 0 };
    flood.run(20, 10);
    assert_eq!(flood.refused, 0);
    let before = flood.passed.len();
    flood.run(5, 60);
    let passed = flood.passed.len() - before;
    assert!(passed * 10 >= 9 * 5 * 60, "{passed} of the 300 that the limit allows");
    assert!(flood.refused * 10 <= passed, "{} refused of {passed}", flood.refused);

    flood.run(20, 30);
    let refused = flood.refused;
    let before = flood.passed.len();
    flood.run(20, 10);
    assert!(
        flood.passed.len() - before >= 195,
        "the full rate within 30 s: {}",
        flood.passed.len() - before
    );
    assert_eq!(flood.refused, refused);
}

#[test]
fn a_lowered_rate_is_kept_for_a_while_after_the_wait_is_over() {
    for asked in [Some(Duration::from_secs(10)), None] {
        let mut budget = Budget::new(RATES, TIMES);
        let start = Instant::now();
        let read = budget.send(Kind::Read, start);
        budget.ended(read, Ending::Throttled(asked), start, 0.0);
        let free_at = budget.earliest(Kind::Read, 0, start).unwrap();
        assert_eq!(free_at, start + asked.unwrap_or(Duration::from_secs(1)));
        let late = free_at + Times::RATE_CAUTION;
        budget.send(Kind::Read, late);
        let next = budget.earliest(Kind::Read, 0, late).unwrap();
        assert_eq!(next, late + Duration::from_secs(1), "nothing had passed: one a second");
    }
}

#[test]
fn a_term_forgets_what_was_asked_for_in_the_last_one_and_not_what_was_sent() {
    let mut budget = Budget::new(RATES, TIMES);
    let start = Instant::now();
    budget.reserve_write(start);
    let write = budget.send(Kind::Write, start);
    budget.ended(write, Ending::Throttled(Some(millis(60_000))), start, 0.0);
    fail(&mut budget, 5, start);
    let until = |budget: &Budget, kind| budget.earliest(kind, 0, start).unwrap() - start;
    for kind in [Kind::Read, Kind::Write] {
        assert!(until(&budget, kind) > millis(1_000));
    }
    budget.begin_term();
    assert_eq!(until(&budget, Kind::Read), millis(100), "five were sent");
    assert!((millis(50)..=millis(1_000)).contains(&until(&budget, Kind::Write)), "one was sent");
}
