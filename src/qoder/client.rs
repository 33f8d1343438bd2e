//! The four calls of the API that the operator makes, above the [`Transport`] seam.

use std::{fmt::Write as _, pin::pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use tracing::{Instrument as _, Span, field::display};

use super::{
    ApiError, BaseUrl, Cursor, Deployment, ErrorType, MaxBody, Page, Token, Transport, page,
    retry_after::retry_after, wire,
};
use crate::{api::DeploymentId, chain::Chain, env::Env, traces};

/// Largest answer about one deployment, in bytes.
const MAX_OBJECT: MaxBody = MaxBody(1 << 20);
/// Largest page, in bytes.
const MAX_PAGE: MaxBody = MaxBody(8 << 20);

/// The remote writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `POST .../pause`.
    Pause,
    /// `POST .../unpause`.
    Unpause,
}

/// What a call does, for metrics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `GET /deployments/{id}`.
    Get,
    /// `GET /deployments`.
    List,
    Write(Verb),
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Get, Self::List, Self::Write(Verb::Pause), Self::Write(Verb::Unpause)];

    /// As the metric's `operation` label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Write(Verb::Pause) => "pause",
            Self::Write(Verb::Unpause) => "unpause",
        }
    }
}

/// Which deployments a list shows. Never the archived ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All live ones.
    Live,
    /// `status=active`.
    Active,
    /// `status=paused`.
    Paused,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Which deployments.
    pub scope: Scope,
    /// Entries for each page.
    pub limit: usize,
    /// Where to start; `None`: at the newest.
    pub cursor: Option<Cursor>,
}

/// The API client. It does not retry, wait or keep a token: its caller does.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    base_url: BaseUrl,
    workspace: Option<HeaderValue>,
    env: Env,
}

impl Client {
    /// `workspace` goes into the header `qoder-workspace-id` of every call. `env` gives
    /// each request its id, and the wall clock that a date in `Retry-After` counts from.
    #[must_use]
    pub fn new(
        transport: Arc<dyn Transport>,
        base_url: BaseUrl,
        workspace: Option<HeaderValue>,
        env: Env,
    ) -> Self {
        Self { transport, base_url, workspace, env }
    }

    /// Where the API is.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// `GET /deployments/{id}`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get(&self, token: &Token, id: &DeploymentId) -> Result<Deployment, ApiError> {
        let path = format!("/deployments/{id}");
        let decode = |body: &[u8]| wire::deployment(body, id);
        self.call(token, Operation::Get, Some(id), &path, decode).await
    }

    /// `GET /deployments`: one page, newest first.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn list(&self, token: &Token, query: &ListQuery) -> Result<Page, ApiError> {
        let mut path = format!("/deployments?limit={}", query.limit);
        path.push_str(match query.scope {
            Scope::Live => "",
            Scope::Active => "&status=active",
            Scope::Paused => "&status=paused",
        });
        let cursor = match &query.cursor {
            None => None,
            Some(Cursor::AfterId(id)) => Some(("after_id", id)),
            Some(Cursor::Page(page)) => Some(("page", page)),
        };
        if let Some((name, value)) = cursor {
            path.push('&');
            path.push_str(name);
            path.push('=');
            percent_encode(value, &mut path);
        }
        self.call(token, Operation::List, None, &path, page::page).await
    }

    /// `POST /deployments/{id}/pause` or `/unpause`. Never with an `Idempotency-Key`: a replayed
    /// first answer would show an old state.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn write(
        &self,
        token: &Token,
        verb: Verb,
        id: &DeploymentId,
    ) -> Result<Deployment, ApiError> {
        let operation = Operation::Write(verb);
        let path = format!("/deployments/{id}/{}", operation.as_str());
        let decode = |body: &[u8]| wire::deployment(body, id);
        self.call(token, operation, Some(id), &path, decode).await
    }

    /// One exchange. A failure is logged here, once, with the id of the request, and returned.
    async fn call<T>(
        &self,
        token: &Token,
        operation: Operation,
        id: Option<&DeploymentId>,
        path_and_query: &str,
        decode: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let request_id = self.env.uuid();
        let span = self.span(operation, id, request_id);
        let exchange = pin!(async {
            let request = self.request(token, operation, path_and_query, request_id)?;
            let response = self.transport.send(request).await?;
            traces::answered(&span, response.status().as_u16());
            if response.status().is_success() {
                decode(response.body())
            } else {
                Err(self.status_error(&response))
            }
        });
        exchange.instrument(span.clone()).await.inspect_err(|error| {
            traces::failed(&span, error.code());
            tracing::warn!(
                operation = operation.as_str(),
                deployment_id = id.map(tracing::field::display),
                %request_id,
                code = error.code(),
                error = %Chain(error),
                "a call to the Qoder API failed"
            );
        })
    }

    fn span(
        &self,
        operation: Operation,
        id: Option<&DeploymentId>,
        request_id: uuid::Uuid,
    ) -> Span {
        let (method, name, template) = match operation {
            Operation::Get => ("GET", "GET /deployments/{id}", "/deployments/{id}"),
            Operation::List => ("GET", "GET /deployments", "/deployments"),
            Operation::Write(Verb::Pause) => {
                ("POST", "POST /deployments/{id}/pause", "/deployments/{id}/pause")
            }
            Operation::Write(Verb::Unpause) => {
                ("POST", "POST /deployments/{id}/unpause", "/deployments/{id}/unpause")
            }
        };
        let span = traces::request(method, name, template);
        let (host, port) = self.base_url.server();
        span.record("server.address", host);
        span.record("server.port", i64::from(port));
        span.record("request_id", display(request_id));
        span.record("deployment_id", id.map(display));
        span
    }

    fn request(
        &self,
        token: &Token,
        operation: Operation,
        path_and_query: &str,
        request_id: uuid::Uuid,
    ) -> Result<Request<Bytes>, ApiError> {
        let (method, limit) = match operation {
            Operation::Get => (Method::GET, MAX_OBJECT),
            Operation::List => (Method::GET, MAX_PAGE),
            Operation::Write(_) => (Method::POST, MAX_OBJECT),
        };
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("{}{path_and_query}", self.base_url.as_str()))
            .header(header::AUTHORIZATION, token.authorization())
            .header(header::ACCEPT, "application/json")
            .header("x-request-id", request_id.to_string())
            .extension(limit);
        if let Some(workspace) = &self.workspace {
            request = request.header(HeaderName::from_static("qoder-workspace-id"), workspace);
        }
        let body = if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Bytes::from_static(b"{}")
        } else {
            Bytes::new()
        };
        request.body(body).map_err(|_| ApiError::Invalid("the request could not be built"))
    }

    fn status_error(&self, response: &Response<Bytes>) -> ApiError {
        ApiError::Status {
            status: response.status(),
            from_api: ErrorType::read(response.body()),
            retry_after: retry_after(response.headers(), self.env.wall_clock()),
        }
    }
}

/// Percent-encodes everything but unreserved characters: a cursor is remote text.
fn percent_encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
