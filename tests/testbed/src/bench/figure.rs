//! One measured figure, the bar that it is held to, and what it is said to be.

use std::fmt;

use serde::Serialize;

use super::promise::AtMost;

/// What a bar asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
}

/// Whether a figure is the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Of calls: a missed bar fails the run.
    Count,
    /// Of time or memory: a missed bar is marked, for the machine may have been busy.
    Measure,
}

/// A figure, as the report has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figure {
    pub(super) what: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) kind: Kind,
    pub(super) bar: Option<Bar>,
    pub(super) stretch: Option<f64>,
    /// What `value` was made of, in the order of measuring.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) samples: Vec<f64>,
}

impl Figure {
    /// A number of calls.
    #[allow(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    pub(super) fn count(what: &'static str, calls: usize) -> Self {
        Self::new(what, calls as f64, "", Kind::Count)
    }

    /// Calls per something, which is a count still: 1 means exactly one each.
    #[allow(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    pub(super) fn ratio(what: &'static str, calls: usize, each: usize) -> Self {
        Self::new(what, calls as f64 / each as f64, "", Kind::Count)
    }

    /// Calls, scaled to an hour.
    #[allow(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    pub(super) fn in_an_hour(what: &'static str, calls: usize, hours: f64) -> Self {
        Self::new(what, calls as f64 / hours, "", Kind::Count)
    }

    /// Anything that depends on the machine.
    pub(super) fn measure(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self::new(what, value, unit, Kind::Measure)
    }

    /// The `percent` percentile of samples; none without samples.
    pub(super) fn percentile(
        what: &'static str,
        percent: usize,
        samples: &[f64],
        unit: &'static str,
    ) -> Option<Self> {
        let value = percentile(samples, percent)?;
        Some(Self::measure(what, value, unit).samples(samples.to_vec()))
    }

    fn new(what: &'static str, value: f64, unit: &'static str, kind: Kind) -> Self {
        Self { what, value, unit, kind, bar: None, stretch: None, samples: Vec::new() }
    }

    pub(super) fn bar(mut self, bar: Bar) -> Self {
        self.bar = Some(bar);
        self
    }

    /// A bar of at most so much, and what would be better still.
    pub(super) fn at_most(mut self, (bar, stretch): AtMost) -> Self {
        self.bar = Some(Bar::AtMost(bar));
        self.stretch = stretch;
        self
    }

    pub(super) fn stretch(mut self, stretch: f64) -> Self {
        self.stretch = Some(stretch);
        self
    }

    /// What it was made of.
    pub(super) fn samples(mut self, samples: Vec<f64>) -> Self {
        self.samples = samples;
        self
    }

    /// Whether it misses its bar.
    pub(super) fn misses(&self) -> bool {
        self.bar.is_some_and(|bar| match bar {
            Bar::AtMost(bar) => self.value > bar,
            Bar::AtLeast(bar) => self.value < bar,
            #[allow(clippy::float_cmp, reason = "counts are whole numbers, which are exact")]
            Bar::Exactly(bar) => self.value != bar,
        })
    }
}

/// The smallest sample that `percent` percent of the samples do not exceed.
pub(super) fn percentile(samples: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bar) => write!(f, "<= {}", Number(*bar)),
            Self::AtLeast(bar) => write!(f, ">= {}", Number(*bar)),
            Self::Exactly(bar) => write!(f, "{}", Number(*bar)),
        }
    }
}

/// A number as a person wants to read it: whole, or with three significant digits.
pub(super) struct Number(pub(super) f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        let digits = match size {
            _ if self.0.fract() == 0.0 || size >= 100.0 => 0,
            _ if size >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{:.digits$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&samples, 50), Some(100.0));
        assert_eq!(percentile(&samples, 95), Some(190.0));
        assert_eq!(percentile(&[7.0], 95), Some(7.0));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn bars_are_met_at_their_edge() {
        let three = || Figure::count("three", 3);
        assert!(!three().bar(Bar::AtMost(3.0)).misses() && three().bar(Bar::AtMost(2.0)).misses());
        assert!(
            !three().bar(Bar::AtLeast(3.0)).misses() && three().bar(Bar::AtLeast(4.0)).misses()
        );
        assert!(
            !three().bar(Bar::Exactly(3.0)).misses() && three().bar(Bar::Exactly(0.0)).misses()
        );
        assert!(!three().misses());
    }

    #[test]
    fn numbers_are_short() {
        let all = [3.0, 12_345.6, 12.34, 1.006, -2.5].map(|number| Number(number).to_string());
        assert_eq!(all, ["3", "12346", "12.3", "1.01", "-2.50"]);
    }
}
