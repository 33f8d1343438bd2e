//! How far the deployments are bound that resources name: it decides from when on reads are worth it.

use tokio::time::{Instant, sleep_until};

use super::remote::Remote;

/// How many are bound while the resources are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Too few to tell what is cheap, or more than a look is needed.
    #[default]
    Few,
    /// [Many](crate::context::MANY) of them, and for each a status that answers what is asked for.
    Many,
    /// All that are named.
    All,
}

impl Remote {
    /// So many are many.
    #[must_use]
    pub fn many(&self) -> usize {
        self.context.many
    }

    /// Many are bound, and for each a status answers what is asked for.
    pub fn many_are_bound(&self) {
        self.bound.send_if_modified(|bound| {
            let is_news = *bound < Bound::Many;
            *bound = Bound::Many.max(*bound);
            is_news
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

    /// Returns at this time, if not all are bound by then.
    pub(super) async fn not_bound_by(&self, time: Instant) {
        sleep_until(time).await;
        if self.are_all_bound() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn are_all_bound(&self) -> bool {
        *self.bound.borrow() == Bound::All
    }
}
