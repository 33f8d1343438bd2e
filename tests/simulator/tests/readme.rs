//! The README: what it tells to paste works as it is, against the real binary.

#[path = "common/languages.rs"]
mod languages;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use languages::{BINARY, Language, run};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

const README: &str = include_str!("../README.md");
const LONG: Duration = Duration::from_secs(60);
/// Where the README says that it listens.
const ADDRESS: &str = "127.0.0.1:8080";

/// The blocks of a language, in their order.
fn blocks(language: &str) -> impl Iterator<Item = &str> {
    let blocks = README.split("```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

/// Starts the binary on a free port, and reads its address.
async fn start(args: &[&str]) -> Result<(Child, String), Box<dyn Error>> {
    start_in(&BTreeMap::new(), args).await
}

async fn start_in(
    environment: &BTreeMap<String, String>,
    args: &[&str],
) -> Result<(Child, String), Box<dyn Error>> {
    let mut command = Command::new(BINARY);
    command
        .envs(environment)
        .args(args)
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let base_url = timeout(LONG, BufReader::new(stdout).lines().next_line()).await??;
    let base_url = base_url.ok_or("it said nothing")?;
    Ok((child, base_url.split('/').nth(2).ok_or("no address")?.to_owned()))
}

fn directory(name: &str) -> std::io::Result<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

#[tokio::test]
async fn all_commands_work_as_pasted_one_after_the_other() -> Outcome {
    let pasted = blocks("console").next().and_then(|block| block.lines().next());
    let pasted = pasted.and_then(|line| line.strip_prefix("$ qoder-simulator --listen "));
    let args = pasted.and_then(|rest| rest.strip_prefix(ADDRESS)).ok_or("it is not started")?;
    let (_child, address) = start(&args.split_whitespace().collect::<Vec<_>>()).await?;
    // Each command is shown before it runs, and one that is refused ends the script.
    let mut script =
        "set -euxo pipefail\ncurl() { command curl --noproxy '*' --fail-with-body -sS \"$@\"; }\n"
            .to_owned();
    for block in blocks("sh") {
        script.push_str(&block.replace(ADDRESS, &address));
        script.push('\n');
    }
    assert!(script.matches("curl").count() > 40, "the blocks are found");
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script).current_dir(directory("readme")?).kill_on_drop(true);
    let output = timeout(LONG, bash.stdin(Stdio::null()).output()).await??;
    let [told, shown] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{shown}\n{told}");
    Ok(())
}

#[tokio::test]
async fn its_seeds_can_be_used_and_are_the_same() -> Outcome {
    let directory = directory("readme-seeds")?;
    let mut pages = Vec::new();
    for language in ["json", "yaml"] {
        let file = directory.join(format!("seed.{language}"));
        std::fs::write(&file, blocks(language).next().ok_or("there is none")?)?;
        let file = file.display().to_string();
        let (_child, address) =
            start(&["--seed", &file, "--start-time", "2026-06-14T08:00:00Z"]).await?;
        let url = format!("http://{address}/api/v1/cloud/deployments");
        let mut curl = Command::new("curl");
        curl.args(["--noproxy", "*", "-fsS", "-H", "Authorization: Bearer pt-simulator", &url]);
        let output = timeout(LONG, curl.output()).await??;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        pages.push(String::from_utf8(output.stdout)?);
    }
    let ids = ["dep_1", "dep_2", "dep_3"];
    assert!(pages.iter().all(|page| ids.iter().all(|id| page.contains(id))), "{pages:?}");
    assert!(pages.windows(2).all(|pair| pair.first() == pair.last()), "{pages:?}");
    Ok(())
}

#[tokio::test]
async fn it_tells_every_flag() -> Outcome {
    let mut help = Command::new(BINARY);
    let output = timeout(LONG, help.arg("--help").output()).await??;
    let help = String::from_utf8(output.stdout)?;
    let flags = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .map(|flag| flag.trim_end_matches(|end: char| !end.is_ascii_lowercase()));
    let untold: Vec<_> = flags
        .filter(|flag| !["--help", "--version"].contains(flag))
        .filter(|flag| {
            !README.contains(&format!("`{flag}`")) && !README.contains(&format!("`{flag} "))
        })
        .collect();
    assert!(untold.is_empty(), "{untold:?}");
    Ok(())
}

/// What a test has at hand that is pasted beside the client of the examples.
fn beside(language: Language, file: &str) -> Result<PathBuf, Box<dyn Error>> {
    let directory = directory(&format!("readme-{}", language.name()))?;
    std::fs::copy(language.example().join(file), directory.join(file))?;
    Ok(directory)
}

#[tokio::test]
async fn its_test_in_go_passes() -> Outcome {
    let directory = beside(Language::Go, "deployments.go")?;
    std::fs::copy(Language::Go.example().join("go.mod"), directory.join("go.mod"))?;
    let packages = r#""bufio"; "io"; "net/http"; "os/exec"; "strings"; "testing""#;
    let test = blocks("go").next().ok_or("there is none")?;
    let test = format!("package deployments\nimport ({packages})\n{test}");
    std::fs::write(directory.join("readme_test.go"), test)?;
    run(Language::Go.tests(&directory).await?).await?;
    Ok(())
}

#[tokio::test]
async fn its_test_in_javascript_passes() -> Outcome {
    let directory = beside(Language::JavaScript, "deployments.js")?;
    std::fs::copy(
        Language::JavaScript.example().join("package.json"),
        directory.join("package.json"),
    )?;
    let test = blocks("js").next().ok_or("there is none")?;
    std::fs::write(directory.join("readme.test.js"), test)?;
    run(Language::JavaScript.tests(&directory).await?).await?;
    Ok(())
}

#[tokio::test]
async fn its_test_in_python_passes_and_with_testcontainers_too() -> Outcome {
    let directory = beside(Language::Python, "deployments.py")?;
    let [test, fixture] = blocks("python").collect::<Vec<_>>().try_into().map_err(|_| "not two")?;
    std::fs::write(directory.join("test_readme.py"), test)?;
    let mut starting = Language::Python.tests(&directory).await?;
    starting.arg("test_readme.py");
    run(starting).await?;

    // The fixture takes the place of the one above it.
    let containers = directory.join("containers");
    std::fs::create_dir_all(&containers)?;
    std::fs::write(containers.join("conftest.py"), include_str!("snippets/conftest.py"))?;
    std::fs::write(containers.join("test_containers.py"), format!("{test}\n\n{fixture}"))?;
    let (_child, address) = start(&[]).await?;
    let mut using = Language::Python.tests(&directory).await?;
    using.arg("containers").env("PYTHONPATH", &directory).env("ADDRESS", address);
    run(using).await?;
    Ok(())
}

#[test]
fn its_test_in_rust_is_one_that_runs() {
    let shown: Vec<_> = blocks("rust").collect();
    assert_eq!(shown.len(), 1);
    assert!(shown.iter().all(|test| include_str!("in_rust.rs").contains(test)), "{shown:?}");
}

/// A file of Docker compose, or a job of GitHub Actions.
#[derive(Deserialize)]
struct Services {
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    image: Option<String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default, alias = "env")]
    environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Workflow {
    jobs: BTreeMap<String, Services>,
}

