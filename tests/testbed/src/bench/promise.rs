//! What the project promises of a fleet, by its size: the bars that depend on it.

use super::simulator::Dialect;

/// A bar, and what would be better still.
pub(super) type AtMost = (f64, Option<f64>);

/// The bars of a fleet of this size, and of smaller ones.
pub(super) struct Promise {
    pub(super) resources: usize,
    /// Reads in an idle hour, of exactly this size. `None`: a little more than what the plan costs.
    idle_reads: [Option<AtMost>; 2],
    /// Seconds of processor time in an idle hour.
    pub(super) idle_cpu: AtMost,
    /// Resident memory in MiB, when idle, and at most.
    pub(super) resident: AtMost,
    /// See `resident`.
    pub(super) peak: AtMost,
    /// Seconds until all is known after a restart.
    restart: [AtMost; 2],
}

/// The fleet that most bars are about.
pub(super) const WHOLE: usize = 10_000;
/// The first adoption, in units of plain applies. Of less than [`WHOLE`] it is the start of the process that takes the time.
pub(super) const ADOPTION: f64 = 1.3;
/// How much longer a flip may take with more than [`WHOLE`].
pub(super) const SLOWER: f64 = 1.2;

/// The smallest fleet first. Of two figures the first is of `d1`, the other of `d2`.
const PROMISES: [Promise; 2] = [
    Promise {
        resources: WHOLE,
        idle_reads: [Some((250.0, Some(200.0))), Some((900.0, Some(750.0)))],
        idle_cpu: (4.0, Some(1.5)),
        resident: (18.0, None),
        peak: (21.0, None),
        restart: [(3.0, None), (13.0, None)],
    },
    Promise {
        resources: 100_000,
        idle_reads: [Some((1900.0, Some(750.0))), None],
        idle_cpu: (10.0, None),
        resident: (150.0, None),
        peak: (150.0, None),
        // A thousand pages, 100 ms apart.
        restart: [(20.0, None), (130.0, None)],
    },
];

impl Promise {
    /// That of a fleet of this size: the one of the largest where it is larger still.
    pub(super) fn of(resources: usize) -> &'static Self {
        let [smaller, largest] = &PROMISES;
        if resources <= smaller.resources { smaller } else { largest }
    }

    pub(super) fn idle_reads(&self, resources: usize, dialect: Dialect) -> Option<AtMost> {
        let promised = pick(self.idle_reads, dialect);
        promised.filter(|_| resources == self.resources)
    }

    pub(super) fn restart(&self, dialect: Dialect) -> AtMost {
        pick(self.restart, dialect)
    }
}

fn pick<T>([d1, d2]: [T; 2], dialect: Dialect) -> T {
    match dialect {
        Dialect::D1 => d1,
        Dialect::D2 => d2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_has_the_bars_of_the_next_size_and_its_own_reads() {
        for (resources, of) in [(100, WHOLE), (WHOLE, WHOLE), (20_000, 100_000), (200_000, 100_000)]
        {
            assert_eq!(Promise::of(resources).resources, of, "{resources}");
        }
        let reads = |resources, dialect| Promise::of(resources).idle_reads(resources, dialect);
        assert_eq!(reads(WHOLE, Dialect::D1), Some((250.0, Some(200.0))));
        assert_eq!(reads(WHOLE, Dialect::D2), Some((900.0, Some(750.0))));
        assert_eq!(reads(100_000, Dialect::D1), Some((1900.0, Some(750.0))));
        assert_eq!(reads(100_000, Dialect::D2), None);
        assert_eq!(reads(1000, Dialect::D2), None);
    }
}
