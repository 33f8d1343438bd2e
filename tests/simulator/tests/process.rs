//! The binary: its first line, its control API, https, and how it stops.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::Child;
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_qoder-simulator");
const LONG: Duration = Duration::from_secs(30);

/// Starts the binary and reads the base URL.
async fn start(args: &[&str]) -> Result<(Child, String), Box<dyn Error>> {
    let mut child = command(args).spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let first = line(&mut BufReader::new(stdout).lines()).await?;
    Ok((child, first))
}

fn command(args: &[&str]) -> tokio::process::Command {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut command = tokio::process::Command::new(BINARY);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn line(
    lines: &mut Lines<BufReader<impl AsyncRead + Unpin>>,
) -> Result<String, Box<dyn Error>> {
    let line = timeout(LONG, lines.next_line()).await??;
    Ok(line.ok_or("it said nothing")?)
}

/// A client for loopback; no proxy of the environment is to see it.
fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build()
}

/// Where the control API is.
fn control(base_url: &str) -> Result<String, Box<dyn Error>> {
    let root = base_url.strip_suffix("/api/v1/cloud");
    Ok(format!("{}/_sim", root.ok_or("no API in the base URL")?))
}

fn terminate(child: &Child) -> Outcome {
    let pid = child.id().ok_or("it is gone")?.to_string();
    let status = Command::new("kill").args(["-TERM", &pid]).status()?;
    if status.success() { Ok(()) } else { Err("kill failed".into()) }
}

fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[tokio::test]
async fn the_first_line_is_a_usable_base_url_even_on_all_interfaces() -> Outcome {
    let (_child, base_url) = start(&["--listen", "0.0.0.0:0", "--deployments", "3"]).await?;
    assert!(base_url.starts_with("http://127.0.0.1:"), "{base_url}");
    assert!(base_url.ends_with("/api/v1/cloud"), "{base_url}");
    let list = client()?.get(format!("{base_url}/deployments")).bearer_auth("pt-simulator");
    let page: Value = list.send().await?.json().await?;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(3));
    Ok(())
}

#[tokio::test]
async fn it_stops_at_once_even_when_requests_hang() -> Outcome {
    let (mut child, base_url) = start(&["--deployments", "1", "--latency", "3600s"]).await?;
    let client = client()?;
    let hanging = client.get(format!("{base_url}/deployments")).bearer_auth("pt-simulator").send();
    let hanging = tokio::spawn(hanging);
    let journal = format!("{}/journal", control(&base_url)?);
    timeout(LONG, async {
        while client.get(&journal).send().await?.json::<Vec<Value>>().await?.is_empty() {}
        Ok::<_, reqwest::Error>(())
    })
    .await??;
    terminate(&child)?;
    let status = timeout(Duration::from_secs(2), child.wait()).await??;
    assert!(status.success());
    assert!(hanging.await?.is_err());
    Ok(())
}

#[tokio::test]
async fn https_is_served_with_the_given_certificate() -> Outcome {
    let issued = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let (certificate, key) = (temporary("tls.pem"), temporary("tls-key.pem"));
    std::fs::write(&certificate, issued.cert.pem())?;
    std::fs::write(&key, issued.signing_key.serialize_pem())?;
    let paths = [certificate.display().to_string(), key.display().to_string()];
    let (_child, base_url) = start(&["--tls-cert", &paths[0], "--tls-key", &paths[1]]).await?;
    assert!(base_url.starts_with("https://"), "{base_url}");
    let trusted = reqwest::Certificate::from_pem(issued.cert.pem().as_bytes())?;
    let client = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().build()?;
    let list = client.get(format!("{base_url}/deployments")).bearer_auth("pt-simulator");
    assert_eq!(list.send().await?.status(), 200);
    Ok(())
}

/// Runs the binary to its end, which must come soon: else it is killed.
async fn refused(args: &[&str]) -> Result<(Output, String), Box<dyn Error>> {
    let ended = timeout(Duration::from_secs(10), command(args).output()).await;
    let output = ended.map_err(|_| format!("it goes on with {args:?}"))??;
    let error = String::from_utf8(output.stderr.clone())?;
    Ok((output, error))
}

