//! One policy for each source of copies, and the books that the index keeps.

use serde_json::json;

use super::*;
use crate::resources::{
    Memory,
    index::tests::{id, remember, resource},
};

const LATE: [Source; 2] = [Source::Read, Source::Apply];

fn key() -> ResourceKey {
    resource("ns", "a", "u", 1, json!({})).key
}

/// A copy of that version and generation.
fn copy(version: u64, generation: i64) -> Resource {
    resource("ns", "a", "u", version, json!({ "metadata": { "generation": generation } }))
}

fn held(index: &Index) -> &Resource {
    index.iter().next().unwrap()
}

/// A status of this digest is on its way.
fn sends(index: &mut Index, digest: u64) {
    let held = index.held_mut(&key(), &"u".into()).unwrap();
    Arc::make_mut(held).sent.get_or_insert_default().begin(digest);
}

#[test]
fn a_late_answer_makes_no_ghost() {
    for source in LATE {
        let mut index = Index::default();
        assert_eq!(index.apply(copy(9, 1), source), Change::None, "{source:?}");
        assert_eq!(index.iter().count(), 0);

        index.apply(copy(1, 1), Source::Watch);
        index.remove_uid(&key(), &"u".into());
        assert_eq!(index.apply(copy(9, 1), source), Change::None, "after the deletion");
        assert_eq!((index.iter().count(), index.is_bound(&id())), (0, false), "{source:?}");
    }
    for is_list in [false, true] {
        let mut index = Index::default();
        let source = if is_list { Source::List(index.mark()) } else { Source::Watch };
        assert_eq!(index.apply(copy(1, 1), source), Change::Work, "{source:?}");
        assert!(index.is_bound(&id()));
    }
}

#[test]
fn a_read_may_find_another_object_under_the_name_if_it_is_newer() {
    let other = |version| {
        let spec = json!({ "spec": { "deploymentID": "dep_2" } });
        resource("ns", "a", "v", version, spec)
    };
    let mut index = Index::default();
    index.apply(copy(5, 1), Source::Watch);
    assert_eq!(index.apply(other(4), Source::Read), Change::None);
    assert_eq!(held(&index).uid.to_string(), "u");
    assert_eq!(index.apply(other(6), Source::Read), Change::Work);
    assert_eq!(held(&index).uid.to_string(), "v");
    assert_eq!(index.deployment_of(&key()).unwrap().as_str(), "dep_2");
    assert!(!index.is_bound(&id()), "nothing names the first one any more");
    assert_eq!(index.apply(copy(7, 1), Source::Apply), Change::Work, "and back");
}

#[test]
fn a_list_goes_back_behind_what_is_held_but_not_behind_what_came_since_it_began() {
    for goes_back in [true, false] {
        let mut index = Index::default();
        let early = index.mark();
        index.apply(copy(5, 2), Source::Watch);
        let list = if goes_back { index.mark() } else { early };
        let change = index.apply(copy(3, 1), Source::List(list));
        assert_eq!(change == Change::Work, goes_back);
        assert_eq!(held(&index).generation, if goes_back { 1 } else { 2 });
        assert!(index.sweep(None, list).is_empty(), "the list has brought it either way");
    }
    for source in [Source::Watch, Source::Read, Source::Apply] {
        let mut index = Index::default();
        index.apply(copy(5, 2), Source::Watch);
        index.mark();
        for version in [3, 5] {
            assert_eq!(index.apply(copy(version, 1), source), Change::None, "{source:?}");
            assert_eq!(held(&index).generation, 2, "{source:?}");
        }
    }
}

#[test]
fn an_item_that_cannot_be_read_keeps_what_is_held() {
    let mut index = Index::default();
    index.apply(copy(1, 1), Source::Watch);
    let list = index.mark();
    index.keep(&key(), list);
    assert!(index.sweep(None, list).is_empty());
    let next = index.mark();
    assert_eq!(index.sweep(None, next), [id()], "the next list did not bring it");
    index.keep(&key(), next);
    assert_eq!(index.iter().count(), 0, "a mark inserts nothing");
}

