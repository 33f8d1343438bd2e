//! Faults of connections over real sockets, pages of other origins, and many connections at once.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Outcome, soon, with_deployments};
use qoder_simulator::{Config, ConnectionFault, Fault, Simulator};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No test takes that long, however busy the machine is.
const LONG: Duration = Duration::from_secs(10);

fn address(simulator: &Simulator) -> String {
    let base_url = simulator.base_url();
    base_url.split('/').nth(2).unwrap_or_default().to_owned()
}

/// Sends a request that closes its connection, and reads all of the answer.
async fn exchange(
    mut stream: TcpStream,
    method: &str,
    path: &str,
    headers: &str,
) -> std::io::Result<String> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim.example\r\nconnection: close\r\ncontent-length: 0\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await??;
    Ok(answer)
}

/// Lists over a new connection.
async fn list(simulator: &Simulator) -> std::io::Result<String> {
    let stream = TcpStream::connect(address(simulator)).await?;
    let token = "authorization: Bearer pt-simulator\r\n";
    exchange(stream, "GET", "/api/v1/cloud/deployments", token).await
}

fn is_ok(answer: &std::io::Result<String>) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

#[tokio::test]
async fn a_connection_is_reset_as_often_as_it_is_told() -> Outcome {
    let simulator = with_deployments(1).await?;
    simulator.inject(Fault::connection(ConnectionFault::Reset).skip(1).times(2));
    assert!(is_ok(&list(&simulator).await));
    for _ in 0..2 {
        // Nothing is sent, so nothing unread makes the end a reset.
        let mut stream = TcpStream::connect(address(&simulator)).await?;
        let read = soon(stream.read(&mut [0; 64])).await?;
        assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    }
    assert!(is_ok(&list(&simulator).await));
    assert_eq!(simulator.journal().len(), 2, "no request came of the others");
    Ok(())
}