#[tokio::test]
async fn bad_input_is_named_and_nothing_is_printed() -> Outcome {
    let seed = temporary("bad-seed.json");
    let path = seed.display().to_string();
    for (content, reason) in [
        ("{", "failed to read the seed file"),
        ("{", "like [{"),
        ("{}", "must be an array of deployments"),
        (r#"[{"name": "nightly", "paused": true}]"#, r#"[0] "nightly": "paused" is not a field"#),
    ] {
        std::fs::write(&seed, content)?;
        let (output, error) = refused(&["--seed", &path]).await?;
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(error.contains(reason), "{error}");
    }
    for (args, reason) in [
        (["--listen", ":8080"], "like 127.0.0.1:8080"),
        (["--token", ""], "must be one or more visible"),
        (["--token", "two words"], "must be one or more visible"),
        (["--account", "no-token"], "like test-1=pt-test-1"),
        (["--account", "a/b=pt-fake"], "letters, digits"),
        (["--account", "other=pt-simulator"], "another account has this token"),
        (["--account", "other="], "must be one or more visible"),
        (["--control-listen", "8081"], "like 127.0.0.1:8080"),
        (["--start-time", "today"], "like 2026-06-14T08:00:00Z"),
        (["--journal", "many"], "--journal"),
        (["healthcheck", "--deployments"], "--deployments"),
    ] {
        let (output, error) = refused(&args).await?;
        assert!(!output.status.success() && error.contains(reason), "{error}");
    }
    for args in [
        ["--create-status", "418"],
        ["--latency", "soon"],
        ["--read-lag", "2"],
        ["--tls-cert", "only.pem"],
    ] {
        let (output, error) = refused(&args).await?;
        assert!(!output.status.success() && error.contains(args[0]), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() -> Outcome {
    let (_child, base_url) = start(&[]).await?;
    let address = base_url.split('/').nth(2).ok_or("no address")?;
    let (_, error) = refused(&["--listen", address]).await?;
    assert!(error.contains(address) && error.contains("another port"), "{error}");
    let first = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let second = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let [cert, key, none] = ["named.pem", "named-key.pem", "none.pem"].map(temporary);
    std::fs::write(&cert, first.cert.pem())?;
    std::fs::write(&key, second.signing_key.serialize_pem())?;
    for (certificate, key, named) in [
        (&cert, &key, &key),
        (&cert, &key, &cert),
        (&none, &key, &none),
        (&cert, &none, &none),
        (&cert, &cert, &cert),
    ] {
        let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
        let (output, error) = refused(&["--tls-cert", &certificate, "--tls-key", &key]).await?;
        assert!(!output.status.success() && error.contains(&*named.to_string_lossy()), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_big_body_is_taken_and_a_bigger_one_refused_with_the_limit() -> Outcome {
    let (_child, base_url) = start(&[]).await?;
    let send = async |bytes: usize| {
        let seed = json!([{"id": "dep_big", "description": "x".repeat(bytes)}]);
        client()?
            .post(format!("{}/deployments", control(&base_url)?))
            .body(seed.to_string())
            .send()
            .await
            .map_err(Into::<Box<dyn Error>>::into)
    };
    assert_eq!(send(6 << 20).await?.status(), 200);
    let refused = send(20 << 20).await?;
    assert_eq!(refused.status(), 413);
    let error: Value = refused.json().await?;
    assert!(error["error"].as_str().is_some_and(|error| error.contains("16777216")), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_seed_file_is_read_and_the_control_api_needs_no_token() -> Outcome {
    let seed = temporary("seed.json");
    std::fs::write(&seed, r#"[{"id": "dep_1", "name": "nightly"}, {"id": "dep_2"}]"#)?;
    let (_child, base_url) = start(&["--seed", &seed.display().to_string()]).await?;
    let ids = client()?.get(format!("{}/deployments", control(&base_url)?)).send().await?;
    assert_eq!(ids.json::<Value>().await?, json!({"ids": ["dep_1", "dep_2"]}));
    Ok(())
}

#[tokio::test]
async fn the_flags_of_the_pace_are_the_settings() -> Outcome {
    let (_child, base_url) = start(&["--latency", "5ms", "--read-lag", "2s"]).await?;
    let settings = reqwest::get(format!("{}/settings", control(&base_url)?)).await?;
    let settings: Value = settings.json().await?;
    assert_eq!((&settings["latency_ms"], &settings["read_lag_ms"]), (&json!(5), &json!(2000)));
    Ok(())
}

/// A GET of the control API that a process serves.
async fn ask(base_url: &str, path: &str) -> Result<reqwest::Response, Box<dyn Error>> {
    Ok(client()?.get(format!("{}/{path}", control(base_url)?)).send().await?)
}

async fn list(base_url: &str, token: &str) -> Result<reqwest::Response, Box<dyn Error>> {
    let list = client()?.get(format!("{base_url}/deployments")).bearer_auth(token);
    Ok(list.send().await?)
}

#[tokio::test]
async fn accounts_are_given_by_flags_or_together_by_the_environment() -> Outcome {
    let names = json!({"names": ["one", "two"]});
    let (_child, base_url) = start(&["--account", "one=pt-one", "--account", "two=pt-two"]).await?;
    assert_eq!(ask(&base_url, "accounts").await?.json::<Value>().await?, names);
    for (token, status) in
        [("pt-simulator", 200), ("pt-one", 200), ("pt-two", 200), ("pt-three", 401)]
    {
        assert_eq!(list(&base_url, token).await?.status(), status, "{token}");
    }
    let mut child = command(&[]).env("SIMULATOR_ACCOUNTS", "one=pt-one,two=pt-two").spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let base_url = line(&mut BufReader::new(stdout).lines()).await?;
    assert_eq!(ask(&base_url, "accounts").await?.json::<Value>().await?, names);
    Ok(())
}

#[tokio::test]
async fn the_same_start_time_gives_the_same_deployments() -> Outcome {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (_child, base_url) =
            start(&["--start-time", "2026-06-14T08:00:00Z", "--deployments", "3"]).await?;
        let clock: Value = ask(&base_url, "clock").await?.json().await?;
        assert!(
            clock["now"].as_str().is_some_and(|now| now.starts_with("2026-06-14T08:0")),
            "{clock}"
        );
        seen.push(list(&base_url, "pt-simulator").await?.text().await?);
    }
    assert_eq!(seen[0], seen[1]);
    Ok(())
}

#[tokio::test]
async fn the_journal_keeps_as_many_as_it_is_told() -> Outcome {
    let (_child, base_url) = start(&["--journal", "2"]).await?;
    for _ in 0..3 {
        list(&base_url, "pt-simulator").await?;
    }
    let journal = ask(&base_url, "journal").await?;
    assert_eq!(journal.headers()["x-sim-dropped"], "1");
    assert_eq!(journal.json::<Vec<Value>>().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_line_is_logged_for_each_request_without_a_token() -> Outcome {
    let (mut child, base_url) =
        start(&["--log", "--start-time", "2026-06-14T08:00:00Z", "--deployments", "1"]).await?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let mut lines = BufReader::new(stderr).lines();
    let fault = json!({"action": {"respond": {"status": 503}}});
    client()?
        .post(format!("{}/faults", control(&base_url)?))
        .body(fault.to_string())
        .send()
        .await?;
    list(&base_url, "pt-simulator").await?;
    let logged = line(&mut lines).await?;
    assert!(logged.starts_with("2026-06-14T08:0"), "{logged}");
    assert!(logged.ends_with("GET /api/v1/cloud/deployments 503 fault=1"), "{logged}");
    let id = ask(&base_url, "deployments").await?.json::<Value>().await?["ids"][0].clone();
    let pause = format!("{base_url}/deployments/{}/pause", id.as_str().ok_or("no id")?);
    client()?.post(pause).bearer_auth("pt-simulator").send().await?;
    let logged = line(&mut lines).await?;
    assert!(logged.ends_with("/pause 200 effect") && !logged.contains("pt-"), "{logged}");
    Ok(())
}

#[tokio::test]
async fn a_log_that_nobody_reads_is_no_trouble() -> Outcome {
    let (mut child, base_url) = start(&["--log"]).await?;
    drop(child.stderr.take());
    for _ in 0..3 {
        assert_eq!(list(&base_url, "pt-simulator").await?.status(), 200);
    }
    let journal: Vec<Value> = ask(&base_url, "journal").await?.json().await?;
    assert!(journal.iter().all(|entry| entry["finished"] == true), "{journal:?}");
    Ok(())
}

#[tokio::test]
async fn a_log_that_is_open_and_not_read_keeps_no_request_waiting() -> Outcome {
    let (mut child, base_url) = start(&["--log"]).await?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let client = client()?;
    // A pipe holds 64 KiB.
    let url = format!("{base_url}/deployments?after_id={}", "x".repeat(1000));
    for _ in 0..200 {
        timeout(LONG, client.get(&url).send()).await??;
    }
    terminate(&child)?;
    assert!(timeout(Duration::from_secs(2), child.wait()).await??.success());
    drop(stderr);
    Ok(())
}

#[tokio::test]
async fn the_last_line_of_the_log_is_written_before_the_end() -> Outcome {
    let (mut child, base_url) = start(&["--log"]).await?;
    for _ in 0..3 {
        list(&base_url, "pt-simulator").await?;
    }
    terminate(&child)?;
    child.wait().await?;
    let mut lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
    let mut count = 0;
    while lines.next_line().await?.is_some() {
        count += 1;
    }
    assert_eq!(count, 3);
    Ok(())
}

#[tokio::test]
async fn the_health_of_one_that_serves_is_told_by_the_exit_status() -> Outcome {
    let (mut child, base_url) = start(&["--listen", "0.0.0.0:0", "--token", "pt-other"]).await?;
    let address = base_url.split('/').nth(2).ok_or("no address")?.to_owned();
    let port = address.rsplit(':').next().ok_or("no port")?;
    for listen in [address.clone(), format!("0.0.0.0:{port}")] {
        let (output, error) = refused(&["healthcheck", "--listen", &listen]).await?;
        assert!(output.status.success() && output.stdout.is_empty(), "{listen}: {error}");
    }
    // In an image the environment tells it, and may have more in it.
    let mut check = command(&["healthcheck"]);
    check.env("SIMULATOR_LISTEN", format!("0.0.0.0:{port}")).env("SIMULATOR_DEPLOYMENTS", "3");
    let output = timeout(LONG, check.output()).await??;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    terminate(&child)?;
    timeout(LONG, child.wait()).await??;
    let (output, error) = refused(&["healthcheck", "--listen", &address]).await?;
    assert!(!output.status.success() && error.contains(&address), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_control_api_apart_is_the_second_line() -> Outcome {
    let mut child = command(&["--control-listen", "127.0.0.1:0", "--deployments", "1"]).spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let (base_url, control_url) = (line(&mut lines).await?, line(&mut lines).await?);
    assert!(control_url.starts_with("http://127.0.0.1:") && control_url.ends_with("/_sim"));
    let seen = client()?.get(format!("{control_url}/deployments")).send().await?;
    assert_eq!(seen.json::<Value>().await?["ids"].as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&base_url, "deployments").await?.status(), 404);
    let address = control_url.split('/').nth(2).ok_or("no address")?;
    let (_, error) = refused(&["--control-listen", address]).await?;
    assert!(error.contains(address) && error.contains("another port"), "{error}");
    terminate(&child)?;
    assert!(timeout(Duration::from_secs(2), child.wait()).await??.success());
    Ok(())
}

#[tokio::test]
async fn a_snapshot_is_a_seed_in_json_and_in_yaml() -> Outcome {
    let seed = json!([
        {"id": "dep_1", "name": "yes", "schedule": {"expression": "0 3 * * *", "timezone": "Europe/Berlin"}},
        {"id": "dep_2", "description": "a: b\n# c", "paused_reason": {"type": "error", "error": {"type": "x"}}},
    ]);
    let file = temporary("to-snapshot.json");
    std::fs::write(&file, seed.to_string())?;
    let (_child, base_url) = start(&["--seed", &file.display().to_string()]).await?;
    let post = async |url: String, body: Value| {
        let sent = client()?.post(url).bearer_auth("pt-simulator").body(body.to_string()).send();
        let answer = sent.await?;
        assert_eq!(answer.status(), 200);
        Ok::<_, Box<dyn Error>>(answer.json::<Value>().await?)
    };
    let settings =
        json!({"writes_per_second": 7, "dialect": "d2", "quirks": {"create_status": 201}});
    let patch =
        client()?.patch(format!("{}/settings", control(&base_url)?)).body(settings.to_string());
    assert_eq!(patch.send().await?.status(), 200);
    post(format!("{base_url}/deployments/dep_1/run"), json!({})).await?;
    // One that was made by the API, without what the template has, and one that is archived.
    for name in ["made", "archived"] {
        let create = json!({
            "name": name, "agent": {"id": "agent_1", "type": "agent"}, "environment_id": "env_1",
            "initial_events": [{"type": "user.message", "content": [{"type": "text", "text": "go"}]}],
            "schedule": {"type": "cron", "expression": "0 3 * * *", "timezone": "UTC"},
            "metadata": {"team": "a"},
        });
        let create = client()?
            .post(format!("{base_url}/deployments"))
            .bearer_auth("pt-simulator")
            .body(create.to_string());
        let made = create.send().await?;
        assert_eq!(made.status(), 201, "{}", made.text().await?);
    }
    let ids: Value = ask(&base_url, "deployments").await?.json().await?;
    let last = ids["ids"][3].as_str().ok_or("no id")?;
    post(format!("{}/deployments/{last}/archive", control(&base_url)?), json!({})).await?;
    // The clock is ahead, and so are the times of what is written now.
    post(format!("{}/clock", control(&base_url)?), json!({"advance_ms": 864_000_000})).await?;
    post(format!("{base_url}/deployments/dep_2/unpause"), json!({})).await?;
    let before: Value = ask(&base_url, "snapshot").await?.json().await?;

    for (format, name) in
        [("json", "snapshot.json"), ("yaml", "snapshot.yaml"), ("yaml", "snapshot.yml")]
    {
        let snapshot = ask(&base_url, &format!("snapshot?format={format}")).await?;
        let content_type = snapshot.headers()["content-type"].to_str()?.to_owned();
        assert_eq!(content_type, format!("application/{format}"));
        let file = temporary(name);
        std::fs::write(&file, snapshot.text().await?)?;
        let (_child, again) = start(&["--seed", &file.display().to_string()]).await?;
        let after: Value = ask(&again, "snapshot").await?.json().await?;
        assert_eq!(after["deployments"], before["deployments"], "{name}");
        assert_eq!(after["settings"], before["settings"], "{name}");
        let order: Value = ask(&again, "deployments").await?.json().await?;
        assert_eq!(order, ids, "{name}");
    }

    // That of one whose clock has fallen behind.
    let mut old = before;
    old["now"] = json!("2020-01-01T00:00:00Z");
    old["deployments"] = json!([]);
    let file = temporary("old-snapshot.json");
    std::fs::write(&file, old.to_string())?;
    let (_child, base_url) = start(&["--seed", &file.display().to_string()]).await?;
    let clock: Value = ask(&base_url, "clock").await?.json().await?;
    assert!(clock["now"].as_str().is_some_and(|now| now > "2026"), "{clock}");
    Ok(())
}

#[tokio::test]
async fn a_seed_by_hand_may_be_yaml() -> Outcome {
    let file = temporary("seed.yaml");
    let text = "- id: dep_1\n  name: nightly\n  created_at: 2026-01-01T00:00:00Z\n- id: dep_2\n  status: paused\n";
    std::fs::write(&file, text)?;
    let (_child, base_url) = start(&["--seed", &file.display().to_string()]).await?;
    let seen: Value = ask(&base_url, "deployments/dep_2").await?.json().await?;
    assert_eq!(seen["paused_reason"], json!({"type": "manual"}));
    std::fs::write(&file, "- id: [")?;
    let (_, error) = refused(&["--seed", &file.display().to_string()]).await?;
    assert!(error.contains("failed to read the seed file") && error.contains("like [{"), "{error}");
    Ok(())
}

#[tokio::test]
async fn it_stops_at_once_even_when_someone_waits() -> Outcome {
    let (mut child, base_url) = start(&[]).await?;
    let url = format!("{}/journal?count=1&timeout_ms=600000", control(&base_url)?);
    let waiting = tokio::spawn(client()?.get(url).send());
    list(&base_url, "pt-unknown").await?;
    assert_eq!(waiting.await??.status(), 200);
    let url = format!("{}/deployments/dep_1?until=paused&timeout_ms=600000", control(&base_url)?);
    let waiting = tokio::spawn(client()?.get(url).send());
    ask(&base_url, "settings").await?;
    terminate(&child)?;
    assert!(timeout(Duration::from_secs(2), child.wait()).await??.success());
    assert!(waiting.await?.is_err());
    Ok(())
}

#[tokio::test]
async fn a_variable_without_a_value_says_nothing_and_a_switch_is_on_with_1() -> Outcome {
    let mut command = command(&[]);
    command.envs([("SIMULATOR_SEED", ""), ("SIMULATOR_LISTEN", ""), ("SIMULATOR_LOG", "1")]);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let base_url = line(&mut BufReader::new(stdout).lines()).await?;
    assert!(base_url.starts_with("http://127.0.0.1:"), "{base_url}");
    client()?.get(format!("{base_url}/deployments")).send().await?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let told = line(&mut BufReader::new(stderr).lines()).await?;
    assert!(told.ends_with("GET /api/v1/cloud/deployments 401"), "{told}");
    Ok(())
}
