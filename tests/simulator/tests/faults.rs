//! Each fault, over a real socket.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::error::Error;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use common::{Answer, Outcome, with_deployments};
use qoder_simulator::{ConnectionCut, Entry, Fault, Operation, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A simulator with one active deployment, and a client for it.
struct Scene {
    simulator: Simulator,
    id: String,
    client: reqwest::Client,
}

impl Scene {
    async fn new() -> Result<Self, Box<dyn Error>> {
        // An error means that another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator = with_deployments(1).await?;
        Ok(Self {
            id: simulator.ids().concat(),
            simulator,
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()?,
        })
    }

    async fn with(fault: Fault) -> Result<Self, Box<dyn Error>> {
        let scene = Self::new().await?;
        scene.simulator.inject(fault);
        Ok(scene)
    }

    fn pausing(&self) -> reqwest::RequestBuilder {
        let url = format!("{}/deployments/{}/pause", self.simulator.base_url(), self.id);
        self.client.post(url).bearer_auth("pt-simulator")
    }

    fn getting(&self, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/deployments{path}", self.simulator.base_url());
        self.client.get(url).bearer_auth("pt-simulator")
    }

    async fn pause(&self) -> Result<Answer, Box<dyn Error>> {
        read(self.pausing()).await
    }

    async fn get(&self, path: &str) -> Result<Answer, Box<dyn Error>> {
        read(self.getting(path)).await
    }

    fn status(&self) -> Value {
        self.simulator.deployment(&self.id).unwrap_or_default()["status"].clone()
    }

    /// Waits until the first request is over, and gives its entry.
    async fn finished(&self) -> Result<Entry, Box<dyn Error>> {
        let first = || self.simulator.journal().into_iter().next();
        let is_over = |_: &u64| first().is_some_and(|entry| entry.finished);
        self.simulator.changed().wait_for(is_over).await?;
        first().ok_or_else(|| "no entry".into())
    }

    /// Sends a pause over a plain socket.
    async fn raw_pause(&self) -> Result<TcpStream, Box<dyn Error>> {
        let base_url = self.simulator.base_url();
        let rest = base_url.strip_prefix("http://").ok_or("not http")?;
        let (host, path) = rest.split_once('/').ok_or("no path")?;
        let mut stream = TcpStream::connect(host).await?;
        let request = format!(
            "POST /{path}/deployments/{}/pause HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer pt-simulator\r\ncontent-length: 0\r\n\r\n",
            self.id
        );
        stream.write_all(request.as_bytes()).await?;
        Ok(stream)
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Answer, Box<dyn Error>> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer { status, headers, text, json })
}

#[tokio::test]
async fn a_response_replaces_the_effect() -> Outcome {
    for (fault, status, retry_after, error_type) in [
        (Fault::respond(401), 401, None, "authentication_error"),
        (Fault::respond(403), 403, None, "permission_error"),
        (Fault::respond(400), 400, None, "invalid_request_error"),
        (Fault::respond(307).html(), 307, None, "no envelope"),
        (Fault::respond(403).html(), 403, None, "no envelope"),
        (Fault::respond(404).html(), 404, None, "no envelope"),
        (Fault::respond(423), 423, None, "api_error"),
        (Fault::respond(423).html(), 423, None, "no envelope"),
        (Fault::respond(425).html(), 425, None, "no envelope"),
        (Fault::respond(503).html(), 503, None, "no envelope"),
        (Fault::respond(500), 500, None, "api_error"),
        (Fault::respond(429), 429, None, "rate_limit_error"),
        (Fault::respond(429).header("retry-after", "7"), 429, Some("7"), "rate_limit_error"),
        (
            Fault::respond(429).header("retry-after", "soon").body(""),
            429,
            Some("soon"),
            "no envelope",
        ),
        (Fault::respond(307).header("location", "http://127.0.0.1:9/"), 307, None, "no envelope"),
    ] {
        let scene = Scene::with(fault.clone()).await?;
        let answer = scene.pause().await?;
        let seen = answer.headers.get("retry-after").map(|value| value.to_str()).transpose()?;
        assert_eq!(
            (answer.status, seen, answer.error_type()),
            (status, retry_after, error_type),
            "{fault:?}"
        );
        assert_eq!(scene.status(), "active");
        let entry = scene.finished().await?;
        assert_eq!((entry.status, entry.effect), (Some(status), false));
        assert_eq!(scene.pause().await?.status, 200, "a fault acts once");
    }
    Ok(())
}

#[tokio::test]
async fn a_reset_is_a_reset() -> Outcome {
    for (fault, effect) in [(Fault::reset_before(), false), (Fault::reset_after(), true)] {
        let scene = Scene::with(fault).await?;
        let mut stream = scene.raw_pause().await?;
        let read = stream.read(&mut [0; 64]).await;
        assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        let entry = scene.finished().await?;
        assert_eq!((entry.status, entry.effect), (None, effect));
        assert_eq!(scene.status(), if effect { "paused" } else { "active" });
    }
    Ok(())
}

#[tokio::test]
async fn a_hang_lasts_until_the_client_goes_away() -> Outcome {
    for (fault, effect) in [(Fault::hang_before(), false), (Fault::hang_after(), true)] {
        let scene = Scene::with(fault).await?;
        let stream = scene.raw_pause().await?;
        let arrived = |_: &u64| !scene.simulator.journal().is_empty();
        scene.simulator.changed().wait_for(arrived).await?;
        let still = |entry: Entry| !entry.finished;
        assert!(scene.simulator.journal().into_iter().all(still));
        drop(stream);
        let entry = scene.finished().await?;
        assert_eq!((entry.status, entry.effect), (None, effect));
        assert_eq!(scene.status(), if effect { "paused" } else { "active" });
    }
    Ok(())
}

#[tokio::test]
async fn a_delay_dies_with_its_client() -> Outcome {
    let scene = Scene::with(Fault::delay(Duration::from_secs(60))).await?;
    let stream = scene.raw_pause().await?;
    let arrived = |_: &u64| !scene.simulator.journal().is_empty();
    scene.simulator.changed().wait_for(arrived).await?;
    drop(stream);
    let entry = scene.finished().await?;
    assert_eq!((entry.effect, scene.status()), (false, json!("active")));
    Ok(())
}

#[tokio::test]
async fn a_delay_is_waited_for() -> Outcome {
    let delay = Duration::from_millis(50);
    let scene = Scene::with(Fault::delay(delay)).await?;
    let start = Instant::now();
    assert_eq!(scene.pause().await?.json["status"], "paused");
    assert!(start.elapsed() >= delay);
    Ok(())
}

#[tokio::test]
async fn a_zombie_acts_after_its_client_went_away() -> Outcome {
    let scene = Scene::with(Fault::zombie(Duration::from_millis(200))).await?;
    let stream = scene.raw_pause().await?;
    let arrived = |_: &u64| !scene.simulator.journal().is_empty();
    scene.simulator.changed().wait_for(arrived).await?;
    drop(stream);
    let entry = scene.finished().await?;
    assert_eq!((entry.effect, scene.status()), (true, json!("paused")));
    assert_eq!(entry.status, None, "nobody was there to be answered");
    Ok(())
}

#[tokio::test]
async fn a_body_may_be_empty_or_truncated() -> Outcome {
    let scene = Scene::with(Fault::empty()).await?;
    let answer = scene.pause().await?;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(scene.status(), "paused");

    let scene = Scene::with(Fault::truncate()).await?;
    let mut response = scene.pausing().send().await?;
    assert_eq!(response.status(), 200);
    let announced = response.content_length().ok_or("no length")?;
    let mut arrived = 0;
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => arrived += u64::try_from(chunk.len())?,
            end => break end,
        }
    };
    assert!(end.is_err(), "it ends before its length");
    assert_eq!((arrived, scene.status()), (announced / 2, json!("paused")));
    Ok(())
}

