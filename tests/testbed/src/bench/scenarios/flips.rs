//! One flip at a time: how fast it reaches the API, and the status the API server.

use std::time::{Duration, Instant};

use super::{Flip, calls_that, posts_of, signed_ms, to_post};
use crate::Result;
use crate::bench::figure::{Bar, Figure};
use crate::bench::simulator::{Call, LATENCY};
use crate::bench::stage::Stage;

/// Different resources that flip, at most: each an even number of times.
const DIFFERENT: usize = 50;
/// A program that needs longer than this for all flips has shown enough.
const LONGEST: Duration = Duration::from_secs(120);

/// So many flips, one after the other.
pub(in crate::bench) async fn flips(stage: &Stage, number: usize) -> Result<Vec<Figure>> {
    let mark = stage.simulator.mark().await?;
    let before = stage.status_writes().await?;
    let start = Instant::now();
    let mut flips = Vec::new();
    for target in stage.fleet.iter().take(DIFFERENT.min(number / 2)).cycle().take(number) {
        // At no fixed time after the one before, so that nothing falls into step.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(100..200))).await;
        flips.push(Flip::of(stage, target).await?);
        if start.elapsed() > LONGEST {
            break;
        }
    }
    let writes = stage.status_writes().await?.since(before);
    let calls = stage.simulator.calls(mark).await?;
    let others = calls_that(&calls, |call| call.operation == "get");
    let posts = calls_that(&calls, Call::is_write);
    let to_post = to_post(&stage.simulator, &flips, &calls);
    let to_status: Vec<f64> = flips
        .iter()
        .zip(posts_of(&flips, &calls))
        .filter_map(|(flip, post)| {
            Some(signed_ms(flip.ready, stage.simulator.instant(post?.at() + LATENCY)))
        })
        .collect();

    let mut figures = vec![
        Figure::ratio("a flip: remote calls, polls apart", posts + others, flips.len())
            .bar(Bar::Exactly(1.0)),
        Figure::ratio("a flip: status writes", writes.done + writes.refused, flips.len())
            .bar(Bar::Exactly(1.0)),
    ];
    let from_patch = |what, percent| Figure::percentile(what, percent, &to_post, "ms");
    let median = from_patch("a flip, from PATCH to POST, median", 50);
    figures.extend(median.map(|figure| figure.bar(Bar::AtMost(8.0)).stretch(5.0)));
    let p95 = from_patch("a flip, from PATCH to POST, p95", 95);
    figures.extend(p95.map(|figure| figure.bar(Bar::AtMost(25.0)).stretch(10.0)));
    let stored = Figure::percentile("a flip, from answer to status, median", 50, &to_status, "ms");
    figures.extend(stored.map(|figure| figure.bar(Bar::AtMost(15.0)).stretch(10.0)));
    Ok(figures)
}
