//! A client for tests, without a socket.
#![allow(dead_code, reason = "each test file uses its part")]

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use qoder_simulator::{Config, Dialect, Simulator};
use serde_json::{Value, json};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

pub type Outcome = Result<(), Box<dyn Error>>;

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null where the body is not JSON.
    pub json: Value,
}

impl Answer {
    /// What the control API has to say.
    pub fn error(&self) -> &str {
        self.json["error"].as_str().unwrap_or_default()
    }

    pub fn error_type(&self) -> &str {
        self.json["error"]["type"].as_str().unwrap_or("no envelope")
    }

    /// The ids of a page.
    pub fn ids(&self) -> Vec<&str> {
        let items = self.json["data"].as_array().into_iter().flatten();
        items.filter_map(|item| item["id"].as_str()).collect()
    }
}

impl From<Response<Bytes>> for Answer {
    fn from(response: Response<Bytes>) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: String::from_utf8_lossy(response.body()).into_owned(),
            json: serde_json::from_slice(response.body()).unwrap_or_default(),
        }
    }
}

pub fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("/api/v1/cloud{path}"))
        .header("authorization", "Bearer pt-simulator")
}

pub async fn get(simulator: &Simulator, path: &str) -> Result<Answer, Box<dyn Error>> {
    let request = request("GET", path).body(Bytes::new())?;
    Ok(simulator.handle(request).await?.into())
}

pub async fn post(
    simulator: &Simulator,
    path: &str,
    body: Value,
) -> Result<Answer, Box<dyn Error>> {
    let request = request("POST", path).body(body.to_string().into())?;
    Ok(simulator.handle(request).await?.into())
}

/// One of the verbs that need no body.
pub async fn verb(simulator: &Simulator, id: &str, verb: &str) -> Result<Answer, Box<dyn Error>> {
    post(simulator, &format!("/deployments/{id}/{verb}"), json!({})).await
}

/// A request to the control API; `path` is what comes after `/_sim/`.
pub async fn sim(
    simulator: &Simulator,
    method: &str,
    path: &str,
    body: Value,
) -> Result<Answer, Box<dyn Error>> {
    let request = Request::builder().method(method).uri(format!("/_sim/{path}"));
    let request = request.body(Bytes::from(body.to_string()))?;
    Ok(simulator.handle(request).await?.into())
}

/// The same without a body.
pub async fn ask(
    simulator: &Simulator,
    method: &str,
    path: &str,
) -> Result<Answer, Box<dyn Error>> {
    let request = Request::builder().method(method).uri(format!("/_sim/{path}"));
    Ok(simulator.handle(request.body(Bytes::new())?).await?.into())
}

/// What must come soon, so that a test fails and does not hang if it does not.
pub async fn soon<T>(what: impl Future<Output = T>) -> Result<T, Elapsed> {
    timeout(Duration::from_secs(10), what).await
}

/// Waits until so many requests have arrived.
pub async fn arrived(simulator: &Simulator, count: usize) -> Outcome {
    simulator.changed().wait_for(|_| simulator.journal().len() >= count).await?;
    Ok(())
}

/// The body of a create with no more than it needs.
pub fn minimal(name: &str) -> Value {
    json!({
        "name": name, "agent": "agent_1", "environment_id": "env_1",
        "initial_events": [{"type": "user.message", "content": "go"}],
    })
}

pub async fn with_deployments(count: usize) -> std::io::Result<Simulator> {
    Simulator::start(Config::with_deployments(count)).await
}

pub async fn in_dialect(dialect: Dialect, count: usize) -> std::io::Result<Simulator> {
    let config = Config::with_deployments(count);
    Simulator::start(Config { dialect, ..config }).await
}
