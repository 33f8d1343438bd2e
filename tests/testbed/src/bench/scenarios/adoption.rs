//! First adoption: all resources exist, and are in sync, before the operator starts.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use qoder_operator::api::{QoderDeployment, QoderDeploymentSpec};
use serde_json::{Value, json};

use super::{Flip, PAUSED, POLL_INTERVAL, calls_that, count, deadline, to_post};
use crate::Result;
use crate::bench::figure::{Bar, Figure};
use crate::bench::promise::{ADOPTION, Promise, WHOLE};
use crate::bench::stage::{AT_ONCE, Stage, Target, create_namespace};
use crate::bench::subject::{Program, Subject};

/// Where the resources of the comparison are.
const COMPARISON: &str = "comparison";
/// Between two flips of calm resources.
const SPACING: Duration = Duration::from_millis(500);

/// Starts the program and waits until it has answered every resource; meanwhile calm ones flip, unless
/// it is the baseline: it serves one after the other, and a flip among many takes it minutes.
pub(in crate::bench) async fn adoption(
    stage: &Stage,
    program: Program,
    compare: bool,
) -> Result<(Subject, Vec<Figure>)> {
    let plain = if compare { Some(plain_applies(stage).await?) } else { None };
    let mark = stage.simulator.mark().await?;
    let before = stage.status_writes().await?;
    let start = Instant::now();
    let subject = stage.start(program)?;
    let done = Cell::new(false);
    let (flipping, resting) = match program {
        Program::Operator => (&stage.calm[..], &[][..]),
        Program::Baseline => (&[][..], &stage.calm[..]),
    };
    let all = async {
        let resting = stage.fleet.iter().chain(resting);
        let resting: Vec<_> = resting.map(|target| (target.name.clone(), 1)).collect();
        let last = stage.watched.all_ready(&resting, deadline(stage)).await;
        done.set(true);
        last
    };
    let (last, flips) = tokio::join!(all, flip_apart(stage, flipping, &done));
    let (last, flips) = (last?, flips?);
    let took = last.duration_since(start).as_secs_f64();
    let writes = stage.status_writes().await?.since(before);
    let calls = stage.simulator.calls(mark).await?;
    let reads = calls_that(&calls, |call| !call.is_write());

    let mut figures = vec![
        Figure::measure("first adoption", took, "s"),
        Figure::ratio(
            "first adoption: status writes for each resource and flip",
            writes.done,
            stage.resources() + flips.len(),
        )
        .bar(Bar::Exactly(1.0)),
        Figure::count("first adoption: status writes refused", writes.refused),
        Figure::count("first adoption: reads", reads).bar(Bar::AtMost(most_reads(stage, took))),
        Figure::measure("peak memory after the first adoption", subject.peak_mib()?, "MiB")
            .at_most(Promise::of(stage.resources()).peak),
    ];
    if let Some(plain) = plain {
        figures.push(Figure::measure("the same status applies by plain tasks", plain, "s"));
        let units = Figure::measure("first adoption, in units of those", took / plain, "");
        // With fewer, it is the start of the process that takes the time.
        let is_judged = stage.resources() >= WHOLE;
        figures.push(if is_judged { units.bar(Bar::AtMost(ADOPTION)) } else { units });
    }
    let samples = to_post(&stage.simulator, &flips, &calls);
    let flip =
        Figure::percentile("a flip apart during the first adoption, p95", 95, &samples, "ms");
    figures.extend(flip.map(|figure| figure.bar(Bar::AtMost(1000.0)).stretch(300.0)));
    flip_back(stage, flips.len()).await?;
    Ok((subject, figures))
}

/// One list, the pages with the paused ones at each poll in `took` seconds, and ten reads more.
fn most_reads(stage: &Stage, took: f64) -> f64 {
    let polls = (took / POLL_INTERVAL.as_secs_f64()).floor();
    // Every calm one may be paused by then.
    let paused = stage.resources() / PAUSED + stage.calm.len();
    count(stage.pages()) + polls * count(stage.dialect.pages(paused)) + 10.0
}

/// Flips one calm resource after the other, each once, as soon as it is adopted itself.
async fn flip_apart(stage: &Stage, calm: &[Target], done: &Cell<bool>) -> Result<Vec<Flip>> {
    let mut edits = Vec::new();
    for target in calm {
        stage.watched.ready(&target.name, 1, deadline(stage)).await?;
        if done.get() {
            break;
        }
        edits.push((target, stage.flip(target).await?));
        tokio::time::sleep(SPACING).await;
    }
    let mut flips = Vec::new();
    for (target, edited) in edits {
        flips.push(Flip::when_ready(stage, target, edited).await?);
    }
    Ok(flips)
}

/// Flips them back.
async fn flip_back(stage: &Stage, flips: usize) -> Result<()> {
    for target in stage.calm.iter().take(flips) {
        Flip::of(stage, target).await?;
    }
    Ok(())
}

/// How long it takes to apply a status as ours to as many resources, with nothing else to do. To at most [`WHOLE`] it is
/// done, and scaled.
async fn plain_applies(stage: &Stage) -> Result<f64> {
    create_namespace(&stage.client, COMPARISON).await?;
    let api = stage.api(COMPARISON);
    let number = stage.resources().min(WHOLE);
    let names: Vec<String> = (0..number).map(|number| format!("plain-{number:05}")).collect();
    let created = stream::iter(names.iter().zip(&stage.simulator.ids)).map(async |(name, id)| {
        let spec = QoderDeploymentSpec {
            deployment_id: id.clone(),
            paused: Some(false),
            drift_policy: None,
        };
        let object = QoderDeployment::new(name, spec);
        api.create(&PostParams::default(), &object).await.map(drop)
    });
    created.buffer_unordered(AT_ONCE).try_collect::<()>().await?;

    let start = Instant::now();
    let params = PatchParams::apply("plain").force();
    let applied = stream::iter(&names).map(async |name| {
        api.patch_status(name, &params, &Patch::Apply(status(name))).await.map(drop)
    });
    applied.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let took = start.elapsed().as_secs_f64() * count(stage.resources()) / count(number);
    // Not as a collection: an API server that has other work does not get through ten thousand within one request.
    let deleted = stream::iter(&names)
        .map(async |name| api.delete(name, &DeleteParams::default()).await.map(drop));
    deleted.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(took)
}

/// A status with the fields that ours has for a deployment that runs as wished.
fn status(name: &str) -> Value {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "observedGeneration": 1, "lastTransitionTime": Timestamp::now(),
        })
    };
    json!({
        "apiVersion": "cloud.qoder.com/v1alpha1",
        "kind": "QoderDeployment",
        "metadata": {"name": name},
        "status": {
            "observedGeneration": 1,
            "desired": "Active",
            "status": "active",
            "name": name,
            "schedule": {"expression": "30 9 * * 1-5", "timezone": "Asia/Shanghai"},
            "lastReached": {"desired": "Active", "generation": 1},
            "conditions": [
                condition("Ready", "True", "InSync", "the deployment is as wished"),
                condition("Paused", "False", "Running", "the deployment runs on its schedule"),
            ],
        },
    })
}
