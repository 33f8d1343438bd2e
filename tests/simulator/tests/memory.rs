//! 64 MiB are enough for as long as it runs: shown by calls, on the real binary.
#![cfg(target_os = "linux")]
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const LONG: Duration = Duration::from_secs(240);
const MIB: u64 = 1 << 20;
/// What `deploy/simulator` gives it.
const LIMIT: u64 = 64 * MIB;

/// The binary, and a client of it.
#[derive(Clone)]
struct Scene {
    base_url: String,
    client: reqwest::Client,
}

impl Scene {
    async fn start(args: &[&str]) -> Result<(Child, Self), Box<dyn Error + Send + Sync>> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_qoder-simulator"));
        let mut child = command.args(args).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let base_url = timeout(LONG, BufReader::new(stdout).lines().next_line()).await??;
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok((child, Self { base_url: base_url.ok_or("it said nothing")?, client }))
    }

    /// A request to the API, whose answer is read to its end. Answers how long it was.
    async fn call(&self, method: &str, path: &str, body: String) -> reqwest::Result<usize> {
        let method = method.parse().unwrap_or_default();
        let request = self.client.request(method, format!("{}{path}", self.base_url));
        let mut answer = request.bearer_auth("pt-simulator").body(body).send().await?;
        let mut length = 0;
        while let Some(chunk) = answer.chunk().await? {
            length += chunk.len();
        }
        Ok(length)
    }

    /// A request to `/_sim/`.
    async fn control(&self, method: &str, path: &str, body: &Value) -> reqwest::Result<String> {
        let url = format!("{}{path}", self.base_url.replace("/api/v1/cloud", "/_sim"));
        let request = self.client.request(method.parse().unwrap_or_default(), url);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        request.send().await?.error_for_status()?.text().await
    }
}

/// The most memory that it has had, in bytes.
fn peak(child: &Child) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let pid = child.id().ok_or("it is gone")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak.and_then(|peak| peak.split_whitespace().next()).ok_or("none")?.parse()?;
    Ok(kib << 10)
}

/// Checks that it has never had more, and tells how much it was.
fn check(child: &Child, what: &str) -> Outcome {
    let peak = peak(child)?;
    println!("{what}: {} MiB", peak / MIB);
    if peak <= LIMIT { Ok(()) } else { Err(format!("{what}: {} MiB", peak / MIB).into()) }
}

/// Each of so many, sixteen at a time.
async fn each<F>(count: usize, call: impl Fn(usize) -> F) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let mut calls = JoinSet::new();
    for n in 0..count {
        if calls.len() == 16 {
            timeout(LONG, calls.join_next()).await?.ok_or("none")???;
        }
        calls.spawn(call(n));
    }
    while let Some(ended) = timeout(LONG, calls.join_next()).await? {
        ended??;
    }
    Ok(())
}

/// A poll each thirty seconds: a page of the paused ones, and everything with each twentieth; and a flip now and then.
#[tokio::test]
async fn a_week_of_polling_fits() -> Outcome {
    let (child, scene) = Scene::start(&["--deployments", "300"]).await?;
    let ids = scene.control("GET", "/deployments", &Value::Null).await?;
    let ids: Value = serde_json::from_str(&ids)?;
    let id = ids["ids"][0].as_str().ok_or("no id")?.to_owned();
    each(7 * 24 * 60 * 2, |poll| {
        let (scene, id) = (scene.clone(), id.clone());
        async move {
            scene.call("GET", "/deployments?status=paused&limit=100", String::new()).await?;
            if poll % 20 == 0 {
                scene.call("GET", "/deployments?limit=1000", String::new()).await?;
            }
            if poll % 10 == 0 {
                let verb = if poll % 20 == 0 { "pause" } else { "unpause" };
                scene.call("POST", &format!("/deployments/{id}/{verb}"), "{}".to_owned()).await?;
            }
            Ok(())
        }
    })
    .await?;
    check(&child, "a week of polling")
}

