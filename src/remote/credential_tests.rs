use std::time::Duration;

use super::*;
use crate::{
    qoder::{ApiError, SendError},
    remote::{
        account::{Account, Admission},
        fixtures::*,
    },
};

/// The credential is refused, while so many other reads are in flight.
fn rejected(others: u32) -> (Account, Vec<crate::remote::account::Ticket>, Instant) {
    let mut account = account();
    let (mut reads, now) = send_reads(&mut account, others + 1, Instant::now());
    account.ended(&reads.remove(0), Some(&status(401)), now, 0.0);
    assert_eq!(account.credential().worth, Worth::Rejected { since: now });
    (account, reads, now)
}

#[test]
fn a_401_stops_the_credential_and_few_probes_go_out() {
    let (mut account, _, start) = rejected(0);
    assert_eq!(account.credential().since, Some(start), "its worth changed");

    // An hour of asking each second: probes after 30, 60, 120, 240, 480 and then 600 s each.
    let mut probes = Vec::new();
    for second in 1..3600 {
        let now = start + Duration::from_secs(second);
        if let Admission::Now(probe) = account.admit_read(now) {
            probes.push(second);
            account.ended(&probe, Some(&status(401)), now, 0.0);
        }
    }
    assert_eq!(probes, [30, 90, 210, 450, 930, 1530, 2130, 2730, 3330]);
    assert_eq!(account.credential().worth, Worth::Rejected { since: start });
    assert!(account.next_grant(start).is_none(), "and no write at all");
}

#[test]
fn one_probe_at_a_time_and_only_an_answer_frees_the_credential() {
    let (mut account, _, start) = rejected(0);
    let before = account.credential();
    let at = start + TIMES.credential_probe(0);
    let probe = send_read(&mut account, at);
    assert_eq!(next_read(&mut account, at), None, "one is under way");
    account.ended(&probe, Some(&ApiError::Send(SendError::TimedOut)), at, 0.0);
    assert_eq!(account.credential(), before, "a timeout says nothing");

    let again = at + TIMES.credential_probe(0);
    assert_eq!(next_read(&mut account, at), Some(again), "nor does it make the wait longer");
    let probe = send_read(&mut account, again);
    account.ended(&probe, None, again, 0.0);
    assert_eq!(account.credential().worth, Worth::Usable);
    assert_eq!(account.credential().since, Some(again));
}

#[test]
fn six_in_flight_that_are_all_answered_401_are_one_event() {
    let (mut account, others, start) = rejected(5);
    for (n, other) in (1..).zip(&others) {
        account.ended(other, Some(&status(401)), start + SECOND * n, 0.0);
    }
    assert_eq!(account.credential().worth, Worth::Rejected { since: start });
    let first_probe = start + TIMES.credential_probe(0);
    assert_eq!(first_probe, start + TIMES.poll_interval);
    assert_eq!(next_read(&mut account, start + 6 * SECOND), Some(first_probe));
}

#[test]
fn what_is_not_the_probe_neither_ends_the_rejection_nor_clears_its_probe() {
    let (mut account, others, start) = rejected(4);
    account.ended(&others[0], None, start + SECOND, 0.0);
    assert_eq!(account.credential().worth, Worth::Rejected { since: start });

    let at = start + TIMES.credential_probe(0);
    let probe = send_read(&mut account, at);
    let later = at + SECOND;
    account.ended(&others[1], None, later, 0.0);
    account.ended(&others[2], Some(&status(401)), later, 0.0);
    account.ended(&others[3], Some(&status(500)), later, 0.0);
    assert_eq!(account.credential().worth, Worth::Rejected { since: start });
    assert_eq!(next_read(&mut account, later), None, "the probe is still under way");

    account.ended(&probe, Some(&status(401)), later, 0.0);
    let second_probe = later + TIMES.credential_probe(1);
    assert_eq!(
        next_read(&mut account, later),
        Some(second_probe),
        "only its answer lengthens the wait"
    );
}

#[test]
fn a_401_for_the_old_token_says_nothing_about_the_new_one() {
    let file = TokenFile::new("pt-obviously-fake");
    let mut account = account_of(file.source());
    let (reads, now) = send_reads(&mut account, 1, Instant::now());
    file.set("pt-another-fake");
    assert!(account.reload(now).unwrap());
    let before = account.credential();
    assert_eq!(before.epoch, reads[0].epoch + 1);
    account.ended(&reads[0], Some(&status(401)), now, 0.0);
    assert_eq!(account.credential(), before);
    assert_eq!(before.worth, Worth::Usable);
}

#[test]
fn the_probe_of_an_old_token_is_not_taken_for_the_one_of_the_new_token() {
    let file = TokenFile::new("pt-obviously-fake");
    let mut account = account_of(file.source());
    let mut now = Instant::now();
    let mut probes = Vec::new();
    for is_first in [true, false] {
        let read = send_read(&mut account, now);
        account.ended(&read, Some(&status(401)), now, 0.0);
        now += TIMES.credential_probe(0);
        probes.push(send_read(&mut account, now));
        now += SECOND;
        if is_first {
            file.set("pt-another-fake");
            assert!(account.reload(now).unwrap());
        }
    }
    account.ended(&probes[0], None, now, 0.0);
    assert!(matches!(account.credential().worth, Worth::Rejected { .. }));
    assert_eq!(next_read(&mut account, now), None, "the probe of the new token is under way");
    account.ended(&probes[1], None, now, 0.0);
    assert_eq!(account.credential().worth, Worth::Usable);
}
