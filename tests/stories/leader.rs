//! Two replicas as processes: the leader is killed, stopped, cut off and told to end in the middle of a flip of all.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kube::config::Kubeconfig;
use qoder_simulator::{Entry, Operation, Simulator};
use testbed::operator::OperatorBuilder;
use testbed::{Bed, Operator, Proxy, Result, eventually};

use crate::story::{TOKEN, config, is};

const MANY: usize = 64;
const PATIENCE: Duration = Duration::from_secs(60);

/// Two replicas over many active deployments with a resource each, all in sync.
struct Pair {
    bed: Bed,
    simulator: Simulator,
    leader: Operator,
    standby: Operator,
}

impl Pair {
    async fn start(name: &str) -> Result<Self> {
        let (pair, _) = Self::start_behind_proxy(name).await?;
        Ok(pair)
    }

    /// The proxy is between the leader and the API server.
    async fn start_behind_proxy(name: &str) -> Result<(Self, Proxy)> {
        let simulator = Simulator::start(config(MANY)).await?;
        let bed = Bed::new(name).await?;
        let (proxy, kubeconfig) = Proxy::to_api_server(Kubeconfig::read_from(bed.kubeconfig())?)?;
        let leader = replica(&bed, &simulator).kubeconfig(kubeconfig).start().await?;
        until_leads(&leader).await?;
        let standby = replica(&bed, &simulator).start().await?;
        let pair = Self { bed, simulator, leader, standby };
        pair.set_all(false).await?;
        pair.until_all(false).await?;
        ensure!(pair.writes() == 0, "all were as they shall be");
        ensure!(!leads(&pair.standby).await?);
        Ok((pair, proxy))
    }

    async fn set_all(&self, paused: bool) -> Result<()> {
        for (n, id) in self.simulator.ids().into_iter().enumerate() {
            let spec = serde_json::json!({ "deploymentID": id, "paused": paused });
            self.bed.apply(&format!("r{n}"), spec).await?;
        }
        Ok(())
    }

    /// Waits until every resource says of its present generation that all is in sync, and it is.
    async fn until_all(&self, paused: bool) -> Result<()> {
        let all_are = eventually(PATIENCE, async || {
            let objects = self.bed.api().list(&kube::api::ListParams::default()).await?;
            let is_done = objects.iter().all(|object| is(object, "True", "InSync"));
            Ok(is_done.then_some(()))
        });
        all_are.await?.context("not all are in sync in time")?;
        let status = if paused { "paused" } else { "active" };
        for id in self.simulator.ids() {
            let deployment = self.simulator.deployment(&id).context("it is there")?;
            ensure!(deployment["status"] == status, "{deployment}");
        }
        Ok(())
    }

    /// Waits until half of them were paused.
    async fn until_half(&self) -> Result<()> {
        let mut changed = self.simulator.changed();
        let half = changed.wait_for(|_| self.writes() >= MANY / 2);
        tokio::time::timeout(PATIENCE, half).await.context("half are not paused in time")??;
        Ok(())
    }

    fn writes(&self) -> usize {
        let is_write =
            |entry: &&Entry| matches!(entry.operation, Operation::Pause | Operation::Unpause);
        self.simulator.journal().iter().filter(is_write).count()
    }

    /// Writes that nobody has waited for to the end, or that were refused: each may cost one more.
    fn lost(&self) -> usize {
        let journal = self.simulator.journal();
        let is_lost = |entry: &&Entry| {
            entry.operation == Operation::Pause && entry.status.is_none_or(|status| status != 200)
        };
        journal.iter().filter(is_lost).count()
    }
}

/// Small times: a leader is followed after 3 s, and what it has sent lands within 4 s.
fn replica<'bed>(bed: &'bed Bed, simulator: &Simulator) -> OperatorBuilder<'bed> {
    let operator = bed.operator().base_url(&simulator.base_url()).token(TOKEN);
    let operator = operator.arg("--leader-elect").flag("lease-duration", "3s");
    operator.flag("renew-deadline", "2s").flag("retry-period", "500ms")
}

