//! The server in memory does not lie: one script of requests runs against it and against a real
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

use apiserver::{ApiServer, Match};
use kube::config::Kubeconfig;
use run::{Answer, Side};
use script::Step;
use testbed::Bed;

const SCRIPT: &str = include_str!("script.txt");

/// The real one.
async fn real(steps: &[Step]) -> Vec<Answer> {
    let (bed, other) = (Bed::new("one").await.unwrap(), Bed::new("two").await.unwrap());
    let kubeconfig = Kubeconfig::read_from(bed.kubeconfig()).unwrap();
    let operator = testbed::access::client(kubeconfig).await.unwrap();
    let mut side = Side::new(bed.client(), operator, [bed.namespace(), other.namespace()]);
    side.run(steps, || {}, || {}).await
}

/// Ours.
async fn in_memory(steps: &[Step]) -> Vec<Answer> {
    let server = ApiServer::new();
    server.set_user("system:serviceaccount:first-space:qoder-operator");
    let mut side = Side::new(server.client(), server.client(), ["first-space", "second-space"]);
    side.run(steps, || server.deny(Match::any()), || server.allow_all()).await
}

#[test]
fn it_answers_as_a_real_server_does() {
    let steps = script::read(SCRIPT);
    assert!(steps.len() >= 100, "{} requests", steps.len());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let real = runtime.block_on(real(&steps));
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    let ours = runtime.block_on(in_memory(&steps));
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
