//! The binary: its first line, its control API, https, and how it stops.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

const BINARY: &str = env!("CARGO_BIN_EXE_qoder-simulator");
const LONG: Duration = Duration::from_secs(30);

/// Starts the binary and reads the base URL.
async fn start(args: &[&str]) -> Result<(Child, String), Box<dyn Error>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut command = tokio::process::Command::new(BINARY);
    command.args(args).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let first = timeout(LONG, lines.next_line()).await??;
    Ok((child, first.ok_or("it said nothing")?))
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

/// Runs the binary to its end.
fn refused(args: &[&str]) -> Result<(Output, String), Box<dyn Error>> {
    let output = Command::new(BINARY).args(args).output()?;
    let error = String::from_utf8(output.stderr.clone())?;
    Ok((output, error))
}

#[test]
fn bad_input_is_named_and_nothing_is_printed() -> Outcome {
    let seed = temporary("bad-seed.json");
    let path = seed.display().to_string();
    for (content, reason) in [
        ("{", "failed to read the seed file"),
        ("{", "like [{"),
        ("{}", "must be an array of deployments"),
        (r#"[{"name": "nightly", "paused": true}]"#, r#"[0] "nightly": "paused" is not a field"#),
    ] {
        std::fs::write(&seed, content)?;
        let (output, error) = refused(&["--seed", &path])?;
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(error.contains(reason), "{error}");
    }
    for (args, reason) in [
        (["--listen", ":8080"], "like 127.0.0.1:8080"),
        (["--token", ""], "must be one or more visible"),
        (["--token", "two words"], "must be one or more visible"),
    ] {
        let (output, error) = refused(&args)?;
        assert!(!output.status.success() && error.contains(reason), "{error}");
    }
    for args in [
        ["--create-status", "418"],
        ["--latency", "soon"],
        ["--read-lag", "2"],
        ["--tls-cert", "only.pem"],
    ] {
        let (output, error) = refused(&args)?;
        assert!(!output.status.success() && error.contains(args[0]), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() -> Outcome {
    let (_child, base_url) = start(&[]).await?;
    let address = base_url.split('/').nth(2).ok_or("no address")?;
    let (_, error) = refused(&["--listen", address])?;
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
        let (output, error) = refused(&["--tls-cert", &certificate, "--tls-key", &key])?;
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
