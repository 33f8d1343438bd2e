//! Everything flips at once, and some resources in a namespace of their own again and again.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::{
    Flip, calls_that, count, deadline, most_writes_in_a_second, seconds_of_writes, to_post,
};
use crate::Result;
use crate::bench::figure::{Bar, Figure};
use crate::bench::simulator::{Call, WRITES_PER_SECOND};
use crate::bench::stage::Stage;

/// Between two flips of calm resources.
const PAUSE: Duration = Duration::from_secs(1);

/// Flips all, and waits until all are Ready.
pub(in crate::bench) async fn everything(stage: &Stage) -> Result<Vec<Figure>> {
    let mark = stage.simulator.mark().await?;
    let before = stage.status_writes().await?;
    let start = Instant::now();
    let done = Cell::new(false);
    let all = async {
        let edited = stage.flip_all(&stage.fleet).await?;
        let last = stage.watched.all_ready(&edited, deadline(stage)).await;
        done.set(true);
        last
    };
    let apart = async {
        let mut flips = Vec::new();
        for target in stage.calm.iter().cycle() {
            tokio::time::sleep(PAUSE).await;
            if done.get() {
                break;
            }
            flips.push(Flip::of(stage, target).await?);
        }
        anyhow::Ok(flips)
    };
    let (last, flips) = tokio::join!(all, apart);
    let flips = flips?;
    last?;
    let status_writes = stage.status_writes().await?.since(before);
    let calls = stage.simulator.calls(mark).await?;
    let writes: Vec<&Call> = calls.iter().filter(|call| call.is_write()).collect();
    let is_calm = |call: &Call| stage.calm.iter().any(|it| Some(&it.id) == call.id.as_ref());
    let of_fleet = writes.iter().rfind(|call| !is_calm(call));
    let took = of_fleet.map(|last| stage.simulator.instant(last.at()).duration_since(start));
    // What was sent for the calm ones until then took turns as well.
    let until = of_fleet.map_or(0, |last| last.seq);
    let floor = seconds_of_writes(writes.iter().filter(|call| call.seq <= until).count());
    let took = took.unwrap_or_default().as_secs_f64();

    let refused = calls_that(&calls, |call| call.status == Some(429));
    let expected = stage.fleet.len() + flips.len();
    let mut figures = vec![
        Figure::measure("flip of all", took, "s").samples(gaps(&writes)),
        Figure::measure("flip of all, in units of its floor", took / floor.as_secs_f64(), "")
            .bar(Bar::AtMost(1.03))
            .stretch(1.015),
        Figure::ratio("flip of all: remote writes for each", writes.len() - refused, expected)
            .bar(Bar::Exactly(1.0)),
        // Both of these at the API's end, where a busy machine can push two sends together.
        Figure::measure("flip of all: 429s", count(refused), "").bar(Bar::AtMost(0.0)),
        Figure::measure(
            "flip of all: most writes in a second",
            count(most_writes_in_a_second(&calls)),
            "",
        )
        .bar(Bar::AtMost(f64::from(WRITES_PER_SECOND))),
        Figure::ratio("flip of all: status writes for each", status_writes.done, expected)
            .bar(Bar::Exactly(1.0)),
        Figure::count("flip of all: status writes refused", status_writes.refused),
    ];
    let samples = to_post(&stage.simulator, &flips, &calls);
    let apart = Figure::percentile("a flip apart while all flip, p95", 95, &samples, "ms");
    figures.extend(apart.map(|figure| figure.bar(Bar::AtMost(500.0)).stretch(250.0)));
    Ok(figures)
}

/// The milliseconds between one write and the next, as they arrive.
fn gaps(writes: &[&Call]) -> Vec<f64> {
    let pairs = writes.iter().zip(writes.iter().skip(1));
    pairs.map(|(one, next)| next.at().saturating_sub(one.at()).as_secs_f64() * 1000.0).collect()
}
