//! One exchange: journal, fault, latency, the API's answer, and what a connection does with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use serde::de::IgnoredAny;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::access;
use crate::api::Api;
use crate::call::{Answer, Call, Now};
use crate::clock::Clock;
use crate::fault::{Action, Faults, Respond, Taken};
use crate::journal::{self, Entry, Journal, Ticket};
use crate::route::{Operation, Route};
use crate::store::Freshness;
use crate::tamper;
use crate::wire::{self, ApiError};

/// More searches than this at the same time are refused.
const SEARCHES_IN_FLIGHT: usize = 10;

const X_REQUEST_ID: &str = "x-request-id";

/// What a connection does.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// It sends the answer.
    Whole(Response<Bytes>),
    /// It is reset.
    Reset,
    /// It announces the answer, sends half of the body and closes.
    Truncated(Response<Bytes>),
    /// It sends spaces before the body, up to that many bytes in all.
    Padded(Response<Bytes>, usize),
    /// It sends spaces for ever.
    Endless(Response<Bytes>),
    /// It sends the body a byte at a time.
    Drip(Response<Bytes>, Duration),
}

/// What all requests of an account share, since its start or its last reset.
#[derive(Debug)]
pub(crate) struct Core {
    api: Mutex<Api>,
    faults: Mutex<Faults>,
    clock: Mutex<Clock>,
    pub(crate) journal: Arc<Journal>,
    searches: Semaphore,
}

impl Core {
    pub(crate) fn new(api: Api, clock: Clock, journal: Journal) -> Self {
        Self {
            api: Mutex::new(api),
            faults: Mutex::default(),
            clock: Mutex::new(clock),
            journal: Arc::new(journal),
            searches: Semaphore::new(SEARCHES_IN_FLIGHT),
        }
    }

    /// The state, locked. Never held across an await.
    pub(crate) fn api(&self) -> MutexGuard<'_, Api> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults, locked.
    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock, locked.
    pub(crate) fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time.
    pub(crate) fn now(&self) -> Now {
        self.clock().now()
    }

    /// Takes a request through journal, fault and API. The journal's entry is finished when nothing of it is left.
    pub(crate) async fn exchange(self: &Arc<Self>, request: Request<Bytes>) -> Delivery {
        let (parts, body) = request.into_parts();
        let call = Call {
            route: Route::of(&parts.method, parts.uri.path()),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            request_id: request_id(&parts.headers),
            headers: parts.headers,
            body,
            freshness: Freshness::Fresh,
        };
        let taken = self.faults().take(&call);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut entry = self.entry(&call, parts.method.as_str(), path);
        entry.fault = taken.as_ref().map(|taken| taken.fault);
        let ticket = Arc::new(self.journal.open(entry));
        let late = taken.iter().flat_map(Taken::iter).find(|action| action.is_late());
        let delivery = if let Some(&Action::Zombie(after)) = late {
            let (core, ticket) = (Arc::clone(self), Arc::clone(&ticket));
            let detached = tokio::spawn(async move {
                sleep(after).await;
                core.perform(call, taken, &ticket).await
            });
            detached.await.unwrap_or(Delivery::Reset)
        } else {
            self.perform(call, taken, &ticket).await
        };
        if let Some(status) = delivery.status() {
            ticket.edit(|entry| entry.status = Some(status.as_u16()));
        }
        delivery
    }

    fn entry(&self, call: &Call, method: &str, path: &str) -> Entry {
        let header = |name: &str| Some(journal::beginning(call.headers.get(name)?.as_bytes()));
        let now = self.now();
        Entry {
            seq: 0,
            time: now.date,
            at: now.elapsed,
            operation: call.route.operation,
            method: method.to_owned(),
            path: journal::beginning(path.as_bytes()),
            id: call.route.id.as_ref().map(|id| journal::beginning(id.as_bytes())),
            status: None,
            effect: false,
            finished: false,
            fault: None,
            request_id: header(X_REQUEST_ID),
            user_agent: header("user-agent"),
            has_idempotency_key: access::idempotency_key(&call.headers).is_some(),
            authorized: access::authenticate(&self.api().tokens, &call.headers).is_some(),
            headers: journal::told_headers(&call.headers),
            body_length: call.body.len(),
            body: journal::beginning(&call.body),
            response_length: None,
            response_body: None,
        }
    }

