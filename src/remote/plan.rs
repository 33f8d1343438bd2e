//! What to read, with the fewest calls: a GET for each, a full list, or a list of the rarer half.
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

/// How many deployments are wanted, by place, without those that are in no list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Wanted {
    pub active: usize,
    pub paused: usize,
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
    /// The most entries that the API lets a page have.
    pub largest_page: usize,
    /// Whether lists are worth a try.
    pub lists: Lists,
}

/// Whether lists are worth a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// They are, as far as anyone knows.
    Work,
    /// The last one failed: one GET shows whether it is the API or only its lists.
    Failed {
        /// Its answer says something about lists, and not about whether the API is there.
        is_answer: bool,
        /// That one GET was sent.
        is_explored: bool,
    },
    /// The last one failed, and a GET was answered since: the next list shows which of the two it was.
    Doubtful,
    /// Lists fail while GETs are answered. Only polls try one.
    Useless {
        /// How many GETs in a row something else has answered.
        misled: u32,
    },
}

/// When something else has answered so many GETs in a row, it may answer lists as well.
const MISLED: u32 = 8;

impl Lists {
    const USELESS: Self = Self::Useless { misled: 0 };

    /// Lists fail while GETs are answered.
    #[must_use]
    pub fn are_useless(self) -> bool {
        matches!(self, Self::Useless { .. })
    }

    /// A GET was answered since the last list failed.
    #[must_use]
    pub fn are_to_blame(self) -> bool {
        matches!(self, Self::Doubtful | Self::Useless { .. })
    }

    /// A list came to its end.
    pub fn ended(&mut self) {
        *self = Self::Work;
    }

    pub fn failed(&mut self, is_answer: bool) {
        *self = match *self {
            Self::Work | Self::Failed { .. } => Self::Failed { is_answer, is_explored: false },
            Self::Doubtful => Self::USELESS,
            Self::Useless { .. } => *self,
        };
    }

    /// One GET is sent, to see.
    pub fn explored(&mut self) {
        if let Self::Failed { is_explored, .. } = self {
            *is_explored = true;
        }
    }

    /// That GET has shown nothing, or no list comes for a while: another GET may show what it is.
    pub fn unexplored(&mut self) {
        if let Self::Failed { is_explored, .. } = self {
            *is_explored = false;
        }
    }

    pub fn get_answered(&mut self) {
        *self = match *self {
            Self::Failed { is_answer: false, .. } => Self::Doubtful,
            Self::Failed { is_answer: true, .. } | Self::Useless { .. } => Self::USELESS,
            Self::Work | Self::Doubtful => return,
        };
    }

    /// A GET was answered by something that is not the API. One may go astray; if all do, lists are not to blame.
    pub fn get_misled(&mut self) {
        if let Self::Useless { misled } = self {
            *misled += 1;
            if *misled >= MISLED {
                *self = Self::Failed { is_answer: true, is_explored: false };
            }
        }
    }
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
    /// Notice what has changed among these: what enters or leaves the half that is listed has left or
    /// entered the other one.
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
    /// A GET for one of them, which shows whether only lists fail.
    Explore,
    /// Nothing until the next poll, or for a minute: the API does not answer.
    Wait,
}

/// The plan with the fewest calls. Between equals, the one that shows more.
#[must_use]
pub fn plan(need: Need, wanted: Wanted, size: Size) -> Plan {
    if wanted.total() == 0 {
        return Plan::Nothing;
    }
    let scopes: &[Scope] = match (need, size.lists) {
        (Need::Demanded, Lists::Failed { is_explored: false, .. }) => return Plan::Explore,
        (Need::Demanded, Lists::Failed { is_explored: true, .. }) => return Plan::Wait,
        (Need::Demanded, Lists::Useless { .. }) => return Plan::Gets,
        (Need::Everything, _) => &[Scope::Live],
        (Need::Demanded | Need::Changes, _) => &[Scope::Live, Scope::Paused, Scope::Active],
    };
    let lists = scopes.iter().map(|scope| Plan::List(*scope));
    let plans = std::iter::once(Plan::Gets).chain(lists);
    // `min_by_key` keeps the first of equals.
    plans.min_by_key(|plan| calls(*plan, need, wanted, size)).unwrap_or(Plan::Gets)
}

/// How many calls a plan takes, as far as can be expected.
fn calls(plan: Plan, need: Need, wanted: Wanted, size: Size) -> usize {
    match (plan, need) {
        (Plan::Nothing | Plan::Explore | Plan::Wait, _) => 0,
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
