//! What was sent of a resource's status, and is not known to stand. Pure.

/// How many statuses of one resource are remembered, at most, that nothing has confirmed.
const MOST_UNCONFIRMED: usize = 8;

/// The statuses that were sent since one stood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Their digests: their echo may come late.
    unconfirmed: Vec<u64>,
    /// One is on its way.
    is_under_way: bool,
    /// How many have failed in a row.
    failures: u32,
}

impl Sent {
    /// One of this digest is on its way.
    pub fn begin(&mut self, digest: u64) {
        self.is_under_way = true;
        self.unconfirmed.retain(|other| *other != digest);
        self.unconfirmed.push(digest);
        let too_many = self.unconfirmed.len().saturating_sub(MOST_UNCONFIRMED);
        self.unconfirmed.drain(..too_many);
    }

    /// It failed: it may stand or not. Returns how often in a row one had failed before.
    pub fn fail(&mut self) -> u32 {
        self.is_under_way = false;
        let before = self.failures;
        self.failures = before.saturating_add(1);
        before
    }

    /// Whether one of this digest was sent.
    #[must_use]
    pub fn has(&self, digest: u64) -> bool {
        self.unconfirmed.contains(&digest)
    }

    /// Whether one is on its way.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.is_under_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_has_confirmed_is_remembered_up_to_a_bound() {
        let mut sent = Sent::default();
        (0..20).for_each(|digest| sent.begin(digest));
        assert_eq!(sent.unconfirmed, (12..20).collect::<Vec<_>>(), "the last eight");
        sent.begin(13);
        assert_eq!(sent.unconfirmed, [12, 14, 15, 16, 17, 18, 19, 13], "each once, the last last");
        assert!(sent.has(12) && !sent.has(11));
        sent.fail();
        assert!(sent.has(13), "its echo may still come");
    }
}
