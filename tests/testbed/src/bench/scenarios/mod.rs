//! The scenarios: each does one thing to the fleet and says what it cost.

mod adoption;
mod cutoff;
mod drift;
mod everything;
mod flips;
mod idle;
mod limit;
mod restart;
mod takeover;

use std::time::Duration;

pub(super) use adoption::adoption;
pub(super) use cutoff::cutoff;
pub(super) use drift::drift;
pub(super) use everything::everything;
pub(super) use flips::flips;
pub(super) use idle::idle;
pub(super) use limit::limit;
pub(super) use restart::restart;
pub(super) use takeover::takeover;

use super::simulator::{Call, Simulator, WRITES_PER_SECOND};
use super::stage::{Edit, PAUSED, Stage, Target};
use crate::Result;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Scenario {
    /// Resources that exist, and are in sync, before the operator starts
    Adoption,
    /// Nothing happens
    Idle,
    /// One flip at a time, and nothing else
    Flip,
    /// All flip at once, and some in a namespace of their own again and again
    FlipAll,
    /// 1 % drift at once
    Drift,
    /// The API allows 5 writes a second for a minute while 2,000 flip
    Limit,
    /// The operator stops and starts
    Restart,
    /// The leader of two replicas stops
    Takeover,
    /// The operator is cut off from the API server for a minute
    Cutoff,
}

/// How often the operator polls, by default.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// Twice what the writes of the whole fleet take at the vendor's limit, and some minutes more for
/// those who are slower than it.
fn deadline(stage: &Stage) -> Duration {
    Duration::from_secs(300) + seconds_of_writes(stage.resources()).mul_f64(2.0)
}

/// How long so many writes take at the vendor's limit.
fn seconds_of_writes(writes: usize) -> Duration {
    Duration::from_secs(1).mul_f64(count(writes) / f64::from(WRITES_PER_SECOND))
}

/// One flip, waited for.
struct Flip {
    id: String,
    edited: Edit,
    ready: std::time::Instant,
}

impl Flip {
    async fn of(stage: &Stage, target: &Target) -> Result<Self> {
        Self::when_ready(stage, target, stage.flip(target).await?).await
    }

    async fn when_ready(stage: &Stage, target: &Target, edited: Edit) -> Result<Self> {
        let ready = stage.watched.ready(&target.name, edited.generation, deadline(stage)).await?;
        Ok(Self { id: target.id.clone(), edited, ready })
    }
}

/// For each flip, in milliseconds, from the end of the PATCH to the arrival of its POST. Flips of
/// one deployment have their POSTs in the same order.
fn to_post(simulator: &Simulator, flips: &[Flip], calls: &[Call]) -> Vec<f64> {
    let posts = posts_of(flips, calls);
    let of =
        |(flip, post): (&Flip, &Call)| signed_ms(simulator.instant(post.at()), flip.edited.done);
    flips.iter().zip(posts).filter_map(|(flip, post)| Some(of((flip, post?)))).collect()
}

/// For each flip its POST.
fn posts_of<'a>(flips: &[Flip], calls: &'a [Call]) -> Vec<Option<&'a Call>> {
    let mut used = std::collections::HashMap::<&str, usize>::new();
    let nth_post = |id: &str, nth: usize| {
        calls.iter().filter(|call| call.is_write() && call.id.as_deref() == Some(id)).nth(nth)
    };
    let mut posts = Vec::new();
    for flip in flips {
        let nth = used.entry(&flip.id).or_default();
        posts.push(nth_post(&flip.id, *nth));
        *nth += 1;
    }
    posts
}

/// `later - earlier` in milliseconds; it may be negative.
fn signed_ms(later: std::time::Instant, earlier: std::time::Instant) -> f64 {
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    match later.checked_duration_since(earlier) {
        Some(after) => ms(after),
        None => -ms(earlier.duration_since(later)),
    }
}

/// How many of the calls fit.
fn calls_that(calls: &[Call], fits: impl Fn(&Call) -> bool) -> usize {
    calls.iter().filter(|call| fits(call)).count()
}

/// The most writes in any second.
fn most_writes_in_a_second(calls: &[Call]) -> usize {
    let times: Vec<Duration> = calls.iter().filter(|call| call.is_write()).map(Call::at).collect();
    let windows = times.iter().enumerate().map(|(first, start)| {
        let end = *start + Duration::from_secs(1);
        times.partition_point(|time| *time < end) - first
    });
    windows.max().unwrap_or_default()
}

/// A number of calls or resources.
#[allow(clippy::cast_precision_loss, reason = "they are far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A POST to this deployment, answered with this status.
    pub(in crate::bench) fn post(at_ms: u64, id: &str, status: u16) -> Result<Call> {
        Ok(serde_json::from_value(json!({
            "seq": at_ms, "at_us": at_ms * 1000, "method": "POST", "operation": "pause",
            "id": id, "status": status,
        }))?)
    }

    #[test]
    fn the_busiest_second_may_start_anywhere() -> Result<()> {
        let at = [0, 500, 1400, 1499, 1500, 3000];
        let calls = at.map(|at| post(at, "dep_1", 200)).into_iter().collect::<Result<Vec<_>>>()?;
        assert_eq!(most_writes_in_a_second(&calls), 3);
        assert_eq!(most_writes_in_a_second(&[]), 0);
        Ok(())
    }

    #[test]
    fn each_flip_has_its_own_post() -> Result<()> {
        let now = std::time::Instant::now();
        let flip = |id: &str| Flip {
            id: id.to_owned(),
            edited: Edit { generation: 2, done: now },
            ready: now,
        };
        let calls = [post(1, "dep_1", 200)?, post(2, "dep_2", 200)?, post(3, "dep_1", 200)?];
        let flips = ["dep_1", "dep_1", "dep_2", "dep_2"].map(flip);
        let posts = posts_of(&flips, &calls);
        let seqs: Vec<_> = posts.iter().map(|post| post.map(|call| call.seq)).collect();
        assert_eq!(seqs, [Some(1), Some(3), Some(2), None]);
        Ok(())
    }
}