/// Without Docker: what a container file says of the image is what the image has, and its variables are taken.
#[tokio::test]
async fn its_containers_are_those_of_the_container_file() -> Outcome {
    let container_file =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Containerfile"))?;
    assert!(container_file.contains("ENV SIMULATOR_LISTEN=0.0.0.0:8080\nEXPOSE 8080\nHEALTHCHECK"));
    let [build, docker_run, url] = blocks("console")
        .nth(1)
        .map(|block| block.lines().collect::<Vec<_>>())
        .and_then(|lines| lines.try_into().ok())
        .ok_or("docker is not told")?;
    let build = build.trim_start_matches("$ ");
    assert!(container_file.contains(&format!("#   {build}\n")), "{build}");
    let args =
        docker_run.split("-p 8080:8080 localhost/qoder-simulator:dev ").nth(1).ok_or("no image")?;
    let (_child, address) = start(&args.split_whitespace().collect::<Vec<_>>()).await?;
    assert_eq!(url.replace(ADDRESS, &address), format!("http://{address}/api/v1/cloud"));

    let help = Command::new(BINARY).arg("--help").output().await?;
    let help = String::from_utf8(help.stdout)?;
    let variables: Vec<_> = help.split(['[', ']', '=']).collect();
    let actions = blocks("yaml").find(|block| block.starts_with("jobs:")).ok_or("no actions")?;
    let compose =
        blocks("yaml").find(|block| block.starts_with("services:")).ok_or("no compose")?;
    let actions: Workflow = serde_yaml_ng::from_str(actions)?;
    let compose: Services = serde_yaml_ng::from_str(compose)?;
    let mut images = Vec::new();
    for mut services in actions.jobs.into_values().chain([compose]) {
        let simulator = services.services.remove("simulator").ok_or("no simulator")?;
        images.push(simulator.image.ok_or("no image")?);
        assert_eq!(simulator.ports, ["8080:8080"]);
        assert!(!simulator.environment.is_empty());
        start_in(&simulator.environment, &[]).await?;
        for name in simulator.environment.keys() {
            assert!(variables.contains(&format!("env: {name}").as_str()), "{name}");
        }
    }
    assert_eq!(images, ["registry.example/qoder-simulator:0.1.0", "localhost/qoder-simulator:dev"]);
    Ok(())
}
