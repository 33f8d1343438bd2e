//! The shipped client before a server that answers as the input says.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{
    FutureExt as _,
    future::{BoxFuture, ready},
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use qoder_operator::{
    api::DeploymentId,
    chain::Chain,
    env::Env,
    qoder::{ApiError, BaseUrl, CODES, Client, Deployment, Page, SendError, Token, Transport},
    qoder::{ListQuery, Scope},
};
use serde_json::Value;

/// The deployment that is asked for.
pub const ID: &str = "dep_1";
/// Where the API is.
const PATH: &str = "/api/v1/cloud";

/// One answer, again and again.
pub struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: &[u8]) -> Self {
        let body = Bytes::copy_from_slice(body);
        Self { status: StatusCode::OK, headers: Vec::new(), body }
    }

    /// What the client makes of it as the deployment [`ID`].
    pub fn of_get(self) -> Result<Deployment, ApiError> {
        let id = DeploymentId::try_from(ID).unwrap();
        let (client, _) = client(self);
        let answer = client.get(&the_token(), &id).now_or_never().expect("nothing waits");
        answer.inspect_err(says_nothing_remote)
    }

    /// What the client makes of it as a page.
    pub fn of_list(self) -> Result<Page, ApiError> {
        let (client, _) = client(self);
        let query = ListQuery { scope: Scope::Live, limit: 100, cursor: None };
        let answer = client.list(&the_token(), &query).now_or_never().expect("nothing waits");
        answer.inspect_err(says_nothing_remote)
    }
}

/// Where a list with this query asks.
pub fn asked(query: &ListQuery) -> Uri {
    let (client, asked) = client(Answer::ok(b"{}"));
    let _ = client.list(&the_token(), query).now_or_never();
    let uri = asked.lock().unwrap().take().expect("one request");
    assert_eq!(uri.path(), format!("{PATH}/deployments"));
    uri
}

fn client(answer: Answer) -> (Client, Arc<Mutex<Option<Uri>>>) {
    let asked = Arc::default();
    let canned = Canned { answer, asked: Arc::clone(&asked) };
    let base_url = BaseUrl::parse(&format!("http://127.0.0.1:1{PATH}"), false).unwrap();
    (Client::new(Arc::new(canned), base_url, None, Env::seeded(0, now())), asked)
}

/// The wall clock of the operator.
pub fn now() -> Timestamp {
    "2026-07-01T02:00:00Z".parse().unwrap()
}

fn the_token() -> Token {
    Token::parse(b"pt-obviously-fake").ok().unwrap()
}

struct Canned {
    answer: Answer,
    asked: Arc<Mutex<Option<Uri>>>,
}

impl Transport for Canned {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        *self.asked.lock().unwrap() = Some(request.uri().clone());
        let mut response = Response::new(self.answer.body.clone());
        *response.status_mut() = self.answer.status;
        response.headers_mut().extend(self.answer.headers.iter().cloned());
        Box::pin(ready(Ok(response)))
    }
}

/// An error reaches logs and metrics: it is short, has no control characters, and its code is one of the known ones.
fn says_nothing_remote(error: &ApiError) {
    assert!(CODES.contains(&error.code()), "{}", error.code());
    for text in [Chain(error).to_string(), format!("{error:?}")] {
        assert!(text.len() < 200 && !text.contains(char::is_control), "{text}");
    }
    match error {
        ApiError::Invalid(_) => {}
        ApiError::Status { status, from_api, .. } => {
            let kind = if from_api.is_some() { "" } else { " without the API's error envelope" };
            assert_eq!(error.to_string(), format!("the Qoder API answered {status}{kind}"));
        }
        ApiError::Send(_) => panic!("it was sent"),
    }
}

/// The body as serde reads it, which is stricter: where there is none, nothing can be compared. Of a field that is
/// there twice it takes the last.
pub fn value(body: &[u8]) -> Option<Value> {
    serde_json::from_str(&String::from_utf8_lossy(body)).ok()
}

/// A text of which an identifier or a decision may be taken.
pub fn exact(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.contains(char::REPLACEMENT_CHARACTER))
}
