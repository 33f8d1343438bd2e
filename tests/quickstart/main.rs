//! `docs/quickstart.md`, block by block, as it is written there: on a real API server, where the test is the kubelet and
//! the controllers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the impossible should stop there"
)]

mod node;

use std::{fs, path::Path, process::Command, time::Duration};

use qoder_simulator::{Config, DEFAULT_TOKEN, Simulator};
use serde_json::{Value, json};
use testbed::{
    ControlPlane, Result, eventually, gitops::shell, process::workspace_binary, tools::Helm,
};

use crate::node::Node;

const DEADLINE: Duration = Duration::from_secs(150);

/// Of `deploy/simulator`, and of somebody's own account.
async fn simulators() -> Result<[Simulator; 2]> {
    let [beside, account] = [
        Simulator::start(Config::with_deployments(0)).await?,
        Simulator::start(Config::with_deployments(0)).await?,
    ];
    let seed = fs::read_to_string(root().join("deploy/simulator/deployments.json"))?;
    for deployment in serde_json::from_str::<Vec<Value>>(&seed)? {
        beside.add(deployment).unwrap();
    }
    let id = "dep_019ec55a2b687b3f94eee77dd77e4b2a";
    account.add(json!({"id": id, "name": "nightly-report"})).unwrap();
    Ok([beside, account])
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What has changed something, in order.
fn writes(simulator: &Simulator) -> Vec<String> {
    let journal = simulator.journal();
    let writes = journal.iter().filter(|entry| entry.effect);
    writes.map(|entry| format!("{:?}", entry.operation)).collect()
}

/// The page in a shell that has kubectl and Helm, whose home is `folder`.
async fn page(node: &Node, folder: &Path) -> Result<Command> {
    let mut page = shell("exec tests/e2e/page.sh docs/quickstart.md")?;
    // As somebody has left it in an editor.
    fs::write(folder.join("qoder-token"), format!("{DEFAULT_TOKEN}\n"))?;
    let api = node.account.base_url().replace("/api/v1/cloud", "");
    let stand_ins = format!(
        ". tests/e2e/stand-ins.sh
helm() {{ command {helm} \"$@\"; }}
# The operator's own program, with what its Pod would have.
in_pod() {{ env -i $(cat {folder}/variables) {operator} check | sed 's|{folder}|/etc/qoder|'; }}
",
        helm = Helm::V4.find().await?.display(),
        operator = workspace_binary("qoder-operator")?.display(),
        folder = folder.display(),
    );
    fs::write(folder.join("stand-ins"), stand_ins)?;
    page.env("HOME", folder).env("BASH_ENV", folder.join("stand-ins"));
    page.env("KUBECONFIG", folder.join("administrator"));
    page.env("ACCOUNT_IN_PODS", &api).env("ACCOUNT_HERE", &api);
    Ok(page)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_of_the_quickstart_does_what_the_page_shows_and_can_be_pasted_again()
-> Result<()> {
    let [beside, account] = simulators().await?;
    let mut node = Node::new(ControlPlane::start(&[]).await?, beside, account).await?;
    let mut page = page(&node, &node.folder()).await?;
    let page = tokio::task::spawn_blocking(move || page.output());
    let ended = eventually(DEADLINE, async || {
        node.turn().await?;
        Ok(page.is_finished().then_some(()))
    });
    ended.await?.unwrap_or_else(|| panic!("the page has not ended:\n{}", node.log()));
    let output = page.await??;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", node.log());
    assert_eq!(writes(&node.beside), ["Pause", "Unpause"]);
    assert_eq!(writes(&node.account), [""; 0], "only looked at");
    Ok(())
}
