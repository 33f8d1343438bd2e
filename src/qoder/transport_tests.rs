//! The client on a real socket, against the simulator.

use std::sync::Arc;

use qoder_simulator::{Config, Fault, Operation, Simulator};

use super::*;
use crate::{
    api::DeploymentId,
    env::Env,
    qoder::{ApiError, BaseUrl, Client, Deployment, ListQuery, Scope, Token, Verb},
};

struct Scene {
    simulator: Simulator,
    client: Client,
    token: Token,
    id: DeploymentId,
}

fn client(base_url: &str) -> Client {
    // An error means that another test of this process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base_url = BaseUrl::parse(base_url, true).unwrap();
    let transport = HttpTransport::new(Duration::from_millis(500), &base_url).unwrap();
    Client::new(Arc::new(transport), base_url, None, Env::real())
}

impl Scene {
    async fn new() -> Self {
        let simulator = Simulator::start(Config::with_deployments(1)).await.unwrap();
        Self {
            client: client(&simulator.base_url()),
            token: Token::parse(qoder_simulator::DEFAULT_TOKEN.as_bytes()).ok().unwrap(),
            id: DeploymentId::try_from(simulator.ids().concat().as_str()).unwrap(),
            simulator,
        }
    }

    async fn get(&self) -> Result<Deployment, ApiError> {
        self.client.get(&self.token, &self.id).await
    }

    async fn pause(&self) -> Result<Deployment, ApiError> {
        self.client.write(&self.token, Verb::Pause, &self.id).await
    }

    /// How many pauses arrived.
    fn pauses(&self) -> usize {
        self.simulator.journal().iter().filter(|entry| entry.operation == Operation::Pause).count()
    }
}

/// The error with all its sources.
fn whole_text(error: &ApiError) -> String {
    let mut text = error.to_string();
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_failure_says_what_is_known_of_the_request_and_names_no_url() {
    for (fault, code) in [
        (Fault::reset_before(), "broken"),
        (Fault::reset_after(), "broken"),
        (Fault::truncate(), "broken"),
        (Fault::hang_before(), "timeout"),
        (Fault::hang_after(), "timeout"),
        (Fault::drip(Duration::from_millis(50)), "timeout"),
        (Fault::oversized((1 << 20) + 1), "too_large"),
        (Fault::endless(), "too_large"),
        (Fault::empty(), "invalid"),
    ] {
        let scene = Scene::new().await;
        scene.simulator.inject(fault.clone());
        let error = scene.pause().await.unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}");
        assert!(!error.not_sent(), "{fault:?}");
        let text = whole_text(&error);
        assert!(!text.contains("127.0.0.1") && !text.contains("dep_"), "{text}");
    }
}

#[tokio::test]
async fn half_an_answer_is_a_broken_one_that_says_how_much_arrived() {
    let scene = Scene::new().await;
    scene.simulator.inject(Fault::truncate());
    let error = scene.get().await.unwrap_err();
    assert_eq!(error.code(), "broken");
    let whole = scene.simulator.journal()[0].response_length.unwrap();
    let text = whole_text(&error);
    assert!(text.contains(&format!("it ended after {} bytes", whole / 2)), "{text} of {whole}");
}

#[tokio::test]
async fn what_fails_before_the_request_leaves_was_not_sent() {
    let scene = Scene::new().await;
    // The simulator takes no TLS; no name has such a label; and after its end nobody listens.
    let tls = client(&scene.simulator.base_url().replace("http:", "https:"));
    let no_tls = tls.get(&scene.token, &scene.id).await.unwrap_err();
    let nowhere = client(&format!("http://{}.invalid/api/v1/cloud", "a".repeat(64)));
    let no_name = nowhere.get(&scene.token, &scene.id).await.unwrap_err();
    scene.simulator.shutdown().await;
    let nobody = scene.get().await.unwrap_err();
    for (error, code) in [(no_tls, "tls"), (no_name, "dns"), (nobody, "connect")] {
        assert!(error.not_sent(), "{}", whole_text(&error));
        assert_eq!(error.code(), code, "{}", whole_text(&error));
        assert!(!whole_text(&error).contains("127.0.0.1"), "{}", whole_text(&error));
        assert!(!whole_text(&error).contains("invalid/"), "{}", whole_text(&error));
    }
}

#[tokio::test]
async fn a_write_is_sent_once_and_no_redirect_is_followed() {
    let scene = Scene::new().await;
    let there = format!("{}/deployments/{}/pause", scene.simulator.base_url(), scene.id);
    for fault in [
        Fault::reset_before(),
        Fault::hang_before(),
        Fault::respond(503).header("retry-after", "0"),
        Fault::respond(307).header("location", there.clone()),
        Fault::respond(308).header("location", there),
    ] {
        scene.simulator.clear_journal();
        // On a connection that was used before: that is where clients repeat by themselves.
        scene.get().await.unwrap();
        scene.simulator.inject(fault.clone().on(Operation::Pause));
        scene.pause().await.unwrap_err();
        assert_eq!(scene.pauses(), 1, "{fault:?}");
    }
    assert_eq!(scene.simulator.deployment(scene.id.as_str()).unwrap()["status"], "active");
}

#[tokio::test]
async fn a_page_may_be_larger_than_a_deployment() {
    let scene = Scene::new().await;
    let query = ListQuery { scope: Scope::Live, limit: 1, cursor: None };
    for (bytes, fits) in [(1 << 21, true), (8 << 20, true), ((8 << 20) + 1, false)] {
        scene.simulator.inject(Fault::oversized(bytes));
        let listed = scene.client.list(&scene.token, &query).await;
        assert_eq!(listed.is_ok(), fits, "{bytes}");
    }
}

#[tokio::test]
async fn an_answer_takes_no_more_room_than_it_says() {
    let scene = Scene::new().await;
    let base_url = BaseUrl::parse(&scene.simulator.base_url(), true).unwrap();
    let transport = HttpTransport::new(Duration::from_secs(5), &base_url).unwrap();
    for limit in [Some(MaxBody(1 << 20)), None] {
        scene.simulator.inject(Fault::oversized(300_000));
        let mut request = Request::get(format!("{}/deployments", scene.simulator.base_url()));
        if let Some(limit) = limit {
            request = request.extension(limit);
        }
        let body = transport.send(request.body(Bytes::new()).unwrap()).await.unwrap().into_body();
        let room = body.len()..=body.len() + 64;
        let capacity = body.try_into_mut().unwrap().capacity();
        // Without a limit whoever answers could ask for any room.
        assert_eq!(room.contains(&capacity), limit.is_some(), "{capacity} for {room:?}");
    }
}
