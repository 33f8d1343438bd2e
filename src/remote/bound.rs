//! How far the deployments are bound that resources name: it decides from when on reads are worth it.

use tokio::time::Instant;

use super::{remote::Remote, state::LARGEST_PAGE};

/// How many are bound while the resources are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Which reads are cheap depends on what else is named.
    #[default]
    Some,
    /// A page is full of those that were known before: whatever else is named, a list is cheap, and few will need a look
    /// besides.
    Many,
    /// All that are named.
    All,
}

impl Remote {
    /// Notes how many are bound that were known before.
    pub(super) fn note_known(&self, known: usize) {
        let many = if known < LARGEST_PAGE { Bound::Some } else { Bound::Many };
        self.bound.send_if_modified(|bound| {
            let is_more = *bound < many;
            *bound = many.max(*bound);
            is_more
        });
    }

    /// Every deployment is bound that a resource names, as far as the first lists have shown.
    pub fn all_are_bound(&self) {
        self.state().cache.all_are_bound(Instant::now());
        self.bound.send_replace(Bound::All);
    }

    /// Returns when at least so many are bound.
    pub(super) async fn until_bound(&self, least: Bound) {
        // The sender lives here.
        let _ = self.bound.subscribe().wait_for(|bound| *bound >= least).await;
    }

    pub(super) fn is_all_bound(&self) -> bool {
        *self.bound.borrow() == Bound::All
    }
}
