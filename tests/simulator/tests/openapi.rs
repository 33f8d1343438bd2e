//! The documents of `openapi/`: they are valid, they have all that there is and nothing else, and what they say is what the binary does.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;
#[path = "common/languages.rs"]
mod languages;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::{Outcome, ask, in_dialect, request, sim};
use languages::{python, run};
use qoder_simulator::{Dialect, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(600);
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi");
/// How many random requests schemathesis makes of each operation and kind, beside those at the bounds of each parameter.
const EXAMPLES: &str = "5";

async fn document(simulator: &Simulator, name: &str) -> Result<Value, Box<dyn Error>> {
    let answer = ask(simulator, "GET", &format!("openapi/{name}.yaml")).await?;
    assert_eq!(answer.headers["content-type"], "application/yaml");
    Ok(serde_yaml_ng::from_str(&answer.text)?)
}

/// All operations of a document, with ids in place of parameters.
fn operations(document: &Value) -> Vec<(String, String)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let mut path = path.clone();
        for (parameter, id) in
            [("id", "dep_1"), ("run_id", "drun_1"), ("fault", "1"), ("name", "other")]
        {
            path = path.replace(&format!("{{{parameter}}}"), id);
        }
        for method in ["get", "put", "post", "delete", "patch"] {
            if item[method].is_object() {
                operations.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    operations
}

#[tokio::test]
async fn all_operations_of_the_api_are_in_its_document_and_no_others() -> Outcome {
    for dialect in [Dialect::D1, Dialect::D2] {
        let simulator = in_dialect(dialect, 0).await?;
        for (method, path) in operations(&document(&simulator, "cloud").await?) {
            simulator.handle(request(&method, &path).body(bytes::Bytes::new())?).await?;
        }
        let asked: BTreeSet<String> = simulator
            .journal()
            .iter()
            .filter_map(|entry| {
                serde_json::to_value(entry.operation).ok()?.as_str().map(Into::into)
            })
            .collect();
        // Whoever names an operation that does not exist is told all that do.
        let fault = json!({"action": "ok", "operation": "none"});
        let refused = sim(&simulator, "POST", "faults", fault).await?;
        let known: BTreeSet<String> = refused
            .error()
            .split('`')
            .skip(3)
            .step_by(2)
            .filter(|name| *name != "other")
            .map(Into::into)
            .collect();
        assert!(known.contains("get_any_run"), "{}", refused.error());
        assert_eq!(asked, known);
    }
    Ok(())
}

#[tokio::test]
async fn all_of_the_control_api_is_in_its_document_and_nothing_else() -> Outcome {
    let simulator = in_dialect(Dialect::D1, 0).await?;
    sim(&simulator, "POST", "accounts", json!({"name": "other", "token": "pt-other"})).await?;
    let operations = operations(&document(&simulator, "sim").await?);
    let paths: BTreeSet<&str> = operations.iter().map(|(_, path)| path.as_str()).collect();
    for path in &paths {
        // What is allowed on it is told to whoever tries what never is.
        let refused = ask(&simulator, "TRACE", path.trim_start_matches('/')).await?;
        assert_eq!(refused.status, 405, "{path}: {}", refused.error());
        let allowed = refused.headers["allow"].to_str()?.split(", ").collect::<BTreeSet<_>>();
        let own = operations.iter().filter(|(_, other)| other == path);
        assert_eq!(own.map(|(method, _)| method.as_str()).collect::<BTreeSet<_>>(), allowed);
        let of_account = ask(&simulator, "TRACE", &format!("accounts/other{path}")).await?;
        let expected = if path.starts_with("/accounts") { 404 } else { 405 };
        assert_eq!(of_account.status, expected, "{path}");
    }
    // The source has the table of all paths.
    let table = include_str!("../src/control/route.rs");
    let rows = table.lines().filter(|line| line.trim_start().starts_with("(\"")).count();
    assert_eq!(paths.len(), rows);
    Ok(())
}

#[tokio::test]
async fn a_dialect_has_only_its_own_lines() -> Outcome {
    for (dialect, most, has_request_id) in [(Dialect::D1, 1000, false), (Dialect::D2, 100, true)] {
        let simulator = in_dialect(dialect, 0).await?;
        let text = ask(&simulator, "GET", "openapi/cloud.yaml").await?.text;
        assert!(text.starts_with("openapi: 3.1.0\n"), "{text}");
        assert!(!text.contains("# d1") && !text.contains("# d2"));
        let schemas = &document(&simulator, "cloud").await?["components"]["schemas"];
        assert_eq!(schemas["Limit"]["maximum"], most);
        let needed = schemas["Error"]["required"].as_array().ok_or("no list")?;
        assert_eq!(needed.contains(&json!("request_id")), has_request_id);
    }
    Ok(())
}

async fn programs() -> Result<PathBuf, Box<dyn Error>> {
    python("openapi", &["openapi/requirements.txt"]).await
}

/// Runs a program to its end. What fails comes with advice.
async fn done(mut program: Command, advice: &str) -> Outcome {
    program.env("NO_PROXY", "*").env("no_proxy", "*").stdin(Stdio::null()).kill_on_drop(true);
    run(program).await.map_err(|error| format!("{error}\n{advice}"))?;
    Ok(())
}

#[tokio::test]
async fn the_documents_are_valid() -> Outcome {
    let programs = programs().await?;
    for (dialect, name) in [(Dialect::D1, "cloud"), (Dialect::D2, "cloud"), (Dialect::D1, "sim")] {
        let simulator = in_dialect(dialect, 0).await?;
        let file = programs.with_file_name(format!("{name}-{dialect:?}.yaml"));
        std::fs::write(&file, ask(&simulator, "GET", &format!("openapi/{name}.yaml")).await?.text)?;
        let mut validator = Command::new(programs.join("openapi-spec-validator"));
        validator.arg(file);
        done(validator, "mend the document").await?;
    }
    Ok(())
}

/// The binary, the base URL of the API, and that of `/_sim/`: apart, so that no fault of connections reaches it.
async fn start(dialect: &str) -> Result<(Child, String, String), Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qoder-simulator"));
    command.args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]);
    command.args(["--dialect", dialect, "--account", "test-1=pt-test-1", "--seed"]);
    command.arg(Path::new(HERE).join("seed.json"));
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
    let base_url = timeout(LONG, lines.next_line()).await??.ok_or("it said nothing")?;
    let control_url = timeout(LONG, lines.next_line()).await??.ok_or("it said one line")?;
    Ok((child, base_url, control_url))
}

