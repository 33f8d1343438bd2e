//! The operator loses the API server for a minute, in which others edit its resources.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::restart::listed;
use super::{calls_that, deadline, signed_ms};
use crate::bench::figure::{Bar, Figure};
use crate::bench::simulator::Call;
use crate::bench::stage::Stage;
use crate::bench::subject::{Program, Subject};
use crate::{Proxy, Result};

const CUT: Duration = Duration::from_secs(60);
const EDITS: usize = 20;

/// Starts the operator anew behind a proxy, cuts it, edits, and mends it.
pub(in crate::bench) async fn cutoff(stage: &Stage, subject: Subject) -> Result<Vec<Figure>> {
    subject.terminate().await?;
    let (mut proxy, kubeconfig) = Proxy::to_api_server(stage.kubeconfig.clone())?;
    let mark = stage.simulator.mark().await?;
    let subject = stage.start_with(Program::Operator, &kubeconfig)?;
    listed(stage, mark).await?;

    let mark = stage.simulator.mark().await?;
    proxy.cut().await;
    let edited = stage.flip_all(stage.fleet.get(..EDITS).context("too few resources")?).await?;
    tokio::time::sleep(CUT).await;
    let during = calls_that(&stage.simulator.calls(mark).await?, Call::is_write);
    let mended = Instant::now();
    proxy.mend()?;
    let last = stage.watched.all_ready(&edited, deadline(stage)).await;
    let last = last.with_context(|| subject.log_tail())?;
    let posts = calls_that(&stage.simulator.calls(mark).await?, Call::is_write);
    subject.terminate().await?;
    Ok(vec![
        Figure::count("cut off: remote writes meanwhile", during).bar(Bar::Exactly(0.0)),
        Figure::ratio("cut off: remote writes for each edit", posts, EDITS).bar(Bar::Exactly(1.0)),
        Figure::measure("cut off: all done after", signed_ms(last, mended) / 1000.0, "s")
            .bar(Bar::AtMost(10.0)),
    ])
}
