//! What makes two worlds the same: everything but the names of moments and versions, of which only their order matters,
//! and how far apart moments are.
//!
//! A moment hashes as its seconds and its nanoseconds, and a version as a number from [`FIRST_VERSION`] on. So they can
//! be told from all else, and be replaced, without a second description of what is hashed.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use tokio::time::Instant;

/// Where versions begin. Far from what else is a number in a world.
pub const FIRST_VERSION: u64 = 1 << 40;

/// How many versions there may be in a world.
const VERSIONS: u64 = 1 << 20;

/// Moments less than this apart differ in their order only.
const APART: i128 = 1_000_000;

/// Hashes what it is told, and notes or replaces moments and versions.
struct Relative<'a> {
    /// While moments are noted, nothing is hashed.
    inner: Hashed,
    seconds: Option<i64>,
    /// The seconds of the first moment of a world.
    beginning: i64,
    noted: Noted<'a>,
}

enum Noted<'a> {
    Collecting { moments: &'a mut BTreeSet<i128>, versions: &'a mut BTreeSet<u64> },
    Replacing { moments: &'a BTreeMap<i128, (i128, usize)>, versions: &'a BTreeMap<u64, usize> },
}

/// [`DefaultHasher`], or nothing.
struct Hashed(Option<DefaultHasher>);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0.as_ref().map_or(0, DefaultHasher::finish)
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.0 {
            hasher.write(bytes);
        }
    }
}

impl Hasher for Relative<'_> {
    fn finish(&self) -> u64 {
        self.inner.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.inner.write(bytes);
    }

    fn write_i64(&mut self, n: i64) {
        if n >= self.beginning {
            self.seconds = Some(n);
        } else {
            self.inner.write_i64(n);
        }
    }

    fn write_u32(&mut self, n: u32) {
        let Some(seconds) = self.seconds.take() else {
            self.inner.write_u32(n);
            return;
        };
        let moment = i128::from(seconds) * 1_000_000_000 + i128::from(n);
        match &mut self.noted {
            Noted::Collecting { moments, .. } => {
                moments.insert(moment);
            }
            Noted::Replacing { moments, .. } => moments.get(&moment).hash(&mut self.inner),
        }
    }

    fn write_u64(&mut self, n: u64) {
        if !(FIRST_VERSION..FIRST_VERSION + VERSIONS).contains(&n) {
            self.inner.write_u64(n);
            return;
        }
        match &mut self.noted {
            Noted::Collecting { versions, .. } => {
                versions.insert(n);
            }
            Noted::Replacing { versions, .. } => versions.get(&n).hash(&mut self.inner),
        }
    }
}

/// The same for two worlds that differ in nothing that could matter.
pub fn fingerprint(world: &impl Hash, now: Instant, beginning: Instant) -> u64 {
    let beginning = seconds(beginning);
    let (moments, versions) = noted(world, beginning);
    let (of_now, _) = noted(&now, beginning);
    let now = of_now.first().copied().unwrap_or_default();
    let distance = |moment: i128| (moment - now + APART / 2).div_euclid(APART);
    let moments = moments.into_iter().enumerate();
    let moments = moments.map(|(order, moment)| (moment, (distance(moment), order))).collect();
    let versions =
        versions.into_iter().enumerate().map(|(order, version)| (version, order)).collect();
    let noted = Noted::Replacing { moments: &moments, versions: &versions };
    let mut hasher =
        Relative { inner: Hashed(Some(DefaultHasher::new())), seconds: None, beginning, noted };
    world.hash(&mut hasher);
    hasher.finish()
}

/// The moments and the versions in something.
fn noted(all: &impl Hash, beginning: i64) -> (BTreeSet<i128>, BTreeSet<u64>) {
    let (mut moments, mut versions) = (BTreeSet::new(), BTreeSet::new());
    let noted = Noted::Collecting { moments: &mut moments, versions: &mut versions };
    all.hash(&mut Relative { inner: Hashed(None), seconds: None, beginning, noted });
    (moments, versions)
}

/// How the seconds of a moment hash.
fn seconds(moment: Instant) -> i64 {
    struct Seconds(i64);
    impl Hasher for Seconds {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, _: &[u8]) {}
        fn write_i64(&mut self, n: i64) {
            self.0 = n;
        }
    }
    let mut seconds = Seconds(0);
    moment.hash(&mut seconds);
    seconds.0
}