async fn leads(operator: &Operator) -> Result<bool> {
    let metrics = operator.metrics().await?;
    let name = r#"leader_election_master_status{name="qoder-operator"}"#;
    Ok(*metrics.get(name).context("no such metric")? > 0.0)
}

async fn until_leads(operator: &Operator) -> Result<Duration> {
    let start = Instant::now();
    let it_leads = eventually(PATIENCE, async || Ok(leads(operator).await?.then_some(())));
    it_leads.await?.context("it does not lead in time")?;
    Ok(start.elapsed())
}

#[tokio::test]
async fn a_leader_that_is_killed_amid_a_flip_of_all_is_followed_and_nothing_is_lost() -> Result<()>
{
    let pair = Pair::start("leader-killed").await?;
    pair.set_all(true).await?;
    pair.until_half().await?;
    pair.leader.kill().await?;
    let without = until_leads(&pair.standby).await?;
    ensure!(without < Duration::from_secs(6), "{without:?} without a leader");
    pair.until_all(true).await?;
    // At most sixteen were under way.
    ensure!(pair.writes() <= MANY + 16, "{} writes", pair.writes());
    Ok(())
}

#[tokio::test]
async fn a_leader_that_was_stopped_amid_a_flip_of_all_acts_no_more_when_it_wakes() -> Result<()> {
    let pair = Pair::start("leader-stopped").await?;
    pair.set_all(true).await?;
    pair.until_half().await?;
    pair.leader.freeze();
    until_leads(&pair.standby).await?;
    pair.until_all(true).await?;
    // Someone changes their mind; what wakes up knows nothing of it.
    pair.set_all(false).await?;
    pair.until_all(false).await?;
    let before = pair.writes();
    pair.leader.thaw();
    let is_over = |line: &str| line.contains("has lost the lead").then_some(());
    pair.leader.process().wait_for_line("the end of its lead", PATIENCE, is_over).await?;
    pair.leader.ready().await?;
    ensure!(!leads(&pair.leader).await? && leads(&pair.standby).await?);
    pair.until_all(false).await?;
    ensure!(pair.writes() == before, "{} writes and then {}", before, pair.writes());
    ensure!(before <= 2 * MANY + 16, "{before} writes");
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_cut_off_amid_a_flip_of_all_gives_way_and_comes_back() -> Result<()> {
    let (pair, mut proxy) = Pair::start_behind_proxy("leader-cut-off").await?;
    pair.set_all(true).await?;
    pair.until_half().await?;
    proxy.cut().await;
    let without = until_leads(&pair.standby).await?;
    ensure!(without < Duration::from_secs(6), "{without:?} until another one leads");
    ensure!(!leads(&pair.leader).await?, "it has given way before");
    pair.until_all(true).await?;
    ensure!(pair.writes() <= MANY + 16, "{} writes", pair.writes());
    // Someone changes their mind; who comes back has not heard of it.
    pair.set_all(false).await?;
    pair.until_all(false).await?;
    let before = pair.writes();
    proxy.mend()?;
    pair.leader.ready().await?;
    ensure!(!leads(&pair.leader).await?);
    // The other one ends: it is as good a leader as before.
    ensure!(pair.standby.terminate().await?.success());
    until_leads(&pair.leader).await?;
    pair.set_all(true).await?;
    pair.until_all(true).await?;
    ensure!(pair.writes() == before + MANY, "{before} writes and then {}", pair.writes());
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_told_to_end_amid_a_flip_of_all_costs_no_write_more() -> Result<()> {
    let pair = Pair::start("leader-ended").await?;
    pair.set_all(true).await?;
    pair.until_half().await?;
    let status = pair.leader.terminate().await?;
    ensure!(status.success(), "{status}");
    let without = until_leads(&pair.standby).await?;
    ensure!(without < Duration::from_secs(2), "{without:?} without a leader");
    pair.until_all(true).await?;
    assert_eq!((pair.writes(), pair.lost()), (MANY, 0));
    Ok(())
}
