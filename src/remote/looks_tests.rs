//! How old a look is, and when a read is taken for one that lags.

use std::time::Duration;

use super::{
    tests::{HAND, fail, far, see, shown, wrote},
    *,
};
use crate::remote::{PausedBy, fixtures::*};

fn cache_of(answers: &[Answer], start: Instant) -> Cache {
    let mut cache = Cache::default();
    for (n, answer) in (1..).zip(answers) {
        cache.bind(&id(n), None, start);
        see(&mut cache, n, *answer, start);
    }
    cache
}

#[test]
fn a_complete_list_has_looked_at_all_that_it_could_have_shown() {
    let start = Instant::now();
    let mut cache = cache_of(&[Answer::Active, HAND, Answer::NotFound], start);
    let looked_at = |cache: &Cache| [1, 2, 3].map(|n| cache.looked_at(&id(n)).unwrap() - start);
    let at = |n: u32| n * SECOND;

    // A list of the paused ones that lacks the active one has looked at both.
    see(&mut cache, 2, HAND, start + 5 * SECOND);
    assert_eq!(looked_at(&cache), [at(0), at(5), at(0)], "a page is no list");
    assert!(!cache.list_ended(Scope::Paused, start + 5 * SECOND));
    assert_eq!(looked_at(&cache), [at(5), at(5), at(0)], "what is gone is in no list");

    // One that ends late has not looked later than one that began after it.
    assert!(!cache.list_ended(Scope::Paused, start + 4 * SECOND));
    assert_eq!(looked_at(&cache), [at(5), at(5), at(0)]);
    let looks: Vec<_> = cache.looks().map(|(id, _)| id.clone()).collect();
    assert_eq!(looks, [id(1), id(2)], "what is looked at slowly is no news");
}

#[test]
fn before_the_first_look_it_counts_since_when_it_is_bound() {
    let start = Instant::now();
    let mut cache = Cache::default();
    cache.bind(&id(1), None, start);
    cache.bind(&id(1), None, start + SECOND);
    cache.list_ended(Scope::Paused, start + 2 * SECOND);
    assert_eq!(cache.looked_at(&id(1)), Some(start), "no list says anything about it");
    assert_eq!(cache.looked_at(&id(2)), None);
}

#[test]
fn no_list_counts_past_a_failure_or_a_miss() {
    let start = Instant::now();
    let mut cache = cache_of(&[Answer::Active, Answer::Active], start);
    // Reads of the first fail from the third second on, and the second is missed.
    fail(&mut cache, 1, start + 3 * SECOND);
    fail(&mut cache, 1, start + 6 * SECOND);
    assert!(!cache.list_ended(Scope::Paused, start + 2 * SECOND));
    assert_eq!(cache.looked_at(&id(1)), Some(start + 2 * SECOND));
    assert!(!cache.list_ended(Scope::Paused, start + 8 * SECOND));
    assert_eq!(cache.looked_at(&id(1)), Some(start + 3 * SECOND), "the first of them");
    assert_eq!(cache.looked_at(&id(2)), Some(start + 8 * SECOND));

    see(&mut cache, 1, Answer::Active, start + 9 * SECOND);
    assert!(cache.list_ended(Scope::Live, start + 9 * SECOND), "the second is missed");
    assert!(!cache.list_ended(Scope::Paused, start + 11 * SECOND));
    assert_eq!(cache.looked_at(&id(1)), Some(start + 11 * SECOND));
    assert_eq!(cache.looked_at(&id(2)), Some(start + 9 * SECOND));
    see(&mut cache, 2, Answer::Active, start + 12 * SECOND);
    assert_eq!(cache.looked_at(&id(2)), Some(start + 12 * SECOND));
}

/// A pause of ours that began at `start` and ended a second later.
fn paused_by_us(start: Instant) -> (Cache, Instant) {
    let mut cache = cache_of(&[Answer::Active], start);
    let ended = start + SECOND;
    cache.observe(&id(1), shown(HAND), wrote(HAND, start, ended));
    (cache, ended)
}

fn answer(cache: &Cache) -> Answer {
    cache.get(&id(1)).unwrap().observed.unwrap().answer
}

#[test]
fn a_read_that_contradicts_our_own_write_at_once_is_a_reason_to_look_again() {
    let start = Instant::now();
    for after in [0, 1_000, 1_999].map(Duration::from_millis) {
        let (mut cache, ended) = paused_by_us(start);
        assert!(!see(&mut cache, 1, Answer::Active, ended + after));
        assert_eq!(answer(&cache), HAND);
        let echo_end = ended + Times::ECHO;
        assert_eq!(cache.next_demand(ended + after), Some(echo_end));
        assert_eq!(cache.demands(echo_end), [(id(1), Place::Paused)]);

        assert!(see(&mut cache, 1, Answer::Active, echo_end), "now it is drift");
        assert_eq!(answer(&cache), Answer::Active);
        assert_eq!(cache.demands(far(start)), []);
    }
}

#[test]
fn a_read_that_confirms_our_write_does_not_vouch_for_the_next_one() {
    let (mut cache, ended) = paused_by_us(Instant::now());
    assert!(!see(&mut cache, 1, HAND, ended + SECOND / 2));
    assert!(!see(&mut cache, 1, Answer::Active, ended + SECOND), "another replica answers");
    assert_eq!(answer(&cache), HAND);
    assert_eq!(cache.next_demand(ended), Some(ended + Times::ECHO));
}

#[test]
fn only_the_opposite_of_our_own_write_is_taken_for_a_read_that_lags() {
    for other in [
        Answer::Archived,
        Answer::NotFound,
        Answer::Forbidden,
        Answer::UnknownStatus,
        Answer::Paused(PausedBy::Platform),
    ] {
        let (mut cache, ended) = paused_by_us(Instant::now());
        assert!(see(&mut cache, 1, other, ended), "{other:?}");
        assert_eq!(answer(&cache), other);
    }
    // Our next write is no read.
    let (mut cache, ended) = paused_by_us(Instant::now());
    let resumed = wrote(Answer::Active, ended, ended + SECOND);
    assert!(cache.observe(&id(1), shown(Answer::Active), resumed));
    assert_eq!(answer(&cache), Answer::Active);
    assert!(!see(&mut cache, 1, HAND, ended + SECOND), "and has its own echo");
}

#[test]
fn only_the_answer_of_a_write_that_is_as_asked_has_that_weight() {
    let start = Instant::now();
    let mut cache = cache_of(&[Answer::Active], start);
    let ended = start + SECOND;
    let not_as_asked = Observed { is_written: false, ..wrote(HAND, start, ended) };
    cache.observe(&id(1), shown(HAND), not_as_asked);
    assert!(see(&mut cache, 1, Answer::Active, ended), "a read has as much");
    assert_eq!(answer(&cache), Answer::Active);
}
