//! The API allows fewer writes for a minute while more flip than could be done in it.

use std::time::Duration;

use serde_json::json;

use super::{calls_that, count, deadline};
use crate::Result;
use crate::bench::figure::{Bar, Figure};
use crate::bench::simulator::{Call, LATENCY, WRITES_PER_SECOND};
use crate::bench::stage::Stage;

/// How many flip: two minutes of work for the full limit.
const FLIPPED: usize = 2000;
/// The lower limit.
const LIMIT: u32 = 5;
const CUT: Duration = Duration::from_secs(60);
/// How long the writes flow before it.
const BEFORE: Duration = Duration::from_secs(5);
/// What the simulator's 429 ask for.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A request may be on its way already when the answer of another one arrives.
const ON_ITS_WAY: Duration = Duration::from_millis(20);
/// How long the writes are counted to say that they are at full speed again.
const WINDOW: Duration = Duration::from_secs(5);

/// Flips many; the limit is cut soon after the start, and restored.
pub(in crate::bench) async fn limit(stage: &Stage) -> Result<Vec<Figure>> {
    let mark = stage.simulator.mark().await?;
    let targets = stage.fleet.get(..FLIPPED).unwrap_or(&stage.fleet);
    let all = async {
        let edited = stage.flip_all(targets).await?;
        stage.watched.all_ready(&edited, deadline(stage) + CUT).await
    };
    let cut = async {
        tokio::time::sleep(BEFORE).await;
        stage.simulator.set(&json!({"writes_per_second": LIMIT})).await?;
        let from = stage.simulator.now();
        tokio::time::sleep(CUT).await;
        stage.simulator.set(&json!({"writes_per_second": WRITES_PER_SECOND})).await?;
        anyhow::Ok((from, stage.simulator.now()))
    };
    let (all, cut) = tokio::join!(all, cut);
    let (from, until) = cut?;
    all?;
    let mut calls = stage.simulator.calls(mark).await?;
    calls.retain(Call::is_write);
    let during: Vec<Call> =
        calls.iter().filter(|call| (from..until).contains(&call.at())).cloned().collect();
    let refused = calls_that(&during, |call| call.status == Some(429));
    let done = during.len() - refused;

    let share = |part: usize, whole: f64| 100.0 * count(part) / whole;
    let full = full_speed(&calls, until);
    let full = full.map_or(f64::INFINITY, |at| at.saturating_sub(until).as_secs_f64());
    Ok(vec![
        Figure::measure(
            "limit cut: throughput, of the lower limit",
            share(done, f64::from(LIMIT) * CUT.as_secs_f64()),
            "%",
        )
        .bar(Bar::AtLeast(90.0)),
        Figure::measure("limit cut: 429s, of all writes", share(refused, count(during.len())), "%")
            .bar(Bar::AtMost(10.0)),
        Figure::count("limit cut: writes before their Retry-After", too_early(&calls))
            .bar(Bar::Exactly(0.0)),
        Figure::measure("limit cut: full speed again after", full, "s").bar(Bar::AtMost(30.0)),
    ])
}

/// Writes that were sent although a 429 had asked to wait.
fn too_early(writes: &[Call]) -> usize {
    let mut quiet_until = Vec::new();
    for call in writes.iter().filter(|call| call.status == Some(429)) {
        let told = call.at() + LATENCY;
        quiet_until.push((told + ON_ITS_WAY, told + RETRY_AFTER));
    }
    calls_that(writes, |call| {
        quiet_until.iter().any(|(from, until)| (*from..*until).contains(&call.at()))
    })
}

/// From when on the writes flow at 95 % of the full limit; none if they end before.
fn full_speed(writes: &[Call], since: Duration) -> Option<Duration> {
    let times: Vec<Duration> = writes.iter().map(Call::at).filter(|at| *at >= since).collect();
    let enough = 0.95 * f64::from(WRITES_PER_SECOND) * WINDOW.as_secs_f64();
    times.iter().enumerate().find_map(|(first, start)| {
        let end = *start + WINDOW;
        let inside = times.partition_point(|time| *time < end) - first;
        (count(inside) >= enough).then_some(*start)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::super::tests::post;
    use super::*;

    #[test]
    fn what_was_on_its_way_when_the_429_came_is_not_too_early() -> Result<()> {
        let refused = post(1000, "dep_1", 429)?;
        for (at, early) in [(1010, 0), (1060, 0), (1080, 1), (2040, 1), (2050, 0)] {
            assert_eq!(too_early(&[refused.clone(), post(at, "dep_2", 200)?]), early, "{at}");
        }
        Ok(())
    }

    #[test]
    fn full_speed_is_where_the_writes_flow_again() -> Result<()> {
        let slow = (0..10).map(|n| n * 200);
        let full = (0..200).map(|n| 2000 + n * 50);
        let calls =
            slow.chain(full).map(|at| post(at, "dep_1", 200)).collect::<Result<Vec<_>>>()?;
        let at = full_speed(&calls, Duration::ZERO).context("never at full speed")?;
        assert!(at > Duration::from_secs(1) && at <= Duration::from_secs(2), "{at:?}");
        assert_eq!(full_speed(&calls, Duration::from_secs(8)), None);
        Ok(())
    }
}
