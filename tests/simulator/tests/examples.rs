//! The suites of `examples`, as their users run them.

#[path = "common/languages.rs"]
mod languages;

use std::error::Error;

use languages::{BINARY, Language, need, run};
use qoder_simulator::{Config, Simulator};

type Outcome = Result<(), Box<dyn Error>>;

/// With the binary on the path, with that of the variable, and with a simulator that runs already, as a service container does.
async fn passes_each_way(language: Language) -> Outcome {
    let directory = language.example();
    let found = language.tests(&directory).await?;

    let mut named = language.tests(&directory).await?;
    let without_it = std::env::var_os("PATH").unwrap_or_default();
    named.env("PATH", without_it).env("QODER_SIMULATOR", BINARY);

    let simulator = Simulator::start(Config::default()).await?;
    let mut running = language.tests(&directory).await?;
    // It does not start its own.
    running.env("QODER_SIMULATOR", "/nowhere").env("QODER_SIMULATOR_URL", simulator.base_url());

    tokio::try_join!(run(found), run(named), run(running))?;
    Ok(())
}

#[tokio::test]
async fn the_suite_in_go_passes() -> Outcome {
    passes_each_way(Language::Go).await
}

/// The vendor's client is in it.
#[tokio::test]
async fn the_suite_in_python_passes() -> Outcome {
    passes_each_way(Language::Python).await
}

#[tokio::test]
async fn the_suite_in_javascript_passes() -> Outcome {
    passes_each_way(Language::JavaScript).await
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
