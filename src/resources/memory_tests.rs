use tokio::time::Instant;

use super::*;
use crate::{
    api::Wish,
    resources::resource::{Request, Resource, tests::resource},
};

/// A settlement that says something, and handles and reaches nothing.
const SAID: Progress = Progress {
    reached: ReachedChange::Keep,
    resume_handled: false,
    reconcile_handled: false,
    is_told: true,
};
/// A settlement that leaves what stands.
const LEFT: Progress = Progress { is_told: false, ..SAID };
/// A settlement that handles both requests.
const HANDLED: Progress = Progress { resume_handled: true, reconcile_handled: true, ..SAID };

/// A resource with this value in both request annotations, if any.
fn asking(value: Option<&str>, memory: Memory) -> Resource {
    let now = Instant::now();
    let request = || value.map(|value| Box::new(Request { value: value.into(), seen: now }));
    Resource { resume_request: request(), reconcile_request: request(), memory, ..resource(now) }
}

/// The resource after this progress.
fn after(progress: Progress, resource: Resource) -> Resource {
    Resource { memory: resource.memory.after(progress, &resource.asked()), ..resource }
}

#[test]
fn the_first_status_of_a_uid_handles_whatever_resume_request_it_finds() {
    let restored = asking(Some("from a backup"), Memory::default());
    let left = after(LEFT, restored.clone());
    assert_eq!(left.memory, Memory::default(), "nothing is handled before there is a status");

    let said = after(SAID, restored);
    assert!(said.memory.has_status);
    assert_eq!(said.memory.resume_handled.as_deref(), Some("from a backup"));
    assert!(said.resume_requested().is_none());
    assert!(said.reconcile_requested().is_some(), "to look again does no harm");
}

#[test]
fn after_the_first_status_only_a_settlement_handles_a_request() {
    let first = after(SAID, asking(None, Memory::default()));
    assert_eq!(first.memory, Memory { has_status: true, ..Memory::default() });

    let asks = asking(Some("now"), first.memory);
    assert!(asks.resume_requested().is_some() && asks.reconcile_requested().is_some());
    let unmet = after(SAID, asks.clone());
    assert!(unmet.resume_requested().is_some() && unmet.reconcile_requested().is_some());
    let met = after(HANDLED, asks);
    assert!(met.resume_requested().is_none() && met.reconcile_requested().is_none());
}

#[test]
fn to_take_an_annotation_away_and_put_it_back_is_no_new_request() {
    let asks = asking(Some("once"), Memory { has_status: true, ..Memory::default() });
    let met = after(HANDLED, asks);
    let taken_away = after(HANDLED, asking(None, met.memory));
    let put_back = asking(Some("once"), taken_away.memory);
    assert!(put_back.resume_requested().is_none() && put_back.reconcile_requested().is_none());
    let another = asking(Some("twice"), put_back.memory);
    assert!(another.resume_requested().is_some() && another.reconcile_requested().is_some());
}

#[test]
fn what_was_reached_is_kept_set_to_this_generation_or_cleared() {
    let older = Some(LastReached { desired: Wish::Active, generation: 0 });
    let memory = Memory { last_reached: older, ..Memory::default() };
    let reached = |reached| {
        after(Progress { reached, ..SAID }, asking(None, memory.clone())).memory.last_reached
    };
    assert_eq!(reached(ReachedChange::Keep), older);
    let this = LastReached { desired: Wish::Paused, generation: 1 };
    assert_eq!(reached(ReachedChange::Set), Some(this));
    assert_eq!(reached(ReachedChange::Clear), None);
}

#[test]
fn the_wish_of_a_generation_is_reached_once() {
    let reached = |wish, generation| Memory {
        last_reached: Some(LastReached { desired: wish, generation }),
        ..Memory::default()
    };
    let (first, second) = (reached(Wish::Active, 1), reached(Wish::Paused, 2));
    assert!(second.has_advanced(&first));
    assert!(!second.has_advanced(&second), "it says the same again");
    assert!(!first.has_advanced(&Memory::default()), "nobody knows since when it was asked for");
    assert!(!Memory::default().has_advanced(&first), "another resource decides now");
    assert!(!reached(Wish::Unmanaged, 2).has_advanced(&first), "it asks for nothing");
}

/// An unpause counts as soon as it succeeds: before any status says so, and for each wish that it answers. What
/// was asked for is done once, also if the platform pauses the deployment before the next look.
#[test]
fn an_unpause_that_succeeded_is_remembered_before_a_status_says_so() {
    let unpaused = Progress { reached: ReachedChange::Set, resume_handled: true, ..LEFT };
    let wants = |memory| Resource { wish: Wish::Active, ..asking(Some("now"), memory) };
    let from_paused = Memory {
        has_status: true,
        last_reached: Some(LastReached { desired: Wish::Paused, generation: 0 }),
        ..Memory::default()
    };
    let done = after(unpaused, wants(from_paused));
    assert!(done.resume_requested().is_none(), "the request is met");
    let reached = LastReached { desired: Wish::Active, generation: done.generation };
    assert_eq!(done.memory.last_reached, Some(reached), "nor does paused -> active ask any more");
    assert!(done.reconcile_requested().is_some(), "a write is no look");
    assert!(done.memory.has_status);

    let restored = after(unpaused, wants(Memory::default()));
    assert!(!restored.memory.has_status, "no status stands yet");
    assert!(restored.memory.resume_handled.is_some());
}