#[tokio::test]
async fn half_of_a_big_answer_arrives_too() -> Outcome {
    let scene = Scene::new().await?;
    let partials: Vec<_> = (0..2000).map(|_| json!({})).collect();
    for partial in partials {
        scene.simulator.add(partial)?;
    }
    scene.simulator.inject(Fault::truncate());
    let mut response = scene.getting("?limit=1000").send().await?;
    let announced = response.content_length().ok_or("no length")?;
    assert!(announced > 1 << 20);
    let mut arrived = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        arrived += u64::try_from(chunk.len())?;
    }
    assert_eq!(arrived, announced / 2);
    Ok(())
}

#[tokio::test]
async fn an_answer_has_the_headers_and_the_body_that_it_was_given() -> Outcome {
    let cookies = Fault::respond(200).header("set-cookie", "a=1").header("set-cookie", "b=2");
    let scene = Scene::with(cookies.body("{}")).await?;
    let answer = scene.pause().await?;
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    for (body, content_type) in
        [("{}", "application/json"), (" <html>busy</html>", "text/html"), ("busy", "text/plain")]
    {
        scene.simulator.inject(Fault::respond(503).body(body));
        let answer = scene.pause().await?;
        assert_eq!(
            (&answer.headers["content-type"], answer.text.as_str()),
            (&content_type.parse()?, body)
        );
    }
    scene.simulator.inject(Fault::respond(503).body("{}").header("content-type", "text/x"));
    assert_eq!(scene.pause().await?.headers.get_all("content-type").iter().count(), 1);
    Ok(())
}

