//! One request at a time that tries whether a closed gate is open again: a rejected credential, an
//! open breaker. Each try has an owner: only its own end, or its being let go, makes room for the next.

/// Who tries.
#[derive(Debug, Default)]
pub struct Probe {
    under_way: Option<ProbeId>,
    last: u64,
}

/// One try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeId(u64);

impl Probe {
    /// Whether a try is under way.
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    pub fn begin(&mut self) -> ProbeId {
        self.last += 1;
        self.under_way = Some(ProbeId(self.last));
        ProbeId(self.last)
    }

    /// There is nothing to try any more. What is under way is not waited for, and its end says nothing about
    /// a later try.
    pub fn forget(&mut self) {
        self.under_way = None;
    }

    /// A request ends. Returns whether it was the try that is under way.
    pub fn end(&mut self, id: Option<ProbeId>) -> bool {
        let is_own = id.is_some() && id == self.under_way;
        if is_own {
            self.under_way = None;
        }
        is_own
    }
}
