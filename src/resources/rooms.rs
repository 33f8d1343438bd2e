//! How many statuses may be on their way: a few in each namespace, and who waits there for one to end. Pure.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    api::DeploymentId,
    fair_queue::{FairQueue, Lane},
};

/// How many statuses of one namespace may be on their way at once. While none hangs, fewer are: a worker waits for
/// those that it has begun.
pub const STATUSES_AT_ONCE: usize = 32;

/// The namespaces that have statuses on their way, or someone who waits for that.
#[derive(Debug, Clone, Default)]
pub struct Rooms(BTreeMap<Arc<str>, Room>);

#[derive(Debug, Clone, Default)]
struct Room {
    on_their_way: usize,
    waiting: FairQueue<DeploymentId>,
}

impl Rooms {
    /// One more status of this namespace is on its way, if there is room. Else the deployment waits for some.
    pub fn enter(&mut self, namespace: &Arc<str>, id: &DeploymentId, lane: Lane) -> bool {
        let room = self.0.entry(namespace.clone()).or_default();
        let is_free = room.is_free();
        if is_free {
            room.on_their_way += 1;
        } else {
            room.waiting.push(id.clone(), lane, namespace);
        }
        is_free
    }

    /// A status that was on its way in this namespace has ended, however.
    pub fn leave(&mut self, namespace: &Arc<str>) {
        if let Some(room) = self.0.get_mut(namespace) {
            room.on_their_way = room.on_their_way.saturating_sub(1);
        }
    }

    /// Whose turn has come, at most one of each namespace. They wait no more, whatever they do with the room: whoever
    /// takes them asks for the next ones then. Those that are not `bound` any more are passed over.
    pub fn next(&mut self, is_bound: impl Fn(&DeploymentId) -> bool) -> Vec<DeploymentId> {
        let mut next = Vec::new();
        self.0.retain(|_, room| {
            if room.is_free() {
                next.extend(std::iter::from_fn(|| room.waiting.pop()).find(|id| is_bound(id)));
            }
            room.on_their_way > 0 || !room.waiting.is_empty()
        });
        next
    }
}

impl Room {
    fn is_free(&self) -> bool {
        self.on_their_way < STATUSES_AT_ONCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> DeploymentId {
        DeploymentId::try_from(format!("dep_{n}").as_str()).unwrap()
    }

    fn crowded(namespace: &Arc<str>) -> Rooms {
        let mut rooms = Rooms::default();
        for n in 0..STATUSES_AT_ONCE {
            assert!(rooms.enter(namespace, &id(n), Lane::Report));
        }
        rooms
    }

    #[test]
    fn each_namespace_has_its_own_room_and_nothing_is_left_of_it() {
        let (busy, calm) = (Arc::from("busy"), Arc::from("calm"));
        let mut rooms = crowded(&busy);
        assert!(!rooms.enter(&busy, &id(40), Lane::Report));
        assert!(rooms.enter(&calm, &id(41), Lane::Report));
        rooms.leave(&calm);
        rooms.leave(&calm);
        assert_eq!(rooms.next(|_| true), []);
        for _ in 0..STATUSES_AT_ONCE {
            rooms.leave(&busy);
        }
        assert_eq!(rooms.next(|_| true), [id(40)]);
        assert_eq!(rooms.next(|_| true), []);
        assert!(rooms.0.is_empty());
    }

    #[test]
    fn who_waits_comes_next_by_lane_and_whoever_does_not_use_the_room_leaves_it_to_the_next() {
        let busy = Arc::from("busy");
        let mut rooms = crowded(&busy);
        for (n, lane) in
            [(50, Lane::Report), (51, Lane::Report), (52, Lane::Spec), (53, Lane::Report)]
        {
            assert!(!rooms.enter(&busy, &id(n), lane));
        }
        assert_eq!(rooms.next(|_| true), [], "there is no room");
        rooms.leave(&busy);
        assert_eq!(rooms.next(|_| true), [id(52)], "a person waits");
        assert_eq!(rooms.next(|one| *one != id(50)), [id(51)], "one is gone");
        assert!(rooms.enter(&busy, &id(51), Lane::Report));
        assert_eq!(rooms.next(|_| true), [], "it is taken");
    }
}