#[tokio::test]
async fn what_cannot_happen_is_refused() -> Outcome {
    for (fault, reason) in [
        (Fault::respond(100), "100"),
        (Fault::respond(103), "103"),
        (Fault::respond(204).body("x"), "has no body"),
        (Fault::respond(200).header("two words", "x"), "two words"),
        (Fault::respond(200).header("x", "line\nbreak"), "header x"),
        (Fault::respond(200).header("content-length", "9"), "truncate"),
        (Fault::oversized(usize::MAX), "1073741824"),
        (Fault::stale().on(Operation::Pause), "only with get, list, search"),
        (Fault::drop_item("dep_1").on(Operation::Get), "only with list"),
        (Fault::cursor_loop().on(Operation::Search), "only with list"),
    ] {
        let problem = fault.check().err().ok_or("accepted")?;
        assert!(problem.contains(reason), "{problem}");
    }
    Ok(())
}

#[tokio::test]
async fn a_fault_of_pages_waits_for_a_page() -> Outcome {
    let scene = Scene::new().await?;
    let fault = json!({"action": {"drop_item": scene.id}});
    scene.simulator.inject(serde_json::from_value(fault)?);
    scene.simulator.inject(Fault::stale());
    scene.pause().await?;
    assert_eq!(scene.get(&format!("/{}", scene.id)).await?.json["status"], "active", "stale");
    assert_eq!(scene.get("").await?.ids(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_request_without_host_is_refused() -> Outcome {
    let scene = Scene::new().await?;
    let base_url = scene.simulator.base_url();
    let host = base_url.split('/').nth(2).ok_or("no host")?;
    for (version, status) in [("1.1", "400"), ("1.0", "401")] {
        let mut stream = TcpStream::connect(host).await?;
        let request = format!("GET /api/v1/cloud/deployments HTTP/{version}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await?;
        assert_eq!(std::str::from_utf8(&start)?.get(9..), Some(status));
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_may_be_merged_with_nonsense() -> Outcome {
    let patch = json!({"id": "dep_other", "status": 7, "name": null});
    let scene = Scene::with(Fault::merge(patch)).await?;
    let answer = scene.pause().await?.json;
    assert_eq!((&answer["id"], &answer["status"]), (&json!("dep_other"), &json!(7)));
    assert_eq!((answer.get("name"), scene.status()), (None, json!("paused")));
    Ok(())
}

#[tokio::test]
async fn an_oversized_body_has_its_size_and_is_still_json() -> Outcome {
    let scene = Scene::with(Fault::oversized(3 << 20)).await?;
    let answer = scene.pause().await?;
    assert_eq!((answer.text.len(), &answer.json["status"]), (3 << 20, &json!("paused")));
    Ok(())
}

#[tokio::test]
async fn an_endless_body_does_not_end() -> Outcome {
    let scene = Scene::with(Fault::endless()).await?;
    let mut response = scene.pausing().send().await?;
    let mut received = 0;
    while received < 1 << 20 {
        received += response.chunk().await?.ok_or("it ended")?.len();
    }
    assert_eq!(scene.status(), "paused");
    Ok(())
}

#[tokio::test]
async fn a_dripping_body_comes_a_byte_at_a_time() -> Outcome {
    let each = Duration::from_millis(5);
    let scene = Scene::with(Fault::drip(each)).await?;
    let start = Instant::now();
    let mut response = scene.pausing().send().await?;
    for _ in 0..10 {
        assert_eq!(response.chunk().await?.map(|chunk| chunk.len()), Some(1));
    }
    assert!(start.elapsed() >= each * 9);
    Ok(())
}

#[tokio::test]
async fn a_stale_read_shows_the_state_before_the_last_write() -> Outcome {
    let scene = Scene::new().await?;
    let other = scene.simulator.add(json!({"status": "paused"}))?;
    scene.pause().await?;
    scene.simulator.inject(Fault::stale().times(2));
    assert_eq!(scene.get(&format!("/{}", scene.id)).await?.json["status"], "active");
    assert_eq!(scene.get("?status=paused").await?.ids(), [&other]);
    assert_eq!(scene.get("?status=paused").await?.ids(), [&other, &scene.id]);
    Ok(())
}

#[tokio::test]
async fn a_page_may_lack_an_item_or_have_it_twice() -> Outcome {
    let scene = Scene::new().await?;
    let other = scene.simulator.add(json!({}))?;
    scene.simulator.inject(Fault::drop_item(&other));
    assert_eq!(scene.get("").await?.ids(), [&scene.id]);
    scene.simulator.inject(Fault::duplicate_item(&other));
    assert_eq!(scene.get("").await?.ids(), [&other, &scene.id, &other]);
    Ok(())
}

#[tokio::test]
async fn a_cursor_may_lead_back_to_itself() -> Outcome {
    let scene = Scene::new().await?;
    scene.simulator.add(json!({}))?;
    scene.simulator.inject(Fault::cursor_loop());
    let first = scene.get("?limit=1").await?.json;
    let cursor = first["last_id"].as_str().ok_or("no cursor")?;
    let second = scene.get(&format!("?limit=1&after_id={cursor}")).await?.json;
    assert_eq!((&second["last_id"], &second["next_page"]), (&json!(cursor), &json!(cursor)));
    assert_eq!(second["has_more"], true);
    Ok(())
}

#[tokio::test]
async fn pages_may_go_on_for_ever() -> Outcome {
    let scene = Scene::with(Fault::endless_pages()).await?;
    let mut seen = std::collections::HashSet::new();
    let mut path = "?limit=1".to_owned();
    for _ in 0..5 {
        let page = scene.get(&path).await?.json;
        assert_eq!(page["has_more"], true);
        let cursor = page["last_id"].as_str().ok_or("no cursor")?;
        assert!(seen.insert(cursor.to_owned()));
        path = format!("?limit=1&after_id={cursor}");
    }
    Ok(())
}

#[tokio::test]
async fn a_fault_finds_its_operation_and_id() -> Outcome {
    let scene = Scene::new().await?;
    scene.simulator.inject(Fault::respond(503).on(Operation::Pause).id("dep_other").always());
    assert_eq!(scene.pause().await?.status, 200);
    scene.simulator.inject(Fault::respond(503).on(Operation::Get).id(&scene.id).always());
    assert_eq!(scene.get("").await?.status, 200);
    assert_eq!(scene.get(&format!("/{}", scene.id)).await?.status, 503);
    scene.simulator.clear_faults();
    assert_eq!(scene.get(&format!("/{}", scene.id)).await?.status, 200);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_socket_a_cut_is_an_error_and_time_is_virtual() -> Outcome {
    let simulator = with_deployments(1).await?;
    let id = simulator.ids().concat();
    let pause = || {
        let request = common::request("POST", &format!("/deployments/{id}/pause"));
        request.body(bytes::Bytes::new())
    };
    simulator.inject(Fault::reset_before());
    assert_eq!(simulator.handle(pause()?).await.err(), Some(ConnectionCut::Reset));
    simulator.inject(Fault::truncate().on(Operation::Get));
    let get = common::request("GET", &format!("/deployments/{id}")).body(bytes::Bytes::new())?;
    assert_eq!(simulator.handle(get).await.err(), Some(ConnectionCut::Body));
    simulator.inject(Fault::hang_before());
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, simulator.handle(pause()?)).await.is_err());
    simulator.inject(Fault::zombie(hour));
    let minute = Duration::from_secs(60);
    assert!(tokio::time::timeout(minute, simulator.handle(pause()?)).await.is_err());
    assert_eq!(simulator.deployment(&id).unwrap_or_default()["status"], "active");
    let landed = |_: &u64| simulator.journal().iter().all(|entry| entry.finished);
    simulator.changed().wait_for(landed).await?;
    let zombie = simulator.journal().pop().ok_or("no entry")?;
    assert!(zombie.effect);
    assert_eq!(simulator.deployment(&id).unwrap_or_default()["status"], "paused");
    Ok(())
}

#[tokio::test]
async fn a_simulator_ends_with_its_last_handle() -> Outcome {
    let Scene { simulator, client, .. } = Scene::new().await?;
    let url = simulator.base_url();
    drop(simulator.clone());
    assert_eq!(client.get(&url).send().await?.status(), 404);
    drop(simulator);
    // The listener is closed by a task: the connection is refused as soon as that has run.
    tokio::time::timeout(Duration::from_secs(5), async {
        while client.get(&url).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    Ok(())
}