#[tokio::test]
async fn connections_are_refused_for_a_while() -> Outcome {
    let simulator = with_deployments(1).await?;
    let time = Duration::from_millis(200);
    simulator.inject(Fault::connection(ConnectionFault::Refused(time)));
    let open = TcpStream::connect(address(&simulator)).await?;
    let start = Instant::now();
    drop(open);
    let mut refused = 0;
    while !is_ok(&list(&simulator).await) {
        refused += 1;
        tokio::task::yield_now().await;
    }
    assert!(refused > 0 && start.elapsed() >= time, "{refused} in {:?}", start.elapsed());
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_reset_ends_a_refusal() -> Outcome {
    let simulator = with_deployments(1).await?;
    simulator.inject(Fault::connection(ConnectionFault::Refused(Duration::from_secs(60))));
    assert!(list(&simulator).await.is_err());
    simulator.reset()?;
    let listens = async {
        while !is_ok(&list(&simulator).await) {
            tokio::task::yield_now().await;
        }
    };
    Ok(soon(listens).await?)
}

#[tokio::test]
async fn a_connection_that_is_there_outlives_a_refusal_of_new_ones() -> Outcome {
    let simulator = with_deployments(1).await?;
    let mut open = TcpStream::connect(address(&simulator)).await?;
    let request = "GET /_sim/settings HTTP/1.1\r\nhost: sim.example\r\n\r\n";
    open.write_all(request.as_bytes()).await?;
    let mut start = [0; 12];
    open.read_exact(&mut start).await?;
    simulator.inject(Fault::connection(ConnectionFault::Refused(Duration::from_secs(60))));
    assert!(list(&simulator).await.is_err());
    assert!(is_ok(&exchange(open, "GET", "/_sim/settings", "").await.map(|answer| {
        // What was left of the first answer is before the second one.
        answer.rfind("HTTP/1.1").map_or_else(String::new, |at| answer.split_at(at).1.to_owned())
    })));
    Ok(())
}

#[tokio::test]
async fn a_connection_is_read_late() -> Outcome {
    let simulator = with_deployments(1).await?;
    let time = Duration::from_millis(100);
    simulator.inject(Fault::connection(ConnectionFault::AcceptDelay(time)));
    let start = Instant::now();
    assert!(is_ok(&list(&simulator).await));
    assert!(start.elapsed() >= time);
    let at = simulator.journal()[0].at;
    assert!(at >= time, "it arrived at {at:?}");
    Ok(())
}

#[tokio::test]
async fn an_answer_comes_as_slowly_as_it_is_told() -> Outcome {
    let simulator = with_deployments(1).await?;
    let whole = list(&simulator).await?;
    // In tenths of a second: the first at once, and the rest after three more.
    let bytes = u32::try_from(whole.len())? * 10 / 4 + 10;
    simulator.inject(Fault::connection(ConnectionFault::Bandwidth(bytes)));
    let start = Instant::now();
    let slow = list(&simulator).await?;
    assert_eq!(slow.len(), whole.len());
    let time = start.elapsed();
    assert!(time >= Duration::from_millis(290) && time < LONG, "{time:?}");
    Ok(())
}

#[tokio::test]
async fn a_handshake_fails_and_the_next_one_does_not() -> Outcome {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let issued = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let chain = vec![issued.cert.der().clone()];
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder().with_no_client_auth();
    let tls = Some(Arc::new(tls.with_single_cert(chain, key.into())?));
    let simulator = Simulator::start(Config { tls, ..Config::with_deployments(1) }).await?;
    let trusted = reqwest::Certificate::from_pem(issued.cert.pem().as_bytes())?;
    let client = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().build()?;
    let list = async || {
        let url = format!("{}/deployments", simulator.base_url());
        client.get(url).bearer_auth("pt-simulator").send().await
    };
    simulator.inject(Fault::connection(ConnectionFault::Handshake));
    let failed = list().await.err().ok_or("it did not fail")?;
    let mut reasons = format!("{failed}");
    let mut source = failed.source();
    while let Some(error) = source {
        reasons = format!("{reasons}: {error}");
        source = error.source();
    }
    assert!(reasons.contains("alert") && reasons.contains("HandshakeFailure"), "{reasons}");
    assert_eq!(list().await?.status(), 200);
    assert_eq!(simulator.journal().len(), 1);

    Ok(())
}

#[tokio::test]
async fn without_tls_a_handshake_that_fails_is_a_reset() -> Outcome {
    let simulator = with_deployments(1).await?;
    simulator.inject(Fault::connection(ConnectionFault::Handshake));
    assert!(list(&simulator).await.is_err());
    assert!(is_ok(&list(&simulator).await));
    Ok(())
}

#[tokio::test]
async fn pages_of_other_origins_cannot_rule_it() -> Outcome {
    let simulator = with_deployments(1).await?;
    for (origin, status) in [
        ("", "200"),
        ("origin: http://sim.example\r\n", "200"),
        ("origin: https://sim.example\r\n", "200"),
        ("origin: http://sim.example:81\r\n", "403"),
        ("origin: http://evil.example\r\n", "403"),
        ("origin: null\r\n", "403"),
    ] {
        let stream = TcpStream::connect(address(&simulator)).await?;
        let answer = exchange(stream, "POST", "/_sim/reset", origin).await?;
        assert_eq!(answer.get(9..12), Some(status), "{origin}: {answer}");
        assert_eq!(answer.contains("other origins"), status == "403");
    }
    // The API itself has nothing to do with it: that is a client with a token.
    let stream = TcpStream::connect(address(&simulator)).await?;
    let headers = "origin: http://evil.example\r\nauthorization: Bearer pt-simulator\r\n";
    let answer = exchange(stream, "GET", "/api/v1/cloud/deployments", headers).await?;
    assert_eq!(answer.get(9..12), Some("200"));
    Ok(())
}

#[tokio::test]
async fn two_thousand_connections_at_once_are_all_answered() -> Outcome {
    const COUNT: usize = 2000;
    // Both ends are in this process; many a shell allows a thousand files.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let simulator = Simulator::start(Config::default()).await?;
    let mut streams = Vec::new();
    for _ in 0..COUNT {
        streams.push(TcpStream::connect(address(&simulator)).await?);
    }
    let mut asking = tokio::task::JoinSet::new();
    for stream in streams {
        let token = "authorization: Bearer pt-simulator\r\n";
        asking.spawn(exchange(stream, "GET", "/api/v1/cloud/deployments", token));
    }
    let answers = asking.join_all().await;
    assert_eq!(answers.iter().filter(|answer| is_ok(answer)).count(), COUNT);
    assert_eq!(simulator.journal().len(), COUNT);
    Ok(())
}

#[tokio::test]
async fn what_is_asked_over_a_connection_of_its_own_stays_apart() -> Outcome {
    let control_listen = Some("127.0.0.1:0".parse()?);
    let config = Config { control_listen, ..Config::with_deployments(1) };
    let simulator = Simulator::start(config).await?;
    let control_url = simulator.control_url();
    let control = control_url.split('/').nth(2).ok_or("no address")?.to_owned();
    assert_ne!(control, address(&simulator));
    for (to, path, status) in [
        (control.clone(), "/_sim/deployments", "200"),
        (control.clone(), "/api/v1/cloud/deployments", "404"),
        (address(&simulator), "/_sim/deployments", "404"),
        (address(&simulator), "/api/v1/cloud/deployments", "401"),
    ] {
        let answer = exchange(TcpStream::connect(to).await?, "GET", path, "").await?;
        assert_eq!(answer.get(9..12), Some(status), "{path}");
    }
    // Whoever rules the faults gets through.
    simulator.inject(Fault::connection(ConnectionFault::Reset).always());
    let stream = TcpStream::connect(&control).await?;
    let answer = exchange(stream, "GET", "/_sim/faults", "").await?;
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).ok_or("no body")?)?;
    assert_eq!((&body[0]["fault"]["connection"], &body[0]["hits"]), (&json!("reset"), &json!(0)));
    assert!(list(&simulator).await.is_err());
    Ok(())
}