/// Whoever has made a status has remembered what it says, and maybe more since.
#[test]
fn the_answer_of_our_own_apply_replaces_the_memory_only_if_it_has_fields_of_another() {
    let mut index = Index::default();
    index.apply(copy(1, 1), Source::Watch);
    let ahead = Memory { resume_handled: Some("ahead".into()), ..Memory::default() };
    remember(&mut index, "a", &ahead);
    let status = json!({ "observedGeneration": 1, "lastHandledResumeRequest": "behind" });
    let answer = |version| resource("ns", "a", "u", version, json!({ "status": status }));
    sends(&mut index, answer(2).published.digest);
    assert_eq!(index.apply(answer(2), Source::Apply), Change::None);
    assert_eq!(held(&index).memory, ahead);
    assert_eq!(held(&index).published, answer(2).published, "but that is what stands now");

    let other = json!({ "observedGeneration": 1, "lastHandledResumeRequest": "another's" });
    let foreign = |version| resource("ns", "a", "u", version, json!({ "status": other }));
    for source in [Source::Watch, Source::Apply] {
        let mut index = Index::default();
        index.apply(copy(1, 1), Source::Watch);
        remember(&mut index, "a", &ahead);
        sends(&mut index, answer(2).published.digest);
        assert_eq!(index.apply(foreign(3), source), Change::Work, "{source:?}");
        assert_eq!(held(&index).memory.resume_handled.as_deref(), Some("another's"));
    }
}

#[test]
fn the_answer_of_our_own_apply_is_work_exactly_if_it_asks_for_something_else() {
    let status = json!({ "observedGeneration": 1, "lastHandledResumeRequest": "z" });
    let asks = |more: serde_json::Value| json!({ "status": status, "metadata": more });
    let annotated = |name: &str, value: &str| asks(json!({ "annotations": { (name): value } }));
    for (more, change) in [
        (asks(json!({})), Change::None),
        (annotated("example.com/other", "x"), Change::None),
        (asks(json!({ "generation": 2 })), Change::Work),
        (asks(json!({ "deletionTimestamp": "2026-07-01T02:00:00Z" })), Change::Work),
        (annotated("cloud.qoder.com/reconcile", "disabled"), Change::Work),
        (annotated("cloud.qoder.com/reconcile-requested-at", "x"), Change::Work),
        (annotated("cloud.qoder.com/resume-requested-at", "x"), Change::Work),
    ] {
        let mut index = Index::default();
        index.apply(copy(1, 1), Source::Watch);
        let answer = resource("ns", "a", "u", 2, more.clone());
        remember(&mut index, "a", &answer.memory);
        sends(&mut index, answer.published.digest);
        assert_eq!(index.apply(answer, Source::Apply), change, "{more}");
    }
}

#[test]
fn a_namespaces_name_is_kept_once_and_freed_with_its_last_resource() {
    let mut index = Index::default();
    for (namespace, name, uid) in [("ns", "a", "1"), ("ns", "b", "2"), ("ns-2", "a", "3")] {
        index.apply(resource(namespace, name, uid, 1, json!({})), Source::Watch);
    }
    let names: Vec<_> = index.iter().map(|held| held.key.namespace.clone()).collect();
    assert!(Arc::ptr_eq(&names[0], &names[1]), "one text for both");
    assert_eq!(index.namespaces.len(), 2);
    let key = |namespace: &str, name: &str| ResourceKey {
        namespace: namespace.into(),
        name: name.into(),
    };
    index.remove_uid(&key("ns", "a"), &"1".into());
    assert_eq!(index.namespaces.len(), 2, "b is still there");
    index.remove_uid(&key("ns", "b"), &"2".into());
    assert_eq!(index.namespaces.iter().map(|name| &**name).collect::<Vec<_>>(), ["ns-2"]);
    let list = index.mark();
    index.sweep(None, list);
    assert!(index.namespaces.is_empty() && index.bound.is_empty());
}

