use proptest::prelude::*;

use super::*;

fn wanted(active: usize, paused: usize) -> Wanted {
    Wanted { active, paused, full: 0 }
}

fn size(active: usize, paused: usize, page: usize) -> Size {
    Size { live: active + paused, active, paused, page, largest_page: 1000, lists: Lists::Work }
}

#[test]
fn each_fleet_has_its_best_plan() {
    let ten_thousand = size(9_900, 100, 100);
    let poll = |wanted, size| plan(Need::Changes, wanted, size);
    for (what, wanted, size, expected) in [
        ("nothing bound", wanted(0, 0), ten_thousand, Plan::Nothing),
        ("1 % paused", wanted(9_900, 100), ten_thousand, Plan::List(Scope::Paused)),
        ("everything paused", wanted(0, 500), size(0, 500, 100), Plan::List(Scope::Active)),
        ("everything active", wanted(500, 0), size(500, 0, 100), Plan::List(Scope::Paused)),
        ("half and half", wanted(500, 500), size(500, 500, 100), Plan::List(Scope::Paused)),
        ("fits a page", wanted(20, 20), size(20, 20, 100), Plan::List(Scope::Live)),
        ("one", wanted(1, 0), size(1, 0, 100), Plan::Gets),
        ("few in a big account", wanted(3, 2), size(90_000, 9_000, 100), Plan::Gets),
    ] {
        assert_eq!(poll(wanted, size), expected, "{what}");
    }
    assert_eq!(plan(Need::Everything, wanted(9_900, 100), ten_thousand), Plan::List(Scope::Live));
    assert_eq!(plan(Need::Demanded, wanted(1, 0), ten_thousand), Plan::Gets, "a flip");
    let all_paused = plan(Need::Demanded, wanted(0, 100), ten_thousand);
    assert_eq!(all_paused, Plan::List(Scope::Paused), "their page shows them all");
    let mixed = plan(Need::Demanded, wanted(200, 100), ten_thousand);
    assert_eq!(mixed, Plan::List(Scope::Live), "100 pages, not 201 calls");
}

#[test]
fn what_is_wanted_is_counted_by_place() {
    let places = [
        [Place::Active; 4].as_slice(),
        &[Place::Nowhere; 7],
        &[Place::Paused; 2],
        &[Place::Full; 3],
    ];
    let wanted: Wanted = places.into_iter().flatten().copied().collect();
    assert_eq!(wanted, Wanted { active: 4, paused: 2, full: 3 });
    assert_eq!(wanted.total(), 9);
    assert_eq!(
        [Scope::Live, Scope::Active, Scope::Paused].map(|list| wanted.besides(list)),
        [0, 5, 7]
    );
}

proptest! {
    #[test]
    fn no_plan_costs_more_than_any_that_would_do(
        (active, paused, full) in (0_usize..300, 0_usize..300, 0_usize..30),
        (more_active, more_paused, page) in (0_usize..5_000, 0_usize..5_000, 1_usize..1_001),
    ) {
        let wanted = Wanted { active, paused, full };
        let size = Size {
            live: active + paused + full + more_active + more_paused,
            active: active + more_active,
            paused: paused + more_paused,
            page,
            largest_page: 1000,
            lists: Lists::Work,
        };
        for need in [Need::Demanded, Need::Changes, Need::Everything] {
            let chosen = plan(need, wanted, size);
            let cost = calls(chosen, need, wanted, size);
            prop_assert!(cost <= active + paused + full);
            prop_assert!(cost <= size.pages(Scope::Live) || wanted.total() == 0);
            match chosen {
                Plan::List(Scope::Paused | Scope::Active) => prop_assert_ne!(need, Need::Everything),
                Plan::Nothing => prop_assert_eq!(wanted.total(), 0),
                Plan::Gets | Plan::List(Scope::Live) => {}
                Plan::Explore | Plan::Wait => prop_assert!(false, "lists work"),
            }
        }
    }
}

const ALL: Wanted = Wanted { active: 60, paused: 0, full: 0 };

/// What is done for demands and for polls, when a list would be the cheapest.
fn plans(lists: Lists) -> (Plan, Plan, Plan) {
    let size = Size { lists, ..size(60, 0, 100) };
    let plan = |need| plan(need, ALL, size);
    (plan(Need::Demanded), plan(Need::Changes), plan(Need::Everything))
}

const LIST: Plan = Plan::List(Scope::Live);

#[test]
fn after_a_list_that_failed_one_get_explores_and_then_the_next_poll_is_waited_for() {
    for is_answer in [true, false] {
        let mut lists = Lists::Work;
        assert_eq!(plans(lists), (LIST, LIST, LIST));
        lists.failed(is_answer);
        assert_eq!(lists, Lists::Failed { is_answer, is_explored: false });
        assert_eq!(plans(lists), (Plan::Explore, LIST, LIST), "polls try a list all the same");
        lists.explored();
        assert_eq!(plans(lists), (Plan::Wait, LIST, LIST), "once");
        lists.explored();
        assert_eq!(lists, Lists::Failed { is_answer, is_explored: true });

        // It has shown nothing.
        lists.unexplored();
        assert_eq!(lists, Lists::Failed { is_answer, is_explored: false });
        lists.explored();

        // The next poll fails too: one more look.
        lists.failed(is_answer);
        assert_eq!(plans(lists).0, Plan::Explore);
        assert!(!lists.are_useless() && !lists.are_to_blame());
        lists.ended();
        assert_eq!(lists, Lists::Work);
        assert!(!lists.are_useless() && !lists.are_to_blame());
        lists.unexplored();
        assert_eq!(lists, Lists::Work, "there is nothing to explore");
    }
}

#[test]
fn a_get_that_is_answered_shows_whether_it_is_only_the_lists() {
    // A list was refused or made no sense, and a GET is answered: it is the lists.
    let mut lists = Lists::Work;
    lists.failed(true);
    lists.explored();
    lists.get_answered();
    assert!(lists.are_useless() && lists.are_to_blame());
    assert_eq!(plans(lists), (Plan::Gets, LIST, LIST));
    lists.get_answered();
    lists.explored();
    lists.failed(false);
    assert!(lists.are_useless(), "until a list comes to its end");
    lists.ended();
    assert_eq!(lists, Lists::Work);

    // No answer came, and then one to a GET: it may have been a bad moment of the API.
    lists.failed(false);
    lists.get_answered();
    assert_eq!(lists, Lists::Doubtful);
    assert!(lists.are_to_blame() && !lists.are_useless());
    assert_eq!(plans(lists), (LIST, LIST, LIST), "another list shows it");
    for is_answer in [true, false] {
        let mut again = lists;
        again.failed(is_answer);
        assert!(again.are_useless());
    }
    lists.ended();
    assert_eq!(lists, Lists::Work);
}

#[test]
fn what_answers_gets_in_the_apis_place_makes_no_list_useless() {
    let mut lists = Lists::USELESS;
    for _ in 1..MISLED {
        lists.get_misled();
    }
    assert!(lists.are_useless(), "some go astray");
    lists.get_answered();
    for _ in 1..MISLED {
        lists.get_misled();
    }
    assert!(lists.are_useless(), "not in a row");
    lists.failed(true);
    lists.get_misled();
    assert_eq!(lists, Lists::Failed { is_answer: true, is_explored: false });
    assert_eq!(plans(lists).0, Plan::Explore, "another one may be answered by the API");
    for before in
        [Lists::Work, Lists::Doubtful, Lists::Failed { is_answer: false, is_explored: false }]
    {
        let mut lists = before;
        lists.get_misled();
        assert_eq!(lists, before);
    }
}
