//! What to read, at the fewest calls: a GET for each, a full list, or a list of the rarer half.
//! Pure: chosen anew each time from what is wanted and how big the account is.

use crate::qoder::Scope;

/// Where a deployment is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the list of the active ones, and in the full list.
    Active,
    /// In the list of the paused ones, and in the full list.
    Paused,
    /// In the full list, as far as anyone knows: never seen, or of an unknown status.
    Full,
    /// In no list: archived, gone, out of reach; or a list that should have shown it did not.
    Nowhere,
}

impl Place {
    /// Whether a list of this scope is expected to show it.
    #[must_use]
    pub fn is_in(self, scope: Scope) -> bool {
        match scope {
            Scope::Live => self != Self::Nowhere,
            Scope::Active => self == Self::Active,
            Scope::Paused => self == Self::Paused,
        }
    }
}

/// How many deployments are wanted, by place; those that are in no list aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// [`Place::Active`].
    pub active: usize,
    /// [`Place::Paused`].
    pub paused: usize,
    /// [`Place::Full`].
    pub full: usize,
}

impl FromIterator<Place> for Wanted {
    fn from_iter<T: IntoIterator<Item = Place>>(places: T) -> Self {
        let mut wanted = Self::default();
        for place in places {
            match place {
                Place::Active => wanted.active += 1,
                Place::Paused => wanted.paused += 1,
                Place::Full => wanted.full += 1,
                Place::Nowhere => {}
            }
        }
        wanted
    }
}

impl Wanted {
    fn total(self) -> usize {
        self.active + self.paused + self.full
    }

    /// How many a list of this scope leaves to GETs.
    fn besides(self, scope: Scope) -> usize {
        match scope {
            Scope::Live => 0,
            Scope::Active => self.paused + self.full,
            Scope::Paused => self.active + self.full,
        }
    }
}

/// How many live deployments the account has, as the last lists have shown, and how many of them
/// a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// All.
    pub live: usize,
    /// Those with `status: active`.
    pub active: usize,
    /// Those with `status: paused`.
    pub paused: usize,
    /// Entries of a page.
    pub page: usize,
}

impl Size {
    fn pages(self, scope: Scope) -> usize {
        let entries = match scope {
            Scope::Live => self.live,
            Scope::Active => self.active,
            Scope::Paused => self.paused,
        };
        entries.div_ceil(self.page.max(1)).max(1)
    }
}

/// What is to be achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Observe exactly these.
    Demanded,
    /// Notice what has changed among these: the absence of a change in the one half is as good as
    /// its presence in the other.
    Changes,
    /// Observe all of these.
    Everything,
}

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing is wanted.
    Nothing,
    /// A GET for each.
    Gets,
    /// A list, and a GET for each that is wanted and that it is not expected to show.
    List(Scope),
}

/// The plan with the fewest calls. Between equals, the one that shows more.
#[must_use]
pub fn plan(need: Need, wanted: Wanted, size: Size) -> Plan {
    if wanted.total() == 0 {
        return Plan::Nothing;
    }
    let scopes: &[Scope] = match need {
        Need::Everything => &[Scope::Live],
        Need::Demanded | Need::Changes => &[Scope::Live, Scope::Paused, Scope::Active],
    };
    let lists = scopes.iter().map(|scope| Plan::List(*scope));
    let plans = std::iter::once(Plan::Gets).chain(lists);
    // `min_by_key` keeps the first of equals.
    plans.min_by_key(|plan| calls(*plan, need, wanted, size)).unwrap_or(Plan::Gets)
}

/// How many calls a plan takes, as far as can be expected.
fn calls(plan: Plan, need: Need, wanted: Wanted, size: Size) -> usize {
    match (plan, need) {
        (Plan::Nothing, _) => 0,
        (Plan::Gets, _) => wanted.total(),
        // Those that could be nowhere else were never seen, or have a status that no half has.
        (Plan::List(Scope::Live), _) => size.pages(Scope::Live),
        (Plan::List(scope), Need::Changes) => size.pages(scope) + wanted.full,
        (Plan::List(scope), _) => size.pages(scope) + wanted.besides(scope),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
