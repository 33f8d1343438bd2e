//! The server in memory does not lie: a script of requests runs against it and against a real
//! kube-apiserver, and the answers are the same, field by field.
//!
//! What must differ is made comparable first, see [`normal`]: uids by the order in which they
//! appear, versions by their rank, times, generated names, the names of the namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod normal;
mod run;
mod script;

use std::{future::ready, sync::Arc, time::Duration};

use apiserver::{ApiServer, Match};
use futures::future::BoxFuture;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use run::{Answer, Hooks, Side};
use script::Step;
use testbed::{Bed, ControlPlane, Own};

/// How long a real server takes at most to forget, if it does so each second.
const UNTIL_COMPACTED: Duration = Duration::from_secs(6);

/// A client that does not try again by itself.
async fn client(kubeconfig: Kubeconfig) -> Client {
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// The real one.
async fn real(control_plane: Arc<ControlPlane>, steps: &[Step]) -> Vec<Answer> {
    let bed = Bed::on(Arc::clone(&control_plane), "one").await.unwrap();
    let other = Bed::on(control_plane, "two").await.unwrap();
    // The script asks for what the operator may not do.
    bed.asks_for_too_much();
    let kubeconfig = Kubeconfig::read_from(bed.kubeconfig()).unwrap();
    let operator = client(kubeconfig).await;
    let administrator = client(bed.control_plane().kubeconfig().clone()).await;
    let mut side = Side::new(administrator, operator, [bed.namespace(), other.namespace()]);
    let age = || Box::pin(tokio::time::sleep(UNTIL_COMPACTED)) as BoxFuture<'static, ()>;
    side.run(steps, &Hooks { before_operator: &|| (), after_operator: &|| (), age: &age }).await
}

/// Ours.
async fn in_memory(server: ApiServer, steps: &[Step]) -> Vec<Answer> {
    server.set_user("system:serviceaccount:first-space:qoder-operator");
    let mut side = Side::new(server.client(), server.client(), ["first-space", "second-space"]);
    let age = || {
        server.compact();
        Box::pin(ready(())) as BoxFuture<'static, ()>
    };
    let hooks = Hooks {
        before_operator: &|| server.deny(Match::any()),
        after_operator: &|| server.allow_all(),
        age: &age,
    };
    side.run(steps, &hooks).await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// Runs the script on both, and shows each answer that differs.
fn compare(script: &str, flags: &[&str], server: ApiServer) {
    let steps = script::read(script);
    let real = runtime().block_on(async {
        match ControlPlane::own(flags).await.unwrap() {
            Own::Running(control_plane) => Some(real(control_plane, &steps).await),
            Own::Skipped => None,
        }
    });
    let Some(real) = real else { return };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    let ours = runtime.block_on(in_memory(server, &steps));
    let mut differences = Vec::new();
    for ((step, real), ours) in steps.iter().zip(&real).zip(&ours) {
        let is_short = step.verb == "NEXT" && real.code == 0;
        if real != ours || is_short {
            differences.push(format!("line {}: {}\n{}", step.line, step.text, real.against(ours)));
        }
    }
    let count = differences.len();
    assert!(count == 0, "{count} of {} differ\n{}", steps.len(), differences.join("\n"));
}

#[test]
fn it_answers_as_a_real_server_does() {
    let script = include_str!("script.txt");
    assert!(script::read(script).len() >= 300, "the script has lost requests");
    compare(script, &[], ApiServer::new());
}

#[test]
fn it_answers_as_a_real_server_that_forgets_and_does_not_stream_lists() {
    let server = ApiServer::new();
    server.set_streaming_lists(false);
    let flags = [
        "--feature-gates=WatchList=false,ListFromCacheSnapshot=false",
        "--etcd-compaction-interval=1s",
    ];
    compare(include_str!("old.txt"), &flags, server);
}