/// What a user might write with a client that was made of the document.
const USE: &str = r#"
import sys
from made import AuthenticatedClient
from made.api.deployments import list_deployments, pause_deployment

client = AuthenticatedClient(base_url=sys.argv[1], token="pt-simulator")
id = list_deployments.sync(client=client).data[0].id
paused = pause_deployment.sync(id, client=client)
assert (paused.id, paused.status) == (id, "paused"), paused
again = pause_deployment.sync(id, client=client)
assert again.error.type_ == "conflict_error", again
"#;

#[tokio::test]
async fn a_client_can_be_made_of_the_document() -> Outcome {
    let programs = programs().await?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
    for dialect in ["d1", "d2"] {
        let (_child, base_url, control_url) = start(dialect).await?;
        let directory = programs.with_file_name(format!("client-{dialect}"));
        std::fs::create_dir_all(&directory)?;
        let mut make = Command::new(programs.join("openapi-python-client"));
        make.args(["generate", "--fail-on-warning", "--overwrite", "--meta", "none", "--url"]);
        make.arg(format!("{control_url}/openapi/cloud.yaml")).arg("--output-path");
        make.arg(directory.join("made")).env("PATH", &path);
        done(make, "mend the document").await?;
        let mut python = Command::new(programs.join("python"));
        python.args(["-c", USE, &base_url]).current_dir(directory);
        done(python, "the client does not fit").await?;
    }
    Ok(())
}

/// Compares what a server does with a document of its own.
async fn compare(document: &str, base_url: &str, args: &[&str]) -> Outcome {
    let programs = programs().await?;
    let mut schemathesis = Command::new(programs.join("schemathesis"));
    schemathesis.arg("--config-file").arg(Path::new(HERE).join("schemathesis.toml"));
    schemathesis.args(["run", document, "--url", base_url, "--no-color"]).args(args);
    // It is to find its hooks, and to leave nothing beside them.
    schemathesis.env("PYTHONPATH", HERE).env("PYTHONDONTWRITEBYTECODE", "1");
    schemathesis.current_dir(env!("CARGO_TARGET_TMPDIR"));
    done(schemathesis, "mend the document, or what it tells of").await
}

#[tokio::test]
async fn the_api_is_as_its_document_says_in_d1() -> Outcome {
    let (_child, base_url, control_url) = start("d1").await?;
    let document = format!("{control_url}/openapi/cloud.yaml");
    compare(&document, &base_url, &["--max-examples", EXAMPLES]).await
}

#[tokio::test]
async fn the_api_is_as_its_document_says_in_d2() -> Outcome {
    let (_child, base_url, control_url) = start("d2").await?;
    let document = format!("{control_url}/openapi/cloud.yaml");
    compare(&document, &base_url, &["--max-examples", EXAMPLES]).await
}

#[tokio::test]
async fn the_control_api_is_as_its_document_says_also_for_an_account() -> Outcome {
    let (_child, _, control_url) = start("d1").await?;
    let document = format!("{control_url}/openapi/sim.yaml");
    let of_account = format!("{control_url}/accounts/test-1");
    let args = ["--phases", "examples", "--exclude-path-regex", "^/accounts"];
    compare(&document, &of_account, &args).await?;
    compare(&document, &control_url, &["--max-examples", EXAMPLES]).await
}
