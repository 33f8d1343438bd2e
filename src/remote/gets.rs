//! The GETs under way: each for one deployment, a few at once.

use std::collections::BTreeMap;

use tokio::{
    task::{self, JoinError, JoinSet},
    time::Instant,
};

use crate::{api::DeploymentId, times::Times};

/// GETs under way at once.
pub const GETS_AT_ONCE: usize = 16;

/// The GETs under way.
#[derive(Default)]
pub struct Gets {
    tasks: JoinSet<()>,
    under_way: BTreeMap<task::Id, Get>,
}

struct Get {
    id: DeploymentId,
    /// When it counts as hanging.
    hangs_at: Instant,
}

impl Gets {
    /// Lets one run.
    pub fn begin(&mut self, id: DeploymentId, get: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(get);
        let hangs_at = Instant::now() + Times::STANDSTILL;
        self.under_way.insert(task.id(), Get { id, hangs_at });
    }

    /// Returns when one has ended, and of which deployment it was, if it panicked.
    pub async fn ended(&mut self) -> Option<(DeploymentId, JoinError)> {
        match self.tasks.join_next_with_id().await {
            None => std::future::pending().await,
            Some(Ok((task, ()))) => {
                self.under_way.remove(&task);
                None
            }
            Some(Err(error)) => Some((self.under_way.remove(&error.id())?.id, error)),
        }
    }

    /// Whether one of this deployment is under way.
    pub fn has(&self, id: &DeploymentId) -> bool {
        self.under_way.values().any(|get| get.id == *id)
    }

    /// How many may begin, where at most so many are to be under way. One that hangs keeps no other from being the
    /// one that shows something.
    pub fn room(&self, most: usize, now: Instant) -> usize {
        let young = self.young(now).count();
        most.saturating_sub(young).min(GETS_AT_ONCE.saturating_sub(self.under_way.len()))
    }

    /// When the next of them counts as hanging.
    pub fn next_hang(&self, now: Instant) -> Option<Instant> {
        self.young(now).min()
    }

    fn young(&self, now: Instant) -> impl Iterator<Item = Instant> {
        self.under_way.values().map(|get| get.hangs_at).filter(move |at| *at > now)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use super::*;
    use crate::remote::fixtures::id;

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_makes_room_for_another_and_all_together_are_sixteen() {
        let mut gets = Gets::default();
        let start = Instant::now();
        assert_eq!((gets.room(1, start), gets.next_hang(start)), (1, None));
        gets.begin(id(1), pending());
        let hangs = start + Times::STANDSTILL;
        assert_eq!((gets.room(1, start), gets.next_hang(start)), (0, Some(hangs)));
        assert_eq!((gets.room(1, hangs), gets.next_hang(hangs)), (1, None));
        assert!(gets.has(&id(1)) && !gets.has(&id(2)));
        (2..17).for_each(|n| gets.begin(id(n), pending()));
        assert_eq!(gets.room(GETS_AT_ONCE, hangs + Duration::from_secs(9)), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_ends_is_forgotten_and_one_that_panics_is_named() {
        let mut gets = Gets::default();
        gets.begin(id(1), async {});
        assert!(gets.ended().await.is_none());
        gets.begin(id(2), async { panic!("planted") });
        assert_eq!(gets.ended().await.unwrap().0, id(2));
        assert!(!gets.has(&id(1)) && !gets.has(&id(2)));
    }
}
