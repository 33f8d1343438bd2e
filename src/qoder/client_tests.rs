use std::sync::Mutex;

use futures::future::BoxFuture;
use http::StatusCode;

use super::*;
use crate::qoder::SendError;

/// A transport that answers one thing and keeps what it was sent.
struct Canned {
    status: StatusCode,
    body: &'static str,
    sent: Mutex<Vec<Request<Bytes>>>,
}

impl Transport for Canned {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        self.sent.lock().unwrap().push(request);
        let mut response = Response::new(Bytes::from_static(self.body.as_bytes()));
        *response.status_mut() = self.status;
        Box::pin(async { Ok(response) })
    }
}

fn client(status: u16, body: &'static str) -> (Client, Arc<Canned>) {
    let canned = Arc::new(Canned {
        status: StatusCode::from_u16(status).unwrap(),
        body,
        sent: Mutex::default(),
    });
    let base_url = BaseUrl::parse("http://127.0.0.1:1/api/v1/cloud/", false).unwrap();
    (Client::new(canned.clone(), base_url, Some("ws-1".parse().unwrap())), canned)
}

fn token() -> Token {
    Token::parse(b"pt-obviously-fake").ok().unwrap()
}

const OK: &str = r#"{"id":"dep_1","status":"paused","paused_reason":{"type":"manual"}}"#;

#[tokio::test]
async fn a_pause_is_one_post_with_an_empty_object_and_no_idempotency_key() {
    let (client, canned) = client(200, OK);
    let id = DeploymentId::try_from("dep_1").unwrap();
    client.write(&token(), Verb::Pause, &id).await.unwrap();
    client.write(&token(), Verb::Unpause, &id).await.unwrap();

    let sent = canned.sent.lock().unwrap();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].uri(), "http://127.0.0.1:1/api/v1/cloud/deployments/dep_1/pause");
    assert_eq!(sent[1].uri(), "http://127.0.0.1:1/api/v1/cloud/deployments/dep_1/unpause");
    for request in sent.iter() {
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.body().as_ref(), b"{}");
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.headers()["qoder-workspace-id"], "ws-1");
        assert!(request.headers()["authorization"].is_sensitive());
        assert!(!request.headers().contains_key("idempotency-key"));
    }
    let ids = (&sent[0].headers()["x-request-id"], &sent[1].headers()["x-request-id"]);
    assert_ne!(ids.0, ids.1, "a fresh request id for each request");
}

#[tokio::test]
async fn a_cursor_is_remote_text_and_stays_one_query_value() {
    let (client, canned) = client(200, r#"{"data":[],"has_more":false}"#);
    let cursor = Some(Cursor::Page("a&b=c/../é".into()));
    client.list(&token(), &ListQuery { scope: Scope::Paused, limit: 100, cursor }).await.unwrap();
    let sent = canned.sent.lock().unwrap();
    assert_eq!(sent[0].uri().query(), Some("limit=100&status=paused&page=a%26b%3Dc%2F..%2F%C3%A9"));
    assert!(sent[0].body().is_empty());
}

#[tokio::test]
async fn a_404_is_the_apis_only_with_its_envelope() {
    let id = DeploymentId::try_from("dep_1").unwrap();
    let (api, _) =
        client(404, r#"{"type":"error","error":{"type":"not_found_error","message":"x"}}"#);
    let (web, _) = client(404, "<html>nothing here</html>");
    let from_api = |error| match error {
        ApiError::Status { from_api, .. } => from_api,
        other => panic!("{other}"),
    };
    assert!(from_api(api.get(&token(), &id).await.unwrap_err()).is_some());
    assert!(from_api(web.get(&token(), &id).await.unwrap_err()).is_none());
}

#[test]
fn a_base_url_is_https_or_loopback_and_nothing_more() {
    let parse = |text| BaseUrl::parse(text, false);
    for good in [
        "https://api.qoder.com/api/v1/cloud",
        "http://127.0.0.1:8080/x",
        "http://[::1]:1",
        "http://localhost:1",
    ] {
        assert!(parse(good).is_ok(), "{good}");
    }
    assert_eq!(parse("http://simulator.default.svc/x"), Err(InvalidBaseUrl::Insecure));
    assert!(BaseUrl::parse("http://simulator.default.svc/x", true).is_ok());
    assert_eq!(parse("https://user@api.qoder.com"), Err(InvalidBaseUrl::Extras));
    assert_eq!(parse("https://api.qoder.com/?a=b"), Err(InvalidBaseUrl::Extras));
    assert_eq!(parse("https://api.qoder.com/#x"), Err(InvalidBaseUrl::Extras));
    assert_eq!(parse("ftp://api.qoder.com"), Err(InvalidBaseUrl::NotAUrl));
    assert_eq!(parse("api.qoder.com"), Err(InvalidBaseUrl::NotAUrl));
}
