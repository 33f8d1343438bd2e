//! What the properties are tried on: accounts of any shape, and how the API answers for them.

use std::{fmt, ops::RangeInclusive, time::Duration};

use proptest::{collection::vec, prelude::*};
use qoder_operator::times::Times;
use qoder_simulator::Dialect;

/// What the account has, and how the API answers.
#[derive(Clone)]
pub struct World {
    /// For each deployment, the oldest first: whether it is paused, and whether it is bound.
    pub deployments: Vec<(bool, bool)>,
    pub dialect: Dialect,
    /// With more entries than this, a page is over the limit in bytes.
    pub largest_page: usize,
    pub latency: Duration,
}

impl World {
    /// Of the newer dialect, without latency.
    pub fn of(deployments: Vec<(bool, bool)>, largest_page: usize) -> Self {
        Self { deployments, dialect: Dialect::D2, largest_page, latency: Duration::ZERO }
    }

    /// How many calls a list of so many entries takes, once the size of a page is known.
    pub fn pages(&self, entries: usize) -> usize {
        entries.div_ceil(self.page()).max(1)
    }

    /// Entries of a page, once its size is known.
    pub fn page(&self) -> usize {
        self.tried_pages(1000, self.deployments.len()).last().copied().unwrap_or_default()
    }

    /// The sizes of a page that are tried until one is right, from this one on and for so many entries.
    pub fn tried_pages(&self, first: usize, entries: usize) -> Vec<usize> {
        let is_refused = |page: usize| self.dialect == Dialect::D2 && page > 100;
        let is_over = |page: &usize| is_refused(*page) || *page.min(&entries) > self.largest_page;
        let smaller = |page: &usize| if is_refused(*page) { 100 } else { page / 2 };
        std::iter::successors(Some(first), |page| is_over(page).then(|| smaller(page))).collect()
    }

    /// How soon a demand is met while nothing is wrong. It is gathered with others. The list that
    /// is under way ends, another one is made for it, and what that one lacks gets a GET: so many at
    /// once, 50 a second, and each as long as an answer takes.
    pub fn promptly(&self) -> Duration {
        let all = u32::try_from(self.deployments.len()).unwrap();
        let count = self.deployments.len();
        let pages = self.pages(count) + self.tried_pages(1000, count).len();
        let list = (Times::PAGE_SPACING + self.latency) * u32::try_from(pages).unwrap();
        let gets = Duration::from_millis(20) * all + self.latency * all.div_ceil(16);
        (Times::DEMAND_DELAY + list) * 3 + gets
    }

    /// How many there are of a kind: whether paused, whether bound.
    pub fn count(&self, kind: impl Fn(bool, bool) -> bool) -> usize {
        self.deployments.iter().filter(|(is_paused, is_bound)| kind(*is_paused, *is_bound)).count()
    }
}

/// Short enough to read what a failed case was: `a` is active, `p` is paused, and capitals are bound.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.deployments.iter().map(|deployment| match deployment {
            (false, false) => 'a',
            (false, true) => 'A',
            (true, false) => 'p',
            (true, true) => 'P',
        });
        let Self { dialect, largest_page, latency, .. } = self;
        let letters: String = letters.collect();
        write!(f, "{letters} {dialect:?}, pages of {largest_page}, answers in {latency:?}")
    }
}

/// `count` cases, and none of them kept in a file: a case that has failed becomes a test by name.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(count) }
}

/// Accounts of any shape: nothing, all, half, hardly any or any part of them paused, and the same
/// of them bound, or only of those on one side.
pub fn worlds(
    sizes: RangeInclusive<usize>,
    latencies: RangeInclusive<u64>,
) -> impl Strategy<Value = World> {
    let share = || prop_oneof![Just(0.0), Just(1.0), Just(0.5), Just(0.02), 0.0..1.0];
    let side = prop::sample::select(vec![None, None, Some(true), Some(false)]);
    // Fewer pages that are too big than failures that open the breaker.
    let pages = [1000, 62].map(|page| (Dialect::D1, page));
    let small_pages = [1000, 31, 15].map(|page| (Dialect::D2, page));
    let pages = prop::sample::select([pages.as_slice(), &small_pages].concat());
    let worlds = (sizes, share(), (share(), side), pages, latencies);
    worlds.prop_flat_map(|(count, paused, (bound, side), (dialect, largest_page), latency)| {
        let deployment = (prop::bool::weighted(paused), prop::bool::weighted(bound));
        vec(deployment, count).prop_map(move |mut deployments| {
            for (is_paused, is_bound) in &mut deployments {
                *is_bound &= side.is_none_or(|side| side == *is_paused);
            }
            let latency = Duration::from_millis(latency);
            World { deployments, dialect, largest_page, latency }
        })
    })
}

/// The same, with everything bound.
pub fn bound_worlds(
    sizes: RangeInclusive<usize>,
    latencies: RangeInclusive<u64>,
) -> impl Strategy<Value = World> {
    worlds(sizes, latencies).prop_map(|mut world| {
        world.deployments.iter_mut().for_each(|(_, bound)| *bound = true);
        world
    })
}
