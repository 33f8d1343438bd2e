//! The suites of `examples`, as their users run them.

#[path = "common/languages.rs"]
mod languages;

use std::error::Error;

use languages::{BINARY, Language, need, run};
use qoder_simulator::{Config, Simulator};

type Outcome = Result<(), Box<dyn Error>>;

/// Once with the binary, and once with a simulator that runs already, as a service container does.
async fn passes_both_ways(language: Language) -> Outcome {
    let directory = language.example();
    let mut starting = language.tests(&directory).await?;
    starting.env("QODER_SIMULATOR", BINARY);
    run(starting).await?;

    let simulator = Simulator::start(Config::default()).await?;
    let mut using = language.tests(&directory).await?;
    // It does not start its own.
    using.env("QODER_SIMULATOR", "/nowhere").env("QODER_SIMULATOR_URL", simulator.base_url());
    run(using).await?;
    Ok(())
}

#[tokio::test]
async fn the_suite_in_go_passes() -> Outcome {
    passes_both_ways(Language::Go).await
}

/// The vendor's client is in it.
#[tokio::test]
async fn the_suite_in_python_passes() -> Outcome {
    passes_both_ways(Language::Python).await
}

#[tokio::test]
async fn the_suite_in_javascript_passes() -> Outcome {
    passes_both_ways(Language::JavaScript).await
}

#[tokio::test]
async fn a_language_that_is_missing_or_too_old_is_named_with_what_to_do() -> Outcome {
    let missing = need("no-such-node", "--version", "Node", (20, 0)).await;
    let missing = missing.err().ok_or("it is there")?.to_string();
    assert!(missing.starts_with("there is no no-such-node"), "{missing}");
    assert!(missing.ends_with("install Node 20.0 or later"), "{missing}");
    let old = need("node", "--version", "Node", (1000, 0)).await;
    let old = old.err().ok_or("it is new")?.to_string();
    assert!(old.starts_with("node is v"), "{old}");
    assert!(old.ends_with("install Node 1000.0 or later"), "{old}");
    Ok(())
}
