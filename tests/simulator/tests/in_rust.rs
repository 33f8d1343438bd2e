//! What the README shows for Rust. That it is the same text is checked in `readme.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "as one writes tests: what is impossible may panic"
)]

use qoder_simulator::{Config, Fault, Operation, Simulator};

/// A client.
async fn pause(base_url: &str, id: &str) -> reqwest::Result<reqwest::Response> {
    // Whichever test of the process is first installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(format!("{base_url}/deployments/{id}/pause"));
    request.bearer_auth("pt-simulator").send().await
}

#[tokio::test]
async fn a_pause_whose_answer_is_lost_is_done() -> Result<(), Box<dyn std::error::Error>> {
    let simulator = Simulator::start(Config::with_deployments(3)).await?;
    let id = &simulator.ids()[0];
    simulator.inject(Fault::reset_after().on(Operation::Pause).id(id));

    // Your client.
    assert!(pause(&simulator.base_url(), id).await.is_err());

    simulator.changed().wait_for(|_| simulator.journal().iter().any(|entry| entry.effect)).await?;
    assert_eq!(simulator.deployment(id).unwrap()["status"], "paused");
    simulator.reset()?;
    Ok(())
}
