//! What was sent and may still take effect, and what a read has to be later than to count.

use tokio::time::Instant;

use super::Writes;
use crate::{qoder::Verb, times::Times};

impl Writes {
    /// A read has to have started after this to count: after the last write, and after the end of the last
    /// lost one that can land no more.
    #[must_use]
    pub fn valid_since(&self, now: Instant) -> Option<Instant> {
        let lost = [self.pause_lands_until, self.unpause_lands_until];
        let over = lost.into_iter().flatten().filter(|end| now >= *end);
        over.chain(self.last.as_ref().map(|(ended, _)| *ended)).max()
    }

    /// W and G: a request of this verb is on its way, or was lost and may still take effect.
    #[must_use]
    pub fn may_land(&self, verb: Verb, now: Instant) -> bool {
        let until = match verb {
            Verb::Pause => self.pause_lands_until,
            Verb::Unpause => self.unpause_lands_until,
        };
        until.is_some_and(|until| now < until)
            || self.under_way.is_some_and(|(under_way, _)| under_way == verb)
    }

    /// Until when one that is on its way, or was lost, may still take effect.
    #[must_use]
    pub fn may_land_until(&self, now: Instant, times: &Times) -> Option<Instant> {
        let under_way = self.under_way.map(|_| now + times.request_lifetime());
        [self.pause_lands_until, self.unpause_lands_until, under_way].into_iter().flatten().max()
    }

    /// When the first of the lost requests that may still take effect can do so no more.
    #[must_use]
    pub fn lands_until(&self, now: Instant) -> Option<Instant> {
        let ends = [self.pause_lands_until, self.unpause_lands_until];
        ends.into_iter().flatten().filter(|end| now < *end).min()
    }
}
