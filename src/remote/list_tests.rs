use super::*;
use crate::{
    qoder::{Cursor, ErrorType},
    remote::fixtures::{answer, deployment, id, status},
};

fn query(limit: usize, cursor: Option<&str>) -> ListQuery {
    ListQuery { scope: Scope::Live, limit, cursor: cursor.map(|id| Cursor::AfterId(id.into())) }
}

#[test]
fn a_page_that_is_refused_becomes_a_safe_one_and_one_that_is_too_big_is_halved() {
    let too_big = || ApiError::from(SendError::TooLarge(1));
    let refused = || answer(400, Some(ErrorType::InvalidRequest), None);
    for (what, error, query, expected) in [
        ("too big", too_big(), query(1000, None), Some(500)),
        ("too big, later", too_big(), query(1000, Some("c")), Some(500)),
        ("too big, small", too_big(), query(15, None), Some(10)),
        ("too big, one above the smallest", too_big(), query(11, None), Some(10)),
        ("too big, the smallest", too_big(), query(10, None), None),
        ("refused", refused(), query(1000, None), Some(100)),
        ("refused, one above the safe one", refused(), query(101, None), Some(100)),
        ("refused, the safe one", refused(), query(100, None), None),
        ("refused, small", refused(), query(99, None), None),
        ("refused, with a cursor", refused(), query(1000, Some("c")), None),
        ("throttled", status(429), query(1000, None), None),
        ("broken", SendError::TimedOut.into(), query(1000, None), None),
    ] {
        assert_eq!(smaller_page(&error, &query), expected, "{what}");
    }
}

#[test]
fn a_list_that_fails_speaks_about_lists_only_when_the_api_is_there() {
    for (what, error, expected) in [
        ("a page that is too big", SendError::TooLarge(1).into(), true),
        ("no JSON", ApiError::Invalid("no JSON"), true),
        ("no answer", SendError::TimedOut.into(), false),
        ("503", status(503), false),
        ("403", status(403), true),
        ("302", status(302), true),
    ] {
        assert_eq!(is_answer(&error), expected, "{what}");
    }
    assert!(is_throttled(&status(429)) && !is_throttled(&status(400)));
    assert!(is_refusal_of_size(&status(400)) && !is_refusal_of_size(&status(429)));
}

#[test]
fn a_list_counts_what_it_has_shown() {
    let lists = Lists::Work;
    let before = Size { live: 70, active: 40, paused: 30, page: 100, largest_page: 1000, lists };
    let after = |scope, statuses: &[&str]| {
        let mut counted = Counted::default();
        for (n, status) in (0..).zip(statuses) {
            counted.add(&Item::Deployment(id(n), deployment((*status).into())));
        }
        counted.add(&Item::Invalid(id(99)));
        let mut size = before;
        counted.update(&mut size, scope);
        size
    };
    assert_eq!(
        after(Scope::Live, &["active", "paused", "active", "new"]),
        Size { live: 5, active: 2, paused: 1, ..before },
    );
    assert_eq!(after(Scope::Active, &["active"; 3]), Size { active: 4, ..before });
    assert_eq!(after(Scope::Paused, &["paused"]), Size { paused: 2, ..before });
}