    async fn perform(&self, mut call: Call, taken: Option<Taken>, ticket: &Ticket) -> Delivery {
        let search =
            (call.route.operation == Operation::Search).then(|| self.searches.try_acquire());
        let actions = || taken.iter().flat_map(Taken::iter);
        let latency = self.api().settings.latency;
        if !latency.is_zero() {
            sleep(latency).await;
        }
        if let Some(Action::Delay(by)) = actions().find(|action| action.is_late()) {
            sleep(*by).await;
        }
        for action in actions() {
            match action {
                Action::Stale => call.freshness = Freshness::Stale,
                // Every page is the first one, whatever cursor was sent.
                Action::EndlessPages => call.query = tamper::without_cursors(&call.query),
                _ => {}
            }
        }
        let mut release = taken.as_ref().map(|taken| taken.release.clone());
        let instead = actions().find(|action| action.is_instead());
        let answer = match instead {
            Some(Action::ResetBefore) => return Delivery::Reset,
            Some(Action::Respond(respond)) => Answer::without_effect(self.respond(&call, respond)),
            _ => {
                if let (Some(Action::HangBefore), Some(release)) = (instead, &mut release) {
                    release.comes().await;
                }
                match search {
                    Some(Err(_)) => self.too_many_searches(&call),
                    _ => self.api().answer(&call, self.now()),
                }
            }
        };
        let mut response = name_request(answer.response, &call);
        ticket.edit(|entry| {
            entry.effect = answer.effect;
            entry.response_length = Some(response.body().len());
            entry.response_body = Some(journal::beginning(response.body()));
        });
        if answer.effect {
            self.journal.bump();
        }
        for action in actions() {
            response = tamper::rewrite(response, action, &call.query);
        }
        match actions().find(|action| action.is_delivery()) {
            Some(Action::ResetAfter) => Delivery::Reset,
            Some(Action::HangAfter) => {
                if let Some(release) = &mut release {
                    release.comes().await;
                }
                Delivery::Whole(response)
            }
            Some(Action::Truncate) => Delivery::Truncated(response),
            Some(Action::Oversized(bytes)) => Delivery::Padded(response, *bytes),
            Some(Action::Endless) => Delivery::Endless(response),
            Some(Action::Drip(each)) => Delivery::Drip(response, *each),
            _ => Delivery::Whole(response),
        }
    }

    fn too_many_searches(&self, call: &Call) -> Answer {
        let error = ApiError::rate_limited("Too many searches are in flight.");
        Answer::without_effect(self.api().refuse(call, &error))
    }

    fn respond(&self, call: &Call, respond: &Respond) -> Response<Bytes> {
        let status = respond.status;
        let mut response = match &respond.body {
            Some(body) => wire::with_content_type(status, content_type(body), body.clone()),
            None if status.is_client_error() || status.is_server_error() => {
                self.api().refuse(call, &ApiError::of_status(status))
            }
            None => wire::with_content_type(status, "application/json", Bytes::new()),
        };
        // All of one name are sent, in place of the usual ones.
        let headers: HeaderMap = respond
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
            })
            .collect();
        response.headers_mut().extend(headers);
        response
    }
}

/// What a body looks like.
fn content_type(body: &str) -> &'static str {
    if serde_json::from_str::<IgnoredAny>(body).is_ok() {
        "application/json"
    } else if body.trim_start().starts_with('<') {
        "text/html"
    } else {
        "text/plain"
    }
}

/// The caller's name for a request, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let new = || HeaderValue::try_from(uuid::Uuid::new_v4().to_string());
    let sent = headers.get(X_REQUEST_ID).cloned();
    sent.or_else(|| new().ok()).unwrap_or_else(|| HeaderValue::from_static(""))
}

/// Every answer names its request; one that a fault has given a name keeps it.
fn name_request(mut response: Response<Bytes>, call: &Call) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.entry(X_REQUEST_ID).or_insert_with(|| call.request_id.clone());
    response
}

/// How a fault that needs a connection shows without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionCut {
    /// The connection was reset.
    #[error("connection reset by peer")]
    Reset,
    /// The answer began, and its body did not end.
    #[error("connection closed before the end of the body")]
    Body,
}

impl Delivery {
    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Reset => None,
            Self::Whole(response)
            | Self::Truncated(response)
            | Self::Padded(response, _)
            | Self::Endless(response)
            | Self::Drip(response, _) => Some(response.status()),
        }
    }

    /// The delivery as the caller of an HTTP client sees it in the end.
    pub(crate) async fn without_connection(self) -> Result<Response<Bytes>, ConnectionCut> {
        match self {
            Self::Whole(response) => Ok(response),
            Self::Padded(response, bytes) => Ok(response.map(|body| {
                let spaces = bytes.saturating_sub(body.len());
                [vec![b' '; spaces], body.into()].concat().into()
            })),
            Self::Reset => Err(ConnectionCut::Reset),
            Self::Truncated(_) | Self::Endless(_) => Err(ConnectionCut::Body),
            Self::Drip(response, each) => {
                let bytes = u32::try_from(response.body().len()).unwrap_or(u32::MAX);
                sleep(each.saturating_mul(bytes)).await;
                Ok(response)
            }
        }
    }
}