#[test]
fn a_turn_is_the_owners_and_first_while_anyone_waits_for_an_answer() {
    let born = |day: u8, paused: Option<bool>, observed: i64| {
        json!({
            "metadata": { "creationTimestamp": format!("2026-07-0{day}T00:00:00Z") },
            "spec": { "paused": paused },
            "status": { "observedGeneration": observed },
        })
    };
    let index = |all: &[(&str, u8, Option<bool>, i64)]| {
        let mut index = Index::default();
        for (namespace, day, paused, observed) in all {
            let uid = format!("{namespace}-uid");
            let more = born(*day, *paused, *observed);
            index.apply(resource(namespace, "a", &uid, 1, more), Source::Watch);
        }
        index
    };
    let turn = |index: &Index| {
        let (held, namespace, lane) = index.turn_of(&id(), Lane::Drift)?;
        let bound = index.bound(&id());
        let is_held =
            |held_by: &Arc<Resource>| std::ptr::eq(held_by.deployment.as_str(), held.as_str());
        assert!(bound.iter().any(is_held), "a second copy of the id");
        let of_owner = owner(&bound).map(|owner| owner.key.namespace.clone());
        assert!(of_owner.is_none_or(|of_owner| of_owner == namespace), "turn and owner disagree");
        Some((namespace.to_string(), lane))
    };
    let is = |namespace: &str, lane| Some((namespace.to_owned(), lane));
    let watcher = ("watches", 1, None, 1);
    assert_eq!(turn(&index(&[])), None);
    assert_eq!(turn(&index(&[watcher])), is("watches", Lane::Drift), "nobody owns it");
    let owned = [watcher, ("young", 3, Some(true), 1), ("old", 2, Some(false), 1)];
    assert_eq!(turn(&index(&owned)), is("old", Lane::Drift));
    let waits = [watcher, ("young", 3, Some(true), -1), ("old", 2, Some(false), 1)];
    assert_eq!(turn(&index(&waits)), is("old", Lane::Spec), "someone waits for an answer");
}

/// What was taken in since a list began is as new as the list, unless the list brings a newer version.
#[test]
fn a_list_replaces_what_came_since_it_began_only_by_a_newer_version() {
    for (version, change) in [(4, Change::None), (5, Change::None), (6, Change::Work)] {
        let mut index = Index::default();
        index.apply(copy(1, 1), Source::Watch);
        let list = index.mark();
        index.apply(copy(5, 5), Source::Watch);
        assert_eq!(index.apply(copy(version, 9), Source::List(list)), change, "{version}");
        assert_eq!(held(&index).version, version.max(5));
        assert!(index.sweep(None, list).is_empty(), "the list has brought it");
    }
}

#[test]
fn the_name_of_a_namespace_is_kept_once_as_long_as_anything_is_in_it() {
    let mut index = Index::default();
    let insert = |index: &mut Index, namespace: &str, name: &str| {
        index.apply(resource(namespace, name, name, 1, json!({})), Source::Watch);
    };
    for (namespace, name) in [("a", "1"), ("b", "2"), ("b", "3")] {
        insert(&mut index, namespace, name);
    }
    let gone = resource("b", "2", "2", 1, json!({}));
    index.remove_uid(&gone.key, &gone.uid);
    insert(&mut index, "b", "4");
    let of_b: Vec<_> =
        index.iter().map(|held| &held.key.namespace).filter(|name| &***name == "b").collect();
    assert!(Arc::ptr_eq(of_b[0], of_b[1]));
    for name in ["3", "4"] {
        let gone = resource("b", name, name, 1, json!({}));
        index.remove_uid(&gone.key, &gone.uid);
    }
    assert_eq!(index.namespaces.len(), 1);
}

#[test]
fn a_term_begins_with_nothing_on_its_way() {
    let mut index = Index::default();
    index.apply(copy(1, 1), Source::Watch);
    sends(&mut index, 7);
    let namespace = key().namespace;
    while index.rooms.enter(&namespace, &id(), Lane::Spec) {}
    assert!(held(&index).is_sending());
    index.begin_term(Instant::now(), Instant::now());
    assert!(!held(&index).is_sending());
    assert!(index.rooms.enter(&namespace, &id(), Lane::Spec), "there is room again");
    assert_eq!(index.iter().count(), 1, "the resources stay");
}