/// What the tests of a suite do between two resets, and each in an account of its own.
#[tokio::test]
async fn a_suite_of_a_thousand_tests_fits() -> Outcome {
    let (child, scene) = Scene::start(&["--deployments", "20"]).await?;
    for n in 0..500 {
        scene.control("POST", "/deployments", &json!({"id": "dep_1"})).await?;
        let fault = json!({"operation": "get", "action": "hang_after"});
        scene.control("POST", "/faults", &fault).await?;
        let action = json!({"respond": {"status": 503, "body": "x".repeat(10_000)}});
        scene.control("POST", "/faults", &json!({"operation": "pause", "action": action})).await?;
        for _ in 0..2 {
            scene.call("POST", "/deployments/dep_1/pause", String::new()).await?;
        }
        scene.call("POST", "/deployments/dep_1/run", String::new()).await?;
        scene.control("GET", "/deployments/dep_1?until=paused", &Value::Null).await?;
        let calls: Vec<_> = ["pause", "pause", "run"].map(|of| json!({"operation": of})).into();
        scene.control("POST", "/verify", &json!({"calls": calls})).await?;
        scene.control("POST", "/reset", &Value::Null).await?;

        let name = format!("test-{n}");
        let token = format!("pt-{name}");
        let deployments = vec![json!({}); 50];
        let account = json!({"name": name, "token": token, "deployments": deployments});
        scene.control("POST", "/accounts", &account).await?;
        let list = scene.client.get(format!("{}/deployments?limit=50", scene.base_url));
        list.bearer_auth(token).send().await?.bytes().await?;
        scene.control("POST", &format!("/accounts/{name}/reset"), &Value::Null).await?;
        scene.control("DELETE", &format!("/accounts/{name}"), &Value::Null).await?;
    }
    check(&child, "a suite")
}

/// Each was more than 64 MiB once.
#[tokio::test]
async fn what_is_large_is_sent_in_pieces() -> Outcome {
    let (child, scene) = Scene::start(&["--deployments", "6000"]).await?;
    let mut after = String::new();
    for _ in 0..6 {
        let page = format!("{}/deployments?limit=1000{after}", scene.base_url);
        let page = scene.client.get(page).bearer_auth("pt-simulator").send().await?.text().await?;
        let page: Value = serde_json::from_str(&page)?;
        after = format!("&after_id={}", page["last_id"].as_str().ok_or("no last id")?);
    }
    assert_eq!(after.len(), "&after_id=".len() + 36, "{after}");
    check(&child, "6000 deployments")?;

    let (child, scene) = Scene::start(&["--deployments", "1"]).await?;
    scene.control("POST", "/faults", &json!({"action": {"oversized": 100_000_000}})).await?;
    assert_eq!(scene.call("GET", "/deployments", String::new()).await?, 100_000_000);
    check(&child, "100 MB")?;

    let (child, scene) = Scene::start(&["--deployments", "1"]).await?;
    let body = json!({"unknown": "x".repeat(4_000)}).to_string();
    each(17_280, |n| {
        let (scene, body) = (scene.clone(), body.clone());
        async move {
            scene.call("POST", &format!("/deployments/dep_{n}/pause"), body).await?;
            Ok(())
        }
    })
    .await?;
    let journal = scene.control("GET", "/journal", &Value::Null).await?;
    assert!(journal.len() > 10_000_000);
    check(&child, "17,280 entries")
}

/// A thousand answers of keys would be gigabytes.
#[tokio::test]
async fn answers_of_idempotency_keys_are_kept_as_far_as_there_is_room() -> Outcome {
    let (child, scene) = Scene::start(&["--deployments", "1"]).await?;
    let body = json!({"unknown": "x".repeat(1 << 20)}).to_string();
    for key in 0..100 {
        let url = format!("{}/deployments/dep_1/pause", scene.base_url);
        let request = scene.client.post(url).bearer_auth("pt-simulator");
        let request = request.header("idempotency-key", key.to_string()).body(body.clone());
        request.send().await?.bytes().await?;
    }
    check(&child, "keys")
}
