use proptest::prelude::*;

use super::*;

fn wanted(active: usize, paused: usize) -> Wanted {
    Wanted { active, paused, full: 0 }
}

fn size(active: usize, paused: usize, page: usize) -> Size {
    Size { live: active + paused, active, paused, page }
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
            }
        }
    }
}
