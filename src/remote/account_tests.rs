use std::time::Duration;

use super::{super::fixtures::*, *};
use crate::{
    qoder::{ErrorType, SendError},
    remote::Worth,
};

fn is_admitted(account: &mut Account, now: Instant) -> bool {
    match account.admit_read(now) {
        Admission::Now(ticket) => {
            account.let_go(&ticket);
            true
        }
        Admission::At(_) | Admission::Closed => false,
    }
}

#[test]
fn a_page_that_is_halved_again_and_again_does_not_open_the_breaker() {
    let mut account = account();
    let mut now = Instant::now();
    for _ in 0..Times::BREAKER_FAILURES {
        let page = send_read(&mut account, now);
        account.ended(&page, Some(&ApiError::Send(SendError::TooLarge(1))), now, 0.0);
        now += SPACE;
    }
    assert!(!account.is_breaker_open(), "the API has answered each time");
}

#[test]
fn ten_in_flight_that_are_all_answered_429_are_one_event() {
    let mut account = account();
    let (reads, sent) = send_reads(&mut account, 10, Instant::now());
    for (n, read) in (1..).zip(&reads) {
        account.ended(read, Some(&status(429)), sent + SPACE * n, 0.0);
    }
    let booked = sent + SPACE;
    let wait = TIMES.backoff(0, 0.0);
    assert_eq!(next_read(&mut account, sent + SPACE * 10), Some(booked + wait), "one step");

    let probe = send_read(&mut account, booked + wait);
    account.ended(&probe, Some(&status(429)), booked + wait, 0.0);
    let second = booked + wait + TIMES.backoff(1, 0.0);
    assert_eq!(next_read(&mut account, booked + wait), Some(second), "and the second step");
}

#[test]
fn the_longest_wait_that_any_of_a_burst_is_asked_for_is_kept() {
    let mut account = account();
    let (reads, now) = send_reads(&mut account, 10, Instant::now());
    for (read, asked) in reads.iter().zip([None, Some(7), Some(40), None, Some(20), Some(1)]) {
        let asked = asked.map(Duration::from_secs);
        account.ended(read, Some(&answer(429, None, asked)), now, 0.0);
    }
    assert_eq!(next_read(&mut account, now), Some(now + Duration::from_secs(40)));
}

#[test]
fn a_503_that_asks_to_wait_is_heeded_like_a_429() {
    for (asked, waits) in [
        (Duration::from_secs(70), Duration::from_secs(70)),
        (Duration::from_secs(86_400), TIMES.longest_wait()),
    ] {
        for code in [429, 503] {
            let mut account = account();
            let (reads, now) = send_reads(&mut account, 1, Instant::now());
            account.ended(&reads[0], Some(&answer(code, None, Some(asked))), now, 0.0);
            assert_eq!(next_read(&mut account, now), Some(now + waits), "{code}");
            assert_eq!(account.obstacle(now), Some(Obstacle::Throttled), "{code}");
            assert_eq!(account.obstacle(now + waits), None, "{code}");
        }
    }
    let mut account = account();
    let (reads, now) = send_reads(&mut account, 1, Instant::now());
    account.ended(&reads[0], Some(&status(503)), now, 0.0);
    assert_eq!(next_read(&mut account, now), Some(now + SPACE), "it asks for nothing");
}

#[test]
fn sixteen_in_flight_that_fail_are_one_failure() {
    for error in [status(500), ApiError::Send(SendError::TimedOut)] {
        let mut account = account();
        let (reads, mut now) = send_reads(&mut account, 16, Instant::now());
        for read in &reads {
            now += SPACE;
            account.ended(read, Some(&error), now, 0.0);
        }
        for _ in 1..Times::BREAKER_FAILURES {
            assert!(!account.is_breaker_open());
            let read = send_read(&mut account, now);
            now += SPACE;
            account.ended(&read, Some(&error), now, 0.0);
        }
        assert!(account.is_breaker_open(), "each of the others says something new");
    }
}

#[test]
fn an_answer_that_is_not_the_apis_does_not_free_a_rejected_credential() {
    let too_large = || ApiError::Send(SendError::TooLarge(1));
    for (is_freed, end) in [
        (false, Some(status(403))),
        (false, Some(status(404))),
        (false, Some(status(502))),
        (false, Some(answer(429, Some(ErrorType::Other), None))),
        (false, Some(answer(500, Some(ErrorType::Other), None))),
        (false, Some(too_large())),
        (false, Some(ApiError::Invalid("x"))),
        (true, Some(answer(403, Some(ErrorType::Other), None))),
        (true, Some(answer(404, Some(ErrorType::NotFound), None))),
        (true, None),
    ] {
        let mut account = account();
        let (reads, now) = send_reads(&mut account, 1, Instant::now());
        account.ended(&reads[0], Some(&status(401)), now, 0.0);
        let probe_at = now + TIMES.credential_probe(0);
        let probe = send_read(&mut account, probe_at);
        account.ended(&probe, end.as_ref(), probe_at, 0.0);
        let worth = account.credential().worth;
        assert_eq!(worth == Worth::Usable, is_freed, "{end:?}");
        let next = next_read(&mut account, probe_at + SPACE);
        let again = probe_at + TIMES.credential_probe(0);
        assert_eq!(next == Some(again), !is_freed, "{end:?}: it says nothing, for or against");
    }
}

#[test]
fn a_probe_that_is_let_go_makes_room_for_the_next() {
    // Of a rejected credential.
    let mut account = account();
    let (reads, now) = send_reads(&mut account, 1, Instant::now());
    account.ended(&reads[0], Some(&status(401)), now, 0.0);
    let now = now + TIMES.credential_probe(0);
    let probe = send_read(&mut account, now);
    assert!(!is_admitted(&mut account, now + SECOND));
    account.let_go(&probe);
    assert!(is_admitted(&mut account, now + SECOND));

    // Of an open breaker.
    let mut account = self::account();
    let mut now = now;
    for _ in 0..Times::BREAKER_FAILURES {
        let read = send_read(&mut account, now);
        account.ended(&read, Some(&status(500)), now, 0.0);
        now += SPACE;
    }
    let now = now + TIMES.breaker_probe();
    let probe = send_read(&mut account, now);
    assert_eq!(next_read(&mut account, now + SECOND), None);
    account.let_go(&probe);
    assert!(is_admitted(&mut account, now + SECOND));
}

#[test]
fn a_useless_list_that_asks_to_wait_makes_nothing_wait_and_its_wish_is_bounded() {
    let (mut account, mut now) = (account(), Instant::now());
    for (asked, heeded) in [(60, 60), (1_000_000, 600)] {
        now += SECOND;
        let list = send_read(&mut account, now);
        let error = answer(503, None, Some(SECOND * asked));
        let wait = account.useless_list_ended(&list, Some(&error), now, 0.0);
        assert_eq!(wait, Some(SECOND * heeded));
        assert_eq!(account.obstacle(now), None);
    }
    now += SECOND;
    let list = send_read(&mut account, now);
    assert_eq!(account.useless_list_ended(&list, None, now, 0.0), None);
}

#[test]
fn nobody_waits_for_a_permit_in_the_next_term() {
    let (mut account, now) = (account(), Instant::now());
    let ns: Arc<str> = "ns".into();
    let asks = |account: &mut Account, n| account.permit(&id(n), Lane::Spec, &ns, now);
    assert!(asks(&mut account, 1) && !asks(&mut account, 2));
    assert_eq!(account.waiting(), 1);
    account.begin_term(now);
    assert_eq!((account.waiting(), account.stuck_at()), (0, None));
}
