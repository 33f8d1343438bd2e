//! Pages that are read while not all are bound: what they show is put off until then.

use std::{mem, pin::pin};

use tokio::time::Instant;

use super::{
    bound::Bound,
    calls::{Called, Read},
    observation::Trouble,
    observer::Observer,
};
use crate::qoder::{Item, ListQuery, Page};

/// What was put off.
pub(super) type Ahead = Vec<(Item, Read)>;

/// So many entries are put off at most, a few hundred bytes each: an account may have far more than resources name.
const MOST_AHEAD: usize = 100_000;

impl Observer {
    /// The next page of the list that began then. What was put off is not held up by it.
    pub(super) async fn next_page(
        &self,
        query: &ListQuery,
        started: Instant,
        ahead: &mut Ahead,
    ) -> Option<Called<Page>> {
        if ahead.len() >= MOST_AHEAD {
            self.remote.until_bound(Bound::All).await;
        }
        let mut page = pin!(self.page(query, started));
        tokio::select! {
            biased;
            called = &mut page => return called,
            () = self.remote.until_bound(Bound::All) => {}
        }
        self.take([], ahead);
        page.await
    }

    /// Takes in what pages have shown, once all are bound.
    pub(super) fn take(&self, shown: impl IntoIterator<Item = (Item, Read)>, ahead: &mut Ahead) {
        let was_put_off = !ahead.is_empty();
        ahead.extend(shown);
        if self.remote.are_all_bound() {
            for (item, read) in mem::take(ahead) {
                self.show(item, read);
            }
            if was_put_off {
                // What contradicts a status needs another look.
                self.remote.plan_again();
            }
        }
    }

    fn show(&self, item: Item, read: Read) {
        match item {
            Item::Deployment(id, deployment) => self.shown(&id, deployment, read),
            Item::Invalid(id) => self.failed(&[id], Trouble::INVALID, read.started),
        }
    }
}
